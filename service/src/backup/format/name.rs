//! Names of backups: when they were begun and eight digits of chance, so that two never share one.

use std::{fmt, str::FromStr};

use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};

use crate::random;

/// `20261126T020000Z-ab12cd34`: the directory of a backup.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BackupName(String);

/// A text that names no backup.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} names no backup: a name is like 20261126T020000Z-ab12cd34, or latest")]
pub struct NoBackupName(String);

impl BackupName {
    /// A new one, of now.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        let time = now.to_zoned(TimeZone::UTC).strftime("%Y%m%dT%H%M%SZ").to_string();
        Self(format!("{time}-{}", random::hexadecimal(4)))
    }

    /// As a text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BackupName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for BackupName {
    type Err = NoBackupName;

    fn from_str(text: &str) -> Result<Self, NoBackupName> {
        let fits = |index: usize, letter: u8| match index {
            8 => letter == b'T',
            15 => letter == b'Z',
            16 => letter == b'-',
            17.. => matches!(letter, b'0'..=b'9' | b'a'..=b'f'),
            _ => letter.is_ascii_digit(),
        };
        let is_name = text.len() == 25
            && text
                .bytes()
                .enumerate()
                .all(|(index, letter)| fits(index, letter));
        if is_name {
            Ok(Self(text.to_owned()))
        } else {
            Err(NoBackupName(text.chars().take(80).collect()))
        }
    }
}

impl TryFrom<String> for BackupName {
    type Error = NoBackupName;

    fn try_from(text: String) -> Result<Self, NoBackupName> {
        text.parse()
    }
}

impl From<BackupName> for String {
    fn from(name: BackupName) -> Self {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prevents a name from leading out of the target, and a foreign directory from being taken for a backup.
    #[test]
    fn only_names_of_ours_are_names() {
        let made = BackupName::new("2026-11-26T02:00:00Z".parse().unwrap());
        assert!(made.as_str().starts_with("20261126T020000Z-"), "{made}");
        assert_eq!(made.as_str().parse(), Ok(made.clone()));
        for other in [
            "",
            "latest",
            "../etc",
            "20261126T020000Z",
            "20261126T020000Z-AB12CD34",
            "20261126T020000Z-ab12cd3",
            "20261126T020000Z-ab12cd345",
            "20261126 020000Z-ab12cd34",
            "2026112/T020000Z-ab12cd34",
        ] {
            assert!(other.parse::<BackupName>().is_err(), "{other}");
        }
    }
}
