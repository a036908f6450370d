//! Interactions that wait in memory until the store takes them: bounded in number and bytes, in the order of arrival.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    time::{Duration, Instant},
};

use crate::state::events::{NewEvent, OnceKey};

/// An hour of three clicks a second.
const MOST_EVENTS: usize = 10_000;

/// What all of them take at most.
const MOST_BYTES: usize = 8 << 20;

/// The store counts milliseconds, and knows by them what had to wait: even for less.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

/// What is held.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    waiting: VecDeque<Waiting>,
    /// What waits under each key, as [`NewEvent::fingerprint`] has it.
    known: HashMap<OnceKey, [u8; 16]>,
    bytes: usize,
}

#[derive(Debug)]
struct Waiting {
    event: NewEvent,
    since: Instant,
    bytes: usize,
}

/// What became of an event that was to be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// It waits; perhaps it did already, and does so once.
    Taken,
    /// Something else waits under its key.
    Differs,
    /// There is no room.
    Full,
}

impl Buffer {
    pub(super) fn hold(&mut self, event: NewEvent, now: Instant) -> Held {
        let fingerprint = event.fingerprint();
        if let Some(known) = self.known.get(&event.once) {
            return if *known == fingerprint {
                Held::Taken
            } else {
                Held::Differs
            };
        }
        let bytes = size_of_event(&event);
        if self.waiting.len() >= MOST_EVENTS || self.bytes + bytes > MOST_BYTES {
            return Held::Full;
        }
        self.bytes += bytes;
        self.known.insert(event.once, fingerprint);
        self.waiting.push_back(Waiting {
            event,
            since: now,
            bytes,
        });
        Held::Taken
    }

    /// Copies of the first, each as old as it has become.
    pub(super) fn first(&self, most: usize, now: Instant) -> Vec<NewEvent> {
        let first = self.waiting.iter().take(most);
        first
            .map(|waiting| NewEvent {
                age: (waiting.event.age + now.saturating_duration_since(waiting.since)).max(SHORTEST_WAIT),
                ..waiting.event.clone()
            })
            .collect()
    }

    /// Lets the first go, which the store has now.
    pub(super) fn let_go(&mut self, count: usize) {
        for gone in self.waiting.drain(..count.min(self.waiting.len())) {
            self.bytes -= gone.bytes;
            self.known.remove(&gone.event.once);
        }
    }

    /// Drops everything of these ids, in either role; gives how much that was.
    pub(super) fn forget(&mut self, ids: &[String]) -> usize {
        let before = self.waiting.len();
        self.waiting.retain(|waiting| !is_of(&waiting.event, ids));
        self.bytes = self.waiting.iter().map(|waiting| waiting.bytes).sum();
        let left = self.waiting.iter().map(|waiting| waiting.event.once);
        let left: HashSet<OnceKey> = left.collect();
        self.known.retain(|once, _| left.contains(once));
        before - self.waiting.len()
    }

    pub(super) fn count_of(&self, ids: &[String]) -> usize {
        self.waiting
            .iter()
            .filter(|waiting| is_of(&waiting.event, ids))
            .count()
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}

fn is_of(event: &NewEvent, ids: &[String]) -> bool {
    event.user.iter().chain(&event.session).any(|id| ids.contains(id))
}

/// The event and its texts.
fn size_of_event(event: &NewEvent) -> usize {
    let texts = [
        &event.user,
        &event.session,
        &event.dealership,
        &event.facts.brand,
        &event.facts.category,
    ];
    let texts: usize = texts.into_iter().flatten().map(String::len).sum();
    size_of::<Waiting>() + event.car.len() + texts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::events::{Deed, Facts, InteractionKind};

    fn event(number: u64, session: &str) -> NewEvent {
        NewEvent {
            once: OnceKey::of(&[&number.to_string()]),
            age: Duration::ZERO,
            user: None,
            session: Some(session.to_owned()),
            car: format!("car-{number}"),
            dealership: None,
            deed: Deed::Interaction {
                kind: InteractionKind::Click,
                duration_seconds: None,
            },
            facts: Facts::default(),
        }
    }

    /// Prevents a store that stays away from filling the memory of a process, by many events or by large ones.
    #[test]
    fn it_is_bounded_in_number_and_bytes() {
        let now = Instant::now();
        let mut many = Buffer::default();
        for number in 0..MOST_EVENTS as u64 {
            assert_eq!(many.hold(event(number, "s"), now), Held::Taken);
        }
        assert_eq!(many.hold(event(u64::MAX, "s"), now), Held::Full);
        let mut large = Buffer::default();
        let long = "x".repeat(1 << 20);
        for number in 0..7 {
            assert_eq!(large.hold(event(number, &long), now), Held::Taken, "{number}");
        }
        assert_eq!(large.hold(event(7, &long), now), Held::Full);
        large.let_go(1);
        assert_eq!(
            large.hold(event(8, &long), now),
            Held::Taken,
            "there is room again"
        );
        assert_eq!(large.forget(std::slice::from_ref(&long)), 7);
        assert_eq!((large.len(), large.bytes, large.known.len()), (0, 0, 0));
    }

    /// Prevents events from being written in another order, or as if they had just happened.
    #[test]
    fn events_come_out_in_order_with_their_age() {
        let begun = Instant::now();
        let mut buffer = Buffer::default();
        buffer.hold(event(1, "s"), begun);
        buffer.hold(event(2, "s"), begun + Duration::from_secs(3));
        let out: Vec<_> = buffer
            .first(9, begun + Duration::from_secs(5))
            .into_iter()
            .map(|event| (event.car, event.age.as_secs()))
            .collect();
        assert_eq!(out, [("car-1".to_owned(), 5), ("car-2".to_owned(), 2)]);
        buffer.let_go(1);
        let at_once = &buffer.first(9, begun)[0];
        assert_eq!((at_once.car.as_str(), at_once.age.as_millis()), ("car-2", 1));
    }

    /// Prevents an app that sends again while the store is away from being counted twice.
    #[test]
    fn the_same_event_waits_once() {
        let now = Instant::now();
        let mut buffer = Buffer::default();
        assert_eq!(buffer.hold(event(1, "s"), now), Held::Taken);
        assert_eq!(buffer.hold(event(1, "s"), now), Held::Taken);
        assert_eq!(buffer.hold(event(1, "other"), now), Held::Differs);
        assert_eq!(buffer.len(), 1);
    }
}
