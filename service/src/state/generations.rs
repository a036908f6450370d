//! Generations of a store: read as they are, filled beside the one that is served, and switched to in one step.
//!
//! ```text
//!   raise_fence ──▶ begin_generation ──▶ fill_private ──▶ fill_dealer* ──▶ fill_events* ──▶ apply_ledgers ──▶ switch
//!     │  writes are held back; reads go on                                    │                 │              │
//!     └─ renew_fence every ten seconds                                        └── erased people,┘              │
//!                                                                                 revoked tokens go            ▼
//!   drop_generation ◀── sweep_generations ◀── its time is over ◀── kept ◀── the one that was served until now
//! ```
//!
//! Nothing is filled or switched but under the fence, by whoever holds its token: each step tests that as it writes. So
//! a restore that dies after any step leaves the generation that was served as it was, and what it had filled lies there
//! until somebody sweeps. To go back, whoever raised the fence applies the ledgers to the generation that is kept, and
//! switches to it.

use std::{borrow::Cow, collections::BTreeMap, fmt, time::Duration};

use faciliauto_engine::stock::{Car, Dealership};
use futures::{future::BoxFuture, stream::BoxStream};
use jiff::Timestamp;

pub use self::ledgers::Ledgers;
use super::{
    CatalogVersion, Head, StateError,
    dealers::TokenDigest,
    events::{Cursor, Event},
};
use crate::stock::fingerprint::Fingerprint;

mod ledgers;

/// How long a fence holds writes back unless it is renewed: a restore that was killed blocks nobody for longer.
pub const FENCE_LASTS: Duration = Duration::from_secs(120);

/// How often the holder of a fence renews it.
pub const RENEW_EVERY: Duration = Duration::from_secs(10);

/// Cars that a stream of them has in one piece at most.
pub const CARS_AT_ONCE: usize = 1000;

/// Names a generation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(String);

impl Epoch {
    /// As it was read, of a version or from a file.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// As stores have it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What a generation has, without what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GenerationOutline {
    /// Of its stock. The counter of one that was never served is 0.
    pub version: CatalogVersion,
    /// The ids of its dealerships, sorted.
    pub dealers: Vec<String>,
    /// The restore that switched to it last; `None` when none did.
    pub restored_as: Option<String>,
}

/// Cars, [`CARS_AT_ONCE`] at most at a time.
pub type CarBatches<'a, E = StateError> = BoxStream<'a, Result<Vec<Car>, E>>;

/// A dealership with all that is kept of it, as at one moment.
pub struct DealerRecords<'a> {
    /// The seller.
    pub dealership: Dealership,
    /// Of its token.
    pub token: Option<TokenDigest>,
    /// When cars were marked sold, by their ids; also of cars that have left the stock since.
    pub sold: BTreeMap<String, Timestamp>,
    /// How many cars follow.
    pub number_of_cars: usize,
    /// Of the cars.
    pub fingerprint: Fingerprint,
    /// In the order in which they were put, with their updates. What is wrong with them may come to light only at the
    /// end: they are good once the stream has ended without an error. [`StateError::Moved`] = they were replaced more
    /// than an hour ago and are gone: read the dealership again.
    pub cars: CarBatches<'a>,
}

impl fmt::Debug for DealerRecords<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut about = formatter.debug_struct("DealerRecords");
        about.field("dealership", &self.dealership.id);
        about
            .field("number_of_cars", &self.number_of_cars)
            .finish_non_exhaustive()
    }
}

/// A dealership that a generation is filled with, without its cars.
#[derive(Clone, Debug, PartialEq)]
pub struct FilledDealer {
    /// The seller.
    pub dealership: Dealership,
    /// Of its token.
    pub token: Option<TokenDigest>,
    /// As [`DealerRecords::sold`].
    pub sold: BTreeMap<String, Timestamp>,
}

/// What names of people are made with. Never printed: whoever has it can tell of an id whether it was erased, and open
/// what is held of it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PersonSecret(String);

impl PersonSecret {
    /// As it was kept.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// For a place as safe as the store.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PersonSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PersonSecret(…)")
    }
}

