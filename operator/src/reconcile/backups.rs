//! How backups stand, drawn from their Jobs, and when another image of Redis may go in. Pure; time is a
//! parameter.

use faciliauto_api::{BackupFailure, BackupStatus, FaciliAutoDeployment};
use k8s_openapi::{
    api::batch::v1::Job,
    apimachinery::pkg::apis::meta::v1::Time,
    jiff::{SignedDuration, Timestamp},
};
use kube::ResourceExt;

use crate::{
    names,
    reconcile::{
        job_ends::{self, Standing, ended_at, standing},
        observe::Observed,
        validate::{RedisSettings, Validated},
    },
    schedule::Schedule,
};

/// A run that is not done this long after it was due is missed: with a daily one, 26 hours after the last.
const SLACK: SignedDuration = SignedDuration::from_hours(2);

/// The same for a proof: 36 hours after the last.
const SLACK_OF_PROOF: SignedDuration = SignedDuration::from_hours(12);

/// The status of backups; `None` when there were never any.
pub fn status(
    resource: &FaciliAutoDeployment,
    observed: &Observed,
    previous: Option<&BackupStatus>,
    now: Timestamp,
) -> Option<BackupStatus> {
    let declared = &resource.spec.backup;
    let mut status = previous.cloned().unwrap_or_default();
    for job in observed.jobs_of(names::BACKUP) {
        match standing(job) {
            Standing::Unfinished => {}
            Standing::Complete => {
                let ended = ended_at(job).unwrap_or(now);
                let ends = job_ends::ends(observed, job);
                let succeeded = || ends.iter().filter(|(end, _)| end.exit_code == 0);
                match succeeded().find_map(|(end, _)| job_ends::read(end)) {
                    Some(report) if report.kind.is_some() => note_success(&mut status, report, ended),
                    Some(report) if report.backup.as_ref() == Some(&status.last_backup) => {
                        note_proof(&mut status, report.verified_at);
                    }
                    None if makes_backup(job) && succeeded().next().is_some() => {
                        note_failure(&mut status, unreadable(job), ended);
                    }
                    // Its pods are gone; the Job tells at least when, unless they were heard before.
                    None if makes_backup(job) && ends.is_empty() && !was_heard(&status, job) => {
                        note_success(&mut status, job_ends::Report::default(), ended);
                    }
                    // Something else that the program can do, or an end that is not seen yet.
                    Some(_) | None => {}
                }
            }
            Standing::Failed => {
                let why = job_ends::why(observed, job);
                note_failure(&mut status, why, ended_at(job).unwrap_or(now));
            }
        }
    }
    // What has been made good is of no interest any more.
    let (success, failure) = (&status.last_success_time, &status.last_failure);
    if let (Some(success), Some(failure)) = (success, failure)
        && success.0 >= failure.time.0
    {
        status.last_failure = None;
    }
    status.since = match (&observed.cron_job, declared.enabled) {
        (_, false) => None,
        (Some(cron_job), true) => cron_job.creation_timestamp().or(status.since),
        (None, true) => status.since,
    };
    let schedule = schedule(resource).filter(|_| !declared.suspend);
    status.next_schedule_time = schedule.and_then(|schedule| schedule.next_after(now)).map(Time);
    (status != BackupStatus::default() || declared.enabled).then_some(status)
}

/// Whether it runs `backup run`. A Job that a person made from the CronJob may do anything else.
fn makes_backup(job: &Job) -> bool {
    let pod = job.spec.as_ref().and_then(|spec| spec.template.spec.as_ref());
    let mut containers = pod.into_iter().flat_map(|pod| &pod.containers);
    containers.any(|container| {
        let arguments = container.args.as_deref().unwrap_or_default();
        arguments.starts_with(&["backup".to_owned(), "run".to_owned()])
    })
}

/// Whether the status tells of this Job, or of a later one.
fn was_heard(status: &BackupStatus, job: &Job) -> bool {
    let started = job.status.as_ref().and_then(|status| status.start_time.as_ref());
    let failed = status.last_failure.as_ref().map(|failure| &failure.time);
    let mut told = status.last_success_time.iter().chain(failed);
    started.is_some_and(|started| told.any(|time| time.0 >= started.0))
}

/// Why a Job that ended well has made no backup that counts.
fn unreadable(job: &Job) -> (String, String) {
    let name = job.name_any();
    let message = format!(
        "Job {name} ended well, but what it says of its backup cannot be read, so none is counted: see `kubectl logs job/{name}`."
    );
    ("unreadable".to_owned(), message)
}

fn note_failure(status: &mut BackupStatus, (code, message): (String, String), ended: Timestamp) {
    let time = Time(whole_seconds(ended));
    let is_newer = |known: &BackupFailure| known.time.0 < time.0;
    if status.last_failure.as_ref().is_none_or(is_newer) {
        status.last_failure = Some(BackupFailure {
            time,
            code: shorten(&code, 64),
            message: shorten(&message, 1024),
        });
    }
}

