//! Reads of one generation, whichever is the current one.
//!
//! Whoever drops a generation takes its catalog first. So what is read in one step with the catalog is whole, and so is
//! what was read before the catalog was seen.

use std::{collections::BTreeMap, io::Write};

use faciliauto_engine::stock::Car;
use futures::{StreamExt, stream};
use redis::{AsyncCommands, Script};
use zstd::stream::write::Decoder;

use super::{RedisState, Times, no_generation, times};
use crate::{
    state::{
        CatalogVersion, StateError,
        dealers::TokenDigest,
        events::{Cursor, Event},
        generations::{
            CARS_AT_ONCE, CarBatches, DealerRecords, Epoch, GenerationOutline, PersonSecret, Private,
        },
        redis::{damaged, facts_of, pointer::Pointer, sha1_hex},
    },
    stock::rows,
};

/// The catalog, and the ids of dealerships, read in one step.
const OUTLINE: &str =
    "return {redis.call('HMGET', KEYS[1], 'counter', 'restored_as'), redis.call('HKEYS', KEYS[2])}";

/// What belongs together of one dealership, read in one step.
const DEALER: &str = "return {redis.call('EXISTS', KEYS[1]), redis.call('HGET', KEYS[2], ARGV[1]), \
     redis.call('HGET', KEYS[3], ARGV[1]), redis.call('HGET', KEYS[4], ARGV[1]), \
     redis.call('HGETALL', KEYS[5]), redis.call('HGETALL', KEYS[6])}";

/// What is known of people beside their events, read in one step.
const PRIVATE: &str = "return {redis.call('EXISTS', KEYS[1]), redis.call('GET', KEYS[2]), \
     redis.call('HKEYS', KEYS[3]), redis.call('HGETALL', KEYS[4])}";

/// Bytes that are unpacked at once: they become some hundred cars.
const UNPACKED_AT_ONCE: usize = 16 << 10;

impl RedisState {
    pub(super) async fn read_generation_outline(
        &self,
        generation: &Epoch,
    ) -> Result<GenerationOutline, StateError> {
        let epoch = generation.as_str();
        let script = Script::new(OUTLINE);
        let mut invocation = script.key(self.keys.catalog(epoch));
        invocation.key(self.keys.dealerships(epoch));
        let mut connection = self.manager.clone();
        type Outline = ((Option<u64>, Option<String>), Vec<String>);
        let ((counter, restored_as), mut dealers): Outline =
            self.bounded(invocation.invoke_async(&mut connection)).await?;
        dealers.sort_unstable();
        Ok(GenerationOutline {
            version: CatalogVersion {
                epoch: epoch.to_owned(),
                counter: counter.ok_or_else(|| no_generation(generation))?,
            },
            dealers,
            restored_as,
        })
    }

    pub(super) async fn read_records<'a>(
        &'a self,
        generation: &'a Epoch,
        id: &'a str,
    ) -> Result<Option<DealerRecords<'a>>, StateError> {
        let epoch = generation.as_str();
        let script = Script::new(DEALER);
        let mut invocation = script.key(self.keys.catalog(epoch));
        invocation
            .key(self.keys.dealerships(epoch))
            .key(self.keys.stock(epoch))
            .key(self.keys.tokens(epoch))
            .key(format!("{}{id}", self.keys.sold_prefix(epoch)))
            .key(format!("{}{id}", self.keys.updates_prefix(epoch)))
            .arg(id);
        let mut connection = self.manager.clone();
        type Text = Option<String>;
        type Records = (bool, Text, Text, Text, Times, BTreeMap<String, String>);
        let (is_there, record, pointer, token, sold, updates): Records =
            self.bounded(invocation.invoke_async(&mut connection)).await?;
        if !is_there {
            return Err(no_generation(generation));
        }
        let Some(record) = record else {
            return Ok(None);
        };
        let pointer = pointer.ok_or_else(|| damaged(id, "there is no stock for it"))?;
        let pointer = Pointer::parse(&pointer).ok_or_else(|| damaged(id, "its pointer is not understood"))?;
        let token = token.map(|token| {
            TokenDigest::from_hexadecimal(&token).ok_or_else(|| damaged(id, "its token is not understood"))
        });
        Ok(Some(DealerRecords {
            dealership: rows::dealership_from_json(&record).map_err(|reason| damaged(id, reason))?,
            token: token.transpose()?,
            sold: times(sold),
            number_of_cars: pointer.cars,
            fingerprint: pointer.fingerprint,
            cars: Pieces::new(self, epoch, id, pointer, updates)?.into_batches(),
        }))
    }

    pub(super) async fn read_events_page(
        &self,
        generation: &Epoch,
        limit: usize,
        before: Option<Cursor>,
    ) -> Result<Vec<Event>, StateError> {
        let page = self.read_page(generation.as_str(), limit, before).await?;
        let mut connection = self.manager.clone();
        let catalog = self.keys.catalog(generation.as_str());
        let is_there: bool = self.bounded(connection.exists(catalog)).await?;
        is_there.then_some(page).ok_or_else(|| no_generation(generation))
    }

    /// Whether there is such a generation, and what is known of people in it; also of one that is damaged.
    pub(super) async fn read_private(&self, generation: &Epoch) -> Result<(bool, Private), StateError> {
        let epoch = generation.as_str();
        let script = Script::new(PRIVATE);
        let mut invocation = script.key(self.keys.catalog(epoch));
        invocation
            .key(self.keys.person_secret(epoch))
            .key(self.keys.former_secrets(epoch))
            .key(self.keys.ledger(epoch));
        let mut connection = self.manager.clone();
        let (is_there, secret, mut former, ledger): (bool, Option<String>, Vec<String>, Times) =
            self.bounded(invocation.invoke_async(&mut connection)).await?;
        former.sort_unstable();
        let private = Private {
            person_secret: secret.map(PersonSecret::new),
            former_secrets: former.into_iter().map(PersonSecret::new).collect(),
            ledger: times(ledger),
        };
        Ok((is_there, private))
    }
}

