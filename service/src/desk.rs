//! Where dealers hand their stock in: reads what the store has, decides what becomes of it, and commits that
//! on the version it was decided on. A lost race is decided anew, so two uploads never mix. What comes back
//! is written and yet to be confirmed: the next writer of this process need not wait for the disk.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    mem,
    sync::Arc,
};

use faciliauto_engine::stock::{Car, Cars, Dealership};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::sync::{Mutex, Semaphore, SemaphorePermit};

use self::turns::Turns;
use crate::{
    access::AdminTokens,
    catalogue::{ServedCatalogue, Showroom},
    clock::Clock,
    error::ApiError,
    idempotency::Identity,
    memory,
    race::{ATTEMPTS, stand_back},
    state::{
        Basis, Change, DealerStock, Head, State, StateError, Written,
        dealers::{DealerView, TokenChange, TokenDigest},
        once::{Once, OnceKey, Remembered, VERSION_MADE},
    },
    stock::{
        fingerprint::Fingerprint,
        kept_sold::{Marked, put_back},
        rows,
        upload::Upload,
    },
    store::Store,
};

mod cars;
mod turns;

/// Uploads that are read at the same time: each may hold 64 MiB and a hundred thousand cars.
const UPLOADS_AT_ONCE: usize = 4;

/// What dealers and administrators do passes through here.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) store: Arc<Store>,
    pub(crate) admins: Arc<AdminTokens>,
    pub(crate) clock: Clock,
    showroom: Arc<Showroom>,
    turns: Turns,
    /// What is put makes whatever else is put decide anew, so it is put one by one: mostly other replicas win a race.
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

/// What a writer is answered.
#[derive(Debug)]
pub(crate) struct Answered<Receipt> {
    pub(crate) receipt: Receipt,
    /// Whether it was answered before, under the same key: nothing was done now.
    pub(crate) replayed: bool,
}

impl<Receipt> Answered<Receipt> {
    fn now(receipt: Receipt) -> Self {
        Self {
            receipt,
            replayed: false,
        }
    }
}

/// What became of a dealership's record.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RecordReceipt {
    /// Whether the dealership is new.
    pub(crate) created: bool,
    pub(crate) catalog_version: String,
}

