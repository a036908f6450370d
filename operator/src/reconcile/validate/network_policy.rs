//! Who may talk to whom, from the spec.

use faciliauto_api::NetworkPolicySettings;
use k8s_openapi::api::networking::v1::NetworkPolicyPeer;

/// Who may talk to the system's pods.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkAccess {
    /// Who may reach the API; nobody named means anyone.
    pub api_clients: Vec<NetworkPolicyPeer>,
    /// Who may read the metrics; nobody named means every pod of the cluster.
    pub metrics_readers: Vec<NetworkPolicyPeer>,
    /// Where the operator runs.
    pub operator_namespace: String,
}

pub(super) fn validate(settings: NetworkPolicySettings, operator_namespace: &str) -> Option<NetworkAccess> {
    let NetworkPolicySettings {
        enabled,
        ingress_from,
        metrics_from,
    } = settings;
    enabled.then(|| NetworkAccess {
        api_clients: ingress_from,
        metrics_readers: metrics_from,
        operator_namespace: operator_namespace.to_owned(),
    })
}
