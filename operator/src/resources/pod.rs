//! What all pods of a system have in common: they pass the *restricted* pod security standard, carry
//! no token, and see no service links (a Service named `faciliauto` would put `FACILIAUTO_PORT` into
//! the environment, where the API looks for its own settings).

use std::collections::BTreeMap;

use faciliauto_api::{ApiResources, BackupResources, ComputeQuantities, PodSettings, RedisResources};
use k8s_openapi::{
    api::core::v1::{
        Capabilities, ConfigMapVolumeSource, KeyToPath, LocalObjectReference, PodSecurityContext, PodSpec,
        PodTemplateSpec, ResourceRequirements, SeccompProfile, SecretVolumeSource, SecurityContext,
        TopologySpreadConstraint, Volume, VolumeMount,
    },
    apimachinery::pkg::{
        api::resource::Quantity,
        apis::meta::v1::{LabelSelector, ObjectMeta},
    },
};

use crate::{names, reconcile::validate::Validated};

/// Files from Secrets: readable by the pod's group, by nobody else.
const SECRET_MODE: i32 = 0o440;

/// The template of a pod of `component`: `spec` carries what is the component's own, everything that
/// all pods share is added.
pub(crate) fn template(
    validated: &Validated,
    component: &str,
    settings: &PodSettings,
    annotations: BTreeMap<String, String>,
    spec: PodSpec,
) -> PodTemplateSpec {
    let (owner, identity) = (&validated.owner, &validated.identity);
    let PodSettings {
        labels,
        annotations: users_annotations,
        node_selector,
        tolerations,
        affinity,
        priority_class_name,
        topology_spread_constraints,
    } = settings.clone();
    let mut all_labels = labels;
    all_labels.extend(names::labels(&owner.name, component));
    let mut all_annotations = users_annotations;
    all_annotations.extend(annotations);
    PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(all_labels),
            annotations: (!all_annotations.is_empty()).then_some(all_annotations),
            ..ObjectMeta::default()
        }),
        spec: Some(PodSpec {
            service_account_name: Some(identity.service_account.clone()),
            automount_service_account_token: Some(false),
            enable_service_links: Some(false),
            security_context: Some(PodSecurityContext {
                run_as_non_root: Some(true),
                run_as_user: identity.user,
                run_as_group: identity.user,
                fs_group: identity.volume_group,
                // Without this the kubelet walks the whole volume at each start.
                fs_group_change_policy: Some("OnRootMismatch".to_owned()),
                seccomp_profile: Some(SeccompProfile {
                    type_: "RuntimeDefault".to_owned(),
                    ..SeccompProfile::default()
                }),
                ..PodSecurityContext::default()
            }),
            image_pull_secrets: pull_secrets(validated),
            node_selector: (!node_selector.is_empty()).then_some(node_selector),
            tolerations: (!tolerations.is_empty()).then_some(tolerations),
            affinity,
            priority_class_name: (!priority_class_name.is_empty()).then_some(priority_class_name),
            topology_spread_constraints: spread(&owner.name, component, topology_spread_constraints),
            ..spec
        }),
    }
}

/// The security context of every container.
pub(crate) fn security_context() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        read_only_root_filesystem: Some(true),
        run_as_non_root: Some(true),
        capabilities: Some(Capabilities {
            drop: Some(vec!["ALL".to_owned()]),
            add: None,
        }),
        ..SecurityContext::default()
    }
}

/// A volume with one key of a Secret, mounted as a folder so that an update reaches the pod.
pub(crate) fn secret_volume(name: &str, secret: &str, key: &str) -> Volume {
    secret_file(name, secret, key, key)
}

/// The same, with another name for the file.
pub(crate) fn secret_file(name: &str, secret: &str, key: &str, file: &str) -> Volume {
    Volume {
        name: name.to_owned(),
        secret: Some(SecretVolumeSource {
            secret_name: Some(secret.to_owned()),
            default_mode: Some(SECRET_MODE),
            items: Some(vec![KeyToPath {
                key: key.to_owned(),
                path: file.to_owned(),
                mode: None,
            }]),
            optional: None,
        }),
        ..Volume::default()
    }
}

