//! Two operators, one leader: what happens when it goes.

use std::{collections::BTreeSet, time::Duration};

use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, ListParams},
};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::harness::{NAME, OPERATOR_NAMESPACE, OPERATORS, alone, eventually, leader, operator_metrics};

/// A planned change of leader: two seconds are ours, the rest is for the kubelet to hear of the deletion
/// and to send SIGTERM, and for the test to ask.
const HAND_OVER: Duration = Duration::from_secs(4);

/// A crash: the lease has to run out, and the other has to ask.
const FAIL_OVER: Duration = Duration::from_secs(20);

async fn operators(client: &Client) -> Vec<Pod> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), OPERATOR_NAMESPACE);
    let selector = ListParams::default().labels("app.kubernetes.io/name=faciliauto-operator");
    pods.list(&selector).await.expect("the operators").items
}

/// Deletes the pod that leads, and says which other leads then, and after how long.
async fn replace_leader(client: &Client, deletion: &DeleteParams) -> (String, Duration) {
    let before = eventually("somebody leads", FAIL_OVER, || leader(client)).await;
    let pods: Api<Pod> = Api::namespaced(client.clone(), OPERATOR_NAMESPACE);
    pods.delete(&before, deletion).await.expect("the deletion");
    let began = Instant::now();
    let after = eventually("another leads", FAIL_OVER, || async {
        leader(client).await.filter(|holder| *holder != before)
    })
    .await;
    (after, began.elapsed())
}

/// Prevents: an update of the operator, or a drain of its node, during which nobody looks after
/// anything; a standby that is not one; and two that lead.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn another_operator_takes_over_and_goes_on() {
    alone("leader", |sandbox| async move {
        let client = &sandbox.client;
        sandbox.apply(json!({"autoscaling": {"minReplicas": 1}})).await;
        sandbox.wait_until_ready().await;
        let all = operators(client).await;
        assert_eq!(i32::try_from(all.len()), Ok(OPERATORS));

        let mut leading = BTreeSet::new();
        for pod in &all {
            let metrics = operator_metrics(client, &pod.name_any()).await.expect("metrics");
            if metrics.lines().any(|line| line == "faciliauto_leader 1") {
                leading.insert(pod.name_any());
            }
            let counts = metrics
                .lines()
                .any(|line| line.starts_with("faciliauto_resources{"));
            assert_eq!(
                counts,
                leading.contains(&pod.name_any()),
                "resources are counted by the leader alone"
            );
        }
        assert_eq!(leading, BTreeSet::from_iter(leader(client).await));

        let (after, took) = replace_leader(client, &DeleteParams::default()).await;
        assert!(took <= HAND_OVER, "a planned change of leader took {took:?}");
        // Whoever looks at the Lease first: the one that stood by, or the one that takes the place of the deleted one,
        // which starts within that time.
        let now: Vec<String> = operators(client).await.iter().map(|pod| pod.name_any()).collect();
        assert!(now.contains(&after), "{after} leads, and there are {now:?}");
        goes_on(&sandbox, 4).await;

        // At once and without a chance to give the lease back, as when its node is lost.
        let crash = DeleteParams {
            grace_period_seconds: Some(0),
            ..DeleteParams::default()
        };
        let (_, took) = replace_leader(client, &crash).await;
        println!("a leader that was deleted at once was followed after {took:?}");
        goes_on(&sandbox, 5).await;
    })
    .await;
}

/// A change of the spec reaches the children, whoever leads.
async fn goes_on(sandbox: &crate::harness::Sandbox, most: i32) {
    sandbox
        .apply(json!({"autoscaling": {"minReplicas": 1, "maxReplicas": most}}))
        .await;
    let autoscalers = sandbox.api::<k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler>();
    eventually("the change is applied", Duration::from_secs(10), || async {
        let found = autoscalers.get(NAME).await.ok()?;
        (found.spec?.max_replicas == most).then_some(())
    })
    .await;
    // Long enough for a second leader, if there were one, to write beside the first.
    sleep(Duration::from_secs(1)).await;
}
