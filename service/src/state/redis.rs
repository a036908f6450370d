//! State shared by every replica, in Redis or Valkey.
//!
//! | key under the prefix | type | holds |
//! | --- | --- | --- |
//! | `generation` | string | the epoch of the current generation; made only when the store is opened |
//! | `fence` | hash | `id`, `token`, `deadline` in ms by the server's `TIME`: a restore holds writes back; `filling` |
//! | `kept` | hash | `epoch`, `until`, `replaced_at`: the generation before, which one can go back to |
//! | `generations` | set | epochs that restores began or switched away, until they are dropped |
//! | `confirmed` | string | counts how often writes were confirmed to be on disk |
//! | `<epoch>:catalog` | hash | `counter` and `changed_at` in ms: the version; `put_at`: the counter of the last put; |
//! | | | `restored_as`: the restore; `ready`: the token of the fence under which it may be switched to |
//! | `<epoch>:dealerships` | hash | id → record, JSON |
//! | `<epoch>:stock` | hash | id → `version chunks digest cars fingerprint [updated]` |
//! | `<epoch>:updates:<id>` | hash | car → `available price confirmed_on`: its facts since its stock was put |
//! | `<epoch>:tokens` | hash | id → SHA-256 of the dealership's token, in hexadecimal |
//! | `<epoch>:sold:<id>` | hash | car → when it was marked sold, in ms |
//! | `<epoch>:once:<digest>` | string | what was asked and answered under an `Idempotency-Key`, for a day |
//! | `<epoch>:stock:<id>:<version>:<n>` | string | a piece of the dealer's rows, JSON lines in one zstd frame |
//! | `<epoch>:events:<yyyy-mm-dd>` | hash | event → JSON, by the server's day in UTC |
//! | `<epoch>:event-times:<yyyy-mm-dd>` | sorted set | the same events by when they happened, in ms |
//! | `<epoch>:event-days` | set | the days that have events |
//! | `<epoch>:person:<name>` | set | `day/event` of an id, of a user or a session |
//! | `<epoch>:event-totals` | hash | `deed:<word>`, `durations`, `duration_seconds` → how many |
//! | `<epoch>:event-users`, `-sessions`, `-cars` | hash | name → how many events have this one |
//! | `<epoch>:person-secret` | string | what names are made with, so that no key or field has an id in it |
//! | `<epoch>:former-secrets` | hash | secret → `1`: those of other stores, whose ledgers are in this one |
//! | `<epoch>:ledger` | hash | `erased:<HMAC of an id>`, `token:<digest>` → ms: what no restore may bring back |
//! | `housekeeping` | string | somebody keeps house in this hour; always with a time to live |
//!
//! Channel `changes` carries the new catalogue version. Durable keys have no time to live. A piece has one
//! until its commit, and gets one again when it is superseded, so that a reader in mid-read finishes and
//! an import that died leaves nothing. Every durable write is a script: [`COMMIT`], [`TOKEN`] for a token, or one of
//! those for events; `confirmation.rs` tells when it is on disk.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::ArcSwapOption;
use faciliauto_engine::stock::Cars;
use futures::{
    StreamExt,
    future::{BoxFuture, FutureExt},
};
use jiff::Timestamp;
use redis::{
    AsyncCommands, Client, ConnectionInfo, ErrorKind, RedisError, RedisResult, Script, ServerErrorKind,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use tokio::{runtime::Handle, sync::Notify, time::timeout};
use tokio_util::context::TokioContext;

use self::{confirmation::Confirmer, keys::Keys, pointer::Pointer};
use super::{
    Basis, CatalogVersion, Change, DealerStock, Head, Progress, State, StateError, StoredStock, Written,
    dealers::CarFacts, figures::ServerFigures, once::REMEMBERED_FOR,
};
use crate::{
    memory, random,
    stock::{fingerprint::Fingerprint, rows},
};

mod confirmation;
mod dealers;
mod events;
mod generations;
mod keys;
mod pointer;
mod scripts;

/// The script that makes stock durable.
const COMMIT: &str = include_str!("commit.lua");

/// The script that makes or revokes the token of a dealership.
const TOKEN: &str = include_str!("token.lua");

/// What belongs together, read in one step. A transaction would do, but a full server refuses to queue even
/// reads for one, and a full store must still be served from. A pointer of six words has updates beside it.
const SNAPSHOT: &str = "local pointers, updates = redis.call('HGETALL', KEYS[3]), {} \
     for index = 1, #pointers, 2 do \
       if string.find(pointers[index + 1], '^%S+ %S+ %S+ %S+ %S+ %S') then \
         updates[#updates + 1] = pointers[index] \
         updates[#updates + 1] = redis.call('HGETALL', ARGV[1] .. pointers[index]) \
       end \
     end \
     return {redis.call('HMGET', KEYS[1], 'counter', 'changed_at'), redis.call('HGETALL', KEYS[2]), \
       pointers, updates}";

/// Small enough that no command holds the server up, large enough that a dealer is one or two pieces.
const CHUNK_BYTES: usize = 1 << 20;

/// How long a piece lives that is not committed, and one that was superseded.
const UNCOMMITTED: Duration = Duration::from_secs(3600);
const SUPERSEDED: Duration = Duration::from_secs(3600);

/// zstd's default: beyond it time grows faster than size shrinks.
const COMPRESSION: i32 = 3;

/// How patient to be with the server.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// With making a connection.
    pub connect: Duration,
    /// With any one answer.
    pub respond: Duration,
    /// With a command as a whole, a reconnection before it included.
    pub whole: Duration,
    /// With the disk that is to keep a write. Synced once a second, it takes up to two.
    pub confirm: Duration,
}

