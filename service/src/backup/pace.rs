//! How hard a backup works. It shares processors and the store with those who serve buyers, and nobody waits for it: it
//! works in pieces shorter than a request, and rests after each for longer than that took. Every thread that works does so
//! by itself, between one record and the next.
//!
//! Whoever is woken while it works waits for a piece at most, in the store for one page of events. A machine that is busy
//! makes pieces take longer, and so rests as well.

use std::{
    thread,
    time::{Duration, Instant},
};

use tokio::time::sleep;

/// Rest for each moment of work. What a request waits for is a processor that this has: on two of them, a third of one was
/// noticed (the slowest hundredth of answers took 1.5 to 2 times as long), a ninth still was, a seventeenth hardly is. See
/// docs/performance.md.
const RESTS: u32 = 16;

/// Work in a piece. A list takes some milliseconds to be answered: what waits for a piece is hardly later.
const PIECE: Duration = Duration::from_micros(500);

/// After a piece that took long for other reasons, such as a store that was away.
const LONGEST: Duration = Duration::from_millis(400);

/// Events in a piece of work: a page of a thousand holds the store up for the time of several requests.
const EVENTS_IN_A_PIECE: usize = 100;
const EVENTS_AT_ONCE: usize = 1000;

/// Who goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Somebody waits: writes are held back meanwhile, or a person looks on.
    Hurried,
    /// Everybody else.
    Gentle,
}

impl Pace {
    /// Events that are read or written at once.
    pub(super) const fn events_at_once(self) -> usize {
        match self {
            Self::Hurried => EVENTS_AT_ONCE,
            Self::Gentle => EVENTS_IN_A_PIECE,
        }
    }

    /// Zero before a piece is done.
    fn rest_after(self, work: Duration) -> Duration {
        match self {
            Self::Gentle if work >= PIECE => (work * RESTS).min(LONGEST),
            Self::Gentle | Self::Hurried => Duration::ZERO,
        }
    }
}

/// Keeps a pace, of one thread or one task. To ask it costs less than a record: it may be asked after each.
#[derive(Debug)]
pub(super) struct Pacer {
    pace: Pace,
    /// When the piece of work that goes on was begun.
    begun: Instant,
}

impl Pacer {
    /// Work begins now.
    pub(super) fn begin(pace: Pace) -> Self {
        Self {
            pace,
            begun: Instant::now(),
        }
    }

    /// Between records, in a task: rests if a piece of work is done.
    pub(super) async fn rest(&mut self) {
        let rest = self.due();
        if !rest.is_zero() {
            sleep(rest).await;
            self.begun = Instant::now();
        }
    }

    /// The same on a thread that may wait.
    pub(super) fn rest_here(&mut self) {
        let rest = self.due();
        if !rest.is_zero() {
            thread::sleep(rest);
            self.begun = Instant::now();
        }
    }

    /// What follows does not count what was waited for until now.
    pub(super) fn begin_again(&mut self) {
        self.begun = Instant::now();
    }

    fn due(&self) -> Duration {
        match self.pace {
            Pace::Hurried => Duration::ZERO,
            Pace::Gentle => self.pace.rest_after(self.begun.elapsed()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prevents a backup from taking all of a processor from those who serve, one that rests for minutes because the
    /// store was away, and a restore that rests while writes are held back.
    #[test]
    fn rest_is_longer_than_work_and_bounded_and_only_where_nobody_waits() {
        let milliseconds = Duration::from_millis;
        assert_eq!(Pace::Gentle.rest_after(milliseconds(3)), milliseconds(48));
        assert_eq!(Pace::Gentle.rest_after(milliseconds(30_000)), LONGEST);
        assert_eq!(Pace::Gentle.rest_after(PIECE / 2), Duration::ZERO, "no piece yet");
        assert_eq!(Pace::Hurried.rest_after(milliseconds(3)), Duration::ZERO);
        assert!(Pace::Gentle.events_at_once() < Pace::Hurried.events_at_once());
    }

    /// Prevents work from being counted twice, so that each rest would be longer than the one before.
    #[tokio::test]
    async fn each_rest_is_of_the_work_since_the_last() {
        let mut pacer = Pacer::begin(Pace::Gentle);
        std::thread::sleep(Duration::from_millis(5));
        let begun = Instant::now();
        pacer.rest().await;
        assert!(
            begun.elapsed() >= Duration::from_millis(40),
            "{:?}",
            begun.elapsed()
        );
        assert!(pacer.begun >= begun + Duration::from_millis(40));
    }
}
