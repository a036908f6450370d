//! Ways to be unwell that everybody on the cluster would notice.

use k8s_openapi::{api::core::v1::Node, kube_aggregator::pkg::apis::apiregistration::v1::APIService};
use kube::{
    Api, ResourceExt,
    api::{ListParams, Patch, PatchParams, PostParams},
};
use serde_json::json;

use crate::{
    harness::alone,
    unwell::{Says, is_not_ready, mended, remove, says, small},
};

/// Where every API pod is known by the metrics-server.
const METRICS_API: &str = "v1beta1.metrics.k8s.io";

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn metrics_server_is_away() {
    alone("metrics", |sandbox| async move {
        let services: Api<APIService> = Api::all(sandbox.client.clone());
        let mut service = services
            .get(METRICS_API)
            .await
            .expect("the cluster has a metrics-server");
        service.metadata = serde_json::from_value(json!({
            "name": METRICS_API, "labels": service.labels(),
        }))
        .expect("metadata");
        service.status = None;
        remove(&services, METRICS_API).await;
        let test = async {
            sandbox.apply(small(json!({}))).await;
            // The API serves, only its number of pods does not follow its load.
            sandbox.wait_until_ready().await;
            says(
                &sandbox,
                Says {
                    condition: "AutoscalingActive",
                    status: "False",
                    reason: "FailedGetContainerResourceMetric",
                    names: &["metrics-server", "hpa faciliauto"],
                },
            )
            .await;
        };
        mended(test, async {
            services
                .create(&PostParams::default(), &service)
                .await
                .expect("it is there again");
        })
        .await;
        says(
            &sandbox,
            Says {
                condition: "AutoscalingActive",
                status: "True",
                reason: "Active",
                names: &[],
            },
        )
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn nodes_are_cordoned() {
    alone("cordon", |sandbox| async move {
        let nodes: Api<Node> = Api::all(sandbox.client.clone());
        let set = async |unschedulable: bool| {
            for node in nodes.list(&ListParams::default()).await.expect("nodes") {
                let change = Patch::Merge(json!({"spec": {"unschedulable": unschedulable}}));
                let done = nodes
                    .patch(&node.name_any(), &PatchParams::default(), &change)
                    .await;
                done.expect("the node");
            }
        };
        set(true).await;
        let test = async {
            sandbox.apply(small(json!({}))).await;
            for (condition, pod) in [
                ("Available", "pod faciliauto-"),
                ("RedisReady", "pod faciliauto-redis-0"),
            ] {
                says(
                    &sandbox,
                    Says {
                        condition,
                        status: "False",
                        reason: "Unschedulable",
                        names: &[pod, "unschedulable"],
                    },
                )
                .await;
            }
            is_not_ready(&sandbox, "RedisUnschedulable").await;
        };
        mended(test, set(false)).await;
        sandbox.wait_until_ready().await;
    })
    .await;
}
