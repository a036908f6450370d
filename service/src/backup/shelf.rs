//! The backups at a target, and which of them is the latest good one.

use std::sync::Arc;

use futures::{StreamExt, stream};

use super::{
    archive::read_manifest,
    error::BackupError,
    format::{
        manifest::{Kind, Manifest},
        name::BackupName,
    },
    proof::Proof,
    target::Target,
};

/// Manifests that are read at once.
const AT_ONCE: usize = 8;

/// A directory at a target.
#[derive(Debug)]
pub struct Entry {
    /// Its name.
    pub name: BackupName,
    /// What it says of itself, or why it is refused.
    pub manifest: Result<Manifest, BackupError>,
    /// What its last proof said.
    pub proof: Option<Proof>,
}

impl Entry {
    /// Whether one may count on it: it was proven, or was not to be.
    #[must_use]
    pub fn is_good(&self) -> bool {
        match (&self.manifest, &self.proof) {
            (Err(_), _) => false,
            (Ok(_), Some(proof)) => proof.failure.is_none(),
            (Ok(manifest), None) => !manifest.needs_proof,
        }
    }

    fn sequence(&self) -> u64 {
        self.manifest.as_ref().map_or(0, |manifest| manifest.sequence)
    }

    fn is_safety(&self) -> bool {
        self.manifest
            .as_ref()
            .is_ok_and(|manifest| manifest.kind == Kind::Safety)
    }
}

/// All of them, newest first: in the order in which they were made, whatever the clock said then.
#[derive(Debug)]
pub struct Shelf {
    place: String,
    entries: Vec<Entry>,
}

impl Shelf {
    /// Looks at all of them.
    ///
    /// # Errors
    /// Those of the target. A backup that is refused is an entry.
    pub async fn look(target: &Arc<dyn Target>) -> Result<Self, BackupError> {
        let names = target.names().await?;
        let entries: Vec<Result<Entry, BackupError>> = stream::iter(names)
            .map(|name| look_at(target.as_ref(), name))
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        let entries: Result<Vec<Entry>, BackupError> = entries.into_iter().collect();
        Ok(Self::of(target.place(), entries?))
    }

    fn of(place: String, mut entries: Vec<Entry>) -> Self {
        // A refused one has no number: it stands at the end.
        entries.sort_by(|left, right| (right.sequence(), &right.name).cmp(&(left.sequence(), &left.name)));
        Self { place, entries }
    }

    /// Newest first.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The number of the next.
    #[must_use]
    pub fn next_sequence(&self) -> u64 {
        self.entries.iter().map(Entry::sequence).max().unwrap_or_default() + 1
    }

    /// The newest good one that was not made for the safety of a restore.
    ///
    /// # Errors
    /// There is none.
    pub fn latest(&self) -> Result<&Manifest, BackupError> {
        let mut good = self
            .entries
            .iter()
            .filter(|entry| entry.is_good() && !entry.is_safety());
        good.find_map(|entry| entry.manifest.as_ref().ok()).ok_or_else(|| {
            BackupError::NotFound(match self.entries.len() {
                0 => format!("there is no backup at {}: make one by `backup run`", self.place),
                number => format!(
                    "none of the {number} backups at {} is good: `backup list` says why, `backup verify` proves one, \
                     and one that was made for the safety of a restore must be named",
                    self.place
                ),
            })
        })
    }

    /// Those that can be read, newest first, with those made for safety.
    pub fn manifests(&self) -> impl Iterator<Item = &Manifest> {
        self.entries
            .iter()
            .filter_map(|entry| entry.manifest.as_ref().ok())
    }
}

async fn look_at(target: &dyn Target, name: BackupName) -> Result<Entry, BackupError> {
    let manifest = match read_manifest(target, &name).await {
        Err(error @ (BackupError::TargetAway(_) | BackupError::Usage(_))) => return Err(error),
        Err(BackupError::NotFound(_)) => Err(BackupError::NotFound(
            "it has no manifest: it is being made, or was never finished and goes with the next run, or somebody \
             removed that"
                .to_owned(),
        )),
        other => other,
    };
    let proof = match &manifest {
        Ok(manifest) => Proof::read(target, manifest).await?,
        Err(_) => None,
    };
    Ok(Entry {
        name,
        manifest,
        proof,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backup::format::manifest::tests::manifest;

    fn entry(name: &str, sequence: u64, kind: Kind, proven: Option<bool>) -> Entry {
        let name: BackupName = name.parse().unwrap();
        let manifest = Manifest {
            sequence,
            kind,
            ..manifest(&name)
        };
        let proof = proven.map(|good| {
            let failure = (!good).then(|| "no".to_owned());
            Proof::new(&manifest, manifest.finished_at, failure).unwrap()
        });
        Entry {
            name,
            manifest: Ok(manifest),
            proof,
        }
    }

    fn latest(entries: Vec<Entry>) -> Option<String> {
        let shelf = Shelf::of("here".to_owned(), entries);
        shelf.latest().ok().map(|manifest| manifest.name.to_string())
    }

    /// Prevents a clock that was set back from making `latest` an older backup, and a safety backup, one that failed or
    /// one that nobody proved from being restored unasked.
    #[test]
    fn the_latest_is_the_last_good_one_that_was_made() {
        let (old, new, third) = (
            "20261126T020000Z-00000001",
            "20251126T020000Z-00000002",
            "20261127T020000Z-00000003",
        );
        let scheduled = |name, sequence, proven| entry(name, sequence, Kind::Scheduled, proven);
        let first = || scheduled(old, 1, Some(true));
        assert_eq!(latest(vec![]), None);
        assert_eq!(
            latest(vec![first(), scheduled(new, 2, Some(true))]).as_deref(),
            Some(new),
            "the clock was set back"
        );
        assert_eq!(
            latest(vec![first(), scheduled(third, 3, None)]).as_deref(),
            Some(old)
        );
        assert_eq!(
            latest(vec![first(), scheduled(third, 3, Some(false))]).as_deref(),
            Some(old)
        );
        assert_eq!(
            latest(vec![first(), entry(third, 3, Kind::Safety, Some(true))]).as_deref(),
            Some(old)
        );
        let mut unproven = scheduled(third, 3, None);
        unproven.manifest.as_mut().unwrap().needs_proof = false;
        assert_eq!(latest(vec![first(), unproven]).as_deref(), Some(third));
        assert_eq!(latest(vec![scheduled(third, 3, Some(false))]), None);
    }
}
