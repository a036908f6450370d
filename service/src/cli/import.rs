//! Writes stock into the shared store.
//!
//! ```text
//!   file ──rows, one by one──▶ StockFile ──checked against──▶ Standing (what the store has) ──▶ one commit
//! ```
//!
//! - A store that is not open is opened: its whole first stock and its generation appear in one step, so an
//!   import that dies leaves it unopened, and the next one begins anew.
//! - `--sample` and `--none` do nothing to a store that is open: they are how a deployment begins.
//! - A file replaces the stock of each dealership that it names, all in one step, and leaves the others; a document
//!   brings the records of its dealerships along. Cars that are no samples drive out every dealership that has nothing
//!   but samples.
//! - A car that its dealer marked sold in the last 24 hours stays sold, as with an upload: without a condition a file
//!   knows nothing of the sale.

use std::{
    io::{self, Write},
    time::{Duration, Instant},
};

use anyhow::Context;
use serde::Serialize;

pub use self::commit::import;
use super::report;
use crate::{
    clock::Clock,
    configuration::{ImportFile, ImportSource, Settings},
    state::{
        Progress, State, StateError,
        redis::{Patience, RedisState},
    },
    stock::{self, StockFile},
    telemetry,
};

mod commit;
mod reading;
mod standing;

/// How long to wait for a store that is being started together with this import.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether this import opened the store.
    pub created: bool,
    /// Whether stock was written.
    pub imported: bool,
    /// Whether it was a trial: everything was checked, and nothing written.
    pub dry_run: bool,
    /// The store's generation; empty when it has none.
    pub generation: String,
    /// The version of the stock that the store has now; empty when it has none.
    pub catalog_version: String,
    /// Cars in the store now, or were it no trial.
    pub cars: usize,
    /// Dealerships in the store now, or were it no trial.
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
    say(&match &report {
        Report { dry_run: true, .. } => format!(
            "it can be imported: the store would have {} cars; nothing was written",
            report.cars
        ),
        Report { created: true, .. } => format!("opened the store with {} cars", report.cars),
        Report { imported: true, .. } => format!("imported; the store has {} cars", report.cars),
        _ => "nothing done: the store is open already".to_owned(),
    });
    say(&line);
    Ok(())
}

async fn from_settings(settings: &Settings, source: &ImportSource) -> anyhow::Result<Report> {
    let connection = settings.redis.as_ref().context("import needs a store")?;
    let state = RedisState::new(connection.resolve()?, &connection.key_prefix, Patience::IMPORTING)?;
    let clock = Clock::system();
    let terminal = telemetry::on_terminal();
    let incoming = read(source, &clock, terminal)?;
    wait_for(&state).await?;
    import(&state, incoming, &clock, &move |progress| {
        show(progress, terminal)
    })
    .await
}

/// Reads what is to be imported, before anything is written.
fn read(source: &ImportSource, clock: &Clock, terminal: bool) -> anyhow::Result<Incoming> {
    let begins = |file| Incoming {
        file,
        keeps_open_store: true,
        ..Incoming::default()
    };
    let ImportFile {
        path,
        dealership,
        if_match,
        dry_run,
    } = match source {
        ImportSource::Nothing => return Ok(begins(None)),
        ImportSource::Sample => {
            let file = StockFile::read(stock::SAMPLE.as_bytes(), None, clock.today())?;
            return Ok(begins(Some(file)));
        }
        ImportSource::File(file) => file,
    };
    let file = reading::read(path, dealership.as_deref(), clock.today(), terminal)?;
    Ok(Incoming {
        file: Some(file),
        keeps_open_store: false,
        condition: if_match.clone(),
        dry_run: *dry_run,
    })
}

/// What is to be imported.
#[derive(Debug, Default)]
pub struct Incoming {
    /// The stock; `None` = none at all.
    pub file: Option<StockFile>,
    /// Whether a store that is open stays as it is.
    pub keeps_open_store: bool,
    /// ETags one of which the stock of the one dealership that the file is of must have, as `If-Match` names them.
    pub condition: Option<String>,
    /// Whether everything is checked and nothing written.
    pub dry_run: bool,
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

/// A line that overwrites itself for a person, one line for each dealership otherwise.
fn show(progress: Progress<'_>, terminal: bool) {
    let Progress {
        dealership,
        written,
        pieces,
    } = progress;
    let text = format!("{dealership}: {written} of {pieces} pieces");
    let ended = written == pieces;
    if terminal {
        say_over(&text, if ended { "\n" } else { "" });
    } else if ended {
        say(&text);
    }
}

/// Says something to whoever listens: an import goes on when nobody does.
fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Says something in place of what stands in the line of a terminal.
fn say_over(text: &str, end: &str) {
    let _ = write!(io::stderr(), "\r\x1b[K{text}{end}");
}
