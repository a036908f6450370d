//! Backups and a restore, from the spec.

use faciliauto_api::{
    Backup, BackupEncryption, BackupResources, BackupStorage, FaciliAutoDeployment, ObjectStore, PodSettings,
    Quantity, Restore, RestoreSource,
};
use serde_json::{Value, json};

use super::check_compute;
use crate::{names, reconcile::dereference::Referenced, schedule::Schedule};

/// How backups are made.
#[derive(Clone, Debug)]
pub struct BackupSettings {
    /// When, as five fields of cron.
    pub schedule: String,
    /// In which time zone.
    pub time_zone: String,
    /// Days for which a backup is kept.
    pub keep_days: i32,
    /// Whether none is made by the schedule.
    pub is_suspended: bool,
    /// Whether each is proven.
    pub verify: bool,
    /// Where they are written to.
    pub place: BackupPlace,
    /// Public key that they are encrypted to.
    pub encrypt_to: Option<String>,
    /// The Secret with the private key.
    pub identity_secret: Option<String>,
    /// Compute resources.
    pub resources: BackupResources,
    /// The user's wishes about the pods.
    pub pod: PodSettings,
    /// What they cannot do without and is not there, and what to do.
    pub missing: Option<String>,
    /// What the resource declares, which goes into each backup.
    pub declared: String,
}

/// Where backups are written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackupPlace {
    /// To a volume of ours.
    Volume {
        /// Its size.
        size: Quantity,
        /// Its class; absent means the cluster's default.
        class: Option<String>,
    },
    /// To object storage.
    ObjectStore(ObjectStore),
}

/// A restore that is declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreSettings {
    /// Its id.
    pub id: String,
    /// The backup, or `latest`.
    pub from: String,
    /// Where it is; absent means among our own.
    pub source: Option<RestorePlace>,
    /// What it cannot do without and is not there, and what to do.
    pub missing: Option<String>,
}

/// Where a backup is that is not among our own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RestorePlace {
    /// On the volume of a claim.
    Claim(String),
    /// In object storage.
    ObjectStore(ObjectStore),
}

/// Backups, when they are on.
pub(super) fn backup(
    resource: &FaciliAutoDeployment,
    backup: Backup,
    referenced: &Referenced,
    problems: &mut Vec<String>,
) -> Option<BackupSettings> {
    let Backup {
        enabled,
        schedule,
        time_zone,
        retention_days,
        suspend,
        verify,
        storage: BackupStorage {
            size,
            storage_class_name,
        },
        object_store,
        encryption: BackupEncryption {
            recipient,
            identity_secret,
        },
        resources,
        pod,
    } = backup;
    if !enabled {
        return None;
    }
    if let Err(error) = Schedule::parse(&schedule, &time_zone) {
        let field = match error {
            crate::schedule::Error::TimeZone(_) => "backup.timeZone",
            _ => "backup.schedule",
        };
        problems.push(format!("{field}: {error}"));
    }
    problems.extend(check_compute(
        "backup",
        &resources.requests.cpu,
        &resources.limits.cpu,
    ));
    problems.extend(check_compute(
        "backup",
        &resources.requests.memory,
        &resources.limits.memory,
    ));
    if size.units().is_none_or(|bytes| bytes <= 0) {
        problems.push(format!(
            "backup.storage.size {size} must be an amount above 0, such as 2Gi"
        ));
    }
    let place = if object_store.is_named() {
        BackupPlace::ObjectStore(object_store)
    } else {
        BackupPlace::Volume {
            size,
            class: storage_class_name.filter(|class| !class.is_empty()),
        }
    };
    let missing = match &place {
        BackupPlace::ObjectStore(store) => missing_of_store("backup.objectStore", store, referenced),
        BackupPlace::Volume { .. } => None,
    };
    Some(BackupSettings {
        schedule,
        time_zone,
        keep_days: retention_days,
        is_suspended: suspend,
        verify,
        place,
        encrypt_to: Some(recipient).filter(|recipient| !recipient.is_empty()),
        identity_secret: Some(identity_secret).filter(|secret| !secret.is_empty()),
        resources,
        pod,
        missing,
        declared: declared(resource),
    })
}