impl Patience {
    /// Of a server, which goes on from memory when the store is away.
    pub const SERVING: Self = Self {
        connect: Duration::from_millis(500),
        respond: Duration::from_millis(1500),
        whole: Duration::from_secs(2),
        confirm: Duration::from_secs(3),
    };
    /// Of an import, which has nothing else to do; a commit of many dealers takes the server a moment.
    pub const IMPORTING: Self = Self {
        connect: Duration::from_secs(2),
        respond: Duration::from_secs(20),
        whole: Duration::from_secs(25),
        confirm: Duration::from_secs(20),
    };
}

/// The adapter that keeps everything in a Redis.
pub struct RedisState {
    client: Client,
    manager: ConnectionManager,
    /// Drives the connection and every one that replaces it. A connection that a thread of the HTTP server made would
    /// end with that thread, under those who write the last things of a process.
    home: Handle,
    keys: Keys,
    patience: Patience,
    commit: Script,
    token: Script,
    confirmer: Confirmer,
    events: events::Scripts,
    generations: generations::Scripts,
    /// Of the generation that was last seen: its secret is read once.
    people: ArcSwapOption<events::People>,
    announced: Arc<Notify>,
    observe: Option<Observer>,
}

/// Is told how long a command took.
type Observer = Box<dyn Fn(Duration) + Send + Sync>;

