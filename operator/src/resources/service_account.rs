//! The identity of all pods of a system.

use k8s_openapi::api::core::v1::ServiceAccount;

use crate::{names, reconcile::validate::Validated, resources::metadata};

/// An identity without rights and without a token in any pod: nothing here talks to the API server.
pub(crate) fn build(validated: &Validated) -> ServiceAccount {
    ServiceAccount {
        metadata: metadata(&validated.owner, validated.owner.name.clone(), names::API),
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    }
}
