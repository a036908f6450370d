//! What Prometheus and Grafana are given, from the spec.

use std::collections::BTreeMap;

use faciliauto_api::{
    AlertSettings, ApiResources, DashboardSettings, Monitoring, MonitoringMode, Quantity,
    ServiceMonitorSettings,
};

/// What Prometheus and Grafana are given. Each part is absent when it is not wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MonitoringSettings {
    /// What makes Prometheus read the API's metrics.
    pub service_monitor: Option<Scrape>,
    /// Alerts.
    pub alerts: Option<Alerts>,
    /// Labels of the dashboards' ConfigMaps.
    pub dashboards: Option<BTreeMap<String, String>>,
}

/// How Prometheus reads metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scrape {
    /// Pause between two readings.
    pub interval: String,
    /// Longest time that one may take.
    pub timeout: String,
    /// The user's labels.
    pub labels: BTreeMap<String, String>,
}

/// Alerts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alerts {
    /// Resident memory of one pod that is too much, in bytes.
    pub memory_bytes: i128,
    /// The user's labels.
    pub labels: BTreeMap<String, String>,
}

/// The service level that the original system named: no pod needs more.
const MOST_MEMORY_BYTES: i128 = 1_500_000_000;

/// What Prometheus waits for an answer when nothing is said.
const USUAL_TIMEOUT_SECONDS: u64 = 10;

pub(super) fn validate(
    monitoring: Monitoring,
    resources: &ApiResources,
    problems: &mut Vec<String>,
) -> MonitoringSettings {
    let Monitoring {
        service_monitor:
            ServiceMonitorSettings {
                mode: scrape_mode,
                interval,
                labels: scrape_labels,
            },
        alerts: AlertSettings {
            mode: alerts_mode,
            labels: alert_labels,
        },
        dashboards: DashboardSettings {
            enabled,
            labels: dashboard_labels,
        },
    } = monitoring;
    let Some(seconds) = seconds(&interval).filter(|seconds| (5..=60).contains(seconds)) else {
        problems.push(format!(
            "monitoring.serviceMonitor.interval {interval:?} must be from 5s to 1m"
        ));
        return MonitoringSettings {
            service_monitor: None,
            alerts: None,
            dashboards: None,
        };
    };
    // A reading that takes longer than the pause is refused by Prometheus, with all of its settings.
    let timeout = format!("{}s", seconds.min(USUAL_TIMEOUT_SECONDS));
    MonitoringSettings {
        service_monitor: (scrape_mode != MonitoringMode::Never).then_some(Scrape {
            interval,
            timeout,
            labels: scrape_labels,
        }),
        alerts: (alerts_mode != MonitoringMode::Never).then_some(Alerts {
            memory_bytes: most_memory(resources),
            labels: alert_labels,
        }),
        dashboards: enabled.then_some(dashboard_labels),
    }
}

/// 1.5 GB, or nine tenths of the limit where that is less.
fn most_memory(resources: &ApiResources) -> i128 {
    let limit = resources.limits.memory.as_ref().and_then(Quantity::units);
    limit.map_or(MOST_MEMORY_BYTES, |limit| MOST_MEMORY_BYTES.min(limit * 9 / 10))
}

fn seconds(interval: &str) -> Option<u64> {
    if let Some(seconds) = interval.strip_suffix('s') {
        return seconds.parse().ok();
    }
    interval.strip_suffix('m')?.parse::<u64>().ok()?.checked_mul(60)
}
