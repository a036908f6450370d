//! Restores: when one begins, and how it stands. Each id runs one Job, one at a time; a later id waits, and
//! taking an id away cancels nothing. Pure.
//!
//! What is written in the status may be lost; then the Job is made once more and says that it was done.

use faciliauto_api::{FaciliAutoDeployment, RedisMode, RestorePhase, RestoreStatus};
use k8s_openapi::{
    api::{
        batch::v1::Job,
        core::v1::{ContainerState, ContainerStateTerminated},
    },
    apimachinery::pkg::apis::meta::v1::Time,
};
use kube::ResourceExt;

use crate::{
    names,
    reconcile::{
        job_ends::{self, Standing, ended_at, standing},
        observe::Observed,
        trouble::pod_trouble,
        validate::Validated,
    },
    resources::restore_job::PHASES,
};

/// The program's word for a store that it lost while it put another generation in place of its own.
const UNSURE: &str = "unsure";

/// What is to be done about the restore that is declared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Plan {
    /// Nothing: none is declared, or it has been.
    #[default]
    Nothing,
    /// Its Job is to be there.
    Run,
    /// It has to wait.
    Wait {
        /// For what.
        message: String,
    },
}

/// What is to be done.
pub fn plan(resource: &FaciliAutoDeployment, validated: &Validated, observed: &Observed) -> Plan {
    let Some(restore) = &validated.restore else {
        return Plan::Nothing;
    };
    let wait = |message: String| Plan::Wait { message };
    if let Some(last) = last_job(observed, &restore.id) {
        return match standing(last) {
            Standing::Unfinished => Plan::Run,
            Standing::Complete | Standing::Failed => Plan::Nothing,
        };
    }
    if has_ended(resource, &restore.id) {
        return Plan::Nothing;
    }
    if let Some(other) = unfinished(observed) {
        return wait(format!(
            "It waits until the restore {} has ended.",
            id_of(other).unwrap_or_default()
        ));
    }
    if let Some(missing) = &restore.missing {
        return wait(missing.clone());
    }
    if resource.spec.paused {
        return wait("It waits until spec.paused is false.".to_owned());
    }
    if resource.spec.redis.mode == RedisMode::Managed && !observed.redis_is_ready() {
        return wait("It waits until Redis is ready.".to_owned());
    }
    Plan::Run
}

/// Whether a restore runs.
pub fn is_running(observed: &Observed) -> bool {
    unfinished(observed).is_some()
}

/// Whether the restore of this id has ended, as far as the status knows.
fn has_ended(resource: &FaciliAutoDeployment, id: &str) -> bool {
    let status = resource
        .status
        .as_ref()
        .and_then(|status| status.restore.as_ref());
    status.is_some_and(|restore| restore.id == id && restore.phase.is_final())
}

fn unfinished(observed: &Observed) -> Option<&Job> {
    observed
        .jobs_of(names::RESTORE)
        .find(|job| standing(job) == Standing::Unfinished)
}

fn id_of(job: &Job) -> Option<&str> {
    job.annotations().get(names::RESTORE_ID).map(String::as_str)
}

/// Whether it takes a restore back: only one that carries it out names a backup.
fn is_undo(job: &Job) -> bool {
    !job.annotations().contains_key(names::RESTORE_FROM)
}

/// The Job of an id that was made last: one that carries it out, or one that takes it back.
fn last_job<'a>(observed: &'a Observed, id: &str) -> Option<&'a Job> {
    observed
        .jobs_of(names::RESTORE)
        .filter(|job| id_of(job) == Some(id))
        // An attempt to take one back that failed has changed nothing.
        .filter(|job| !is_undo(job) || standing(job) != Standing::Failed)
        .max_by_key(|job| (job.creation_timestamp().map(|time| time.0), job.name_any()))
}

/// How the restore stands that people want to know of: one that runs, else the one that is declared, else
/// the last one.
pub fn status(
    resource: &FaciliAutoDeployment,
    observed: &Observed,
    wait: Option<&str>,
    previous: Option<&RestoreStatus>,
) -> Option<RestoreStatus> {
    let declared = &resource.spec.restore;
    if let Some(job) = unfinished(observed) {
        return Some(of_job(observed, job));
    }
    let id = if declared.id.is_empty() {
        &previous?.id
    } else {
        &declared.id
    };
    if let Some(job) = last_job(observed, id) {
        return Some(of_job(observed, job));
    }
    if let Some(previous) = previous.filter(|previous| previous.id == *id && previous.phase.is_final()) {
        return Some(previous.clone());
    }
    // One that was only waiting when its id was taken away never was.
    (!declared.id.is_empty()).then(|| RestoreStatus {
        id: id.clone(),
        from: declared.from.clone(),
        phase: RestorePhase::Pending,
        message: wait.unwrap_or("It is about to begin.").to_owned(),
        ..RestoreStatus::default()
    })
}

