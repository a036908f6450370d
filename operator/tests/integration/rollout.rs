//! Rollouts that fail, against an API server in memory and pods that do as their image says.

use faciliauto_operator::{reconcile::apply::difference::differences, resources::Kind};
use serde_json::{Value, json};

use crate::{
    convergence::end_state,
    fake_api::Fault,
    harness::{Harness, NAME, path, resource_path, writes},
    workloads::{ABSENT, CRASHES, NO_ROOM, QUOTA, YOUNG, run, run_healed},
};

/// Dashboards are one more ConfigMap each, and most of the time of these tests.
fn spec(tag: &str) -> Value {
    json!({"image": {"tag": tag}, "monitoring": {"dashboards": {"enabled": false}}})
}

/// A system that serves with the image's tag `1`.
async fn serving() -> Harness {
    let mut harness = Harness::new(spec("1"));
    harness.settle_with(run).await;
    assert_eq!(harness.condition("Ready")["status"], "True");
    harness
}

async fn set(harness: &mut Harness, change: impl FnOnce(&mut Value)) {
    harness.change_spec(change);
    harness.settle_with(run).await;
}

async fn set_tag(harness: &mut Harness, tag: &str) {
    set(harness, |spec| spec["image"]["tag"] = json!(tag)).await;
}

fn image(harness: &Harness, kind: Kind, name: &str) -> String {
    let object = harness.child(kind, name).expect("the object");
    let image = &object["spec"]["template"]["spec"]["containers"][0]["image"];
    image.as_str().expect("an image").to_owned()
}

/// Tag of the image that the Deployment asks for.
fn tag(harness: &Harness) -> String {
    let image = image(harness, Kind::Deployment, NAME);
    image.rsplit_once(':').expect("a tag").1.to_owned()
}

fn annotation(harness: &Harness, key: &str) -> Value {
    harness.child(Kind::Deployment, NAME).expect("the Deployment")["metadata"]["annotations"][key].clone()
}

/// The condition's status and reason.
fn reason(harness: &Harness, kind: &str) -> String {
    let condition = harness.condition(kind);
    condition["reason"].as_str().unwrap_or_default().to_owned()
}

fn message(harness: &Harness, kind: &str) -> String {
    let condition = harness.condition(kind);
    condition["message"].as_str().unwrap_or_default().to_owned()
}

async fn asserts_rest(harness: &mut Harness) {
    harness.api.take_calls();
    for restarts in [false, true] {
        if restarts {
            harness.restart();
        }
        harness.look().await.expect("nothing is wrong");
        let calls = harness.api.take_calls();
        assert_eq!(writes(&calls), Vec::<String>::new());
        let others = calls
            .iter()
            .filter(|call| !call.path.contains("/secrets/"))
            .count();
        assert!(others <= 1, "one GET beside Secrets at most: {calls:?}");
    }
}

