//! Names of events and of places among them.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use sha2::{Digest, Sha256};

/// Names a request, and thereby the event that it makes: made of what tells two requests apart, by whoever
/// records it. A digest, so that it says nothing about what it was made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OnceKey(pub [u8; 16]);

impl OnceKey {
    /// The digest of parts, in order. Neighbouring parts are told apart: `["ab", "c"]` is not `["a", "bc"]`.
    #[must_use]
    pub fn of(parts: &[&str]) -> Self {
        Self(digest(parts.iter().map(|part| Some(part.as_bytes()))))
    }
}

/// 32 lower-case hexadecimal digits, in the order of the key.
impl fmt::Display for OnceKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

/// A text that names no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this names no event")]
pub struct NoSuchName;

impl FromStr for OnceKey {
    type Err = NoSuchName;

    fn from_str(text: &str) -> Result<Self, NoSuchName> {
        let digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if text.len() != 32 || !digits {
            return Err(NoSuchName);
        }
        u128::from_str_radix(text, 16)
            .map(|number| Self(number.to_be_bytes()))
            .map_err(|_| NoSuchName)
    }
}

/// A place among all events: those of an [`Events::export`] come before it in time. It stays good when its event
/// is erased. Its text is `<milliseconds>-<id>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// When.
    pub at: Timestamp,
    /// Among those of one millisecond, by id.
    pub id: OnceKey,
}

impl fmt::Display for Cursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.at.as_millisecond(), self.id)
    }
}

impl FromStr for Cursor {
    type Err = NoSuchName;

    fn from_str(text: &str) -> Result<Self, NoSuchName> {
        let (milliseconds, id) = text.split_once('-').ok_or(NoSuchName)?;
        let milliseconds = milliseconds.parse().map_err(|_| NoSuchName)?;
        Ok(Self {
            at: Timestamp::from_millisecond(milliseconds).map_err(|_| NoSuchName)?,
            id: id.parse()?,
        })
    }
}

/// Of parts with their lengths, so that no two lists have one digest; what is absent is not what is empty.
pub(super) fn digest<'a>(parts: impl Iterator<Item = Option<&'a [u8]>>) -> [u8; 16] {
    let mut hash = Sha256::new();
    for part in parts {
        match part {
            None => hash.update([0]),
            Some(part) => {
                hash.update([1]);
                hash.update((part.len() as u64).to_be_bytes());
                hash.update(part);
            }
        }
    }
    let whole: [u8; 32] = hash.finalize().into();
    let mut half = [0; 16];
    half.copy_from_slice(&whole[..16]);
    half
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prevents two requests from being taken for one because their parts run together.
    #[test]
    fn keys_tell_parts_apart() {
        assert_ne!(OnceKey::of(&["ab", "c"]), OnceKey::of(&["a", "bc"]));
        assert_ne!(OnceKey::of(&["a", ""]), OnceKey::of(&["a"]));
        assert_eq!(OnceKey::of(&["a", "b"]), OnceKey::of(&["a", "b"]));
    }

    /// Prevents a page of an export from beginning elsewhere than the one before it ended.
    #[test]
    fn a_cursor_comes_back_from_its_text() {
        let cursor = Cursor {
            at: Timestamp::from_millisecond(1_790_000_000_123).unwrap(),
            id: OnceKey([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255]),
        };
        let text = cursor.to_string();
        assert_eq!(text, "1790000000123-000102030405060708090a0b0c0d0eff");
        assert_eq!(text.parse(), Ok(cursor));
        for damaged in [
            "",
            "-",
            "1790000000123",
            "x-000102030405060708090a0b0c0d0eff",
            "1-+00102030405060708090a0b0c0d0eff",
            "1-000102030405060708090A0B0C0D0EFF",
            "99999999999999999-000102030405060708090a0b0c0d0eff",
            "1-000102030405060708090a0b0c0d0eff0",
        ] {
            assert_eq!(damaged.parse::<Cursor>(), Err(NoSuchName), "{damaged}");
        }
    }
}
