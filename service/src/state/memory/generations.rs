//! Generations in memory: what a process holds beside the one that it serves.

use std::{sync::Arc, time::Duration};

use faciliauto_engine::stock::Cars;
use futures::{
    StreamExt,
    future::{BoxFuture, FutureExt, ready},
    stream,
};
use jiff::Timestamp;

use super::{
    Content, Kept, MemoryState, Stored,
    events::{EventLog, milliseconds},
};
use crate::{
    random,
    state::{
        CatalogVersion, DealerStock, Head, StateError,
        events::{Cursor, Event},
        generations::{
            CARS_AT_ONCE, CarBatches, DealerRecords, Epoch, FENCE_LASTS, Fence, FillError, FilledDealer,
            GenerationOutline, Generations, KeptGeneration, Ledgers, Private, Room, SourceError, not_ready,
        },
    },
};

/// A fence that was raised, with the generation that is filled under it.
#[derive(Debug)]
pub(super) struct Raised {
    fence: Fence,
    filling: Option<Epoch>,
}

/// Refuses a write while a fence is up.
pub(super) fn let_through(fence: Option<&Raised>, now: Timestamp) -> Result<(), StateError> {
    match fence {
        Some(Raised { fence, .. }) if fence.deadline > now => Err(StateError::Fenced {
            holder: fence.id.clone(),
        }),
        _ => Ok(()),
    }
}

fn no_generation(generation: &Epoch) -> StateError {
    StateError::NoGeneration(generation.to_string())
}

impl Stored {
    fn generation(&mut self, generation: &Epoch) -> Result<&mut Content, StateError> {
        match self.current.as_mut() {
            Some(current) if current.head.version.epoch == generation.as_str() => Some(current),
            _ => self.beside.get_mut(generation),
        }
        .ok_or_else(|| no_generation(generation))
    }

    /// The fence, if it is up with the token of this one.
    fn raised(&mut self, fence: &Fence, now: Timestamp) -> Result<&mut Raised, StateError> {
        self.fence
            .as_mut()
            .filter(|raised| raised.fence.token == fence.token && raised.fence.deadline > now)
            .ok_or(StateError::FenceLost)
    }

    /// The generation that is filled under the fence. It may be switched to no more until its ledgers are applied.
    fn filled(
        &mut self,
        fence: &Fence,
        generation: &Epoch,
        now: Timestamp,
    ) -> Result<&mut Content, StateError> {
        if self.raised(fence, now)?.filling.as_ref() != Some(generation) {
            return Err(no_generation(generation));
        }
        let content = self
            .beside
            .get_mut(generation)
            .ok_or_else(|| no_generation(generation))?;
        content.ready = None;
        Ok(content)
    }

    fn kept(&self, now: Timestamp) -> Option<&KeptGeneration> {
        self.kept.as_ref().filter(|kept| kept.until > now)
    }

    /// Whether somebody needs it.
    fn is_in_use(&self, generation: &Epoch, now: Timestamp) -> bool {
        let current = self.current.as_ref();
        let mut fence = self.fence.iter().filter(|raised| raised.fence.deadline > now);
        current.is_some_and(|content| content.head.version.epoch == generation.as_str())
            || self.kept(now).is_some_and(|kept| kept.epoch == *generation)
            || fence.any(|raised| raised.filling.as_ref() == Some(generation))
    }

    fn remove(&mut self, generation: &Epoch) {
        self.beside.remove(generation);
        self.kept.take_if(|kept| kept.epoch == *generation);
    }

    fn apply(
        &mut self,
        fence: &Fence,
        generation: &Epoch,
        further: &[Private],
        now: Timestamp,
    ) -> Result<(), StateError> {
        let is_kept = self.kept(now).is_some_and(|kept| kept.epoch == *generation);
        let raised = self.raised(fence, now)?;
        if is_kept {
            raised.filling = Some(generation.clone());
        }
        let current = self.current.as_ref().map(|content| content.events.private());
        let content = self.filled(fence, generation, now)?;
        let own = content.events.private();
        let ledgers = Ledgers::of(further.iter().cloned().chain(current).chain([own.clone()]));
        content.tokens.retain(|_, token| !ledgers.has_revoked(*token));
        content.events.remove_those(|event| ledgers.has_erased(event));
        content.events.fill_private(Private {
            former_secrets: ledgers
                .secrets_beside(own.person_secret.as_ref())
                .cloned()
                .collect(),
            ledger: ledgers.entries().clone(),
            person_secret: own.person_secret,
        })?;
        content.ready = Some(fence.token.clone());
        Ok(())
    }

