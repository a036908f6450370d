//! Reads an archive from its beginning to its end into whatever takes it: a new generation of a store, the store in
//! memory by which a backup is proven, or nothing at all, where only the archive itself is checked.

use std::{
    collections::{BTreeMap, HashSet, hash_map::RandomState},
    hash::BuildHasher,
    sync::Arc,
};

use faciliauto_engine::stock::Car;
use futures::{
    FutureExt, StreamExt, TryStreamExt,
    future::BoxFuture,
    stream::{self},
};
use jiff::Timestamp;
use tokio::sync::Mutex;

use super::{
    archive::Archive,
    error::BackupError,
    format::{
        families::Family,
        records::{self, DeclaredRecord, LedgerRecord, PersonSecretRecord, SoldRecord, TokenRecord},
    },
    progress::Progress,
    unpacking::{FamilyReader, ReadLine},
};
use crate::state::{
    dealers::TokenDigest,
    events::{Cursor, Event, MOST_AT_ONCE},
    generations::{CARS_AT_ONCE, CarBatches, FilledDealer, PersonSecret, Private, SourceError},
};

/// Takes what an archive holds, in this order: what is private, dealerships by id, events.
pub trait Filler: Send {
    /// Secrets and ledger; once, and first.
    fn private<'a>(&'a mut self, private: &'a Private) -> BoxFuture<'a, Result<(), BackupError>>;

    /// A dealership; its cars must be taken to their end.
    fn dealer<'a>(
        &'a mut self,
        dealer: FilledDealer,
        cars: CarBatches<'a, SourceError>,
    ) -> BoxFuture<'a, Result<(), BackupError>>;

    /// Events of one family, newest first.
    fn events<'a>(&'a mut self, events: &'a [Event]) -> BoxFuture<'a, Result<(), BackupError>>;
}

/// Takes everything and keeps nothing: then the archive alone is checked.
pub struct Nowhere;

impl Filler for Nowhere {
    fn private<'a>(&'a mut self, _private: &'a Private) -> BoxFuture<'a, Result<(), BackupError>> {
        async { Ok(()) }.boxed()
    }

    fn dealer<'a>(
        &'a mut self,
        _dealer: FilledDealer,
        mut cars: CarBatches<'a, SourceError>,
    ) -> BoxFuture<'a, Result<(), BackupError>> {
        async move {
            while cars.try_next().await.map_err(of_source)?.is_some() {}
            Ok(())
        }
        .boxed()
    }

    fn events<'a>(&'a mut self, _events: &'a [Event]) -> BoxFuture<'a, Result<(), BackupError>> {
        async { Ok(()) }.boxed()
    }
}

/// What kept cars of an archive from being read, which is always one of ours.
pub(super) fn of_source(reason: SourceError) -> BackupError {
    match reason.downcast::<BackupError>() {
        Ok(error) => *error,
        Err(other) => BackupError::Other(other.to_string()),
    }
}

