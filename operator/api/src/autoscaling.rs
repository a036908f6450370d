//! Scaling by measured use.

use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscalerBehavior;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Scaling of the API by measured use. While it is on, the number of pods belongs to the autoscaler.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "self.minReplicas <= self.maxReplicas",
        "message": "autoscaling.minReplicas must not exceed autoscaling.maxReplicas: lower the one or raise the other",
    },
]))]
pub struct Autoscaling {
    /// Whether a HorizontalPodAutoscaler sets the number of API pods.
    pub enabled: bool,

    /// Fewest API pods. The system is Ready only while at least this many are.
    #[schemars(range(min = 1, max = 1000))]
    pub min_replicas: i32,

    /// Most API pods.
    #[schemars(range(min = 1, max = 1000))]
    pub max_replicas: i32,

    /// CPU use to aim at, in percent of what the API container requests.
    #[serde(rename = "targetCPUUtilization")]
    #[schemars(range(min = 1, max = 1000))]
    pub target_cpu_utilization: i32,

    /// Memory use to aim at, in percent of what the API container requests; 0 leaves memory out.
    #[schemars(range(min = 0, max = 1000))]
    pub target_memory_utilization: i32,

    /// How fast to scale up and down, exactly as in a HorizontalPodAutoscaler (autoscaling/v2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub behavior: Option<HorizontalPodAutoscalerBehavior>,
}

impl Default for Autoscaling {
    fn default() -> Self {
        Self {
            enabled: true,
            min_replicas: 2,
            max_replicas: 10,
            target_cpu_utilization: 70,
            target_memory_utilization: 80,
            behavior: None,
        }
    }
}
