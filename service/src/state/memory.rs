//! State for as long as the process lives: for trying the product, and for tests.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use futures::future::{BoxFuture, FutureExt, ready};
use tokio::sync::Notify;

use super::{
    Basis, CatalogVersion, Change, DealerStock, Head, Progress, State, StateError, StoredStock, apply,
};
use crate::{clock::Clock, random};

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
        let Change { basis, put, remove } = change;
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
        apply(&mut dealers, put, &remove);
        let head = Head {
            version,
            changed_at: self.clock.now(),
        };
        *content = Some(Content {
            head: head.clone(),
            dealers,
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

    fn changed(&self) -> BoxFuture<'_, ()> {
        self.announced.notified().boxed()
    }
}
