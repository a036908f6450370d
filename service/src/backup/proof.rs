//! The proof of a backup: it is read back from its target and restored aside, into stores in memory, by the code that
//! restores. What these then hold is read by the code that backs up, and must have the digests of the manifest; of the
//! stock a catalogue is built, and a recommendation computed.
//!
//! A store of its own for each dealership and each batch of events, so that memory is bounded by the cars alone.

use faciliauto_engine::{
    catalogue::Catalogue,
    questionnaire::{Questionnaire, Usage},
    stock::{Centavos, Stock},
    tables::Tables,
};
use futures::{FutureExt, TryStreamExt, future::BoxFuture};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    archive::Archive,
    compare::Digests,
    error::BackupError,
    format::{manifest::Manifest, name::BackupName},
    load::{Filler, load, of_source},
    pace::{Pace, Pacer},
    progress::Progress,
    target::{Target, TargetError, read_small},
    walk::{self, Gathering, Ids, WalkError},
};
use crate::{
    clock::Clock,
    random::in_hexadecimal,
    state::{
        events::Event,
        generations::{CarBatches, Epoch, Fence, FillError, FilledDealer, Generations, Private, SourceError},
        memory::MemoryState,
    },
};

/// The file in a backup's directory.
const FILE: &str = "proof.json";

/// More is none of ours.
const LONGEST: usize = 64 << 10;

/// What became of the last proof of a backup. A hint beside it, not part of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// Of the manifest that was proven.
    pub manifest_sha256: String,
    /// When.
    pub at: Timestamp,
    /// By which version of the program.
    pub program: String,
    /// Why it is not good; `None` = it is.
    pub failure: Option<String>,
}

impl Proof {
    /// Of this moment.
    ///
    /// # Errors
    /// Never in practice.
    pub fn new(manifest: &Manifest, at: Timestamp, failure: Option<String>) -> Result<Self, BackupError> {
        Ok(Self {
            manifest_sha256: digest(manifest)?,
            at,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            failure,
        })
    }

    /// Reads what is noted beside a backup. What is none of ours, or is of another manifest, says nothing.
    ///
    /// # Errors
    /// A target that is away says nothing either way: whoever took that for a backup that was never proven would
    /// remove a good one.
    pub async fn read(target: &dyn Target, manifest: &Manifest) -> Result<Option<Self>, BackupError> {
        let path = format!("{}/{FILE}", manifest.name);
        let content = match read_small(target, &path, LONGEST).await {
            Err(TargetError::NotFound(_) | TargetError::Foreign(_)) => return Ok(None),
            other => other?,
        };
        let proof: Option<Self> = serde_json::from_slice(&content).ok();
        let of = digest(manifest)?;
        Ok(proof.filter(|proof| proof.manifest_sha256 == of))
    }

    /// Notes it beside the backup.
    ///
    /// # Errors
    /// Those of the target.
    pub async fn write(&self, target: &dyn Target, name: &BackupName) -> Result<(), BackupError> {
        let text = serde_json::to_vec(self).map_err(|error| BackupError::Other(error.to_string()))?;
        Ok(target.put(&format!("{name}/{FILE}"), text).await?)
    }
}

fn digest(manifest: &Manifest) -> Result<String, BackupError> {
    let text = manifest
        .to_text()
        .map_err(|error| BackupError::Other(error.to_string()))?;
    Ok(in_hexadecimal(&Sha256::digest(text)))
}

/// Whether the outcome of a proof must be noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noting {
    /// The backup counts only then.
    Needed,
    /// It may lie where one only reads; the proof is none the worse.
    Wished,
}

impl Noting {
    /// A run's proof is nobody's hurry; whoever asks for another looks on.
    const fn pace(self) -> Pace {
        match self {
            Self::Needed => Pace::Gentle,
            Self::Wished => Pace::Hurried,
        }
    }
}

/// Proves a backup and notes the outcome beside it; gives when that was.
///
/// # Errors
/// An archive that is not good, or a target that is away, of which nothing is noted.
pub async fn prove_and_note(
    archive: &Archive,
    noting: Noting,
    clock: &Clock,
    progress: &Progress,
) -> Result<Timestamp, BackupError> {
    let outcome = prove(archive, clock, progress, noting.pace()).await;
    let failure = match &outcome {
        Ok(()) => None,
        Err(error @ (BackupError::Damaged { .. } | BackupError::Differs(_))) => Some(error.to_string()),
        Err(_) => return outcome.map(|()| clock.now()),
    };
    let manifest = archive.manifest();
    let proof = Proof::new(manifest, clock.now(), failure)?;
    if let Err(error) = proof.write(archive.target().as_ref(), &manifest.name).await {
        if noting == Noting::Needed && outcome.is_ok() {
            return Err(error);
        }
        progress.warn(&format!("failed to note the proof beside the backup: {error}"));
    }
    outcome.map(|()| proof.at)
}

/// Restores an archive aside and compares.
///
/// # Errors
/// An archive that is not good.
pub async fn prove(
    archive: &Archive,
    clock: &Clock,
    progress: &Progress,
    pace: Pace,
) -> Result<(), BackupError> {
    let archive = &archive.at_pace(pace);
    let mut aside = Aside {
        clock: clock.clone(),
        private: Private::default(),
        digests: Digests::default(),
        ids: Ids::default(),
        stock: Stock::default(),
        pace,
        pacer: Pacer::begin(pace),
    };
    load(archive, &mut aside, progress).await?;
    let Aside { digests, stock, .. } = aside;
    digests
        .compare(archive)
        .map_err(|error| archive.damaged(error.to_string()))?;
    progress.begin("catalogue", None);
    let clock = clock.clone();
    let recommended = tokio::task::spawn_blocking(move || recommend(stock, &clock)).await;
    progress.end();
    recommended
        .map_err(|error| BackupError::Other(format!("failed to compute a recommendation: {error}")))?
        .map_err(|reason| archive.damaged(reason))
}

