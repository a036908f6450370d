//! Making a backup, and keeping as many as are wanted.

use std::{collections::BTreeMap, sync::Arc};

use futures::{
    FutureExt,
    future::{BoxFuture, join_all},
};
use jiff::Timestamp;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::{
    archive::Archive,
    encryption::{Keys, Seal},
    error::BackupError,
    format::{
        families::Family,
        manifest::{FORMAT, FamilyFacts, Kind, Manifest},
        name::BackupName,
        records::{self, DeclaredRecord},
    },
    pace::Pace,
    packing::FamilyWriter,
    progress::Progress,
    proof::{self, Noting},
    retention::superfluous,
    shelf::Shelf,
    target::{Draft, Target, lock::Lock},
    walk::{Sinks, WalkError, walk},
};
use crate::{
    clock::Clock,
    state::{CatalogVersion, State, StateError},
};

/// How often to begin again when stock moved while it was read.
const ATTEMPTS: usize = 5;

/// What a backup is to be.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Why it is made.
    pub kind: Kind,
    /// Whether it is to be proven.
    pub verify: bool,
    /// For how many days others are kept; `None` = nothing is removed.
    pub keep_days: Option<u16>,
    /// Whom it is encrypted to.
    pub seal: Option<Seal>,
    /// What was declared.
    pub declared: Option<String>,
    /// What keys in the store begin with, for the manifest.
    pub key_prefix: String,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The backup.
    pub backup: BackupName,
    /// Why it was made.
    pub kind: Kind,
    /// When its reading began.
    pub started_at: Timestamp,
    /// When its reading ended.
    pub finished_at: Timestamp,
    /// When it was proven; `None` = it was not.
    pub verified_at: Option<Timestamp>,
    /// Cars in it.
    pub cars: u64,
    /// Dealerships in it.
    pub dealerships: u64,
    /// Events in it.
    pub events: u64,
    /// Bytes of its files.
    pub bytes: u64,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// What was removed for its age.
    #[serde(flatten)]
    pub pruned: Pruned,
}

/// Names that a report tells: it has to fit into a termination message, whatever was removed.
const MOST_TOLD: usize = 20;

/// What was removed for its age.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Pruned {
    /// The first of them.
    #[serde(rename = "pruned")]
    pub names: Vec<BackupName>,
    /// All of them.
    #[serde(rename = "pruned_in_all")]
    pub number: usize,
}

impl Pruned {
    /// What there is to tell of so many.
    #[must_use]
    pub fn of(mut names: Vec<BackupName>) -> Self {
        let number = names.len();
        names.truncate(MOST_TOLD);
        Self { names, number }
    }
}

/// What everything here works with.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The time.
    pub clock: Clock,
    /// Who is told how far it has come.
    pub progress: Arc<Progress>,
    /// Ends the work in order.
    pub stop: CancellationToken,
}

impl Surroundings {
    /// Does the work unless it is to stop or the lock is lost.
    pub(super) async fn under<T>(
        &self,
        lock: &Lock,
        work: impl Future<Output = Result<T, BackupError>>,
    ) -> Result<T, BackupError> {
        self.unless_stopped(lock.during(work)).await
    }

    /// Does the work unless it is to stop.
    ///
    /// # Errors
    /// Those of the work, or that it was stopped.
    pub async fn unless_stopped<T>(
        &self,
        work: impl Future<Output = Result<T, BackupError>>,
    ) -> Result<T, BackupError> {
        tokio::select! {
            outcome = work => outcome,
            () = self.stop.cancelled() => Err(BackupError::Other("stopped by a signal".to_owned())),
        }
    }

    /// Takes the target's lock.
    pub(super) async fn lock(&self, target: &Arc<dyn Target>, holder: &str) -> Result<Lock, BackupError> {
        let taking = Lock::take(Arc::clone(target), holder, &self.clock, &self.progress);
        self.unless_stopped(taking).await
    }
}

/// Makes a backup under the target's lock, proves it, and then removes what is too old.
///
/// # Errors
/// Whatever kept it from being made or proven; a backup that was not proven does not count.
pub async fn run(
    state: &dyn State,
    target: &Arc<dyn Target>,
    wish: &Wish,
    around: &Surroundings,
) -> Result<Report, BackupError> {
    let name = BackupName::new(around.clock.now());
    let lock = around.lock(target, &format!("backup {name}")).await?;
    let outcome = around
        .under(&lock, make(state, target, wish, name, &lock, around))
        .await;
    lock.let_go().await;
    outcome
}

async fn make(
    state: &dyn State,
    target: &Arc<dyn Target>,
    wish: &Wish,
    name: BackupName,
    lock: &Lock,
    around: &Surroundings,
) -> Result<Report, BackupError> {
    let manifest = write(state, target, wish, name.clone(), lock, around).await?;
    let mut report = Report {
        backup: name.clone(),
        kind: manifest.kind,
        started_at: manifest.started_at,
        finished_at: manifest.finished_at,
        verified_at: None,
        cars: manifest.records(Family::Stock),
        dealerships: manifest.records(Family::Dealerships),
        events: manifest.events(),
        bytes: manifest.file_bytes(),
        encrypted: manifest.is_encrypted(),
        pruned: Pruned::default(),
    };
    if wish.verify {
        let archive = Archive::open(Arc::clone(target), &name, keys(wish)).await?;
        let proven = proof::prove_and_note(&archive, Noting::Needed, &around.clock, &around.progress).await?;
        report.verified_at = Some(proven);
        if let Some(keep_days) = wish.keep_days {
            report.pruned = Pruned::of(remove_old(target, keep_days, lock, around).await?);
        }
    }
    Ok(report)
}

