//! Generated secrets, the Redis password and an administrator's token: each made once from the operating
//! system's randomness and never written again. A restart of the operator finds it and changes nothing.
//!
//! Their Secrets are not marked `immutable`. The kubelet keeps what it read of an immutable Secret for as
//! long as any pod of the node mounts it, so a Secret that was deleted and made anew under its name would
//! reach no pod of that node.

use std::collections::BTreeMap;

use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{Api, Client, ResourceExt, api::PostParams};

use super::Error;
use crate::{
    client::bounded,
    names,
    reconcile::validate::Validated,
    resources::{Kind, metadata},
};

/// Bytes of randomness in a secret: as much as the digest that Redis keeps of it.
const RANDOM_BYTES: usize = 32;

/// What is generated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generated {
    /// The password of the managed Redis.
    RedisPassword,
    /// A token of an administrator.
    AdminToken,
}

impl Generated {
    /// The Secret's name.
    pub fn name(self, instance: &str) -> String {
        match self {
            Self::RedisPassword => names::credentials(instance),
            Self::AdminToken => names::admin_tokens(instance),
        }
    }

    fn key(self) -> &'static str {
        match self {
            Self::RedisPassword => names::PASSWORD_KEY,
            Self::AdminToken => names::ADMIN_TOKENS_KEY,
        }
    }

    fn component(self) -> &'static str {
        match self {
            Self::RedisPassword => names::REDIS,
            Self::AdminToken => names::API,
        }
    }
}

/// A generated secret, and whether it was made just now.
#[derive(Clone)]
pub struct Credentials {
    /// The secret.
    pub value: String,
    /// Whether it was made just now.
    pub made_now: bool,
}

/// The Secret that holds `value`.
pub fn secret(validated: &Validated, what: Generated, value: &str) -> Secret {
    let owner = &validated.owner;
    Secret {
        metadata: metadata(owner, what.name(&owner.name), what.component()),
        data: Some(BTreeMap::from([(
            what.key().to_owned(),
            ByteString(value.as_bytes().to_vec()),
        )])),
        ..Secret::default()
    }
}

/// The secret that exists, or a new one that is stored before anything uses it.
///
/// # Errors
/// When the Secret is somebody else's, or cannot be made.
pub async fn ensure(
    client: &Client,
    validated: &Validated,
    what: Generated,
    existing: Option<&Secret>,
) -> Result<Credentials, Error> {
    if let Some(existing) = existing {
        return read(validated, what, existing);
    }
    let value = generate()?;
    let secret = secret(validated, what, &value);
    let api: Api<Secret> = Api::namespaced(client.clone(), &validated.owner.namespace);
    let parameters = PostParams {
        field_manager: Some(names::FIELD_MANAGER.to_owned()),
        ..PostParams::default()
    };
    match bounded(api.create(&parameters, &secret)).await {
        Ok(_) => Ok(Credentials {
            value,
            made_now: true,
        }),
        // Another operator process, or an attempt of ours whose answer was lost, was first: what it
        // made counts.
        Err(kube::Error::Api(status)) if status.is_already_exists() => {
            let name = secret.name_any();
            let found = bounded(api.get(&name)).await.map_err(|source| Error::Read {
                kind: Kind::Secret,
                name,
                source,
            })?;
            read(validated, what, &found)
        }
        Err(source) => Err(Error::CreateCredentials {
            name: secret.name_any(),
            source,
        }),
    }
}

/// The secret in a Secret that exists.
///
/// # Errors
/// When the Secret is somebody else's, or holds none.
pub fn read(validated: &Validated, what: Generated, secret: &Secret) -> Result<Credentials, Error> {
    let name = secret.name_any();
    let ours = secret
        .owner_references()
        .iter()
        .any(|owner| owner.uid == validated.owner.uid);
    let value = secret
        .data
        .as_ref()
        .and_then(|data| data.get(what.key()))
        .and_then(|value| String::from_utf8(value.0.clone()).ok())
        .filter(|value| !value.is_empty());
    match value {
        Some(value) if ours => Ok(Credentials {
            value,
            made_now: false,
        }),
        _ => Err(Error::CredentialsNotOurs {
            name,
            leftover: super::is_leftover(secret.owner_references(), validated),
        }),
    }
}

/// A new secret.
///
/// # Errors
/// When the operating system gives no randomness.
pub fn generate() -> Result<String, Error> {
    let mut bytes = [0; RANDOM_BYTES];
    getrandom::fill(&mut bytes).map_err(Error::Randomness)?;
    Ok(names::hex(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prevents: secrets that repeat, or that are shorter than what an attacker cannot try.
    #[test]
    fn secrets_are_long_and_differ() {
        let (one, other) = (generate().expect("randomness"), generate().expect("randomness"));
        assert_ne!(one, other);
        assert_eq!(one.len(), 64);
    }
}
