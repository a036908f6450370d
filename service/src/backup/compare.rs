//! Whether what is in a store is what an archive has, by the digests of families.

use std::collections::BTreeMap;

use futures::{FutureExt, future::BoxFuture};

use super::{archive::Archive, error::BackupError, format::families::Family, packing::Lines, walk::Sinks};

/// Digests lines and keeps none.
#[derive(Default)]
pub(super) struct Digests(BTreeMap<Family, Lines>);

impl Sinks for Digests {
    fn write(
        &mut self,
        family: Family,
        lines: Vec<u8>,
        records: u64,
    ) -> BoxFuture<'_, Result<(), BackupError>> {
        let of_family = self.0.entry(family).or_default();
        of_family.add(&lines);
        of_family.records += records;
        async { Ok(()) }.boxed()
    }
}

impl Digests {
    /// Compares every family of a store with the manifest.
    pub(super) fn compare(mut self, archive: &Archive) -> Result<(), BackupError> {
        // What was declared is of the deployment: no store has it.
        for family in Family::ALL
            .into_iter()
            .filter(|family| *family != Family::Declared)
        {
            let facts = archive.facts(family)?;
            let found = self.0.remove(&family).unwrap_or_default();
            let (records, sha256) = (found.records, found.sha256());
            if (records, sha256.as_str()) != (facts.records, facts.sha256.as_str()) {
                return Err(BackupError::Differs(format!(
                    "{} has {records} records with the SHA-256 {sha256}, the backup {} with {}",
                    family.word(),
                    facts.records,
                    facts.sha256
                )));
            }
        }
        Ok(())
    }
}
