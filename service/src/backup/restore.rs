//! Putting a backup in place of what a store holds, without a moment at which it holds neither.
//!
//! ```text
//!   verify ─────▶ snapshot ────────────────────▶ load ───────────────────────────────────────▶ done
//!   lock, note    fence, safety backup            new generation, fill, compare, ledgers, switch
//! ```
//!
//! Each may be a process of its own, which the others follow with the same directory of work. Everything before the
//! switch leaves the store as it was; the switch is one step. What was killed is done again from the beginning: only the
//! note `finished`, or the store itself saying that it was restored under this id, mean done.

use std::{path::PathBuf, sync::Arc, time::Duration};

use futures::{FutureExt, future::BoxFuture};
use jiff::Timestamp;
use serde::Serialize;

use self::{
    fencing::Fencing,
    note::Note,
    work::{Hand, Work},
};
use super::{
    archive::Archive,
    compare::Digests,
    encryption::{Keys, Seal},
    error::BackupError,
    format::{
        families::Family,
        manifest::{Kind, Manifest},
        name::BackupName,
    },
    load::{Filler, Nowhere, load, read_private},
    pace::Pace,
    proof::of_fill,
    shelf::Shelf,
    target::{Target, lock::Lock},
    walk::{WalkError, walk},
    write::{self, Surroundings, Wish},
};
use crate::{
    configuration::backup::{Phase, Wanted},
    state::{
        State, StateError,
        events::Event,
        generations::{CarBatches, Epoch, Fence, FilledDealer, Private, SourceError},
    },
};

mod fencing;
mod note;
mod room;
pub mod undo;
mod work;

/// For how long one can go back to what a store held before.
pub const KEEP: Duration = Duration::from_secs(24 * 3600);

/// How long to try to let writes through again, when the store may be away.
const GIVE_UP: Duration = Duration::from_secs(5);

/// How long to ask whether a switch went through, when its answer was lost.
const ASK_FOR: Duration = Duration::from_secs(60);

/// Which restore.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its id: the same again is the same restore.
    pub id: String,
    /// Which backup.
    pub name: Wanted,
    /// Where it is noted, and the safety backup goes.
    pub target: Arc<dyn Target>,
    /// Where the backup is.
    pub source: Arc<dyn Target>,
    /// What it may be encrypted with.
    pub keys: Keys,
    /// Whom the safety backup is encrypted to.
    pub seal: Option<Seal>,
    /// What keys in the store begin with.
    pub key_prefix: String,
    /// What of it, and by which directory its parts know of each other; `None` = all.
    pub phase: Option<(Phase, PathBuf)>,
}

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Stage {
    /// The archive was read, and the beginning noted.
    Verifying,
    /// Writes are held back, and what the store holds is safe.
    Snapshotting,
    /// A generation is being filled.
    Loading,
    /// The store holds what the backup has.
    Succeeded,
    /// The store holds what it held before.
    Reverted,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The restore.
    pub restore: String,
    /// How far it has come.
    pub phase: Stage,
    /// The backup; `None` = what the store held before.
    pub from: Option<BackupName>,
    /// What the store held before, as a backup; `None` = it was not open.
    pub safety: Option<BackupName>,
    /// Cars in the backup.
    pub cars: u64,
    /// Events in the backup.
    pub events: u64,
    /// When it was done.
    pub finished_at: Option<Timestamp>,
}

impl Report {
    fn of(note: &Note, phase: Stage) -> Self {
        Self {
            restore: note.id.clone(),
            phase,
            from: Some(note.from.clone()),
            safety: note.safety.clone(),
            cars: note.cars,
            events: note.events,
            finished_at: note.finished_at,
        }
    }
}

/// Restores, or does one phase of it.
///
/// # Errors
/// Whatever kept it from being done; unless it says otherwise the store is as it was, and writes go through again.
pub async fn restore(
    state: Arc<dyn State>,
    request: &Request,
    around: &Surroundings,
) -> Result<Report, BackupError> {
    let work = Work::at(request.phase.as_ref().map(|(_, directory)| directory.clone()));
    let phase = request.phase.as_ref().map(|(phase, _)| *phase);
    let holder = format!("restore {}", request.id);
    if let Some(done) = done_before(state.as_ref(), request).await? {
        // Whoever did it may have been killed before it let go, and backups would be refused for two minutes.
        Lock::let_go_of_left(request.target.as_ref(), &holder).await;
        return Ok(done);
    }
    let lock = match work.hand(&request.id)? {
        // Left by the phase before; somebody else's by now when that was long ago.
        Some(hand) if phase != Some(Phase::Verify) => {
            match Lock::resume(Arc::clone(&request.target), hand.lock.clone(), &around.clock).await? {
                Some(lock) => lock,
                None => around.lock(&request.target, &holder).await?,
            }
        }
        _ => around.lock(&request.target, &holder).await?,
    };
    let restore = Restore {
        state,
        request,
        around,
        lock: &lock,
        work: &work,
    };
    let outcome = around.under(&lock, restore.phases(phase)).await;
    match &outcome {
        // The phases that follow go on with what is held.
        Ok(report) if matches!(report.phase, Stage::Verifying | Stage::Snapshotting) => {}
        _ => {
            restore.give_up().await;
            lock.let_go().await;
            work.forget();
        }
    }
    outcome
}

