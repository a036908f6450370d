//! Deleting what we own and no longer want: objects in our stores with our label and our controller
//! UID. Never by name alone, never volumes, Secrets or Jobs.

use std::{collections::BTreeSet, sync::Arc};

use kube::{
    Api, ResourceExt,
    api::{DeleteParams, DynamicObject, Preconditions},
};
use serde_json::Value;

use super::{Error, Scope, controller_uid};
use crate::{
    children::{CONFIG_MAPS, Place, config_map_names},
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
    let owner = &scope.validated.owner;
    let mut deleted = Vec::new();
    for &kind in kinds.iter().filter(|kind| scope.kept != Some(**kind)) {
        for object in scope.children.of_instance(kind, &owner.namespace, &owner.name) {
            let name = object.name_any();
            let is_ours = controller_uid(&object.metadata) == Some(owner.uid.as_str());
            let is_wanted = wanted
                .iter()
                .any(|child| child.kind == kind && child.name == name);
            let is_going = object.metadata.deletion_timestamp.is_some();
            if !is_ours
                || is_wanted
                || is_going
                || (kind == Kind::ConfigMap && is_in_use(scope, wanted, &name))
            {
                continue;
            }
            delete(scope, kind, &name, object.uid()).await?;
            scope.children.forget(&Place {
                kind,
                namespace: owner.namespace.clone(),
                name: name.clone(),
            });
            deleted.push((kind, name));
        }
    }
    Ok(deleted)
}

/// Whether a ReplicaSet with pods, the last one that worked, a pod or an unfinished Job names the
/// ConfigMap: pods of an older revision may still have to start again with it. So may those of a template
/// that was not built now, but kept or put back.
fn is_in_use(scope: &Scope<'_>, wanted: &[Child], config_map: &str) -> bool {
    let owner = &scope.validated.owner;
    let named_by = |kind: Kind, is_live: fn(&DynamicObject) -> bool| {
        let objects = scope.children.of_instance(kind, &owner.namespace, &owner.name);
        let names: BTreeSet<String> = objects
            .iter()
            .filter(|object| is_live(object))
            .flat_map(|object| object.data[CONFIG_MAPS].as_array().cloned().unwrap_or_default())
            .filter_map(|name| name.as_str().map(str::to_owned))
            .collect();
        names.contains(config_map)
    };
    let has_pods = |object: &DynamicObject| {
        let count = |value: &Value| value.as_i64().unwrap_or(0);
        count(&object.data["spec"]["replicas"]) > 0 || count(&object.data["status"]["replicas"]) > 0
    };
    let is_unfinished = |object: &DynamicObject| object.data["status"]["completionTime"].is_null();
    let is_mounted = |child: &Child| {
        let template = &child.object["spec"]["template"]["spec"];
        config_map_names(template).iter().any(|name| name == config_map)
    };
    wanted.iter().any(is_mounted)
        || last_good(scope, wanted).is_some_and(|set| {
            let names = set.data[CONFIG_MAPS].as_array().into_iter().flatten();
            names.into_iter().any(|name| name == config_map)
        })
        || named_by(Kind::ReplicaSet, has_pods)
        || named_by(Kind::Pod, |_| true)
        || named_by(Kind::Job, is_unfinished)
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