impl RedisState {
    /// Describes the connection. What fails is tried again, so this works while the server is away. Call it
    /// within the runtime that is to drive the connection.
    ///
    /// # Errors
    /// [`StateError::Refused`] when the address can never work.
    pub fn new(info: ConnectionInfo, key_prefix: &str, patience: Patience) -> Result<Self, StateError> {
        let client = Client::open(info).map_err(failure)?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(patience.connect))
            .set_response_timeout(Some(patience.respond))
            // The defaults wait nine seconds through the retries of a refused connection.
            .set_number_of_retries(2)
            .set_min_delay(Duration::from_millis(50))
            .set_max_delay(Duration::from_millis(500));
        let manager = client.get_connection_manager_lazy(config).map_err(failure)?;
        let keys = Keys {
            prefix: key_prefix.to_owned(),
        };
        let confirmer = Confirmer::start(client.clone(), keys.confirmed(), patience);
        Ok(Self {
            client,
            manager,
            home: Handle::current(),
            keys,
            patience,
            commit: Script::new(COMMIT),
            token: Script::new(TOKEN),
            confirmer,
            events: events::Scripts::default(),
            generations: generations::Scripts::default(),
            people: ArcSwapOption::empty(),
            announced: Arc::new(Notify::new()),
            observe: None,
        })
    }

    /// Tells somebody how long each command took, be it answered or not.
    #[must_use]
    pub fn observed(mut self, observer: impl Fn(Duration) + Send + Sync + 'static) -> Self {
        self.observe = Some(Box::new(observer));
        self
    }

    /// Listens for announcements until the state is dropped. A lost connection is made anew; what was
    /// announced meanwhile is found by whoever asks for the head, so every new connection counts as news.
    pub fn listen(&self) -> impl Future<Output = ()> + Send + 'static {
        let (client, channel) = (self.client.clone(), self.keys.channel());
        let (announced, connect) = (Arc::downgrade(&self.announced), self.patience.connect);
        async move {
            while announced.strong_count() > 0 {
                if let Ok(Ok(mut connection)) = timeout(connect, client.get_async_pubsub()).await
                    && let Ok(Ok(())) = timeout(connect, connection.subscribe(&channel)).await
                {
                    let mut messages = connection.into_on_message();
                    loop {
                        match announced.upgrade() {
                            Some(announced) => announced.notify_one(),
                            None => return,
                        }
                        if messages.next().await.is_none() {
                            break;
                        }
                    }
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }

    /// A command with a hard bound, which the manager alone does not give while it reconnects.
    async fn bounded<T>(&self, command: impl Future<Output = RedisResult<T>>) -> Result<T, StateError> {
        let begun = Instant::now();
        let command = timeout(self.patience.whole, command);
        let answer = TokioContext::new(command, self.home.clone()).await;
        if let Some(observe) = &self.observe {
            observe(begun.elapsed());
        }
        match answer {
            Ok(answer) => answer.map_err(failure),
            Err(_) => Err(StateError::Reach(format!(
                "no answer within {:?}",
                self.patience.whole
            ))),
        }
    }

    async fn read_head(&self) -> Result<Option<Head>, StateError> {
        let mut connection = self.manager.clone();
        let epoch: Option<String> = self.bounded(connection.get(self.keys.generation())).await?;
        let Some(epoch) = epoch.filter(|epoch| !epoch.is_empty()) else {
            return Ok(None);
        };
        let fields: (Option<u64>, Option<i64>) = self
            .bounded(connection.hmget(self.keys.catalog(&epoch), &["counter", "changed_at"]))
            .await?;
        Ok(head_of(epoch, fields))
    }

    async fn read_stock(&self) -> Result<Option<StoredStock>, StateError> {
        let mut connection = self.manager.clone();
        let epoch: Option<String> = self.bounded(connection.get(self.keys.generation())).await?;
        let Some(epoch) = epoch.filter(|epoch| !epoch.is_empty()) else {
            return Ok(None);
        };
        // One script: version, records and pointers belong to one moment. The pieces that the pointers name
        // stay for an hour even when they are superseded while being read.
        type Texts = BTreeMap<String, String>;
        type Snapshot = ((Option<u64>, Option<i64>), Texts, Texts, BTreeMap<String, Texts>);
        let script = Script::new(SNAPSHOT);
        let mut invocation = script.key(self.keys.catalog(&epoch));
        invocation
            .key(self.keys.dealerships(&epoch))
            .key(self.keys.stock(&epoch))
            .arg(self.keys.updates_prefix(&epoch));
        let (fields, records, pointers, mut updates): Snapshot =
            self.bounded(invocation.invoke_async(&mut connection)).await?;
        let Some(head) = head_of(epoch.clone(), fields) else {
            return Ok(None);
        };
        let mut dealers = Vec::with_capacity(records.len());
        for (id, record) in records {
            let dealership = rows::dealership_from_json(&record).map_err(|reason| damaged(&id, reason))?;
            let cars = match pointers.get(&id) {
                None => return Err(damaged(&id, "there is no stock for it")),
                Some(pointer) => {
                    let updates = updates.remove(&id).unwrap_or_default();
                    self.read_cars(&epoch, &id, pointer, updates).await?.0
                }
            };
            dealers.push(DealerStock { dealership, cars });
        }
        Ok(Some(StoredStock { head, dealers }))
    }

    /// The cars of a dealership with their updates, and their fingerprint as the store has it.
    async fn read_cars(
        &self,
        epoch: &str,
        id: &str,
        pointer: &str,
        updates: BTreeMap<String, String>,
    ) -> Result<(Cars, Fingerprint), StateError> {
        let Pointer {
            version,
            chunks,
            digest,
            cars: expected,
            fingerprint,
            updated: _,
        } = Pointer::parse(pointer).ok_or_else(|| damaged(id, "its pointer is not understood"))?;
        let mut connection = self.manager.clone();
        let mut compressed = Vec::new();
        let mut digests = String::new();
        for index in 0..chunks {
            let key = self.keys.chunk(epoch, id, &version, index);
            let chunk: Option<Vec<u8>> = self.bounded(connection.get(key)).await?;
            let chunk = chunk.ok_or_else(|| damaged(id, format!("piece {index} of {chunks} is missing")))?;
            digests.push_str(&sha1_hex(&chunk));
            compressed.extend_from_slice(&chunk);
        }
        if sha1_hex(digests.as_bytes()) != digest {
            return Err(damaged(id, "its digest differs from the one committed"));
        }
        // Off the event loop: a large dealer takes a while to unpack.
        let owner = id.to_owned();
        let cars = memory::on_own_thread(move || unpack(&owner, &compressed, &updates))
            .await
            .map_err(|_| damaged(id, "unpacking it failed"))??;
        if cars.len() != expected {
            return Err(damaged(
                id,
                format!("it has {} cars, committed were {expected}", cars.len()),
            ));
        }
        Ok((cars, fingerprint))
    }

    async fn write_chunks(
        &self,
        epoch: &str,
        dealer: Arc<DealerStock>,
        progress: &(dyn Fn(Progress<'_>) + Send + Sync),
    ) -> Result<Pointer, StateError> {
        let (owner, number) = (dealer.dealership.id.clone(), dealer.cars.len());
        let id = owner.as_str();
        let (packed, fingerprint) = tokio::task::spawn_blocking(move || pack(&dealer.cars))
            .await
            .map_err(|error| error.to_string())
            .and_then(|packed| packed.map_err(|error| error.to_string()))
            .map_err(|reason| StateError::Commit {
                dealership: id.to_owned(),
                reason,
            })?;
        let version = random::hexadecimal(8);
        let pieces = packed.chunks(CHUNK_BYTES).len();
        let mut digests = String::new();
        let mut connection = self.manager.clone();
        progress(Progress {
            dealership: id,
            written: 0,
            pieces,
        });
        for (index, chunk) in packed.chunks(CHUNK_BYTES).enumerate() {
            let key = self.keys.chunk(epoch, id, &version, index);
            let lifetime = UNCOMMITTED.as_secs();
            self.bounded(connection.set_ex::<_, _, ()>(key, chunk, lifetime))
                .await?;
            digests.push_str(&sha1_hex(chunk));
            progress(Progress {
                dealership: id,
                written: index + 1,
                pieces,
            });
        }
        Ok(Pointer {
            version,
            chunks: pieces,
            digest: sha1_hex(digests.as_bytes()),
            cars: number,
            fingerprint,
            updated: String::new(),
        })
    }

    async fn write(
        &self,
        change: Change,
        progress: &(dyn Fn(Progress<'_>) + Send + Sync),
    ) -> Result<Written<Head>, StateError> {
        let Change {
            basis,
            put,
            remove,
            marks,
            updates,
            once,
        } = change;
        let (mode, epoch, counter) = match basis {
            Basis::Unopened => ("open", random::hexadecimal(8), String::new()),
            Basis::Version(CatalogVersion { epoch, counter }) => ("change", epoch, counter.to_string()),
        };
        let mut pointers = Vec::with_capacity(put.len());
        let mut records = Vec::with_capacity(put.len());
        for dealer in put {
            records.push(dealer.dealership.clone());
            pointers.push(self.write_chunks(&epoch, dealer, progress).await?);
        }
        let mut invocation = self.commit.prepare_invoke();
        invocation
            .key(self.keys.generation())
            .key(self.keys.fence())
            .key(self.keys.catalog(&epoch))
            .key(self.keys.dealerships(&epoch))
            .key(self.keys.stock(&epoch))
            .key(self.keys.tokens(&epoch))
            .key(self.keys.ledger(&epoch))
            .key(
                self.keys
                    .once(&epoch, once.as_ref().map_or("", |once| once.key.as_str())),
            )
            .arg(mode)
            .arg(&epoch)
            .arg(counter)
            .arg(self.keys.channel())
            .arg(self.keys.chunk_prefix(&epoch))
            .arg(SUPERSEDED.as_millis() as u64)
            .arg(self.keys.sold_prefix(&epoch))
            .arg(self.keys.updates_prefix(&epoch))
            .arg(records.len());
        for (dealership, pointer) in records.iter().zip(&pointers) {
            invocation
                .arg(&dealership.id)
                .arg(rows::dealership_to_json(dealership))
                .arg(&pointer.version)
                .arg(pointer.chunks)
                .arg(&pointer.digest)
                .arg(pointer.cars)
                .arg(pointer.fingerprint.to_string());
        }
        invocation.arg(remove.len());
        for id in &remove {
            invocation.arg(id);
        }
        invocation.arg(marks.len());
        for mark in &marks {
            invocation
                .arg(&mark.dealership)
                .arg(&mark.car)
                .arg(if mark.sold { "sold" } else { "on-sale" });
        }
        invocation.arg(updates.len());
        for update in &updates {
            invocation
                .arg(&update.dealership)
                .arg(&update.car)
                .arg(pointer::facts_to_text(update.facts))
                .arg(update.fingerprint.to_string());
        }
        if let Some(once) = once {
            invocation
                .arg(format!(
                    "{} {}",
                    once.remembered.fingerprint, once.remembered.answer
                ))
                .arg(REMEMBERED_FOR.as_millis() as u64);
        }
        let ticket = self.confirmer.ticket().await?;
        let mut connection = self.manager.clone();
        let answer: Vec<String> = self.bounded(invocation.invoke_async(&mut connection)).await?;
        let part = |index: usize| answer.get(index).cloned().unwrap_or_default();
        match part(0).as_str() {
            "ok" => head_of(epoch, (part(1).parse().ok(), part(2).parse().ok()))
                .map(|head| Written::new(head, self.confirmer.confirmation(ticket)))
                .ok_or_else(|| StateError::Refused("the commit's answer is not understood".to_owned())),
            "already-open" => Err(StateError::AlreadyOpen),
            "moved" => Err(StateError::Moved),
            "fenced" => Err(StateError::Fenced { holder: part(1) }),
            "incomplete" => Err(StateError::Commit {
                dealership: part(1),
                reason: part(2),
            }),
            other => Err(StateError::Refused(format!("the commit answered {other:?}"))),
        }
    }
}

impl State for RedisState {
    fn head(&self) -> BoxFuture<'_, Result<Option<Head>, StateError>> {
        self.read_head().boxed()
    }

    fn stock(&self) -> BoxFuture<'_, Result<Option<StoredStock>, StateError>> {
        self.read_stock().boxed()
    }

    fn commit<'a>(
        &'a self,
        change: Change,
        progress: &'a (dyn Fn(Progress<'_>) + Send + Sync),
    ) -> BoxFuture<'a, Result<Written<Head>, StateError>> {
        self.write(change, progress).boxed()
    }

    fn server_figures(&self) -> BoxFuture<'_, Result<Option<ServerFigures>, StateError>> {
        async {
            let mut connection = self.manager.clone();
            let command = redis::cmd("INFO");
            let text: String = self.bounded(command.query_async(&mut connection)).await?;
            match ServerFigures::from_info(&text) {
                Some(figures) => Ok(Some(figures)),
                None => Err(StateError::Refused("INFO has not all of the figures".to_owned())),
            }
        }
        .boxed()
    }

    fn changed(&self) -> BoxFuture<'_, ()> {
        self.announced.notified().boxed()
    }
}

