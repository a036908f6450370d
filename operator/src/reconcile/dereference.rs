//! Dereference: read, by name, what the resource refers to. Nothing is judged here.

use std::collections::{BTreeMap, BTreeSet};

use faciliauto_api::{FaciliAutoDeployment, RedisMode, Seed};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{Api, Client, ResourceExt, core::PartialObjectMeta};

use crate::{client::bounded, names};

/// Failures of this step.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The Secret with the generated password could not be read.
    #[error("failed to read the Secret {name} with the generated Redis password")]
    ReadCredentials {
        /// The Secret.
        name: String,
        /// What the API server said.
        source: kube::Error,
    },
    /// The Secret with the user's password could not be read.
    #[error("failed to read the Secret {name} with the Redis password")]
    ReadPasswordSecret {
        /// The Secret.
        name: String,
        /// What the API server said.
        source: kube::Error,
    },
    /// The Secret with the passwords that pods mount could not be read.
    #[error("failed to read the Secret {name} with the Redis passwords in use")]
    ReadLogin {
        /// The Secret.
        name: String,
        /// What the API server said.
        source: kube::Error,
    },
    /// The Secret with Redis's users could not be read.
    #[error("failed to read the Secret {name} with the Redis users")]
    ReadAcl {
        /// The Secret.
        name: String,
        /// What the API server said.
        source: kube::Error,
    },
    /// The Secret that the resource names could not be read.
    #[error("failed to read the Secret {name} with the URL of the external Redis")]
    ReadUrlSecret {
        /// The Secret.
        name: String,
        /// What the API server said.
        source: kube::Error,
    },
    /// The Secret with the administrators' tokens could not be read.
    #[error("failed to read the Secret {name} with the administrators' tokens")]
    ReadAdminTokens {
        /// The Secret.
        name: String,
        /// What the API server said.
        source: kube::Error,
    },
    /// The ConfigMap with certificate authorities could not be read.
    #[error("failed to read the ConfigMap {name} with the certificate authorities")]
    ReadTrustedAuthorities {
        /// The ConfigMap.
        name: String,
        /// What the API server said.
        source: kube::Error,
    },
    /// A Secret that backups or a restore need could not be read.
    #[error("failed to read the Secret {name} for backups")]
    ReadBackupSecret {
        /// The Secret.
        name: String,
        /// What the API server said.
        source: kube::Error,
    },
    /// A ConfigMap that backups or a restore need could not be read.
    #[error("failed to read the ConfigMap {name} for backups")]
    ReadBackupConfigMap {
        /// The ConfigMap.
        name: String,
        /// What the API server said.
        source: kube::Error,
    },
    /// The ConfigMap that the resource names could not be read.
    #[error("failed to read the ConfigMap {name} with the stock to import")]
    ReadSeedConfigMap {
        /// The ConfigMap.
        name: String,
        /// What the API server said.
        source: kube::Error,
    },
}

impl Error {
    /// What the API server said.
    pub fn api_error(&self) -> &kube::Error {
        match self {
            Self::ReadCredentials { source, .. }
            | Self::ReadPasswordSecret { source, .. }
            | Self::ReadLogin { source, .. }
            | Self::ReadAcl { source, .. }
            | Self::ReadUrlSecret { source, .. }
            | Self::ReadAdminTokens { source, .. }
            | Self::ReadTrustedAuthorities { source, .. }
            | Self::ReadBackupSecret { source, .. }
            | Self::ReadBackupConfigMap { source, .. }
            | Self::ReadSeedConfigMap { source, .. } => source,
        }
    }
}

/// What was read; absent means that it does not exist, or that nothing refers to it.
#[derive(Clone, Debug, Default)]
pub struct Referenced {
    /// The Secret with the generated password of a managed Redis.
    pub credentials: Option<Secret>,
    /// The Secret of the user's with the password of a managed Redis.
    pub password_secret: Option<Secret>,
    /// The Secret with the passwords of a managed Redis that are in use.
    pub login: Option<Secret>,
    /// The Secret with the users of a managed Redis.
    pub acl: Option<Secret>,
    /// The Secret with the URL of an external Redis.
    pub url_secret: Option<Secret>,
    /// The Secret with the administrators' tokens, generated or the user's.
    pub admin_tokens: Option<Secret>,
    /// The ConfigMap with certificate authorities.
    pub trusted_authorities: Option<ConfigMap>,
    /// The Secrets that backups and a restore need, by name.
    pub backup_secrets: BTreeMap<String, Secret>,
    /// The ConfigMaps that they need, by name.
    pub backup_config_maps: BTreeMap<String, ConfigMap>,
    /// Whether the ConfigMap with the stock to import exists.
    pub seed_config_map_exists: bool,
}

