//! A pause, on a real API server with real controllers beside the operator.

use std::time::Duration;

use k8s_openapi::api::{apps::v1::Deployment, policy::v1::PodDisruptionBudget};
use kube::api::DeleteParams;
use serde_json::{Value, json};

use crate::harness::{NAME, Sandbox, condition, eventually, with_operator};

/// The operator looks within moments; the rest is for a busy machine.
const SOON: Duration = Duration::from_secs(20);

async fn reason(sandbox: &Sandbox, kind: &str) -> Option<String> {
    let found = sandbox.resources().get(NAME).await.ok()?;
    let observed = found.data["status"]["observedGeneration"].as_i64() == found.metadata.generation;
    let condition = condition(&found, kind).filter(|_| observed)?;
    condition["reason"].as_str().map(str::to_owned)
}

fn spec(paused: bool) -> Value {
    json!({"autoscaling": {"minReplicas": 1}, "paused": paused})
}

/// Prevents: a pause that a real server, with its defaults and its other writers, does not hold; a resume
/// that leaves something undone; and a paused resource that cannot be deleted.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn pause_holds_until_it_ends() {
    with_operator("paused", |sandbox| async move {
        sandbox.apply(spec(false)).await;
        sandbox.wait_until_ready().await;
        sandbox.apply(spec(true)).await;
        eventually("it is paused", SOON, || async {
            (reason(&sandbox, "Paused").await? == "Paused").then_some(())
        })
        .await;
        let found = sandbox.resources().get(NAME).await.expect("the resource");
        assert_eq!(condition(&found, "Ready").expect("a condition")["status"], "True");
        let paused = condition(&found, "Paused").expect("a condition");
        assert_eq!(
            condition(&found, "Stalled"),
            None,
            "what is declared serves: {paused}"
        );

        let budgets = sandbox.api::<PodDisruptionBudget>();
        budgets
            .delete(NAME, &DeleteParams::default())
            .await
            .expect("the deletion");
        eventually("the deletion is noticed", SOON, || async {
            (reason(&sandbox, "Stalled").await? == "Paused").then_some(())
        })
        .await;
        assert_eq!(budgets.get_opt(NAME).await.expect("an answer"), None);

        sandbox.apply(spec(false)).await;
        eventually("the budget is made again", SOON, || async {
            budgets.get_opt(NAME).await.ok()?.map(drop)
        })
        .await;
        sandbox.wait_until_ready().await;
        assert_eq!(reason(&sandbox, "Paused").await, None);

        sandbox.apply(spec(true)).await;
        let resources = sandbox.resources();
        resources
            .delete(NAME, &DeleteParams::background())
            .await
            .expect("the deletion");
        let deployments = sandbox.api::<Deployment>();
        eventually("everything goes with it", Duration::from_secs(60), || async {
            deployments.get_opt(NAME).await.ok()?.is_none().then_some(())
        })
        .await;
    })
    .await;
}
