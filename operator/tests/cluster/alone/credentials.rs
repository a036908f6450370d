//! Generated passwords are made once.

use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::{ResourceExt, api::ListParams};
use serde_json::json;

use crate::harness::{NAME, OPERATORS, alone, scale_operator};

/// Prevents: a restart of the operator that makes a new password and so locks the API out of Redis.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn operator_restart_changes_no_password_and_no_pod() {
    alone("restart", |sandbox| async move {
        sandbox.apply(json!({"autoscaling": {"minReplicas": 1}})).await;
        sandbox.wait_until_ready().await;
        let secrets = sandbox.api::<Secret>();
        let credentials = format!("{NAME}-redis-credentials");
        let before = secrets.get(&credentials).await.expect("the credentials");
        assert!(
            before.data.as_ref().expect("data")["password"].0.len() >= 32,
            "a password from real randomness"
        );
        let pods_before = pod_uids(&sandbox.api()).await;

        scale_operator(&sandbox.client, 0).await;
        scale_operator(&sandbox.client, OPERATORS).await;
        // A change that needs a reconcile shows that the new process has looked at everything.
        sandbox
            .apply(json!({"autoscaling": {"minReplicas": 1, "maxReplicas": 3}}))
            .await;
        sandbox.wait_until_ready().await;

        let after = secrets.get(&credentials).await.expect("the credentials");
        assert_eq!((after.uid(), after.data), (before.uid(), before.data));
        assert_eq!(pod_uids(&sandbox.api()).await, pods_before, "no pod was replaced");
    })
    .await;
}

/// The UIDs of the API's and Redis's pods, sorted.
async fn pod_uids(pods: &kube::Api<Pod>) -> Vec<String> {
    let serving = ListParams::default().labels("app.kubernetes.io/component in (api, redis)");
    let mut uids: Vec<_> = pods
        .list(&serving)
        .await
        .expect("pods")
        .iter()
        .filter_map(ResourceExt::uid)
        .collect();
    uids.sort();
    uids
}
