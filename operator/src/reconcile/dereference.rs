//! Dereference: read, by name, what the resource refers to. Nothing is judged here.

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
    let seeded = resource
        .status
        .as_ref()
        .and_then(|status| status.stock.as_ref())
        .is_some_and(|stock| stock.seeded);
    if resource.spec.stock.seed == Seed::ConfigMap && !seeded {
        let name = resource.spec.stock.seed_config_map.clone();
        let config_maps: Api<ConfigMap> = Api::namespaced(client.clone(), &namespace);
        // Metadata is enough: the Job reads the content.
        let found: Option<PartialObjectMeta<ConfigMap>> = bounded(config_maps.get_metadata_opt(&name))
            .await
            .map_err(|source| Error::ReadSeedConfigMap { name, source })?;
        referenced.seed_config_map_exists = found.is_some();
    }
    Ok(referenced)
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