fn note_success(status: &mut BackupStatus, report: job_ends::Report, ended: Timestamp) {
    let finished = whole_seconds(report.finished_at.unwrap_or(ended));
    if status
        .last_success_time
        .as_ref()
        .is_none_or(|known| known.0 < finished)
    {
        status.last_success_time = Some(Time(finished));
        // Without them this one has no name and no size, rather than those of the one before it.
        status.size = report.bytes;
        status.last_backup = shorten(&report.backup.unwrap_or_default(), 128);
    }
    // A proof that comes with the backup counts from when that was there.
    note_proof(status, report.verified_at.map(|at| at.max(finished)));
}

fn note_proof(status: &mut BackupStatus, at: Option<Timestamp>) {
    let Some(at) = at.map(whole_seconds) else {
        return;
    };
    if status
        .last_verified_time
        .as_ref()
        .is_none_or(|known| known.0 < at)
    {
        status.last_verified_time = Some(Time(at));
    }
}

/// The API keeps seconds; what it drops would differ from what it answers.
fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

fn shorten(text: &str, longest: usize) -> String {
    text.chars().take(longest).collect()
}

fn schedule(resource: &FaciliAutoDeployment) -> Option<Schedule> {
    let declared = &resource.spec.backup;
    let schedule = declared
        .enabled
        .then(|| Schedule::parse(&declared.schedule, &declared.time_zone));
    schedule?.ok()
}

/// Until when the next backup and the next proof have to be there, as `status` stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deadlines {
    /// Of a backup; also while the schedule is suspended, for that is as easily forgotten.
    pub backup: Option<Timestamp>,
    /// Of a proof; none when no proof is declared.
    pub proof: Option<Timestamp>,
}

/// Until when the next backup and the next proof have to be there.
pub fn deadlines(resource: &FaciliAutoDeployment, status: &BackupStatus) -> Deadlines {
    let Some(schedule) = schedule(resource) else {
        return Deadlines::default();
    };
    let after = |last: Option<&Time>, slack: SignedDuration| {
        let since = status.since.as_ref();
        let begin = last.into_iter().chain(since).map(|time| time.0).max()?;
        schedule.next_after(begin)?.checked_add(slack).ok()
    };
    let proof = after(status.last_verified_time.as_ref(), SLACK_OF_PROOF);
    Deadlines {
        backup: after(status.last_success_time.as_ref(), SLACK),
        proof: proof.filter(|_| resource.spec.backup.verify),
    }
}

/// How the backup stands that is made before another image of Redis goes in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum BeforeImage {
    /// None is needed, or it is there.
    #[default]
    Clear,
    /// The image waits for it.
    Waiting {
        /// Name of its Job.
        job: String,
    },
    /// It failed, and the image waits until one has worked.
    Failed {
        /// What to do.
        message: String,
    },
}

/// How the backup stands that has to be there before `validated` has its image of Redis. None is needed
/// where there is nothing to lose, where Redis does not answer, for then another image may be what helps,
/// and while the schedule is suspended.
pub fn before_image(
    resource: &FaciliAutoDeployment,
    validated: &Validated,
    observed: &Observed,
) -> BeforeImage {
    let (RedisSettings::Managed(managed), Some(backup)) = (&validated.redis, &validated.backup) else {
        return BeforeImage::Clear;
    };
    let has_stock = resource
        .status
        .as_ref()
        .and_then(|status| status.stock.as_ref())
        .is_some_and(|stock| stock.seeded);
    let Some(live) = redis_image(observed).filter(|_| observed.redis_is_ready()) else {
        return BeforeImage::Clear;
    };
    if live == managed.image || backup.is_suspended || !has_stock {
        return BeforeImage::Clear;
    }
    let owner = &validated.owner;
    let unique = names::short_hash([owner.uid.as_str(), live, &managed.image]);
    let name = names::backup_before(&owner.name, &unique);
    let job = observed.jobs_of(names::BACKUP).find(|job| job.name_any() == name);
    match job.map(|job| (job, standing(job))) {
        Some((_, Standing::Complete)) => BeforeImage::Clear,
        None | Some((_, Standing::Unfinished)) => BeforeImage::Waiting { job: name },
        Some((job, Standing::Failed)) => BeforeImage::Failed {
            message: format!(
                "The Redis image {} waits, because the backup before it failed: {} It is tried again when Job {name} has been cleared away, after ten minutes; to go on without a backup, set backup.suspend: true.",
                managed.image,
                job_ends::why(observed, job).1
            ),
        },
    }
}

impl BeforeImage {
    /// What a person who waits for the image wants to know.
    pub fn message(&self, image: &str) -> Option<String> {
        match self {
            Self::Clear => None,
            Self::Waiting { job } => Some(format!(
                "The Redis image {image} goes in as soon as a backup has been made: Job {job} makes it."
            )),
            Self::Failed { message } => Some(message.clone()),
        }
    }
}

fn redis_image(observed: &Observed) -> Option<&str> {
    let spec = observed.stateful_set.as_ref()?.spec.as_ref()?;
    let containers = &spec.template.spec.as_ref()?.containers;
    let redis = containers
        .iter()
        .find(|container| container.name == names::REDIS)?;
    redis.image.as_deref()
}

#[cfg(test)]
mod tests;