/// Reads everything that `resource` refers to. Secrets are read each time, one GET each.
///
/// # Errors
/// When the API server does not answer a read; that something does not exist is no error.
pub async fn dereference(client: &Client, resource: &FaciliAutoDeployment) -> Result<Referenced, Error> {
    let namespace = resource.namespace().unwrap_or_default();
    let secrets: Api<Secret> = Api::namespaced(client.clone(), &namespace);
    let mut referenced = Referenced::default();
    match resource.spec.redis.mode {
        RedisMode::Managed => {
            match users_password_secret(resource) {
                Some(name) => {
                    let name = name.to_owned();
                    referenced.password_secret = bounded(secrets.get_opt(&name))
                        .await
                        .map_err(|source| Error::ReadPasswordSecret { name, source })?;
                }
                None => {
                    let name = names::credentials(&resource.name_any());
                    referenced.credentials = bounded(secrets.get_opt(&name))
                        .await
                        .map_err(|source| Error::ReadCredentials { name, source })?;
                }
            }
            let name = names::login(&resource.name_any());
            referenced.login = bounded(secrets.get_opt(&name))
                .await
                .map_err(|source| Error::ReadLogin { name, source })?;
            let name = names::acl(&resource.name_any());
            referenced.acl = bounded(secrets.get_opt(&name))
                .await
                .map_err(|source| Error::ReadAcl { name, source })?;
        }
        RedisMode::External => {
            if let Some(external) = &resource.spec.redis.external {
                let name = external.url_secret.name.clone();
                referenced.url_secret = bounded(secrets.get_opt(&name))
                    .await
                    .map_err(|source| Error::ReadUrlSecret { name, source })?;
            }
        }
    }
    let name = match resource.spec.api.admin_tokens_secret.as_str() {
        "" => names::admin_tokens(&resource.name_any()),
        name => name.to_owned(),
    };
    referenced.admin_tokens = bounded(secrets.get_opt(&name))
        .await
        .map_err(|source| Error::ReadAdminTokens { name, source })?;
    let config_maps: Api<ConfigMap> = Api::namespaced(client.clone(), &namespace);
    let name = resource.spec.trust.ca_config_map.clone();
    if !name.is_empty() {
        referenced.trusted_authorities = bounded(config_maps.get_opt(&name))
            .await
            .map_err(|source| Error::ReadTrustedAuthorities { name, source })?;
    }
    let BackupReferences {
        secrets: backup_secrets,
        config_maps: backup_config_maps,
    } = backup_references(resource);
    for name in backup_secrets {
        let found = bounded(secrets.get_opt(name)).await;
        let name = name.to_owned();
        match found {
            Ok(Some(secret)) => drop(referenced.backup_secrets.insert(name, secret)),
            Ok(None) => {}
            Err(source) => return Err(Error::ReadBackupSecret { name, source }),
        }
    }
    for name in backup_config_maps {
        let found = bounded(config_maps.get_opt(name)).await;
        let name = name.to_owned();
        match found {
            Ok(Some(map)) => drop(referenced.backup_config_maps.insert(name, map)),
            Ok(None) => {}
            Err(source) => return Err(Error::ReadBackupConfigMap { name, source }),
        }
    }
    let seeded = resource
        .status
        .as_ref()
        .and_then(|status| status.stock.as_ref())
        .is_some_and(|stock| stock.seeded);
    if resource.spec.stock.seed == Seed::ConfigMap && !seeded {
        let name = resource.spec.stock.seed_config_map.clone();
        // Metadata is enough: the Job reads the content.
        let found: Option<PartialObjectMeta<ConfigMap>> = bounded(config_maps.get_metadata_opt(&name))
            .await
            .map_err(|source| Error::ReadSeedConfigMap { name, source })?;
        referenced.seed_config_map_exists = found.is_some();
    }
    Ok(referenced)
}

/// Names of what backups and a restore need.
#[derive(Debug, Default)]
pub struct BackupReferences<'a> {
    /// Secrets.
    pub secrets: BTreeSet<&'a str>,
    /// ConfigMaps.
    pub config_maps: BTreeSet<&'a str>,
}

/// What backups need, while they are on, and a restore that is declared.
pub fn backup_references(resource: &FaciliAutoDeployment) -> BackupReferences<'_> {
    let (backup, restore) = (&resource.spec.backup, &resource.spec.restore);
    let mut names = BackupReferences::default();
    if !backup.enabled {
        return names;
    }
    let mut stores = vec![&backup.object_store];
    if !restore.id.is_empty() {
        stores.push(&restore.source.object_store);
        names.secrets.insert(&backup.encryption.identity_secret);
    }
    for store in stores.into_iter().filter(|store| store.is_named()) {
        names.secrets.insert(&store.credentials_secret);
        names.config_maps.insert(&store.ca_config_map);
    }
    names.secrets.remove("");
    names.config_maps.remove("");
    names
}

/// The Secret of the user's with the password of a managed Redis, if one is named. Who names the one that
/// the operator makes means that one.
pub fn users_password_secret(resource: &FaciliAutoDeployment) -> Option<&str> {
    let name = resource.spec.redis.managed.password_secret.as_str();
    let is_users = resource.spec.redis.mode == RedisMode::Managed
        && !name.is_empty()
        && name != names::credentials(&resource.name_any());
    is_users.then_some(name)
}
