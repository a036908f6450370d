//! What buyers did, in memory.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures::future::{BoxFuture, FutureExt, ready};
use jiff::{Timestamp, civil::Date};

use super::MemoryState;
use crate::{
    random,
    state::{
        StateError,
        events::{
            Cursor, Erased, Event, EventTotals, Events, HOUSEKEEPING_EVERY, NewEvent, OLDEST, OnceKey,
            PersonKeys, Receipt, Recorded, check_length, day_of, erased_entry,
        },
    },
};

/// What a process keeps at most: some hundred megabytes.
const MOST_EVENTS: usize = 250_000;

/// Where an event stands in time; unique, since a day has an id once.
type Place = (Timestamp, OnceKey);

/// All events, and what is derived from them.
#[derive(Debug)]
pub(super) struct EventLog {
    keys: PersonKeys,
    kept: BTreeMap<Place, Kept>,
    /// When the event of an id happened, by day.
    days: BTreeMap<Date, HashMap<OnceKey, Timestamp>>,
    /// Where the events of an id stand, in whichever role it has in them.
    people: HashMap<String, BTreeSet<Place>>,
    users: Uses,
    sessions: Uses,
    cars: Uses,
    deeds: BTreeMap<&'static str, u64>,
    durations: u64,
    duration_seconds: u64,
    ledger: BTreeMap<String, Timestamp>,
    /// When the last turn of keeping house was taken.
    turn: Option<Timestamp>,
}

#[derive(Debug)]
struct Kept {
    event: Event,
    fingerprint: [u8; 16],
    receipt: Receipt,
}

/// How many events use each id.
#[derive(Debug, Default)]
struct Uses(HashMap<String, u64>);

impl Uses {
    fn more(&mut self, id: &str) {
        *self.0.entry(id.to_owned()).or_default() += 1;
    }

    fn fewer(&mut self, id: &str) {
        if let Some(count) = self.0.get_mut(id) {
            *count -= 1;
            if *count == 0 {
                self.0.remove(id);
            }
        }
    }
}

impl Default for EventLog {
    fn default() -> Self {
        Self {
            keys: PersonKeys::new(&random::hexadecimal(32)),
            kept: BTreeMap::new(),
            days: BTreeMap::new(),
            people: HashMap::new(),
            users: Uses::default(),
            sessions: Uses::default(),
            cars: Uses::default(),
            deeds: EventTotals::none().deeds,
            durations: 0,
            duration_seconds: 0,
            ledger: BTreeMap::new(),
            turn: None,
        }
    }
}

impl EventLog {
    fn record(&mut self, new: &NewEvent, now: Timestamp) -> Recorded {
        let at = milliseconds(now.saturating_sub(new.age.min(OLDEST)).unwrap_or(now));
        let day = day_of(at);
        let fingerprint = new.fingerprint();
        // The same request can have been kept with another age, by whoever it was sent to meanwhile.
        let near = [Some(day), day.yesterday().ok(), day.tomorrow().ok()];
        let known = near
            .into_iter()
            .flatten()
            .find_map(|day| self.days.get(&day)?.get(&new.once))
            .and_then(|at| self.kept.get(&(*at, new.once)));
        if let Some(known) = known {
            return if known.fingerprint == fingerprint {
                Recorded::Repeated(known.receipt)
            } else {
                Recorded::Differs
            };
        }
        let unknown = |id: &Option<String>| id.as_ref().is_some_and(|id| !self.people.contains_key(id));
        let receipt = Receipt {
            at,
            first_of_user: unknown(&new.user),
            first_of_session: unknown(&new.session),
        };
        let event = new.at(at);
        let place = (at, event.id);
        self.days.entry(day).or_default().insert(event.id, at);
        for id in event.user.iter().chain(&event.session) {
            self.people.entry(id.clone()).or_default().insert(place);
        }
        event.user.iter().for_each(|id| self.users.more(id));
        event.session.iter().for_each(|id| self.sessions.more(id));
        self.cars.more(&event.car);
        *self.deeds.entry(event.deed.word()).or_default() += 1;
        if let Some(seconds) = event.deed.duration_seconds() {
            self.durations += 1;
            self.duration_seconds += u64::from(seconds);
        }
        let kept = Kept {
            event,
            fingerprint,
            receipt,
        };
        self.kept.insert(place, kept);
        Recorded::Stored(receipt)
    }

    fn remove(&mut self, place: Place) {
        let Some(Kept { event, .. }) = self.kept.remove(&place) else {
            return;
        };
        if let Some(day) = self.days.get_mut(&event.day()) {
            day.remove(&event.id);
            if day.is_empty() {
                self.days.remove(&event.day());
            }
        }
        for id in event.user.iter().chain(&event.session) {
            if let Some(places) = self.people.get_mut(id) {
                places.remove(&place);
                if places.is_empty() {
                    self.people.remove(id);
                }
            }
        }
        event.user.iter().for_each(|id| self.users.fewer(id));
        event.session.iter().for_each(|id| self.sessions.fewer(id));
        self.cars.fewer(&event.car);
        *self.deeds.entry(event.deed.word()).or_default() -= 1;
        if let Some(seconds) = event.deed.duration_seconds() {
            self.durations -= 1;
            self.duration_seconds -= u64::from(seconds);
        }
    }

