//! What became of a resource, in the shape in which it is shown. Pure.

use faciliauto_api::{BackupStatus, FaciliAutoDeployment, RestoreStatus};
use k8s_openapi::{
    api::{
        autoscaling::v2::{HorizontalPodAutoscaler, MetricSpec, MetricStatus},
        core::v1::{ContainerStatus, Event, PersistentVolumeClaim, Pod},
    },
    jiff::Timestamp,
};
use kube::ResourceExt;
use serde::Serialize;

use super::Snapshot;
use crate::reconcile::conditions::find;

/// Events that are shown at most.
const EVENTS: usize = 8;

/// One resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct View {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Status of the condition Ready.
    pub ready: String,
    /// Its reason.
    pub reason: String,
    /// Whether the status speaks of the latest change of the spec.
    pub observed: bool,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// Version that serves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Where the API answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Seconds since it was made.
    pub age_seconds: i64,
    /// Its backups.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup: Option<BackupStatus>,
    /// Its last restore.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restore: Option<RestoreStatus>,
    /// When all of this was looked at.
    #[serde(skip)]
    pub at: Timestamp,
    /// Its conditions.
    pub conditions: Vec<ConditionView>,
    /// Its objects, as its status lists them.
    pub children: Vec<ChildView>,
    /// Pods of it that belong to none of these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub other_pods: Vec<PodView>,
    /// What was last told about it, its objects and its pods, oldest first.
    pub events: Vec<EventView>,
    /// What could not be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

/// A condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConditionView {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// Why, in one word.
    pub reason: String,
    /// Why, in a sentence.
    pub message: String,
    /// Seconds since it last changed its status.
    pub age_seconds: i64,
}

/// An object of the resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChildView {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Whether it exists and does its work.
    pub ready: bool,
    /// Why not.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// What its numbers are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Its pods.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pods: Vec<PodView>,
}

/// A pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PodView {
    /// Its name.
    pub name: String,
    /// What it does, in the word that `kubectl get pods` has for it.
    pub status: String,
    /// Whether every container is ready, or ended as it should.
    pub healthy: bool,
    /// Containers that are ready.
    pub ready_containers: usize,
    /// Containers that it has.
    pub containers: usize,
    /// Restarts of all containers.
    pub restarts: i32,
    /// Why the last restart was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_restart: Option<String>,
    /// What stands in its way, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Where it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Seconds since it was made.
    pub age_seconds: i64,
}

/// An event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EventView {
    /// Whether it asks for attention.
    pub warning: bool,
    /// What it is about.
    pub about: String,
    /// One word.
    pub reason: String,
    /// A sentence.
    pub message: String,
    /// How often.
    pub count: i32,
    /// Seconds since the last time.
    pub age_seconds: i64,
}

/// What a snapshot shows as of `now`.
pub fn view(snapshot: &Snapshot, now: Timestamp) -> View {
    let resource = &snapshot.resource;
    let status = resource.status.clone().unwrap_or_default();
    let ready = find(&status.conditions, "Ready");
    let mut children: Vec<ChildView> = status
        .children
        .iter()
        .map(|child| ChildView {
            kind: child.kind.clone(),
            name: child.name.clone(),
            ready: child.ready,
            reason: child.reason.clone(),
            detail: None,
            pods: Vec::new(),
        })
        .collect();
    for shown in snapshot.claims.iter().map(claim) {
        // Of one that the status lists there is more to say: whether it is still wanted.
        let is_same = |child: &&mut ChildView| child.kind == shown.kind && child.name == shown.name;
        match children.iter_mut().find(is_same) {
            Some(listed) => listed.detail = shown.detail,
            None => children.push(shown),
        }
    }
    let mut other_pods = Vec::new();
    let mut pods: Vec<&Pod> = snapshot.pods.iter().collect();
    pods.sort_by_key(|pod| pod.name_any());
    for pod in pods {
        let shown = pod_view(pod, now);
        match children.iter_mut().find(|child| owns(child, pod)) {
            Some(child) => child.pods.push(shown),
            None => other_pods.push(shown),
        }
    }
    for child in &mut children {
        if let Some(detail) = detail(child, snapshot) {
            child.detail = Some(detail);
        }
    }
    View {
        namespace: resource.namespace().unwrap_or_default(),
        name: resource.name_any(),
        ready: ready.map_or("Unknown", |ready| ready.status.as_str()).to_owned(),
        reason: ready
            .map_or("NotObserved", |ready| ready.reason.as_str())
            .to_owned(),
        observed: status.observed_generation == resource.metadata.generation,
        deleting: resource.metadata.deletion_timestamp.is_some(),
        version: status.version.clone(),
        url: status.url.clone(),
        backup: status.backup.clone(),
        restore: status.restore.clone(),
        at: now,
        age_seconds: age(resource.creation_timestamp().map(|time| time.0), now),
        conditions: status
            .conditions
            .iter()
            .map(|condition| ConditionView {
                kind: condition.type_.clone(),
                status: condition.status.clone(),
                reason: condition.reason.clone(),
                message: condition.message.clone(),
                age_seconds: age(Some(condition.last_transition_time.0), now),
            })
            .collect(),
        events: events(&snapshot.events, resource, &children, &other_pods, now),
        children,
        other_pods,
        problems: snapshot.problems.clone(),
    }
}

