//! State for as long as the process lives: for trying the product, and for tests.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use futures::future::{BoxFuture, FutureExt, ready};
use jiff::Timestamp;
use tokio::sync::Notify;

use self::events::EventLog;
use super::{
    Basis, CatalogVersion, Change, DealerStock, Head, Progress, State, StateError, StoredStock, apply,
    dealers::{SoldMark, TokenDigest},
    figures::ServerFigures,
};
use crate::{clock::Clock, random};

mod dealers;
mod events;

/// The adapter that keeps everything in memory.
#[derive(Debug)]
pub struct MemoryState {
    content: Mutex<Option<Content>>,
    announced: Notify,
    clock: Clock,
}

#[derive(Debug)]
struct Content {
    head: Head,
    dealers: BTreeMap<String, DealerStock>,
    /// The counter of the change that put each dealership.
    put_at: BTreeMap<String, u64>,
    tokens: BTreeMap<String, TokenDigest>,
    /// When cars were marked sold, by dealership and car.
    sold: BTreeMap<String, BTreeMap<String, Timestamp>>,
    events: EventLog,
}

impl MemoryState {
    /// A store that is not open.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            content: Mutex::new(None),
            announced: Notify::new(),
            clock,
        }
    }

    fn commit_now(&self, change: Change) -> Result<Head, StateError> {
        let Change {
            basis,
            put,
            remove,
            marks,
        } = change;
        // A panic elsewhere leaves the content whole: it is replaced in one assignment.
        let mut content = self.content.lock().unwrap_or_else(PoisonError::into_inner);
        let (version, mut dealers) = match (basis, content.as_ref()) {
            (Basis::Unopened, Some(_)) => return Err(StateError::AlreadyOpen),
            (Basis::Unopened, None) => (
                CatalogVersion {
                    epoch: random::hexadecimal(8),
                    counter: 1,
                },
                BTreeMap::new(),
            ),
            (Basis::Version(version), Some(content)) if content.head.version == version => {
                let next = CatalogVersion {
                    counter: version.counter + 1,
                    ..version
                };
                (next, content.dealers.clone())
            }
            (Basis::Version(_), _) => return Err(StateError::Moved),
        };
        let mut put_at = content
            .as_ref()
            .map(|content| content.put_at.clone())
            .unwrap_or_default();
        for dealer in &put {
            put_at.insert(dealer.dealership.id.clone(), version.counter);
        }
        apply(&mut dealers, put, &remove);
        put_at.retain(|id, _| dealers.contains_key(id));
        let now = self.clock.now();
        let head = Head {
            version,
            changed_at: now,
        };
        let (mut tokens, mut sold, mut events) = content
            .take()
            .map(|content| (content.tokens, content.sold, content.events))
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
        *content = Some(Content {
            head: head.clone(),
            dealers,
            put_at,
            tokens,
            sold,
            events,
        });
        drop(content);
        self.announced.notify_one();
        Ok(head)
    }
}

impl State for MemoryState {
    fn head(&self) -> BoxFuture<'_, Result<Option<Head>, StateError>> {
        let content = self.content.lock().unwrap_or_else(PoisonError::into_inner);
        ready(Ok(content.as_ref().map(|content| content.head.clone()))).boxed()
    }

    fn stock(&self) -> BoxFuture<'_, Result<Option<StoredStock>, StateError>> {
        let content = self.content.lock().unwrap_or_else(PoisonError::into_inner);
        let stock = content.as_ref().map(|content| StoredStock {
            head: content.head.clone(),
            dealers: content.dealers.values().cloned().collect(),
        });
        ready(Ok(stock)).boxed()
    }

    fn commit<'a>(
        &'a self,
        change: Change,
        _progress: &'a (dyn Fn(Progress<'_>) + Send + Sync),
    ) -> BoxFuture<'a, Result<Head, StateError>> {
        ready(self.commit_now(change)).boxed()
    }

    fn server_figures(&self) -> BoxFuture<'_, Result<Option<ServerFigures>, StateError>> {
        ready(Ok(None)).boxed()
    }

    fn changed(&self) -> BoxFuture<'_, ()> {
        self.announced.notified().boxed()
    }
}
