//! Backups: the volume that they are written to, what the resource declares as a file that goes into each,
//! the CronJob that makes them, and a Job that makes one before something is changed.
//!
//! All of them run `faciliauto-service backup run`. A Job made by hand from the CronJob, as `kubectl create
//! job --from` does it, is one of its Jobs like any other. That two never meet is the target's doing, which
//! is locked by whoever writes.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::{
        batch::v1::{
            CronJob, CronJobSpec, Job, JobSpec, JobTemplateSpec, PodFailurePolicy,
            PodFailurePolicyOnExitCodesRequirement, PodFailurePolicyOnPodConditionsPattern,
            PodFailurePolicyRule,
        },
        core::v1::{
            ConfigMap, Container, EnvVar, PersistentVolumeClaim, PersistentVolumeClaimSpec, PodSpec,
            VolumeResourceRequirements,
        },
    },
    apimachinery::pkg::{api::resource::Quantity, apis::meta::v1::ObjectMeta},
};

use crate::{
    names,
    reconcile::validate::{BackupPlace, BackupSettings, Validated},
    resources::{
        backup_pod::{self, Parts},
        metadata, owner_reference, pod,
        redis_login::RedisLogin,
    },
};

/// A run that could not begin by then, as while the cluster was away, is left out.
const STARTING_DEADLINE_SECONDS: i64 = 3 * 3600;

/// A backup takes seconds to minutes; what is not done after this is stuck.
const DEADLINE_SECONDS: i64 = 2 * 3600;

/// The same for one that a change of Redis's image waits for: at its gentle pace a million records take minutes.
const DEADLINE_BEFORE_SECONDS: i64 = 3600;

/// How long the Job of a backup can be looked at: as long as a backup is kept by default.
const KEEP_SECONDS: i32 = 7 * 24 * 3600;

/// The same for one before a change. After a failure this is also the pause before the next, and so long
/// such a backup counts as fresh.
const KEEP_BEFORE_SECONDS: i32 = 600;

/// Attempts after the first. With the pauses that the cluster makes they outlast the two minutes in which the lock of
/// somebody who was killed is believed; the minute after that an attempt waits itself.
const RETRIES: i32 = 4;

/// Exit codes after which another attempt is of no use: wrong settings, and an archive that is refused.
pub(crate) const HOPELESS: [i32; 2] = [2, 3];

/// Why a backup is made, as the service knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// By the schedule.
    Scheduled,
    /// By hand.
    Manual,
    /// Before another image of Redis goes in.
    BeforeUpgrade,
}

impl Occasion {
    /// The word on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Manual => "manual",
            Self::BeforeUpgrade => "before-upgrade",
        }
    }
}

/// What backups consist of.
#[derive(Clone, Debug)]
pub struct BackupResources {
    /// What the resource declares.
    pub declared: ConfigMap,
    /// The volume; absent when they go to object storage.
    pub volume: Option<PersistentVolumeClaim>,
    /// What makes them by the clock.
    pub cron_job: CronJob,
}

/// Everything but the Jobs that are made for an occasion. No backup begins by the clock while
/// `is_held`: a restore is under way.
pub(crate) fn build(
    validated: &Validated,
    settings: &BackupSettings,
    login: &RedisLogin,
    is_held: bool,
) -> BackupResources {
    BackupResources {
        declared: declared(validated, settings),
        volume: volume(validated, settings),
        cron_job: cron_job(validated, settings, login, is_held),
    }
}

fn declared(validated: &Validated, settings: &BackupSettings) -> ConfigMap {
    let owner = &validated.owner;
    ConfigMap {
        metadata: metadata(owner, names::declared(&owner.name), names::BACKUP),
        data: Some([(names::DECLARED_FILE.to_owned(), settings.declared.clone())].into()),
        ..ConfigMap::default()
    }
}

/// The volume. It outlives the resource, unless that is declared otherwise.
fn volume(validated: &Validated, settings: &BackupSettings) -> Option<PersistentVolumeClaim> {
    let BackupPlace::Volume { size, class } = &settings.place else {
        return None;
    };
    let owner = &validated.owner;
    Some(PersistentVolumeClaim {
        metadata: ObjectMeta {
            owner_references: validated.delete_volumes.then(|| vec![owner_reference(owner)]),
            ..metadata(owner, names::backup(&owner.name), names::BACKUP)
        },
        spec: Some(PersistentVolumeClaimSpec {
            access_modes: Some(vec!["ReadWriteOnce".to_owned()]),
            storage_class_name: class.clone(),
            resources: Some(VolumeResourceRequirements {
                requests: Some(BTreeMap::from([("storage".to_owned(), Quantity(size.0.clone()))])),
                limits: None,
            }),
            ..PersistentVolumeClaimSpec::default()
        }),
        ..PersistentVolumeClaim::default()
    })
}

