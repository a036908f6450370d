//! Keeps the catalogue in memory abreast of the store: a change is announced, and asked for every second in
//! case the announcement was lost. A store that is away, empty or broken never takes a catalogue away.
//!
//! What is read is what has changed: the updates of single cars, else the dealerships that were put, else all.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use faciliauto_engine::{
    catalogue::{CarChange, Catalogue, StockProblems},
    stock::{Cars, Stock},
    tables::Tables,
};
use tokio::time::sleep;

use crate::{
    catalogue::{ServedCatalogue, Showroom, StoreCondition},
    clock::Clock,
    memory,
    metrics::{ImportResult, Metrics},
    state::{
        CatalogVersion, DealerStock, Head, State, StateError, StoredStock,
        dealers::{CarFacts, Versions},
    },
};

/// How long a lost announcement stays unnoticed. Asking costs the store two small reads.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// Follows one store for one showroom.
pub struct Follower {
    state: Arc<dyn State>,
    showroom: Arc<Showroom>,
    tables: Arc<Tables>,
    clock: Clock,
    metrics: Metrics,
    /// A version that was read and makes no catalogue: it will not make one a second later either.
    refused: Option<CatalogVersion>,
}

impl Follower {
    /// Follows nothing yet.
    #[must_use]
    pub fn new(
        state: Arc<dyn State>,
        showroom: Arc<Showroom>,
        tables: Arc<Tables>,
        clock: Clock,
        metrics: Metrics,
    ) -> Self {
        Self {
            state,
            showroom,
            tables,
            clock,
            metrics,
            refused: None,
        }
    }

    /// Follows another connection from now on; what is in memory stays.
    pub fn switch(&mut self, state: Arc<dyn State>) {
        self.state = state;
    }

    /// Follows until dropped.
    pub async fn run(&mut self) {
        loop {
            self.check().await;
            let state = Arc::clone(&self.state);
            tokio::select! {
                () = state.changed() => {}
                () = sleep(CHECK_EVERY) => {}
            }
        }
    }

    /// Compares memory with the store once, and the calendar with the day that the catalogue is of.
    pub async fn check(&mut self) {
        let condition = match self.catch_up().await {
            Ok(condition) => {
                self.note(condition, "");
                condition
            }
            Err(error) => {
                let condition = match error {
                    StateError::Damaged { .. } => StoreCondition::Unusable,
                    _ => StoreCondition::Unreachable,
                };
                self.note(condition, &error.to_string());
                condition
            }
        };
        if condition != StoreCondition::Followed {
            self.turn_the_day().await;
        }
    }

    async fn catch_up(&mut self) -> Result<StoreCondition, StateError> {
        let Some(head) = self.state.head().await? else {
            return Ok(StoreCondition::NotOpen);
        };
        if let Some(served) = self.showroom.served()
            && served.head == head
        {
            self.turn_the_day().await;
            return Ok(StoreCondition::Followed);
        }
        if self.refused.as_ref() == Some(&head.version) {
            return Ok(StoreCondition::Unusable);
        }
        // Before the stock: a version that moves on in between is found out by comparing the two.
        let versions = self.state.versions().await.ok();
        if let Some(served) = self.updated(versions.as_ref()).await {
            tracing::info!(catalog_version = %served.head.version, "cars updated");
            self.take_in(served);
            return Ok(StoreCondition::Followed);
        }
        let read = match self.read_changed(versions.as_ref()).await {
            Some(stored) => Ok(Some(stored)),
            None => self.state.stock().await,
        };
        let stored = match read {
            Ok(Some(stored)) => stored,
            Ok(None) => return Ok(StoreCondition::NotOpen),
            Err(error) => {
                // A damaged stock is read again every second and counted once, when it comes up.
                if matches!(error, StateError::Damaged { .. })
                    && self.showroom.store() != StoreCondition::Unusable
                {
                    self.metrics.import(ImportResult::Unreadable);
                }
                return Err(error);
            }
        };
        let head = stored.head.clone();
        match self.build(stored.into_stock(), head.clone()).await {
            Ok(served) => {
                tracing::info!(
                    catalog_version = %head.version,
                    cars = served.catalogue.len(),
                    dealerships = served.catalogue.dealerships().len(),
                    "catalogue taken in"
                );
                self.take_in(served.knowing(versions));
                memory::give_back();
                Ok(StoreCondition::Followed)
            }
            Err(reason) => {
                tracing::error!(catalog_version = %head.version, reason, "stored stock is no valid catalogue");
                self.refused = Some(head.version);
                self.metrics.import(ImportResult::Refused);
                Ok(StoreCondition::Unusable)
            }
        }
    }

    fn take_in(&mut self, served: ServedCatalogue) {
        // What a server reads as it starts is nobody's import.
        if self.showroom.served().is_some() {
            self.metrics.import(ImportResult::Applied);
        }
        self.showroom.show(served);
        self.refused = None;
    }