/// Whether the pod is the child's: its own, or by way of a ReplicaSet or Job that it made.
fn owns(child: &ChildView, pod: &Pod) -> bool {
    pod.owner_references().iter().any(|owner| {
        let made_from = |kind: &str, maker: &str| {
            let rest = owner.name.strip_prefix(&child.name);
            owner.kind == kind && child.kind == maker && rest.is_some_and(|rest| rest.starts_with('-'))
        };
        (owner.kind == child.kind && owner.name == child.name)
            || made_from("ReplicaSet", "Deployment")
            || made_from("Job", "CronJob")
    })
}

fn claim(claim: &PersistentVolumeClaim) -> ChildView {
    let status = claim.status.clone().unwrap_or_default();
    let spec = claim.spec.clone().unwrap_or_default();
    let phase = status.phase.unwrap_or_else(|| "Pending".to_owned());
    let size = status
        .capacity
        .and_then(|mut capacity| capacity.remove("storage"));
    let asked_for = spec
        .resources
        .and_then(|resources| resources.requests?.remove("storage"));
    let detail = match (size, asked_for) {
        (Some(size), Some(asked_for)) if size != asked_for => {
            format!("{}, {} asked for", size.0, asked_for.0)
        }
        (Some(size), _) => size.0,
        (None, asked_for) => format!("{} asked for", asked_for.unwrap_or_default().0),
    };
    let ready = phase == "Bound";
    ChildView {
        kind: "PersistentVolumeClaim".to_owned(),
        name: claim.name_any(),
        ready,
        reason: if ready { String::new() } else { phase },
        detail: Some(detail),
        pods: Vec::new(),
    }
}

fn detail(child: &ChildView, snapshot: &Snapshot) -> Option<String> {
    match child.kind.as_str() {
        "HorizontalPodAutoscaler" => snapshot
            .autoscalers
            .iter()
            .find(|autoscaler| autoscaler.name_any() == child.name)
            .map(autoscaler),
        "Deployment" => {
            let status = snapshot.resource.status.clone().unwrap_or_default();
            let (ready, all) = (status.ready_replicas?, status.replicas?);
            Some(format!("{ready}/{all} pods ready"))
        }
        _ => None,
    }
}

/// `2 of 2..10 pods, cpu 35 % of 70 %`.
fn autoscaler(autoscaler: &HorizontalPodAutoscaler) -> String {
    let spec = autoscaler.spec.clone().unwrap_or_default();
    let status = autoscaler.status.clone().unwrap_or_default();
    let (current, desired) = (status.current_replicas.unwrap_or(0), status.desired_replicas);
    // An autoscaler that has not measured yet reports 0, and means nothing by it.
    let mut text = if current == desired || desired == 0 {
        current.to_string()
    } else {
        format!("{current} → {desired}")
    };
    text += &format!(
        " of {}..{} pods",
        spec.min_replicas.unwrap_or(1),
        spec.max_replicas
    );
    let measured = status.current_metrics.unwrap_or_default();
    for (name, target) in spec.metrics.iter().flatten().filter_map(target) {
        let current = measured
            .iter()
            .filter_map(current_use)
            .find(|(measured, _)| *measured == name)
            .map_or_else(|| "?".to_owned(), |(_, percent)| percent.to_string());
        text += &format!(", {name} {current} % of {target} %");
    }
    text
}

fn target(metric: &MetricSpec) -> Option<(&str, i32)> {
    let (name, target) = match (&metric.container_resource, &metric.resource) {
        (Some(source), _) => (&source.name, &source.target),
        (_, Some(source)) => (&source.name, &source.target),
        _ => return None,
    };
    Some((name, target.average_utilization?))
}

fn current_use(metric: &MetricStatus) -> Option<(&str, i32)> {
    let (name, current) = match (&metric.container_resource, &metric.resource) {
        (Some(source), _) => (&source.name, &source.current),
        (_, Some(source)) => (&source.name, &source.current),
        _ => return None,
    };
    Some((name, current.average_utilization?))
}

