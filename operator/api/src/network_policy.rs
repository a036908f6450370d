//! Who may talk to whom.

use k8s_openapi::api::networking::v1::NetworkPolicyPeer;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who may talk to the system's pods, and whom they may talk to, where the cluster's network keeps
/// NetworkPolicies.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "!has(self.ingressFrom) || self.ingressFrom.all(p, has(p.ipBlock) ? !has(p.podSelector) && !has(p.namespaceSelector) : has(p.podSelector) || has(p.namespaceSelector))",
        "message": "networkPolicy.ingressFrom: give each peer either an ipBlock, or a podSelector, a namespaceSelector or both",
        "fieldPath": ".ingressFrom",
    },
    {
        "rule": "!has(self.metricsFrom) || self.metricsFrom.all(p, has(p.ipBlock) ? !has(p.podSelector) && !has(p.namespaceSelector) : has(p.podSelector) || has(p.namespaceSelector))",
        "message": "networkPolicy.metricsFrom: give each peer either an ipBlock, or a podSelector, a namespaceSelector or both",
        "fieldPath": ".metricsFrom",
    },
]))]
pub struct NetworkPolicySettings {
    /// Whether NetworkPolicies allow what the system needs and nothing else.
    pub enabled: bool,

    /// Who may reach the API, beside the operator. Empty: anyone, as a public API needs.
    #[schemars(length(max = 16))]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ingress_from: Vec<NetworkPolicyPeer>,

    /// Who may read the metrics. Empty: every pod of the cluster, and nobody outside it.
    #[schemars(length(max = 16))]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub metrics_from: Vec<NetworkPolicyPeer>,
}

impl Default for NetworkPolicySettings {
    fn default() -> Self {
        Self {
            enabled: true,
            ingress_from: Vec::new(),
            metrics_from: Vec::new(),
        }
    }
}