    /// The catalogue with nothing but cars updated, in which all others stay as they are in memory: a sale in a stock
    /// of a hundred thousand must show within a second. `None` when more than that has changed.
    async fn updated(&self, versions: Option<&Versions>) -> Option<ServedCatalogue> {
        let versions = versions?;
        let served = self.showroom.served()?;
        let known = served.versions.as_ref()?;
        // A new day makes everything anew.
        if !served.has_puts(versions) || served.catalogue.reference_date() != self.clock.today() {
            return None;
        }
        let mut changed: Option<Catalogue> = None;
        let version = versions.head.version.to_string();
        for (id, _) in versions
            .dealers
            .iter()
            .filter(|(id, now)| known.dealers.get(*id) != Some(*now))
        {
            let updates = self.state.updates(id).await.ok()?;
            // More may have been updated since the versions were read: the next look finds that it is known already.
            if updates
                .version
                .is_none_or(|version| !served.has_put(&versions.head.version.epoch, id, &version))
            {
                return None;
            }
            for (car, facts) in updates.cars {
                let current = changed.as_ref().unwrap_or(&served.catalogue);
                let item = current.car(&car).filter(|item| item.car.dealership_id == *id)?;
                // The first is changed even into itself: the version is another.
                if changed.is_some() && CarFacts::of(&item.car) == facts {
                    continue;
                }
                // A day can be given and not taken back: a car that had one and has none is built anew.
                if facts.confirmed_on.is_none() && item.car.confirmed_on.is_some() {
                    return None;
                }
                let change = CarChange {
                    price: Some(facts.price),
                    available: Some(facts.available),
                    confirmed_on: facts.confirmed_on,
                };
                changed = Some(current.with_change(&car, change, version.clone()).ok()?);
            }
        }
        let catalogue = changed?;
        Some(ServedCatalogue::new(catalogue, versions.head.clone()).knowing(Some(versions.clone())))
    }

    /// The stock with only those dealerships read from the store that have changed, the others from memory: a
    /// sale at one of hundreds must show within a second. `None` when all must be read.
    async fn read_changed(&self, versions: Option<&Versions>) -> Option<StoredStock> {
        let versions = versions?;
        let served = self.showroom.served()?;
        let known = served.versions.as_ref()?;
        if served.head != known.head || known.head.version.epoch != versions.head.version.epoch {
            return None;
        }
        let is_known = |id: &str| known.dealers.get(id) == versions.dealers.get(id);
        let mut dealers: BTreeMap<&str, DealerStock> = BTreeMap::new();
        for (id, _) in versions.dealers.iter().filter(|(id, _)| !is_known(id)) {
            let view = self.state.dealer(id).await.ok()?;
            if view.head != versions.head {
                return None;
            }
            dealers.insert(id, view.stock?);
        }
        for dealership in served.catalogue.dealerships() {
            if versions.dealers.contains_key(&dealership.id) && is_known(&dealership.id) {
                let cars = Cars::new();
                let dealership = dealership.clone();
                let (id, _) = versions.dealers.get_key_value(&dealership.id)?;
                dealers.insert(id, DealerStock { dealership, cars });
            }
        }
        for item in served.catalogue.cars() {
            if is_known(&item.car.dealership_id)
                && let Some(dealer) = dealers.get_mut(item.car.dealership_id.as_str())
            {
                dealer.cars.push(item.car.clone());
            }
        }
        // Every dealership of the version must be here by now, from the store or from memory.
        (dealers.len() == versions.dealers.len()).then(|| StoredStock {
            head: versions.head.clone(),
            dealers: dealers.into_values().collect(),
        })
    }

    /// Ages and freshness count from a day: a new day is a new catalogue of the same stock, store or no store.
    async fn turn_the_day(&self) {
        let Some(served) = self.showroom.served() else {
            return;
        };
        if served.catalogue.reference_date() == self.clock.today() {
            return;
        }
        let stock = Stock {
            dealerships: served.catalogue.dealerships().to_vec(),
            cars: served.catalogue.cars().map(|car| car.car.clone()).collect(),
        };
        match self.build(stock, served.head.clone()).await {
            Ok(rebuilt) => {
                self.showroom.show(rebuilt.knowing(served.versions.clone()));
                memory::give_back();
            }
            Err(reason) => tracing::error!(reason, "the catalogue could not be built for a new day"),
        }
    }

    /// Builds on a thread of its own, since a large stock takes a while.
    async fn build(&self, stock: Stock, head: Head) -> Result<ServedCatalogue, String> {
        let (tables, today, version) = (
            Arc::clone(&self.tables),
            self.clock.today(),
            head.version.to_string(),
        );
        let built = memory::on_own_thread(move || -> Result<_, StockProblems> {
            let built = Catalogue::build(stock, &tables, today, version);
            // What this thread took for it, only this thread can give back.
            memory::give_back();
            Ok(ServedCatalogue::new(built?, head))
        });
        match built.await {
            Ok(Ok(served)) => Ok(served),
            Ok(Err(problems)) => Err(problems.to_string()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Logs a change of condition once, not every second.
    fn note(&self, condition: StoreCondition, reason: &str) {
        let before = self.showroom.note(condition);
        if before == condition {
            return;
        }
        let in_memory = self.showroom.served().is_some();
        match condition {
            StoreCondition::Followed => tracing::info!(before = before.word(), "the store is followed"),
            _ => tracing::warn!(
                before = before.word(),
                now = condition.word(),
                reason,
                in_memory,
                "the store cannot be followed"
            ),
        }
    }
}