/// Certificate authorities of the user's, as a volume and where it is mounted: a folder, so that an update
/// reaches the pod.
pub(crate) fn trust(validated: &Validated) -> Option<(Volume, VolumeMount)> {
    const NAME: &str = "trust";
    let config_map = validated.trust.as_ref()?;
    let volume = Volume {
        name: NAME.to_owned(),
        config_map: Some(ConfigMapVolumeSource {
            name: config_map.clone(),
            items: Some(vec![KeyToPath {
                key: names::TRUST_KEY.to_owned(),
                path: names::TRUST_KEY.to_owned(),
                mode: None,
            }]),
            ..ConfigMapVolumeSource::default()
        }),
        ..Volume::default()
    };
    let mount = VolumeMount {
        name: NAME.to_owned(),
        mount_path: names::TRUST_FOLDER.to_owned(),
        read_only: Some(true),
        ..VolumeMount::default()
    };
    Some((volume, mount))
}

/// The API container's resources in Kubernetes's own type.
pub(crate) fn api_resources(resources: &ApiResources) -> ResourceRequirements {
    requirements(&resources.requests, &resources.limits)
}

/// The Redis container's resources in Kubernetes's own type.
pub(crate) fn redis_resources(resources: &RedisResources) -> ResourceRequirements {
    requirements(&resources.requests, &resources.limits)
}

/// The resources of backups and of a restore in Kubernetes's own type.
pub(crate) fn backup_resources(resources: &BackupResources) -> ResourceRequirements {
    requirements(&resources.requests, &resources.limits)
}

fn requirements(requests: &ComputeQuantities, limits: &ComputeQuantities) -> ResourceRequirements {
    let list = |quantities: &ComputeQuantities| {
        let ComputeQuantities { cpu, memory } = quantities;
        let list: BTreeMap<_, _> = [("cpu", cpu), ("memory", memory)]
            .into_iter()
            .filter_map(|(name, quantity)| Some((name.to_owned(), Quantity(quantity.as_ref()?.0.clone()))))
            .collect();
        (!list.is_empty()).then_some(list)
    };
    ResourceRequirements {
        requests: list(requests),
        limits: list(limits),
        claims: None,
    }
}

fn pull_secrets(validated: &Validated) -> Option<Vec<LocalObjectReference>> {
    let secrets: Vec<_> = validated
        .image
        .pull_secrets
        .iter()
        .map(|name| LocalObjectReference { name: name.clone() })
        .collect();
    (!secrets.is_empty()).then_some(secrets)
}

/// Where pods may go: the user's constraints, or over zones and then nodes, as far as the cluster has
/// them. Only the API spreads by itself; the rest is one pod.
fn spread(
    instance: &str,
    component: &str,
    users: Vec<TopologySpreadConstraint>,
) -> Option<Vec<TopologySpreadConstraint>> {
    let own_pods = LabelSelector {
        match_labels: Some(names::selector(instance, component)),
        ..LabelSelector::default()
    };
    if !users.is_empty() {
        let constraints = users.into_iter().map(|mut constraint| {
            constraint.label_selector.get_or_insert_with(|| own_pods.clone());
            constraint
        });
        return Some(constraints.collect());
    }
    let over = |topology_key: &str| TopologySpreadConstraint {
        topology_key: topology_key.to_owned(),
        max_skew: 1,
        // A preference: a small or half-broken cluster still gets its pods.
        when_unsatisfiable: "ScheduleAnyway".to_owned(),
        label_selector: Some(own_pods.clone()),
        // Pods of the revision that goes away do not count, or a rollout piles up on one node.
        match_label_keys: Some(vec!["pod-template-hash".to_owned()]),
        ..TopologySpreadConstraint::default()
    };
    (component == names::API).then(|| {
        vec![
            over("topology.kubernetes.io/zone"),
            over("kubernetes.io/hostname"),
        ]
    })
}
