//! Conditions: what holds and what does not, drawn from what is live. Pure; time is a parameter.

pub mod autoscaling;
mod backup;
pub mod glossary;
mod outside;
mod rollout;
mod stock;

use faciliauto_api::{FaciliAutoDeployment, FaciliAutoDeploymentStatus, RedisMode};
use k8s_openapi::{
    api::apps::v1::Deployment,
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff::Timestamp,
};
use kube::ResourceExt;

use crate::{
    capabilities::Capabilities,
    names,
    probe::StoreTrouble,
    reconcile::{
        Failure,
        apply::NameConflict,
        observe::Observed,
        passwords::keep::UnderWay,
        rollout::Report,
        trouble::{Trouble, pod_trouble, refusal},
        validate::Reference,
    },
    resources::Kind,
};

/// What one look at a resource found, besides what is live.
#[derive(Debug, Default)]
pub struct Look {
    /// Why the look could not be finished.
    pub failure: Option<Failure>,
    /// Objects that stand where children should.
    pub conflicts: Vec<NameConflict>,
    /// Why a volume could not grow.
    pub volume_refused: Option<String>,
    /// Why the stock import cannot begin.
    pub seed_missing: Option<String>,
    /// What a paused resource leaves undone.
    pub pending: Vec<(Kind, String)>,
    /// How rollouts stand; absent when the look ended before it knew.
    pub rollout: Option<Report>,
    /// A change of the Redis password that is under way.
    pub password_change: Option<UnderWay>,
    /// Why the cluster refuses Redis's pod.
    pub redis_refused: Option<Trouble>,
    /// What the API says of its store.
    pub store_trouble: Option<StoreTrouble>,
    /// What backups cannot do without and is not there.
    pub backup_missing: Option<String>,
    /// What the restore that is declared waits for.
    pub restore_waits: Option<String>,
    /// What the cluster has.
    pub capabilities: Capabilities,
}

/// A condition before it has a time.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Draft {
    kind: &'static str,
    status: &'static str,
    reason: String,
    message: String,
}

const TRUE: &str = "True";
const FALSE: &str = "False";
const UNKNOWN: &str = "Unknown";

impl Draft {
    fn new(
        kind: &'static str,
        status: &'static str,
        reason: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            status,
            reason: reason.into(),
            message: message.into(),
        }
    }
}

/// All conditions of `resource`, the ones that are present only while true left out otherwise.
/// The time of a condition moves only when its status does.
pub fn conditions(
    resource: &FaciliAutoDeployment,
    observed: &Observed,
    look: &Look,
    previous: &FaciliAutoDeploymentStatus,
    now: Timestamp,
) -> Vec<Condition> {
    let available = available(resource, observed);
    let redis = redis_ready(resource, observed, look);
    let exposed = outside::exposed(resource, observed, &look.capabilities);
    let ready = ready(&available, &redis, exposed.as_ref());
    let conflict = name_conflict(resource, &look.conflicts);
    let paused = paused(resource, look);
    let restore = backup::restore_status(resource, observed, look, previous);
    let restoring = backup::restoring(restore.as_ref());
    let stalled = stalled(look, conflict.as_ref(), paused.as_ref())
        .or_else(|| backup::restore_failed(resource, restore.as_ref()));
    let reconciling = if stalled.is_some() {
        None
    } else {
        reconciling(observed, look, &ready, restoring.as_ref())
    };
    let drafts = [
        Some(ready),
        Some(available),
        Some(redis),
        exposed,
        Some(autoscaling::active(resource, observed, previous, now)),
        outside::monitoring_ready(resource, &look.capabilities),
        stock::seeded(resource, observed, look, restore.as_ref(), previous),
        Some(backup::ready(resource, observed, look, previous, now)),
        restoring,
        backup::restored(restore.as_ref(), observed, previous),
        paused,
        conflict,
        look.rollout.as_ref().and_then(rollout::upgrade_held),
        reconciling,
        stalled,
    ];
    drafts
        .into_iter()
        .flatten()
        .map(|draft| dated(draft, resource, previous, now))
        .collect()
}

/// Whether a condition of this type is true.
pub fn is_true(conditions: &[Condition], kind: &str) -> bool {
    find(conditions, kind).is_some_and(|condition| condition.status == TRUE)
}

/// A condition by type.
pub fn find<'a>(conditions: &'a [Condition], kind: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == kind)
}

