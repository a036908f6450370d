//! Apply: bring what is live to what was built. Server-side apply with one field manager, in the
//! order that build gives; what is unchanged is not written. What we own and no longer want goes.

pub mod credentials;
pub mod difference;
pub mod pending;
mod prune;
pub mod replicas;
pub mod volume;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{DynamicObject, Patch, PatchParams},
};
use serde_json::{Value, json};

use crate::{
    children::{Children, Place},
    client::bounded,
    names,
    reconcile::{
        apply::difference::differences,
        rollout::redis::UnreadyPod,
        validate::{Owner, Scaling, Validated},
    },
    resources::{Child, Kind},
};
use faciliauto_api::FaciliAutoDeployment;

/// Failures of this step.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An object could not be read before its first apply.
    #[error("failed to read {} {name}", kind.word())]
    Read {
        /// The object's kind.
        kind: Kind,
        /// Its name.
        name: String,
        /// What the API server said.
        source: kube::Error,
    },
    /// An object could not be applied.
    #[error("failed to apply {} {name}", kind.word())]
    Apply {
        /// The object's kind.
        kind: Kind,
        /// Its name.
        name: String,
        /// What the API server said.
        source: kube::Error,
    },
    /// An object could not be deleted.
    #[error("failed to delete {} {name}", kind.word())]
    Delete {
        /// The object's kind.
        kind: Kind,
        /// Its name.
        name: String,
        /// What the API server said.
        source: kube::Error,
    },
    /// A Secret with something generated could not be made.
    #[error("failed to create the Secret {name} with what was generated for it")]
    CreateCredentials {
        /// The Secret.
        name: String,
        /// What the API server said.
        source: kube::Error,
    },
    /// A Secret stands where a generated one should, and is not ours.
    #[error("the Secret {name} exists and is not ours")]
    CredentialsNotOurs {
        /// The Secret.
        name: String,
        /// Whether it belongs to a resource of the same name that is gone.
        leftover: bool,
    },
    /// The operating system gave no randomness.
    #[error("failed to get randomness from the operating system")]
    Randomness(#[source] getrandom::Error),
    /// The children could not be written as JSON.
    #[error("failed to write the children as JSON")]
    Serialize(#[source] serde_json::Error),
}

impl Error {
    /// What the API server said, where it was asked.
    pub fn api_error(&self) -> Option<&kube::Error> {
        match self {
            Self::Read { source, .. }
            | Self::Apply { source, .. }
            | Self::Delete { source, .. }
            | Self::CreateCredentials { source, .. } => Some(source),
            Self::CredentialsNotOurs { .. } | Self::Randomness(_) | Self::Serialize(_) => None,
        }
    }

    fn is_not_found(&self) -> bool {
        matches!(self.api_error(), Some(kube::Error::Api(status)) if status.code == 404)
    }
}

/// What this step works with.
pub struct Scope<'a> {
    /// Client of the API server.
    pub client: &'a Client,
    /// Live children.
    pub children: &'a Children,
    /// What the children were built from.
    pub validated: &'a Validated,
    /// The live Secret with Redis's users, which no store holds.
    pub acl: Option<DynamicObject>,
    /// A kind that stays although it is not wanted: what takes its place does not work yet.
    pub kept: Option<Kind>,
}

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Made anew.
    pub created: Vec<(Kind, String)>,
    /// Changed.
    pub updated: Vec<(Kind, String)>,
    /// Deleted.
    pub pruned: Vec<(Kind, String)>,
    /// Written, and changed by somebody on the way in.
    pub mutated: Vec<(Kind, String)>,
    /// Left alone: they exist and are not ours.
    pub conflicts: Vec<NameConflict>,
    /// Why a volume could not grow.
    pub volume_refused: Option<String>,
}

/// An object that exists where a child should be, and is not ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameConflict {
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// Whether it belongs to a resource of the same name that is gone, and will go too.
    pub leftover: bool,
}

/// Applies `wanted` in order and prunes the rest.
///
/// # Errors
/// At the first write or read that fails; what was done before stays done, the next look goes on.
pub async fn apply(scope: &Scope<'_>, wanted: Vec<Child>) -> Result<Outcome, Error> {
    // First: an autoscaler that is no longer wanted would go on setting the number that we are about
    // to set. A budget on its way out may as well go with it.
    let early = &Kind::PRUNED[..2];
    let mut outcome = Outcome {
        pruned: prune::prune(scope, &wanted, early).await?,
        ..Outcome::default()
    };
    for child in &wanted {
        apply_child(scope, child, &mut outcome).await?;
    }
    // Last: what the new children no longer need.
    outcome
        .pruned
        .extend(prune::prune(scope, &wanted, &Kind::PRUNED[2..]).await?);
    Ok(outcome)
}