/// Why the Job of a restore failed, in a word; `None` when it did not, or is gone.
pub fn failure_code(observed: &Observed, id: &str) -> Option<String> {
    let job = last_job(observed, id).filter(|job| standing(job) == Standing::Failed)?;
    Some(job_ends::why(observed, job).0)
}

fn of_job(observed: &Observed, job: &Job) -> RestoreStatus {
    let ends = job_ends::ends(observed, job);
    let said = |field: fn(&job_ends::Report) -> Option<&String>| {
        ends.iter().find_map(|(_, report)| field(report).cloned())
    };
    let declared = job.annotations().get(names::RESTORE_FROM);
    let from = said(|report| report.from.as_ref()).or_else(|| declared.cloned());
    let from = shorten(&from.unwrap_or_default(), 128);
    let (phase, message) = match standing(job) {
        Standing::Unfinished => running(observed, job),
        Standing::Failed => (RestorePhase::Failed, failure(observed, job)),
        Standing::Complete if said(|report| report.phase.as_ref()).as_deref() == Some("Reverted") => (
            RestorePhase::Reverted,
            "What was there before the restore is there again.".to_owned(),
        ),
        Standing::Complete => (RestorePhase::Succeeded, success(&from, &ends)),
    };
    let started = job.status.as_ref().and_then(|status| status.start_time.clone());
    RestoreStatus {
        id: shorten(id_of(job).unwrap_or_default(), 63),
        from,
        phase,
        started_at: started.or_else(|| job.creation_timestamp()),
        finished_at: ended_at(job).map(Time).filter(|_| phase.is_final()),
        message: shorten(&message, 2048),
    }
}

/// Why a restore failed, and what became of what was there. A program that knows says so; one that was ended before it could,
/// or lost the store as it switched, leaves it open.
fn failure(observed: &Observed, job: &Job) -> String {
    let (code, why) = job_ends::why(observed, job);
    let has_said = job_ends::ends(observed, job)
        .iter()
        .any(|(end, report)| end.exit_code != 0 && report.error.is_some());
    if has_said && code != UNSURE {
        format!("What is there was not replaced: {why} Another attempt needs another restore.id.")
    } else {
        format!(
            "It is not known whether what is there was replaced: {why} The same backup with another restore.id is put in \
             place whichever it is."
        )
    }
}

/// The phase of the newest attempt.
fn running(observed: &Observed, job: &Job) -> (RestorePhase, String) {
    let pods = job_ends::pods(observed, job);
    let Some(pod) = pods.last() else {
        return (RestorePhase::Pending, "Its pod is about to be made.".to_owned());
    };
    let attempt = match pods.len() {
        1 => String::new(),
        many => format!(
            " This is attempt {many}; the one before it: {}",
            last_error(observed, job)
        ),
    };
    if let Some(trouble) = pod_trouble([*pod].into_iter()) {
        return (RestorePhase::Pending, trouble.message);
    }
    let has_begun = |state: &ContainerState| state.running.is_some() || state.terminated.is_some();
    let begun = job_ends::containers(pod)
        .filter(|container| container.state.as_ref().is_some_and(has_begun))
        .map(|container| container.name.as_str())
        .last();
    let (phase, sentence) = match begun {
        None => (RestorePhase::Pending, "Its pod is starting."),
        Some(name) if name == PHASES[0] => (RestorePhase::Verifying, "The backup is read and checked."),
        Some(name) if name == PHASES[1] => (
            RestorePhase::Snapshotting,
            "What is there is backed up; reads go on, writes are refused meanwhile.",
        ),
        Some(_) => (
            RestorePhase::Loading,
            "The backup is written beside what is there; reads go on, writes are refused meanwhile.",
        ),
    };
    (phase, format!("{sentence}{attempt}"))
}

fn last_error(observed: &Observed, job: &Job) -> String {
    let ends = job_ends::ends(observed, job);
    let said = ends.into_iter().find_map(|(_, report)| report.error);
    said.map_or_else(|| "it left no word.".to_owned(), job_ends::sentence)
}

fn success(from: &str, ends: &[(&ContainerStateTerminated, job_ends::Report)]) -> String {
    let report = ends
        .iter()
        .map(|(_, report)| report)
        .find(|report| report.restore.is_some());
    let Some(report) = report else {
        return "The backup is what is there now.".to_owned();
    };
    let mut text = format!("The backup {from} is what is there now");
    if let (Some(cars), Some(events)) = (report.cars, report.events) {
        text += &format!(": {cars} cars and {events} events");
    }
    text += &match &report.safety {
        Some(safety) => {
            format!(". What was there before is kept beside it for 24 h, and is the backup {safety}.")
        }
        // A store that was never opened has none, and nothing to keep.
        None => ". There was nothing before.".to_owned(),
    };
    text
}

fn shorten(text: &str, longest: usize) -> String {
    text.chars().take(longest).collect()
}

#[cfg(test)]
mod tests;
