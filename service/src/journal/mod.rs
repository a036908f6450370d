//! What buyers did, on its way into the store and out of it.
//!
//! ```text
//!   routes/feedback ─────▶ record ───────────────────────────▶ store
//!   routes/interactions ─▶ record_or_hold ─┬─────────────────▶ store
//!                                          └▶ buffer ─ flush ─▶ store      while it is away or held back
//!   routes/people ───────▶ traces_of, erase ────────────────▶ store, buffer
//! ```
//!
//! Feedback is acknowledged only when it is written. Interactions may wait in the memory of this process, bounded, and
//! the answer says so. An erasure and a flush never overlap, so that nothing that was erased comes back out of the buffer.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use tokio::{
    sync::{Mutex as AsyncMutex, Notify},
    time::{sleep, timeout},
};

use self::{
    buffer::{Buffer, Held},
    people::{Asker, Traces},
};
use crate::{
    clock::Clock,
    error::ApiError,
    metrics::Metrics,
    state::{
        State, StateError,
        events::{
            Deed, Erased, EventTotals, FeedbackAction, InteractionKind, NewEvent, PersonKeys, Recorded,
            erased_entry,
        },
    },
    store::Store,
};

mod buffer;
pub(crate) mod people;

/// How long an interaction waits for the store before it waits in the buffer: longer than a busy store takes, shorter
/// than a page that is being left is kept alive for.
const PATIENCE: Duration = Duration::from_secs(1);

/// How soon a store that was away is tried again.
const RETRY: Duration = Duration::from_millis(500);

/// How soon it is tried again when the process is about to end.
const LAST_RETRY: Duration = Duration::from_millis(50);

/// Events of the buffer that are written in one call.
const BATCH: usize = 100;

/// What the operators of a deployment decide about people's data.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// Whether anybody may read anybody's history, as older apps expect.
    pub(crate) open_history: bool,
    /// For how many days backups are kept.
    pub(crate) backup_retention_days: u16,
}

/// Who was erased, here or by another replica, and when.
struct Erasures {
    keys: PersonKeys,
    ledger: BTreeMap<String, Timestamp>,
}

impl Erasures {
    async fn of(state: &dyn State) -> Result<Self, StateError> {
        Ok(Self {
            keys: state.person_keys().await?,
            ledger: state.ledger().await?,
        })
    }

    /// Whether somebody of an event that waited until now was erased after it.
    fn cover(&self, event: &NewEvent, now: Timestamp) -> bool {
        let waited = SignedDuration::try_from(event.age).unwrap_or(SignedDuration::MAX);
        let happened = now.saturating_sub(waited).unwrap_or(Timestamp::MIN);
        let mut ids = event.user.iter().chain(&event.session);
        ids.any(|id| {
            let erased = self.ledger.get(&erased_entry(&self.keys, id));
            // The ledger counts whole milliseconds: of one millisecond the erasure is taken to be the later.
            erased.is_some_and(|erased| erased.as_millisecond() >= happened.as_millisecond())
        })
    }
}

/// What became of an interaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The store has it, or has something else under its key.
    Recorded(Recorded),
    /// It waits in this process.
    Held,
}

/// What buyers did passes through here.
#[derive(Debug)]
pub(crate) struct Journal {
    store: Arc<Store>,
    metrics: Metrics,
    clock: Clock,
    pub(crate) terms: Terms,
    buffer: Mutex<Buffer>,
    /// Held while events leave the buffer, and while a person is erased.
    moving: AsyncMutex<()>,
    /// The store took nothing when it was last asked: the flush finds out when it does again.
    away: AtomicBool,
    filled: Notify,
}

impl Journal {
    pub(crate) fn new(store: Arc<Store>, metrics: Metrics, clock: Clock, terms: Terms) -> Self {
        Self {
            store,
            metrics,
            clock,
            terms,
            buffer: Mutex::default(),
            moving: AsyncMutex::default(),
            away: AtomicBool::new(false),
            filled: Notify::new(),
        }
    }

    /// The store as it is now.
    pub(crate) fn state(&self) -> Arc<dyn State> {
        self.store.current()
    }

    /// This instant.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// What proves that an id is one's own.
    pub(crate) async fn person_keys(&self) -> Result<PersonKeys, ApiError> {
        self.state().person_keys().await.map_err(refusal)
    }

    /// Counts of all events.
    pub(crate) async fn totals(&self) -> Result<EventTotals, ApiError> {
        Ok(self.state().totals().await?)
    }

    /// Writes an event.
    ///
    /// # Errors
    /// The store's: then it is not known to be written.
    pub(crate) async fn record(&self, event: NewEvent) -> Result<Recorded, ApiError> {
        self.write(&event).await.map_err(refusal)
    }

