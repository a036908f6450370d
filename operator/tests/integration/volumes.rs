//! Volumes that shall be larger: how they grow, and what happens where the cluster does not let them.

use faciliauto_operator::resources::Kind;
use serde_json::{Value, json};

use crate::harness::{Harness, NAMESPACE, path, writes};

const REDIS: &str = "producao-redis";
const REDIS_CLAIM: &str = "data-producao-redis-0";
const BACKUP: &str = "producao-backup";

/// A resource at rest, and the claim that its StatefulSet's controller made.
async fn at_rest() -> Harness {
    let mut harness = Harness::new(json!({"redis": {"managed": {"storage": {"size": "1Gi"}}}}));
    harness.settle().await;
    harness.api.put(
        &path(Kind::PersistentVolumeClaim, REDIS_CLAIM),
        json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"name": REDIS_CLAIM, "namespace": NAMESPACE, "labels": {
                "app.kubernetes.io/managed-by": "faciliauto-operator",
                "app.kubernetes.io/instance": "producao", "app.kubernetes.io/component": "redis",
            }},
            "spec": {"storageClassName": "plain", "resources": {"requests": {"storage": "1Gi"}}},
        }),
    );
    harness.settle().await;
    harness.api.take_calls();
    harness
}

/// What the claims of Redis and of backups ask for, and the template that made Redis's.
fn sizes(harness: &Harness) -> [String; 3] {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let claim = |name| {
        let claim = harness.child(Kind::PersistentVolumeClaim, name).expect(name);
        text(&claim["spec"]["resources"]["requests"]["storage"])
    };
    let set = harness.child(Kind::StatefulSet, REDIS).expect("a StatefulSet");
    let template = &set["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"];
    [claim(REDIS_CLAIM), claim(BACKUP), text(template)]
}

fn enlarge(harness: &Harness, redis: &str, backup: &str) {
    harness.change_spec(|spec| {
        spec["redis"]["managed"]["storage"]["size"] = json!(redis);
        spec["backup"]["storage"]["size"] = json!(backup);
    });
}

/// Prevents: a volume that stays small although a larger one was declared, and a claim template that says
/// something else than the claim.
#[tokio::test]
async fn claims_grow_and_the_template_follows() {
    let mut harness = at_rest().await;
    enlarge(&harness, "3Gi", "4Gi");
    harness.settle().await;
    assert_eq!(sizes(&harness), ["3Gi", "4Gi", "3Gi"]);
    let calls = writes(&harness.api.take_calls());
    let of = |object: String| -> Vec<&str> {
        let calls = calls.iter().filter_map(|call| call.split_once(' '));
        calls
            .filter(|(_, path)| *path == object)
            .map(|(method, _)| method)
            .collect()
    };
    assert_eq!(of(path(Kind::PersistentVolumeClaim, REDIS_CLAIM)), ["PATCH"]);
    assert_eq!(of(path(Kind::PersistentVolumeClaim, BACKUP)), ["PATCH"]);
    assert_eq!(of(path(Kind::StatefulSet, REDIS)), ["DELETE", "PATCH"]);
    assert_eq!(harness.condition("Stalled"), Value::Null);
}

async fn nothing_is_asked_for_twice(harness: &mut Harness) {
    harness.api.take_calls();
    harness.look().await.expect("a look");
    assert_eq!(writes(&harness.api.take_calls()), [""; 0]);
}

/// Prevents: a refusal that nobody hears of, that holds up everything else, or that is asked for again at every look.
#[tokio::test]
async fn a_refusal_is_told_and_not_provoked_again() {
    let mut harness = at_rest().await;
    harness.api.with(|state| state.volumes_are_fixed = true);
    enlarge(&harness, "3Gi", "2Gi");
    harness.change_spec(|spec| {
        spec["autoscaling"] = json!({"enabled": false});
        spec["replicas"] = json!(3);
    });
    harness.settle().await;
    assert_eq!(sizes(&harness), ["1Gi", "2Gi", "1Gi"]);
    let stalled = harness.condition("Stalled");
    assert_eq!(stalled["reason"], "VolumeCannotGrow", "{stalled}");
    let message = stalled["message"].as_str().expect("a message");
    for part in [
        REDIS_CLAIM,
        "1Gi",
        "3Gi",
        "StorageClass plain",
        "must support resize",
    ] {
        assert!(message.contains(part), "{part} is not in {message}");
    }
    let api = harness.child(Kind::Deployment, "producao").expect("the API");
    assert_eq!(api["spec"]["replicas"], 3, "all else is applied");

    nothing_is_asked_for_twice(&mut harness).await;
    assert_eq!(harness.condition("Stalled")["reason"], "VolumeCannotGrow");

    // Of backups, which have no template.
    enlarge(&harness, "1Gi", "5Gi");
    harness.settle().await;
    let message = harness.condition("Stalled")["message"].to_string();
    assert!(message.contains(BACKUP) && message.contains("5Gi"), "{message}");
    nothing_is_asked_for_twice(&mut harness).await;

    harness.api.with(|state| state.volumes_are_fixed = false);
    enlarge(&harness, "2Gi", "6Gi");
    harness.settle().await;
    assert_eq!(sizes(&harness), ["2Gi", "6Gi", "2Gi"]);
    assert_eq!(harness.condition("Stalled"), Value::Null);
}
