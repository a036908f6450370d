//! Ways in which a system can be unwell, each made in the cluster and never in a status: the condition
//! says which, names the object, is what `status` shows a person, and goes when the cause does, without a
//! restart of the operator.

use std::{fmt::Debug, future::Future, panic::AssertUnwindSafe, time::Duration};

use futures::FutureExt;
use k8s_openapi::api::{
    admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding},
    batch::v1::Job,
    core::v1::{PersistentVolumeClaim, Pod, ResourceQuota, Secret},
    storage::v1::StorageClass,
};
use kube::{
    Api, Resource,
    api::{DeleteParams, ListParams, PostParams},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    command_line::run,
    harness::{NAME, Sandbox, condition, eventually, with_operator},
};

/// The slowest to be seen are those that the cluster itself measures or retries at its own pace.
const SEEN: Duration = Duration::from_secs(150);

/// What a condition must say.
pub(crate) struct Says<'a> {
    pub(crate) condition: &'a str,
    pub(crate) status: &'a str,
    pub(crate) reason: &'a str,
    /// What the message must name.
    pub(crate) names: &'a [&'a str],
}

/// Waits until the resource and the tree of `status` say so, and prints what a person would see.
pub(crate) async fn says(sandbox: &Sandbox, expected: Says<'_>) {
    let Says {
        condition: kind,
        status,
        reason,
        names,
    } = expected;
    let what = format!("{kind}={status} with the reason {reason} and {names:?} in the message");
    let found = eventually(&what, SEEN, || async {
        let resource = sandbox.resources().get(NAME).await.ok()?;
        let found = condition(&resource, kind)?;
        let message = found["message"].as_str()?;
        let fits = found["status"] == status
            && found["reason"] == reason
            && names.iter().all(|name| message.contains(name));
        if !fits {
            return None;
        }
        let done = run(&["status", NAME, "-n", &sandbox.namespace], "");
        assert!(
            done.status.success(),
            "status ended with {}: {}",
            done.status,
            String::from_utf8_lossy(&done.stderr)
        );
        let tree = String::from_utf8_lossy(&done.stdout).into_owned();
        let line = tree.lines().find(|line| {
            line.contains(&format!(" {kind} "))
                && [&[reason], names].concat().iter().all(|word| line.contains(word))
        })?;
        let title = tree.lines().next()?;
        Some((
            resource,
            title.to_owned(),
            line.trim_start_matches(['├', '│', '─', ' ']).to_owned(),
        ))
    })
    .await;
    let (resource, title, line) = found;
    let ready = condition(&resource, "Ready").expect("Ready is always there");
    let word = |key: &str| ready[key].as_str().unwrap_or_default().to_owned();
    println!(
        "| {kind} | {} {} | {title} / {line} |",
        word("status"),
        word("reason")
    );
}

/// Waits until the resource is not Ready, for this reason.
pub(crate) async fn is_not_ready(sandbox: &Sandbox, reason: &str) {
    says(
        sandbox,
        Says {
            condition: "Ready",
            status: "False",
            reason,
            names: &[],
        },
    )
    .await;
}

/// An object from JSON, made on the cluster.
async fn make<K>(api: &Api<K>, object: Value) -> K
where
    K: Resource + Clone + Debug + Serialize + DeserializeOwned,
{
    let object: K = serde_json::from_value(object).expect("an object");
    api.create(&PostParams::default(), &object)
        .await
        .expect("it is made")
}

pub(crate) async fn remove<K>(api: &Api<K>, name: &str)
where
    K: Resource + Clone + Debug + DeserializeOwned,
{
    api.delete(name, &DeleteParams::default())
        .await
        .expect("it is removed");
}

/// Runs `test` and `mend`, however `test` ends: what is broken here belongs to the whole cluster.
pub(crate) async fn mended(test: impl Future<Output = ()>, mend: impl Future<Output = ()>) {
    let outcome = AssertUnwindSafe(test).catch_unwind().await;
    mend.await;
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}

