//! Which backups go. Pure: what is there and what time it is are handed in.

use jiff::{Timestamp, tz::TimeZone};

use super::{
    format::{manifest::Kind, name::BackupName},
    shelf::Entry,
};

/// For how long the newest safety backup is kept, whatever is set: an erasure says by when a person's data is gone.
const SAFETY_DAYS: u16 = 30;

/// A backup as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Aged<'a> {
    name: &'a BackupName,
    begun: Timestamp,
    safety: bool,
    good: bool,
}

/// The names of those that go, of entries that stand newest first. The newest good one that was not made for safety
/// stays in any case, whatever the clock says; so does the newest made for safety, for 30 days at most.
#[must_use]
pub fn superfluous(entries: &[Entry], keep_days: u16, now: Timestamp) -> Vec<BackupName> {
    let aged: Vec<Aged<'_>> = entries
        .iter()
        .map(|entry| Aged {
            name: &entry.name,
            begun: match &entry.manifest {
                Ok(manifest) => manifest.started_at,
                Err(_) => time_of(&entry.name).unwrap_or(now),
            },
            safety: entry
                .manifest
                .as_ref()
                .is_ok_and(|manifest| manifest.kind == Kind::Safety),
            good: entry.is_good(),
        })
        .collect();
    choose(&aged, keep_days, now)
}

fn choose(aged: &[Aged<'_>], keep_days: u16, now: Timestamp) -> Vec<BackupName> {
    let last_good = aged.iter().find(|backup| backup.good && !backup.safety);
    // Nothing goes while there is nothing to fall back on.
    let Some(last_good) = last_good else {
        return Vec::new();
    };
    let newest_safety = aged.iter().find(|backup| backup.safety);
    let is_older = |backup: &Aged<'_>, days: u16| {
        now.duration_since(backup.begun) > jiff::SignedDuration::from_hours(24 * i64::from(days))
    };
    aged.iter()
        .filter(|backup| backup.name != last_good.name)
        .filter(|backup| {
            let days = if newest_safety.is_some_and(|safety| safety.name == backup.name) {
                SAFETY_DAYS.max(keep_days)
            } else {
                keep_days
            };
            is_older(backup, days)
        })
        .map(|backup| backup.name.clone())
        .collect()
}

/// When a backup was begun, by its name alone.
fn time_of(name: &BackupName) -> Option<Timestamp> {
    let text = name.as_str().get(..15)?;
    let time = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%S", text).ok()?;
    Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gone(backups: &[(&str, bool, bool)], keep_days: u16, now: &str) -> Vec<String> {
        let names: Vec<BackupName> = backups.iter().map(|(name, ..)| name.parse().unwrap()).collect();
        let aged: Vec<Aged<'_>> = backups
            .iter()
            .zip(&names)
            .map(|((_, safety, good), name)| Aged {
                name,
                begun: time_of(name).unwrap(),
                safety: *safety,
                good: *good,
            })
            .collect();
        choose(&aged, keep_days, now.parse().unwrap())
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    const NEWEST: &str = "20261126T020000Z-00000009";
    const EIGHT_DAYS: &str = "20261118T015959Z-00000001";
    const MONTH: &str = "20261025T020000Z-00000002";

    /// Prevents backups from piling up, and one from going a day early.
    #[test]
    fn what_is_too_old_goes() {
        let now = "2026-11-26T02:00:10Z";
        let backups = [
            (NEWEST, false, true),
            ("20261119T020011Z-00000003", false, true),
            (EIGHT_DAYS, false, true),
            ("20261117T020000Z-00000004", false, false),
        ];
        assert_eq!(gone(&backups, 7, now), [EIGHT_DAYS, "20261117T020000Z-00000004"]);
        assert_eq!(gone(&backups, 30, now), [""; 0]);
    }

    /// Prevents the last good backup from going, when backups have failed for weeks or a clock was set forward.
    #[test]
    fn the_last_good_one_stays_whatever_the_clock_says() {
        let failed = [
            (NEWEST, false, false),
            (EIGHT_DAYS, false, true),
            (MONTH, false, true),
        ];
        assert_eq!(gone(&failed, 1, "2036-01-01T00:00:00Z"), [NEWEST, MONTH]);
        assert_eq!(gone(&failed, 1, "2016-01-01T00:00:00Z"), [""; 0]);
        let none_good = [(NEWEST, false, false), (MONTH, true, true)];
        assert_eq!(gone(&none_good, 1, "2036-01-01T00:00:00Z"), [""; 0]);
    }

    /// Prevents what a restore can go back to from going before the next restore, and from staying for ever.
    #[test]
    fn the_newest_safety_backup_stays_for_a_month() {
        let backups = [
            (NEWEST, false, true),
            (EIGHT_DAYS, true, true),
            ("20261117T020000Z-00000005", true, true),
        ];
        assert_eq!(
            gone(&backups, 7, "2026-11-26T02:00:10Z"),
            ["20261117T020000Z-00000005"]
        );
        assert_eq!(
            gone(&backups, 7, "2026-12-19T02:00:10Z"),
            [EIGHT_DAYS, "20261117T020000Z-00000005"]
        );
    }
}
