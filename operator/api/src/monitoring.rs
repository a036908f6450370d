//! How the system is measured and watched.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What Prometheus and Grafana are given.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Monitoring {
    /// What makes Prometheus read the API's metrics.
    pub service_monitor: ServiceMonitorSettings,

    /// Alerts about this system. They read series that carry the labels `namespace` and `service`,
    /// as a ServiceMonitor makes them.
    pub alerts: AlertSettings,

    /// Dashboards for Grafana.
    pub dashboards: DashboardSettings,
}

/// Whether an object of a kind that a cluster may lack is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum MonitoringMode {
    /// As soon as the cluster has the kind, and as long as it has it.
    #[default]
    Auto,
    /// Yes; a cluster that lacks the kind is a fault, which the condition MonitoringReady tells.
    Always,
    /// No.
    Never,
}

/// What makes Prometheus read the API's metrics.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "duration(self.interval) >= duration('5s') && duration(self.interval) <= duration('1m')",
        "message": "monitoring.serviceMonitor.interval must be from 5s to 1m: alerts look at five minutes and need several points in them",
        "fieldPath": ".interval",
    },
    {
        "rule": "!has(self.labels) || self.labels.all(k, !k.startsWith('app.kubernetes.io/') && !k.startsWith('faciliauto.com/'))",
        "message": "monitoring.serviceMonitor.labels must not use the prefixes app.kubernetes.io/ and faciliauto.com/: they belong to the operator, choose another key",
    },
]))]
pub struct ServiceMonitorSettings {
    /// Whether there is a ServiceMonitor.
    pub mode: MonitoringMode,

    /// Pause between two readings, from `5s` to `1m`.
    #[schemars(length(max = 8), regex(pattern = r"^[1-9][0-9]*(s|m)$"))]
    pub interval: String,

    /// More labels for the ServiceMonitor; many a Prometheus selects by one, such as `release`.
    #[schemars(extend("maxProperties" = 32))]
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

impl Default for ServiceMonitorSettings {
    fn default() -> Self {
        Self {
            mode: MonitoringMode::Auto,
            interval: "30s".to_owned(),
            labels: BTreeMap::new(),
        }
    }
}

/// Alerts about this system.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "!has(self.labels) || self.labels.all(k, !k.startsWith('app.kubernetes.io/') && !k.startsWith('faciliauto.com/'))",
        "message": "monitoring.alerts.labels must not use the prefixes app.kubernetes.io/ and faciliauto.com/: they belong to the operator, choose another key",
    },
]))]
pub struct AlertSettings {
    /// Whether there is a PrometheusRule.
    pub mode: MonitoringMode,

    /// More labels for the PrometheusRule; many a Prometheus selects by one, such as `release`.
    #[schemars(extend("maxProperties" = 32))]
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// Dashboards for Grafana.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "!has(self.labels) || self.labels.all(k, !k.startsWith('app.kubernetes.io/') && !k.startsWith('faciliauto.com/'))",
        "message": "monitoring.dashboards.labels must not use the prefixes app.kubernetes.io/ and faciliauto.com/: they belong to the operator, choose another key",
    },
]))]
pub struct DashboardSettings {
    /// Whether there are ConfigMaps with dashboards.
    pub enabled: bool,

    /// Labels by which Grafana's sidecar finds the ConfigMaps.
    #[schemars(extend("maxProperties" = 32))]
    pub labels: BTreeMap<String, String>,
}

impl Default for DashboardSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            labels: BTreeMap::from([("grafana_dashboard".to_owned(), "1".to_owned())]),
        }
    }
}
