//! Writes stock into the shared store.
//!
//! - A store that is not open is opened: its whole first stock and its generation appear in one step, so an
//!   import that dies leaves it unopened, and the next one begins anew.
//! - `--sample` and `--none` do nothing to a store that is open: they are how a deployment begins.
//! - A file replaces the record and the stock of each dealership that it names, all in one step, and leaves
//!   the others. Cars that are no samples drive out every dealership that has nothing but samples.
//! - A car that its dealer marked sold in the last 24 hours stays sold, as with an upload that names no version: a file
//!   knows nothing of the sale.

use std::{
    collections::BTreeMap,
    fs,
    time::{Duration, Instant},
};

use anyhow::Context;
use faciliauto_engine::{
    stock::{Car, Stock},
    tables::Tables,
};
use jiff::Timestamp;
use serde::Serialize;

use super::report;
use crate::{
    clock::Clock,
    configuration::{ImportSource, Settings},
    desk::stays_sold,
    state::{
        Basis, Change, DealerStock, Progress, State, StateError, StoredStock,
        dealers::SoldMark,
        redis::{Patience, RedisState},
    },
    stock::{self, StockFile},
    telemetry,
};

/// How long to wait for a store that is being started together with this import.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// How often to begin again when somebody else changed the stock meanwhile.
const ATTEMPTS: usize = 5;

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether this import opened the store.
    pub created: bool,
    /// Whether stock was written.
    pub imported: bool,
    /// The store's generation.
    pub generation: String,
    /// The version of the stock that the store has now.
    pub catalog_version: String,
    /// Cars in the store now.
    pub cars: usize,
    /// Dealerships in the store now.
    pub dealerships: usize,
}

/// Imports as the settings say and reports, on the standard error and in the report file.
///
/// # Errors
/// Whatever kept it from being done, after it stands in the report file as well.
pub async fn run(settings: &Settings, source: &ImportSource) -> anyhow::Result<()> {
    let outcome = from_settings(settings, source).await;
    let line = report::line(&outcome)?;
    report::write(settings.report_file.as_deref(), &line)?;
    let report = outcome?;
    say(&match (report.created, report.imported) {
        (true, _) => format!("opened the store with {} cars", report.cars),
        (false, true) => format!("imported; the store has {} cars", report.cars),
        (false, false) => "nothing done: the store is open already".to_owned(),
    });
    say(&line);
    Ok(())
}

async fn from_settings(settings: &Settings, source: &ImportSource) -> anyhow::Result<Report> {
    let connection = settings.redis.as_ref().context("import needs a store")?;
    let state = RedisState::new(connection.resolve()?, &connection.key_prefix, Patience::IMPORTING)?;
    let clock = Clock::system();
    let file = read(source, &clock)?;
    wait_for(&state).await?;
    let terminal = telemetry::on_terminal();
    import(&state, file, &clock, &move |progress| show(progress, terminal)).await
}

/// Reads and checks what is to be imported, before anything is written.
fn read(source: &ImportSource, clock: &Clock) -> anyhow::Result<Incoming> {
    let (text, keeps_open_store) = match source {
        ImportSource::Nothing => {
            return Ok(Incoming {
                file: None,
                keeps_open_store: true,
            });
        }
        ImportSource::Sample => (stock::SAMPLE.to_owned(), true),
        ImportSource::File(path) => {
            let text =
                fs::read_to_string(path).with_context(|| format!("failed to read {}", path.display()))?;
            (text, false)
        }
    };
    let file = StockFile::read(&text, clock.today())?;
    file.check(&tables()?, clock.today())?;
    for warning in &file.warnings {
        say(&format!("warning: {} {}", warning.pointer, warning.message));
    }
    Ok(Incoming {
        file: Some(file),
        keeps_open_store,
    })
}

fn tables() -> anyhow::Result<Tables> {
    Tables::bundled().context("failed to read the bundled tables")
}

/// What is to be imported.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// The stock; `None` = none at all.
    pub file: Option<StockFile>,
    /// Whether a store that is open stays as it is.
    pub keeps_open_store: bool,
}