/// Deletes pods, if they are still the ones that are meant.
///
/// # Errors
/// When the API server refuses or does not answer; a pod that is gone is no error.
pub async fn delete_pods(scope: &Scope<'_>, pods: &[UnreadyPod]) -> Result<(), Error> {
    for UnreadyPod { name, uid, .. } in pods {
        tracing::info!(name, "a pod of a revision that failed is deleted");
        prune::delete(scope, Kind::Pod, name, Some(uid.clone())).await?;
    }
    Ok(())
}

async fn apply_child(scope: &Scope<'_>, child: &Child, outcome: &mut Outcome) -> Result<(), Error> {
    let Child {
        kind,
        name,
        object,
        hash,
    } = child;
    let (kind, owner) = (*kind, &scope.validated.owner);
    let place = Place {
        kind,
        namespace: owner.namespace.clone(),
        name: name.clone(),
    };
    let api: Api<DynamicObject> =
        Api::namespaced_with(scope.client.clone(), &owner.namespace, &kind.api_resource());
    let live = find(scope, &api, &place).await?;
    if let Some(live) = &live {
        if !is_ours(kind, live, owner) {
            let leftover = is_leftover(live.owner_references(), scope.validated);
            outcome.conflicts.push(NameConflict {
                kind,
                name: name.clone(),
                leftover,
            });
            return Ok(());
        }
        // Its end is announced by an event; it is made again then. A Job is made once, never changed.
        if live.metadata.deletion_timestamp.is_some() || kind == Kind::Job {
            return Ok(());
        }
    }
    let mut desired = object.clone();
    let growth = match (kind, &live) {
        (Kind::PersistentVolumeClaim, Some(present)) => {
            volume::fit_claim(&mut desired, present).then(|| volume::growth(&desired, present))
        }
        _ => None,
    };
    if let Some(growth) = &growth
        && let Some(reason) = scope.children.refusals.known(&place, growth)
    {
        outcome.volume_refused = Some(reason);
        return Ok(());
    }
    if let (Kind::StatefulSet, Some(present)) = (kind, &live) {
        match volume::grow(scope, &mut desired, present).await? {
            volume::Growth::NotNeeded => {}
            volume::Growth::Refused(reason) => outcome.volume_refused = Some(reason),
            // The StatefulSet goes once its pod has been let go; it is made again when its end is announced.
            volume::Growth::Done => {
                outcome.updated.push((kind, name.clone()));
                return Ok(());
            }
        }
    }
    if let (Kind::Deployment, Scaling::Automatic { min, .. }) = (kind, &scope.validated.scaling) {
        replicas::carry(&mut desired, live.as_ref(), *min);
    }
    if let Some(live) = &live {
        if is_as_wanted(scope, &place, &desired, hash, live) {
            return Ok(());
        }
        if kind == Kind::Service {
            clear_foreign_ports(&api, &desired, live).await?;
        }
    }
    let mut answer = match write(&api, kind, name, &desired).await {
        Ok(answer) => answer,
        // The kind went a moment ago; its watch is about to notice.
        Err(error) if kind.is_optional() && error.is_not_found() => return Ok(()),
        Err(error) => {
            // Everything else is applied all the same.
            let Some((reason, growth)) = volume::refused(&error, &desired).zip(growth) else {
                return Err(error);
            };
            scope.children.refusals.note(place, growth, &reason);
            outcome.volume_refused = Some(reason);
            return Ok(());
        }
    };
    crate::children::project(kind, &mut answer);
    let left = differences(&comparable(kind, desired), &as_value(&answer));
    if scope.children.settle(&place, hash, left) {
        outcome.mutated.push((kind, name.clone()));
    }
    scope.children.remember(place, answer);
    let list = if live.is_some() {
        &mut outcome.updated
    } else {
        &mut outcome.created
    };
    list.push((kind, name.clone()));
    Ok(())
}

/// The live object, from its store; when the store lacks it, the API server is asked once, for an
/// object without our label may stand there.
async fn find(
    scope: &Scope<'_>,
    api: &Api<DynamicObject>,
    place: &Place,
) -> Result<Option<DynamicObject>, Error> {
    if place.kind == Kind::Secret {
        // Read a moment ago, together with everything that the resource refers to.
        return Ok(scope.acl.clone());
    }
    if let Some(object) = scope.children.get(place) {
        return Ok(Some(object.as_ref().clone()));
    }
    let read = |source| Error::Read {
        kind: place.kind,
        name: place.name.clone(),
        source,
    };
    let mut found = bounded(api.get_opt(&place.name)).await.map_err(read)?;
    if let Some(object) = &mut found {
        crate::children::project(place.kind, object);
    }
    Ok(found)
}

