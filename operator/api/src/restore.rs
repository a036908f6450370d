//! A backup that takes the place of what is there.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ObjectStore;

/// A backup that takes the place of what is there. Each new id runs one restore, once; what was there is
/// backed up before, and kept beside for a day.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "!has(self.id) || self.id == '' || self.id.matches('^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$')",
        "message": "restore.id must be 1 to 63 letters, digits and . _ -, beginning and ending with a letter or digit",
        "fieldPath": ".id",
    },
    {
        "rule": "self.from.matches('^[A-Za-z0-9]([A-Za-z0-9._-]{0,126}[A-Za-z0-9])?$')",
        "message": "restore.from must be 'latest' or the name of a backup, such as 20260131T050000Z-ab12cd34",
        "fieldPath": ".from",
    },
]))]
pub struct Restore {
    /// A word of yours for this restore. A new one begins a restore; the same one never runs again; without
    /// one there is none.
    #[schemars(length(max = 63))]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub id: String,

    /// Name of the backup, or `latest`.
    #[schemars(length(min = 1, max = 128))]
    pub from: String,

    /// Where the backup is, when it is not among this system's own.
    pub source: RestoreSource,
}

impl Default for Restore {
    fn default() -> Self {
        Self {
            id: String::new(),
            from: "latest".to_owned(),
            source: RestoreSource::default(),
        }
    }
}

/// Where a backup is that another system made. Empty: among this system's own. It is only read.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "!has(self.claimName) || self.claimName == '' || !has(self.objectStore.url) || self.objectStore.url == ''",
        "message": "restore.source takes claimName or objectStore.url, not both: remove one of them",
    },
]))]
pub struct RestoreSource {
    /// Name of a PersistentVolumeClaim in the resource's namespace that holds backups.
    #[schemars(length(max = 253))]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub claim_name: String,

    /// Object storage that holds backups. What it leaves out is as in backup.objectStore. Where backups go
    /// to object storage, too, one pair of keys opens both.
    pub object_store: ObjectStore,
}