/// Whether this restore was finished before, however its end was noted.
async fn done_before(state: &dyn State, request: &Request) -> Result<Option<Report>, BackupError> {
    let Some(mut note) = Note::read(request.target.as_ref(), &request.id).await? else {
        return Ok(None);
    };
    note.check(&request.name, &request.source.place())?;
    if let Some(when) = note.finished_at {
        // What it brought is gone, as with a namespace whose bucket and manifest are used again. To say that it is done
        // would leave nothing there; to do it again might bring a backup of long ago, for `latest` was resolved then.
        if matches!(state.generation().await, Ok(None)) {
            return Err(BackupError::Usage(format!(
                "the restore {} was done at {when}, with {}, into a store that is gone: this one holds nothing; to \
                 restore into it give another id",
                note.id, note.from
            )));
        }
    } else {
        if !was_restored_as(state, &request.id).await? {
            return Ok(None);
        }
        note.finished_at = Some(Timestamp::now());
        note.write(request.target.as_ref()).await?;
    }
    Ok(Some(Report::of(&note, Stage::Succeeded)))
}

/// Whether the current generation came into its place by this restore.
async fn was_restored_as(state: &dyn State, id: &str) -> Result<bool, BackupError> {
    let Some(generation) = state.generation().await? else {
        return Ok(false);
    };
    let outline = state.generation_outline(&generation).await?;
    Ok(outline.restored_as.as_deref() == Some(id))
}

struct Restore<'a> {
    state: Arc<dyn State>,
    request: &'a Request,
    around: &'a Surroundings,
    lock: &'a Lock,
    work: &'a Work,
}

