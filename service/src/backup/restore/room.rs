//! Whether a store has room for a second generation beside the one that it serves.

use crate::{
    backup::{
        error::BackupError,
        format::{families::Family, manifest::Manifest},
    },
    state::{State, generations::Room},
};

/// What an event takes in Redis beside its text: its place in time, in two indexes and three counts; 300,000 took some 630
/// bytes each.
const OF_AN_EVENT: u64 = 700;

/// What a generation takes that holds nothing, and what a server needs to answer meanwhile.
const AT_LEAST: u64 = 4 << 20;

/// Refuses a restore that would fill the store to its brim.
pub(super) async fn check(state: &dyn State, manifest: &Manifest) -> Result<(), BackupError> {
    let Some(room) = state.room().await? else {
        return Ok(());
    };
    fits(room, needed(manifest))
}

fn fits(room: Room, needed: u64) -> Result<(), BackupError> {
    if room.left() >= needed {
        return Ok(());
    }
    let mebibytes = |bytes: u64| bytes.div_ceil(1 << 20);
    Err(BackupError::FullStore(format!(
        "the store has {} MiB left of {}, and the backup needs some {} MiB beside what is there: give it more memory \
         (maxmemory) for the restore; nothing was changed",
        mebibytes(room.left()),
        mebibytes(room.max),
        mebibytes(needed)
    )))
}

/// Bytes, roughly: stock lies packed in the store as in the archive, everything else as it is.
fn needed(manifest: &Manifest) -> u64 {
    let bytes = |family| manifest.family(family).map_or(0, |facts| facts.bytes);
    let packed = |family| manifest.family(family).map_or(0, |facts| facts.file_bytes);
    let others = [Family::Dealerships, Family::Tokens, Family::Sold, Family::Ledger];
    AT_LEAST
        + packed(Family::Stock) * 3 / 2
        + 2 * others.map(bytes).iter().sum::<u64>()
        + bytes(Family::Feedback)
        + bytes(Family::Interactions)
        + OF_AN_EVENT * manifest.events()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backup::format::manifest::tests::manifest;

    /// Prevents a restore from filling the store so far that nothing can be written any more, though it could be known
    /// before.
    #[test]
    fn a_restore_that_does_not_fit_is_refused_before_it_begins() {
        let mut manifest = manifest(&"20261126T020000Z-ab12cd34".parse().unwrap());
        for facts in &mut manifest.families {
            (facts.records, facts.bytes, facts.file_bytes) = (0, 0, 0);
        }
        assert_eq!(needed(&manifest), AT_LEAST);
        manifest.families[3].file_bytes = 10 << 20;
        assert_eq!(needed(&manifest), AT_LEAST + (15 << 20));
        manifest.families[5].records = 1000;
        manifest.families[5].bytes = 300_000;
        assert_eq!(needed(&manifest), AT_LEAST + (15 << 20) + 1_000_000);
        let room = Room {
            used: 80 << 20,
            max: 100 << 20,
        };
        assert!(fits(room, needed(&manifest)).is_ok());
        let tight = Room {
            used: 81 << 20,
            ..room
        };
        let error = fits(tight, needed(&manifest)).expect_err("refused");
        assert_eq!((error.code(), error.exit_code()), ("full-store", 1));
        assert!(error.to_string().contains("19 MiB left of 100"), "{error}");
    }
}