/// As a server would that starts with this stock.
fn recommend(stock: Stock, clock: &Clock) -> Result<(), String> {
    let tables = Tables::bundled().map_err(|error| format!("failed to read the bundled tables: {error}"))?;
    let catalogue = Catalogue::build(stock, &tables, clock.today(), String::new())
        .map_err(|problems| format!("no catalogue can be built of it: {problems}"))?;
    let buyer = Questionnaire::new(Centavos(0), Centavos(10_000_000_000), Usage::Family);
    let recommendation = catalogue.recommend(&buyer);
    drop(recommendation);
    Ok(())
}

/// Stores in memory, one for each dealership and batch of events.
struct Aside {
    clock: Clock,
    /// Secrets, without the ledger.
    private: Private,
    digests: Digests,
    ids: Ids,
    stock: Stock,
    pace: Pace,
    pacer: Pacer,
}

/// A store with a generation that is being filled.
struct Scratch {
    state: MemoryState,
    fence: Fence,
    generation: Epoch,
}

impl Scratch {
    async fn new(clock: &Clock) -> Result<Self, BackupError> {
        let state = MemoryState::new(clock.clone());
        let fence = state.raise_fence("proof").await?;
        let generation = state.begin_generation(&fence).await?;
        Ok(Self {
            state,
            fence,
            generation,
        })
    }
}

impl Aside {
    async fn put_private(&mut self, private: &Private) -> Result<(), BackupError> {
        let scratch = Scratch::new(&self.clock).await?;
        scratch
            .state
            .fill_private(&scratch.fence, &scratch.generation, private)
            .await?;
        let found = scratch.state.private(&scratch.generation).await?;
        let mut lines = Gathering::new(&mut self.digests);
        walk::write_private(&found, &mut lines).await?;
        lines.flush().await?;
        self.private = Private {
            ledger: std::collections::BTreeMap::new(),
            ..private.clone()
        };
        Ok(())
    }

    async fn put_dealer(
        &mut self,
        dealer: FilledDealer,
        cars: CarBatches<'_, SourceError>,
    ) -> Result<(), BackupError> {
        let id = dealer.dealership.id.clone();
        let scratch = Scratch::new(&self.clock).await?;
        let Scratch {
            state,
            fence,
            generation,
        } = &scratch;
        state
            .fill_dealer(fence, generation, dealer, cars)
            .await
            .map_err(of_fill)?;
        // That was waited for: who reads the archive rests by itself.
        self.pacer.begin_again();
        let records = read_back(state, generation, &id).await?;
        let quiet = Progress::to_nobody();
        let mut lines = Gathering::new(&mut self.digests);
        walk::write_dealer(records, &mut lines, &mut self.ids, &mut self.pacer, &quiet)
            .await
            .map_err(of_walk)?;
        lines.flush().await?;
        self.pacer.rest().await;
        let mut records = read_back(state, generation, &id).await?;
        self.stock.dealerships.push(records.dealership);
        while let Some(batch) = records.cars.try_next().await? {
            self.stock.cars.extend(batch);
        }
        self.pacer.rest().await;
        Ok(())
    }

    async fn put_events(&mut self, events: &[Event]) -> Result<(), BackupError> {
        self.pacer.begin_again();
        for piece in events.chunks(self.pace.events_at_once()) {
            self.put_piece(piece).await?;
            self.pacer.rest().await;
        }
        Ok(())
    }

    async fn put_piece(&mut self, events: &[Event]) -> Result<(), BackupError> {
        let scratch = Scratch::new(&self.clock).await?;
        let Scratch {
            state,
            fence,
            generation,
        } = &scratch;
        state.fill_private(fence, generation, &self.private).await?;
        state.fill_events(fence, generation, events).await?;
        let found = state.events_page(generation, events.len() + 1, None).await?;
        let mut lines = Gathering::new(&mut self.digests);
        for event in &found {
            walk::write_event(event, &mut lines)?;
        }
        lines.flush().await
    }
}

async fn read_back<'a>(
    state: &'a MemoryState,
    generation: &'a Epoch,
    id: &'a str,
) -> Result<crate::state::generations::DealerRecords<'a>, BackupError> {
    state
        .dealer_records(generation, id)
        .await?
        .ok_or_else(|| BackupError::Other(format!("{id} was filled in and is not there")))
}

pub(super) fn of_fill(error: FillError) -> BackupError {
    match error {
        FillError::Store(error) => error.into(),
        FillError::Source { reason, .. } => of_source(reason),
    }
}

fn of_walk(error: WalkError) -> BackupError {
    match error {
        WalkError::Moved(reason) => BackupError::Other(reason),
        WalkError::Failed(error) => error,
    }
}

impl Filler for Aside {
    fn private<'a>(&'a mut self, private: &'a Private) -> BoxFuture<'a, Result<(), BackupError>> {
        self.put_private(private).boxed()
    }

    fn dealer<'a>(
        &'a mut self,
        dealer: FilledDealer,
        cars: CarBatches<'a, SourceError>,
    ) -> BoxFuture<'a, Result<(), BackupError>> {
        self.put_dealer(dealer, cars).boxed()
    }

    fn events<'a>(&'a mut self, events: &'a [Event]) -> BoxFuture<'a, Result<(), BackupError>> {
        self.put_events(events).boxed()
    }
}
