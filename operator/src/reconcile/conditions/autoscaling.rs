//! What conditions say of the autoscaler.

use faciliauto_api::{FaciliAutoDeployment, FaciliAutoDeploymentStatus};
use k8s_openapi::{
    api::autoscaling::v2::{HorizontalPodAutoscaler, HorizontalPodAutoscalerCondition},
    jiff::{SignedDuration, Timestamp},
};
use kube::ResourceExt;

use super::{Draft, FALSE, TRUE, UNKNOWN, find};
use crate::reconcile::observe::Observed;

const KIND: &str = "AutoscalingActive";

/// How long an autoscaler may go without a measurement before anybody is told: what a new pod uses is known
/// after a minute at most, and metrics-server restarts, too.
const PATIENCE: SignedDuration = SignedDuration::from_secs(90);

/// When an autoscaler that cannot measure is to be told of; none when it measures, or when it has been.
pub fn patience_until(observed: &Observed, now: Timestamp) -> Option<Timestamp> {
    let active = condition(observed.autoscaler.as_ref(), "ScalingActive")?;
    if active.status == TRUE {
        return None;
    }
    let until = active
        .last_transition_time
        .as_ref()?
        .0
        .checked_add(PATIENCE)
        .ok()?;
    (until > now).then_some(until)
}

fn condition<'a>(
    autoscaler: Option<&'a HorizontalPodAutoscaler>,
    kind: &str,
) -> Option<&'a HorizontalPodAutoscalerCondition> {
    let conditions = autoscaler?.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|condition| condition.type_ == kind)
}

fn not_measured_yet() -> Draft {
    Draft::new(
        KIND,
        UNKNOWN,
        "NotMeasuredYet",
        "The autoscaler has not measured yet.",
    )
}

/// Whether the autoscaler does its work.
pub(super) fn active(
    resource: &FaciliAutoDeployment,
    observed: &Observed,
    previous: &FaciliAutoDeploymentStatus,
    now: Timestamp,
) -> Draft {
    if !resource.spec.autoscaling.enabled {
        return Draft::new(
            KIND,
            FALSE,
            "Disabled",
            "Autoscaling is off; spec.replicas sets the number of API pods.",
        );
    }
    let autoscaler = observed.autoscaler.as_ref();
    let is_at_maximum = condition(autoscaler, "ScalingLimited").is_some_and(|limited| {
        limited.status == TRUE && limited.reason.as_deref() == Some("TooManyReplicas")
    });
    // The autoscaler's own message names whichever metric won this time, and so never rests.
    match condition(autoscaler, "ScalingActive") {
        Some(active) if active.status == TRUE && is_at_maximum => {
            let message = format!(
                "HorizontalPodAutoscaler {} asks for more than {} pods: raise autoscaling.maxReplicas, or give each pod more with api.resources.requests.",
                resource.name_any(),
                resource.spec.autoscaling.max_replicas
            );
            Draft::new(KIND, TRUE, "AtMaximum", message)
        }
        Some(active) if active.status == TRUE => Draft::new(
            KIND,
            TRUE,
            "Active",
            "The autoscaler measures use and sets the number of API pods.",
        ),
        Some(_) if patience_until(observed, now).is_some() => match find(&previous.conditions, KIND) {
            Some(before) if before.status == TRUE => {
                Draft::new(KIND, TRUE, before.reason.clone(), before.message.clone())
            }
            _ => not_measured_yet(),
        },
        Some(active) => {
            let reason = active.reason.clone().unwrap_or_else(|| "Inactive".to_owned());
            let message = format!(
                "The autoscaler cannot measure use ({reason}): check that metrics-server runs, and see `kubectl describe hpa {}`.",
                resource.name_any()
            );
            Draft::new(KIND, FALSE, reason, message)
        }
        None => not_measured_yet(),
    }
}
