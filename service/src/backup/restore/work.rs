//! What one phase of a restore leaves to the next, where each is a process of its own; in memory where all are one.

use std::{
    fs, io,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    backup::{error::BackupError, target::lock::Claim},
    state::generations::Fence,
};

/// The file in the directory of work.
const FILE: &str = "restore.json";

/// What is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hand {
    /// Of the restore.
    pub(super) id: String,
    pub(super) lock: Claim,
    pub(super) fence: Option<Fence>,
}

/// As the file has it.
#[derive(Serialize, Deserialize)]
struct Written {
    id: String,
    lock: Claim,
    fence: Option<WrittenFence>,
}

#[derive(Serialize, Deserialize)]
struct WrittenFence {
    id: String,
    token: String,
    deadline: Timestamp,
}

/// Where it is left.
#[derive(Debug)]
pub(super) struct Work {
    directory: Option<PathBuf>,
    hand: Mutex<Option<Hand>>,
}

impl Work {
    pub(super) fn at(directory: Option<PathBuf>) -> Self {
        Self {
            directory,
            hand: Mutex::new(None),
        }
    }

    /// What was left for this restore.
    pub(super) fn hand(&self, id: &str) -> Result<Option<Hand>, BackupError> {
        let own = self.hand.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let found = match (&self.directory, own) {
            (_, Some(own)) => Some(own),
            (None, None) => None,
            (Some(directory), None) => {
                let path = directory.join(FILE);
                match fs::read(&path) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                    Err(error) => {
                        return Err(BackupError::Usage(format!(
                            "failed to read {}: {error}",
                            path.display()
                        )));
                    }
                    // Half of it is what a phase left that was killed: nothing.
                    Ok(text) => serde_json::from_slice(&text).ok().map(Hand::from_written),
                }
            }
        };
        Ok(found.filter(|hand| hand.id == id))
    }

    pub(super) fn leave(&self, hand: &Hand) -> Result<(), BackupError> {
        *self.hand.lock().unwrap_or_else(PoisonError::into_inner) = Some(hand.clone());
        let Some(directory) = &self.directory else {
            return Ok(());
        };
        let path = directory.join(FILE);
        let text =
            serde_json::to_vec(&hand.to_written()).map_err(|error| BackupError::Other(error.to_string()))?;
        fs::write(&path, text)
            .map_err(|error| BackupError::Usage(format!("failed to write {}: {error}", path.display())))
    }

    pub(super) fn forget(&self) {
        *self.hand.lock().unwrap_or_else(PoisonError::into_inner) = None;
        if let Some(directory) = &self.directory {
            let _ = fs::remove_file(directory.join(FILE));
        }
    }
}

impl Hand {
    fn from_written(written: Written) -> Self {
        Self {
            id: written.id,
            lock: written.lock,
            fence: written.fence.map(|fence| Fence {
                id: fence.id,
                token: fence.token,
                deadline: fence.deadline,
            }),
        }
    }

    fn to_written(&self) -> Written {
        Written {
            id: self.id.clone(),
            lock: self.lock.clone(),
            fence: self.fence.clone().map(|fence| WrittenFence {
                id: fence.id,
                token: fence.token,
                deadline: fence.deadline,
            }),
        }
    }
}
