//! The operator dies at awkward moments, and the next start goes on.

use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use serde_json::json;
use tokio::time::sleep;

use crate::{
    harness::{NAME, alone, leader, scale_operator},
    operator_process::OperatorProcess,
};

/// Prevents: a half-built system that a new operator process does not recognise as its own.
///
/// The operator runs as a process of this machine, so that it can be killed without a chance to tidy
/// up: at growing delays, which fall into every part of a bring-up.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn operator_killed_during_bring_up_converges_after_restart() {
    alone("crash", |sandbox| async move {
        scale_operator(&sandbox.client, 0).await;
        assert_eq!(
            leader(&sandbox.client).await,
            None,
            "the installed operators gave the lease back"
        );
        sandbox.apply(json!({"autoscaling": {"minReplicas": 1}})).await;
        let mut password = None;
        for milliseconds in [250, 350, 500, 700, 1_000, 2_000] {
            let mut operator = OperatorProcess::start(&[]);
            sleep(Duration::from_millis(milliseconds)).await;
            operator.kill();
            let secret = sandbox
                .api::<Secret>()
                .get_opt(&format!("{NAME}-redis-credentials"))
                .await
                .expect("an answer");
            if let Some(secret) = secret {
                let seen = (secret.uid(), secret.data);
                assert_eq!(
                    *password.get_or_insert_with(|| seen.clone()),
                    seen,
                    "a restart made a new password"
                );
            }
        }
        let _operator = OperatorProcess::start(&[]);
        sandbox.wait_until_ready().await;
        assert!(sandbox.resources().get(NAME).await.is_ok());
    })
    .await;
}
