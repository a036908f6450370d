//! Reads a generation from its beginning to its end, as the lines that an archive has.

use std::{
    collections::{BTreeMap, HashSet, hash_map::RandomState},
    hash::BuildHasher,
};

use faciliauto_engine::stock::Car;
use futures::{TryStreamExt, future::BoxFuture};

use super::{
    error::BackupError,
    format::{
        families::Family,
        records::{self, LedgerRecord, PersonSecretRecord, TokenRecord},
    },
    pace::{Pace, Pacer},
    progress::Progress,
};
use crate::state::{
    CatalogVersion, State, StateError,
    events::{Deed, Event},
    generations::{DealerRecords, Epoch, Private},
};

/// Bytes of small records that are gathered before they are handed on.
const GATHERED: usize = 128 << 10;

/// Cars that are written at once, well within a piece of work.
const CARS_IN_A_PIECE: usize = 16;

/// Takes lines of families.
pub trait Sinks: Send {
    /// Whole lines, in the family's order.
    fn write(
        &mut self,
        family: Family,
        lines: Vec<u8>,
        records: u64,
    ) -> BoxFuture<'_, Result<(), BackupError>>;
}

/// Why a generation was not read.
#[derive(Debug)]
pub enum WalkError {
    /// Stock moved in such a way that what was read does not go together: begin again.
    Moved(String),
    /// Anything else.
    Failed(BackupError),
}

