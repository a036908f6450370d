//! Status: what the operator answers, as one patch, and only when it differs.

use faciliauto_api::{
    ChildStatus, FaciliAutoDeployment, FaciliAutoDeploymentStatus, RedisMode, RedisStatus, RestorePhase,
    RestoreStatus, StockStatus,
};
use k8s_openapi::{api::apps::v1::Deployment, jiff::Timestamp};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{Patch, PatchParams},
};
use serde_json::json;

use crate::{
    client::bounded,
    names,
    reconcile::{
        backups,
        conditions::{Look, conditions, is_rolling_out, is_true},
        exposure::{Standing, gateway_standing, ingress_standing, url},
        observe::{Observed, job_condition},
        restores,
    },
    resources::Kind,
};

/// Failure of this step.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The status could not be written.
    #[error("failed to patch the status")]
    Patch(#[source] kube::Error),
}

/// The whole status, drawn from what is live. Pure.
pub fn status(
    resource: &FaciliAutoDeployment,
    observed: &Observed,
    look: &Look,
    wanted: &[(Kind, String)],
    previous: &FaciliAutoDeploymentStatus,
    now: Timestamp,
) -> FaciliAutoDeploymentStatus {
    let (name, namespace) = (resource.name_any(), resource.namespace().unwrap_or_default());
    let pods = observed
        .deployment
        .as_ref()
        .and_then(|deployment| deployment.status.clone())
        .unwrap_or_default();
    let managed = resource.spec.redis.mode == RedisMode::Managed;
    let backup = backups::status(resource, observed, previous.backup.as_ref(), now);
    let restore = restores::status(
        resource,
        observed,
        look.restore_waits.as_deref(),
        previous.restore.as_ref(),
    );
    let seeded = is_seeded(observed, restore.as_ref(), previous);
    let conditions = conditions(resource, observed, look, previous, now);
    let children = if wanted.is_empty() {
        // The look ended before it knew: what was known stays.
        previous.children.clone()
    } else {
        wanted
            .iter()
            .map(|(kind, name)| child_status(*kind, name, resource, observed, look))
            .collect()
    };
    FaciliAutoDeploymentStatus {
        observed_generation: resource.metadata.generation,
        replicas: Some(pods.replicas.unwrap_or(0)),
        ready_replicas: Some(pods.ready_replicas.unwrap_or(0)),
        selector: Some(names::selector_line(&name, names::API)),
        version: version(observed).or_else(|| previous.version.clone()),
        rollout: match &look.rollout {
            Some(report) => Some(report.status.clone()),
            None => previous.rollout.clone(),
        },
        url: Some(url(&resource.spec.exposure, &namespace, &name)),
        redis: Some(RedisStatus {
            ready: managed.then(|| observed.redis_is_ready()),
            endpoint: managed.then(|| format!("{}:{}", names::redis(&name), names::REDIS_PORT)),
        }),
        stock: Some(StockStatus { seeded }),
        backup,
        restore,
        children,
        conditions,
    }
}

/// Whether the store holds, or held, a stock: it was imported or restored.
pub fn is_seeded(
    observed: &Observed,
    restore: Option<&RestoreStatus>,
    previous: &FaciliAutoDeploymentStatus,
) -> bool {
    let is_restored = restore.is_some_and(|restore| restore.phase == RestorePhase::Succeeded);
    observed.seeded() || is_restored || previous.stock.as_ref().is_some_and(|stock| stock.seeded)
}

/// The version that serves: the image's tag, or what is left of its digest, once no pod of another
/// revision serves beside it.
fn version(observed: &Observed) -> Option<String> {
    let deployment = observed.deployment.as_ref()?;
    let serving = deployment.status.as_ref()?.ready_replicas.unwrap_or(0) > 0;
    if !serving || is_rolling_out(observed) {
        return None;
    }
    let image = api_image(deployment)?;
    let version = match image.split_once('@') {
        Some((_, digest)) => digest
            .split_at_checked("sha256:".len() + 12)
            .map_or(digest, |(start, _)| start),
        None => image.rsplit_once(':').map_or("latest", |(_, tag)| tag),
    };
    Some(version.to_owned())
}

fn api_image(deployment: &Deployment) -> Option<&str> {
    let containers = &deployment.spec.as_ref()?.template.spec.as_ref()?.containers;
    containers
        .iter()
        .find(|container| container.name == names::API)?
        .image
        .as_deref()
}

