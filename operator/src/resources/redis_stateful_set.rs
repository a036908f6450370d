//! Redis itself, with its volume.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::{
        apps::v1::{
            StatefulSet, StatefulSetPersistentVolumeClaimRetentionPolicy, StatefulSetSpec,
            StatefulSetUpdateStrategy,
        },
        core::v1::{
            ConfigMap, ConfigMapVolumeSource, Container, ContainerPort, ExecAction, PersistentVolumeClaim,
            PersistentVolumeClaimSpec, PodSpec, Probe, Secret, TCPSocketAction, Volume, VolumeMount,
            VolumeResourceRequirements,
        },
    },
    apimachinery::pkg::{
        api::resource::Quantity,
        apis::meta::v1::{LabelSelector, ObjectMeta},
        util::intstr::IntOrString,
    },
};
use kube::ResourceExt;

use crate::{
    names,
    reconcile::{
        passwords::Passwords,
        validate::{ManagedRedisSettings, Validated},
    },
    resources::{
        metadata, pod,
        redis_acl::admin_fingerprint,
        redis_config::{ACL_FOLDER, DATA_FOLDER, FILE, FOLDER},
    },
};

/// Redis finishes its append-only file on SIGTERM; a large one on a slow disk takes a while.
const GRACE_SECONDS: i64 = 60;

pub(crate) fn build(
    validated: &Validated,
    managed: &ManagedRedisSettings,
    config: &ConfigMap,
    acl: &Secret,
    passwords: &Passwords,
) -> StatefulSet {
    let owner = &validated.owner;
    // A change of a password is told to the running Redis; only who tells it must be known at its start.
    let annotations = BTreeMap::from([(names::CREDENTIALS.to_owned(), admin_fingerprint(passwords))]);
    let pod = PodSpec {
        containers: vec![container(managed)],
        volumes: Some(vec![
            Volume {
                name: "config".to_owned(),
                config_map: Some(ConfigMapVolumeSource {
                    name: config.name_any(),
                    ..ConfigMapVolumeSource::default()
                }),
                ..Volume::default()
            },
            pod::secret_volume("acl", &acl.name_any(), names::ACL_KEY),
        ]),
        termination_grace_period_seconds: Some(GRACE_SECONDS),
        ..PodSpec::default()
    };
    StatefulSet {
        metadata: metadata(owner, names::redis(&owner.name), names::REDIS),
        spec: Some(StatefulSetSpec {
            replicas: Some(1),
            service_name: Some(names::redis(&owner.name)),
            selector: LabelSelector {
                match_labels: Some(names::selector(&owner.name, names::REDIS)),
                ..LabelSelector::default()
            },
            // With OrderedReady the controller waits for a pod that never becomes ready before it
            // takes the next template: a mistyped image would stay after it was put right.
            pod_management_policy: Some("Parallel".to_owned()),
            update_strategy: Some(StatefulSetUpdateStrategy {
                type_: Some("RollingUpdate".to_owned()),
                ..StatefulSetUpdateStrategy::default()
            }),
            revision_history_limit: Some(5),
            persistent_volume_claim_retention_policy: Some(StatefulSetPersistentVolumeClaimRetentionPolicy {
                when_deleted: Some(
                    if validated.delete_volumes {
                        "Delete"
                    } else {
                        "Retain"
                    }
                    .to_owned(),
                ),
                when_scaled: Some("Retain".to_owned()),
            }),
            template: pod::template(validated, names::REDIS, &managed.pod, annotations, pod),
            volume_claim_templates: Some(vec![volume(&owner.name, managed)]),
            ..StatefulSetSpec::default()
        }),
        ..StatefulSet::default()
    }
}

fn container(managed: &ManagedRedisSettings) -> Container {
    let mount = |name: &str, path: &str, read_only: bool| VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        read_only: read_only.then_some(true),
        ..VolumeMount::default()
    };
    // Loading a large append-only file holds PING back but not the connection: TCP for start and
    // life, PING for readiness only.
    let connect = Probe {
        tcp_socket: Some(TCPSocketAction {
            port: IntOrString::String("redis".to_owned()),
            host: None,
        }),
        ..Probe::default()
    };
    Container {
        name: names::REDIS.to_owned(),
        image: Some(managed.image.clone()),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        // No command: the entry points of the official images take the file's path.
        args: Some(vec![format!("{FOLDER}/{FILE}")]),
        ports: Some(vec![ContainerPort {
            name: Some("redis".to_owned()),
            container_port: names::REDIS_PORT,
            protocol: Some("TCP".to_owned()),
            ..ContainerPort::default()
        }]),
        resources: Some(pod::redis_resources(&managed.resources)),
        startup_probe: Some(Probe {
            period_seconds: Some(1),
            timeout_seconds: Some(1),
            failure_threshold: Some(60),
            ..connect.clone()
        }),
        liveness_probe: Some(Probe {
            period_seconds: Some(10),
            timeout_seconds: Some(5),
            failure_threshold: Some(6),
            ..connect
        }),
        readiness_probe: Some(Probe {
            // Without `-e` a refused PING, as while loading, exits with 0. The user needs no
            // password, but the tool logs in only when it is given one.
            exec: Some(ExecAction {
                command: Some(
                    [
                        "redis-cli",
                        "-e",
                        "--user",
                        names::REDIS_HEALTH,
                        "--pass",
                        names::REDIS_HEALTH,
                        "--no-auth-warning",
                        "ping",
                    ]
                    .map(str::to_owned)
                    .into(),
                ),
            }),
            period_seconds: Some(5),
            timeout_seconds: Some(3),
            failure_threshold: Some(3),
            ..Probe::default()
        }),
        security_context: Some(pod::security_context()),
        volume_mounts: Some(vec![
            mount(names::REDIS_VOLUME, DATA_FOLDER, false),
            mount("config", FOLDER, true),
            mount("acl", ACL_FOLDER, true),
        ]),
        ..Container::default()
    }
}

/// The volume. It carries our labels and no owner reference: it outlives the resource unless
/// `deletionPolicy: Delete` says otherwise, which the StatefulSet's retention policy carries out.
fn volume(instance: &str, managed: &ManagedRedisSettings) -> PersistentVolumeClaim {
    PersistentVolumeClaim {
        metadata: ObjectMeta {
            name: Some(names::REDIS_VOLUME.to_owned()),
            labels: Some(names::labels(instance, names::REDIS)),
            ..ObjectMeta::default()
        },
        spec: Some(PersistentVolumeClaimSpec {
            access_modes: Some(vec!["ReadWriteOnce".to_owned()]),
            storage_class_name: managed.storage_class.clone(),
            resources: Some(VolumeResourceRequirements {
                requests: Some(BTreeMap::from([(
                    "storage".to_owned(),
                    Quantity(managed.storage.0.clone()),
                )])),
                limits: None,
            }),
            ..PersistentVolumeClaimSpec::default()
        }),
        ..PersistentVolumeClaim::default()
    }
}
