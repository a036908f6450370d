//! Fills a generation, step by step under the fence.

use std::{collections::BTreeMap, io};

use faciliauto_engine::stock::Car;
use futures::StreamExt;
use jiff::Timestamp;
use redis::{AsyncCommands, Script, ScriptInvocation};
use zstd::stream::write::Encoder;

use super::{RedisState, not_understood};
use crate::{
    random,
    state::{
        StateError,
        dealers::TokenDigest,
        events::{Event, NewEvent, PersonKeys},
        generations::{
            CarBatches, Epoch, Fence, FillError, FilledDealer, PersonSecret, Private, SourceError,
        },
        redis::{CHUNK_BYTES, COMPRESSION, UNCOMMITTED, events::format, sha1_hex},
    },
    stock::{fingerprint::Fingerprint, rows},
};

/// Events that one script writes: each takes about a dozen commands, and nobody is served meanwhile. So few take the
/// server two milliseconds, within what who counts requests waits for it.
pub(super) const EVENTS_AT_ONCE: usize = 100;

/// Fields that one script writes.
const FIELDS_AT_ONCE: usize = 1000;

impl RedisState {
    /// A script that fills, with what all of them take first.
    pub(super) fn filling<'a>(
        &self,
        script: &'a Script,
        fence: &Fence,
        generation: &Epoch,
    ) -> ScriptInvocation<'a> {
        let mut invocation = script.prepare_invoke();
        invocation
            .key(self.keys.fence())
            .arg(generation.as_str())
            .arg(self.keys.root(generation.as_str()))
            .arg(&fence.token);
        invocation
    }

    pub(super) async fn begin(&self, fence: &Fence) -> Result<Epoch, StateError> {
        let generation = Epoch::new(random::hexadecimal(8));
        let mut invocation = self.generations.begin.prepare_invoke();
        invocation
            .key(self.keys.fence())
            .key(self.keys.generations())
            .key(self.keys.catalog(generation.as_str()))
            .arg(&fence.token)
            .arg(generation.as_str());
        self.settled(&generation, &invocation).await?;
        Ok(generation)
    }

    pub(super) async fn write_dealer(
        &self,
        fence: &Fence,
        generation: &Epoch,
        dealer: FilledDealer,
        mut batches: CarBatches<'_, SourceError>,
    ) -> Result<(), FillError> {
        let FilledDealer {
            dealership,
            token,
            sold,
        } = dealer;
        let id = dealership.id.as_str();
        let mut stock = Packing::new(self, generation, id)?;
        while let Some(batch) = batches.next().await {
            let cars = batch.map_err(|reason| FillError::Source {
                dealership: id.to_owned(),
                reason,
            })?;
            stock.add(&cars).await?;
        }
        let Packed {
            version,
            pieces,
            digest,
            cars,
            fingerprint,
        } = stock.finish().await?;
        // The dealership itself comes last: until then nobody reads any of it.
        let marks = (&*format!("sold:{id}"), "new");
        let hash = &self.generations.hash;
        self.write_hash(hash, (fence, generation), marks, &entries(&sold))
            .await?;
        let mut invocation = self.filling(&self.generations.dealer, fence, generation);
        invocation
            .arg(id)
            .arg(rows::dealership_to_json(&dealership))
            .arg(version)
            .arg(pieces)
            .arg(digest)
            .arg(cars)
            .arg(fingerprint.to_string())
            .arg(token.map(TokenDigest::to_hexadecimal).unwrap_or_default());
        self.settled(generation, &invocation).await?;
        Ok(())
    }

    /// Writes fields of a hash of the generation, an empty value to remove one; `begin` = `new` in place of what it holds,
    /// or `more`.
    pub(super) async fn write_hash(
        &self,
        script: &Script,
        (fence, generation): (&Fence, &Epoch),
        (name, begin): (&str, &str),
        fields: &[(&str, String)],
    ) -> Result<(), StateError> {
        let (first, more) = fields.split_at(fields.len().min(FIELDS_AT_ONCE));
        let first = std::iter::once((begin, first));
        for (begin, fields) in first.chain(more.chunks(FIELDS_AT_ONCE).map(|fields| ("more", fields))) {
            let mut invocation = self.filling(script, fence, generation);
            invocation.arg(name).arg(begin);
            for (field, value) in fields {
                invocation.arg(field).arg(value);
            }
            self.settled(generation, &invocation).await?;
        }
        Ok(())
    }

    pub(super) async fn write_private(
        &self,
        fence: &Fence,
        generation: &Epoch,
        private: &Private,
    ) -> Result<(), StateError> {
        let Private {
            person_secret,
            former_secrets,
            ledger,
        } = private;
        let secret = person_secret.as_ref().map_or("", |secret| secret.reveal());
        self.write_secret(fence, generation, secret, "this").await?;
        let place = (fence, generation);
        let hash = &self.generations.hash;
        self.write_hash(hash, place, ("former-secrets", "new"), &secrets(former_secrets))
            .await?;
        self.write_hash(hash, place, ("ledger", "new"), &entries(ledger))
            .await
    }

    /// Gives a generation a secret, and says which one it has: `this` one or none, or `any`.
    async fn write_secret(
        &self,
        fence: &Fence,
        generation: &Epoch,
        secret: &str,
        which: &str,
    ) -> Result<String, StateError> {
        let mut invocation = self.filling(&self.generations.secret, fence, generation);
        invocation.arg(secret).arg(which);
        let answer = self.settled(generation, &invocation).await?;
        answer
            .into_iter()
            .next()
            .ok_or_else(|| not_understood("no secret"))
    }

    pub(super) async fn write_events(
        &self,
        fence: &Fence,
        generation: &Epoch,
        events: &[Event],
    ) -> Result<(), StateError> {
        let secret = random::hexadecimal(32);
        let keys = PersonKeys::new(&self.write_secret(fence, generation, &secret, "any").await?);
        for events in events.chunks(EVENTS_AT_ONCE) {
            let mut invocation = self.filling(&self.generations.events, fence, generation);
            invocation.arg(events.len());
            for event in events {
                let content = format::write(&NewEvent::from(event.clone()), &keys)
                    .map_err(|error| StateError::Refused(format!("failed to write an event: {error}")))?;
                invocation
                    .arg(event.id.to_string())
                    .arg(event.at.as_millisecond())
                    .arg(event.day().to_string())
                    .arg(content);
            }
            self.settled(generation, &invocation).await?;
        }
        Ok(())
    }
}

