//! Where dealers hand their stock in: reads what the store has, decides what becomes of it, and commits that
//! on the version it was decided on. A lost race is decided anew, so two uploads never mix.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use faciliauto_engine::{
    stock::{Car, Dealership},
    tables::Tables,
};
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;
use sha2::{Digest, Sha256};
use tokio::sync::{Mutex, Semaphore, SemaphorePermit};

use crate::{
    access::AdminTokens,
    catalogue::Showroom,
    clock::Clock,
    error::ApiError,
    random,
    state::{
        Basis, Change, DealerStock, Head, State, StateError,
        dealers::{DealerView, SoldMark, TokenDigest},
    },
    stock::{
        rows,
        upload::{CarPatch, Upload},
    },
    store::Store,
};

/// How often a change is decided anew when others were faster. Requests of one process queue up, so only
/// other replicas can win a race.
const ATTEMPTS: u32 = 12;

/// How long a car stays sold when a stock without `If-Match`, perhaps older than the sale, says otherwise.
const STAYS_SOLD: SignedDuration = SignedDuration::from_hours(24);

/// Uploads that are read at the same time: each may hold 64 MiB and a hundred thousand cars.
const UPLOADS_AT_ONCE: usize = 4;

/// What dealers and administrators do passes through here.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) store: Arc<Store>,
    pub(crate) admins: Arc<AdminTokens>,
    pub(crate) clock: Clock,
    showroom: Arc<Showroom>,
    tables: Arc<Tables>,
    writing: Mutex<()>,
    uploads: Semaphore,
}

/// What a writer says the stock must be for the write to count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IfMatch(Vec<String>);

impl IfMatch {
    /// Reads the header. Tags that a proxy made weak by compressing count as well: ours name the cars, not
    /// the bytes of an answer.
    pub(crate) fn parse(header: &str) -> Self {
        let tags = header.split(',').map(str::trim);
        Self(
            tags.map(|tag| tag.strip_prefix("W/").unwrap_or(tag).to_owned())
                .collect(),
        )
    }

    /// Whether it names this tag.
    pub(crate) fn names(&self, etag: &str) -> bool {
        self.0.iter().any(|tag| tag == "*" || tag == etag)
    }
}

/// What became of a stock that was handed in.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct StockReceipt {
    pub(crate) dealership_id: String,
    pub(crate) dry_run: bool,
    /// In the stock now, or in it were it no trial.
    pub(crate) cars: usize,
    pub(crate) available: usize,
    added: usize,
    changed: usize,
    removed: usize,
    /// Ids of cars that stay sold although the stock said otherwise.
    kept_sold: Vec<String>,
    pub(crate) catalog_version: String,
    /// Of the stock in the store.
    pub(crate) etag: String,
}

/// What became of one car.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct CarReceipt {
    id: String,
    dealership_id: String,
    disponivel: bool,
    preco: f64,
    catalog_version: String,
    pub(crate) etag: String,
}

/// A stock as it goes out.
#[derive(Debug)]
pub(crate) struct StockPage {
    /// Rows, one a line.
    pub(crate) lines: Vec<u8>,
    pub(crate) etag: String,
}

impl Desk {
    pub(crate) fn new(
        store: Arc<Store>,
        admins: Arc<AdminTokens>,
        clock: Clock,
        showroom: Arc<Showroom>,
        tables: Arc<Tables>,
    ) -> Self {
        Self {
            store,
            admins,
            clock,
            showroom,
            tables,
            writing: Mutex::new(()),
            uploads: Semaphore::new(UPLOADS_AT_ONCE),
        }
    }

