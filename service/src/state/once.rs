//! Requests that are carried out once, however often they are sent: under a key that their sender chose, a
//! store keeps what was asked and what was answered, written in the same step as what was done.

use std::time::Duration;

use sha2::{Digest, Sha256};

/// How long an answer is remembered. A sender that repeats itself does so within minutes; a day also covers a
/// computer that was switched off over night.
pub const REMEMBERED_FOR: Duration = Duration::from_secs(24 * 3600);

/// Where an answer names the version that its write makes: which one that is, only the store knows, as it writes. It puts
/// the version in this place of what it remembers. No id and no figure of an answer can hold it.
pub const VERSION_MADE: &str = "{catalog_version}";

/// The digest of what a key belongs to, and of the key: a store never sees what senders chose.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OnceKey(String);

impl OnceKey {
    /// Of parts, told apart by their lengths.
    #[must_use]
    pub fn of(parts: &[&str]) -> Self {
        let mut fingerprint = Fingerprint::default();
        for part in parts {
            fingerprint.part(part.as_bytes());
        }
        Self(fingerprint.finish())
    }

    /// 64 lower-case digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Tells one request from another, part by part.
#[derive(Clone, Debug, Default)]
pub struct Fingerprint(Sha256);

impl Fingerprint {
    /// A part whose length is known; parts cannot run into each other.
    pub fn part(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
    }

    /// More of the last part, which arrives bit by bit.
    pub fn more(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// 64 lower-case digits.
    #[must_use]
    pub fn finish(self) -> String {
        let digest = self.0.finalize();
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// What was asked and answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// Of the request; without a space.
    pub fingerprint: String,
    /// As its maker reads it again; with the version in the place of [`VERSION_MADE`] once it is kept.
    pub answer: String,
}

/// What a write is to leave behind for [`REMEMBERED_FOR`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Once {
    /// Under which key.
    pub key: OnceKey,
    /// What was asked, and will have been answered.
    pub remembered: Remembered,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prevents the key of one dealer from meeting another's because their parts run into each other.
    #[test]
    fn keys_tell_their_parts_apart() {
        let keys = [
            OnceKey::of(&["stock", "a", "bc"]),
            OnceKey::of(&["stock", "ab", "c"]),
            OnceKey::of(&["stock", "abc"]),
            OnceKey::of(&["stock", "abc", ""]),
        ];
        for (index, key) in keys.iter().enumerate() {
            assert_eq!(key.as_str().len(), 64);
            assert!(!keys[..index].contains(key), "{index}");
        }
    }
}
