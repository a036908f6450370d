//! The catalogue in memory that every request reads, and how the store stands to it.

use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use faciliauto_engine::catalogue::Catalogue;

use crate::{
    car_texts::CarTexts,
    error::ApiError,
    state::{
        Head,
        dealers::{DealerVersion, Versions},
    },
};

/// A catalogue with what answers say about all of it.
#[derive(Debug)]
pub struct ServedCatalogue {
    /// The cars.
    pub catalogue: Catalogue,
    /// The stock it was made of.
    pub head: Head,
    /// Cars on offer.
    pub available: usize,
    /// Cars that have no picture.
    pub without_image: usize,
    /// Whether any car is invented.
    pub sample: bool,
    /// Which stock of each dealership this is, when that is known.
    pub versions: Option<Versions>,
    /// What answers say of its cars whoever asks.
    pub texts: CarTexts,
}

impl ServedCatalogue {
    /// Counts once what is asked often.
    #[must_use]
    pub fn new(catalogue: Catalogue, head: Head) -> Self {
        let available = catalogue.cars().filter(|car| catalogue.is_available(car)).count();
        let without_image = catalogue.cars().filter(|car| car.car.images.is_empty()).count();
        let sample = catalogue.cars().any(|car| car.car.sample);
        Self {
            texts: CarTexts::of(catalogue.len()),
            catalogue,
            head,
            available,
            without_image,
            sample,
            versions: None,
        }
    }

    /// The same, knowing which stock of each dealership it is; that of another moment says nothing of this one.
    #[must_use]
    pub fn knowing(self, versions: Option<Versions>) -> Self {
        Self {
            versions: versions.filter(|versions| versions.head == self.head),
            ..self
        }
    }

    /// Whether it has the cars of a dealership that one put brought, with whatever updates.
    #[must_use]
    pub fn has_put(&self, epoch: &str, dealership: &str, version: &DealerVersion) -> bool {
        self.versions.as_ref().is_some_and(|known| {
            let put = known.dealers.get(dealership).map(|known| &known.put);
            known.head.version.epoch == epoch && put == Some(&version.put)
        })
    }

    /// Whether its cars of a dealership are those of a version, updates and all.
    #[must_use]
    pub fn has_cars(&self, epoch: &str, dealership: &str, version: &DealerVersion) -> bool {
        self.versions.as_ref().is_some_and(|known| {
            known.head.version.epoch == epoch && known.dealers.get(dealership) == Some(version)
        })
    }

    /// Whether it has the cars of every dealership that its last put brought, and no others, with whatever updates.
    #[must_use]
    pub fn has_puts(&self, versions: &Versions) -> bool {
        let Versions { head, dealers } = versions;
        let same_number = |known: &Versions| known.dealers.len() == dealers.len();
        self.versions.as_ref().is_some_and(same_number)
            && dealers
                .iter()
                .all(|(id, version)| self.has_put(&head.version.epoch, id, version))
    }
}

/// How the store stands to the catalogue in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreCondition {
    /// Nobody has asked it yet.
    Unknown,
    /// It answers, and its stock is in memory.
    Followed,
    /// It does not answer or refuses.
    Unreachable,
    /// It answers, but has no stock, not even an empty one: nobody has imported, or it has lost everything.
    NotOpen,
    /// Its stock cannot be read or is no valid catalogue.
    Unusable,
}

impl StoreCondition {
    /// The word on the wire and in the log.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Followed => "followed",
            Self::Unreachable => "unreachable",
            Self::NotOpen => "not_open",
            Self::Unusable => "unusable",
        }
    }

    /// Whether the store answers at all.
    #[must_use]
    pub const fn answers(self) -> bool {
        match self {
            Self::Unknown | Self::Unreachable => false,
            Self::Followed | Self::NotOpen | Self::Unusable => true,
        }
    }
}

/// What is served now. Readers never wait; the follower swaps a whole catalogue in.
#[derive(Debug)]
pub struct Showroom {
    served: ArcSwapOption<ServedCatalogue>,
    store: ArcSwap<StoreCondition>,
}

impl Default for Showroom {
    fn default() -> Self {
        Self {
            served: ArcSwapOption::empty(),
            store: ArcSwap::from_pointee(StoreCondition::Unknown),
        }
    }
}

impl Showroom {
    /// What is served; stays whole for as long as the caller holds it.
    ///
    /// # Errors
    /// [`ApiError::NoCatalogue`] until the first catalogue is in memory.
    pub fn open(&self) -> Result<Arc<ServedCatalogue>, ApiError> {
        self.served().ok_or(ApiError::NoCatalogue)
    }

    /// What is served, if anything is yet.
    #[must_use]
    pub fn served(&self) -> Option<Arc<ServedCatalogue>> {
        self.served.load_full()
    }

    /// How the store stands to it.
    #[must_use]
    pub fn store(&self) -> StoreCondition {
        **self.store.load()
    }

    pub(crate) fn show(&self, served: ServedCatalogue) {
        self.served.store(Some(Arc::new(served)));
    }

    /// Gives back the condition before.
    pub(crate) fn note(&self, condition: StoreCondition) -> StoreCondition {
        *self.store.swap(Arc::new(condition))
    }
}