    /// Writes an event, or holds it until the store takes it.
    ///
    /// # Errors
    /// A store that is not open or is full, or a full buffer.
    pub(crate) async fn record_or_hold(&self, event: NewEvent) -> Result<Outcome, ApiError> {
        if !self.away.load(Ordering::Relaxed) {
            match timeout(PATIENCE, self.write(&event)).await {
                Ok(Ok(recorded)) => return Ok(Outcome::Recorded(recorded)),
                // A late answer may still mean that it was written: its key tells the store when it comes again.
                Err(_) | Ok(Err(StateError::Reach(_) | StateError::Fenced { .. } | StateError::Moved)) => {
                    self.away.store(true, Ordering::Relaxed);
                }
                Ok(Err(error)) => return Err(error.into()),
            }
        }
        let held = self.buffer().hold(event, Instant::now());
        self.filled.notify_one();
        self.show_buffer();
        match held {
            Held::Taken => Ok(Outcome::Held),
            Held::Differs => Ok(Outcome::Recorded(Recorded::Differs)),
            Held::Full => {
                self.metrics.interactions_dropped(1);
                Err(ApiError::BufferFull)
            }
        }
    }

    async fn write(&self, event: &NewEvent) -> Result<Recorded, StateError> {
        let recorded = self.state().record(std::slice::from_ref(event)).await?;
        let recorded = recorded.first().copied().ok_or_else(|| {
            StateError::Refused("the store says nothing of an event that it was given".to_owned())
        })?;
        self.count(event, recorded);
        Ok(recorded)
    }

    /// Counts what was done, the first time that it is written.
    fn count(&self, event: &NewEvent, recorded: Recorded) {
        if !matches!(recorded, Recorded::Stored(_)) {
            return;
        }
        self.metrics.interaction(event.deed.word());
        let to_seller = matches!(
            event.deed,
            Deed::Feedback {
                action: FeedbackAction::ClickedWhatsapp,
                ..
            } | Deed::Interaction {
                kind: InteractionKind::WhatsappContact,
                ..
            }
        );
        if let (true, Some(dealership)) = (to_seller, &event.dealership) {
            self.metrics.whatsapp_click(dealership);
        }
    }

    /// Empties the buffer whenever there is something in it and the store takes it.
    pub(crate) async fn keep_flushing(self: Arc<Self>) {
        let mut silent = false;
        loop {
            self.filled.notified().await;
            while let Err(error) = self.flush().await {
                if !silent {
                    tracing::warn!(%error, "interactions wait: the store does not take them");
                }
                silent = true;
                sleep(RETRY).await;
            }
            if silent {
                tracing::info!("the interactions that waited are written");
            }
            silent = false;
        }
    }

    /// Writes what waits, in order, each with the time that it waited.
    ///
    /// # Errors
    /// The store's: what is not written waits on.
    pub(crate) async fn flush(&self) -> Result<(), StateError> {
        let _alone = self.moving.lock().await;
        let state = self.state();
        let mut erasures = None;
        loop {
            let batch = self.buffer().first(BATCH, Instant::now());
            if batch.is_empty() {
                self.away.store(false, Ordering::Relaxed);
                return Ok(());
            }
            let taken = batch.len();
            if erasures.is_none() {
                erasures = Some(Erasures::of(&*state).await?);
            }
            let now = self.clock.now();
            let events: Vec<NewEvent> = batch
                .into_iter()
                .filter(|event| {
                    !erasures
                        .as_ref()
                        .is_some_and(|erasures| erasures.cover(event, now))
                })
                .collect();
            let recorded = if events.is_empty() {
                Vec::new()
            } else {
                state.record(&events).await?
            };
            for (event, recorded) in events.iter().zip(recorded) {
                self.count(event, recorded);
                if recorded == Recorded::Differs {
                    self.metrics.interactions_dropped(1);
                }
            }
            self.buffer().let_go(taken);
            self.show_buffer();
        }
    }

    /// The last attempt to write what waits, as the process ends. What is left then is lost, and counted.
    pub(crate) async fn close(&self, bound: Duration) {
        if self.buffer().len() == 0 {
            return;
        }
        let flushed = timeout(bound, async {
            while self.flush().await.is_err() {
                sleep(LAST_RETRY).await;
            }
        })
        .await;
        let lost = self.buffer().len();
        if lost > 0 {
            self.metrics.interactions_dropped(lost);
            let in_time = flushed.is_ok();
            tracing::error!(lost, in_time, "interactions that waited for the store are lost");
        }
    }

    /// Everything that is held of an id and of those that belong to the same person.
    pub(crate) async fn traces_of(&self, id: &str, asker: Asker) -> Result<Traces, ApiError> {
        Ok(people::gather(&*self.state(), id, asker).await?)
    }

    /// How many events of these ids wait in this process.
    pub(crate) fn waiting_of(&self, ids: &[String]) -> usize {
        self.buffer().count_of(ids)
    }

    /// Erases everything of these ids, in the store and in this process; gives the number of events.
    pub(crate) async fn erase(&self, ids: &[String]) -> Result<(usize, Erased), ApiError> {
        let _alone = self.moving.lock().await;
        let waiting = self.buffer().forget(ids);
        self.show_buffer();
        let erased = self.state().erase(ids).await.map_err(refusal)?;
        Ok((erased.events + waiting, erased))
    }

