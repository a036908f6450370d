//! What is remembered: a port of domain values, and its two adapters.
//!
//! A store is **open** once it has a generation. Everything durable lives in a generation, and every durable
//! write names the catalogue version it was decided on: a store that moved on refuses it, so two writers
//! never overwrite what they did not see.
//!
//! ```text
//!   import ──Change──▶ State::commit ──▶ new version ──announced──▶ State::changed ──▶ every server
//!                                                                                        │ head, stock
//!                                                                                        ▼
//!                                                                              catalogue in memory
//! ```

use std::{borrow::Cow, fmt, sync::Arc};

use faciliauto_engine::stock::{Cars, Dealership, Stock};
use futures::future::BoxFuture;
use jiff::Timestamp;

pub use self::written::Written;
use self::{
    dealers::{CarUpdate, Dealers, SoldMark},
    events::Events,
    figures::ServerFigures,
    generations::Generations,
    once::Once,
};

pub mod connection;
pub mod dealers;
pub mod events;
pub mod figures;
pub mod generations;
pub mod memory;
pub mod once;
pub mod redis;
mod written;

/// Names a state of the stock. Compared for equality only: a restore may bring an older counter back.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CatalogVersion {
    /// The generation: random, made once when the store was opened.
    pub epoch: String,
    /// Counts the changes within a generation, from 1.
    pub counter: u64,
}

impl fmt::Display for CatalogVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.epoch, self.counter)
    }
}

/// Which stock a store holds, without the stock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its version.
    pub version: CatalogVersion,
    /// When it became so, by the clock of the store.
    pub changed_at: Timestamp,
}

/// A dealership with all that it has for sale.
#[derive(Clone, Debug, PartialEq)]
pub struct DealerStock {
    /// The seller.
    pub dealership: Dealership,
    /// Its cars.
    pub cars: Cars,
}

impl DealerStock {
    /// Whether it has cars, and all of them are invented: such a dealership goes with the first real stock.
    #[must_use]
    pub fn is_sample(&self) -> bool {
        !self.cars.is_empty() && self.cars.iter().all(|car| car.sample)
    }
}

/// All stock of a store at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredStock {
    /// Which.
    pub head: Head,
    /// By the ids of dealerships.
    pub dealers: Vec<DealerStock>,
}

impl StoredStock {
    /// As the engine takes it in.
    #[must_use]
    pub fn into_stock(self) -> Stock {
        let mut stock = Stock::default();
        for DealerStock { dealership, cars } in self.dealers {
            stock.dealerships.push(dealership);
            stock.cars.extend(cars);
        }
        stock
    }
}

/// What a change was decided on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Basis {
    /// A store that is not open: the change opens it.
    Unopened,
    /// Stock of this version: the change is refused when any stock was put or removed since, or a car updated of a
    /// dealership that it touches. Updates of others' cars do not matter to it, or large stocks, which take seconds to
    /// put, would never win against sales elsewhere.
    Version(CatalogVersion),
}

/// A change of the stock, taken as a whole or not at all.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// What it was decided on.
    pub basis: Basis,
    /// Dealerships whose record and whole stock are replaced or added; shared, so that a change which was refused need not
    /// have been a copy of a large stock.
    pub put: Vec<Arc<DealerStock>>,
    /// Ids of dealerships that go, with their stock, their token and their marks.
    pub remove: Vec<String>,
    /// Cars that are marked sold, or no longer.
    pub marks: Vec<SoldMark>,
    /// Single cars of dealerships whose stock stays otherwise: however large it is, nobody writes or reads it again.
    pub updates: Vec<CarUpdate>,
    /// What is remembered of the request for the change.
    pub once: Option<Once>,
}

/// How far a commit has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress<'a> {
    /// Whose stock is being written.
    pub dealership: &'a str,
    /// Pieces written of it.
    pub written: usize,
    /// Pieces it has.
    pub pieces: usize,
}

/// Why a store did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It does not answer, or answers that it cannot yet.
    #[error("failed to reach the store: {0}")]
    Reach(String),
    /// It answered that it will not: wrong password, no permission.
    #[error("the store refused: {0}")]
    Refused(String),
    /// It has no room; what it holds stays as it was.
    #[error("the store is full: {0}")]
    Full(String),
    /// It has no generation, or the version of its stock is missing.
    #[error("the store is not open")]
    NotOpen,
    /// It is open already, and the change was to open it.
    #[error("the store is open already")]
    AlreadyOpen,
    /// Its stock is not the one that the change was decided on.
    #[error("the stock was changed by somebody else meanwhile")]
    Moved,
    /// A restore holds all writes back.
    #[error("writes are held back by {holder}")]
    Fenced {
        /// Who holds them back.
        holder: String,
    },
    /// The fence under which something was to be done is not up any more, or somebody else holds one.
    #[error("the fence of this restore is not up any more; begin it again")]
    FenceLost,
    /// It has no generation of this name: it was dropped, or never begun.
    #[error("the store has no generation {0}")]
    NoGeneration(String),
    /// A generation that may not be dropped.
    #[error("generation {0} is in use")]
    GenerationInUse(String),
    /// A generation that may not be switched to.
    #[error("generation {generation} is not ready to be switched to: {reason}")]
    NotReady {
        /// Which.
        generation: String,
        /// What it lacks.
        reason: Cow<'static, str>,
    },
    /// What was written is not what is there now.
    #[error("failed to commit {dealership}: {reason}")]
    Commit {
        /// Whose stock.
        dealership: String,
        /// What was found.
        reason: String,
    },
    /// What it holds cannot be read as stock.
    #[error("failed to read the stored stock of {dealership}: {reason}")]
    Damaged {
        /// Whose stock.
        dealership: String,
        /// What was found.
        reason: String,
    },
}

/// The port. Futures are boxed so that servers hold either adapter behind one type.
pub trait State: Dealers + Events + Generations + Send + Sync {
    /// Which stock there is; `None` when the store is not open or its version is missing.
    fn head(&self) -> BoxFuture<'_, Result<Option<Head>, StateError>>;

    /// All stock, as at one moment; `None` as for [`State::head`].
    fn stock(&self) -> BoxFuture<'_, Result<Option<StoredStock>, StateError>>;

    /// Makes a change, all of it in one step, and gives the head after it: others see the change already, and
    /// the writer acknowledges it once it is confirmed.
    fn commit<'a>(
        &'a self,
        change: Change,
        progress: &'a (dyn Fn(Progress<'_>) + Send + Sync),
    ) -> BoxFuture<'a, Result<Written<Head>, StateError>>;

    /// What its server says of itself; `None` when it has no server.
    fn server_figures(&self) -> BoxFuture<'_, Result<Option<ServerFigures>, StateError>>;

    /// Waits until a change is announced. Announcements can be lost: ask for [`State::head`] now and then.
    fn changed(&self) -> BoxFuture<'_, ()>;
}
