//! What Jobs say at their end: the termination messages of their pods, one JSON line each, as
//! `faciliauto-service backup` writes them. Pure.

use k8s_openapi::{
    api::{
        batch::v1::{Job, JobCondition},
        core::v1::{ContainerStateTerminated, ContainerStatus, Pod},
    },
    jiff::Timestamp,
};
use kube::ResourceExt;
use serde::Deserialize;

use crate::reconcile::observe::{Observed, job_condition};

/// What the program says; of a run, of a restore or of a failure, the rest is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Report {
    /// Name of the backup that was made.
    pub backup: Option<String>,
    /// Why it was made; absent when it was not made but looked at.
    pub kind: Option<String>,
    /// When it was finished.
    pub finished_at: Option<Timestamp>,
    /// When it was proven.
    pub verified_at: Option<Timestamp>,
    /// Its size.
    pub bytes: Option<i64>,
    /// Id of the restore.
    pub restore: Option<String>,
    /// How far the restore came.
    pub phase: Option<String>,
    /// Name of the backup that is restored.
    pub from: Option<String>,
    /// Name of the backup of what was there.
    pub safety: Option<String>,
    /// Cars that were restored.
    pub cars: Option<u64>,
    /// Events that were.
    pub events: Option<u64>,
    /// Why it failed, and what to do.
    pub error: Option<String>,
    /// The same in a word.
    pub code: Option<String>,
}

/// How a Job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is at it, or about to be.
    Unfinished,
    /// It did what it should.
    Complete,
    /// It failed and is not tried again.
    Failed,
}

/// How a Job stands.
pub fn standing(job: &Job) -> Standing {
    if job_condition(job, "Complete") {
        Standing::Complete
    } else if job_condition(job, "Failed") {
        Standing::Failed
    } else {
        Standing::Unfinished
    }
}

/// When a Job ended, or failed to.
pub fn ended_at(job: &Job) -> Option<Timestamp> {
    let status = job.status.as_ref()?;
    let failed = failure(job).and_then(|condition| condition.last_transition_time.as_ref());
    let time = status.completion_time.as_ref().or(failed)?;
    Some(time.0)
}

/// The condition by which a Job is known to have failed.
pub fn failure(job: &Job) -> Option<&JobCondition> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    conditions
        .iter()
        .find(|condition| condition.type_ == "Failed" && condition.status == "True")
}

/// The pods of a Job, the oldest first.
pub fn pods<'a>(observed: &'a Observed, job: &Job) -> Vec<&'a Pod> {
    let uid = job.uid().unwrap_or_default();
    let name = job.name_any();
    let is_of_it = |pod: &&Pod| {
        pod.owner_references()
            .iter()
            .any(|owner| owner.kind == "Job" && owner.name == name && owner.uid == uid)
    };
    let mut pods: Vec<&Pod> = observed.pods.iter().filter(is_of_it).collect();
    pods.sort_by_key(|pod| (pod.creation_timestamp().map(|time| time.0), pod.name_any()));
    pods
}

/// The containers of a pod in the order in which they run.
pub fn containers(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    let status = pod.status.as_ref();
    let initial = status.and_then(|status| status.init_container_statuses.as_ref());
    let own = status.and_then(|status| status.container_statuses.as_ref());
    initial.into_iter().flatten().chain(own.into_iter().flatten())
}

/// The ends of a Job's containers with what they said, the last one first.
pub fn ends<'a>(observed: &'a Observed, job: &Job) -> Vec<(&'a ContainerStateTerminated, Report)> {
    let pods = pods(observed, job);
    let all = pods.iter().rev().flat_map(|pod| {
        let mut found: Vec<_> = containers(pod)
            .filter_map(|container| container.state.as_ref()?.terminated.as_ref())
            .map(|end| (end, read(end).unwrap_or_default()))
            .collect();
        found.reverse();
        found
    });
    all.collect()
}

/// What a container said; `None` when it is no report: nothing, or one that was cut off.
pub fn read(end: &ContainerStateTerminated) -> Option<Report> {
    let line = end.message.as_deref().unwrap_or_default().trim();
    serde_json::from_str(line).ok()
}

/// Why a Job failed, as a sentence with its word: what its program said last, or else what the cluster says.
pub fn why(observed: &Observed, job: &Job) -> (String, String) {
    let said = ends(observed, job)
        .into_iter()
        .find(|(end, _)| end.exit_code != 0)
        .and_then(|(_, report)| Some((report.code.unwrap_or_default(), sentence(report.error?))));
    said.unwrap_or_else(|| {
        let condition = failure(job).cloned().unwrap_or_default();
        let reason = condition.reason.unwrap_or_default();
        let message = condition.message.unwrap_or_default();
        let code = if reason == "DeadlineExceeded" {
            "deadline"
        } else {
            "other"
        };
        let message = format!(
            "Job {} failed and left no word: {message}. See `kubectl describe job {}` and the logs of its pods.",
            job.name_any(),
            job.name_any()
        );
        (code.to_owned(), message)
    })
}

/// Programs end an error without a period; here other sentences follow it.
pub fn sentence(error: String) -> String {
    let is_ended = error.ends_with(['.', '!', '?']);
    if is_ended { error } else { error + "." }
}