/// A store that starts at the same time is worth waiting for; one that refuses is not.
async fn wait_for(state: &dyn State) -> Result<(), StateError> {
    let begun = Instant::now();
    loop {
        match state.head().await {
            Err(StateError::Reach(reason)) if begun.elapsed() < LONGEST_WAIT => {
                say(&format!("waiting for the store: {reason}"));
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            Err(error) => return Err(error),
            Ok(_) => return Ok(()),
        }
    }
}

/// Imports into any store.
///
/// # Errors
/// Those of the store, or a file that does not go together with the stock that is there.
pub async fn import(
    state: &dyn State,
    incoming: Incoming,
    clock: &Clock,
    progress: &(dyn Fn(Progress<'_>) + Send + Sync),
) -> anyhow::Result<Report> {
    let tables = tables()?;
    let Incoming {
        file,
        keeps_open_store,
    } = incoming;
    for _ in 0..ATTEMPTS {
        let stored = state.stock().await?;
        let created = stored.is_none();
        if let Some(stored) = stored.as_ref().filter(|_| keeps_open_store) {
            return Ok(report_of(stored, false, false));
        }
        let mut stock = file.as_ref().map(|file| file.stock.clone()).unwrap_or_default();
        let sold = match &stored {
            Some(stored) => sold_marks(state, stored, &stock).await?,
            None => SoldMarks::new(),
        };
        let kept_sold = keep_sold(&mut stock.cars, &sold, clock.now());
        let change = change(stored, stock, &sold, &tables, clock)?;
        match state.commit(change, progress).await {
            Ok(written) => {
                written.confirmed().await?;
            }
            Err(StateError::AlreadyOpen) if state.head().await?.is_none() => {
                anyhow::bail!(
                    "the store has a generation, but the version of its stock is missing: it is damaged"
                )
            }
            Err(StateError::Moved | StateError::AlreadyOpen) => continue,
            Err(error) => return Err(error.into()),
        }
        let stored = state
            .stock()
            .await?
            .context("the store lost the stock that was just committed")?;
        if !kept_sold.is_empty() {
            say(&format!(
                "stay sold, as they were marked in the last 24 hours: {}",
                kept_sold.join(", ")
            ));
        }
        return Ok(report_of(&stored, created, true));
    }
    anyhow::bail!("the stock was changed by others {ATTEMPTS} times in a row; try again")
}

fn report_of(stored: &StoredStock, created: bool, imported: bool) -> Report {
    Report {
        created,
        imported,
        generation: stored.head.version.epoch.clone(),
        catalog_version: stored.head.version.to_string(),
        cars: stored.dealers.iter().map(|dealer| dealer.cars.len()).sum(),
        dealerships: stored.dealers.len(),
    }
}

/// When which cars were marked sold, by dealership.
type SoldMarks = BTreeMap<String, BTreeMap<String, Timestamp>>;

/// The marks of those dealerships of a stock that are there already. A mark that comes later makes the commit fail.
async fn sold_marks(state: &dyn State, stored: &StoredStock, stock: &Stock) -> Result<SoldMarks, StateError> {
    let mut sold = SoldMarks::new();
    for dealership in &stock.dealerships {
        if stored
            .dealers
            .iter()
            .any(|dealer| dealer.dealership.id == dealership.id)
        {
            let outline = state.outline(&dealership.id).await?;
            sold.insert(dealership.id.clone(), outline.sold);
        }
    }
    Ok(sold)
}

/// Lets cars stay sold; gives their ids.
fn keep_sold(cars: &mut [Car], sold: &SoldMarks, now: Timestamp) -> Vec<String> {
    let mut kept = Vec::new();
    for car in cars.iter_mut().filter(|car| car.available) {
        let mark = sold.get(&car.dealership_id).and_then(|sold| sold.get(&car.id));
        if stays_sold(mark, now) {
            car.available = false;
            kept.push(car.id.clone());
        }
    }
    kept
}

/// What a stock makes of what is there; checked as the catalogue that servers would build.
fn change(
    stored: Option<StoredStock>,
    stock: Stock,
    sold: &SoldMarks,
    tables: &Tables,
    clock: &Clock,
) -> anyhow::Result<Change> {
    let put = stock::by_dealership(stock.clone());
    let Some(stored) = stored else {
        return Ok(Change {
            basis: Basis::Unopened,
            put,
            remove: Vec::new(),
            marks: Vec::new(),
            updates: Vec::new(),
            once: None,
        });
    };
    let basis = Basis::Version(stored.head.version.clone());
    let is_put = |id: &str| put.iter().any(|dealer| dealer.dealership.id == id);
    let real = put.iter().flat_map(|dealer| &dealer.cars).any(|car| !car.sample);
    let (gone, kept): (Vec<DealerStock>, Vec<DealerStock>) = stored
        .dealers
        .into_iter()
        .filter(|dealer| !is_put(&dealer.dealership.id))
        .partition(|dealer| real && dealer.is_sample());
    // The file's rows first, so that a mistake is named by its row in the file.
    let mut whole = StockFile {
        stock,
        warnings: vec![],
    };
    for DealerStock { dealership, cars } in kept {
        whole.stock.dealerships.push(dealership);
        whole.stock.cars.extend(cars);
    }
    whole
        .check(tables, clock.today())
        .context("the file does not go together with the stock that is there")?;
    let now = clock.now();
    let unmarked = sold.iter().flat_map(|(dealership, cars)| {
        let old = cars.iter().filter(|(_, at)| !stays_sold(Some(at), now));
        old.map(|(car, _)| SoldMark {
            dealership: dealership.clone(),
            car: car.clone(),
            sold: false,
        })
    });
    Ok(Change {
        basis,
        put,
        remove: gone.into_iter().map(|dealer| dealer.dealership.id).collect(),
        marks: unmarked.collect(),
        updates: Vec::new(),
        once: None,
    })
}

/// A line that overwrites itself for a person, one line for each dealership otherwise.
fn show(progress: Progress<'_>, terminal: bool) {
    let Progress {
        dealership,
        written,
        pieces,
    } = progress;
    if terminal {
        eprint!("\r\x1b[K{dealership}: {written} of {pieces} pieces");
        if written == pieces {
            eprintln!();
        }
    } else if written == pieces {
        say(&format!("{dealership}: {written} of {pieces} pieces"));
    }
}

fn say(line: &str) {
    eprintln!("{line}");
}
