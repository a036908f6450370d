//! Redis's users. The file holds digests only; the password itself is in the credentials Secret,
//! which is made once and never part of what we apply.

use std::collections::BTreeMap;

use k8s_openapi::{ByteString, api::core::v1::Secret};
use sha2::{Digest, Sha256};

use crate::{names, reconcile::validate::Validated, resources::metadata};

/// The user of the readiness probe. It may do nothing but PING, so its password is no secret.
pub(crate) const HEALTH_USER: &str = "health";

pub(crate) fn build(validated: &Validated, password: &str) -> Secret {
    let digest = names::hex(&Sha256::digest(password.as_bytes()));
    let prefix = &validated.key_prefix;
    // INFO is the one dangerous command that the API's metrics need.
    //
    // `off` keeps everybody from being the default user. Its rights matter all the same: Redis 7.0
    // replays its append-only file as the default user, and a transaction that it may not execute is
    // skipped with a line in the log: without these rights every restart loses data.
    let users = format!(
        "user default off resetpass allkeys allchannels +@all\n\
         user {HEALTH_USER} on nopass resetkeys resetchannels -@all +ping\n\
         user {} on #{digest} resetkeys ~{prefix}:* resetchannels &{prefix}:* +@all -@admin -@dangerous +info\n",
        names::REDIS_USER
    );
    Secret {
        metadata: metadata(&validated.owner, names::acl(&validated.owner.name), names::REDIS),
        data: Some(BTreeMap::from([(
            names::ACL_KEY.to_owned(),
            ByteString(users.into_bytes()),
        )])),
        ..Secret::default()
    }
}

/// Changes when the users change, and tells nothing about them: a hash of a digest of 256 random bits.
pub(crate) fn fingerprint(acl: &Secret) -> String {
    let users = acl.data.as_ref().and_then(|data| data.get(names::ACL_KEY));
    names::hex(&Sha256::digest(users.map(|users| users.0.as_slice()).unwrap_or_default())[..8])
}
