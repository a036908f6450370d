//! What is noted of a restore at the target: which backup it is, and that it is finished.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    backup::{
        error::BackupError,
        format::name::BackupName,
        target::{RESTORES, Target, TargetError, read_small},
    },
    configuration::backup::Wanted,
};

/// More is none of ours.
const LONGEST: usize = 64 << 10;

/// `restores/<id>.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    pub(super) id: String,
    /// The backup, resolved once: `latest` may be another when it is tried again.
    pub(super) from: BackupName,
    /// Where that is.
    pub(super) source: String,
    pub(super) cars: u64,
    pub(super) events: u64,
    pub(super) begun_at: Timestamp,
    pub(super) safety: Option<BackupName>,
    pub(super) finished_at: Option<Timestamp>,
}

impl Note {
    /// `None` when it was never begun.
    pub(super) async fn read(target: &dyn Target, id: &str) -> Result<Option<Self>, BackupError> {
        let path = path(id);
        let content = match read_small(target, &path, LONGEST).await {
            Err(TargetError::NotFound(_)) => return Ok(None),
            other => other?,
        };
        let note = serde_json::from_slice(&content).map_err(|error| {
            BackupError::Other(format!(
                "failed to read {path} at {}: {error}; remove the file when nothing is being restored",
                target.place()
            ))
        })?;
        Ok(Some(note))
    }

    pub(super) async fn write(&self, target: &dyn Target) -> Result<(), BackupError> {
        let text = serde_json::to_vec_pretty(self).map_err(|error| BackupError::Other(error.to_string()))?;
        Ok(target.put(&path(&self.id), text).await?)
    }

    /// That whoever asks means this restore.
    pub(super) fn check(&self, name: &Wanted, source: &str) -> Result<(), BackupError> {
        match name {
            Wanted::Named(name) if *name != self.from => Err(BackupError::Usage(format!(
                "the restore {} was begun with {}: to restore {name} give another id",
                self.id, self.from
            ))),
            _ if source != self.source => Err(BackupError::Usage(format!(
                "the restore {} was begun with a backup in {}: to restore from {source} give another id",
                self.id, self.source
            ))),
            _ => Ok(()),
        }
    }
}

fn path(id: &str) -> String {
    format!("{RESTORES}/{id}.json")
}