/// The restore, when one is declared; `backup` is what backups are.
pub(super) fn restore(
    restore: Restore,
    backup: Option<&BackupSettings>,
    referenced: &Referenced,
    problems: &mut Vec<String>,
) -> Option<RestoreSettings> {
    let Restore {
        id,
        from,
        source: RestoreSource {
            claim_name,
            object_store,
        },
    } = restore;
    if id.is_empty() {
        return None;
    }
    let Some(backup) = backup else {
        problems.push(
            "restore.id needs backup.enabled: true, for what is there is backed up before it is replaced"
                .to_owned(),
        );
        return None;
    };
    let source = if !claim_name.is_empty() {
        Some(RestorePlace::Claim(claim_name))
    } else if object_store.is_named() {
        Some(RestorePlace::ObjectStore(object_store))
    } else {
        None
    };
    let of_source = match &source {
        Some(RestorePlace::ObjectStore(store)) => {
            let missing = missing_of_store("restore.source.objectStore", store, referenced);
            missing.or_else(|| other_keys(&backup.place, store))
        }
        Some(RestorePlace::Claim(_)) | None => None,
    };
    let of_identity = backup.identity_secret.as_ref().and_then(|secret| {
        let field = "backup.encryption.identitySecret";
        missing_key(field, secret, &[names::IDENTITY_KEY], referenced)
    });
    Some(RestoreSettings {
        id,
        from,
        source,
        missing: backup.missing.clone().or(of_source).or(of_identity),
    })
}

/// Why the keys of a source cannot be used: one restore opens its source and its target with the same.
fn other_keys(target: &BackupPlace, source: &ObjectStore) -> Option<String> {
    let BackupPlace::ObjectStore(target) = target else {
        return None;
    };
    let (own, other) = (&target.credentials_secret, &source.credentials_secret);
    (!other.is_empty() && own != other).then(|| {
        format!(
            "restore.source.objectStore.credentialsSecret {other} is not that of backup.objectStore, and one pair of keys has to open both places: name one Secret in both, or back up to the volume until the restore has ended."
        )
    })
}

/// What of the things that a place in object storage names is not there.
fn missing_of_store(field: &str, store: &ObjectStore, referenced: &Referenced) -> Option<String> {
    let secret = Some(&store.credentials_secret).filter(|name| !name.is_empty());
    let config_map = Some(&store.ca_config_map).filter(|name| !name.is_empty());
    let secret = secret.and_then(|name| {
        let field = format!("{field}.credentialsSecret");
        missing_key(&field, name, &names::S3_KEYS, referenced)
    });
    secret.or_else(|| {
        let name = config_map?;
        let found = referenced.backup_config_maps.get(name);
        let has_key = found
            .and_then(|map| map.data.as_ref())
            .is_some_and(|data| data.contains_key(names::TRUST_KEY));
        (!has_key).then(|| {
            format!(
                "The ConfigMap {name} that {field}.caConfigMap names is missing or lacks the key {key}: create it with that key, certificates as PEM.",
                key = names::TRUST_KEY
            )
        })
    })
}

fn missing_key(field: &str, name: &str, keys: &[&str], referenced: &Referenced) -> Option<String> {
    let Some(secret) = referenced.backup_secrets.get(name) else {
        return Some(format!(
            "The Secret {name} that {field} names does not exist: create it with the keys {}.",
            keys.join(", ")
        ));
    };
    let lacks = |key: &&&str| !secret.data.as_ref().is_some_and(|data| data.contains_key(**key));
    let lacking = keys.iter().find(lacks)?;
    Some(format!(
        "The Secret {name} that {field} names has no key {lacking}: add it."
    ))
}

/// What the resource declares, as a manifest that makes the same system again. Not that it is paused, nor
/// a restore: neither belongs to the system.
fn declared(resource: &FaciliAutoDeployment) -> String {
    let mut spec = json!(resource.spec);
    if let Some(fields) = spec.as_object_mut() {
        fields.remove("paused");
        fields.remove("restore");
    }
    let metadata = &resource.metadata;
    let manifest: Value = json!({
        "apiVersion": "faciliauto.com/v1alpha1",
        "kind": "FaciliAutoDeployment",
        "metadata": {"name": metadata.name, "namespace": metadata.namespace},
        "spec": spec,
    });
    // JSON, which is YAML too, where it cannot be written otherwise.
    serde_yaml::to_string(&manifest).unwrap_or_else(|_| manifest.to_string())
}
