//! Deleting what we own and no longer want: objects in our stores with our label and our controller
//! UID. Never by name alone, never volumes, Secrets or Jobs.

use std::sync::Arc;

use kube::{
    Api, ResourceExt,
    api::{DeleteParams, DynamicObject, Preconditions},
};
use serde_json::Value;

use super::{Error, Scope, controller_uid};
use crate::{
    children::{CONFIG_MAPS, Place, SERVICE_ACCOUNT, config_map_names},
    client::bounded,
    names,
    resources::{Child, Kind},
};

/// Deletes the unwanted objects of `kinds`. Returns what was deleted.
pub(super) async fn prune(
    scope: &Scope<'_>,
    wanted: &[Child],
    kinds: &[Kind],
) -> Result<Vec<(Kind, String)>, Error> {
    let mut deleted = Vec::new();
    for (kind, object) in unwanted(scope, wanted, kinds) {
        let name = object.name_any();
        delete(scope, kind, &name, object.uid()).await?;
        scope.children.forget(&Place {
            kind,
            namespace: scope.validated.owner.namespace.clone(),
            name: name.clone(),
        });
        deleted.push((kind, name));
    }
    Ok(deleted)
}

/// What of `kinds` is live, ours, and no longer wanted.
pub(super) fn unwanted(
    scope: &Scope<'_>,
    wanted: &[Child],
    kinds: &[Kind],
) -> Vec<(Kind, Arc<DynamicObject>)> {
    let owner = &scope.validated.owner;
    let mut found = Vec::new();
    for &kind in kinds.iter().filter(|kind| scope.kept != Some(**kind)) {
        for object in scope.children.of_instance(kind, &owner.namespace, &owner.name) {
            let name = object.name_any();
            let is_ours = controller_uid(&object.metadata) == Some(owner.uid.as_str());
            let is_wanted = wanted
                .iter()
                .any(|child| child.kind == kind && child.name == name);
            let is_going = object.metadata.deletion_timestamp.is_some();
            if is_ours && !is_wanted && !is_going && !is_in_use(scope, wanted, kind, &name) {
                found.push((kind, object));
            }
        }
    }
    found
}

/// Whether a ReplicaSet with pods, the last one that worked, a pod or an unfinished Job names the object:
/// pods of an older revision may still have to start again with their settings, and as whom they were. So
/// may those of a template that was not built now, but kept or put back.
fn is_in_use(scope: &Scope<'_>, wanted: &[Child], kind: Kind, name: &str) -> bool {
    let owner = &scope.validated.owner;
    let names = |object: &DynamicObject| match kind {
        Kind::ConfigMap => {
            let names = object.data[CONFIG_MAPS].as_array().into_iter().flatten();
            names.filter_map(Value::as_str).any(|named| named == name)
        }
        Kind::ServiceAccount => object.data[SERVICE_ACCOUNT] == name,
        _ => false,
    };
    let named_by = |user: Kind, is_live: fn(&DynamicObject) -> bool| {
        let objects = scope.children.of_instance(user, &owner.namespace, &owner.name);
        objects.iter().any(|object| is_live(object) && names(object))
    };
    let has_pods = |object: &DynamicObject| {
        let count = |value: &Value| value.as_i64().unwrap_or(0);
        count(&object.data["spec"]["replicas"]) > 0 || count(&object.data["status"]["replicas"]) > 0
    };
    let is_unfinished = |object: &DynamicObject| !has_ended(object);
    let is_named_in = |child: &Child| {
        let pod = match child.kind {
            Kind::CronJob => &child.object["spec"]["jobTemplate"]["spec"]["template"]["spec"],
            _ => &child.object["spec"]["template"]["spec"],
        };
        match kind {
            Kind::ConfigMap => config_map_names(pod).iter().any(|named| named == name),
            Kind::ServiceAccount => pod["serviceAccountName"] == name,
            _ => false,
        }
    };
    // By it a restore reaches its source, whatever is declared meanwhile.
    let carries_a_restore = kind == Kind::NetworkPolicy
        && name == names::backup(&owner.name)
        && scope
            .children
            .of_instance(Kind::Job, &owner.namespace, &owner.name)
            .iter()
            .any(|job| {
                job.labels().get(names::COMPONENT).map(String::as_str) == Some(names::RESTORE)
                    && !has_ended(job)
            });
    carries_a_restore
        || wanted.iter().any(is_named_in)
        || last_good(scope, wanted).is_some_and(|set| names(&set))
        || named_by(Kind::ReplicaSet, has_pods)
        || named_by(Kind::Pod, |_| true)
        || named_by(Kind::Job, is_unfinished)
}

/// Whether a Job has ended, well or badly.
fn has_ended(job: &DynamicObject) -> bool {
    let conditions = job.data["status"]["conditions"].as_array().into_iter().flatten();
    let is_end = |condition: &Value| {
        let kind = condition["type"].as_str();
        matches!(kind, Some("Complete" | "Failed")) && condition["status"] == "True"
    };
    !job.data["status"]["completionTime"].is_null() || conditions.into_iter().any(is_end)
}

/// The ReplicaSet that a rollout which fails goes back to.
fn last_good(scope: &Scope<'_>, wanted: &[Child]) -> Option<Arc<DynamicObject>> {
    let deployment = wanted.iter().find(|child| child.kind == Kind::Deployment)?;
    let name = deployment.object["metadata"]["annotations"][names::LAST_GOOD].as_str()?;
    scope.children.get(&Place {
        kind: Kind::ReplicaSet,
        namespace: scope.validated.owner.namespace.clone(),
        name: name.to_owned(),
    })
}

/// Deletes an object, if it is still the one that is meant.
pub(super) async fn delete(
    scope: &Scope<'_>,
    kind: Kind,
    name: &str,
    uid: Option<String>,
) -> Result<(), Error> {
    let api: Api<DynamicObject> = Api::namespaced_with(
        scope.client.clone(),
        &scope.validated.owner.namespace,
        &kind.api_resource(),
    );
    let preconditions = Preconditions {
        uid,
        resource_version: None,
    };
    let parameters = DeleteParams::background().preconditions(preconditions);
    match bounded(api.delete(name, &parameters)).await {
        Ok(_) => Ok(()),
        // Gone already, or a namesake in its place: either way not ours to delete.
        Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => Ok(()),
        Err(source) => Err(Error::Delete {
            kind,
            name: name.to_owned(),
            source,
        }),
    }
}