/// What a generation knows of people beside their events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Private {
    /// `None` until something was recorded.
    pub person_secret: Option<PersonSecret>,
    /// Secrets of other stores, whose ledgers were united with this one; sorted. Entries are named with the secret of
    /// the store that made them, and only whoever has the id could name them anew.
    pub former_secrets: Vec<PersonSecret>,
    /// As [`Events::ledger`](super::events::Events::ledger) gives it.
    pub ledger: BTreeMap<String, Timestamp>,
}

/// Holds all writes back until its deadline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fence {
    /// Who holds it: a refused writer is told.
    pub id: String,
    /// Made anew each time that a fence is raised: what was begun under another token ends.
    pub token: String,
    /// When it falls by itself, by the clock of the store.
    pub deadline: Timestamp,
}

/// The generation that was served before the current one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptGeneration {
    /// Its name.
    pub epoch: Epoch,
    /// Until when it is kept.
    pub until: Timestamp,
    /// When another took its place.
    pub replaced_at: Timestamp,
}

/// Memory of a store's server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Bytes that it has taken.
    pub used: u64,
    /// Bytes that it may take.
    pub max: u64,
}

impl Room {
    /// Bytes that are left.
    #[must_use]
    pub const fn left(self) -> u64 {
        self.max.saturating_sub(self.used)
    }

    /// Out of the answer to `INFO`; `None` when the server has no bound, or does not say.
    #[must_use]
    pub fn from_info(text: &str) -> Option<Self> {
        let number = |name: &str| {
            let mut lines = text.lines();
            let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
            value.trim_end().parse().ok()
        };
        let (used, max) = (number("used_memory")?, number("maxmemory")?);
        (max > 0).then_some(Self { used, max })
    }
}

/// Whatever kept cars that are to be filled in from being read.
pub type SourceError = Box<dyn std::error::Error + Send + Sync>;

/// Why a dealership was not filled in.
#[derive(Debug, thiserror::Error)]
pub enum FillError {
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] StateError),
    /// Where the cars come from gave none.
    #[error("failed to read the cars of {dealership}: {reason}")]
    Source {
        /// Whose.
        dealership: String,
        /// As it was given: `downcast` it.
        #[source]
        reason: SourceError,
    },
}

/// The part of the port that concerns generations. What is not there answers [`StateError::NoGeneration`]; what needs a
/// fence answers [`StateError::FenceLost`] unless the fence that it is given is up, with this very token.
///
/// A generation is empty and closed alike to the fence: into a store that was never opened one restores just the same.
pub trait Generations {
    /// The current generation; `None` when the store is not open.
    fn generation(&self) -> BoxFuture<'_, Result<Option<Epoch>, StateError>>;