fn pod_view(pod: &Pod, now: Timestamp) -> PodView {
    let spec = pod.spec.clone().unwrap_or_default();
    let status = pod.status.clone().unwrap_or_default();
    let containers = status.container_statuses.unwrap_or_default();
    let initial = status.init_container_statuses.unwrap_or_default();
    let everything = || containers.iter().chain(&initial);
    let phase = status.phase.unwrap_or_else(|| "Unknown".to_owned());
    let ready_containers = containers.iter().filter(|container| container.ready).count();
    let blocked = everything().find_map(blocked);
    let unscheduled = status
        .conditions
        .iter()
        .flatten()
        .find(|condition| condition.type_ == "PodScheduled" && condition.status == "False")
        .and_then(|condition| condition.message.clone());
    let (word, message) = if pod.metadata.deletion_timestamp.is_some() {
        ("Terminating".to_owned(), None)
    } else if let Some((reason, message)) = blocked {
        (reason, message)
    } else if let Some(reason) = status.reason {
        // Such as Evicted.
        (reason, status.message)
    } else {
        (phase.clone(), unscheduled)
    };
    let last = everything()
        .filter_map(|container| {
            let ended = container.last_state.as_ref()?.terminated.as_ref()?;
            Some((ended.finished_at.as_ref().map(|time| time.0), container, ended))
        })
        .max_by_key(|(finished, ..)| *finished);
    let last_restart = last.map(|(finished, container, ended)| {
        let reason = ended.reason.as_deref().unwrap_or("ended");
        let when = finished.map_or_else(String::new, |at| {
            format!(", {} ago", duration(age(Some(at), now)))
        });
        format!(
            "{}: {reason}, exit code {}{when}",
            container.name, ended.exit_code
        )
    });
    PodView {
        name: pod.name_any(),
        healthy: (word == "Running" && ready_containers == containers.len()) || word == "Succeeded",
        status: word,
        ready_containers,
        containers: containers.len().max(spec.containers.len()),
        restarts: everything().map(|container| container.restart_count).sum(),
        last_restart,
        message: message.filter(|message| !message.is_empty()),
        node: spec.node_name,
        age_seconds: age(pod.creation_timestamp().map(|time| time.0), now),
    }
}

/// Why a container does not run: it waits for something other than its start, or it ended badly.
fn blocked(container: &ContainerStatus) -> Option<(String, Option<String>)> {
    let state = container.state.as_ref()?;
    if let Some(waiting) = &state.waiting {
        let reason = waiting.reason.clone()?;
        return (reason != "ContainerCreating" && reason != "PodInitializing")
            .then(|| (reason, waiting.message.clone()));
    }
    let ended = state.terminated.as_ref().filter(|ended| ended.exit_code != 0)?;
    Some((ended.reason.clone()?, ended.message.clone()))
}

fn events(
    events: &[Event],
    resource: &FaciliAutoDeployment,
    children: &[ChildView],
    other_pods: &[PodView],
    now: Timestamp,
) -> Vec<EventView> {
    let pods = || {
        let of_children = children.iter().flat_map(|child| &child.pods);
        of_children.chain(other_pods)
    };
    let concerns = |kind: &str, name: &str| match kind {
        "FaciliAutoDeployment" => name == resource.name_any(),
        "Pod" => pods().any(|pod| pod.name == name),
        kind => children
            .iter()
            .any(|child| child.kind == kind && child.name == name),
    };
    let mut found: Vec<(Option<Timestamp>, EventView)> = events
        .iter()
        .filter_map(|event| {
            let kind = event.involved_object.kind.as_deref()?;
            let name = event.involved_object.name.as_deref()?;
            if !concerns(kind, name) {
                return None;
            }
            let (last, count) = last_time(event);
            let view = EventView {
                warning: event.type_.as_deref() == Some("Warning"),
                about: format!("{kind} {name}"),
                reason: event.reason.clone().unwrap_or_default(),
                message: event.message.clone().unwrap_or_default(),
                count,
                age_seconds: age(last, now),
            };
            Some((last, view))
        })
        .collect();
    found.sort_by_key(|(last, _)| *last);
    let skipped = found.len().saturating_sub(EVENTS);
    found.into_iter().skip(skipped).map(|(_, event)| event).collect()
}

/// When an event was last seen, and how often: the newer API counts in a series, the older beside it.
fn last_time(event: &Event) -> (Option<Timestamp>, i32) {
    if let Some(series) = &event.series {
        let last = series.last_observed_time.as_ref().map(|time| time.0);
        return (last, series.count.unwrap_or(1));
    }
    let last = event
        .last_timestamp
        .as_ref()
        .map(|time| time.0)
        .or_else(|| event.event_time.as_ref().map(|time| time.0))
        .or_else(|| event.metadata.creation_timestamp.as_ref().map(|time| time.0));
    (last, event.count.unwrap_or(1).max(1))
}

/// Whole seconds from then to `now`; none of the future, whose clock is another.
pub(super) fn age(then: Option<Timestamp>, now: Timestamp) -> i64 {
    then.map_or(0, |then| (now.as_second() - then.as_second()).max(0))
}

/// A stretch of time in the two largest units that matter to a person, as kubectl has it.
pub fn duration(seconds: i64) -> String {
    const MINUTE: i64 = 60;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    match seconds {
        ..=119 => format!("{seconds}s"),
        120..=599 if seconds % MINUTE > 0 => format!("{}m{}s", seconds / MINUTE, seconds % MINUTE),
        120..=10_799 => format!("{}m", seconds / MINUTE),
        10_800..=172_799 => format!("{}h", seconds / HOUR),
        _ => format!("{}d", seconds / DAY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prevents: an age that a person has to convert.
    #[test]
    fn durations_read_as_those_of_kubectl() {
        for (seconds, expected) in [
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (150, "2m30s"),
            (3_600, "60m"),
            (10_800, "3h"),
            (172_800, "2d"),
        ] {
            assert_eq!(duration(seconds), expected);
        }
    }
}
