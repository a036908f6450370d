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
        generations::{PersonSecret, Private, secret_comes_first},
    },
};

/// What a process keeps at most: some hundred megabytes.
const MOST_EVENTS: usize = 250_000;

/// An id of more events than these is known, whether or not all of them had to wait; as in Redis.
const MOST_THAT_WAITED: usize = 50;

/// Where an event stands in time; unique, since a day has an id once.
type Place = (Timestamp, OnceKey);

/// All events, and what is derived from them.
#[derive(Debug)]
pub(super) struct EventLog {
    /// Made when it is first needed.
    secret: Option<PersonSecret>,
    former_secrets: BTreeSet<PersonSecret>,
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
    /// Whether it had to wait for the store: its sender was answered before it was known whether it is the first.
    waited: bool,
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
            secret: None,
            former_secrets: BTreeSet::new(),
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
        let has_waited = |place: &Place| self.kept.get(place).is_some_and(|kept| kept.waited);
        let unknown = |id: &Option<String>| {
            let known = id.as_ref().map(|id| self.people.get(id));
            known.is_some_and(|places| {
                places.is_none_or(|places| places.len() <= MOST_THAT_WAITED && places.iter().all(has_waited))
            })
        };
        let receipt = Receipt {
            at,
            first_of_user: unknown(&new.user),
            first_of_session: unknown(&new.session),
        };
        self.insert(Kept {
            event: new.at(at),
            fingerprint,
            receipt,
            waited: !new.age.is_zero(),
        });
        Recorded::Stored(receipt)
    }

    /// Keeps an event as it was, once.
    fn fill(&mut self, event: &Event) {
        let place = (event.at, event.id);
        self.remove(place);
        let fingerprint = NewEvent::from(event.clone()).fingerprint();
        // Whoever sends it again was told long ago.
        let receipt = Receipt {
            at: event.at,
            first_of_user: false,
            first_of_session: false,
        };
        self.insert(Kept {
            event: event.clone(),
            fingerprint,
            receipt,
            waited: false,
        });
    }

    fn insert(&mut self, kept: Kept) {
        let event = &kept.event;
        let place = (event.at, event.id);
        let day = event.day();
        self.days.entry(day).or_default().insert(event.id, event.at);
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
        self.kept.insert(place, kept);
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

    /// What names of people are made with.
    fn keys(&mut self) -> PersonKeys {
        let secret = self
            .secret
            .get_or_insert_with(|| PersonSecret::new(random::hexadecimal(32)));
        PersonKeys::new(secret.reveal())
    }

    /// Erases a person, and gives how many events that were.
    fn erase(&mut self, id: &str, at: Timestamp) -> usize {
        let entry = erased_entry(&self.keys(), id);
        self.ledger.insert(entry, at);
        let places = self.people.get(id).cloned().unwrap_or_default();
        self.remove_all(places)
    }

    /// A page of all, newest first.
    pub(super) fn page(&self, limit: usize, before: Option<Cursor>) -> Vec<Event> {
        let events = match before {
            None => self.kept.range(..),
            Some(Cursor { at, id }) => self.kept.range(..(at, id)),
        };
        let newest_first = events.rev().take(limit);
        newest_first.map(|(_, kept)| kept.event.clone()).collect()
    }

    /// Keeps events as they were.
    pub(super) fn fill_all(&mut self, events: &[Event]) -> Result<(), StateError> {
        check_room(self.kept.len() + events.len())?;
        self.keys();
        events.iter().for_each(|event| self.fill(event));
        Ok(())
    }

    /// Lets events go that are not to come back.
    pub(super) fn remove_those(&mut self, gone: impl Fn(&Event) -> bool) {
        let kept = self.kept.iter().filter(|(_, kept)| gone(&kept.event));
        let places: Vec<Place> = kept.map(|(place, _)| *place).collect();
        self.remove_all(places);
    }

    pub(super) fn private(&self) -> Private {
        Private {
            person_secret: self.secret.clone(),
            former_secrets: self.former_secrets.iter().cloned().collect(),
            ledger: self.ledger.clone(),
        }
    }

    /// Keeps what is known of people beside their events, in place of what was.
    pub(super) fn fill_private(&mut self, private: Private) -> Result<(), StateError> {
        let Private {
            person_secret,
            former_secrets,
            ledger,
        } = private;
        if self.secret.is_some() && self.secret != person_secret {
            return Err(secret_comes_first());
        }
        self.secret = person_secret;
        self.former_secrets = former_secrets.into_iter().collect();
        self.ledger = ledger;
        Ok(())
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

    fn with_writable_events<T>(&self, work: impl FnOnce(&mut EventLog) -> T) -> Result<T, StateError> {
        self.with_writable(|content| work(&mut content.events))
    }

    fn record_now(&self, events: &[NewEvent]) -> Result<Vec<Recorded>, StateError> {
        check_length(events)?;
        let now = self.clock.now();
        self.with_writable_events(|log| {
            check_room(log.kept.len() + events.len())?;
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
        let events = self.with_writable_events(|log| ids.iter().map(|id| log.erase(id, at)).sum())?;
        // What one can go back to must not have them either.
        let mut stored = self.stored();
        let stored = &mut *stored;
        let kept = stored.kept.as_ref().map(|kept| &kept.epoch);
        if let Some(kept) = kept.and_then(|epoch| stored.beside.get_mut(epoch)) {
            for id in ids {
                kept.events.erase(id, at);
            }
        }
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
        let page = self.with_events(|log| log.page(limit, before));
        ready(page).boxed()
    }

    fn totals(&self) -> BoxFuture<'_, Result<EventTotals, StateError>> {
        ready(self.with_events(|log| log.totals())).boxed()
    }

    fn erase<'a>(&'a self, ids: &'a [String]) -> BoxFuture<'a, Result<Erased, StateError>> {
        ready(self.erase_now(ids)).boxed()
    }

    fn person_keys(&self) -> BoxFuture<'_, Result<PersonKeys, StateError>> {
        ready(self.with_events(EventLog::keys)).boxed()
    }

    fn ledger(&self) -> BoxFuture<'_, Result<BTreeMap<String, Timestamp>, StateError>> {
        ready(self.with_events(|log| log.ledger.clone())).boxed()
    }

    fn today(&self) -> BoxFuture<'_, Result<Date, StateError>> {
        let now = self.clock.now();
        ready(self.with_events(|_| day_of(now))).boxed()
    }

    fn forget_before(&self, day: Date) -> BoxFuture<'_, Result<usize, StateError>> {
        let forgotten = self.with_writable_events(|log| {
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

fn check_room(events: usize) -> Result<(), StateError> {
    if events > MOST_EVENTS {
        return Err(StateError::Full(format!(
            "this process keeps {MOST_EVENTS} events at most"
        )));
    }
    Ok(())
}

/// As precise as a shared store is.
pub(super) fn milliseconds(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}