impl Restore<'_> {
    async fn phases(&self, phase: Option<Phase>) -> Result<Report, BackupError> {
        let note = match phase {
            None | Some(Phase::Verify) => self.verify().await?,
            Some(Phase::Snapshot | Phase::Load) => {
                let noted = Note::read(self.request.target.as_ref(), &self.request.id).await?;
                noted.ok_or_else(|| {
                    BackupError::Usage(format!(
                        "the restore {} was never begun at {}: its phase verify comes first",
                        self.request.id,
                        self.request.target.place()
                    ))
                })?
            }
        };
        if phase == Some(Phase::Verify) {
            self.work.leave(&self.hand(None))?;
            return Ok(Report::of(&note, Stage::Verifying));
        }
        let (fencing, note) = self.snapshot(note, phase).await?;
        if phase == Some(Phase::Snapshot) {
            self.work.leave(&self.hand(Some(fencing.fence().clone())))?;
            return Ok(Report::of(&note, Stage::Snapshotting));
        }
        let outcome = self.load(&fencing, note).await;
        if outcome.is_err() {
            self.work.leave(&self.hand(Some(fencing.fence().clone())))?;
        }
        outcome
    }

    fn hand(&self, fence: Option<Fence>) -> Hand {
        Hand {
            id: self.request.id.clone(),
            lock: self.lock.claim().clone(),
            fence,
        }
    }

    /// Reads all of the archive before anything is touched, and notes which it is.
    async fn verify(&self) -> Result<Note, BackupError> {
        let Request {
            id, target, source, ..
        } = self.request;
        let noted = Note::read(target.as_ref(), id).await?;
        let from = match (&noted, &self.request.name) {
            (Some(note), _) => note.from.clone(),
            (None, Wanted::Named(name)) => name.clone(),
            (None, Wanted::Latest) => Shelf::look(source).await?.latest()?.name.clone(),
        };
        let archive = self.archive(&from).await?;
        load(&archive, &mut Nowhere, &self.around.progress).await?;
        let note = match noted {
            Some(note) => note,
            None => {
                let note = Note::begin(id, source.place(), archive.manifest(), self.around.clock.now());
                note.write(target.as_ref()).await?;
                note
            }
        };
        Ok(note)
    }

    async fn archive(&self, name: &BackupName) -> Result<Archive, BackupError> {
        Archive::open(Arc::clone(&self.request.source), name, self.request.keys.clone()).await
    }

    /// Holds writes back and makes what the store holds safe. What the phase before did is not done again while its
    /// fence is up.
    async fn snapshot(&self, mut note: Note, phase: Option<Phase>) -> Result<(Fencing, Note), BackupError> {
        if phase == Some(Phase::Load)
            && let Some(fence) = self.work.hand(&self.request.id)?.and_then(|hand| hand.fence)
            && let Some(fencing) = Fencing::resume(Arc::clone(&self.state), fence).await?
        {
            return Ok((fencing, note));
        }
        let fencing = Fencing::raise(Arc::clone(&self.state), &self.request.id).await?;
        // From here on whoever gives up lowers it.
        self.work.leave(&self.hand(Some(fencing.fence().clone())))?;
        fencing
            .during(async {
                self.state.sweep_generations().await?;
                let archive = self.archive(&note.from).await?;
                room::check(self.state.as_ref(), archive.manifest()).await?;
                note.safety = self.safety_backup().await?;
                note.write(self.request.target.as_ref()).await
            })
            .await?;
        Ok((fencing, note))
    }

    /// `None` when there is nothing that could be lost.
    async fn safety_backup(&self) -> Result<Option<BackupName>, BackupError> {
        let Request { target, seal, .. } = self.request;
        if self.state.generation().await?.is_none() {
            return Ok(None);
        }
        let wish = Wish {
            kind: Kind::Safety,
            verify: false,
            keep_days: None,
            seal: seal.clone(),
            declared: None,
            key_prefix: self.request.key_prefix.clone(),
        };
        let name = BackupName::new(self.around.clock.now());
        let written = write::write(self.state.as_ref(), target, &wish, name, self.lock, self.around).await?;
        // Read back as far as it goes without the memory of a catalogue: nobody may write while it is done.
        let archive = Archive::open(Arc::clone(target), &written.name, write::keys(&wish)).await?;
        load(&archive, &mut Nowhere, &self.around.progress).await?;
        Ok(Some(written.name))
    }

    async fn load(&self, fencing: &Fencing, mut note: Note) -> Result<Report, BackupError> {
        let (state, fence) = (self.state.as_ref(), fencing.fence());
        let generation = fencing.during(self.make_generation(fence, &note)).await?;
        self.lock.check().await?;
        // The fence falls with the switch, which looks by itself whether it is up: who renews it at that moment finds it
        // gone, and that is no failure any more.
        let switched = state.switch(fence, &generation, &self.request.id, KEEP).await;
        if let Err(error) = switched {
            self.was_switched(error).await?;
        }
        note.finished_at = Some(self.around.clock.now());
        // The store itself says that it is done; a note that cannot be written is written by whoever asks again.
        if let Err(error) = note.write(self.request.target.as_ref()).await {
            self.around.progress.warn(&format!(
                "the restore is done, but this could not be noted: {error}"
            ));
        }
        Ok(Report::of(&note, Stage::Succeeded))
    }

    /// A generation that holds what the backup has, and is ready to be switched to.
    async fn make_generation(&self, fence: &Fence, note: &Note) -> Result<Epoch, BackupError> {
        let archive = self.archive(&note.from).await?;
        let generation = self.state.begin_generation(fence).await?;
        match self.fill(fence, &generation, &archive).await {
            Ok(()) => Ok(generation),
            Err(error) => {
                self.drop(fence, &generation).await;
                Err(error)
            }
        }
    }

    async fn fill(&self, fence: &Fence, generation: &Epoch, archive: &Archive) -> Result<(), BackupError> {
        let state = self.state.as_ref();
        let mut filler = IntoStore {
            state,
            fence,
            generation,
        };
        load(archive, &mut filler, &self.around.progress).await?;
        // Before the ledgers are applied, which take away what must not come back.
        let mut found = Digests::default();
        walk(
            state,
            generation,
            &mut found,
            &self.around.progress,
            Pace::Hurried,
        )
        .await
        .map_err(|error| match error {
            WalkError::Moved(reason) => BackupError::Differs(reason),
            WalkError::Failed(error) => error,
        })?;
        found.compare(archive)?;
        let newer = self.newer_ledgers(archive.manifest()).await?;
        Ok(state.apply_ledgers(fence, generation, &newer).await?)
    }

    /// What backups know that were made after the one that is restored: who was erased since, though the store that knew
    /// is lost.
    async fn newer_ledgers(&self, restored: &Manifest) -> Result<Vec<Private>, BackupError> {
        let Request { target, source, .. } = self.request;
        let mut found = Vec::new();
        // Where the backup itself is, only later ones know more.
        found.extend(self.newest_ledger(source, restored.sequence + 1).await?);
        if source.place() != target.place() {
            found.extend(self.newest_ledger(target, 0).await?);
        }
        Ok(found)
    }

    /// The ledger of the newest backup that can be read and has this number or a later one: it has what those before it
    /// have.
    async fn newest_ledger(
        &self,
        place: &Arc<dyn Target>,
        from: u64,
    ) -> Result<Option<Private>, BackupError> {
        let shelf = Shelf::look(place).await?;
        for manifest in shelf.manifests().filter(|manifest| manifest.sequence >= from) {
            let opened = Archive::open(Arc::clone(place), &manifest.name, self.request.keys.clone()).await;
            let read = match opened {
                Ok(archive) => read_private(&archive).await,
                Err(error) => Err(error),
            };
            match read {
                Ok(private) => return Ok(Some(private)),
                Err(error @ (BackupError::TargetAway(_) | BackupError::Usage(_))) => return Err(error),
                Err(error) => self.around.progress.warn(&format!(
                    "erasures that only the backup {} knows of are not applied: {error}",
                    manifest.name
                )),
            }
        }
        Ok(None)
    }

    /// Whether a switch whose answer says otherwise went through all the same.
    async fn was_switched(&self, error: StateError) -> Result<(), BackupError> {
        if !matches!(error, StateError::Reach(_)) {
            return Err(error.into());
        }
        let begun = std::time::Instant::now();
        while begun.elapsed() < ASK_FOR {
            match was_restored_as(self.state.as_ref(), &self.request.id).await {
                Ok(true) => return Ok(()),
                Ok(false) => return Err(error.into()),
                Err(_) => tokio::time::sleep(Duration::from_secs(1)).await,
            }
        }
        Err(BackupError::Unsure(format!(
            "the store went away during the switch ({error}): it holds either what it held or what the backup has; start \
             the same restore again, which tells"
        )))
    }

    /// What was filled in vain takes room.
    async fn drop(&self, fence: &Fence, generation: &Epoch) {
        // While the fence names it, it is in use.
        let _ = self.state.lower_fence(fence).await;
        if let Err(error) = self.state.drop_generation(generation).await {
            self.around.progress.warn(&format!(
                "what was filled in vain stays until the hourly housekeeping: {error}"
            ));
        }
    }

    /// Lets writes through again.
    async fn give_up(&self) {
        if let Ok(Some(hand)) = self.work.hand(&self.request.id)
            && let Some(fence) = hand.fence
        {
            let _ = tokio::time::timeout(GIVE_UP, self.state.lower_fence(&fence)).await;
        }
    }
}