/// Whether nothing has to be written: we want what we wanted, and every field we set is as we set it.
fn is_as_wanted(scope: &Scope<'_>, place: &Place, desired: &Value, hash: &str, live: &DynamicObject) -> bool {
    match changes(scope, place, desired, hash, live) {
        None => true,
        Some(paths) => {
            if !paths.is_empty() {
                tracing::info!(
                    kind = place.kind.word(),
                    namespace = place.namespace,
                    name = place.name,
                    ?paths,
                    "fields of ours were changed and are put right"
                );
            }
            false
        }
    }
}

/// Why something has to be written: the fields that others changed, or none where we want something
/// else than before. `None` when nothing has to be.
fn changes(
    scope: &Scope<'_>,
    place: &Place,
    desired: &Value,
    hash: &str,
    live: &DynamicObject,
) -> Option<Vec<String>> {
    if live.annotations().get(names::APPLIED).map(String::as_str) != Some(hash) {
        return Some(Vec::new());
    }
    let found = differences(&comparable(place.kind, desired.clone()), &as_value(live));
    if found.is_empty() || scope.children.is_settled(place, hash, &found) {
        return None;
    }
    Some(found.into_iter().map(|difference| difference.path).collect())
}

async fn write(
    api: &Api<DynamicObject>,
    kind: Kind,
    name: &str,
    desired: &Value,
) -> Result<DynamicObject, Error> {
    let parameters = PatchParams::apply(names::FIELD_MANAGER).force();
    bounded(api.patch(name, &parameters, &Patch::Apply(desired)))
        .await
        .map_err(|source| Error::Apply {
            kind,
            name: name.to_owned(),
            source,
        })
}

/// Takes ports that others put there out of a Service. A port is merged by its number, so an edited
/// one is a second port to server-side apply, of the same name, which no Service may have.
async fn clear_foreign_ports(
    api: &Api<DynamicObject>,
    desired: &Value,
    live: &DynamicObject,
) -> Result<(), Error> {
    let number = |port: &Value| port["port"].as_i64();
    let list = |object: &Value| object["spec"]["ports"].as_array().cloned().unwrap_or_default();
    let (wanted, present) = (list(desired), list(&live.data));
    let is_foreign = |port: &Value| !wanted.iter().any(|ours| number(ours) == number(port));
    if !present.iter().any(is_foreign) {
        return Ok(());
    }
    let name = live.name_any();
    let steps = json!([
        {"op": "test", "path": "/metadata/resourceVersion", "value": live.resource_version()},
        {"op": "replace", "path": "/spec/ports", "value": wanted},
    ]);
    let failed = |source| Error::Apply {
        kind: Kind::Service,
        name: name.clone(),
        source,
    };
    let patch = serde_json::from_value(steps)
        .map(Patch::Json::<()>)
        .map_err(Error::Serialize)?;
    let parameters = PatchParams {
        field_manager: Some(names::FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    };
    bounded(api.patch(&name, &parameters, &patch))
        .await
        .map(drop)
        .map_err(failed)
}

/// What can be compared with a live object: the version at which something was read is a condition of
/// the write, not a wish, the items of a list do not say their kind, and stores keep digests of what
/// ConfigMaps hold.
fn comparable(kind: Kind, mut desired: Value) -> Value {
    if kind == Kind::ConfigMap {
        crate::children::digest_values(&mut desired["data"]);
    }
    if let Some(object) = desired.as_object_mut() {
        object.remove("apiVersion");
        object.remove("kind");
    }
    if let Some(metadata) = desired["metadata"].as_object_mut() {
        metadata.remove("resourceVersion");
    }
    desired
}

fn as_value(object: &DynamicObject) -> Value {
    serde_json::to_value(object).unwrap_or_default()
}

/// UID of the controller of an object.
pub fn controller_uid(metadata: &ObjectMeta) -> Option<&str> {
    let owners = metadata.owner_references.as_deref().unwrap_or_default();
    owners
        .iter()
        .find(|owner| owner.controller == Some(true))
        .map(|owner| owner.uid.as_str())
}

/// Whether an object that stands where a child should is this resource's. A volume outlives its resource,
/// and is known by its labels.
pub(crate) fn is_ours(kind: Kind, live: &DynamicObject, owner: &Owner) -> bool {
    let controller = controller_uid(&live.metadata);
    if kind != Kind::PersistentVolumeClaim || controller.is_some() {
        return controller == Some(owner.uid.as_str());
    }
    let label = |key: &str| live.labels().get(key).map(String::as_str);
    label(names::MANAGED_BY) == Some(names::FIELD_MANAGER)
        && label(names::INSTANCE) == Some(owner.name.as_str())
        && label(names::COMPONENT) == Some(names::BACKUP)
}

/// Whether the owners show a resource of our kind and name, but not the one that is there now.
pub(crate) fn is_leftover(owners: &[OwnerReference], validated: &Validated) -> bool {
    let Owner { name, uid, .. } = &validated.owner;
    owners.iter().any(|owner| {
        owner.kind == FaciliAutoDeployment::kind(&()) && owner.name == *name && owner.uid != *uid
    })
}
