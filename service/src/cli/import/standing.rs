//! What a store has before an import, read one dealership at a time: memory never holds its whole stock.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use faciliauto_engine::stock::Dealership;
use jiff::Timestamp;

use crate::{
    state::{
        Head, State, StateError,
        dealers::{DealerOutline, DealerView},
    },
    stock::fingerprint::Fingerprint,
};

/// A store before an import.
#[derive(Debug, Default)]
pub(super) struct Standing {
    /// `None` when the store is not open.
    pub(super) head: Option<Head>,
    /// The dealerships that the file names, as far as the store has them.
    pub(super) named: BTreeMap<String, Named>,
    /// All others.
    pub(super) others: Others,
}

/// What was read of dealerships that a file does not name. Whoever loses a race reads only those again whose stock was put
/// meanwhile, or the store's other writers would win for ever.
#[derive(Debug, Default)]
pub(super) struct Seen(BTreeMap<String, Beside>);

/// A dealership that a file does not name.
#[derive(Debug)]
struct Beside {
    /// Of its stock; [`crate::state::dealers::DealerVersion::put`].
    put: String,
    cars: usize,
    is_sample: bool,
    /// Ids of the file's cars that it has.
    taken: HashSet<String>,
}

/// A dealership whose stock is to be replaced.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) dealership: Dealership,
    pub(super) fingerprint: Fingerprint,
    /// When cars were marked sold, by their ids.
    pub(super) sold: BTreeMap<String, Timestamp>,
}

/// The dealerships that a file does not name.
#[derive(Debug, Default)]
pub(super) struct Others {
    /// How many stay.
    pub(super) dealerships: usize,
    /// How many cars those who stay have.
    pub(super) cars: usize,
    /// Ids of those that go: they have nothing but samples, and real cars come.
    pub(super) gone: Vec<String>,
    /// Ids of the file's cars that those who stay have already.
    pub(super) taken: HashSet<String>,
}

impl Standing {
    /// Reads what matters to a file that names these dealerships and has cars of these ids; `real`: not only samples.
    ///
    /// # Errors
    /// [`StateError::Moved`] when the store changed meanwhile; what changes later makes the commit fail.
    pub(super) async fn read(
        state: &dyn State,
        names: &BTreeSet<String>,
        cars: &HashSet<&str>,
        real: bool,
        seen: &mut Seen,
    ) -> Result<Self, StateError> {
        let versions = match state.versions().await {
            Err(StateError::NotOpen) => return Ok(Self::default()),
            versions => versions?,
        };
        let epoch = &versions.head.version.epoch;
        let unmoved = |head: &Head| head.version.epoch == *epoch;
        let mut named = BTreeMap::new();
        let mut others = Others::default();
        for (id, version) in &versions.dealers {
            if names.contains(id) {
                let DealerOutline {
                    head,
                    dealership,
                    fingerprint,
                    sold,
                } = state.outline(id).await?;
                let (dealership, _) = dealership.filter(|_| unmoved(&head)).ok_or(StateError::Moved)?;
                let standing = Named {
                    dealership,
                    fingerprint,
                    sold,
                };
                named.insert(id.clone(), standing);
                continue;
            }
            if seen.0.get(id).is_none_or(|beside| beside.put != version.put) {
                let DealerView { head, stock, .. } = state.dealer(id).await?;
                let stock = stock.filter(|_| unmoved(&head)).ok_or(StateError::Moved)?;
                let beside = Beside {
                    put: version.put.clone(),
                    cars: stock.cars.len(),
                    is_sample: stock.is_sample(),
                    taken: stock
                        .cars
                        .into_iter()
                        .map(|car| car.id)
                        .filter(|id| cars.contains(id.as_str()))
                        .collect(),
                };
                seen.0.insert(id.clone(), beside);
            }
            let Some(beside) = seen.0.get(id) else { continue };
            if real && beside.is_sample {
                others.gone.push(id.clone());
                continue;
            }
            others.dealerships += 1;
            others.cars += beside.cars;
            others.taken.extend(beside.taken.iter().cloned());
        }
        Ok(Self {
            head: Some(versions.head),
            named,
            others,
        })
    }

    /// The records of the dealerships that the file names.
    pub(super) fn records(&self) -> Vec<Dealership> {
        self.named
            .values()
            .map(|named| named.dealership.clone())
            .collect()
    }
}
