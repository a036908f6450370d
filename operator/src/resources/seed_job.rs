//! The stock import: one Job, into a store that never held stock.

use k8s_openapi::api::{
    batch::v1::{Job, JobSpec},
    core::v1::{ConfigMap, ConfigMapVolumeSource, Container, EnvVar, PodSpec, Volume, VolumeMount},
};

use crate::{
    names,
    reconcile::validate::{SeedSource, Validated},
    resources::{
        deployment, metadata, pod,
        redis_login::{self, RedisLogin},
    },
};

/// An import takes seconds; what is not done after this is stuck, and a new Job follows.
const DEADLINE_SECONDS: i64 = 600;

/// How long a finished Job can be looked at. After a failure this is also the pause before the next.
const KEEP_SECONDS: i32 = 600;

pub(crate) fn build(validated: &Validated, config: &ConfigMap, login: &RedisLogin) -> Option<Job> {
    let source = match &validated.seed {
        SeedSource::Nothing | SeedSource::Missing { .. } => return None,
        SeedSource::Sample => "--sample".to_owned(),
        SeedSource::ConfigMap { .. } => format!("{}/{}", names::STOCK_FOLDER, names::STOCK_FILE),
    };
    let owner = &validated.owner;
    let mut volumes = vec![login.volume.clone()];
    let mut mounts = vec![redis_login::mount()];
    if let SeedSource::ConfigMap { name } = &validated.seed {
        volumes.push(Volume {
            name: "stock".to_owned(),
            config_map: Some(ConfigMapVolumeSource {
                name: name.clone(),
                ..ConfigMapVolumeSource::default()
            }),
            ..Volume::default()
        });
        mounts.push(VolumeMount {
            name: "stock".to_owned(),
            mount_path: names::STOCK_FOLDER.to_owned(),
            read_only: Some(true),
            ..VolumeMount::default()
        });
    }
    let container = Container {
        name: names::SEED.to_owned(),
        image: Some(validated.image.reference.clone()),
        image_pull_policy: Some(validated.image.pull_policy.to_owned()),
        args: Some(vec!["import".to_owned(), source]),
        env_from: Some(vec![deployment::settings_from(config)]),
        env: Some(vec![EnvVar {
            name: "FACILIAUTO_REPORT_FILE".to_owned(),
            value: Some("/dev/termination-log".to_owned()),
            value_from: None,
        }]),
        // The import builds the same catalogue as the API does.
        resources: Some(pod::api_resources(&validated.api.resources)),
        security_context: Some(pod::security_context()),
        volume_mounts: Some(mounts),
        ..Container::default()
    };
    let spec = PodSpec {
        containers: vec![container],
        volumes: Some(volumes),
        restart_policy: Some("Never".to_owned()),
        ..PodSpec::default()
    };
    Some(Job {
        metadata: metadata(owner, names::seed(&owner.name, &unique(validated)), names::SEED),
        spec: Some(JobSpec {
            backoff_limit: Some(4),
            active_deadline_seconds: Some(DEADLINE_SECONDS),
            ttl_seconds_after_finished: Some(KEEP_SECONDS),
            template: pod::template(
                validated,
                names::SEED,
                &validated.api.pod,
                [(names::CREDENTIALS.to_owned(), login.mark.clone())].into(),
                spec,
            ),
            ..JobSpec::default()
        }),
        ..Job::default()
    })
}

/// What makes the Job's name unique: which resource, which stock, which image. A Job is never
/// changed, so another stock or a mistyped image put right makes another Job.
fn unique(validated: &Validated) -> String {
    let source = match &validated.seed {
        SeedSource::ConfigMap { name } => name.as_str(),
        SeedSource::Sample => "--sample",
        SeedSource::Nothing | SeedSource::Missing { .. } => "",
    };
    names::short_hash([
        validated.owner.uid.as_str(),
        source,
        validated.image.reference.as_str(),
    ])
}
