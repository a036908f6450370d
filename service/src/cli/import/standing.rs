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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use faciliauto_engine::stock::{Car, Stock};

    use super::*;
    use crate::{
        clock::Clock,
        state::{Basis, Change, DealerStock, memory::MemoryState},
        stock::{SAMPLE, StockFile, by_dealership},
    };

    async fn put(state: &MemoryState, basis: Basis, put: Vec<Arc<DealerStock>>) -> Basis {
        let change = Change {
            basis,
            put,
            remove: Vec::new(),
            marks: Vec::new(),
            updates: Vec::new(),
            once: None,
        };
        let head = state
            .commit(change, &|_| {})
            .await
            .unwrap()
            .confirmed()
            .await
            .unwrap();
        Basis::Version(head.version)
    }

    /// Two of the sample's dealerships, with real cars.
    fn two() -> [DealerStock; 2] {
        let Stock { dealerships, cars } = StockFile::whole(SAMPLE, Clock::system().today()).unwrap();
        let real = |car: Car| Car { sample: false, ..car };
        let stock = Stock {
            dealerships: dealerships.into_iter().take(2).collect(),
            cars: cars.into_iter().map(real).collect(),
        };
        let dealers = by_dealership(stock).into_iter().map(Arc::unwrap_or_clone);
        dealers.collect::<Vec<_>>().try_into().unwrap()
    }

    /// Prevents an import that loses a race from reading the whole store again, which in a busy one takes until the next
    /// race is lost; and from deciding on what it read before somebody changed it.
    #[tokio::test]
    async fn only_what_was_put_since_is_read_again() {
        let state = MemoryState::new(Clock::system());
        let [one, other] = two();
        let (id, moved) = (one.dealership.id.clone(), other.cars[0].id.clone());
        let counts = (one.cars.len(), other.cars.len());
        let basis = put(&state, Basis::Unopened, vec![one.into(), other.clone().into()]).await;
        let wanted = HashSet::from([moved.as_str()]);
        let mut seen = Seen::default();
        let read =
            async |seen: &mut Seen| Standing::read(&state, &BTreeSet::new(), &wanted, true, seen).await;

        let first = read(&mut seen).await.unwrap().others;
        assert_eq!((first.cars, first.dealerships), (counts.0 + counts.1, 2));
        assert_eq!(first.taken, HashSet::from([moved.clone()]));

        // What stands here now shows whether it is read again.
        seen.0.get_mut(&id).unwrap().cars = 1_000_000;
        let mut less = other;
        less.cars = less.cars.into_iter().skip(1).collect();
        put(&state, basis, vec![less.into()]).await;
        let again = read(&mut seen).await.unwrap().others;
        assert_eq!((again.cars, again.dealerships), (1_000_000 + counts.1 - 1, 2));
        assert_eq!(again.taken, HashSet::new());
    }
}