fn dated(
    draft: Draft,
    resource: &FaciliAutoDeployment,
    previous: &FaciliAutoDeploymentStatus,
    now: Timestamp,
) -> Condition {
    let Draft {
        kind,
        status,
        reason,
        message,
    } = draft;
    // The default status of the CRD carries the beginning of time: that was no transition.
    let since = find(&previous.conditions, kind)
        .filter(|condition| {
            condition.status == status && condition.last_transition_time.0 > Timestamp::UNIX_EPOCH
        })
        .map_or_else(
            || Time(whole_seconds(now)),
            |condition| condition.last_transition_time.clone(),
        );
    Condition {
        type_: kind.to_owned(),
        status: status.to_owned(),
        reason: word(&reason),
        message: shorten(message),
        observed_generation: resource.metadata.generation,
        last_transition_time: since,
    }
}

/// The API keeps seconds; what it drops would differ from what it answers.
fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

/// A reason must look like a CamelCase word; one that comes from a cluster may not.
fn word(reason: &str) -> String {
    let word: String = reason.chars().filter(char::is_ascii_alphanumeric).collect();
    if word.starts_with(|c: char| c.is_ascii_alphabetic()) {
        word
    } else {
        "Unknown".to_owned()
    }
}

/// The API takes 32,768 characters; nobody reads more than this.
fn shorten(mut message: String) -> String {
    const LONGEST: usize = 2048;
    if message.len() > LONGEST {
        let mut end = LONGEST;
        while !message.is_char_boundary(end) {
            end -= 1;
        }
        message.truncate(end);
    }
    message
}

/// Fewest API pods with which the system counts as available.
fn wanted_pods(resource: &FaciliAutoDeployment) -> i32 {
    let spec = &resource.spec;
    if spec.autoscaling.enabled {
        spec.autoscaling.min_replicas
    } else {
        spec.replicas.0
    }
}

fn available(resource: &FaciliAutoDeployment, observed: &Observed) -> Draft {
    let wanted = wanted_pods(resource);
    let Some(deployment) = &observed.deployment else {
        return Draft::new(
            "Available",
            FALSE,
            "DeploymentMissing",
            "The API's Deployment does not exist yet.",
        );
    };
    let ready = deployment
        .status
        .as_ref()
        .and_then(|status| status.ready_replicas)
        .unwrap_or(0);
    if ready >= wanted {
        let message = format!("At least {wanted} API pods are ready.");
        return Draft::new("Available", TRUE, "MinimumReplicasReady", message);
    }
    let trouble = pod_trouble(observed.pods_of(names::API)).or_else(|| refused_pods(deployment));
    match trouble {
        Some(Trouble { reason, message }) => Draft::new(
            "Available",
            FALSE,
            reason,
            format!("{ready} of {wanted} API pods are ready. {message}"),
        ),
        None => {
            let message = format!("{ready} of {wanted} API pods are ready.");
            Draft::new("Available", FALSE, "WaitingForPods", message)
        }
    }
}

/// Pods that the cluster does not let a Deployment make, by a quota or an admission policy.
fn refused_pods(deployment: &Deployment) -> Option<Trouble> {
    let condition =
        deployment_condition(deployment, "ReplicaFailure").filter(|condition| condition.status == TRUE)?;
    let said = condition.message.as_deref().unwrap_or_default();
    Some(refusal(&format!("Deployment {}", deployment.name_any()), said))
}

fn deployment_condition<'a>(
    deployment: &'a Deployment,
    kind: &str,
) -> Option<&'a k8s_openapi::api::apps::v1::DeploymentCondition> {
    let conditions = deployment.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|condition| condition.type_ == kind)
}

