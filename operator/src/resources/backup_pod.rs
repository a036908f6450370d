//! What the pods of backups and of a restore have in common: how they reach the store, and the place where
//! backups are written to. What the variables mean is the service's `configuration/backup.rs`.

use faciliauto_api::ObjectStore;
use k8s_openapi::api::core::v1::{
    ConfigMapVolumeSource, EnvVar, EnvVarSource, KeyToPath, PersistentVolumeClaimVolumeSource,
    SecretKeySelector, Volume, VolumeMount,
};

use crate::{
    names,
    reconcile::validate::{BackupPlace, BackupSettings, Validated},
    resources::{
        backup::variable,
        config, pod,
        redis_login::{self, RedisLogin},
    },
};

/// Variables, volumes and where those are mounted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parts {
    /// Variables.
    pub(crate) environment: Vec<EnvVar>,
    /// Volumes.
    pub(crate) volumes: Vec<Volume>,
    /// Where they are mounted.
    pub(crate) mounts: Vec<VolumeMount>,
}

impl Parts {
    /// Adds a volume where it is mounted.
    pub(crate) fn mount(&mut self, volume: Volume, folder: &str, is_read_only: bool) {
        self.mounts.push(VolumeMount {
            name: volume.name.clone(),
            mount_path: folder.to_owned(),
            read_only: is_read_only.then_some(true),
            ..VolumeMount::default()
        });
        self.volumes.push(volume);
    }

    /// Adds a place in object storage, and what opens it.
    pub(crate) fn object_store(&mut self, store: &ObjectStore, at: &StoreNames<'_>) {
        let ObjectStore {
            url,
            endpoint,
            region,
            path_style,
            ca_config_map,
            credentials_secret,
        } = store;
        let StoreNames {
            url: url_name,
            prefix,
            folder,
            volume,
        } = at;
        self.environment.push(variable(url_name, url));
        for (name, value) in [("ENDPOINT", endpoint), ("REGION", region)] {
            if !value.is_empty() {
                self.environment
                    .push(variable(&format!("{prefix}_{name}"), value));
            }
        }
        // Said where something else could be meant: a source that says nothing is as the target.
        if *path_style || !endpoint.is_empty() {
            self.environment
                .push(variable(&format!("{prefix}_PATH_STYLE"), path_style.to_string()));
        }
        if !ca_config_map.is_empty() {
            let file = format!("{folder}/{}", names::TRUST_KEY);
            self.environment
                .push(variable(&format!("{prefix}_CA_FILE"), file));
            self.mount(
                config_map(volume, ca_config_map, Some(names::TRUST_KEY)),
                folder,
                true,
            );
        }
        if !credentials_secret.is_empty() {
            for key in names::S3_KEYS {
                self.environment.push(secret_variable(key, credentials_secret));
            }
        }
    }
}

/// How variables and volumes of a place in object storage are named.
pub(crate) struct StoreNames<'a> {
    /// The variable with its URL.
    pub(crate) url: &'a str,
    /// What the others begin with.
    pub(crate) prefix: &'a str,
    /// Where its authorities are mounted.
    pub(crate) folder: &'a str,
    /// The volume of those.
    pub(crate) volume: &'a str,
}

/// How the pod reaches the store, and the place that backups are written to.
pub(crate) fn parts(validated: &Validated, settings: &BackupSettings, login: &RedisLogin) -> Parts {
    let mut parts = Parts {
        environment: config::store_settings(validated)
            .into_iter()
            .map(|(name, value)| variable(&name, value))
            .collect(),
        volumes: vec![login.volume.clone()],
        mounts: vec![redis_login::mount()],
    };
    parts
        .environment
        .push(variable("FACILIAUTO_REPORT_FILE", "/dev/termination-log"));
    if let Some((volume, mount)) = pod::trust(validated) {
        parts.volumes.push(volume);
        parts.mounts.push(mount);
    }
    match &settings.place {
        BackupPlace::Volume { .. } => {
            parts
                .environment
                .push(variable("FACILIAUTO_BACKUP_TARGET", names::BACKUP_FOLDER));
            let claim = names::backup(&validated.owner.name);
            parts.mount(
                claim_volume("backups", &claim, false),
                names::BACKUP_FOLDER,
                false,
            );
        }
        BackupPlace::ObjectStore(store) => {
            let names = StoreNames {
                url: "FACILIAUTO_BACKUP_TARGET",
                prefix: "FACILIAUTO_BACKUP_S3",
                folder: names::S3_CA_FOLDER,
                volume: "s3-ca",
            };
            parts.object_store(store, &names);
        }
    }
    if let Some(recipient) = &settings.encrypt_to {
        parts
            .environment
            .push(variable("FACILIAUTO_BACKUP_ENCRYPT_TO", recipient));
    }
    let declared = names::declared(&validated.owner.name);
    parts.mount(
        config_map("declared", &declared, None),
        names::DECLARED_FOLDER,
        true,
    );
    parts
}

/// A volume of a claim.
pub(crate) fn claim_volume(name: &str, claim: &str, is_read_only: bool) -> Volume {
    Volume {
        name: name.to_owned(),
        persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
            claim_name: claim.to_owned(),
            read_only: is_read_only.then_some(true),
        }),
        ..Volume::default()
    }
}

fn config_map(volume: &str, name: &str, key: Option<&str>) -> Volume {
    Volume {
        name: volume.to_owned(),
        config_map: Some(ConfigMapVolumeSource {
            name: name.to_owned(),
            items: key.map(|key| {
                vec![KeyToPath {
                    key: key.to_owned(),
                    path: key.to_owned(),
                    mode: None,
                }]
            }),
            ..ConfigMapVolumeSource::default()
        }),
        ..Volume::default()
    }
}

fn secret_variable(key: &str, secret: &str) -> EnvVar {
    EnvVar {
        name: key.to_owned(),
        value: None,
        value_from: Some(EnvVarSource {
            secret_key_ref: Some(SecretKeySelector {
                name: secret.to_owned(),
                key: key.to_owned(),
                optional: None,
            }),
            ..EnvVarSource::default()
        }),
    }
}