/// The pieces of a stock, read one after the other and unpacked bit by bit: however large it is, two pieces' worth of
/// memory is enough.
struct Pieces<'a> {
    state: &'a RedisState,
    epoch: &'a str,
    id: &'a str,
    pointer: Pointer,
    updates: BTreeMap<String, String>,
    /// How many pieces were read.
    read: usize,
    digests: String,
    /// Of the piece that was read last, what is not unpacked.
    packed: Vec<u8>,
    unpacked: usize,
    decoder: Decoder<'static, Vec<u8>>,
    /// What is unpacked and not yet taken for cars.
    text: Vec<u8>,
    /// How many cars were given.
    cars: usize,
    is_over: bool,
}

impl<'a> Pieces<'a> {
    fn new(
        state: &'a RedisState,
        epoch: &'a str,
        id: &'a str,
        pointer: Pointer,
        updates: BTreeMap<String, String>,
    ) -> Result<Self, StateError> {
        Ok(Self {
            state,
            epoch,
            id,
            pointer,
            updates,
            read: 0,
            digests: String::new(),
            packed: Vec::new(),
            unpacked: 0,
            decoder: Decoder::new(Vec::new()).map_err(|error| damaged(id, error.to_string()))?,
            text: Vec::new(),
            cars: 0,
            is_over: false,
        })
    }

    fn into_batches(self) -> CarBatches<'a> {
        stream::try_unfold(self, |mut pieces| async move {
            let batch = pieces.next().await?;
            Ok((!batch.is_empty()).then_some((batch, pieces)))
        })
        .boxed()
    }

    /// The next cars; none when that was all of them, and they are what was put.
    async fn next(&mut self) -> Result<Vec<Car>, StateError> {
        let mut batch = Vec::new();
        while !self.is_over && batch.len() < CARS_AT_ONCE {
            self.take_cars(&mut batch)?;
            if batch.len() == CARS_AT_ONCE {
                break;
            }
            if self.unpacked < self.packed.len() {
                self.unpack()?;
            } else if self.read < self.pointer.chunks {
                self.read_piece().await?;
            } else {
                self.finish()?;
            }
        }
        Ok(batch)
    }

    /// Takes whole lines for cars, until the batch is full.
    fn take_cars(&mut self, batch: &mut Vec<Car>) -> Result<(), StateError> {
        let mut begin = 0;
        while batch.len() < CARS_AT_ONCE
            && let Some(length) = self.text[begin..].iter().position(|byte| *byte == b'\n')
        {
            let line = &self.text[begin..begin + length];
            begin += length + 1;
            self.cars += 1;
            let mut car =
                rows::read_car(line, self.cars, self.id).map_err(|reason| damaged(self.id, reason))?;
            if let Some(facts) = self.updates.get(&car.id) {
                facts_of(self.id, &car.id, facts)?.give(&mut car);
            }
            batch.push(car);
        }
        self.text.drain(..begin);
        Ok(())
    }

    fn unpack(&mut self) -> Result<(), StateError> {
        let end = self.packed.len().min(self.unpacked + UNPACKED_AT_ONCE);
        let unpacked = self
            .decoder
            .write_all(&self.packed[self.unpacked..end])
            .and_then(|()| self.decoder.flush());
        unpacked.map_err(|error| damaged(self.id, error.to_string()))?;
        self.unpacked = end;
        self.text.append(self.decoder.get_mut());
        Ok(())
    }

    async fn read_piece(&mut self) -> Result<(), StateError> {
        let (state, index) = (self.state, self.read);
        let key = state
            .keys
            .chunk(self.epoch, self.id, &self.pointer.version, index);
        let mut connection = state.manager.clone();
        let piece: Option<Vec<u8>> = state.bounded(connection.get(key)).await?;
        let Some(piece) = piece else {
            let stock = state.keys.stock(self.epoch);
            let now: Option<String> = state.bounded(connection.hget(stock, self.id)).await?;
            let now = now.as_deref().and_then(Pointer::parse);
            if now.is_none_or(|now| now.version != self.pointer.version) {
                return Err(StateError::Moved);
            }
            let reason = format!("piece {index} of {} is missing", self.pointer.chunks);
            return Err(damaged(self.id, reason));
        };
        self.digests.push_str(&sha1_hex(&piece));
        (self.packed, self.unpacked) = (piece, 0);
        self.read += 1;
        Ok(())
    }

    fn finish(&mut self) -> Result<(), StateError> {
        if sha1_hex(self.digests.as_bytes()) != self.pointer.digest {
            return Err(damaged(self.id, "its digest differs from the one committed"));
        }
        let (cars, expected) = (self.cars, self.pointer.cars);
        if cars != expected || !self.text.is_empty() {
            let reason = format!("it has {cars} cars, committed were {expected}");
            return Err(damaged(self.id, reason));
        }
        self.is_over = true;
        Ok(())
    }
}
