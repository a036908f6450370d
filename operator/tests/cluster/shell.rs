//! A shell within the cluster, in a pod of Redis's own image.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::{
    ResourceExt,
    api::{LogParams, PostParams},
};
use serde_json::{Value, json};

use crate::harness::{NAME, Sandbox, eventually};

const ENDED: Duration = Duration::from_secs(60);

/// Where the volume of an errand is mounted.
pub(crate) const VOLUME: &str = "/volume";

/// What is to be done.
#[derive(Clone, Debug, Default)]
pub(crate) struct Errand<'a> {
    pub(crate) script: &'a str,
    /// A list of variables, as a container has them.
    pub(crate) environment: Value,
    /// A claim that is mounted at `VOLUME`, to be read.
    pub(crate) claim: Option<&'a str>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    pub(crate) succeeded: bool,
    /// What was printed.
    pub(crate) printed: String,
}

/// Runs a script under the labels of an import, which may talk to Redis.
pub(crate) async fn run(sandbox: &Sandbox, errand: Errand<'_>) -> Ended {
    let Errand {
        script,
        environment,
        claim,
    } = errand;
    let pods = sandbox.api::<Pod>();
    let redis = pods.get(&format!("{NAME}-redis-0")).await.expect("Redis's pod");
    let image = redis.spec.expect("a spec").containers[0].image.clone();
    let volumes: Vec<Value> = claim
        .map(|claim| json!({"name": "volume", "persistentVolumeClaim": {"claimName": claim, "readOnly": true}}))
        .into_iter()
        .collect();
    let mounts: Vec<Value> = claim
        .map(|_| json!({"name": "volume", "mountPath": VOLUME, "readOnly": true}))
        .into_iter()
        .collect();
    let pod = serde_json::from_value(json!({
        "metadata": {
            "generateName": "shell-",
            "labels": {
                "app.kubernetes.io/name": "faciliauto", "app.kubernetes.io/instance": NAME,
                "app.kubernetes.io/component": "seed",
            },
        },
        "spec": {
            "restartPolicy": "Never", "enableServiceLinks": false, "automountServiceAccountToken": false,
            "securityContext": {
                "runAsNonRoot": true, "runAsUser": 65532, "fsGroup": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "volumes": volumes,
            "containers": [{
                "name": "shell", "image": image, "command": ["sh", "-c", script],
                "env": environment, "volumeMounts": mounts,
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
    let phase = eventually("the pod with the shell has ended", ENDED, || async {
        let phase = pods.get(&name).await.ok()?.status?.phase?;
        ["Succeeded", "Failed"].contains(&phase.as_str()).then_some(phase)
    })
    .await;
    Ended {
        succeeded: phase == "Succeeded",
        printed: pods
            .logs(&name, &LogParams::default())
            .await
            .expect("what the shell printed"),
    }
}