    fn switch(
        &mut self,
        fence: &Fence,
        to: &Epoch,
        restored_as: &str,
        keep: Duration,
        now: Timestamp,
    ) -> Result<(Head, bool), StateError> {
        if let Some(current) = &self.current
            && current.head.version.epoch == to.as_str()
            && current.restored_as.as_deref() == Some(restored_as)
        {
            return Ok((current.head.clone(), false));
        }
        if self.raised(fence, now)?.filling.as_ref() != Some(to) {
            return Err(not_ready(to, "it was not filled under this fence"));
        }
        match self.beside.get(to) {
            None => return Err(no_generation(to)),
            Some(content) if content.ready.as_ref() != Some(&fence.token) => {
                return Err(not_ready(to, "its ledgers were not applied under this fence"));
            }
            Some(_) => {}
        }
        let mut next = self.beside.remove(to).ok_or_else(|| no_generation(to))?;
        let counter = next.head.version.counter + 1;
        next.head.version.counter = counter;
        next.head.changed_at = now;
        next.put_at = counter;
        next.restored_as = Some(restored_as.to_owned());
        next.ready = None;
        let head = next.head.clone();
        self.fence = None;
        self.kept = self.current.replace(next).map(|before| {
            let epoch = Epoch::new(before.head.version.epoch.clone());
            self.beside.insert(epoch.clone(), before);
            KeptGeneration {
                epoch,
                until: after(now, keep),
                replaced_at: now,
            }
        });
        Ok((head, true))
    }
}

impl MemoryState {
    fn raise(&self, id: &str) -> Result<Fence, StateError> {
        let now = milliseconds(self.clock.now());
        let mut stored = self.stored();
        if let Some(raised) = &stored.fence
            && raised.fence.id != id
        {
            let_through(Some(raised), now)?;
        }
        let fence = Fence {
            id: id.to_owned(),
            token: random::hexadecimal(16),
            deadline: after(now, FENCE_LASTS),
        };
        stored.fence = Some(Raised {
            fence: fence.clone(),
            filling: None,
        });
        Ok(fence)
    }

    fn begin(&self, fence: &Fence) -> Result<Epoch, StateError> {
        let now = milliseconds(self.clock.now());
        let mut stored = self.stored();
        let epoch = Epoch::new(random::hexadecimal(8));
        stored.raised(fence, now)?.filling = Some(epoch.clone());
        let version = CatalogVersion {
            epoch: epoch.to_string(),
            counter: 0,
        };
        let empty = Content {
            head: Head {
                version,
                changed_at: now,
            },
            restored_as: None,
            ready: None,
            put_at: 0,
            dealers: Default::default(),
            tokens: Default::default(),
            sold: Default::default(),
            events: EventLog::default(),
            once: Default::default(),
        };
        stored.beside.insert(epoch.clone(), empty);
        Ok(epoch)
    }

    async fn fill(
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
        let id = dealership.id.clone();
        let mut cars = Cars::new();
        while let Some(batch) = batches.next().await {
            cars.extend(batch.map_err(|reason| FillError::Source {
                dealership: id.clone(),
                reason,
            })?);
        }
        let now = milliseconds(self.clock.now());
        let mut stored = self.stored();
        let content = stored.filled(fence, generation, now)?;
        let stock = Arc::new(DealerStock { dealership, cars });
        content.dealers.insert(id.clone(), Kept::put(stock, 0));
        content.sold.insert(id.clone(), sold);
        match token {
            Some(token) => content.tokens.insert(id, token),
            None => content.tokens.remove(&id),
        };
        Ok(())
    }

    fn records(&self, generation: &Epoch, id: &str) -> Result<Option<DealerRecords<'static>>, StateError> {
        let mut stored = self.stored();
        let content = stored.generation(generation)?;
        Ok(content.dealers.get(id).map(|kept| DealerRecords {
            dealership: kept.stock.dealership.clone(),
            token: content.tokens.get(id).copied(),
            sold: content.sold.get(id).cloned().unwrap_or_default(),
            number_of_cars: kept.stock.cars.len(),
            fingerprint: kept.fingerprint,
            cars: batches(Arc::clone(&kept.stock)),
        }))
    }
}

/// Cars of a stock as it is, whatever becomes of it meanwhile.
fn batches(stock: Arc<DealerStock>) -> CarBatches<'static> {
    let begins = (0..stock.cars.len()).step_by(CARS_AT_ONCE);
    stream::iter(begins)
        .map(move |begin| {
            let batch = stock.cars.iter().skip(begin).take(CARS_AT_ONCE);
            Ok(batch.cloned().collect())
        })
        .boxed()
}

fn after(now: Timestamp, duration: Duration) -> Timestamp {
    now.saturating_add(duration).unwrap_or(Timestamp::MAX)
}