    fn buffer(&self) -> MutexGuard<'_, Buffer> {
        // Every change of a buffer is whole before anything in it can panic.
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show_buffer(&self) {
        self.metrics.interactions_buffered(self.buffer().len());
    }
}

/// What the store did not do, where no stock is meant: a generation that was switched twice meanwhile is no stock that
/// others wrote.
fn refusal(error: StateError) -> ApiError {
    match error {
        StateError::Moved => ApiError::StoreUnavailable,
        error => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use prometheus_client::registry::Registry;

    use super::*;
    use crate::state::{
        Basis, Change,
        events::{Events, Facts, OnceKey},
        memory::MemoryState,
    };

    fn click(once: u8, session: &str) -> NewEvent {
        NewEvent {
            once: OnceKey([once; 16]),
            age: Duration::ZERO,
            user: None,
            session: Some(session.to_owned()),
            car: "argo-1".to_owned(),
            dealership: None,
            deed: Deed::Interaction {
                kind: InteractionKind::Click,
                duration_seconds: None,
            },
            facts: Facts::default(),
        }
    }

    async fn journal() -> (Journal, Arc<MemoryState>) {
        let clock = Clock::system();
        let state = Arc::new(MemoryState::new(clock.clone()));
        let change = Change {
            basis: Basis::Unopened,
            put: Vec::new(),
            remove: Vec::new(),
            updates: Vec::new(),
            marks: Vec::new(),
            once: None,
        };
        state
            .commit(change, &|_| {})
            .await
            .unwrap()
            .confirmed()
            .await
            .unwrap();
        let store = Arc::new(Store::new(Arc::clone(&state) as Arc<dyn State>));
        let metrics = Metrics::register(&mut Registry::default());
        let terms = Terms {
            open_history: false,
            backup_retention_days: 7,
        };
        (Journal::new(store, metrics, clock, terms), state)
    }

    /// Prevents somebody who was erased through another replica from coming back out of this one's buffer, and those who
    /// came again after their erasure from being left out.
    #[tokio::test]
    async fn what_was_erased_elsewhere_does_not_come_back() {
        let (journal, state) = journal().await;
        journal.away.store(true, Ordering::Relaxed);
        for event in [click(1, "erased"), click(2, "stays")] {
            assert_eq!(journal.record_or_hold(event).await, Ok(Outcome::Held));
        }
        state.erase(&["erased".to_owned()]).await.unwrap();
        sleep(Duration::from_millis(5)).await;
        assert_eq!(
            journal.record_or_hold(click(3, "erased")).await,
            Ok(Outcome::Held)
        );
        journal.flush().await.unwrap();
        let ids = |events: Vec<crate::state::events::Event>| -> Vec<OnceKey> {
            events.into_iter().map(|event| event.id).collect()
        };
        assert_eq!(ids(state.events_of("erased").await.unwrap()), [OnceKey([3; 16])]);
        assert_eq!(ids(state.events_of("stays").await.unwrap()), [OnceKey([2; 16])]);
        assert_eq!(journal.buffer().len(), 0);
        assert!(!journal.away.load(Ordering::Relaxed), "it writes at once again");
    }

    /// Prevents an interaction that finds no room from being answered as one that waits, or from being lost uncounted.
    #[tokio::test]
    async fn what_finds_no_room_is_refused() {
        let (journal, _) = journal().await;
        journal.away.store(true, Ordering::Relaxed);
        let large = |number: u8| NewEvent {
            car: "x".repeat(1 << 20),
            ..click(number, "maria")
        };
        for number in 0..7 {
            assert_eq!(journal.record_or_hold(large(number)).await, Ok(Outcome::Held));
        }
        let refused = journal
            .record_or_hold(large(7))
            .await
            .expect_err("there is no room");
        let answer = refused.response(None);
        let retry_after = answer.headers().get("retry-after").map(|value| value.as_bytes());
        assert_eq!((answer.status().as_u16(), retry_after), (503, Some(&b"1"[..])));
        assert_eq!(refused, ApiError::BufferFull);
        assert_eq!(journal.buffer().len(), 7);
    }

    /// Prevents an erasure from leaving behind what had not reached the store yet.
    #[tokio::test]
    async fn an_erasure_covers_what_waits() {
        let (journal, state) = journal().await;
        journal.record(click(1, "maria")).await.unwrap();
        journal.away.store(true, Ordering::Relaxed);
        journal.record_or_hold(click(2, "maria")).await.unwrap();
        journal.record_or_hold(click(3, "other")).await.unwrap();
        let ids = ["maria".to_owned()];
        assert_eq!(journal.waiting_of(&ids), 1);
        let (events, _) = journal.erase(&ids).await.unwrap();
        assert_eq!(events, 2);
        journal.flush().await.unwrap();
        assert_eq!(state.events_of("maria").await.unwrap(), []);
        assert_eq!(state.events_of("other").await.unwrap().len(), 1);
    }
}
