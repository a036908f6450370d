//! Growing volumes. Redis's belongs to a StatefulSet. A StatefulSet's claim templates are immutable: the claim itself is grown,
//! the StatefulSet is deleted without its pod, and made again around that pod with the new template.
//!
//! Each step looks at what is there, so a crash between two of them resumes at the right one.

use faciliauto_api::Quantity;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, DynamicObject, Patch, PatchParams, Preconditions, PropagationPolicy},
};
use serde_json::{Value, json};

use super::{Error, Scope};
use crate::{
    children::{Place, refusals::Asked},
    client::bounded,
    names,
    reconcile::validate::Validated,
    resources::Kind,
};

/// Where a claim says how large its volume shall be.
const CLAIM_SIZE: &str = "/spec/resources/requests/storage";

/// Where a StatefulSet says how large its volumes shall be.
const TEMPLATE_SIZE: &str = "/spec/volumeClaimTemplates/0/spec/resources/requests/storage";

/// What became of a wish for a larger volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Growth {
    /// The StatefulSet's template is as large as it shall be.
    NotNeeded,
    /// The claim is larger now, and the StatefulSet with the old template is gone.
    Done,
    /// The volume stays as it is; the sentence says why and what to do.
    Refused(String),
}

/// Grows the volume when `desired`, a StatefulSet, asks for more than `live` has. When that is
/// refused, `desired` is given the live size, so that everything else in it can still be applied.
pub(super) async fn grow(
    scope: &Scope<'_>,
    desired: &mut Value,
    live: &DynamicObject,
) -> Result<Growth, Error> {
    let Scope {
        client,
        children,
        validated,
        ..
    } = *scope;
    let Some(wanted) = fit(desired, live) else {
        return Ok(Growth::NotNeeded);
    };
    let claim = Place {
        kind: Kind::PersistentVolumeClaim,
        namespace: validated.owner.namespace.clone(),
        name: names::redis_volume(&validated.owner.name),
    };
    let asked = Asked {
        version: children.get(&claim).and_then(|claim| claim.resource_version()),
        wanted: wanted.0.clone(),
    };
    if let Some(reason) = children.refusals.known(&claim, &asked) {
        return Ok(Growth::Refused(reason));
    }
    if let Some(reason) = grow_claim(client, validated, &wanted).await? {
        children.refusals.note(claim, asked, &reason);
        return Ok(Growth::Refused(reason));
    }
    let api: Api<DynamicObject> = Api::namespaced_with(
        client.clone(),
        &validated.owner.namespace,
        &Kind::StatefulSet.api_resource(),
    );
    let parameters = DeleteParams {
        propagation_policy: Some(PropagationPolicy::Orphan),
        preconditions: Some(Preconditions {
            uid: live.uid(),
            resource_version: None,
        }),
        ..DeleteParams::default()
    };
    let name = live.name_any();
    match bounded(api.delete(&name, &parameters)).await {
        Ok(_) => Ok(Growth::Done),
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(Growth::Done),
        Err(source) => Err(Error::Delete {
            kind: Kind::StatefulSet,
            name,
            source,
        }),
    }
}

/// Gives `desired`, a StatefulSet, the size that `live` has, which is the only one that can be applied.
/// Returns the size that was wanted if it is larger.
pub fn fit(desired: &mut Value, live: &DynamicObject) -> Option<Quantity> {
    let size = |object: &Value| {
        object
            .pointer(TEMPLATE_SIZE)
            .and_then(Value::as_str)
            .map(Quantity::from)
    };
    let (wanted, present) = (size(desired)?, size(&live.data)?);
    // Equal, or smaller than a volume that was grown by other means: it never shrinks.
    set_size(desired, &present);
    (wanted.compare(&present) == Some(std::cmp::Ordering::Greater)).then_some(wanted)
}

