//! Where dealers hand their stock in: reads what the store has, decides what becomes of it, and commits that
//! on the version it was decided on. A lost race is decided anew, so two uploads never mix. What comes back
//! is written and yet to be confirmed: the next writer of this process need not wait for the disk.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use faciliauto_engine::stock::{Car, Dealership};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use tokio::sync::{Mutex, Semaphore, SemaphorePermit};

use crate::{
    access::AdminTokens,
    catalogue::Showroom,
    clock::Clock,
    error::ApiError,
    random,
    state::{
        Basis, Change, DealerStock, Head, State, StateError, Written,
        dealers::{CarFacts, CarGlance, CarUpdate, DealerView, DealershipGlance, SoldMark, TokenDigest},
    },
    stock::{
        fingerprint::Fingerprint,
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
#[derive(Debug, Serialize)]
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
#[derive(Debug, Serialize)]
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
    ) -> Self {
        Self {
            store,
            admins,
            clock,
            showroom,
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
        let DealerView {
            stock, fingerprint, ..
        } = self.store.current().dealer(id).await?;
        let DealerStock { cars, .. } = stock.ok_or(ApiError::DealershipNotFound)?;
        aside(move || {
            let mut lines = Vec::new();
            rows::write_cars(&mut lines, &cars).map_err(|_| ApiError::Internal)?;
            Ok(StockPage {
                lines,
                etag: tag(fingerprint),
            })
        })
        .await?
    }

    /// Creates a dealership, or changes its record; tells whether it is new, and the version after.
    pub(crate) async fn put_dealership(
        &self,
        dealership: Dealership,
    ) -> Result<Written<(bool, Head)>, ApiError> {
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
                updates: Vec::new(),
            };
            if let Some(written) = self.commit(&*state, change, attempt).await? {
                return Ok(written.map(|head| (created, head)));
            }
        }
        Err(ApiError::StockMoved)
    }

    /// Gives a dealership a token, or revokes the one it has.
    pub(crate) async fn set_token(&self, id: &str, token: Option<TokenDigest>) -> Result<(), ApiError> {
        let written = self.store.current().set_dealer_token(id, token).await?;
        if written.confirmed().await? {
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
    ) -> Result<Written<StockReceipt>, ApiError> {
        let record = dealership.clone();
        upload = aside(move || {
            upload.check(&record);
            upload
        })
        .await?;
        let id = dealership.id;
        let real = upload.cars.iter().any(|car| !car.sample);
        let _turn = self.writing.lock().await;
        for attempt in 0..ATTEMPTS {
            let state = self.store.current();
            let DealerView {
                head,
                stock,
                fingerprint,
                sold,
            } = state.dealer(&id).await?;
            let DealerStock {
                dealership,
                cars: old,
            } = stock.ok_or(ApiError::DealershipNotFound)?;
            let etag = tag(fingerprint);
            if condition
                .as_ref()
                .is_some_and(|condition| !condition.names(&etag))
            {
                return Err(ApiError::EtagMismatch);
            }
            let others = self.others(&*state, &id, &upload.cars, real).await?;
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
                return Ok(Written::as_it_is(receipt));
            }
            let (cars, fingerprint) = aside(move || {
                let fingerprint = Fingerprint::of(&cars);
                (cars, fingerprint)
            })
            .await?;
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
                updates: Vec::new(),
            };
            if let Some(written) = self.commit(&*state, change, attempt).await? {
                return Ok(written.map(|head| {
                    receipt.catalog_version = head.version.to_string();
                    receipt.etag = tag(fingerprint);
                    receipt
                }));
            }
        }
        Err(ApiError::StockMoved)
    }

    /// Changes one car, and neither reads nor writes the others.
    pub(crate) async fn patch_car(
        &self,
        id: &str,
        car_id: &str,
        patch: CarPatch,
        condition: Option<IfMatch>,
    ) -> Result<Written<CarReceipt>, ApiError> {
        let _turn = self.writing.lock().await;
        for attempt in 0..ATTEMPTS {
            let state = self.store.current();
            let CarGlance { head, dealership } = state.glance(id, car_id).await?;
            let dealership = dealership.ok_or(ApiError::DealershipNotFound)?;
            let Seen {
                head,
                fingerprint,
                car: before,
            } = match self.in_memory(&head, &dealership, id, car_id)? {
                Some(seen) => seen,
                None => in_store(&*state, id, car_id).await?,
            };
            let etag = tag(fingerprint);
            if condition
                .as_ref()
                .is_some_and(|condition| !condition.names(&etag))
            {
                return Err(ApiError::EtagMismatch);
            }
            let facts = CarFacts {
                available: patch.available.unwrap_or(before.available),
                price: patch.price.unwrap_or(before.price),
                // Whoever changes a car has just looked at it.
                confirmed_on: (!before.sample).then_some(self.clock.today()),
            };
            let mut car = before.clone();
            facts.give(&mut car);
            let fingerprint = fingerprint.after(&before, &car);
            let mark = patch.available.map(|available| SoldMark {
                dealership: id.to_owned(),
                car: car_id.to_owned(),
                sold: !available,
            });
            let change = Change {
                basis: Basis::Version(head.version),
                put: Vec::new(),
                remove: Vec::new(),
                marks: mark.into_iter().collect(),
                updates: vec![CarUpdate {
                    dealership: id.to_owned(),
                    car: car_id.to_owned(),
                    facts,
                    fingerprint,
                }],
            };
            if let Some(written) = self.commit(&*state, change, attempt).await? {
                return Ok(written.map(|head| CarReceipt {
                    id: car_id.to_owned(),
                    dealership_id: id.to_owned(),
                    disponivel: facts.available,
                    preco: rows::reais(facts.price),
                    catalog_version: head.version.to_string(),
                    etag: tag(fingerprint),
                }));
            }
        }
        Err(ApiError::StockMoved)
    }

    /// A car that is to change, when the stock in memory has the same cars as that in the store.
    fn in_memory(
        &self,
        head: &Head,
        dealership: &DealershipGlance,
        id: &str,
        car_id: &str,
    ) -> Result<Option<Seen>, ApiError> {
        let DealershipGlance {
            version,
            fingerprint,
            facts,
        } = dealership;
        let served = self.showroom.served();
        let Some(served) = served.filter(|served| served.has_put(&head.version.epoch, id, version)) else {
            return Ok(None);
        };
        let item = served
            .catalogue
            .car(car_id)
            .filter(|item| item.car.dealership_id == id);
        let mut car = item.ok_or(ApiError::CarNotFound)?.car.clone();
        // Memory may be behind an update.
        if let Some(facts) = facts {
            facts.give(&mut car);
        }
        Ok(Some(Seen {
            head: head.clone(),
            fingerprint: *fingerprint,
            car,
        }))
    }

    /// Commits; `None` when somebody else was faster, after a wait that sets two losers apart.
    async fn commit(
        &self,
        state: &dyn State,
        change: Change,
        attempt: u32,
    ) -> Result<Option<Written<Head>>, ApiError> {
        match state.commit(change, &|_| {}).await {
            Ok(written) => Ok(Some(written)),
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

    /// What other dealerships have to do with a stock: from memory when that has the cars of the store, else from the
    /// store. Whatever was put since the change was decided on makes its commit fail, so a later answer does no harm.
    async fn others(
        &self,
        state: &dyn State,
        id: &str,
        cars: &[Car],
        real: bool,
    ) -> Result<Others, ApiError> {
        let wanted: HashSet<&str> = cars.iter().map(|car| car.id.as_str()).collect();
        let versions = state.versions().await?;
        if let Some(served) = self.showroom.served()
            && served.has_puts(&versions)
        {
            let all = || served.catalogue.cars().map(|item| &item.car);
            return Ok(Others::of(all, id, &wanted, real));
        }
        let stored = state.stock().await?.ok_or(StateError::NotOpen)?;
        let all = || stored.dealers.iter().flat_map(|dealer| &dealer.cars);
        Ok(Others::of(all, id, &wanted, real))
    }
}

/// A car that is to change, and what the change is decided on.
struct Seen {
    head: Head,
    /// Of its dealership's stock.
    fingerprint: Fingerprint,
    car: Car,
}

/// Reads the whole stock for one car: right after it was put, until it is in memory.
async fn in_store(state: &dyn State, id: &str, car_id: &str) -> Result<Seen, ApiError> {
    let DealerView {
        head,
        stock,
        fingerprint,
        ..
    } = state.dealer(id).await?;
    let stock = stock.ok_or(ApiError::DealershipNotFound)?;
    let car = stock.cars.into_iter().find(|car| car.id == car_id);
    Ok(Seen {
        head,
        fingerprint,
        car: car.ok_or(ApiError::CarNotFound)?,
    })
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

/// The tag of a stock.
fn tag(fingerprint: Fingerprint) -> String {
    format!("\"{fingerprint}\"")
}

/// Runs what takes a while with a large stock off the event loop.
pub(crate) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| ApiError::Internal)
}