pub(crate) fn small(mut spec: Value) -> Value {
    if spec["autoscaling"].is_null() {
        spec["autoscaling"] = json!({"minReplicas": 1});
    }
    spec
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn image_is_missing() {
    with_operator("image", |sandbox| async move {
        sandbox
            .apply(small(json!({"image": {"tag": "0.0.0-missing"}})))
            .await;
        says(
            &sandbox,
            Says {
                condition: "Available",
                status: "False",
                reason: "ImagePullBackOff",
                names: &["service:0.0.0-missing", "pod faciliauto-"],
            },
        )
        .await;
        is_not_ready(&sandbox, "ImagePullBackOff").await;
        sandbox.apply(small(json!({}))).await;
        sandbox.wait_until_ready().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn quota_is_exceeded() {
    with_operator("quota", |sandbox| async move {
        let quotas = sandbox.api::<ResourceQuota>();
        let quota = json!({"metadata": {"name": "tight"}, "spec": {"hard": {"pods": "0"}}});
        make(&quotas, quota).await;
        // A quota counts once its controller has seen it.
        eventually("the quota counts", SEEN, || async {
            quotas.get("tight").await.ok()?.status?.used.map(drop)
        })
        .await;
        sandbox.apply(small(json!({}))).await;
        for (condition, owner) in [
            ("Available", "Deployment faciliauto"),
            ("RedisReady", "StatefulSet faciliauto-redis"),
        ] {
            says(
                &sandbox,
                Says {
                    condition,
                    status: "False",
                    reason: "QuotaExceeded",
                    names: &["ResourceQuota tight", owner],
                },
            )
            .await;
        }
        is_not_ready(&sandbox, "RedisQuotaExceeded").await;
        remove(&quotas, "tight").await;
        sandbox.wait_until_ready().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn admission_policy_refuses_pods() {
    with_operator("policy", |sandbox| async move {
        let policies: Api<ValidatingAdmissionPolicy> = Api::all(sandbox.client.clone());
        let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(sandbox.client.clone());
        // A name of this test's own: policies belong to the whole cluster.
        let name = sandbox.namespace.clone();
        let test = async {
            let only_here = json!({"matchLabels": {"kubernetes.io/metadata.name": name}});
            let of_the_api = "has(object.metadata.labels) && object.metadata.labels[?'app.kubernetes.io/component'].orValue('') == 'api'";
            make(
                &policies,
                json!({"metadata": {"name": name}, "spec": {
                    "failurePolicy": "Fail",
                    "matchConstraints": {"namespaceSelector": only_here, "resourceRules": [{
                        "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"],
                    }]},
                    "validations": [{"expression": format!("!({of_the_api})"), "message": "no API here"}],
                }}),
            )
            .await;
            make(
                &bindings,
                json!({"metadata": {"name": name}, "spec": {"policyName": name, "validationActions": ["Deny"]}}),
            )
            .await;
            // A policy counts once the API server has read it.
            eventually("the policy counts", SEEN, || async {
                let pod = json!({
                    "metadata": {"name": "probe", "labels": {"app.kubernetes.io/component": "api"}},
                    "spec": {"containers": [{"name": "probe", "image": "none", "securityContext": {
                        "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]},
                        "runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"},
                    }}]},
                });
                let pod: Pod = serde_json::from_value(pod).expect("a pod");
                let dry_run = PostParams { dry_run: true, ..PostParams::default() };
                sandbox.api::<Pod>().create(&dry_run, &pod).await.err().map(drop)
            })
            .await;
            sandbox.apply(small(json!({}))).await;
            says(
                &sandbox,
                Says {
                    condition: "Available",
                    status: "False",
                    reason: "PodsRefused",
                    names: &[&name, "no API here", "Deployment faciliauto"],
                },
            )
            .await;
            is_not_ready(&sandbox, "PodsRefused").await;
        };
        mended(test, async {
            let _ = bindings.delete(&name, &DeleteParams::default()).await;
            let _ = policies.delete(&name, &DeleteParams::default()).await;
        })
        .await;
        sandbox.wait_until_ready().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn redis_keeps_crashing() {
    with_operator("crashing", |sandbox| async move {
        // An image that is on every node that runs the API, and is no Redis.
        let image = format!("ghcr.io/faciliauto/service:{}", env!("CARGO_PKG_VERSION"));
        let crashing = json!({"redis": {"mode": "Managed", "managed": {"image": image}}});
        sandbox.apply(small(crashing)).await;
        says(
            &sandbox,
            Says {
                condition: "RedisReady",
                status: "False",
                reason: "CrashLoopBackOff",
                names: &["pod faciliauto-redis-0", "kubectl logs"],
            },
        )
        .await;
        is_not_ready(&sandbox, "RedisCrashLoopBackOff").await;
        sandbox.apply(small(json!({}))).await;
        sandbox.wait_until_ready().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn redis_has_lost_its_stock() {
    with_operator("emptied", |sandbox| async move {
        sandbox.apply(small(json!({}))).await;
        sandbox.wait_until_ready().await;
        let jobs = sandbox.api::<Job>();
        let seed = jobs
            .list(&ListParams::default())
            .await
            .expect("Jobs")
            .items
            .remove(0);

        // The volume is lost, as with its node: the StatefulSet makes another, which is empty.
        let (claim, pod) = ("data-faciliauto-redis-0", "faciliauto-redis-0");
        remove(&sandbox.api::<PersistentVolumeClaim>(), claim).await;
        remove(&sandbox.api::<Pod>(), pod).await;
        says(
            &sandbox,
            Says {
                condition: "RedisReady",
                status: "False",
                reason: "StoreEmpty",
                names: &[pod, claim],
            },
        )
        .await;
        is_not_ready(&sandbox, "RedisStoreEmpty").await;

        let mut spec = serde_json::to_value(seed.spec.expect("a spec")).expect("JSON");
        spec["selector"].take();
        spec["template"]["metadata"]["labels"]
            .as_object_mut()
            .expect("labels")
            .retain(|key, _| !key.contains("controller-uid") && !key.contains("job-name"));
        make(&jobs, json!({"metadata": {"name": "import-again"}, "spec": spec})).await;
        sandbox.wait_until_ready().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn volume_is_not_bound() {
    with_operator("volume", |sandbox| async move {
        // A name of this test's own: classes belong to the whole cluster.
        let class = sandbox.namespace.clone();
        let classes: Api<StorageClass> = Api::all(sandbox.client.clone());
        let spec = small(json!({"redis": {"managed": {"storage": {"storageClassName": class}}}}));
        sandbox.apply(spec).await;
        says(
            &sandbox,
            Says {
                condition: "RedisReady",
                status: "False",
                reason: "VolumeUnbound",
                names: &["PersistentVolumeClaim data-faciliauto-redis-0"],
            },
        )
        .await;
        is_not_ready(&sandbox, "RedisVolumeUnbound").await;
        let known = classes.list(&ListParams::default()).await.expect("classes").items;
        let mut wanted = known.into_iter().next().expect("the cluster has a StorageClass");
        wanted.metadata = serde_json::from_value(json!({"name": class})).expect("metadata");
        classes
            .create(&PostParams::default(), &wanted)
            .await
            .expect("the class");
        mended(
            async { drop(sandbox.wait_until_ready().await) },
            remove(&classes, &class),
        )
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn autoscaler_is_at_its_maximum() {
    with_operator("maximum", |sandbox| async move {
        // Whatever a pod uses is more than one percent of next to nothing.
        let busy = json!({
            "autoscaling": {"minReplicas": 1, "maxReplicas": 1, "targetCPUUtilization": 1, "targetMemoryUtilization": 0},
            "api": {"resources": {"requests": {"cpu": "1m"}}},
        });
        sandbox.apply(busy).await;
        sandbox.wait_until_ready().await;
        says(
            &sandbox,
            Says {
                condition: "AutoscalingActive",
                status: "True",
                reason: "AtMaximum",
                names: &["HorizontalPodAutoscaler faciliauto", "maxReplicas"],
            },
        )
        .await;
        sandbox.apply(small(json!({}))).await;
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
async fn secret_is_missing() {
    with_operator("secret", |sandbox| async move {
        sandbox.apply(small(json!({"api": {"adminTokensSecret": "mine"}}))).await;
        says(
            &sandbox,
            Says {
                condition: "Reconciling",
                status: "True",
                reason: "WaitingForReference",
                names: &["Secret mine", "admin"],
            },
        )
        .await;
        let unwell = sandbox.resources().get(NAME).await.expect("the resource");
        assert_eq!(condition(&unwell, "Ready").expect("Ready")["status"], "False");
        let secret = json!({"metadata": {"name": "mine"}, "stringData": {"admin": "0123456789abcdef0123456789abcdef"}});
        make(&sandbox.api::<Secret>(), secret).await;
        sandbox.wait_until_ready().await;
    })
    .await;
}
