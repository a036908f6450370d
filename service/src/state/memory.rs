//! State for as long as the process lives: for trying the product, and for tests.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures::future::{BoxFuture, FutureExt, ready};
use jiff::Timestamp;
use tokio::sync::Notify;

use self::events::{EventLog, milliseconds};
use super::{
    Basis, CatalogVersion, Change, DealerStock, Head, Progress, State, StateError, StoredStock, Written,
    dealers::{CarFacts, CarUpdate, SoldMark, TokenDigest},
    figures::ServerFigures,
    generations::{Epoch, KeptGeneration},
    once::{Once, OnceKey, REMEMBERED_FOR, Remembered, VERSION_MADE},
};
use crate::{clock::Clock, random, stock::fingerprint::Fingerprint};

mod dealers;
mod events;
mod generations;

/// The adapter that keeps everything in memory.
#[derive(Debug)]
pub struct MemoryState {
    generations: Mutex<Stored>,
    announced: Notify,
    clock: Clock,
}

/// All generations, and who holds writes back.
#[derive(Debug, Default)]
struct Stored {
    /// The current one.
    current: Option<Content>,
    /// Those that are being filled, and those that were switched away.
    beside: BTreeMap<Epoch, Content>,
    kept: Option<KeptGeneration>,
    fence: Option<generations::Raised>,
}

#[derive(Debug)]
struct Content {
    head: Head,
    /// The restore that switched to it last.
    restored_as: Option<String>,
    /// The token of the fence under which it may be switched to.
    ready: Option<String>,
    /// The counter of the last change that put or removed stock.
    put_at: u64,
    dealers: BTreeMap<String, Kept>,
    tokens: BTreeMap<String, TokenDigest>,
    /// When cars were marked sold, by dealership and car.
    sold: BTreeMap<String, BTreeMap<String, Timestamp>>,
    events: EventLog,
    /// What was answered under keys, and since when.
    once: BTreeMap<OnceKey, (Timestamp, Remembered)>,
}

impl Content {
    /// Forgets what was remembered long enough.
    fn forget(&mut self, now: Timestamp) {
        self.once
            .retain(|_, (since, _)| now.duration_since(*since).unsigned_abs() < REMEMBERED_FOR);
    }
}

impl Content {
    /// Whether what was decided on a version still holds: the same ids are there, and the cars of the dealerships that
    /// are touched are the same.
    fn still_holds<'a>(&self, version: &CatalogVersion, mut touched: impl Iterator<Item = &'a str>) -> bool {
        let CatalogVersion { epoch, counter } = version;
        *epoch == self.head.version.epoch
            && (self.put_at..=self.head.version.counter).contains(counter)
            && touched.all(|id| {
                self.dealers
                    .get(id)
                    .is_none_or(|kept| kept.updated_at <= *counter)
            })
    }
}

/// The dealerships that a change touches.
fn touched<'a>(
    put: &'a [Arc<DealerStock>],
    remove: &'a [String],
    updates: &'a [CarUpdate],
) -> impl Iterator<Item = &'a str> {
    let put = put.iter().map(|dealer| dealer.dealership.id.as_str());
    let updated = updates.iter().map(|update| update.dealership.as_str());
    put.chain(remove.iter().map(String::as_str)).chain(updated)
}

/// A dealership as it is kept.
#[derive(Clone, Debug)]
struct Kept {
    /// With its updates.
    stock: Arc<DealerStock>,
    fingerprint: Fingerprint,
    /// The counter of the change that put it.
    put_at: u64,
    /// The counter of the last change that updated a car of it since; 0 = none has.
    updated_at: u64,
    updates: BTreeMap<String, CarFacts>,
}

impl Kept {
    fn put(stock: Arc<DealerStock>, counter: u64) -> Self {
        Self {
            fingerprint: Fingerprint::of(&stock.cars),
            stock,
            put_at: counter,
            updated_at: 0,
            updates: BTreeMap::new(),
        }
    }

    fn update(&mut self, update: CarUpdate, counter: u64) {
        let CarUpdate {
            dealership: _,
            car,
            facts,
            fingerprint,
        } = update;
        let cars = &mut Arc::make_mut(&mut self.stock).cars;
        for known in cars.iter_mut().filter(|known| known.id == car) {
            facts.give(known);
        }
        self.fingerprint = fingerprint;
        self.updated_at = counter;
        self.updates.insert(car, facts);
    }
}

