//! What a step of a password change depends on, drawn from what is live.

use k8s_openapi::api::{
    apps::v1::Deployment,
    batch::v1::Job,
    core::v1::{Pod, PodTemplateSpec},
};
use kube::ResourceExt;

use super::{Password, Passwords};
use crate::{
    names,
    reconcile::{
        observe::{Observed, job_condition},
        validate::Validated,
    },
    resources::{acl_sync_job, redis_acl},
};

/// What a step depends on.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// The password that is declared.
    pub wanted: &'a Password,
    /// A hash of the users that follow from the passwords as they are.
    pub users: String,
    /// The Redis process that answers, if one does.
    pub server: Option<String>,
    /// Whether a Job has told that process of those users.
    pub told: bool,
    /// Whether a Job is still at it, with users of now or of before.
    pub telling: bool,
    /// Whether nobody is left who was given another password than the one that serves.
    pub everybody_uses_serving: bool,
    /// Seconds since 1970.
    pub now: i64,
}

impl<'a> Facts<'a> {
    /// The facts about `passwords`.
    pub fn of(
        validated: &Validated,
        passwords: &Passwords,
        wanted: &'a Password,
        observed: &Observed,
        now: i64,
    ) -> Self {
        let users = redis_acl::fingerprint(&redis_acl::users(validated, passwords));
        let server = server(observed);
        let told = server.as_ref().is_some_and(|server| {
            let name = acl_sync_job::name(validated, passwords, &users, server);
            let jobs = observed.jobs_of(names::ACL_SYNC);
            jobs.filter(|job| job.name_any() == name)
                .any(|job| job_condition(job, "Complete"))
        });
        let mut jobs = observed.jobs_of(names::ACL_SYNC);
        Self {
            wanted,
            users,
            server,
            told,
            telling: jobs.any(|job| !has_finished(job)),
            everybody_uses_serving: everybody_uses(observed, &passwords.serving.to_string()),
            now,
        }
    }
}

/// The Redis process that runs: its pod, and how often that was started. None while it is away, is on
/// its way out, or is about to be replaced: a Job that began now would have to begin again.
fn server(observed: &Observed) -> Option<String> {
    let set = observed.stateful_set.as_ref()?;
    let status = set.status.as_ref()?;
    let is_seen = status.observed_generation.unwrap_or(0) >= set.metadata.generation.unwrap_or(0);
    let is_whole = status.update_revision.is_none() || status.current_revision == status.update_revision;
    if !is_seen || !is_whole || !observed.redis_is_ready() {
        return None;
    }
    let mut pods = observed
        .pods_of(names::REDIS)
        .filter(|pod| pod.metadata.deletion_timestamp.is_none());
    let pod = pods.next()?;
    let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
    let container = statuses.iter().find(|status| status.name == names::REDIS)?;
    Some(format!("{}/{}", pod.uid()?, container.restart_count))
}

/// Whether everybody who uses Redis was given the password of this mark: the API's rollout is over, and
/// no pod or Job is left that began before it. A pod on its way out still answers requests.
pub fn everybody_uses(observed: &Observed, mark: &str) -> bool {
    let is_rolled_out = observed
        .deployment
        .as_ref()
        .is_some_and(|deployment| is_rolled_out(deployment, mark));
    let pods_agree = names::REDIS_CLIENTS
        .iter()
        .filter(|component| **component != names::ACL_SYNC)
        .flat_map(|component| observed.pods_of(component))
        .filter(|pod| !has_ended(pod))
        .all(|pod| pod.annotations().get(names::CREDENTIALS).map(String::as_str) == Some(mark));
    let jobs_agree = observed
        .jobs
        .iter()
        .filter(|job| job.labels().get(names::COMPONENT).map(String::as_str) != Some(names::ACL_SYNC))
        .filter(|job| !has_finished(job))
        .all(|job| job_mark(job) == Some(mark));
    // One that it makes from now on.
    let clock_agrees = observed.cron_job.as_ref().is_none_or(|cron_job| {
        let job = cron_job
            .spec
            .as_ref()
            .and_then(|spec| spec.job_template.spec.as_ref());
        job.and_then(|job| template_mark(&job.template)) == Some(mark)
    });
    is_rolled_out && pods_agree && jobs_agree && clock_agrees
}

fn is_rolled_out(deployment: &Deployment, mark: &str) -> bool {
    let status = deployment.status.clone().unwrap_or_default();
    let spec = deployment.spec.as_ref();
    let replicas = status.replicas.unwrap_or(0);
    spec.and_then(|spec| template_mark(&spec.template)) == Some(mark)
        && status.observed_generation.unwrap_or(0) >= deployment.metadata.generation.unwrap_or(0)
        && status.updated_replicas.unwrap_or(0) >= replicas
        // Unready ones may make the rollout be taken back, to pods with the old password.
        && status.ready_replicas.unwrap_or(0) >= replicas
        && replicas >= spec.and_then(|spec| spec.replicas).unwrap_or(0)
}

fn job_mark(job: &Job) -> Option<&str> {
    job.spec.as_ref().and_then(|spec| template_mark(&spec.template))
}

fn template_mark(template: &PodTemplateSpec) -> Option<&str> {
    let annotations = template.metadata.as_ref()?.annotations.as_ref()?;
    annotations.get(names::CREDENTIALS).map(String::as_str)
}

fn has_finished(job: &Job) -> bool {
    job_condition(job, "Complete") || job_condition(job, "Failed")
}

fn has_ended(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}