/// Gives `desired`, a claim, what a live one can never change: its class, how it is mounted, and its size
/// where a smaller one is wanted. Returns whether it is to grow.
///
/// The volume of a resource that is gone is adopted as it is.
pub fn fit_claim(desired: &mut Value, live: &DynamicObject) -> bool {
    for field in ["storageClassName", "accessModes"] {
        let present = &live.data["spec"][field];
        // What is not asked for is not compared.
        if let Some(wanted) = desired["spec"].get_mut(field).filter(|_| !present.is_null()) {
            wanted.clone_from(present);
        }
    }
    let size = |object: &Value| {
        object
            .pointer(CLAIM_SIZE)
            .and_then(Value::as_str)
            .map(Quantity::from)
    };
    let (Some(wanted), Some(present)) = (size(desired), size(&live.data)) else {
        return false;
    };
    let grows = wanted.compare(&present) == Some(std::cmp::Ordering::Greater);
    if let Some(field) = desired.pointer_mut(CLAIM_SIZE).filter(|_| !grows) {
        *field = json!(present.0);
    }
    grows
}

/// What is asked for by a claim of a larger size than the live one has.
pub(super) fn growth(desired: &Value, live: &DynamicObject) -> Asked {
    let wanted = desired.pointer(CLAIM_SIZE).and_then(Value::as_str);
    Asked {
        wanted: wanted.unwrap_or_default().to_owned(),
        version: live.resource_version(),
    }
}

/// Why the cluster refuses a larger volume, if that is what it does.
pub(super) fn refused(error: &Error, desired: &Value) -> Option<String> {
    let Error::Apply {
        kind: Kind::PersistentVolumeClaim,
        name,
        source: kube::Error::Api(status),
    } = error
    else {
        return None;
    };
    let wanted = desired
        .pointer(CLAIM_SIZE)
        .and_then(Value::as_str)
        .unwrap_or_default();
    (status.code == 403 || status.is_invalid()).then(|| {
        format!(
            "The volume {name} stays as it is: the cluster refuses {wanted} ({}). Let its StorageClass allow volume expansion.",
            status.message
        )
    })
}

/// Writes a size into a StatefulSet's claim template.
pub fn set_size(object: &mut Value, size: &Quantity) {
    if let Some(field) = object.pointer_mut(TEMPLATE_SIZE) {
        *field = json!(size.0);
    }
}

/// Asks for a larger volume. `Some` is why the cluster refuses.
async fn grow_claim(
    client: &Client,
    validated: &Validated,
    wanted: &Quantity,
) -> Result<Option<String>, Error> {
    let name = names::redis_volume(&validated.owner.name);
    let api: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), &validated.owner.namespace);
    let read = |source| Error::Read {
        kind: Kind::PersistentVolumeClaim,
        name: name.clone(),
        source,
    };
    let Some(claim) = bounded(api.get_opt(&name)).await.map_err(read)? else {
        return Ok(None);
    };
    let spec = claim.spec.unwrap_or_default();
    let present = spec
        .resources
        .and_then(|resources| resources.requests?.remove("storage"));
    let present = present.map(|quantity| Quantity(quantity.0)).unwrap_or_default();
    if wanted.compare(&present).is_some_and(std::cmp::Ordering::is_le) {
        return Ok(None);
    }
    let grown = json!({
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name},
        "spec": {"resources": {"requests": {"storage": wanted.0}}},
    });
    let parameters = PatchParams::apply(names::FIELD_MANAGER).force();
    match bounded(api.patch(&name, &parameters, &Patch::Apply(grown))).await {
        Ok(_) => Ok(None),
        Err(kube::Error::Api(status)) if status.code == 403 || status.is_invalid() => Ok(Some(format!(
            "The volume {name} stays at {present}: the cluster refuses {wanted} ({}). Let its StorageClass {} allow volume expansion.",
            status.message,
            spec.storage_class_name.unwrap_or_default(),
        ))),
        Err(source) => Err(Error::Apply {
            kind: Kind::PersistentVolumeClaim,
            name,
            source,
        }),
    }
}
