//! What the operator does when there is nothing to do: nothing.

use std::{collections::BTreeMap, time::Duration};

use kube::Client;
use serde_json::json;
use tokio::time::sleep;

use crate::harness::{NAME, alone, condition, eventually, leader, operator_metrics};

/// Long enough for several reconciles, some of which the test asks for.
const WATCHED: Duration = Duration::from_secs(20);

/// Prevents: a reconcile that writes although nothing changed, which every other resource pays for.
///
/// Counted by the operator's own metric of API requests, while pods' resource use and our touches of
/// unrelated labels make it look again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn unchanged_resource_costs_no_write() {
    alone("steady", |sandbox| async move {
        sandbox.apply(json!({"autoscaling": {"minReplicas": 1}})).await;
        let ready = sandbox.wait_until_ready().await;
        eventually("the autoscaler measures", Duration::from_secs(120), || async {
            let found = sandbox.resources().get(NAME).await.ok()?;
            (condition(&found, "AutoscalingActive")?["status"] == "True").then_some(())
        })
        .await;
        // The HPA's first conditions and the last status patch come a moment after Ready.
        let settled = eventually("the status has settled", Duration::from_secs(90), || async {
            let before = writes(&sandbox.client).await;
            sleep(Duration::from_secs(8)).await;
            let after = writes(&sandbox.client).await;
            (before == after).then_some(after)
        })
        .await;
        let reconciles = metric(&sandbox.client, "faciliauto_reconciliations_total").await;

        for _ in 0..3 {
            sandbox.touch().await;
            sleep(WATCHED / 3).await;
        }

        assert_eq!(
            writes(&sandbox.client).await,
            settled,
            "requests that write, by verb and kind"
        );
        let looked = metric(&sandbox.client, "faciliauto_reconciliations_total").await;
        assert!(
            looked > reconciles,
            "the touches made it look: {reconciles} → {looked}"
        );
        let after = sandbox.resources().get(NAME).await.expect("the resource");
        assert_eq!(after.metadata.generation, ready.metadata.generation);
    })
    .await;
}

/// Lines of the operator's request counter whose verb writes, Leases apart.
async fn writes(client: &Client) -> BTreeMap<String, String> {
    leaders_metrics(client)
        .await
        .lines()
        .filter(|line| line.starts_with("faciliauto_api_requests_total{"))
        .filter(|line| {
            !["get", "list", "watch"]
                .iter()
                .any(|verb| line.contains(&format!("verb=\"{verb}\"")))
        })
        .filter(|line| !line.to_lowercase().contains("lease"))
        .filter_map(|line| line.rsplit_once(' '))
        .map(|(series, value)| (series.to_owned(), value.to_owned()))
        .collect()
}

/// The sum of a counter over its label sets.
async fn metric(client: &Client, name: &str) -> f64 {
    let text = leaders_metrics(client).await;
    let series = text.lines().filter(|line| line.starts_with(name));
    series
        .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
        .sum()
}

/// What the operator that leads exposes: the other one does nothing but watch.
async fn leaders_metrics(client: &Client) -> String {
    eventually("the leader's metrics", Duration::from_secs(30), || async {
        operator_metrics(client, &leader(client).await?).await.ok()
    })
    .await
}