fn redis_ready(resource: &FaciliAutoDeployment, observed: &Observed, look: &Look) -> Draft {
    const KIND: &str = "RedisReady";
    if resource.spec.redis.mode == RedisMode::External {
        return match &look.failure {
            Some(Failure::MissingReference {
                of: Reference::RedisUrl,
                message,
            }) => Draft::new(KIND, FALSE, "UrlSecretMissing", message),
            _ => Draft::new(
                KIND,
                UNKNOWN,
                "NotProbed",
                "The external Redis is not probed by the operator.",
            ),
        };
    }
    if observed.redis_is_ready() {
        let trouble = look
            .store_trouble
            .and_then(|trouble| store_trouble(resource, trouble));
        return trouble.unwrap_or_else(|| Draft::new(KIND, TRUE, "Ready", "Redis answers."));
    }
    if observed.stateful_set.is_none() {
        return Draft::new(
            KIND,
            FALSE,
            "StatefulSetMissing",
            "Redis's StatefulSet does not exist yet.",
        );
    }
    if let Some(draft) = rollout::redis(look.rollout.as_ref()) {
        return draft;
    }
    match pod_trouble(observed.pods_of(names::REDIS)).or_else(|| look.redis_refused.clone()) {
        Some(Trouble { reason, message }) => Draft::new(KIND, FALSE, reason, message),
        None => Draft::new(
            KIND,
            FALSE,
            "WaitingForPod",
            "Redis is starting: its pod is not ready yet.",
        ),
    }
}

/// A Redis that runs well and does not serve the API, as the API says.
fn store_trouble(resource: &FaciliAutoDeployment, trouble: StoreTrouble) -> Option<Draft> {
    const KIND: &str = "RedisReady";
    let name = resource.name_any();
    let (pod, volume) = (format!("{}-0", names::redis(&name)), names::redis_volume(&name));
    let is_seeded = resource
        .status
        .as_ref()
        .and_then(|status| status.stock.as_ref())
        .is_some_and(|stock| stock.seeded);
    match trouble {
        // Before the first import there is nothing to miss.
        StoreTrouble::Empty => is_seeded.then(|| {
            let way_back = backup::way_back(resource).unwrap_or_else(|| {
                "There is no backup: import a stock again with `faciliauto-service import FILE`.".to_owned()
            });
            let message = format!(
                "Redis in pod {pod} holds no stock any more, although one was imported: what was on volume {volume} is gone. API pods that run serve their copy and take no changes, new ones wait. {way_back}"
            );
            Draft::new(KIND, FALSE, "StoreEmpty", message)
        }),
        StoreTrouble::Unreachable => {
            let message = format!(
                "Pod {pod} is ready, but the API does not reach it: recommendations go on from memory, nothing is kept. See `kubectl logs {pod}` and the NetworkPolicy {}.",
                names::redis(&name)
            );
            Some(Draft::new(KIND, FALSE, "Unreachable", message))
        }
        StoreTrouble::Unusable => {
            let message = format!(
                "What Redis in pod {pod} holds cannot be used by this version of the API, which serves its copy meanwhile: see the logs of the API's pods for what it found."
            );
            Some(Draft::new(KIND, FALSE, "StoreUnusable", message))
        }
    }
}

/// The worst of the three. A Redis that nobody probes does not gate, nor does a way from outside that
/// nobody may look at.
fn ready(available: &Draft, redis: &Draft, exposed: Option<&Draft>) -> Draft {
    if redis.status == FALSE {
        let word = redis.reason.strip_prefix("Redis").unwrap_or(&redis.reason);
        let reason = format!("Redis{word}");
        return Draft::new("Ready", FALSE, reason, format!("Redis: {}", redis.message));
    }
    if available.status != TRUE {
        let message = format!("API: {}", available.message);
        return Draft::new("Ready", FALSE, available.reason.clone(), message);
    }
    if let Some(exposed) = exposed.filter(|exposed| exposed.status == FALSE) {
        return Draft::new("Ready", FALSE, exposed.reason.clone(), exposed.message.clone());
    }
    Draft::new("Ready", TRUE, "Ready", "The API and its Redis are up.")
}

fn name_conflict(resource: &FaciliAutoDeployment, conflicts: &[NameConflict]) -> Option<Draft> {
    let foreign: Vec<_> = conflicts.iter().filter(|conflict| !conflict.leftover).collect();
    if foreign.is_empty() {
        return None;
    }
    let names: Vec<_> = foreign
        .iter()
        .map(|conflict| format!("{} {}", conflict.kind.word(), conflict.name))
        .collect();
    let message = format!(
        "{} in namespace {} exists and is not this resource's, so it was left alone: delete or rename it, or give this resource another name.",
        names.join(", "),
        resource.namespace().unwrap_or_default()
    );
    Some(Draft::new("NameConflict", TRUE, "NotOurs", message))
}