fn child_status(
    kind: Kind,
    name: &str,
    resource: &FaciliAutoDeployment,
    observed: &Observed,
    look: &Look,
) -> ChildStatus {
    let api_resource = kind.api_resource();
    let conflict = look
        .conflicts
        .iter()
        .any(|conflict| conflict.kind == kind && conflict.name == name);
    let (ready, reason) = match kind {
        _ if conflict => (false, "NameConflict"),
        Kind::Deployment => {
            let status = observed
                .deployment
                .as_ref()
                .and_then(|deployment| deployment.status.as_ref());
            let conditions = status
                .and_then(|status| status.conditions.as_ref())
                .into_iter()
                .flatten();
            let available = conditions
                .into_iter()
                .any(|condition| condition.type_ == "Available" && condition.status == "True");
            (available, "Unavailable")
        }
        Kind::StatefulSet => (observed.redis_is_ready(), "NotReady"),
        Kind::Job => {
            let mut jobs = observed.jobs.iter().filter(|job| job.name_any() == name);
            (jobs.any(|job| job_condition(job, "Complete")), "Unfinished")
        }
        Kind::CronJob => (observed.cron_job.is_some(), "Missing"),
        Kind::PersistentVolumeClaim => {
            let backup = &resource.spec.backup;
            let is_wanted = backup.enabled && !backup.object_store.is_named();
            let status = observed
                .backup_claim
                .as_ref()
                .and_then(|claim| claim.status.as_ref());
            let is_lost = status.and_then(|status| status.phase.as_deref()) == Some("Lost");
            // One that no pod has mounted yet may not be bound, and that is no fault.
            (is_wanted && !is_lost, if is_lost { "Lost" } else { "Retained" })
        }
        Kind::Ingress => {
            let declared = &resource.spec.exposure.ingress;
            let classes = &look.capabilities.ingress_classes;
            (
                works(ingress_standing(declared, observed.ingress.as_ref(), classes)),
                "NotServed",
            )
        }
        Kind::HttpRoute => {
            let declared = &resource.spec.exposure.gateway;
            let availability = look.capabilities.of(kind);
            let standing = gateway_standing(declared, observed.http_route.as_ref(), &availability);
            (works(standing), "NotAccepted")
        }
        _ => (true, ""),
    };
    ChildStatus {
        api_version: api_resource.api_version,
        kind: api_resource.kind,
        name: name.to_owned(),
        ready,
        reason: if ready { String::new() } else { reason.to_owned() },
    }
}

/// What nobody may look at is taken to work.
fn works(standing: Option<Standing>) -> bool {
    standing.is_none_or(|standing| standing.status != "False")
}

/// Whether readiness went from one side to the other.
pub fn ready_changed(before: &FaciliAutoDeploymentStatus, after: &FaciliAutoDeploymentStatus) -> bool {
    is_true(&before.conditions, "Ready") != is_true(&after.conditions, "Ready")
}

/// Whether all that differs is what fills in by itself while a system comes up: numbers of pods, sentences of conditions,
/// which child is ready, that the stock is there.
pub fn only_details_changed(before: &FaciliAutoDeploymentStatus, after: &FaciliAutoDeploymentStatus) -> bool {
    without_details(before) == without_details(after)
}

fn without_details(status: &FaciliAutoDeploymentStatus) -> FaciliAutoDeploymentStatus {
    let mut status = FaciliAutoDeploymentStatus {
        replicas: None,
        ready_replicas: None,
        stock: None,
        children: Vec::new(),
        ..status.clone()
    };
    for condition in &mut status.conditions {
        condition.message.clear();
    }
    status
}

/// Writes the status.
///
/// # Errors
/// When the API server refuses or does not answer. A resource that is gone is no error.
pub async fn patch(
    client: &Client,
    resource: &FaciliAutoDeployment,
    status: &FaciliAutoDeploymentStatus,
) -> Result<(), Error> {
    let api: Api<FaciliAutoDeployment> =
        Api::namespaced(client.clone(), &resource.namespace().unwrap_or_default());
    let body = json!({
        "apiVersion": FaciliAutoDeployment::api_version(&()),
        "kind": FaciliAutoDeployment::kind(&()),
        // A namesake made in the meantime must not get this one's status.
        "metadata": {"uid": resource.uid()},
        "status": status,
    });
    let parameters = PatchParams::apply(names::FIELD_MANAGER).force();
    match bounded(api.patch_status(&resource.name_any(), &parameters, &Patch::Apply(body))).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(answer)) if answer.is_not_found() => Ok(()),
        Err(source) => Err(Error::Patch(source)),
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

    use super::*;

    fn ready(status: &str, message: &str) -> Vec<Condition> {
        vec![Condition {
            type_: "Ready".to_owned(),
            status: status.to_owned(),
            reason: "Waiting".to_owned(),
            message: message.to_owned(),
            observed_generation: Some(1),
            last_transition_time: Time(Timestamp::UNIX_EPOCH),
        }]
    }

    /// Prevents: a write for each pod of a rollout; and a new reason that is told late, as if it were a number.
    #[test]
    fn details_are_told_apart_from_the_rest() {
        let before = FaciliAutoDeploymentStatus {
            ready_replicas: Some(1),
            conditions: ready("False", "1 of 3 ready"),
            ..FaciliAutoDeploymentStatus::default()
        };
        let after = FaciliAutoDeploymentStatus {
            ready_replicas: Some(2),
            replicas: Some(3),
            conditions: ready("False", "2 of 3 ready"),
            ..before.clone()
        };
        assert!(only_details_changed(&before, &after));
        let child = FaciliAutoDeploymentStatus {
            stock: Some(StockStatus { seeded: true }),
            ..after.clone()
        };
        assert!(only_details_changed(&before, &child));
        let reason = FaciliAutoDeploymentStatus {
            conditions: ready("Unknown", "2 of 3 ready"),
            ..after.clone()
        };
        assert!(!only_details_changed(&before, &reason));
        let version = FaciliAutoDeploymentStatus {
            version: Some("1.2.3".to_owned()),
            ..after
        };
        assert!(!only_details_changed(&before, &version));
    }
}
