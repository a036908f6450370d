//! Why a backup or a restore was not done, and what whoever started it makes of that.

use super::{format::name::BackupName, target::TargetError};
use crate::state::StateError;

/// What went wrong. Texts say what to do.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Somebody else works at the target.
    #[error(
        "the target {target} is locked by {holder} until {until}: try again when that has ended; what was killed \
         holds the lock for two minutes, and the next run waits one more to be sure"
    )]
    Locked {
        /// Which target.
        target: String,
        /// Who.
        holder: String,
        /// Until when, unless it is prolonged.
        until: String,
    },
    /// The lock that was held is somebody else's now.
    #[error("the lock of the target {target} was lost to {holder}: start again")]
    LockLost {
        /// Which target.
        target: String,
        /// To whom.
        holder: String,
    },
    /// Another restore holds writes back.
    #[error("another restore holds writes back ({holder}): try again when it has ended")]
    Fenced {
        /// Its id.
        holder: String,
    },
    /// There is no such backup.
    #[error("{0}")]
    NotFound(String),
    /// Something of it was changed, cut off or lost.
    #[error("the backup {backup} is damaged: {reason}; take another one: `backup list` shows them")]
    Damaged {
        /// Which.
        backup: BackupName,
        /// What was found.
        reason: String,
    },
    /// It is no backup of this product.
    #[error("{backup} is no backup of FacilIAuto: {reason}")]
    Foreign {
        /// Which.
        backup: BackupName,
        /// What was found.
        reason: String,
    },
    /// A later program made it.
    #[error(
        "the backup {backup} has format {format}, written by version {program}; this program reads up to format \
         {known}: use version {program} or later"
    )]
    NewerFormat {
        /// Which.
        backup: BackupName,
        /// Its format.
        format: u32,
        /// The version that made it.
        program: String,
        /// The latest format that is known here.
        known: u32,
    },
    /// It is encrypted, and not with the key that is at hand.
    #[error("the backup {backup} is encrypted to {recipients}: {reason}")]
    WrongKey {
        /// Which.
        backup: BackupName,
        /// Who can read it.
        recipients: String,
        /// What was tried.
        reason: String,
    },
    /// The target has no room.
    #[error("the target is full: {0}; make room, or keep fewer days")]
    FullTarget(String),
    /// The target does not do as asked.
    #[error("failed to use the target: {0}")]
    TargetAway(String),
    /// The store has no room for a second generation.
    #[error("{0}")]
    FullStore(String),
    /// The store holds nothing, not even an empty stock.
    #[error(
        "the store holds no stock: none was ever imported, or Redis lost it; import one, or restore a backup"
    )]
    EmptyStore,
    /// The store does not do as asked.
    #[error("{0}")]
    Store(StateError),
    /// What was asked for cannot be.
    #[error("{0}")]
    Usage(String),
    /// What was loaded is not what the archive has.
    #[error("what was loaded is not what the backup has: {0}")]
    Differs(String),
    /// The store went away while it put another generation in place of its own: it holds the one or the other.
    #[error("{0}")]
    Unsure(String),
    /// Something that should not happen.
    #[error("{0}")]
    Other(String),
}

impl BackupError {
    /// A word for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Locked { .. } | Self::LockLost { .. } => "locked",
            Self::Fenced { .. } => "fenced",
            Self::NotFound(_) => "not-found",
            Self::Damaged { .. } => "damaged",
            Self::Foreign { .. } => "foreign",
            Self::NewerFormat { .. } => "newer-format",
            Self::WrongKey { .. } => "wrong-key",
            Self::FullTarget(_) => "full-target",
            Self::TargetAway(_) => "target-away",
            Self::FullStore(_) => "full-store",
            Self::EmptyStore => "empty-store",
            Self::Store(_) => "store-away",
            Self::Usage(_) => "usage",
            Self::Unsure(_) => "unsure",
            Self::Differs(_) | Self::Other(_) => "other",
        }
    }

    /// What the process ends with: 1 = trying again may help, 2 = it never does, 3 = the archive is refused, 4 = somebody
    /// else is at work, try later.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Locked { .. } | Self::LockLost { .. } | Self::Fenced { .. } => 4,
            Self::Damaged { .. }
            | Self::Foreign { .. }
            | Self::NewerFormat { .. }
            | Self::WrongKey { .. } => 3,
            Self::NotFound(_) | Self::Usage(_) => 2,
            Self::FullTarget(_)
            | Self::TargetAway(_)
            | Self::FullStore(_)
            | Self::EmptyStore
            | Self::Store(_)
            | Self::Differs(_)
            | Self::Unsure(_)
            | Self::Other(_) => 1,
        }
    }
}

impl From<StateError> for BackupError {
    fn from(error: StateError) -> Self {
        match error {
            StateError::Fenced { holder } => Self::Fenced { holder },
            StateError::Full(reason) => Self::FullStore(format!(
                "the store has no room: {reason}; give it more memory, the stock in it is as it was"
            )),
            StateError::NotOpen => Self::EmptyStore,
            error => Self::Store(error),
        }
    }
}

impl From<TargetError> for BackupError {
    fn from(error: TargetError) -> Self {
        match error {
            TargetError::Full(reason) => Self::FullTarget(reason),
            error @ TargetError::NotFound(_) => Self::NotFound(error.to_string()),
            TargetError::Settings(reason) => Self::Usage(reason),
            TargetError::Foreign(reason) => Self::Other(reason),
            error @ TargetError::Away(_) => Self::TargetAway(error.to_string()),
        }
    }
}
