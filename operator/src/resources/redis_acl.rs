//! Redis's users. The file holds digests only; the passwords themselves are in the Secret with the
//! logins, see `reconcile/passwords.rs`.

use std::collections::BTreeMap;

use k8s_openapi::{ByteString, api::core::v1::Secret};
use sha2::{Digest, Sha256};

use crate::{
    names,
    reconcile::{
        passwords::{Password, Passwords},
        validate::Validated,
    },
    resources::metadata,
};

/// The file of users. With two passwords in use, both are valid.
pub(crate) fn users(validated: &Validated, passwords: &Passwords) -> String {
    let digests: Vec<_> = passwords
        .known
        .values()
        .map(|password| format!("#{}", digest(password)))
        .collect();
    let prefix = &validated.key_prefix;
    // INFO is the one dangerous command that the API's metrics need.
    //
    // `off` keeps everybody from being the default user. Its rights matter all the same: Redis 7.0
    // replays its append-only file as the default user, and a transaction that it may not execute is
    // skipped with a line in the log: without these rights every restart loses data.
    format!(
        "user default off resetpass allkeys allchannels +@all\n\
         user {health} on nopass resetkeys resetchannels -@all +ping\n\
         {admin}\
         user {api} on {digests} resetkeys ~{prefix}:* resetchannels &{prefix}:* +@all -@admin -@dangerous +info\n",
        health = names::REDIS_HEALTH,
        admin = admin(passwords),
        api = names::REDIS_USER,
        digests = digests.join(" "),
    )
}

/// Who tells a running Redis of the others. It touches no key; but who may change users may give itself
/// any right, so nobody but the Job is given its password.
fn admin(passwords: &Passwords) -> String {
    format!(
        "user {} on #{} resetkeys resetchannels -@all +acl|setuser +acl|getuser +acl|users +acl|deluser\n",
        names::REDIS_ADMIN,
        digest(&passwords.admin)
    )
}

/// The Secret with the file, twice: under the name at which a running Redis finds each change of it, and
/// under one that no other content has.
pub(crate) fn build(validated: &Validated, passwords: &Passwords) -> Secret {
    let users = users(validated, passwords);
    let exact = exact_key(&fingerprint(&users));
    let file = ByteString(users.into_bytes());
    Secret {
        metadata: metadata(&validated.owner, names::acl(&validated.owner.name), names::REDIS),
        data: Some(BTreeMap::from([
            (names::ACL_KEY.to_owned(), file.clone()),
            (exact, file),
        ])),
        ..Secret::default()
    }
}

/// Key of the file with exactly these users.
pub(crate) fn exact_key(users_fingerprint: &str) -> String {
    format!("users-{users_fingerprint}.acl")
}

/// Changes when the users change, and tells nothing about them: among what is hashed is the digest of 256
/// random bits.
pub(crate) fn fingerprint(users: &str) -> String {
    names::hex(&Sha256::digest(users.as_bytes())[..8])
}

/// Changes when a running Redis cannot be told of a change any more, so that it must start again.
pub(crate) fn admin_fingerprint(passwords: &Passwords) -> String {
    fingerprint(&admin(passwords))
}

/// Whether the users in a Secret let the API in with a password.
pub(crate) fn knows(acl: &Secret, password: &Password) -> bool {
    let users = acl.data.as_ref().and_then(|data| data.get(names::ACL_KEY));
    let users = users.map(|users| String::from_utf8_lossy(&users.0).into_owned());
    let digest = format!("#{}", digest(password));
    let mut lines = users.as_deref().unwrap_or_default().lines();
    lines.any(|line| {
        line.starts_with(&format!("user {} ", names::REDIS_USER))
            && line.split_whitespace().any(|word| word == digest)
    })
}

fn digest(password: &Password) -> String {
    names::hex(&Sha256::digest(password.reveal().as_bytes()))
}
