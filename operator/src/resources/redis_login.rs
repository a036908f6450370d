//! How pods log in to Redis: the Secret with the passwords that are valid, and what a pod mounts of it.

use k8s_openapi::api::core::v1::{Secret, Volume, VolumeMount};

use crate::{
    names,
    reconcile::{
        passwords::Passwords,
        validate::{RedisSettings, Validated},
    },
    resources::{metadata, pod},
};

/// Name of the volume with the Redis password or URL.
const VOLUME: &str = "redis";

/// How a pod logs in.
#[derive(Clone, Debug)]
pub(crate) struct RedisLogin {
    /// The volume with the password or URL.
    pub(crate) volume: Volume,
    /// What changes with them: a pod's annotation, by which it can be told who was given what.
    pub(crate) mark: String,
}

/// The Secret. Pods mount one key each, so a password can go while another is read.
///
/// # Errors
/// When the state in it cannot be written as JSON.
pub(crate) fn secret(validated: &Validated, passwords: &Passwords) -> serde_json::Result<Secret> {
    let owner = &validated.owner;
    Ok(Secret {
        metadata: metadata(owner, names::login(&owner.name), names::REDIS),
        data: Some(passwords.data()?),
        ..Secret::default()
    })
}

/// How the API and Jobs log in.
pub(crate) fn build(validated: &Validated, passwords: Option<&Passwords>) -> RedisLogin {
    match (&validated.redis, passwords) {
        (RedisSettings::External(external), _) => RedisLogin {
            volume: pod::secret_volume(VOLUME, &external.secret, &external.key),
            mark: external.fingerprint.clone(),
        },
        (RedisSettings::Managed(_), passwords) => {
            let number = passwords.map_or(1, |passwords| passwords.serving);
            let secret = names::login(&validated.owner.name);
            RedisLogin {
                volume: pod::secret_file(VOLUME, &secret, &Passwords::key(number), names::PASSWORD_KEY),
                mark: number.to_string(),
            }
        }
    }
}

/// Where the volume is mounted.
pub(crate) fn mount() -> VolumeMount {
    VolumeMount {
        name: VOLUME.to_owned(),
        mount_path: names::REDIS_SECRET_FOLDER.to_owned(),
        read_only: Some(true),
        ..VolumeMount::default()
    }
}