/// What became of a stock that was handed in.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
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
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
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
            turns: Turns::default(),
            writing: Mutex::new(()),
            uploads: Semaphore::new(UPLOADS_AT_ONCE),
        }
    }

    /// A place for an upload, held while it is read and committed.
    pub(crate) fn place(&self) -> Result<SemaphorePermit<'_>, ApiError> {
        self.uploads.try_acquire().map_err(|_| ApiError::Busy)
    }

    /// The record of a dealership.
    pub(crate) async fn record(&self, id: &str) -> Result<Dealership, ApiError> {
        let outline = self.store.current().outline(id).await?;
        let (dealership, _) = outline.dealership.ok_or(ApiError::DealershipNotFound)?;
        Ok(dealership)
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

    /// Creates a dealership, or changes its record.
    pub(crate) async fn put_dealership(
        &self,
        dealership: Dealership,
        identity: Option<&Identity>,
    ) -> Result<Written<Answered<RecordReceipt>>, ApiError> {
        let _of_dealer = self.turns.of(&dealership.id).await;
        let _turn = self.writing.lock().await;
        for attempt in 0..ATTEMPTS {
            let state = self.store.current();
            let DealerView { head, stock, .. } = state.dealer(&dealership.id).await?;
            if let Some(before) = answered_before(&*state, &head, identity).await? {
                return Ok(before);
            }
            let mut receipt = RecordReceipt {
                created: stock.is_none(),
                catalog_version: VERSION_MADE.to_owned(),
            };
            let change = Change {
                basis: Basis::Version(head.version),
                put: vec![Arc::new(DealerStock {
                    dealership: dealership.clone(),
                    cars: stock.map(|stock| stock.cars).unwrap_or_default(),
                })],
                remove: Vec::new(),
                marks: Vec::new(),
                updates: Vec::new(),
                once: to_remember(identity, &receipt)?,
            };
            if let Some(written) = self.commit(&*state, change, attempt).await? {
                return Ok(written.map(|head| {
                    receipt.catalog_version = head.version.to_string();
                    Answered::now(receipt)
                }));
            }
        }
        Err(ApiError::StockMoved)
    }

    /// Gives a dealership a token, or revokes the one it has.
    pub(crate) async fn set_token(
        &self,
        id: &str,
        token: Option<TokenDigest>,
        once: Option<&OnceKey>,
    ) -> Result<(), ApiError> {
        let written = self.store.current().set_dealer_token(id, token, once).await?;
        match written.confirmed().await? {
            TokenChange::Done => Ok(()),
            TokenChange::NoDealership => Err(ApiError::DealershipNotFound),
            TokenChange::UsedBefore => Err(ApiError::IdempotencyKeyUsed),
        }
    }

    /// Checks a stock against itself and against what there is, and swaps it in unless it is a trial.
    pub(crate) async fn put_stock(
        &self,
        dealership: Dealership,
        mut upload: Upload,
        condition: Option<IfMatch>,
        dry_run: bool,
        identity: Option<&Identity>,
    ) -> Result<Written<Answered<StockReceipt>>, ApiError> {
        let record = dealership.clone();
        upload = aside(move || {
            upload.check(&[record]);
            upload
        })
        .await?;
        let id = dealership.id;
        let real = upload.cars.iter().any(|car| !car.sample);
        let _of_dealer = self.turns.of(&id).await;
        let _turn = self.writing.lock().await;
        for attempt in 0..ATTEMPTS {
            let state = self.store.current();
            let Standing {
                head,
                dealership,
                fingerprint,
                sold,
                before,
            } = self.standing(&*state, &id).await?;
            if let Some(before) = answered_before(&*state, &head, identity).await? {
                return Ok(before);
            }
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
            let marked = Marked::new(sold, condition.is_some(), self.clock.now());
            let mut cars = mem::take(&mut upload.cars);
            let (marked, cars, fingerprint, mut receipt) = aside(move || {
                let receipt = settle(&before, &mut cars, &marked);
                let fingerprint = (!dry_run).then(|| Fingerprint::of(&cars));
                (marked, cars, fingerprint, receipt)
            })
            .await?;
            receipt.dealership_id.clone_from(&id);
            let Some(fingerprint) = fingerprint else {
                receipt.dry_run = true;
                receipt.catalog_version = head.version.to_string();
                receipt.etag = etag;
                return Ok(Written::as_it_is(Answered::now(receipt)));
            };
            receipt.catalog_version = VERSION_MADE.to_owned();
            receipt.etag = tag(fingerprint);
            let put = Arc::new(DealerStock { dealership, cars });
            let change = Change {
                basis: Basis::Version(head.version),
                marks: marked.lifted(&id).collect(),
                put: vec![Arc::clone(&put)],
                remove: others.samples,
                updates: Vec::new(),
                once: to_remember(identity, &receipt)?,
            };
            if let Some(written) = self.commit(&*state, change, attempt).await? {
                // Before this process reads the stock as every other does.
                drop(put);
                memory::give_back();
                return Ok(written.map(|head| {
                    receipt.catalog_version = head.version.to_string();
                    Answered::now(receipt)
                }));
            }
            upload.cars = Arc::unwrap_or_clone(put).cars;
            put_back(&mut upload.cars, &receipt.kept_sold);
        }
        Err(ApiError::StockMoved)
    }

    /// A dealership as it is before its stock is put. Its cars are those in memory when the store has no others: reading a
    /// large stock takes as long as putting one, and as much memory.
    async fn standing(&self, state: &dyn State, id: &str) -> Result<Standing, ApiError> {
        let outline = state.outline(id).await?;
        let (dealership, version) = outline.dealership.ok_or(ApiError::DealershipNotFound)?;
        if let Some(served) = self.showroom.served()
            && served.has_cars(&outline.head.version.epoch, id, &version)
        {
            return Ok(Standing {
                head: outline.head,
                dealership,
                fingerprint: outline.fingerprint,
                sold: outline.sold,
                before: Before::InMemory(served, id.to_owned()),
            });
        }
        let DealerView {
            head,
            stock,
            fingerprint,
            sold,
        } = state.dealer(id).await?;
        let DealerStock { dealership, cars } = stock.ok_or(ApiError::DealershipNotFound)?;
        let cars = cars.into_iter().map(|car| (car.id.clone(), car)).collect();
        Ok(Standing {
            head,
            dealership,
            fingerprint,
            sold,
            before: Before::Read(cars),
        })
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
                stand_back(attempt).await;
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// What other dealerships have to do with a stock: from memory when that has the cars of the store, else from the
    /// store. Whatever was put since the change was decided on makes its commit fail, so a later answer does no harm.
    async fn others(&self, state: &dyn State, id: &str, cars: &Cars, real: bool) -> Result<Others, ApiError> {
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

/// What was answered to the same request before. The version must have been read before: a change that is
/// decided on it is refused when another request used the key meanwhile, and then this is asked again.
async fn answered_before<Receipt: DeserializeOwned>(
    state: &dyn State,
    head: &Head,
    identity: Option<&Identity>,
) -> Result<Option<Written<Answered<Receipt>>>, ApiError> {
    let Some(identity) = identity else {
        return Ok(None);
    };
    let Some(before) = state.remembered(&head.version, &identity.key).await? else {
        return Ok(None);
    };
    let answered = before.try_map(|Remembered { fingerprint, answer }| {
        if fingerprint != identity.fingerprint {
            return Err(ApiError::IdempotencyMismatch);
        }
        let receipt = serde_json::from_str(&answer).map_err(|_| ApiError::Internal)?;
        Ok(Answered {
            receipt,
            replayed: true,
        })
    })?;
    Ok(Some(answered))
}

/// What a commit leaves behind for the same request.
fn to_remember<Receipt: Serialize>(
    identity: Option<&Identity>,
    receipt: &Receipt,
) -> Result<Option<Once>, ApiError> {
    let Some(identity) = identity else {
        return Ok(None);
    };
    let answer = serde_json::to_string(receipt).map_err(|_| ApiError::Internal)?;
    Ok(Some(identity.answered(answer)))
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

/// A dealership before its stock is put.
struct Standing {
    head: Head,
    dealership: Dealership,
    /// Of its cars.
    fingerprint: Fingerprint,
    sold: BTreeMap<String, Timestamp>,
    before: Before,
}

/// The cars of one dealership before.
enum Before {
    /// Those that this catalogue has of it.
    InMemory(Arc<ServedCatalogue>, String),
    /// By id.
    Read(HashMap<String, Car>),
}

impl Before {
    fn car(&self, id: &str) -> Option<&Car> {
        match self {
            Self::Read(cars) => cars.get(id),
            Self::InMemory(served, dealership) => {
                let item = served.catalogue.car(id)?;
                (item.car.dealership_id == *dealership).then_some(&item.car)
            }
        }
    }

    fn count(&self) -> usize {
        match self {
            Self::Read(cars) => cars.len(),
            Self::InMemory(served, dealership) => {
                let all = served.catalogue.cars();
                all.filter(|item| item.car.dealership_id == *dealership).count()
            }
        }
    }
}

/// Lets cars stay sold, and counts what is new, other and gone.
fn settle(before: &Before, cars: &mut Cars, marked: &Marked) -> StockReceipt {
    let kept_sold = marked.keep_sold(cars);
    let (mut added, mut changed) = (0, 0);
    for car in cars.iter() {
        match before.car(&car.id) {
            None => added += 1,
            // That it was handed in again is no change.
            Some(before)
                if (Car {
                    confirmed_on: car.confirmed_on,
                    ..before.clone()
                }) != *car =>
            {
                changed += 1
            }
            Some(_) => {}
        }
    }
    StockReceipt {
        dealership_id: String::new(),
        dry_run: false,
        cars: cars.len(),
        available: cars.iter().filter(|car| car.available).count(),
        added,
        changed,
        // Ids are distinct on both sides by now.
        removed: before.count() + added - cars.len(),
        kept_sold,
        catalog_version: String::new(),
        etag: String::new(),
    }
}

/// The tag of a stock.
pub(crate) fn tag(fingerprint: Fingerprint) -> String {
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