impl MemoryState {
    /// A store that is not open.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            generations: Mutex::default(),
            announced: Notify::new(),
            clock,
        }
    }

    /// A panic elsewhere leaves it whole: what is replaced is replaced in one assignment.
    fn stored(&self) -> MutexGuard<'_, Stored> {
        self.generations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn commit_now(&self, change: Change) -> Result<Head, StateError> {
        let Change {
            basis,
            put,
            remove,
            marks,
            updates,
            once,
        } = change;
        let mut stored = self.stored();
        // As precise as a shared store is.
        let now = milliseconds(self.clock.now());
        let Stored {
            current: content,
            fence,
            ..
        } = &mut *stored;
        let (version, mut dealers) = match (basis, content.as_ref()) {
            (Basis::Unopened, Some(_)) => return Err(StateError::AlreadyOpen),
            (Basis::Unopened, None) => (
                CatalogVersion {
                    epoch: random::hexadecimal(8),
                    counter: 1,
                },
                BTreeMap::new(),
            ),
            (Basis::Version(version), Some(content))
                if content.still_holds(&version, touched(&put, &remove, &updates)) =>
            {
                let next = CatalogVersion {
                    counter: content.head.version.counter + 1,
                    ..version
                };
                (next, content.dealers.clone())
            }
            (Basis::Version(_), _) => return Err(StateError::Moved),
        };
        generations::let_through(fence.as_ref(), now)?;
        let put_at = match content.as_ref() {
            Some(content) if put.is_empty() && remove.is_empty() => content.put_at,
            _ => version.counter,
        };
        for id in &remove {
            dealers.remove(id);
        }
        for dealer in put {
            let id = dealer.dealership.id.clone();
            dealers.insert(id, Kept::put(dealer, version.counter));
        }
        for update in updates {
            let kept = dealers
                .get_mut(&update.dealership)
                .ok_or_else(|| StateError::Commit {
                    dealership: update.dealership.clone(),
                    reason: "it has no stock of which a car could be updated".to_owned(),
                })?;
            kept.update(update, version.counter);
        }
        let head = Head {
            version,
            changed_at: now,
        };
        let (mut tokens, mut sold, mut remembered, mut events, restored_as) = content
            .take()
            .map(|mut content| {
                content.forget(now);
                let Content {
                    tokens,
                    sold,
                    once,
                    events,
                    restored_as,
                    ..
                } = content;
                (tokens, sold, once, events, restored_as)
            })
            .unwrap_or_default();
        for id in &remove {
            if let Some(token) = tokens.remove(id) {
                events.token_gone(&token.to_hexadecimal(), now);
            }
            sold.remove(id);
        }
        for SoldMark {
            dealership,
            car,
            sold: is_sold,
        } in marks
        {
            let of_dealership = sold.entry(dealership).or_default();
            if is_sold {
                of_dealership.insert(car, now);
            } else {
                of_dealership.remove(&car);
            }
        }
        remembered.extend(once.map(|Once { key, remembered }| {
            let answer = remembered.answer.replace(VERSION_MADE, &head.version.to_string());
            (key, (now, Remembered { answer, ..remembered }))
        }));
        *content = Some(Content {
            head: head.clone(),
            restored_as,
            ready: None,
            put_at,
            dealers,
            tokens,
            sold,
            once: remembered,
            events,
        });
        drop(stored);
        self.announced.notify_one();
        Ok(head)
    }
}

impl State for MemoryState {
    fn head(&self) -> BoxFuture<'_, Result<Option<Head>, StateError>> {
        let stored = self.stored();
        let content = stored.current.as_ref();
        ready(Ok(content.map(|content| content.head.clone()))).boxed()
    }

    fn stock(&self) -> BoxFuture<'_, Result<Option<StoredStock>, StateError>> {
        let stored = self.stored();
        let stock = stored.current.as_ref().map(|content| StoredStock {
            head: content.head.clone(),
            dealers: content
                .dealers
                .values()
                .map(|kept| DealerStock::clone(&kept.stock))
                .collect(),
        });
        ready(Ok(stock)).boxed()
    }

    fn commit<'a>(
        &'a self,
        change: Change,
        _progress: &'a (dyn Fn(Progress<'_>) + Send + Sync),
    ) -> BoxFuture<'a, Result<Written<Head>, StateError>> {
        ready(self.commit_now(change).map(Written::as_it_is)).boxed()
    }

    fn server_figures(&self) -> BoxFuture<'_, Result<Option<ServerFigures>, StateError>> {
        ready(Ok(None)).boxed()
    }

    fn changed(&self) -> BoxFuture<'_, ()> {
        self.announced.notified().boxed()
    }
}
