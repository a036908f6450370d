//! The kinds of object that the operator writes or watches.

use k8s_openapi::api::{
    apps::v1::{Deployment, ReplicaSet, StatefulSet},
    autoscaling::v2::HorizontalPodAutoscaler,
    batch::v1::{CronJob, Job},
    core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Secret, Service, ServiceAccount},
    networking::v1::{Ingress, NetworkPolicy},
    policy::v1::PodDisruptionBudget,
};
use kube::core::{ApiResource, GroupVersionKind};

/// A kind of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)] // the names are Kubernetes's own
pub enum Kind {
    ServiceAccount,
    Secret,
    ConfigMap,
    Service,
    StatefulSet,
    Job,
    CronJob,
    PodDisruptionBudget,
    Deployment,
    HorizontalPodAutoscaler,
    ReplicaSet,
    Pod,
    PersistentVolumeClaim,
    NetworkPolicy,
    Ingress,
    HttpRoute,
    ServiceMonitor,
    PrometheusRule,
}

impl Kind {
    /// Kinds with a watch and a store of their own. Secrets are absent on purpose: they are read by
    /// name, so that the operator needs no right to list every Secret of the cluster.
    pub const WATCHED: [Self; 14] = [
        Self::ServiceAccount,
        Self::ConfigMap,
        Self::Service,
        Self::StatefulSet,
        Self::Job,
        Self::CronJob,
        Self::PersistentVolumeClaim,
        Self::PodDisruptionBudget,
        Self::Deployment,
        Self::HorizontalPodAutoscaler,
        Self::ReplicaSet,
        Self::Pod,
        Self::NetworkPolicy,
        Self::Ingress,
    ];

    /// Kinds that a cluster may lack, and get or lose at any time: each has a watch of its own that
    /// stands still while the kind is away.
    pub const OPTIONAL: [Self; 3] = [Self::HttpRoute, Self::ServiceMonitor, Self::PrometheusRule];

    /// Kinds of which an object that is no longer wanted is deleted. Jobs end by themselves, pods and
    /// ReplicaSets belong to their own controllers, Secrets have fixed names, volumes stay.
    pub const PRUNED: [Self; 13] = [
        Self::HorizontalPodAutoscaler,
        Self::PodDisruptionBudget,
        Self::Ingress,
        Self::HttpRoute,
        Self::ServiceMonitor,
        Self::PrometheusRule,
        Self::CronJob,
        Self::NetworkPolicy,
        Self::Service,
        Self::Deployment,
        Self::StatefulSet,
        Self::ConfigMap,
        Self::ServiceAccount,
    ];

    /// How the API server addresses the kind.
    pub fn api_resource(self) -> ApiResource {
        match self {
            Self::ServiceAccount => ApiResource::erase::<ServiceAccount>(&()),
            Self::Secret => ApiResource::erase::<Secret>(&()),
            Self::ConfigMap => ApiResource::erase::<ConfigMap>(&()),
            Self::Service => ApiResource::erase::<Service>(&()),
            Self::StatefulSet => ApiResource::erase::<StatefulSet>(&()),
            Self::Job => ApiResource::erase::<Job>(&()),
            Self::CronJob => ApiResource::erase::<CronJob>(&()),
            Self::PodDisruptionBudget => ApiResource::erase::<PodDisruptionBudget>(&()),
            Self::Deployment => ApiResource::erase::<Deployment>(&()),
            Self::HorizontalPodAutoscaler => ApiResource::erase::<HorizontalPodAutoscaler>(&()),
            Self::ReplicaSet => ApiResource::erase::<ReplicaSet>(&()),
            Self::Pod => ApiResource::erase::<Pod>(&()),
            Self::PersistentVolumeClaim => ApiResource::erase::<PersistentVolumeClaim>(&()),
            Self::NetworkPolicy => ApiResource::erase::<NetworkPolicy>(&()),
            Self::Ingress => ApiResource::erase::<Ingress>(&()),
            Self::HttpRoute => third_party("gateway.networking.k8s.io", "HTTPRoute", "httproutes"),
            Self::ServiceMonitor => third_party("monitoring.coreos.com", "ServiceMonitor", "servicemonitors"),
            Self::PrometheusRule => third_party("monitoring.coreos.com", "PrometheusRule", "prometheusrules"),
        }
    }

    /// Whether a cluster may lack the kind.
    pub fn is_optional(self) -> bool {
        Self::OPTIONAL.contains(&self)
    }

    /// Name of the CustomResourceDefinition of a kind that a cluster may lack.
    pub fn definition(self) -> String {
        let resource = self.api_resource();
        format!("{}.{}", resource.plural, resource.group)
    }

    /// The kind's name.
    pub fn word(self) -> &'static str {
        match self {
            Self::ServiceAccount => "ServiceAccount",
            Self::Secret => "Secret",
            Self::ConfigMap => "ConfigMap",
            Self::Service => "Service",
            Self::StatefulSet => "StatefulSet",
            Self::Job => "Job",
            Self::CronJob => "CronJob",
            Self::PodDisruptionBudget => "PodDisruptionBudget",
            Self::Deployment => "Deployment",
            Self::HorizontalPodAutoscaler => "HorizontalPodAutoscaler",
            Self::ReplicaSet => "ReplicaSet",
            Self::Pod => "Pod",
            Self::PersistentVolumeClaim => "PersistentVolumeClaim",
            Self::NetworkPolicy => "NetworkPolicy",
            Self::Ingress => "Ingress",
            Self::HttpRoute => "HTTPRoute",
            Self::ServiceMonitor => "ServiceMonitor",
            Self::PrometheusRule => "PrometheusRule",
        }
    }
}

/// A kind that Kubernetes itself does not define, in its first stable version.
fn third_party(group: &str, kind: &str, plural: &str) -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, "v1", kind), plural)
}