/// Reads all of an archive. What was taken is good once this has answered without an error.
///
/// # Errors
/// An archive that is refused, or what the filler says.
pub async fn load(
    archive: &Archive,
    filler: &mut dyn Filler,
    progress: &Progress,
) -> Result<(), BackupError> {
    let private = read_private(archive).await?;
    filler.private(&private).await?;
    progress.begin("stock", Some(archive.manifest().records(Family::Stock)));
    load_dealers(archive, filler, progress).await?;
    let events: [(Family, &'static str, ReadLine<Event>); 2] = [
        (Family::Feedback, "feedback", records::read_feedback),
        (Family::Interactions, "interactions", records::read_interaction),
    ];
    for (family, name, read) in events {
        progress.begin(name, Some(archive.manifest().records(family)));
        load_events(archive, family, read, filler, progress).await?;
    }
    let mut declared = FamilyReader::start(archive, Family::Declared, records::read_line::<DeclaredRecord>);
    while declared.next().await?.is_some() {}
    progress.end();
    Ok(())
}

/// What an archive knows of people beside their events.
///
/// # Errors
/// An archive that is refused.
pub async fn read_private(archive: &Archive) -> Result<Private, BackupError> {
    let mut private = Private::default();
    let mut secrets = FamilyReader::start(
        archive,
        Family::PersonSecret,
        records::read_line::<PersonSecretRecord>,
    );
    while let Some(PersonSecretRecord {
        person_secret,
        former,
    }) = secrets.next().await?
    {
        let secret = PersonSecret::new(person_secret);
        if former {
            private.former_secrets.push(secret);
        } else if private.person_secret.replace(secret).is_some() {
            return Err(archive.damaged("it has two secrets for one store".to_owned()));
        }
    }
    let mut ledger = FamilyReader::start(archive, Family::Ledger, records::read_line::<LedgerRecord>);
    while let Some(LedgerRecord { entry, at }) = ledger.next().await? {
        in_order(
            archive,
            private.ledger.last_key_value().map(|(last, _)| last),
            &entry,
            Family::Ledger,
        )?;
        private.ledger.insert(entry, at);
    }
    Ok(private)
}

/// Two records that are one, or out of order, would not come back as they are.
fn in_order<T: PartialOrd>(
    archive: &Archive,
    last: Option<&T>,
    next: &T,
    family: Family,
) -> Result<(), BackupError> {
    match last {
        Some(last) if last >= next => Err(archive.damaged(format!(
            "{} has a record twice, or records out of order",
            family.word()
        ))),
        _ => Ok(()),
    }
}

async fn load_dealers(
    archive: &Archive,
    filler: &mut dyn Filler,
    progress: &Progress,
) -> Result<(), BackupError> {
    let mut dealerships = FamilyReader::start(archive, Family::Dealerships, records::read_dealership);
    let mut tokens = FamilyReader::start(archive, Family::Tokens, records::read_line::<TokenRecord>);
    let mut sold = FamilyReader::start(archive, Family::Sold, records::read_line::<SoldRecord>);
    let stock = Arc::new(Mutex::new(StockReader {
        archive: archive.clone(),
        cars: FamilyReader::start(archive, Family::Stock, records::read_car),
        ids: HashSet::new(),
        hasher: RandomState::new(),
    }));
    let mut last: Option<String> = None;
    while let Some(dealership) = dealerships.next().await? {
        let id = dealership.id.clone();
        in_order(archive, last.as_ref(), &id, Family::Dealerships)?;
        let dealer = FilledDealer {
            token: token_of(archive, &mut tokens, &id).await?,
            sold: sold_of(archive, &mut sold, &id).await?,
            dealership,
        };
        filler
            .dealer(dealer, cars_of(Arc::clone(&stock), id.clone(), progress))
            .await?;
        last = Some(id);
    }
    let mut stock = stock.lock().await;
    let orphan = [
        tokens
            .peek()
            .await?
            .map(|record| (Family::Tokens, &record.dealership)),
        sold.peek()
            .await?
            .map(|record| (Family::Sold, &record.dealership)),
        stock
            .cars
            .peek()
            .await?
            .map(|car| (Family::Stock, &car.dealership_id)),
    ];
    match orphan.into_iter().flatten().next() {
        None => Ok(()),
        Some((family, dealership)) => Err(archive.damaged(format!(
            "{} has a record of {dealership}, which is no dealership of it, or out of order",
            family.word()
        ))),
    }
}

async fn token_of(
    archive: &Archive,
    tokens: &mut FamilyReader<TokenRecord>,
    id: &str,
) -> Result<Option<TokenDigest>, BackupError> {
    let of_dealer = tokens.next_while(1, |record| record.dealership == id).await?;
    let digest = of_dealer.first().map(TokenRecord::digest).transpose();
    digest.map_err(|reason| archive.damaged(reason))
}

async fn sold_of(
    archive: &Archive,
    sold: &mut FamilyReader<SoldRecord>,
    id: &str,
) -> Result<BTreeMap<String, Timestamp>, BackupError> {
    let mut marks = BTreeMap::new();
    loop {
        let batch = sold
            .next_while(usize::MAX, |record| record.dealership == id)
            .await?;
        if batch.is_empty() {
            return Ok(marks);
        }
        for SoldRecord { car, at, .. } in batch {
            in_order(
                archive,
                marks.last_key_value().map(|(last, _)| last),
                &car,
                Family::Sold,
            )?;
            marks.insert(car, at);
        }
    }
}

struct StockReader {
    archive: Archive,
    cars: FamilyReader<Car>,
    /// Digests of the ids so far, under a key of this run: 8 bytes a car.
    ids: HashSet<u64>,
    hasher: RandomState,
}

impl StockReader {
    async fn next_of(&mut self, dealership: &str) -> Result<Vec<Car>, BackupError> {
        let batch = self
            .cars
            .next_while(CARS_AT_ONCE, |car| car.dealership_id == dealership)
            .await?;
        for car in &batch {
            if !self.ids.insert(self.hasher.hash_one(&car.id)) {
                return Err(self.archive.damaged(format!(
                    "stock has the id {} a second time, at {dealership}",
                    car.id
                )));
            }
        }
        Ok(batch)
    }
}

fn cars_of<'a>(
    stock: Arc<Mutex<StockReader>>,
    dealership: String,
    progress: &'a Progress,
) -> CarBatches<'a, SourceError> {
    stream::try_unfold((stock, dealership), move |(stock, dealership)| async move {
        let batch = stock.lock().await.next_of(&dealership).await?;
        progress.add(batch.len() as u64);
        Ok::<_, BackupError>((!batch.is_empty()).then_some((batch, (stock, dealership))))
    })
    .map_err(|error| Box::new(error) as SourceError)
    .boxed()
}

async fn load_events(
    archive: &Archive,
    family: Family,
    read: ReadLine<Event>,
    filler: &mut dyn Filler,
    progress: &Progress,
) -> Result<(), BackupError> {
    let mut events = FamilyReader::start(archive, family, read);
    let mut last: Option<Cursor> = None;
    loop {
        let batch = events.next_while(MOST_AT_ONCE, |_| true).await?;
        if batch.is_empty() {
            return Ok(());
        }
        for event in &batch {
            let next = event.cursor();
            // Newest first: what comes is always before.
            in_order(
                archive,
                last.as_ref().map(|last| std::cmp::Reverse(*last)).as_ref(),
                &std::cmp::Reverse(next),
                family,
            )?;
            last = Some(next);
        }
        filler.events(&batch).await?;
        progress.add(batch.len() as u64);
    }
}
