//! The identity of all pods of a system.

use k8s_openapi::api::core::v1::ServiceAccount;

use crate::{names, reconcile::validate::Validated, resources::metadata};

/// An identity without rights and without a token in any pod: nothing here talks to the API server.
///
/// None is made where the pods have one of the user's.
pub(crate) fn build(validated: &Validated) -> Option<ServiceAccount> {
    let annotations = validated.identity.own_account.as_ref()?;
    let mut metadata = metadata(&validated.owner, validated.owner.name.clone(), names::API);
    metadata.annotations = (!annotations.is_empty()).then(|| annotations.clone());
    Some(ServiceAccount {
        metadata,
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    })
}
