//! As whom the pods run, and whom they trust, from the spec.

use std::collections::BTreeMap;

use faciliauto_api::{SecurityContextSettings, ServiceAccountSettings};

use super::{Error, Owner, Reference};
use crate::{names, reconcile::dereference::Referenced};

/// As whom the pods run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodIdentity {
    /// User and group of every process; absent where the platform assigns them.
    pub user: Option<i64>,
    /// Group that volumes belong to; absent likewise.
    pub volume_group: Option<i64>,
    /// Name of the ServiceAccount.
    pub service_account: String,
    /// Annotations of that ServiceAccount; absent where it is not ours to make.
    pub own_account: Option<BTreeMap<String, String>>,
}

pub(super) fn validate(
    security_context: SecurityContextSettings,
    service_account: ServiceAccountSettings,
    owner: &Owner,
    problems: &mut Vec<String>,
) -> PodIdentity {
    let SecurityContextSettings {
        run_as_user,
        fs_group,
    } = security_context;
    let ServiceAccountSettings { name, annotations } = service_account;
    let is_ours = name.is_empty();
    if !is_ours && !annotations.is_empty() {
        problems.push(
            "serviceAccount.annotations have no effect on a ServiceAccount of yours: leave them out"
                .to_owned(),
        );
    }
    PodIdentity {
        user: run_as_user.number(),
        volume_group: fs_group.number(),
        service_account: if is_ours { owner.name.clone() } else { name },
        own_account: is_ours.then_some(annotations),
    }
}

/// Without the file no pod starts, so the ConfigMap must be there first.
pub(super) fn check_trust(config_map: &str, referenced: &Referenced, owner: &Owner) -> Result<(), Error> {
    let missing = |message| Error::MissingReference {
        of: Reference::TrustedAuthorities,
        message,
    };
    if config_map.is_empty() {
        return Ok(());
    }
    let key = names::TRUST_KEY;
    let Some(found) = &referenced.trusted_authorities else {
        return Err(missing(format!(
            "The ConfigMap {config_map} that trust.caConfigMap names is not in namespace {}: create it with the key {key}, certificates as PEM.",
            owner.namespace
        )));
    };
    if found.data.as_ref().is_some_and(|data| data.contains_key(key)) {
        return Ok(());
    }
    Err(missing(format!(
        "The ConfigMap {config_map} that trust.caConfigMap names has no key {key}: add it, certificates as PEM."
    )))
}