fn cron_job(validated: &Validated, settings: &BackupSettings, login: &RedisLogin, is_held: bool) -> CronJob {
    let owner = &validated.owner;
    let job = JobSpec {
        active_deadline_seconds: Some(DEADLINE_SECONDS),
        ttl_seconds_after_finished: Some(KEEP_SECONDS),
        ..job(validated, settings, login, Occasion::Scheduled)
    };
    CronJob {
        metadata: metadata(owner, names::backup(&owner.name), names::BACKUP),
        spec: Some(CronJobSpec {
            schedule: settings.schedule.clone(),
            time_zone: Some(settings.time_zone.clone()),
            concurrency_policy: Some("Forbid".to_owned()),
            starting_deadline_seconds: Some(STARTING_DEADLINE_SECONDS),
            suspend: Some(settings.is_suspended || is_held),
            successful_jobs_history_limit: Some(3),
            failed_jobs_history_limit: Some(3),
            job_template: JobTemplateSpec {
                // By these the operator sees the Jobs that are made from it.
                metadata: Some(ObjectMeta {
                    labels: Some(names::labels(&owner.name, names::BACKUP)),
                    ..ObjectMeta::default()
                }),
                spec: Some(job),
            },
        }),
        ..CronJob::default()
    }
}

/// The Job that makes a backup before another image of Redis takes the place of `from`.
pub(crate) fn before_upgrade(
    validated: &Validated,
    settings: &BackupSettings,
    login: &RedisLogin,
    name: String,
) -> Job {
    Job {
        metadata: metadata(&validated.owner, name, names::BACKUP),
        spec: Some(JobSpec {
            active_deadline_seconds: Some(DEADLINE_BEFORE_SECONDS),
            ttl_seconds_after_finished: Some(KEEP_BEFORE_SECONDS),
            ..job(validated, settings, login, Occasion::BeforeUpgrade)
        }),
        ..Job::default()
    }
}

fn job(validated: &Validated, settings: &BackupSettings, login: &RedisLogin, occasion: Occasion) -> JobSpec {
    let Parts {
        mut environment,
        volumes,
        mounts,
    } = backup_pod::parts(validated, settings, login);
    environment.extend([
        variable("FACILIAUTO_BACKUP_KEEP_DAYS", settings.keep_days.to_string()),
        variable(
            "FACILIAUTO_BACKUP_DECLARED",
            format!("{}/{}", names::DECLARED_FOLDER, names::DECLARED_FILE),
        ),
    ]);
    let mut arguments = ["backup", "run", "--kind", occasion.word()]
        .map(str::to_owned)
        .to_vec();
    if !settings.verify {
        arguments.push("--no-verify".to_owned());
    }
    let container = Container {
        name: names::BACKUP.to_owned(),
        image: Some(validated.image.reference.clone()),
        image_pull_policy: Some(validated.image.pull_policy.to_owned()),
        args: Some(arguments),
        env: Some(environment),
        resources: Some(pod::backup_resources(&settings.resources)),
        security_context: Some(pod::security_context()),
        volume_mounts: Some(mounts),
        ..Container::default()
    };
    JobSpec {
        backoff_limit: Some(RETRIES),
        pod_failure_policy: Some(PodFailurePolicy {
            rules: vec![hopeless(), disrupted()],
        }),
        template: pod::template(
            validated,
            names::BACKUP,
            &settings.pod,
            [(names::CREDENTIALS.to_owned(), login.mark.clone())].into(),
            PodSpec {
                containers: vec![container],
                volumes: Some(volumes),
                restart_policy: Some("Never".to_owned()),
                ..PodSpec::default()
            },
        ),
        ..JobSpec::default()
    }
}

/// Ends a Job whose program says that another attempt is of no use.
pub(crate) fn hopeless() -> PodFailurePolicyRule {
    on_exit_codes("FailJob", &HOPELESS)
}

/// What becomes of a Job whose container ended with one of these codes.
pub(crate) fn on_exit_codes(action: &str, codes: &[i32]) -> PodFailurePolicyRule {
    PodFailurePolicyRule {
        action: action.to_owned(),
        on_exit_codes: Some(PodFailurePolicyOnExitCodesRequirement {
            container_name: None,
            operator: "In".to_owned(),
            values: codes.to_vec(),
        }),
        on_pod_conditions: None,
    }
}

/// A node that is drained is no failure of the program's.
pub(crate) fn disrupted() -> PodFailurePolicyRule {
    PodFailurePolicyRule {
        action: "Ignore".to_owned(),
        on_exit_codes: None,
        on_pod_conditions: Some(vec![PodFailurePolicyOnPodConditionsPattern {
            type_: "DisruptionTarget".to_owned(),
            status: "True".to_owned(),
        }]),
    }
}

/// A variable with a value.
pub(crate) fn variable(name: &str, value: impl Into<String>) -> EnvVar {
    EnvVar {
        name: name.to_owned(),
        value: Some(value.into()),
        value_from: None,
    }
}