impl Generations for MemoryState {
    fn generation(&self) -> BoxFuture<'_, Result<Option<Epoch>, StateError>> {
        let stored = self.stored();
        let current = stored.current.as_ref();
        ready(Ok(
            current.map(|content| Epoch::new(content.head.version.epoch.clone()))
        ))
        .boxed()
    }

    fn generation_outline<'a>(
        &'a self,
        generation: &'a Epoch,
    ) -> BoxFuture<'a, Result<GenerationOutline, StateError>> {
        let mut stored = self.stored();
        let outline = stored.generation(generation).map(|content| GenerationOutline {
            version: content.head.version.clone(),
            dealers: content.dealers.keys().cloned().collect(),
            restored_as: content.restored_as.clone(),
        });
        ready(outline).boxed()
    }

    fn dealer_records<'a>(
        &'a self,
        generation: &'a Epoch,
        id: &'a str,
    ) -> BoxFuture<'a, Result<Option<DealerRecords<'a>>, StateError>> {
        ready(self.records(generation, id)).boxed()
    }

    fn events_page<'a>(
        &'a self,
        generation: &'a Epoch,
        limit: usize,
        before: Option<Cursor>,
    ) -> BoxFuture<'a, Result<Vec<Event>, StateError>> {
        let mut stored = self.stored();
        let content = stored.generation(generation);
        ready(content.map(|content| content.events.page(limit, before))).boxed()
    }

    fn private<'a>(&'a self, generation: &'a Epoch) -> BoxFuture<'a, Result<Private, StateError>> {
        let mut stored = self.stored();
        let content = stored.generation(generation);
        ready(content.map(|content| content.events.private())).boxed()
    }

    fn raise_fence<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Fence, StateError>> {
        ready(self.raise(id)).boxed()
    }

    fn renew_fence<'a>(&'a self, fence: &'a Fence) -> BoxFuture<'a, Result<Fence, StateError>> {
        let now = milliseconds(self.clock.now());
        let renewed = self.stored().raised(fence, now).map(|raised| {
            raised.fence.deadline = after(now, FENCE_LASTS);
            raised.fence.clone()
        });
        ready(renewed).boxed()
    }

    fn lower_fence<'a>(&'a self, fence: &'a Fence) -> BoxFuture<'a, Result<(), StateError>> {
        let mut stored = self.stored();
        stored.fence.take_if(|raised| raised.fence.token == fence.token);
        ready(Ok(())).boxed()
    }

    fn begin_generation<'a>(&'a self, fence: &'a Fence) -> BoxFuture<'a, Result<Epoch, StateError>> {
        ready(self.begin(fence)).boxed()
    }

    fn fill_dealer<'a>(
        &'a self,
        fence: &'a Fence,
        generation: &'a Epoch,
        dealer: FilledDealer,
        cars: CarBatches<'a, SourceError>,
    ) -> BoxFuture<'a, Result<(), FillError>> {
        self.fill(fence, generation, dealer, cars).boxed()
    }

    fn fill_events<'a>(
        &'a self,
        fence: &'a Fence,
        generation: &'a Epoch,
        events: &'a [Event],
    ) -> BoxFuture<'a, Result<(), StateError>> {
        let now = milliseconds(self.clock.now());
        let mut stored = self.stored();
        let content = stored.filled(fence, generation, now);
        ready(content.and_then(|content| content.events.fill_all(events))).boxed()
    }

    fn fill_private<'a>(
        &'a self,
        fence: &'a Fence,
        generation: &'a Epoch,
        private: &'a Private,
    ) -> BoxFuture<'a, Result<(), StateError>> {
        let now = milliseconds(self.clock.now());
        let mut stored = self.stored();
        let content = stored.filled(fence, generation, now);
        ready(content.and_then(|content| content.events.fill_private(private.clone()))).boxed()
    }

    fn apply_ledgers<'a>(
        &'a self,
        fence: &'a Fence,
        generation: &'a Epoch,
        further: &'a [Private],
    ) -> BoxFuture<'a, Result<(), StateError>> {
        let now = milliseconds(self.clock.now());
        ready(self.stored().apply(fence, generation, further, now)).boxed()
    }

    fn switch<'a>(
        &'a self,
        fence: &'a Fence,
        to: &'a Epoch,
        restored_as: &'a str,
        keep: Duration,
    ) -> BoxFuture<'a, Result<Head, StateError>> {
        let now = milliseconds(self.clock.now());
        let switched = self.stored().switch(fence, to, restored_as, keep, now);
        let head = switched.map(|(head, is_news)| {
            if is_news {
                self.announced.notify_one();
            }
            head
        });
        ready(head).boxed()
    }

    fn kept(&self) -> BoxFuture<'_, Result<Option<KeptGeneration>, StateError>> {
        let now = milliseconds(self.clock.now());
        ready(Ok(self.stored().kept(now).cloned())).boxed()
    }

    fn drop_generation<'a>(&'a self, generation: &'a Epoch) -> BoxFuture<'a, Result<(), StateError>> {
        let now = milliseconds(self.clock.now());
        let mut stored = self.stored();
        if stored.is_in_use(generation, now) {
            return ready(Err(StateError::GenerationInUse(generation.to_string()))).boxed();
        }
        stored.remove(generation);
        ready(Ok(())).boxed()
    }

    fn sweep_generations(&self) -> BoxFuture<'_, Result<usize, StateError>> {
        let now = milliseconds(self.clock.now());
        let mut stored = self.stored();
        let beside: Vec<Epoch> = stored.beside.keys().cloned().collect();
        let unused: Vec<Epoch> = beside
            .into_iter()
            .filter(|generation| !stored.is_in_use(generation, now))
            .collect();
        for generation in &unused {
            stored.remove(generation);
        }
        ready(Ok(unused.len())).boxed()
    }

    fn room(&self) -> BoxFuture<'_, Result<Option<Room>, StateError>> {
        ready(Ok(None)).boxed()
    }
}