/// Prevents: a mistyped image that stays, an unrelated edit that tries it again, and a fix that waits.
#[tokio::test]
async fn image_that_fails_goes_back_until_it_is_fixed() {
    let mut harness = serving().await;
    let good = harness.status()["rollout"]["revision"].clone();
    assert_eq!(harness.status()["rollout"]["lastGood"], good);

    set_tag(&mut harness, ABSENT).await;
    assert_eq!(tag(&harness), "1");
    assert_eq!(reason(&harness, "Stalled"), "RolledBack");
    assert_eq!(harness.condition("Reconciling"), Value::Null);
    assert_eq!(harness.condition("Ready")["status"], "True", "the old ones serve");
    let rollout = harness.status()["rollout"].clone();
    assert_eq!((&rollout["revision"], &rollout["lastGood"]), (&good, &good));
    let failed = rollout["failed"].as_str().expect("a revision").to_owned();
    let text = message(&harness, "Stalled");
    for part in [
        &failed,
        good.as_str().expect("a name"),
        "cannot get the image",
        "tried again at",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(
        harness.status()["version"],
        "1",
        "what serves, not what was asked for"
    );
    assert_eq!(
        harness
            .told()
            .iter()
            .filter(|reason| *reason == "RolledBack")
            .count(),
        1
    );
    asserts_rest(&mut harness).await;

    let hash = annotation(&harness, "faciliauto.com/failed");
    set(&mut harness, |spec| {
        spec["disruptionBudget"] = json!({"maxUnavailable": 2})
    })
    .await;
    assert_eq!(tag(&harness), "1", "an edit of something else");
    assert_eq!(annotation(&harness, "faciliauto.com/failed"), hash);
    assert_eq!(reason(&harness, "Stalled"), "RolledBack");
    asserts_rest(&mut harness).await;

    set_tag(&mut harness, "2").await;
    assert_eq!(tag(&harness), "2");
    assert_eq!(harness.condition("Stalled"), Value::Null);
    assert_eq!(annotation(&harness, "faciliauto.com/failed"), Value::Null);
    assert_eq!(harness.status()["rollout"]["failed"], Value::Null);
    assert_eq!(harness.status()["version"], "2");
    asserts_rest(&mut harness).await;
}

/// Prevents: settings that are taken away from the pods which were put back, so that none of them could
/// start again.
#[tokio::test]
async fn settings_of_the_last_good_revision_stay() {
    let mut harness = serving().await;
    let configs = |harness: &Harness| -> Vec<String> {
        let names = harness.names(Kind::ConfigMap).into_iter();
        names
            .filter(|name| name.starts_with("producao-config-"))
            .collect()
    };
    let old = configs(&harness);
    assert_eq!(old.len(), 1);
    set(&mut harness, |spec| {
        spec["image"]["tag"] = json!(CRASHES);
        spec["api"] = json!({"logLevel": "debug"});
    })
    .await;
    assert_eq!(tag(&harness), "1");
    assert_eq!(configs(&harness).len(), 2);
    // Even while none of its pods is there.
    for pod in harness.names(Kind::Pod) {
        harness.api.remove(&path(Kind::Pod, &pod));
    }
    harness.look().await.expect("a look");
    assert!(configs(&harness).contains(&old[0]));
    set_tag(&mut harness, "2").await;
    set_tag(&mut harness, "3").await;
    assert_eq!(configs(&harness).len(), 1, "what nobody names goes");
    assert!(!configs(&harness).contains(&old[0]));
}

/// Prevents: pods taken away from a person who wants to look at them; a failure that nobody is told of.
#[tokio::test]
async fn by_hand_failed_pods_stay() {
    let mut harness = serving().await;
    set(&mut harness, |spec| {
        spec["rollout"] = json!({"onFailure": "Manual"});
        spec["image"]["tag"] = json!(CRASHES);
    })
    .await;
    assert_eq!(tag(&harness), CRASHES);
    assert_eq!(reason(&harness, "Stalled"), "RolloutFailed");
    assert!(message(&harness, "Stalled").contains("goes on serving"));
    assert_eq!(harness.condition("Ready")["status"], "True");
    asserts_rest(&mut harness).await;
    set(&mut harness, |spec| spec["rollout"] = json!({})).await;
    assert_eq!(
        (tag(&harness).as_str(), reason(&harness, "Stalled").as_str()),
        ("1", "RolledBack")
    );
}

/// Prevents: a first rollout that goes back to nothing, or fails in silence; one that is put right and
/// stays stalled.
#[tokio::test]
async fn first_rollout_that_fails_is_told() {
    let mut harness = Harness::new(spec(CRASHES));
    harness.settle_with(run).await;
    assert_eq!(tag(&harness), CRASHES);
    assert_eq!(reason(&harness, "Stalled"), "RolloutFailed");
    assert!(message(&harness, "Stalled").contains("no earlier revision"));
    asserts_rest(&mut harness).await;
    set_tag(&mut harness, "1").await;
    assert_eq!(tag(&harness), "1");
    assert_eq!(harness.condition("Stalled"), Value::Null);
    set_tag(&mut harness, CRASHES).await;
    assert_eq!(tag(&harness), "1", "now there is one");
}

/// Prevents: a revision blamed for a cluster that is full, and one that is given up before its time.
#[tokio::test]
async fn what_only_waits_does_not_go_back() {
    for (tags, part) in [(NO_ROOM, ""), (QUOTA, "quota"), (YOUNG, "")] {
        let mut harness = serving().await;
        set_tag(&mut harness, tags).await;
        assert_eq!(tag(&harness), tags);
        assert_eq!(harness.condition("Stalled"), Value::Null, "{tags}");
        assert_eq!(harness.condition("Reconciling")["status"], "True", "{tags}");
        assert_eq!(harness.condition("Ready")["status"], "True", "{tags}");
        let told = harness.status()["rollout"]["message"]
            .as_str()
            .unwrap_or_default()
            .to_lowercase();
        assert!(told.contains(part), "{tags}: {told}");
        asserts_rest(&mut harness).await;
    }
}

/// Prevents: a person who put things right elsewhere and cannot say so, and a retry that never ends.
#[tokio::test]
async fn annotation_has_it_tried_again() {
    let mut harness = serving().await;
    set_tag(&mut harness, CRASHES).await;
    let retry = |harness: &Harness, value: &str| {
        harness.api.edit(&resource_path(), |resource| {
            resource["metadata"]["annotations"]["faciliauto.com/retry"] = json!(value);
        });
    };
    retry(&harness, "1");
    harness.look().await.expect("a look");
    assert_eq!(tag(&harness), CRASHES, "tried at once");
    harness.settle_with(run).await;
    assert_eq!(tag(&harness), "1", "and given up again");
    assert_eq!(
        harness
            .told()
            .iter()
            .filter(|reason| *reason == "RolledBack")
            .count(),
        2
    );
    asserts_rest(&mut harness).await;
    retry(&harness, "2");
    harness.look().await.expect("a look");
    // The cause is gone: the same template works this time.
    harness.settle_with(run_healed).await;
    assert_eq!(tag(&harness), CRASHES);
    assert_eq!(
        annotation(&harness, "faciliauto.com/failed"),
        Value::Null,
        "forgotten once it works"
    );
    assert_eq!(harness.condition("Stalled"), Value::Null);
}

/// Prevents: a system left between two revisions because the operator died at a bad moment.
#[tokio::test]
async fn crash_before_any_call_of_a_rollback_converges_to_the_same_end() {
    crash_at_every_call(Fault::Before, &[CRASHES]).await;
}

/// As `crash_before_any_call…`, for answers that are lost.
#[tokio::test]
async fn crash_after_any_call_of_a_rollback_converges_to_the_same_end() {
    crash_at_every_call(Fault::After, &[CRASHES]).await;
}

/// As `crash_before_any_call…`, for the fix that follows as well.
#[tokio::test]
async fn crash_before_any_call_of_a_rollback_and_its_fix_converges_to_the_same_end() {
    crash_at_every_call(Fault::Before, &[CRASHES, "2"]).await;
}

/// As `crash_after_any_call…`, for the fix that follows as well.
#[tokio::test]
async fn crash_after_any_call_of_a_rollback_and_its_fix_converges_to_the_same_end() {
    crash_at_every_call(Fault::After, &[CRASHES, "2"]).await;
}

/// Changes the image to each of these tags in turn. Every single call of that is made to fail, before or after it has
/// taken effect, and the operator starts anew.
async fn crash_at_every_call(fault: Fault, tags: &[&str]) {
    let serving = serving().await;
    let expected = {
        let mut calm = serving.copy();
        for tag in tags {
            set_tag(&mut calm, tag).await;
        }
        scrubbed(&calm)
    };
    let mut struck = 0;
    loop {
        let mut harness = serving.copy();
        harness.api.fail(struck, fault);
        for tag in tags {
            harness.change_spec(|spec| spec["image"]["tag"] = json!(tag));
            for _ in 0..4 {
                let crashed = harness.api.fault_is_pending();
                let _ = harness.look().await;
                if crashed != harness.api.fault_is_pending() {
                    harness.restart();
                }
                run(&harness.api);
            }
            harness.settle_with(run).await;
        }
        if harness.api.fault_is_pending() {
            break;
        }
        let found = scrubbed(&harness);
        let other = differences(&json!(expected), &json!(found));
        assert!(
            other.is_empty() && found.len() == expected.len(),
            "call {struck} failed {fault:?} its effect: {tags:?}: {other:#?}"
        );
        struck += 1;
    }
    assert!(struck > 4, "only {struck} calls were made to fail");
}

/// The end state without the moment at which something was given up.
fn scrubbed(harness: &Harness) -> serde_json::Map<String, Value> {
    let mut state = end_state(harness);
    for object in state.as_object_mut().expect("objects").values_mut() {
        let failure = &mut object["metadata"]["annotations"]["faciliauto.com/failure"];
        if let Some(text) = failure.as_str() {
            let mut told: Value = serde_json::from_str(text).expect("JSON");
            told["at"] = Value::Null;
            *failure = told;
        }
        if object["kind"] == "StatefulSet" {
            object["status"] = Value::Null;
        }
        if object["kind"] == "Pod" || object["kind"] == "ReplicaSet" {
            // Named after a template that holds a hash of a random password.
            *object = Value::Null;
        }
    }
    let text = state.to_string();
    let revision = harness.status()["rollout"]["revision"]
        .as_str()
        .expect("a name")
        .to_owned();
    let failed = harness.status()["rollout"]["failed"]
        .as_str()
        .unwrap_or("none")
        .to_owned();
    let text = text.replace(&revision, "REVISION").replace(&failed, "FAILED");
    let objects: serde_json::Map<String, Value> = serde_json::from_str(&text).expect("JSON");
    objects
        .into_iter()
        .filter(|(_, object)| !object.is_null())
        .collect()
}

/// Prevents: a Redis that stays down with an image that does not start, and one pod that is in the way of
/// the image that does.
#[tokio::test]
async fn redis_image_that_fails_goes_back() {
    let mut harness = serving().await;
    let redis = format!("{NAME}-redis");
    let good = image(&harness, Kind::StatefulSet, &redis);
    let bad = format!("redis:{CRASHES}");
    harness.change_spec(|spec| spec["redis"] = json!({"managed": {"image": bad}}));
    harness.look().await.expect("a look");
    assert_eq!(image(&harness, Kind::StatefulSet, &redis), good, "a backup first");
    run(&harness.api);
    harness.look().await.expect("a look");
    assert_eq!(image(&harness, Kind::StatefulSet, &redis), bad);
    run(&harness.api);
    harness.look().await.expect("a look");
    assert_eq!(image(&harness, Kind::StatefulSet, &redis), good);
    assert_eq!(reason(&harness, "RedisReady"), "RedisImageIncompatible");
    assert_eq!(reason(&harness, "Ready"), "RedisImageIncompatible");
    harness.settle_with(run).await;
    assert_eq!(
        harness.condition("RedisReady")["status"],
        "True",
        "the old one is back"
    );
    assert_eq!(reason(&harness, "Stalled"), "RolledBack");
    assert!(message(&harness, "Stalled").contains(&bad));
    asserts_rest(&mut harness).await;
    let deleted = harness
        .child(Kind::Pod, &format!("{redis}-0"))
        .expect("Redis's pod");
    assert_eq!(deleted["spec"]["containers"][0]["image"], json!(good));

    set(&mut harness, |spec| {
        spec["redis"]["managed"]["resources"] = json!({"limits": {"memory": "512Mi"}})
    })
    .await;
    assert_eq!(
        image(&harness, Kind::StatefulSet, &redis),
        good,
        "an edit of something else"
    );
    set(&mut harness, |spec| {
        spec["redis"]["managed"]["image"] = json!("redis:9")
    })
    .await;
    assert_eq!(image(&harness, Kind::StatefulSet, &redis), "redis:9");
    assert_eq!(harness.condition("Stalled"), Value::Null);
    assert_eq!(harness.condition("Ready")["status"], "True");
}
