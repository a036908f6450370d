//! The API.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::{
        apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment},
        core::v1::{
            ConfigMap, ConfigMapEnvSource, Container, ContainerPort, EnvFromSource, HTTPGetAction, Lifecycle,
            LifecycleHandler, PodSpec, Probe, SleepAction, Volume, VolumeMount,
        },
    },
    apimachinery::pkg::{apis::meta::v1::LabelSelector, util::intstr::IntOrString},
};
use kube::ResourceExt;

use crate::{
    names,
    reconcile::validate::{Scaling, Validated},
    resources::{
        config::DRAIN_SECONDS,
        metadata, pod,
        redis_login::{self, RedisLogin},
    },
};

/// Seconds between the pod leaving the Service's endpoints and SIGTERM: proxies on every node need a
/// moment to learn of it, and until then they still send requests here.
const LEAVE_SECONDS: i64 = 5;

/// What SIGTERM may take beyond draining before the node kills the process.
const MARGIN_SECONDS: i64 = 10;

/// Name of the volume with the administrators' tokens.
const ADMIN_TOKENS_VOLUME: &str = "admin-tokens";

pub(crate) fn build(validated: &Validated, config: &ConfigMap, login: &RedisLogin) -> Deployment {
    let owner = &validated.owner;
    let annotations = BTreeMap::from([(names::CREDENTIALS.to_owned(), login.mark.clone())]);
    let pod = PodSpec {
        containers: vec![container(validated, config)],
        volumes: Some(
            [login.volume.clone(), admin_tokens(validated)]
                .into_iter()
                .chain(pod::trust(validated).map(|(volume, _)| volume))
                .collect(),
        ),
        termination_grace_period_seconds: Some(LEAVE_SECONDS + DRAIN_SECONDS + MARGIN_SECONDS),
        ..PodSpec::default()
    };
    Deployment {
        metadata: metadata(owner, owner.name.clone(), names::API),
        spec: Some(DeploymentSpec {
            // With autoscaling on this is where a new Deployment starts; afterwards the number is
            // the autoscaler's, see `reconcile/apply/replicas.rs`.
            replicas: Some(match validated.scaling {
                Scaling::Fixed { replicas } => replicas,
                Scaling::Automatic { min, .. } => min,
            }),
            selector: LabelSelector {
                match_labels: Some(names::selector(&owner.name, names::API)),
                ..LabelSelector::default()
            },
            // Never fewer ready pods than before, one more at a time.
            strategy: Some(DeploymentStrategy {
                type_: Some("RollingUpdate".to_owned()),
                rolling_update: Some(RollingUpdateDeployment {
                    max_surge: Some(IntOrString::Int(1)),
                    max_unavailable: Some(IntOrString::Int(0)),
                }),
            }),
            progress_deadline_seconds: Some(validated.rollout.deadline_seconds),
            revision_history_limit: Some(5),
            template: pod::template(validated, names::API, &validated.api.pod, annotations, pod),
            ..DeploymentSpec::default()
        }),
        ..Deployment::default()
    }
}

fn container(validated: &Validated, config: &ConfigMap) -> Container {
    Container {
        name: names::API.to_owned(),
        image: Some(validated.image.reference.clone()),
        image_pull_policy: Some(validated.image.pull_policy.to_owned()),
        ports: Some(vec![
            port("http", names::HTTP_PORT),
            port("metrics", names::METRICS_PORT),
        ]),
        env_from: Some(vec![settings_from(config)]),
        env: (!validated.api.env.is_empty()).then(|| validated.api.env.clone()),
        resources: Some(pod::api_resources(&validated.api.resources)),
        // Loading the catalogue may take a while on a busy node: 60 s before the node gives up.
        startup_probe: Some(Probe {
            period_seconds: Some(1),
            timeout_seconds: Some(1),
            failure_threshold: Some(60),
            ..get("/livez")
        }),
        // Never depends on Redis: restarting the API does not bring Redis back.
        liveness_probe: Some(Probe {
            period_seconds: Some(10),
            timeout_seconds: Some(3),
            failure_threshold: Some(3),
            ..get("/livez")
        }),
        readiness_probe: Some(Probe {
            period_seconds: Some(5),
            timeout_seconds: Some(3),
            failure_threshold: Some(2),
            ..get("/readyz")
        }),
        lifecycle: Some(Lifecycle {
            pre_stop: Some(LifecycleHandler {
                sleep: Some(SleepAction {
                    seconds: LEAVE_SECONDS,
                }),
                ..LifecycleHandler::default()
            }),
            ..Lifecycle::default()
        }),
        security_context: Some(pod::security_context()),
        volume_mounts: Some(
            [redis_login::mount(), admin_tokens_mount()]
                .into_iter()
                .chain(pod::trust(validated).map(|(_, mount)| mount))
                .collect(),
        ),
        ..Container::default()
    }
}

/// The environment that the service reads its settings from.
pub(crate) fn settings_from(config: &ConfigMap) -> EnvFromSource {
    EnvFromSource {
        config_map_ref: Some(ConfigMapEnvSource {
            name: config.name_any(),
            optional: None,
        }),
        ..EnvFromSource::default()
    }
}

/// The administrators' tokens, as a volume. The service reads the file again when it changes.
fn admin_tokens(validated: &Validated) -> Volume {
    pod::secret_volume(
        ADMIN_TOKENS_VOLUME,
        &validated.api.admin_tokens_secret,
        names::ADMIN_TOKENS_KEY,
    )
}

fn admin_tokens_mount() -> VolumeMount {
    VolumeMount {
        name: ADMIN_TOKENS_VOLUME.to_owned(),
        mount_path: names::ADMIN_TOKENS_FOLDER.to_owned(),
        read_only: Some(true),
        ..VolumeMount::default()
    }
}

fn port(name: &str, number: i32) -> ContainerPort {
    ContainerPort {
        name: Some(name.to_owned()),
        container_port: number,
        protocol: Some("TCP".to_owned()),
        ..ContainerPort::default()
    }
}

fn get(path: &str) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::String("http".to_owned()),
            ..HTTPGetAction::default()
        }),
        ..Probe::default()
    }
}