    fn remove_all(&mut self, places: impl IntoIterator<Item = Place>) -> usize {
        places.into_iter().map(|place| self.remove(place)).count()
    }

    fn of(&self, id: &str) -> Vec<Event> {
        let places = self.people.get(id).into_iter().flatten();
        places
            .filter_map(|place| Some(self.kept.get(place)?.event.clone()))
            .collect()
    }

    fn totals(&self) -> EventTotals {
        let count = |uses: &Uses| uses.0.len() as u64;
        EventTotals {
            deeds: self.deeds.clone(),
            users: count(&self.users),
            sessions: count(&self.sessions),
            cars: count(&self.cars),
            durations: self.durations,
            duration_seconds: self.duration_seconds,
            last_at: self.kept.keys().next_back().map(|(at, _)| *at),
        }
    }

    /// Notes that a token is not to come back.
    pub(super) fn token_gone(&mut self, digest: &str, now: Timestamp) {
        self.ledger.insert(format!("token:{digest}"), milliseconds(now));
    }

    /// Notes that a token is in use.
    pub(super) fn token_used(&mut self, digest: &str) {
        self.ledger.remove(&format!("token:{digest}"));
    }
}

impl MemoryState {
    fn with_events<T>(&self, work: impl FnOnce(&mut EventLog) -> T) -> Result<T, StateError> {
        self.with_content(|content| work(&mut content.events))
    }

    fn record_now(&self, events: &[NewEvent]) -> Result<Vec<Recorded>, StateError> {
        check_length(events)?;
        let now = self.clock.now();
        self.with_events(|log| {
            if log.kept.len() + events.len() > MOST_EVENTS {
                return Err(StateError::Full(format!(
                    "this process keeps {MOST_EVENTS} events at most"
                )));
            }
            Ok(events.iter().map(|event| log.record(event, now)).collect())
        })?
    }

    fn take_turn(&self) -> Result<bool, StateError> {
        let now = self.clock.now();
        self.with_events(|log| {
            // A clock that was set back must not put the next turn off.
            let due = log.turn.is_none_or(|taken| {
                now < taken || now.duration_since(taken).unsigned_abs() >= HOUSEKEEPING_EVERY
            });
            if due {
                log.turn = Some(now);
            }
            due
        })
    }

    fn erase_now(&self, ids: &[String]) -> Result<Erased, StateError> {
        let at = milliseconds(self.clock.now());
        let events = self.with_events(|log| {
            let mut events = 0;
            for id in ids {
                log.ledger.insert(erased_entry(&log.keys, id), at);
                let places = log.people.get(id).cloned().unwrap_or_default();
                events += log.remove_all(places);
            }
            events
        })?;
        Ok(Erased { events, at })
    }
}

impl Events for MemoryState {
    fn record<'a>(&'a self, events: &'a [NewEvent]) -> BoxFuture<'a, Result<Vec<Recorded>, StateError>> {
        ready(self.record_now(events)).boxed()
    }

    fn events_of<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Vec<Event>, StateError>> {
        ready(self.with_events(|log| log.of(id))).boxed()
    }

    fn export(&self, limit: usize, before: Option<Cursor>) -> BoxFuture<'_, Result<Vec<Event>, StateError>> {
        let page = self.with_events(|log| {
            let events = match before {
                None => log.kept.range(..),
                Some(Cursor { at, id }) => log.kept.range(..(at, id)),
            };
            let newest_first = events.rev().take(limit);
            newest_first.map(|(_, kept)| kept.event.clone()).collect()
        });
        ready(page).boxed()
    }

    fn totals(&self) -> BoxFuture<'_, Result<EventTotals, StateError>> {
        ready(self.with_events(|log| log.totals())).boxed()
    }

    fn erase<'a>(&'a self, ids: &'a [String]) -> BoxFuture<'a, Result<Erased, StateError>> {
        ready(self.erase_now(ids)).boxed()
    }

    fn person_keys(&self) -> BoxFuture<'_, Result<PersonKeys, StateError>> {
        ready(self.with_events(|log| log.keys.clone())).boxed()
    }

    fn ledger(&self) -> BoxFuture<'_, Result<BTreeMap<String, Timestamp>, StateError>> {
        ready(self.with_events(|log| log.ledger.clone())).boxed()
    }

    fn today(&self) -> BoxFuture<'_, Result<Date, StateError>> {
        let now = self.clock.now();
        ready(self.with_events(|_| day_of(now))).boxed()
    }

    fn forget_before(&self, day: Date) -> BoxFuture<'_, Result<usize, StateError>> {
        let forgotten = self.with_events(|log| {
            let old: Vec<Place> = log
                .kept
                .keys()
                .copied()
                .take_while(|(at, _)| day_of(*at) < day)
                .collect();
            log.remove_all(old)
        });
        ready(forgotten).boxed()
    }

    fn take_housekeeping_turn(&self) -> BoxFuture<'_, Result<bool, StateError>> {
        ready(self.take_turn()).boxed()
    }
}

/// As precise as a shared store is.
fn milliseconds(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}
