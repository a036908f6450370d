//! How the stock and everything the API remembers is backed up.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ComputeQuantities, ObjectStore, PodSettings, Quantity};

/// How the stock and everything the API remembers is backed up: once a day, to a volume or to object
/// storage, each backup proven by restoring it aside before an older one goes.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": r"self.schedule.matches('^[0-9A-Za-z*/,?-]+( +[0-9A-Za-z*/,?-]+){4}$')",
        "message": "backup.schedule must be five fields, minute hour day month weekday, such as '0 2 * * *'; the time zone goes into backup.timeZone",
        "fieldPath": ".schedule",
    },
    {
        "rule": r"self.timeZone.matches('^[A-Z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}$')",
        "message": "backup.timeZone must be a name of the IANA time zone database, such as America/Sao_Paulo or UTC",
        "fieldPath": ".timeZone",
    },
]))]
pub struct Backup {
    /// Whether there are backups. Switched off, nothing that was written goes: the volume stays.
    pub enabled: bool,

    /// When a backup is made, as five fields of cron in the time zone beside it.
    #[schemars(length(min = 9, max = 128))]
    pub schedule: String,

    /// Name of the time zone of the schedule, from the IANA database.
    #[schemars(length(min = 1, max = 64))]
    pub time_zone: String,

    /// Days for which a backup is kept: the next one that is proven removes those that are older, so none
    /// goes while verify is false. The last good one is never removed, however old it is. People who have
    /// themselves erased are told a day by it, and the API's pods are replaced when it changes.
    #[schemars(range(min = 1, max = 365))]
    pub retention_days: i32,

    /// Whether no backup is made by the schedule for now; those asked for by hand still are. While true,
    /// a new image of Redis does not wait for a backup, either.
    pub suspend: bool,

    /// Whether each backup is read back and restored aside before it counts and before older ones go. While
    /// false, no backup is ever removed, whatever retentionDays says: their place fills, and people who have
    /// themselves erased stay in the backups longer than they are told.
    pub verify: bool,

    /// The volume that backups are written to, while objectStore names no other place.
    pub storage: BackupStorage,

    /// Object storage that backups are written to in place of the volume. The operator never removes
    /// anything there; retention does, by the same rules as on a volume.
    pub object_store: ObjectStore,

    /// What makes backups unreadable for whoever finds them.
    pub encryption: BackupEncryption,

    /// Compute resources of backups and of a restore.
    pub resources: BackupResources,

    /// Labels, annotations and placement of the pods of backups and of a restore.
    pub pod: PodSettings,
}

impl Default for Backup {
    fn default() -> Self {
        Self {
            enabled: true,
            schedule: "0 2 * * *".to_owned(),
            time_zone: "America/Sao_Paulo".to_owned(),
            retention_days: 7,
            suspend: false,
            verify: true,
            storage: BackupStorage::default(),
            object_store: ObjectStore::default(),
            encryption: BackupEncryption::default(),
            resources: BackupResources::default(),
            pod: PodSettings::default(),
        }
    }
}

/// The volume that backups are written to.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "quantity(string(self.size)).compareTo(quantity(string(oldSelf.size))) >= 0",
        "message": "backup.storage.size may grow but never shrink: give at least the present size",
    },
    {
        "rule": "quantity(string(self.size)).isGreaterThan(quantity('0'))",
        "message": "backup.storage.size must be more than 0",
    },
    {
        "rule": "has(self.storageClassName) == has(oldSelf.storageClassName) && (!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName)",
        "message": "backup.storage.storageClassName cannot change: a volume stays in its class; make a new resource instead, or use backup.objectStore",
    },
]))]
pub struct BackupStorage {
    /// Size of the volume. It may grow where the StorageClass allows that, and never shrinks.
    pub size: Quantity,

    /// StorageClass of the volume. Default: the cluster's default class. It cannot change later.
    #[schemars(length(max = 253))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_class_name: Option<String>,
}

impl Default for BackupStorage {
    fn default() -> Self {
        Self {
            size: Quantity::from("2Gi"),
            storage_class_name: None,
        }
    }
}

/// What makes backups unreadable for whoever finds them: age, <https://age-encryption.org>.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "!has(self.recipient) || self.recipient == '' || self.recipient.matches('^age1[02-9ac-hj-np-z]{58}$')",
        "message": "backup.encryption.recipient must be a public key of age, 'age1' followed by 58 characters: age-keygen prints one",
        "fieldPath": ".recipient",
    },
]))]
pub struct BackupEncryption {
    /// Public key that backups are encrypted to. Default: they are not encrypted. That one can be restored
    /// is proven all the same; that the private key is still yours only a restore tells.
    #[schemars(length(max = 62))]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub recipient: String,

    /// Name of a Secret whose key `identity.txt` holds the private key, as age-keygen writes it: needed
    /// only while an encrypted backup is restored.
    #[schemars(length(max = 253))]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub identity_secret: String,
}

/// Compute resources of backups and of a restore.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "!has(self.requests.cpu) || !has(self.limits.cpu) || quantity(string(self.requests.cpu)).compareTo(quantity(string(self.limits.cpu))) <= 0",
        "message": "backup.resources.requests.cpu must not exceed backup.resources.limits.cpu: raise the limit or lower the request",
    },
    {
        "rule": "!has(self.requests.memory) || !has(self.limits.memory) || quantity(string(self.requests.memory)).compareTo(quantity(string(self.limits.memory))) <= 0",
        "message": "backup.resources.requests.memory must not exceed backup.resources.limits.memory: raise the limit or lower the request",
    },
]))]
pub struct BackupResources {
    /// What the pod is guaranteed.
    pub requests: ComputeQuantities,

    /// What the pod may use at most. A backup and a restore stay under 256Mi; a proof builds the whole
    /// catalogue, so it takes what one API pod takes for it.
    pub limits: ComputeQuantities,
}

impl Default for BackupResources {
    fn default() -> Self {
        Self {
            // Of a processor that is wanted by both, an API pod gets the larger part by far.
            requests: ComputeQuantities::of(Some("10m"), Some("64Mi")),
            limits: ComputeQuantities::of(None, Some("512Mi")),
        }
    }
}
