//! What an apply would do, found without writing anything: what a paused resource leaves undone.

use kube::{Api, ResourceExt, api::DynamicObject};
use serde_json::json;

use super::{Error, NameConflict, Scope, changes, find, is_leftover, is_ours, prune, replicas, volume};
use crate::{
    children::Place,
    names,
    reconcile::validate::Scaling,
    resources::{Child, Kind},
};

/// What an apply would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    /// Made anew.
    pub missing: Vec<(Kind, String)>,
    /// Changed.
    pub differing: Vec<(Kind, String)>,
    /// Deleted.
    pub unwanted: Vec<(Kind, String)>,
    /// Left alone: they exist and are not ours.
    pub conflicts: Vec<NameConflict>,
}

impl Pending {
    /// Everything that an apply would touch.
    pub fn objects(&self) -> impl Iterator<Item = &(Kind, String)> {
        self.missing.iter().chain(&self.differing).chain(&self.unwanted)
    }
}

/// What applying `wanted` would do.
///
/// # Errors
/// At the first read that fails.
pub async fn pending(scope: &Scope<'_>, wanted: &[Child]) -> Result<Pending, Error> {
    let mut pending = Pending::default();
    for child in wanted {
        judge(scope, child, &mut pending).await?;
    }
    let unwanted = prune::unwanted(scope, wanted, &Kind::PRUNED);
    pending.unwanted = unwanted
        .into_iter()
        .map(|(kind, object)| (kind, object.name_any()))
        .collect();
    Ok(pending)
}

async fn judge(scope: &Scope<'_>, child: &Child, pending: &mut Pending) -> Result<(), Error> {
    let Child { kind, name, .. } = child;
    let (kind, owner) = (*kind, &scope.validated.owner);
    let place = Place {
        kind,
        namespace: owner.namespace.clone(),
        name: name.clone(),
    };
    let api: Api<DynamicObject> =
        Api::namespaced_with(scope.client.clone(), &owner.namespace, &kind.api_resource());
    let Some(live) = find(scope, &api, &place).await? else {
        pending.missing.push((kind, name.clone()));
        return Ok(());
    };
    if !is_ours(kind, &live, owner) {
        pending.conflicts.push(NameConflict {
            kind,
            name: name.clone(),
            leftover: is_leftover(live.owner_references(), scope.validated),
        });
        return Ok(());
    }
    // A Job is made once, never changed.
    if kind == Kind::Job {
        return Ok(());
    }
    // Which generation was applied last is noted, and no part of what is declared.
    let noted = live.annotations().get(names::GENERATION);
    let as_noted = noted.map(|generation| {
        child.changed(|object| object["metadata"]["annotations"][names::GENERATION] = json!(generation))
    });
    let Child { object, hash, .. } = as_noted.as_ref().unwrap_or(child);
    let mut desired = object.clone();
    let grows = match kind {
        Kind::StatefulSet => volume::fit(&mut desired, &live).is_some(),
        Kind::PersistentVolumeClaim => volume::fit_claim(&mut desired, &live),
        _ => false,
    };
    if let (Kind::Deployment, Scaling::Automatic { min, .. }) = (kind, &scope.validated.scaling) {
        replicas::carry(&mut desired, Some(&live), *min);
    }
    if grows || changes(scope, &place, &desired, hash, &live).is_some() {
        pending.differing.push((kind, name.clone()));
    }
    Ok(())
}