/// Fills a generation of a store.
struct IntoStore<'a> {
    state: &'a dyn State,
    fence: &'a Fence,
    generation: &'a Epoch,
}

impl Filler for IntoStore<'_> {
    fn private<'a>(&'a mut self, private: &'a Private) -> BoxFuture<'a, Result<(), BackupError>> {
        async move {
            Ok(self
                .state
                .fill_private(self.fence, self.generation, private)
                .await?)
        }
        .boxed()
    }

    fn dealer<'a>(
        &'a mut self,
        dealer: FilledDealer,
        cars: CarBatches<'a, SourceError>,
    ) -> BoxFuture<'a, Result<(), BackupError>> {
        async move {
            let filled = self
                .state
                .fill_dealer(self.fence, self.generation, dealer, cars)
                .await;
            filled.map_err(of_fill)
        }
        .boxed()
    }

    fn events<'a>(&'a mut self, events: &'a [Event]) -> BoxFuture<'a, Result<(), BackupError>> {
        async move {
            Ok(self
                .state
                .fill_events(self.fence, self.generation, events)
                .await?)
        }
        .boxed()
    }
}

impl Note {
    /// What a note of a restore that begins says.
    fn begin(id: &str, source: String, manifest: &Manifest, now: Timestamp) -> Self {
        Self {
            id: id.to_owned(),
            from: manifest.name.clone(),
            source,
            cars: manifest.records(Family::Stock),
            events: manifest.events(),
            begun_at: now,
            safety: None,
            finished_at: None,
        }
    }
}