fn head_of(epoch: String, (counter, changed_at): (Option<u64>, Option<i64>)) -> Option<Head> {
    let version = CatalogVersion {
        epoch,
        counter: counter?,
    };
    Some(Head {
        version,
        changed_at: Timestamp::from_millisecond(changed_at?).ok()?,
    })
}

fn pack(cars: &Cars) -> std::io::Result<(Vec<u8>, Fingerprint)> {
    let mut encoder = zstd::Encoder::new(Vec::new(), COMPRESSION)?;
    encoder.include_checksum(true)?;
    rows::write_cars(&mut encoder, cars)?;
    Ok((encoder.finish()?, Fingerprint::of(cars)))
}

fn unpack(
    dealership: &str,
    compressed: &[u8],
    updates: &BTreeMap<String, String>,
) -> Result<Cars, StateError> {
    let decoder = zstd::Decoder::new(compressed).map_err(|error| damaged(dealership, error.to_string()))?;
    let mut cars = rows::read_cars(decoder, dealership).map_err(|reason| damaged(dealership, reason))?;
    if updates.is_empty() {
        return Ok(cars);
    }
    for car in &mut cars {
        if let Some(text) = updates.get(&car.id) {
            facts_of(dealership, &car.id, text)?.give(car);
        }
    }
    Ok(cars)
}

