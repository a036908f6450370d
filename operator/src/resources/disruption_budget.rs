//! What keeps node drains from taking too many API pods at once.

use k8s_openapi::{
    api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec},
    apimachinery::pkg::{apis::meta::v1::LabelSelector, util::intstr::IntOrString},
};

use crate::{names, reconcile::validate::Validated, resources::metadata};

pub(crate) fn build(validated: &Validated) -> Option<PodDisruptionBudget> {
    let max_unavailable = validated.disruption_budget?;
    let owner = &validated.owner;
    Some(PodDisruptionBudget {
        metadata: metadata(owner, owner.name.clone(), names::API),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(max_unavailable)),
            selector: Some(LabelSelector {
                match_labels: Some(names::selector(&owner.name, names::API)),
                ..LabelSelector::default()
            }),
            // Pods that serve nobody must not hold up a node drain.
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".to_owned()),
            ..PodDisruptionBudgetSpec::default()
        }),
        ..PodDisruptionBudget::default()
    })
}
