//! The generated Redis password: made once from the operating system's randomness and never written
//! again. A restart of the operator finds it and changes nothing.
//!
//! The Secret is not marked `immutable`. The kubelet keeps what it read of an immutable Secret for as
//! long as any pod of the node mounts it, so after one was deleted and made anew under its name, the new
//! pods would get the old password, never become ready, and so keep the old pods, for ever.

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

/// Bytes of randomness in a password: as much as the digest that Redis keeps of it.
const RANDOM_BYTES: usize = 32;

/// A password, and whether it was made just now.
#[derive(Clone)]
pub struct Credentials {
    /// The password.
    pub password: String,
    /// Whether it was made just now.
    pub made_now: bool,
}

/// The Secret that holds `password`.
pub fn secret(validated: &Validated, password: &str) -> Secret {
    let name = names::credentials(&validated.owner.name);
    Secret {
        metadata: metadata(&validated.owner, name, names::REDIS),
        data: Some(BTreeMap::from([(
            names::PASSWORD_KEY.to_owned(),
            ByteString(password.as_bytes().to_vec()),
        )])),
        ..Secret::default()
    }
}

/// The password that exists, or a new one that is stored before anything uses it.
///
/// # Errors
/// When the Secret is somebody else's, or cannot be made.
pub async fn ensure(
    client: &Client,
    validated: &Validated,
    existing: Option<&Secret>,
) -> Result<Credentials, Error> {
    if let Some(existing) = existing {
        return read(validated, existing);
    }
    let password = generate()?;
    let secret = secret(validated, &password);
    let api: Api<Secret> = Api::namespaced(client.clone(), &validated.owner.namespace);
    let parameters = PostParams {
        field_manager: Some(names::FIELD_MANAGER.to_owned()),
        ..PostParams::default()
    };
    match bounded(api.create(&parameters, &secret)).await {
        Ok(_) => Ok(Credentials {
            password,
            made_now: true,
        }),
        // Another operator process, or an attempt of ours whose answer was lost, was first: its
        // password counts.
        Err(kube::Error::Api(status)) if status.is_already_exists() => {
            let name = secret.name_any();
            let found = bounded(api.get(&name)).await.map_err(|source| Error::Read {
                kind: Kind::Secret,
                name,
                source,
            })?;
            read(validated, &found)
        }
        Err(source) => Err(Error::CreateCredentials {
            name: secret.name_any(),
            source,
        }),
    }
}

/// The password in a Secret that exists.
///
/// # Errors
/// When the Secret is somebody else's, or holds none.
pub fn read(validated: &Validated, secret: &Secret) -> Result<Credentials, Error> {
    let name = secret.name_any();
    let ours = secret
        .owner_references()
        .iter()
        .any(|owner| owner.uid == validated.owner.uid);
    let password = secret
        .data
        .as_ref()
        .and_then(|data| data.get(names::PASSWORD_KEY))
        .and_then(|password| String::from_utf8(password.0.clone()).ok())
        .filter(|password| !password.is_empty());
    match password {
        Some(password) if ours => Ok(Credentials {
            password,
            made_now: false,
        }),
        _ => Err(Error::CredentialsNotOurs {
            name,
            leftover: super::is_leftover(secret.owner_references(), validated),
        }),
    }
}

fn generate() -> Result<String, Error> {
    let mut bytes = [0; RANDOM_BYTES];
    getrandom::fill(&mut bytes).map_err(Error::Randomness)?;
    Ok(names::hex(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prevents: passwords that repeat, or that are shorter than what an attacker cannot try.
    #[test]
    fn passwords_are_long_and_differ() {
        let (one, other) = (generate().expect("randomness"), generate().expect("randomness"));
        assert_ne!(one, other);
        assert_eq!(one.len(), 64);
    }
}
