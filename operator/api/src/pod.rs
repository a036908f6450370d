//! What a user may say about pods, the same for the API and for Redis.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Affinity, Toleration, TopologySpreadConstraint};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Quantity;

/// Labels, annotations and placement of pods.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "!has(self.labels) || self.labels.all(k, !k.startsWith('app.kubernetes.io/') && !k.startsWith('faciliauto.com/'))",
        "message": "pod.labels must not use the prefixes app.kubernetes.io/ and faciliauto.com/: the operator selects pods by them, choose another key",
    },
    {
        "rule": "!has(self.annotations) || self.annotations.all(k, !k.startsWith('app.kubernetes.io/') && !k.startsWith('faciliauto.com/'))",
        "message": "pod.annotations must not use the prefixes app.kubernetes.io/ and faciliauto.com/: they belong to the operator, choose another key",
    },
]))]
pub struct PodSettings {
    /// More labels for the pods.
    #[schemars(extend("maxProperties" = 32))]
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,

    /// More annotations for the pods.
    #[schemars(extend("maxProperties" = 32))]
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,

    /// Labels that a node must have.
    #[schemars(extend("maxProperties" = 32))]
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub node_selector: BTreeMap<String, String>,

    /// Taints that the pods tolerate.
    #[schemars(length(max = 32))]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tolerations: Vec<Toleration>,

    /// Affinity to nodes and to other pods, as in any pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub affinity: Option<Affinity>,

    /// Name of a PriorityClass.
    #[schemars(length(max = 253))]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub priority_class_name: String,

    /// How pods spread over the cluster; takes the place of the built-in spread over zones and
    /// nodes. A constraint without a labelSelector means this system's own pods.
    #[schemars(length(max = 8))]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub topology_spread_constraints: Vec<TopologySpreadConstraint>,
}

/// Amounts of CPU and memory.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ComputeQuantities {
    /// CPU, in cores: `500m`, `2`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Quantity>,

    /// Memory, in bytes: `256Mi`, `1Gi`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Quantity>,
}

impl ComputeQuantities {
    pub(crate) fn of(cpu: Option<&str>, memory: Option<&str>) -> Self {
        Self {
            cpu: cpu.map(Quantity::from),
            memory: memory.map(Quantity::from),
        }
    }
}
