//! Conditions about what lies around the system: how it is reached, and how it is watched.

use faciliauto_api::{FaciliAutoDeployment, Monitoring, MonitoringMode};

use super::{Draft, FALSE, TRUE, UNKNOWN};
use crate::{
    capabilities::{Availability, Capabilities},
    reconcile::{
        exposure::{Standing, standing},
        observe::Observed,
    },
    resources::Kind,
};

/// Whether the API is reached from outside; absent when that is not declared.
pub(super) fn exposed(
    resource: &FaciliAutoDeployment,
    observed: &Observed,
    capabilities: &Capabilities,
) -> Option<Draft> {
    let Standing {
        status,
        reason,
        message,
    } = standing(&resource.spec.exposure, observed, capabilities)?;
    Some(Draft::new("Exposed", status, reason, message))
}

/// Whether Prometheus has what is declared for it; absent when nothing is.
pub(super) fn monitoring_ready(
    resource: &FaciliAutoDeployment,
    capabilities: &Capabilities,
) -> Option<Draft> {
    const KIND: &str = "MonitoringReady";
    let Monitoring {
        service_monitor,
        alerts,
        dashboards: _,
    } = &resource.spec.monitoring;
    let wanted: Vec<_> = [
        (Kind::ServiceMonitor, service_monitor.mode),
        (Kind::PrometheusRule, alerts.mode),
    ]
    .into_iter()
    .filter(|(_, mode)| *mode != MonitoringMode::Never)
    .map(|(kind, mode)| (kind, mode, capabilities.of(kind)))
    .collect();
    if wanted.is_empty() {
        return None;
    }
    let find = |wished: &dyn Fn(MonitoringMode, &Availability) -> bool| -> Vec<&'static str> {
        let found = wanted
            .iter()
            .filter(|(_, mode, availability)| wished(*mode, availability));
        found.map(|(kind, ..)| kind.word()).collect()
    };
    let missing =
        find(&|mode, availability| mode == MonitoringMode::Always && *availability == Availability::Absent);
    if !missing.is_empty() {
        let message = format!(
            "The cluster has no {}: install the Prometheus Operator, or set the mode to Auto or Never.",
            missing.join(" and no ")
        );
        return Some(Draft::new(KIND, FALSE, "MonitoringApiMissing", message));
    }
    if let Some((kind, reason)) = wanted
        .iter()
        .find_map(|(kind, _, availability)| match availability {
            Availability::Unknown { reason } => Some((kind, reason)),
            Availability::Present | Availability::Absent => None,
        })
    {
        let message = format!("The operator cannot read {}s; none is made.", kind.word());
        return Some(Draft::new(KIND, UNKNOWN, *reason, message));
    }
    let waiting = find(&|_, availability| *availability == Availability::Absent);
    if !waiting.is_empty() {
        let message = format!(
            "The cluster has no {}; it is made as soon as the Prometheus Operator is installed.",
            waiting.join(" and no ")
        );
        return Some(Draft::new(KIND, FALSE, "NotInstalled", message));
    }
    Some(Draft::new(
        KIND,
        TRUE,
        "Applied",
        "Prometheus has what is declared for it.",
    ))
}