    /// A place for an upload, held while it is read and committed.
    pub(crate) fn place(&self) -> Result<SemaphorePermit<'_>, ApiError> {
        self.uploads.try_acquire().map_err(|_| ApiError::Busy)
    }

    /// The dealership and its stock.
    pub(crate) async fn dealer(&self, id: &str) -> Result<DealerStock, ApiError> {
        let view = self.store.current().dealer(id).await?;
        view.stock.ok_or(ApiError::DealershipNotFound)
    }

    /// The stock as rows.
    pub(crate) async fn page(&self, id: &str) -> Result<StockPage, ApiError> {
        let DealerStock { cars, .. } = self.dealer(id).await?;
        aside(move || {
            let mut lines = Vec::new();
            rows::write_cars(&mut lines, &cars).map_err(|_| ApiError::Internal)?;
            let etag = tag(Sha256::digest(&lines).as_slice());
            Ok(StockPage { lines, etag })
        })
        .await?
    }

    /// Creates a dealership, or changes its record; tells whether it is new, and the version after.
    pub(crate) async fn put_dealership(&self, dealership: Dealership) -> Result<(bool, Head), ApiError> {
        let _turn = self.writing.lock().await;
        for attempt in 0..ATTEMPTS {
            let state = self.store.current();
            let DealerView { head, stock, .. } = state.dealer(&dealership.id).await?;
            let created = stock.is_none();
            let change = Change {
                basis: Basis::Version(head.version),
                put: vec![DealerStock {
                    dealership: dealership.clone(),
                    cars: stock.map(|stock| stock.cars).unwrap_or_default(),
                }],
                remove: Vec::new(),
                marks: Vec::new(),
            };
            if let Some(head) = self.commit(&*state, change, attempt).await? {
                return Ok((created, head));
            }
        }
        Err(ApiError::StockMoved)
    }

    /// Gives a dealership a token, or revokes the one it has.
    pub(crate) async fn set_token(&self, id: &str, token: Option<TokenDigest>) -> Result<(), ApiError> {
        if self.store.current().set_dealer_token(id, token).await? {
            Ok(())
        } else {
            Err(ApiError::DealershipNotFound)
        }
    }

    /// Checks a stock against itself and against what there is, and swaps it in unless it is a trial.
    pub(crate) async fn put_stock(
        &self,
        dealership: Dealership,
        mut upload: Upload,
        condition: Option<IfMatch>,
        dry_run: bool,
    ) -> Result<StockReceipt, ApiError> {
        let tables = Arc::clone(&self.tables);
        let record = dealership.clone();
        upload = aside(move || {
            upload.check(&record, &tables);
            upload
        })
        .await?;
        let id = dealership.id;
        let real = upload.cars.iter().any(|car| !car.sample);
        let _turn = self.writing.lock().await;
        for attempt in 0..ATTEMPTS {
            let state = self.store.current();
            let DealerView { head, stock, sold } = state.dealer(&id).await?;
            let DealerStock {
                dealership,
                cars: old,
            } = stock.ok_or(ApiError::DealershipNotFound)?;
            let (old, etag) = with_etag(old).await?;
            if condition
                .as_ref()
                .is_some_and(|condition| !condition.names(&etag))
            {
                return Err(ApiError::EtagMismatch);
            }
            let Some(others) = self.others(&*state, &head, &id, &upload.cars, real).await? else {
                self.wait(attempt).await;
                continue;
            };
            upload.refuse(&others.taken);
            if upload.findings.error_count > 0 {
                return Err(ApiError::InvalidRows {
                    total: upload.findings.error_count,
                    errors: upload.findings.errors,
                });
            }
            let wins = condition.is_some();
            let cars = upload.cars.clone();
            let now = self.clock.now();
            let (sold, cars, mut receipt) = aside(move || {
                let (cars, receipt) = settle(&old, cars, &|car| !wins && stays_sold(sold.get(car), now));
                (sold, cars, receipt)
            })
            .await?;
            receipt.dealership_id.clone_from(&id);
            receipt.dry_run = dry_run;
            if dry_run {
                receipt.catalog_version = head.version.to_string();
                receipt.etag = etag;
                return Ok(receipt);
            }
            let (cars, etag) = with_etag(cars).await?;
            let unmarked = sold
                .into_iter()
                .filter(|(_, at)| wins || !stays_sold(Some(at), now));
            let marks = unmarked.map(|(car, _)| SoldMark {
                dealership: id.clone(),
                car,
                sold: false,
            });
            let change = Change {
                basis: Basis::Version(head.version),
                marks: marks.collect(),
                put: vec![DealerStock { dealership, cars }],
                remove: others.samples,
            };
            if let Some(head) = self.commit(&*state, change, attempt).await? {
                receipt.catalog_version = head.version.to_string();
                receipt.etag = etag;
                return Ok(receipt);
            }
        }
        Err(ApiError::StockMoved)
    }

    /// Changes one car.
    pub(crate) async fn patch_car(
        &self,
        id: &str,
        car_id: &str,
        patch: CarPatch,
        condition: Option<IfMatch>,
    ) -> Result<CarReceipt, ApiError> {
        let _turn = self.writing.lock().await;
        for attempt in 0..ATTEMPTS {
            let state = self.store.current();
            let DealerView { head, stock, .. } = state.dealer(id).await?;
            let DealerStock { dealership, mut cars } = stock.ok_or(ApiError::DealershipNotFound)?;
            if let Some(condition) = &condition {
                let (same, etag) = with_etag(cars).await?;
                if !condition.names(&etag) {
                    return Err(ApiError::EtagMismatch);
                }
                cars = same;
            }
            let car = cars
                .iter_mut()
                .find(|car| car.id == car_id)
                .ok_or(ApiError::CarNotFound)?;
            car.available = patch.available.unwrap_or(car.available);
            car.price = patch.price.unwrap_or(car.price);
            // Whoever changes a car has just looked at it.
            car.confirmed_on = (!car.sample).then_some(self.clock.today());
            let (disponivel, preco) = (car.available, rows::reais(car.price));
            let (cars, etag) = with_etag(cars).await?;
            let mark = patch.available.map(|available| SoldMark {
                dealership: id.to_owned(),
                car: car_id.to_owned(),
                sold: !available,
            });
            let change = Change {
                basis: Basis::Version(head.version),
                put: vec![DealerStock { dealership, cars }],
                remove: Vec::new(),
                marks: mark.into_iter().collect(),
            };
            if let Some(head) = self.commit(&*state, change, attempt).await? {
                return Ok(CarReceipt {
                    id: car_id.to_owned(),
                    dealership_id: id.to_owned(),
                    disponivel,
                    preco,
                    catalog_version: head.version.to_string(),
                    etag,
                });
            }
        }
        Err(ApiError::StockMoved)
    }

    /// Commits; `None` when somebody else was faster, after a wait that sets two losers apart.
    async fn commit(
        &self,
        state: &dyn State,
        change: Change,
        attempt: u32,
    ) -> Result<Option<Head>, ApiError> {
        match state.commit(change, &|_| {}).await {
            Ok(head) => Ok(Some(head)),
            Err(StateError::Moved) => {
                self.wait(attempt).await;
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn wait(&self, attempt: u32) {
        let jitter = u64::from_str_radix(&random::hexadecimal(1), 16).unwrap_or(0);
        tokio::time::sleep(Duration::from_millis(jitter * u64::from(attempt + 1) / 16)).await;
    }

    /// What other dealerships have to do with a stock: from memory when that is of the same version, else
    /// from the store. `None` when the store has moved on meanwhile.
    async fn others(
        &self,
        state: &dyn State,
        head: &Head,
        id: &str,
        cars: &[Car],
        real: bool,
    ) -> Result<Option<Others>, ApiError> {
        let wanted: HashSet<&str> = cars.iter().map(|car| car.id.as_str()).collect();
        if let Some(served) = self.showroom.served()
            && served.head.version == head.version
        {
            let all = || served.catalogue.cars().map(|item| &item.car);
            return Ok(Some(Others::of(all, id, &wanted, real)));
        }
        let stored = state.stock().await?.ok_or(StateError::NotOpen)?;
        if stored.head.version != head.version {
            return Ok(None);
        }
        let all = || stored.dealers.iter().flat_map(|dealer| &dealer.cars);
        Ok(Some(Others::of(all, id, &wanted, real)))
    }
}

/// What other dealerships have to do with a stock.
struct Others {
    /// Those that go with it: they have nothing but samples, and real cars come.
    samples: Vec<String>,
    /// Ids that those who stay have already.
    taken: HashSet<String>,
}

impl Others {
    fn of<'a, Cars: Iterator<Item = &'a Car>>(
        all: impl Fn() -> Cars,
        id: &str,
        wanted: &HashSet<&str>,
        real: bool,
    ) -> Self {
        let mut only_samples: HashMap<&str, bool> = HashMap::new();
        for car in all().filter(|car| real && car.dealership_id != id) {
            *only_samples.entry(&car.dealership_id).or_insert(true) &= car.sample;
        }
        let goes = |dealership: &str| only_samples.get(dealership).copied().unwrap_or(false);
        let taken = all()
            .filter(|car| car.dealership_id != id && wanted.contains(car.id.as_str()))
            .filter(|car| !goes(&car.dealership_id))
            .map(|car| car.id.clone())
            .collect();
        let mut samples: Vec<String> = only_samples
            .iter()
            .filter(|(_, goes)| **goes)
            .map(|(dealership, _)| (*dealership).to_owned())
            .collect();
        samples.sort();
        Self { samples, taken }
    }
}

fn stays_sold(marked: Option<&Timestamp>, now: Timestamp) -> bool {
    marked.is_some_and(|at| now.duration_since(*at) < STAYS_SOLD)
}

/// Lets cars stay sold, and counts what is new, other and gone.
fn settle(old: &[Car], mut cars: Vec<Car>, stays_sold: &dyn Fn(&str) -> bool) -> (Vec<Car>, StockReceipt) {
    let mut kept_sold = Vec::new();
    for car in &mut cars {
        if car.available && stays_sold(&car.id) {
            car.available = false;
            kept_sold.push(car.id.clone());
        }
    }
    let before: HashMap<&str, &Car> = old.iter().map(|car| (car.id.as_str(), car)).collect();
    let (mut added, mut changed) = (0, 0);
    for car in &cars {
        match before.get(car.id.as_str()) {
            None => added += 1,
            // That it was handed in again is no change.
            Some(before)
                if (Car {
                    confirmed_on: car.confirmed_on,
                    ..(*before).clone()
                }) != *car =>
            {
                changed += 1
            }
            Some(_) => {}
        }
    }
    let receipt = StockReceipt {
        dealership_id: String::new(),
        dry_run: false,
        cars: cars.len(),
        available: cars.iter().filter(|car| car.available).count(),
        added,
        changed,
        // Ids are distinct on both sides by now.
        removed: old.len() + added - cars.len(),
        kept_sold,
        catalog_version: String::new(),
        etag: String::new(),
    };
    (cars, receipt)
}

/// The tag of a stock: it changes with every fact of every car and with their order, and with nothing else.
async fn with_etag(cars: Vec<Car>) -> Result<(Vec<Car>, String), ApiError> {
    aside(move || {
        let mut digest = Sha256::new();
        rows::write_cars(&mut digest, &cars).map_err(|_| ApiError::Internal)?;
        let etag = tag(digest.finalize().as_slice());
        Ok((cars, etag))
    })
    .await?
}

/// Half a SHA-256 tells stocks apart for ever.
fn tag(digest: &[u8]) -> String {
    let digits: String = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\"{digits}\"")
}

/// Runs what takes a while with a large stock off the event loop.
pub(crate) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| ApiError::Internal)
}