/// Whether everything is left as it is, and what that leaves undone.
fn paused(resource: &FaciliAutoDeployment, look: &Look) -> Option<Draft> {
    if !resource.spec.paused {
        return None;
    }
    let mut message = "spec.paused is true: nothing is written until it is false.".to_owned();
    if !look.pending.is_empty() {
        let names: Vec<_> = look
            .pending
            .iter()
            .map(|(kind, name)| format!("{} {name}", kind.word()))
            .collect();
        message += &format!(" Not as declared, and left so: {}.", names.join(", "));
    }
    Some(Draft::new("Paused", TRUE, "Paused", message))
}

fn stalled(look: &Look, conflict: Option<&Draft>, paused: Option<&Draft>) -> Option<Draft> {
    const KIND: &str = "Stalled";
    if let Some(Failure::Invalid { message }) = &look.failure {
        return Some(Draft::new(KIND, TRUE, "Invalid", message));
    }
    if let Some(Failure::Refused { message }) = &look.failure {
        return Some(Draft::new(KIND, TRUE, "Rejected", message));
    }
    if let Some(conflict) = conflict {
        return Some(Draft::new(KIND, TRUE, "NameConflict", conflict.message.clone()));
    }
    if let Some(message) = &look.volume_refused {
        return Some(Draft::new(KIND, TRUE, "VolumeCannotGrow", message));
    }
    // What is declared is not what serves, and only a person can let it become that.
    if let Some(paused) = paused.filter(|_| !look.pending.is_empty()) {
        return Some(Draft::new(KIND, TRUE, "Paused", paused.message.clone()));
    }
    look.rollout.as_ref().and_then(rollout::stalled)
}

fn reconciling(observed: &Observed, look: &Look, ready: &Draft, restoring: Option<&Draft>) -> Option<Draft> {
    const KIND: &str = "Reconciling";
    match &look.failure {
        Some(Failure::MissingReference { message, .. }) => {
            return Some(Draft::new(KIND, TRUE, "WaitingForReference", message));
        }
        Some(Failure::Failed { message }) => return Some(Draft::new(KIND, TRUE, "Retrying", message)),
        Some(Failure::Invalid { .. } | Failure::Refused { .. }) | None => {}
    }
    if look.conflicts.iter().any(|conflict| conflict.leftover) {
        let message = "Objects of a deleted resource of the same name are still going away.";
        return Some(Draft::new(KIND, TRUE, "WaitingForDeletion", message));
    }
    if ready.status != TRUE {
        return Some(Draft::new(KIND, TRUE, "Progressing", ready.message.clone()));
    }
    if is_rolling_out(observed) {
        let trouble =
            pod_trouble(observed.pods_of(names::API)).or_else(|| pod_trouble(observed.pods_of(names::REDIS)));
        let trouble = trouble
            .map(|trouble| format!(" {}", trouble.message))
            .unwrap_or_default();
        return Some(Draft::new(
            KIND,
            TRUE,
            "RollingOut",
            format!("Pods of an older revision still serve.{trouble}"),
        ));
    }
    if let Some(restoring) = restoring {
        return Some(Draft::new(KIND, TRUE, "Restoring", restoring.message.clone()));
    }
    let image_waits = look
        .rollout
        .as_ref()
        .and_then(|report| report.image_waits.as_ref());
    if let Some(message) = image_waits {
        return Some(Draft::new(KIND, TRUE, "WaitingForBackup", message));
    }
    look.password_change.as_ref().map(|change| {
        let reason = if change.failed {
            "PasswordChangeFailed"
        } else {
            "ChangingPassword"
        };
        Draft::new(KIND, TRUE, reason, change.message.clone())
    })
}

/// Whether pods of an older revision are left, of the API or of Redis.
pub fn is_rolling_out(observed: &Observed) -> bool {
    let api = observed.deployment.as_ref().is_some_and(|deployment| {
        let status = deployment.status.clone().unwrap_or_default();
        let seen = status.observed_generation.unwrap_or(0) >= deployment.metadata.generation.unwrap_or(0);
        !seen || status.updated_replicas.unwrap_or(0) < status.replicas.unwrap_or(0)
    });
    let redis = observed.stateful_set.as_ref().is_some_and(|set| {
        let status = set.status.clone().unwrap_or_default();
        let seen = status.observed_generation.unwrap_or(0) >= set.metadata.generation.unwrap_or(0);
        !seen || (status.update_revision.is_some() && status.current_revision != status.update_revision)
    });
    api || redis
}

#[cfg(test)]
mod tests;