fn facts_of(dealership: &str, car: &str, text: &str) -> Result<CarFacts, StateError> {
    pointer::facts_from_text(text)
        .ok_or_else(|| damaged(dealership, format!("the update of {car} is not understood")))
}

/// The digest that a script can compute. It finds loss and mix-ups; it is no defence against a forger.
fn sha1_hex(bytes: &[u8]) -> String {
    sha1_smol::Sha1::from(bytes).digest().to_string()
}

fn damaged(dealership: &str, reason: impl Into<String>) -> StateError {
    StateError::Damaged {
        dealership: dealership.to_owned(),
        reason: reason.into(),
    }
}

/// Tells an absent server, which is worth waiting for, from one that refuses.
fn failure(error: RedisError) -> StateError {
    let text = match error.detail() {
        Some(detail) => format!("{error} ({detail})"),
        None => error.to_string(),
    };
    if error.code() == Some("OOM") {
        return StateError::Full(text);
    }
    match error.kind() {
        ErrorKind::Io
        | ErrorKind::Parse
        | ErrorKind::Server(
            ServerErrorKind::BusyLoading
            | ServerErrorKind::MasterDown
            | ServerErrorKind::TryAgain
            | ServerErrorKind::ClusterDown,
        ) => StateError::Reach(text),
        _ if error.is_unrecoverable_error() => StateError::Reach(text),
        _ => StateError::Refused(text),
    }
}
