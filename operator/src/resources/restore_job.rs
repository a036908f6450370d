//! A restore: one Job for each id. Its phases are containers one after another, so that everybody who looks
//! at the pod sees how far it is: `verify` reads the backup, `snapshot` holds writes back and backs up what
//! is there, `load` writes the backup beside it and lets it take its place. An attempt that ends badly
//! begins again with the first; what was done already is found by it, and not done twice.

use k8s_openapi::api::{
    batch::v1::{Job, JobSpec, PodFailurePolicy},
    core::v1::{Container, EmptyDirVolumeSource, PodSpec, Volume},
};

use crate::{
    names,
    reconcile::validate::{BackupPlace, BackupSettings, RestorePlace, RestoreSettings, Validated},
    resources::{
        backup::{disrupted, hopeless, on_exit_codes, variable},
        backup_pod::{self, Parts, StoreNames, claim_volume},
        metadata, pod,
        redis_login::RedisLogin,
    },
};

/// Five minutes are the objective; what is not done after this is stuck.
const DEADLINE_SECONDS: i64 = 2 * 3600;

/// How long a finished Job can be looked at.
const KEEP_SECONDS: i32 = 7 * 24 * 3600;

/// Attempts after the first.
const RETRIES: i32 = 6;

/// Exit code of a program that has to wait for somebody else who writes.
const BUSY: i32 = 4;

/// The phases, in order; the last one is the container that the Job is about.
pub const PHASES: [&str; 3] = ["verify", "snapshot", "load"];

/// The Job that carries a restore out.
pub(crate) fn build(
    validated: &Validated,
    backup: &BackupSettings,
    restore: &RestoreSettings,
    login: &RedisLogin,
) -> Job {
    let owner = &validated.owner;
    let Parts {
        environment,
        volumes,
        mounts,
    } = parts(validated, backup, restore, login);
    let container = |phase: &str| Container {
        name: phase.to_owned(),
        image: Some(validated.image.reference.clone()),
        image_pull_policy: Some(validated.image.pull_policy.to_owned()),
        args: Some(
            [
                "backup",
                "restore",
                &restore.from,
                "--id",
                &restore.id,
                "--phase",
                phase,
            ]
            .map(str::to_owned)
            .to_vec(),
        ),
        env: Some(environment.clone()),
        resources: Some(pod::backup_resources(&backup.resources)),
        security_context: Some(pod::security_context()),
        volume_mounts: Some(mounts.clone()),
        ..Container::default()
    };
    let [verify, snapshot, load] = PHASES;
    let spec = PodSpec {
        init_containers: Some(vec![container(verify), container(snapshot)]),
        containers: vec![container(load)],
        volumes: Some(volumes),
        restart_policy: Some("Never".to_owned()),
        ..PodSpec::default()
    };
    let mut metadata = metadata(owner, name(validated, &restore.id), names::RESTORE);
    metadata.annotations = Some(
        [
            (names::RESTORE_ID.to_owned(), restore.id.clone()),
            (names::RESTORE_FROM.to_owned(), restore.from.clone()),
        ]
        .into(),
    );
    Job {
        metadata,
        spec: Some(JobSpec {
            backoff_limit: Some(RETRIES),
            active_deadline_seconds: Some(DEADLINE_SECONDS),
            ttl_seconds_after_finished: Some(KEEP_SECONDS),
            pod_failure_policy: Some(PodFailurePolicy {
                // Who writes now is waited for, and that is no failure.
                rules: vec![hopeless(), on_exit_codes("Ignore", &[BUSY]), disrupted()],
            }),
            template: pod::template(
                validated,
                names::RESTORE,
                &backup.pod,
                [(names::CREDENTIALS.to_owned(), login.mark.clone())].into(),
                spec,
            ),
            ..JobSpec::default()
        }),
        ..Job::default()
    }
}

/// The Job's name, by which restore of which resource it is.
fn name(validated: &Validated, id: &str) -> String {
    let owner = &validated.owner;
    names::restore(&owner.name, &names::short_hash([owner.uid.as_str(), id]))
}

fn parts(
    validated: &Validated,
    backup: &BackupSettings,
    restore: &RestoreSettings,
    login: &RedisLogin,
) -> Parts {
    let mut parts = backup_pod::parts(validated, backup, login);
    match &restore.source {
        None => {}
        Some(RestorePlace::Claim(claim)) => {
            parts
                .environment
                .push(variable("FACILIAUTO_BACKUP_SOURCE", names::SOURCE_FOLDER));
            parts.mount(claim_volume("source", claim, true), names::SOURCE_FOLDER, true);
        }
        Some(RestorePlace::ObjectStore(store)) => {
            let names = StoreNames {
                url: "FACILIAUTO_BACKUP_SOURCE",
                prefix: "FACILIAUTO_BACKUP_SOURCE_S3",
                folder: names::SOURCE_S3_CA_FOLDER,
                volume: "source-s3-ca",
            };
            let mut store = store.clone();
            if matches!(backup.place, BackupPlace::ObjectStore(_)) {
                // One pair of keys opens both places, and is there already.
                store.credentials_secret.clear();
            }
            parts.object_store(&store, &names);
        }
    }
    if let Some(secret) = &backup.identity_secret {
        let file = format!("{}/{}", names::IDENTITY_FOLDER, names::IDENTITY_KEY);
        parts
            .environment
            .push(variable("FACILIAUTO_BACKUP_IDENTITY_FILE", file));
        parts.mount(
            pod::secret_volume("identity", secret, names::IDENTITY_KEY),
            names::IDENTITY_FOLDER,
            true,
        );
    }
    parts
        .environment
        .push(variable("FACILIAUTO_BACKUP_WORK_DIR", names::WORK_FOLDER));
    let work = Volume {
        name: "work".to_owned(),
        empty_dir: Some(EmptyDirVolumeSource::default()),
        ..Volume::default()
    };
    parts.mount(work, names::WORK_FOLDER, false);
    parts
}