impl<E: Into<BackupError>> From<E> for WalkError {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Reads all of a generation; gives the version of its stock when it began.
///
/// # Errors
/// Those of the store and of the sinks.
pub async fn walk(
    state: &dyn State,
    generation: &Epoch,
    sinks: &mut dyn Sinks,
    progress: &Progress,
    pace: Pace,
) -> Result<CatalogVersion, WalkError> {
    let mut pacer = Pacer::begin(pace);
    let outline = state.generation_outline(generation).await?;
    let mut lines = Gathering::new(sinks);
    let mut ids = Ids::default();
    progress.begin("stock", None);
    for id in &outline.dealers {
        // One that was removed meanwhile is not there at one moment of the run.
        if let Some(records) = state.dealer_records(generation, id).await? {
            write_dealer(records, &mut lines, &mut ids, &mut pacer, progress).await?;
        }
        pacer.rest().await;
    }
    progress.begin("events", None);
    let at_once = pace.events_at_once();
    let mut before = None;
    loop {
        let page = state.events_page(generation, at_once, before).await?;
        for event in &page {
            write_event(event, &mut lines)?;
            pacer.rest().await;
        }
        lines.hand_on().await?;
        pacer.begin_again();
        progress.add(page.len() as u64);
        before = page.last().map(Event::cursor);
        if page.len() < at_once {
            break;
        }
    }
    // Last: an erasure during the run is in it, whatever was read before.
    let private = state.private(generation).await?;
    write_private(&private, &mut lines).await?;
    lines.flush().await?;
    progress.end();
    Ok(outline.version)
}

/// The ids of cars so far, as digests under a key of this run: 8 bytes a car.
#[derive(Default)]
pub(super) struct Ids {
    seen: HashSet<u64>,
    hasher: RandomState,
}

impl Ids {
    /// A car that went from a dealership to one that is read later is there twice.
    fn add(&mut self, cars: &[Car]) -> Result<(), WalkError> {
        for car in cars {
            if !self.seen.insert(self.hasher.hash_one(&car.id)) {
                return Err(WalkError::Moved(format!(
                    "the car {} changed its dealership",
                    car.id
                )));
            }
        }
        Ok(())
    }
}

pub(super) async fn write_dealer(
    records: DealerRecords<'_>,
    lines: &mut Gathering<'_>,
    ids: &mut Ids,
    pacer: &mut Pacer,
    progress: &Progress,
) -> Result<(), WalkError> {
    let DealerRecords {
        dealership,
        token,
        sold,
        number_of_cars: _,
        fingerprint: _,
        mut cars,
    } = records;
    let id = dealership.id.as_str();
    records::write_dealership(&dealership, lines.of(Family::Dealerships, 1));
    if let Some(token) = token {
        let record = TokenRecord {
            dealership: id.to_owned(),
            sha256: token.to_hexadecimal(),
        };
        records::write_line(&record, lines.of(Family::Tokens, 1)).map_err(unwritable)?;
    }
    records::write_sold(id, &sold, lines.of(Family::Sold, sold.len() as u64)).map_err(unwritable)?;
    while let Some(batch) = cars.try_next().await.map_err(|error| match error {
        StateError::Moved => WalkError::Moved(format!("the stock of {id} was replaced while it was read")),
        error => WalkError::Failed(error.into()),
    })? {
        ids.add(&batch)?;
        for cars in batch.chunks(CARS_IN_A_PIECE) {
            records::write_cars(cars, lines.of(Family::Stock, cars.len() as u64)).map_err(unwritable)?;
            pacer.rest().await;
        }
        lines.hand_on().await?;
        pacer.begin_again();
        progress.add(batch.len() as u64);
    }
    lines.hand_on().await?;
    Ok(())
}

pub(super) fn write_event(event: &Event, lines: &mut Gathering<'_>) -> Result<(), BackupError> {
    let family = match event.deed {
        Deed::Feedback { .. } => Family::Feedback,
        Deed::Interaction { .. } => Family::Interactions,
    };
    records::write_event(event, lines.of(family, 1)).map_err(unwritable)
}

pub(super) async fn write_private(private: &Private, lines: &mut Gathering<'_>) -> Result<(), BackupError> {
    let Private {
        person_secret,
        former_secrets,
        ledger,
    } = private;
    let own = person_secret.iter().map(|secret| (secret, false));
    let former = former_secrets.iter().map(|secret| (secret, true));
    for (secret, former) in own.chain(former) {
        let record = PersonSecretRecord {
            person_secret: secret.reveal().to_owned(),
            former,
        };
        records::write_line(&record, lines.of(Family::PersonSecret, 1)).map_err(unwritable)?;
    }
    for (entry, at) in ledger {
        let record = LedgerRecord {
            entry: entry.clone(),
            at: *at,
        };
        records::write_line(&record, lines.of(Family::Ledger, 1)).map_err(unwritable)?;
        lines.hand_on().await?;
    }
    Ok(())
}

fn unwritable(error: std::io::Error) -> BackupError {
    BackupError::Other(format!("failed to write a record: {error}"))
}

/// Gathers lines, so that small records are not handed on one by one.
pub(super) struct Gathering<'a> {
    sinks: &'a mut dyn Sinks,
    waiting: BTreeMap<Family, (Vec<u8>, u64)>,
}

impl<'a> Gathering<'a> {
    pub(super) fn new(sinks: &'a mut dyn Sinks) -> Self {
        Self {
            sinks,
            waiting: BTreeMap::new(),
        }
    }

    /// Where so many further records of a family are to be written.
    pub(super) fn of(&mut self, family: Family, records: u64) -> &mut Vec<u8> {
        let (lines, number) = self.waiting.entry(family).or_default();
        *number += records;
        lines
    }

    /// Hands on what is enough.
    async fn hand_on(&mut self) -> Result<(), BackupError> {
        self.hand_on_from(GATHERED).await
    }

    /// Hands on everything.
    pub(super) async fn flush(&mut self) -> Result<(), BackupError> {
        self.hand_on_from(1).await
    }

    async fn hand_on_from(&mut self, bytes: usize) -> Result<(), BackupError> {
        for (family, (lines, records)) in &mut self.waiting {
            if lines.len() >= bytes {
                let lines = std::mem::take(lines);
                self.sinks.write(*family, lines, std::mem::take(records)).await?;
            }
        }
        Ok(())
    }
}