/// What a backup can be read with while it is being made.
pub(super) fn keys(wish: &Wish) -> Keys {
    wish.seal.as_ref().map(Seal::keys).unwrap_or_default()
}

/// Removes backups that are older than so many days.
///
/// # Errors
/// Those of the target.
pub async fn prune(
    target: &Arc<dyn Target>,
    keep_days: u16,
    around: &Surroundings,
) -> Result<Vec<BackupName>, BackupError> {
    // Two that remove at once are two: each has a name of its own.
    let holder = format!("backup prune {}", BackupName::new(around.clock.now()));
    let lock = around.lock(target, &holder).await?;
    let outcome = around
        .under(&lock, async {
            target.sweep().await?;
            remove_old(target, keep_days, &lock, around).await
        })
        .await;
    lock.let_go().await;
    outcome
}

async fn remove_old(
    target: &Arc<dyn Target>,
    keep_days: u16,
    lock: &Lock,
    around: &Surroundings,
) -> Result<Vec<BackupName>, BackupError> {
    let shelf = Shelf::look(target).await?;
    let names = superfluous(shelf.entries(), keep_days, around.clock.now());
    lock.check().await?;
    for name in &names {
        target.remove(name).await?;
    }
    Ok(names)
}

/// Writes a backup under a lock that is held, and commits it. It is not proven yet.
///
/// # Errors
/// Those of the store and the target; then there is no backup.
pub(super) async fn write(
    state: &dyn State,
    target: &Arc<dyn Target>,
    wish: &Wish,
    name: BackupName,
    lock: &Lock,
    around: &Surroundings,
) -> Result<Manifest, BackupError> {
    target.sweep().await?;
    let sequence = Shelf::look(target).await?.next_sequence();
    let mut moved = String::new();
    for _ in 0..ATTEMPTS {
        let started_at = around.clock.now();
        let draft = target.begin(&name).await?;
        let read = read_into(state, draft.as_ref(), wish, around).await;
        let (version, families) = match read {
            Ok(read) => read,
            Err(WalkError::Moved(reason)) => {
                draft.abandon().await;
                moved = reason;
                continue;
            }
            Err(WalkError::Failed(error)) => {
                draft.abandon().await;
                return Err(error);
            }
        };
        let manifest = Manifest {
            product: Manifest::product(),
            format: FORMAT,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            name: name.clone(),
            sequence,
            kind: wish.kind,
            started_at,
            finished_at: around.clock.now(),
            catalog_version: version.to_string(),
            needs_proof: wish.verify,
            encrypted_to: wish.seal.as_ref().map(Seal::names).unwrap_or_default(),
            key_prefix: wish.key_prefix.clone(),
            keep_days: wish.keep_days,
            families,
        };
        let text = manifest
            .to_text()
            .map_err(|error| BackupError::Other(error.to_string()))?;
        lock.check().await?;
        draft.commit(text.into_bytes()).await?;
        return Ok(manifest);
    }
    Err(BackupError::Other(format!(
        "the stock moved while it was read, {ATTEMPTS} times in a row ({moved}): try again"
    )))
}

async fn read_into(
    state: &dyn State,
    draft: &dyn Draft,
    wish: &Wish,
    around: &Surroundings,
) -> Result<(CatalogVersion, Vec<FamilyFacts>), WalkError> {
    let mut files = Files(BTreeMap::new());
    let read = read_all(state, draft, wish, around, &mut files).await;
    if read.is_err() {
        // Before the draft is abandoned: what is written after that would stay.
        join_all(files.0.into_values().map(FamilyWriter::give_up)).await;
    }
    read
}

async fn read_all(
    state: &dyn State,
    draft: &dyn Draft,
    wish: &Wish,
    around: &Surroundings,
    files: &mut Files,
) -> Result<(CatalogVersion, Vec<FamilyFacts>), WalkError> {
    let Some(generation) = state.generation().await? else {
        return Err(StateError::NotOpen.into());
    };
    let encrypted = wish.seal.is_some();
    let pace = pace_of(wish.kind);
    for family in Family::ALL {
        let upload = draft.create(&family.file(encrypted)).await?;
        files.0.insert(
            family,
            FamilyWriter::start(family, upload, wish.seal.clone(), pace),
        );
    }
    if let Some(declared) = &wish.declared {
        let mut lines = Vec::new();
        let record = DeclaredRecord {
            declared: declared.clone(),
        };
        records::write_line(&record, &mut lines).map_err(|error| BackupError::Other(error.to_string()))?;
        files.write(Family::Declared, lines, 1).await?;
    }
    let version = walk(state, &generation, files, &around.progress, pace).await?;
    let mut families = Vec::new();
    while let Some((_, writer)) = files.0.pop_first() {
        families.push(writer.finish(encrypted).await?);
    }
    Ok((version, families))
}

/// Before a restore writes are held back, and everybody waits.
const fn pace_of(kind: Kind) -> Pace {
    match kind {
        Kind::Safety => Pace::Hurried,
        Kind::Scheduled | Kind::Manual | Kind::BeforeUpgrade => Pace::Gentle,
    }
}

/// The files of a backup that is being written.
struct Files(BTreeMap<Family, FamilyWriter>);

impl Sinks for Files {
    fn write(
        &mut self,
        family: Family,
        lines: Vec<u8>,
        records: u64,
    ) -> BoxFuture<'_, Result<(), BackupError>> {
        async move {
            match self.0.get_mut(&family) {
                Some(writer) => writer.write(lines, records).await,
                None => Ok(()),
            }
        }
        .boxed()
    }
}