    /// What a generation has.
    fn generation_outline<'a>(
        &'a self,
        generation: &'a Epoch,
    ) -> BoxFuture<'a, Result<GenerationOutline, StateError>>;

    /// A dealership of a generation; `None` when it has no such dealership.
    fn dealer_records<'a>(
        &'a self,
        generation: &'a Epoch,
        id: &'a str,
    ) -> BoxFuture<'a, Result<Option<DealerRecords<'a>>, StateError>>;

    /// As [`Events::export`](super::events::Events::export), of a generation.
    fn events_page<'a>(
        &'a self,
        generation: &'a Epoch,
        limit: usize,
        before: Option<Cursor>,
    ) -> BoxFuture<'a, Result<Vec<Event>, StateError>>;

    /// What a generation knows of people beside their events.
    fn private<'a>(&'a self, generation: &'a Epoch) -> BoxFuture<'a, Result<Private, StateError>>;

    /// Holds all writes back for [`FENCE_LASTS`]. A fence of the same holder that is up already is taken over: whoever
    /// had its token ends. [`StateError::Fenced`] when somebody else holds one.
    fn raise_fence<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Fence, StateError>>;

    /// Holds writes back for another [`FENCE_LASTS`] from now on; do it every [`RENEW_EVERY`].
    fn renew_fence<'a>(&'a self, fence: &'a Fence) -> BoxFuture<'a, Result<Fence, StateError>>;

    /// Lets writes through again. Does nothing when the fence is not up any more, or another is.
    fn lower_fence<'a>(&'a self, fence: &'a Fence) -> BoxFuture<'a, Result<(), StateError>>;

    /// An empty generation that is to be filled, in place of any other that this fence was raised for.
    fn begin_generation<'a>(&'a self, fence: &'a Fence) -> BoxFuture<'a, Result<Epoch, StateError>>;

    /// Gives a generation a dealership with cars that come back in the order in which they are given; in place of the
    /// one with this id that it has. All of it or none. On a full store: [`StateError::Full`]; lower the fence and drop
    /// the generation.
    fn fill_dealer<'a>(
        &'a self,
        fence: &'a Fence,
        generation: &'a Epoch,
        dealer: FilledDealer,
        cars: CarBatches<'a, SourceError>,
    ) -> BoxFuture<'a, Result<(), FillError>>;

    /// Gives a generation events as they were; after [`Generations::fill_private`], whose secret their indexes are made
    /// with. May be done again.
    fn fill_events<'a>(
        &'a self,
        fence: &'a Fence,
        generation: &'a Epoch,
        events: &'a [Event],
    ) -> BoxFuture<'a, Result<(), StateError>>;

    /// Gives a generation its secret and its ledger; before its events. May be done again with the same.
    fn fill_private<'a>(
        &'a self,
        fence: &'a Fence,
        generation: &'a Epoch,
        private: &'a Private,
    ) -> BoxFuture<'a, Result<(), StateError>>;

    /// Unites the ledgers: the generation's own, that of the current generation, and further ones, such as those of
    /// newer backups. Of two times for one entry the later stays. Events of people who were erased at that time or
    /// after it go, and tokens that were revoked. Then, and until something else is filled in, the generation may be
    /// switched to under this fence. To go back, give it the generation that is kept.
    fn apply_ledgers<'a>(
        &'a self,
        fence: &'a Fence,
        generation: &'a Epoch,
        further: &'a [Private],
    ) -> BoxFuture<'a, Result<(), StateError>>;

    /// Makes a generation the current one, in one step, with which the fence is lowered; the one before is kept for
    /// `keep`. All that was filled is on disk before this answers. May be done again: a store whose current generation
    /// was restored under this name says so and changes nothing. [`StateError::NotReady`] when the ledgers were not
    /// applied under this fence.
    fn switch<'a>(
        &'a self,
        fence: &'a Fence,
        to: &'a Epoch,
        restored_as: &'a str,
        keep: Duration,
    ) -> BoxFuture<'a, Result<Head, StateError>>;

    /// The generation that one can go back to; `None` when there is none, or its time is over.
    fn kept(&self) -> BoxFuture<'_, Result<Option<KeptGeneration>, StateError>>;

    /// Drops a generation in steps that hold nobody up. [`StateError::GenerationInUse`] for the current one, the one
    /// that is kept, and one that is being filled under a fence that is up.
    fn drop_generation<'a>(&'a self, generation: &'a Epoch) -> BoxFuture<'a, Result<(), StateError>>;

    /// Drops every generation that may be dropped, such as those of restores that died; gives how many. Whoever begins a
    /// restore does it first, for the sake of room.
    fn sweep_generations(&self) -> BoxFuture<'_, Result<usize, StateError>>;

    /// How much a full store takes; `None` when it has no bound, or does not say.
    fn room(&self) -> BoxFuture<'_, Result<Option<Room>, StateError>>;
}

/// How a generation says that it has another secret already.
pub(super) fn secret_comes_first() -> StateError {
    StateError::Refused(
        "the generation has another secret already: give it what is private before its events".to_owned(),
    )
}

/// The word for a refused switch.
pub(super) fn not_ready(generation: &Epoch, reason: impl Into<Cow<'static, str>>) -> StateError {
    StateError::NotReady {
        generation: generation.to_string(),
        reason: reason.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prevents a restore from being begun beside a stock that leaves no room for it, and from being refused where
    /// there is no bound.
    #[test]
    fn room_is_read_from_what_the_server_says() {
        let text =
            "# Memory\r\nused_memory:700\r\nused_memory_rss:1\r\nmaxmemory_human:1K\r\nmaxmemory:1000\r\n";
        let room = Room::from_info(text).unwrap();
        assert_eq!((room, room.left()), (Room { used: 700, max: 1000 }, 300));
        assert_eq!(Room { used: 9, max: 8 }.left(), 0);
        assert_eq!(
            Room::from_info(&text.replace("maxmemory:1000", "maxmemory:0")),
            None
        );
        assert_eq!(Room::from_info(""), None);
    }
}
