//! What is in Redis outlives Redis's pod.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::{
    ResourceExt,
    api::{DeleteParams, ListParams},
};
use serde_json::json;

use crate::harness::{Sandbox, eventually, with_operator};

const COMES_BACK: Duration = Duration::from_secs(90);

/// Prevents: a stock that is gone when the node's kubelet moves Redis, because the file was not
/// replayed, or because the next API pod started on an empty store.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn stock_outlives_redis_and_api_pods() {
    with_operator("redis", |sandbox| async move {
        sandbox.apply(json!({"autoscaling": {"minReplicas": 1}})).await;
        sandbox.wait_until_ready().await;
        let before = stock(&sandbox).await.expect("the API answers");
        assert!(before.0 >= 300, "an imported stock: {before:?}");

        // Both, one after the other: an API pod that kept running would answer from memory.
        replace_pods(&sandbox, "redis").await;
        replace_pods(&sandbox, "api").await;
        sandbox.wait_until_ready().await;

        let after = eventually("the API answers", COMES_BACK, || stock(&sandbox)).await;
        assert_eq!(after, before, "number of cars, and the catalogue's version");
    })
    .await;
}

/// Deletes the pods of a component and waits until as many others are ready.
async fn replace_pods(sandbox: &Sandbox, component: &str) {
    let pods = sandbox.api::<Pod>();
    let selector = ListParams::default().labels(&format!("app.kubernetes.io/component={component}"));
    let old = pods.list(&selector).await.expect("pods").items;
    assert!(!old.is_empty(), "{component}: no pod to delete");
    for pod in &old {
        pods.delete(&pod.name_any(), &DeleteParams::default())
            .await
            .expect("the deletion");
    }
    eventually(
        &format!("{component}: a new pod is ready"),
        COMES_BACK,
        || async {
            let now = pods.list(&selector).await.ok()?.items;
            let replaced = now
                .iter()
                .all(|pod| is_ready(pod) && old.iter().all(|gone| gone.uid() != pod.uid()));
            (now.len() == old.len() && replaced).then_some(())
        },
    )
    .await;
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.is_some_and(|all| all.iter().any(|one| one.type_ == "Ready" && one.status == "True"))
}

/// Number of cars that the API serves, and the version of the catalogue they come from.
async fn stock(sandbox: &Sandbox) -> Option<(u64, String)> {
    let health = sandbox.call_api("GET", "/health", None).await.ok()?;
    Some((
        health["cars"].as_u64()?,
        health["catalog_version"].as_str()?.to_owned(),
    ))
}
