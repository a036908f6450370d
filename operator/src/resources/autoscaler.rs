//! What sets the number of API pods.

use k8s_openapi::api::autoscaling::v2::{
    ContainerResourceMetricSource, CrossVersionObjectReference, HorizontalPodAutoscaler,
    HorizontalPodAutoscalerSpec, MetricSpec, MetricTarget,
};

use crate::{
    names,
    reconcile::validate::{Scaling, Validated},
    resources::metadata,
};

pub(crate) fn build(validated: &Validated) -> Option<HorizontalPodAutoscaler> {
    let Scaling::Automatic {
        min,
        max,
        cpu,
        memory,
        behavior,
    } = &validated.scaling
    else {
        return None;
    };
    let owner = &validated.owner;
    let metrics = [("cpu", Some(*cpu)), ("memory", *memory)];
    Some(HorizontalPodAutoscaler {
        metadata: metadata(owner, owner.name.clone(), names::API),
        spec: Some(HorizontalPodAutoscalerSpec {
            scale_target_ref: CrossVersionObjectReference {
                api_version: Some("apps/v1".to_owned()),
                kind: "Deployment".to_owned(),
                name: owner.name.clone(),
            },
            min_replicas: Some(*min),
            max_replicas: *max,
            metrics: Some(
                metrics
                    .into_iter()
                    .filter_map(|(name, target)| Some(utilization(name, target?)))
                    .collect(),
            ),
            behavior: behavior.clone(),
        }),
        ..HorizontalPodAutoscaler::default()
    })
}

/// Use of a resource by the API container alone: a sidecar that a mesh injects neither counts nor
/// needs requests.
fn utilization(resource: &str, percent: i32) -> MetricSpec {
    MetricSpec {
        type_: "ContainerResource".to_owned(),
        container_resource: Some(ContainerResourceMetricSource {
            container: names::API.to_owned(),
            name: resource.to_owned(),
            target: MetricTarget {
                type_: "Utilization".to_owned(),
                average_utilization: Some(percent),
                ..MetricTarget::default()
            },
        }),
        ..MetricSpec::default()
    }
}
