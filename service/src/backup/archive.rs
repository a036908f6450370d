//! A backup at a target, opened for reading.

use std::sync::Arc;

use super::{
    encryption::Keys,
    error::BackupError,
    format::{
        families::Family,
        manifest::{self, FamilyFacts, Manifest},
        name::BackupName,
    },
    pace::Pace,
    target::{FileStream, Target, TargetError, read_small},
};

/// A backup whose manifest is good. What it vouches for is checked as it is read, in haste unless told otherwise.
#[derive(Clone, Debug)]
pub struct Archive {
    target: Arc<dyn Target>,
    manifest: Arc<Manifest>,
    keys: Keys,
    pace: Pace,
}

impl Archive {
    /// Reads the manifest.
    ///
    /// # Errors
    /// No such backup, or one that is refused.
    pub async fn open(target: Arc<dyn Target>, name: &BackupName, keys: Keys) -> Result<Self, BackupError> {
        let manifest = Arc::new(read_manifest(target.as_ref(), name).await?);
        let archive = Self {
            target,
            manifest,
            keys,
            pace: Pace::Hurried,
        };
        if archive.manifest.is_encrypted() && archive.keys.is_empty() {
            return Err(archive.wrong_key());
        }
        Ok(archive)
    }

    /// What it says of itself.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Where it is.
    #[must_use]
    pub fn target(&self) -> &Arc<dyn Target> {
        &self.target
    }

    /// The same, read with as much haste.
    #[must_use]
    pub fn at_pace(&self, pace: Pace) -> Self {
        Self { pace, ..self.clone() }
    }

    pub(super) const fn pace(&self) -> Pace {
        self.pace
    }

    pub(super) fn keys(&self) -> &Keys {
        &self.keys
    }

    pub(super) fn facts(&self, family: Family) -> Result<&FamilyFacts, BackupError> {
        self.manifest
            .family(family)
            .ok_or_else(|| self.damaged(format!("{} is not in the manifest", family.word())))
    }

    pub(super) async fn read(&self, file: &str) -> Result<FileStream, TargetError> {
        self.target.read(&format!("{}/{file}", self.manifest.name)).await
    }

    pub(super) fn damaged(&self, reason: String) -> BackupError {
        BackupError::Damaged {
            backup: self.manifest.name.clone(),
            reason,
        }
    }

    pub(super) fn wrong_key(&self) -> BackupError {
        BackupError::WrongKey {
            backup: self.manifest.name.clone(),
            recipients: self.manifest.encrypted_to.join(", "),
            reason: if self.keys.is_empty() {
                "give the file with its identity by --identity-file".to_owned()
            } else {
                "no identity in --identity-file fits; take that of one of these recipients".to_owned()
            },
        }
    }
}

/// The manifest under a name.
///
/// # Errors
/// No such backup, or one that is refused.
pub async fn read_manifest(target: &dyn Target, name: &BackupName) -> Result<Manifest, BackupError> {
    let path = format!("{name}/{}", manifest::FILE);
    match read_small(target, &path, manifest::LONGEST).await {
        Ok(bytes) => Manifest::read(&bytes, name),
        Err(TargetError::NotFound(_)) => Err(BackupError::NotFound(format!(
            "there is no backup {name} at {}: `backup list` shows those that are there",
            target.place()
        ))),
        Err(TargetError::Foreign(reason)) => Err(BackupError::Foreign {
            backup: name.clone(),
            reason,
        }),
        Err(error) => Err(error.into()),
    }
}
