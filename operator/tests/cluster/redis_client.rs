//! Somebody who talks to a system's Redis from within the cluster.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::{ResourceExt, api::PostParams};
use serde_json::json;

use crate::harness::{NAME, Sandbox, eventually};

const ENDED: Duration = Duration::from_secs(60);

/// Runs a line of shell in a pod of Redis's own image, under the labels of an import, which may talk to Redis. In it
/// `$REDIS` is `redis-cli` as the user of the API with this password. Returns whether it succeeded.
pub(crate) async fn run(sandbox: &Sandbox, password: &str, script: &str) -> bool {
    let pods = sandbox.api::<Pod>();
    let redis = pods.get(&format!("{NAME}-redis-0")).await.expect("Redis's pod");
    let image = redis.spec.expect("a spec").containers[0].image.clone();
    let client = format!("redis-cli -e -h {NAME}-redis --user api --no-auth-warning");
    let pod = serde_json::from_value(json!({
        "metadata": {
            "generateName": "who-talks-to-redis-",
            "labels": {
                "app.kubernetes.io/name": "faciliauto", "app.kubernetes.io/instance": NAME,
                "app.kubernetes.io/component": "seed",
            },
        },
        "spec": {
            "restartPolicy": "Never", "enableServiceLinks": false, "automountServiceAccountToken": false,
            "securityContext": {"runAsNonRoot": true, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": "redis", "image": image, "command": ["sh", "-c", script],
                "env": [{"name": "REDISCLI_AUTH", "value": password}, {"name": "REDIS", "value": client}],
                "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
            }],
        },
    }))
    .expect("a pod");
    let name = pods
        .create(&PostParams::default(), &pod)
        .await
        .expect("a pod")
        .name_any();
    let phase = eventually("the pod that talks to Redis has ended", ENDED, || async {
        let phase = pods.get(&name).await.ok()?.status?.phase?;
        ["Succeeded", "Failed"].contains(&phase.as_str()).then_some(phase)
    })
    .await;
    phase == "Succeeded"
}
