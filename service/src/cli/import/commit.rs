//! Decides what a file makes of what a store has, and commits that on the version it was decided on; whoever loses a race
//! decides anew.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    mem,
    sync::Arc,
};

use anyhow::Context;
use faciliauto_engine::stock::Dealership;
use jiff::Timestamp;

use super::{
    Incoming, Report, say,
    standing::{Named, Seen, Standing},
};
use crate::{
    clock::Clock,
    desk::{IfMatch, tag},
    race::{ATTEMPTS, stand_back},
    state::{Basis, Change, DealerStock, Progress, State, StateError},
    stock::{
        StockFile,
        file::Part,
        kept_sold::{Marked, put_back},
    },
};

const DAMAGED: &str = "the store has a generation, but the version of its stock is missing: it is damaged";

/// Imports into any store.
///
/// # Errors
/// Those of the store, or a file that has mistakes or does not go together with the stock that is there.
pub async fn import(
    state: &dyn State,
    incoming: Incoming,
    clock: &Clock,
    progress: &(dyn Fn(Progress<'_>) + Send + Sync),
) -> anyhow::Result<Report> {
    let Incoming {
        mut file,
        keeps_open_store,
        condition,
        dry_run,
    } = incoming;
    let condition = condition.as_deref().map(IfMatch::parse);
    let mut seen = Seen::default();
    for attempt in 0..ATTEMPTS {
        let named = file.as_ref().filter(|_| !keeps_open_store);
        let mut standing = match stand(state, named, &mut seen).await {
            Err(StateError::Moved) => {
                stand_back(attempt).await;
                continue;
            }
            standing => standing?,
        };
        if keeps_open_store && standing.head.is_some() {
            return Ok(report_of(&standing, &[]));
        }
        let put = match &mut file {
            None => Vec::new(),
            Some(file) => put(file, &mut standing, condition.as_ref(), clock.now())?,
        };
        if dry_run {
            if standing.head.is_none() && state.generation().await?.is_some() {
                anyhow::bail!(DAMAGED);
            }
            tell_sold(&put);
            return Ok(Report {
                dry_run: true,
                ..report_of(&standing, &put)
            });
        }
        let created = standing.head.is_none();
        let change = change(&standing, &put);
        match state.commit(change, progress).await {
            Ok(written) => {
                let head = written.confirmed().await?;
                tell_sold(&put);
                standing.head = Some(head);
                return Ok(Report {
                    created,
                    imported: true,
                    ..report_of(&standing, &put)
                });
            }
            Err(StateError::AlreadyOpen) if state.head().await?.is_none() => {
                anyhow::bail!(DAMAGED)
            }
            Err(StateError::Moved | StateError::AlreadyOpen) => {
                if let Some(file) = &mut file {
                    file.join(put.into_iter().map(Put::give_back).collect());
                }
                stand_back(attempt).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
    anyhow::bail!("the stock was changed by others {ATTEMPTS} times in a row; try again")
}

fn tell_sold(put: &[Put]) {
    let kept_sold: Vec<&str> = put
        .iter()
        .flat_map(|put| &put.kept_sold)
        .map(String::as_str)
        .collect();
    if !kept_sold.is_empty() {
        say(&format!(
            "stay sold, as they were marked in the last 24 hours: {}",
            kept_sold.join(", ")
        ));
    }
}

/// What the store has that matters to a file.
async fn stand(state: &dyn State, file: Option<&StockFile>, seen: &mut Seen) -> Result<Standing, StateError> {
    let Some(file) = file else {
        return Standing::read(state, &BTreeSet::new(), &HashSet::new(), false, seen).await;
    };
    let cars = file.cars();
    let ids = cars.iter().map(|car| car.id.as_str()).collect();
    let real = cars.iter().any(|car| !car.sample);
    Standing::read(state, &file.named(), &ids, real, seen).await
}

/// The stock of one dealership as it is to be.
struct Put {
    stock: Arc<DealerStock>,
    /// What was taken out of the file, without its cars.
    part: Part,
    /// Ids of cars that the file has on offer and that stay sold.
    kept_sold: Vec<String>,
    marked: Marked,
}

impl Put {
    fn new(mut part: Part, dealership: Dealership, marked: Marked) -> Self {
        let mut cars = mem::take(&mut part.cars);
        let kept_sold = marked.keep_sold(&mut cars);
        Self {
            stock: Arc::new(DealerStock { dealership, cars }),
            part,
            kept_sold,
            marked,
        }
    }

    /// What was taken out of the file, as it was.
    fn give_back(self) -> Part {
        let Self {
            stock,
            mut part,
            kept_sold,
            ..
        } = self;
        // Whoever was to write it is done with it, so nothing is copied.
        part.cars = Arc::unwrap_or_clone(stock).cars;
        put_back(&mut part.cars, &kept_sold);
        part
    }
}

/// Takes the cars out of a file that goes together with what the store has.
fn put(
    file: &mut StockFile,
    standing: &mut Standing,
    condition: Option<&IfMatch>,
    now: Timestamp,
) -> anyhow::Result<Vec<Put>> {
    if let Some(id) = file.named_beside() {
        let Some(Named { fingerprint, .. }) = standing.named.get(id) else {
            anyhow::bail!("the store has no dealership {id:?}: write its record first");
        };
        let etag = tag(*fingerprint);
        // A shell takes the quotes away.
        let is_meant =
            |condition: &IfMatch| condition.names(&etag) || condition.names(etag.trim_matches('"'));
        if !condition.is_none_or(is_meant) {
            anyhow::bail!("the stock of {id:?} is another than --if-match says: its ETag is {etag}");
        }
    }
    file.check(&standing.records());
    file.refuse(&standing.others.taken);
    file.good()?;
    let own = file.dealerships().unwrap_or_default().iter();
    let mut records: BTreeMap<String, Dealership> = own
        .map(|dealership| (dealership.id.clone(), dealership.clone()))
        .collect();
    let mut put = Vec::new();
    for part in file.part() {
        let before = standing.named.remove(&part.dealership);
        let (stored, sold) = before.map(|named| (named.dealership, named.sold)).unzip();
        let record = records.remove(&part.dealership).or(stored);
        let dealership = record.with_context(|| format!("there is no dealership {:?}", part.dealership))?;
        let marked = Marked::new(sold.unwrap_or_default(), condition.is_some(), now);
        put.push(Put::new(part, dealership, marked));
    }
    Ok(put)
}

fn change(standing: &Standing, put: &[Put]) -> Change {
    let lifted = put.iter().flat_map(|put| put.marked.lifted(&put.part.dealership));
    let basis = standing
        .head
        .as_ref()
        .map_or(Basis::Unopened, |head| Basis::Version(head.version.clone()));
    Change {
        basis,
        marks: lifted.collect(),
        put: put.iter().map(|put| Arc::clone(&put.stock)).collect(),
        remove: standing.others.gone.clone(),
        updates: Vec::new(),
        once: None,
    }
}

/// What the store has with a stock in it.
fn report_of(standing: &Standing, put: &[Put]) -> Report {
    let version = standing.head.as_ref().map(|head| &head.version);
    let cars: usize = put.iter().map(|put| put.stock.cars.len()).sum();
    Report {
        created: false,
        imported: false,
        dry_run: false,
        generation: version.map(|version| version.epoch.clone()).unwrap_or_default(),
        catalog_version: version.map(ToString::to_string).unwrap_or_default(),
        cars: standing.others.cars + cars,
        dealerships: standing.others.dealerships + put.len(),
    }
}
