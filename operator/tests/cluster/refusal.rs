//! What the API server refuses, in our words.

use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::harness::{NAME, with_operator};

/// Prevents: a mistake that the operator would have to report later, or worse, act on.
///
/// Each row: a spec with one mistake, and what the API server's message must contain. Messages of our
/// own rules say what to change; bounds and enumerations keep the server's own words.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn invalid_resources_are_refused_with_what_to_change() {
    with_operator("refuse", |sandbox| async move {
        let mut wrong = Vec::new();
        for (name, spec, expected) in invalid() {
            match sandbox.apply_named(name, spec.clone()).await {
                Ok(_) => wrong.push(format!("accepted: {name} {spec}")),
                Err(kube::Error::Api(status)) if status.code == 422 && status.message.contains(expected) => {}
                Err(error) => wrong.push(format!("{name} {spec}\n  expected: {expected}\n  got: {error}")),
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    })
    .await;
}

fn invalid() -> Vec<(&'static str, Value, &'static str)> {
    let external = json!({"mode": "External", "external": {"urlSecret": {"name": "redis-url"}}});
    let mut both = external.clone();
    both["mode"] = json!("Managed");
    let mut rows = vec![
        // Relations between fields.
        (
            NAME,
            json!({"autoscaling": {"minReplicas": 5, "maxReplicas": 4}}),
            "minReplicas",
        ),
        (
            NAME,
            json!({"api": {"resources": {"requests": {"memory": "256Mi", "cpu": null}}}}),
            "api.resources.requests.cpu",
        ),
        (
            NAME,
            json!({"api": {"resources": {"requests": {"memory": null, "cpu": "100m"}}}}),
            "api.resources.requests.memory",
        ),
        (
            NAME,
            json!({"redis": {"mode": "External"}}),
            "redis.external.urlSecret.name",
        ),
        (NAME, json!({"redis": both}), "redis.external"),
        (
            NAME,
            json!({"stock": {"seed": "ConfigMap"}}),
            "stock.seedConfigMap",
        ),
        (
            NAME,
            json!({"api": {"cache": {"maxBytes": "1Gi"}}}),
            "api.cache.maxBytes",
        ),
        (
            NAME,
            json!({"serviceAccount": {"name": "nosso", "annotations": {"a": "b"}}}),
            "serviceAccount.annotations",
        ),
        // Bounds.
        (
            NAME,
            json!({"api": {"rateLimits": {"recommend": {"requestsPerSecond": 2}}}}),
            "burst",
        ),
        (NAME, json!({"securityContext": {"runAsUser": 0}}), "runAsUser"),
        (
            NAME,
            json!({"securityContext": {"fsGroup": "platform"}}),
            "fsGroup",
        ),
        (NAME, json!({"commonLabels": {"a": "no label"}}), "commonLabels"),
        // Words that are ours.
        (
            NAME,
            json!({"api": {"env": [{"name": "FACILIAUTO_LISTEN", "value": "x"}]}}),
            "FACILIAUTO_",
        ),
        (
            NAME,
            json!({"api": {"pod": {"labels": {"app.kubernetes.io/name": "x"}}}}),
            "app.kubernetes.io/",
        ),
        (
            NAME,
            json!({"api": {"pod": {"annotations": {"faciliauto.com/applied": "x"}}}}),
            "faciliauto.com/",
        ),
        // Forms.
        (NAME, json!({"image": {"digest": "sha256:short"}}), "digest"),
        (
            NAME,
            json!({"image": {"repository": "Not A Repository"}}),
            "repository",
        ),
        (
            NAME,
            json!({"redis": {"managed": {"storage": {"size": "lots"}}}}),
            "storage.size",
        ),
        // Bounds and enumerations, in the server's words.
        (NAME, json!({"replicas": -1}), "spec.replicas"),
        (
            NAME,
            json!({"autoscaling": {"minReplicas": 0}}),
            "spec.autoscaling.minReplicas",
        ),
        (
            NAME,
            json!({"autoscaling": {"targetCPUUtilization": 0}}),
            "spec.autoscaling.targetCPUUtilization",
        ),
        (
            NAME,
            json!({"autoscaling": {"targetMemoryUtilization": 1001}}),
            "spec.autoscaling.targetMemoryUtilization",
        ),
        (
            NAME,
            json!({"api": {"logLevel": "loud"}}),
            "Unsupported value: \"loud\"",
        ),
        (
            NAME,
            json!({"image": {"pullPolicy": "Sometimes"}}),
            "Unsupported value: \"Sometimes\"",
        ),
        (
            NAME,
            json!({"redis": {"mode": "Cluster"}}),
            "Unsupported value: \"Cluster\"",
        ),
        (
            NAME,
            json!({"stock": {"seed": "Everything"}}),
            "Unsupported value: \"Everything\"",
        ),
        (
            NAME,
            json!({"disruptionBudget": {"maxUnavailable": 0}}),
            "spec.disruptionBudget.maxUnavailable",
        ),
    ];
    // Names become names of Services, which must be DNS labels, with our suffixes behind them.
    for name in [
        "1st",
        "a.b",
        "ends-",
        "a-name-of-more-than-forty-characters-is-too-much",
    ] {
        rows.push((name, json!({}), "name"));
    }
    rows
}

/// Prevents: a change that would lose data or strand a volume slipping through as an edit.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn changes_that_would_lose_data_are_refused() {
    with_operator("immutable", |sandbox| async move {
        let storage = |size: &str, class: Value| {
            json!({"redis": {"managed": {"storage": {"size": size, "storageClassName": class}}}})
        };
        sandbox.apply_named(NAME, storage("2Gi", json!("local-path"))).await.expect("accepted");
        let refusals = [
            (storage("1Gi", json!("local-path")), "never shrink"),
            (storage("2000Mi", json!("local-path")), "never shrink"),
            (storage("2Gi", json!("other")), "storageClassName"),
            (storage("2Gi", json!(null)), "storageClassName"),
            (json!({"redis": {"mode": "External", "external": {"urlSecret": {"name": "redis"}}}}), "mode"),
        ];
        let mut wrong = Vec::new();
        for (spec, expected) in refusals {
            match sandbox.apply_named(NAME, spec.clone()).await {
                Err(kube::Error::Api(status)) if status.code == 422 && status.message.contains(expected) => {}
                other => wrong.push(format!("{spec}\n  expected: {expected}\n  got: {:?}", other.map(|_| "accepted"))),
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        sandbox.apply_named(NAME, storage("2048Mi", json!("local-path"))).await.expect("the same size in other words");
    })
    .await;
}

/// Prevents: a choice that is left to the platform and is taken all the same, by a default that a real
/// server fills in or a client that takes a null for a removal.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn users_can_be_left_to_the_platform() {
    with_operator("platform", |sandbox| async move {
        let apply = async |spec: Value| {
            let made = sandbox.apply_named(NAME, spec).await.expect("accepted");
            made.data["spec"]["securityContext"].clone()
        };
        let both = |user: Value, group: Value| json!({"runAsUser": user, "fsGroup": group});
        let paused = |context: Value| json!({"paused": true, "securityContext": context});
        assert_eq!(
            apply(json!({"paused": true})).await,
            both(json!(65532), json!(65532))
        );
        assert_eq!(
            apply(paused(both(json!("Platform"), json!(null)))).await,
            both(json!("Platform"), json!(65532))
        );
        assert_eq!(
            apply(paused(both(json!(1001), json!("Platform")))).await,
            both(json!(1001), json!("Platform"))
        );
        let removal = json!({"spec": {"securityContext": {"fsGroup": null}}});
        let patched = sandbox
            .resources()
            .patch(NAME, &PatchParams::default(), &Patch::Merge(removal))
            .await
            .expect("accepted");
        assert_eq!(
            patched.data["spec"]["securityContext"],
            both(json!(1001), json!(65532))
        );
    })
    .await;
}