/// Times by name as the store has them.
pub(super) fn entries(times: &BTreeMap<String, Timestamp>) -> Vec<(&str, String)> {
    let times = times.iter();
    times
        .map(|(name, at)| (name.as_str(), at.as_millisecond().to_string()))
        .collect()
}

/// Secrets of other stores as the store has them.
pub(super) fn secrets<'a>(secrets: impl IntoIterator<Item = &'a PersonSecret>) -> Vec<(&'a str, String)> {
    let secrets = secrets.into_iter();
    secrets.map(|secret| (secret.reveal(), "1".to_owned())).collect()
}

/// A stock that is written as it arrives: of it, no more than a piece is held in memory.
struct Packing<'a> {
    state: &'a RedisState,
    epoch: &'a str,
    id: &'a str,
    version: String,
    encoder: Encoder<'static, Vec<u8>>,
    pieces: usize,
    digests: String,
    cars: usize,
    fingerprint: Fingerprint,
}

/// What was written.
struct Packed {
    version: String,
    pieces: usize,
    digest: String,
    cars: usize,
    fingerprint: Fingerprint,
}

impl<'a> Packing<'a> {
    fn new(state: &'a RedisState, generation: &'a Epoch, id: &'a str) -> Result<Self, StateError> {
        let failed = |error| unpackable(id, &error);
        let mut encoder = Encoder::new(Vec::new(), COMPRESSION).map_err(failed)?;
        encoder.include_checksum(true).map_err(failed)?;
        Ok(Self {
            state,
            epoch: generation.as_str(),
            id,
            version: random::hexadecimal(8),
            encoder,
            pieces: 0,
            digests: String::new(),
            cars: 0,
            fingerprint: Fingerprint::default(),
        })
    }

    async fn add(&mut self, cars: &[Car]) -> Result<(), StateError> {
        rows::write_cars(&mut self.encoder, cars).map_err(|error| unpackable(self.id, &error))?;
        self.cars += cars.len();
        self.fingerprint = self.fingerprint.with(cars);
        while self.encoder.get_ref().len() >= CHUNK_BYTES {
            let piece: Vec<u8> = self.encoder.get_mut().drain(..CHUNK_BYTES).collect();
            self.write(&piece).await?;
        }
        Ok(())
    }

    /// Writes a piece that goes by itself, as those of an import do, until its dealership names it.
    async fn write(&mut self, piece: &[u8]) -> Result<(), StateError> {
        let key = self
            .state
            .keys
            .chunk(self.epoch, self.id, &self.version, self.pieces);
        let mut connection = self.state.manager.clone();
        let written = connection.set_ex::<_, _, ()>(key, piece, UNCOMMITTED.as_secs());
        self.state.bounded(written).await?;
        self.digests.push_str(&sha1_hex(piece));
        self.pieces += 1;
        Ok(())
    }

    async fn finish(mut self) -> Result<Packed, StateError> {
        let end = self.encoder.do_finish();
        end.map_err(|error| unpackable(self.id, &error))?;
        let rest = std::mem::take(self.encoder.get_mut());
        for piece in rest.chunks(CHUNK_BYTES) {
            self.write(piece).await?;
        }
        Ok(Packed {
            version: self.version,
            pieces: self.pieces,
            digest: sha1_hex(self.digests.as_bytes()),
            cars: self.cars,
            fingerprint: self.fingerprint,
        })
    }
}

fn unpackable(id: &str, error: &io::Error) -> StateError {
    StateError::Commit {
        dealership: id.to_owned(),
        reason: format!("its cars cannot be packed: {error}"),
    }
}
