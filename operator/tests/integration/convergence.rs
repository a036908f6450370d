//! Reconciling reaches the same end whatever happens on the way, and then rests.

use faciliauto_operator::resources::Kind;
use serde_json::{Value, json};

use crate::{
    fake_api::Fault,
    harness::{Harness, resource_path, writes},
};

/// Everything in the cluster that does not depend on chance or on the number of writes.
pub(crate) fn end_state(harness: &Harness) -> Value {
    let mut objects = harness.api.with(|state| state.objects.clone());
    // They go by themselves.
    objects.retain(|path, _| !path.contains("/jobs/producao-acl-sync-"));
    for object in objects.values_mut() {
        scrub(object);
    }
    json!(objects)
}

/// Takes out what a server numbers, what is random, and what depends on that.
fn scrub(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for key in [
                "uid",
                "resourceVersion",
                "managedFields",
                "lastTransitionTime",
                "generation",
                "observedGeneration",
            ] {
                fields.remove(key);
            }
            // Under a name that is a hash of what is in it, and under a number that tells changes apart.
            fields.retain(|key, _| !key.starts_with("users-") && !is_numbered_password(key));
            for key in [
                "password",
                "state",
                "users.acl",
                "admin",
                "faciliauto.com/credentials",
                "faciliauto.com/applied",
                "faciliauto.com/pod-template",
                "faciliauto.com/template",
                "faciliauto.com/failed",
                "faciliauto.com/last-good",
            ] {
                if let Some(field) = fields.get_mut(key) {
                    *field = json!("something");
                }
            }
            fields.values_mut().for_each(scrub);
        }
        Value::Array(items) => items.iter_mut().for_each(scrub),
        Value::String(text) if is_numbered_password(text) => *text = "something".to_owned(),
        _ => {}
    }
}

fn is_numbered_password(text: &str) -> bool {
    let number = text.strip_prefix("password-");
    number.is_some_and(|number| number.parse::<u32>().is_ok())
}

/// Prevents: work at rest. Half the load on API servers in the wild is operators writing what is
/// there already.
#[tokio::test]
async fn unchanged_look_writes_nothing_and_lists_nothing() {
    let mut harness = Harness::new(json!({}));
    harness.settle().await;
    harness.api.take_calls();
    for restarts in [false, true] {
        if restarts {
            harness.restart();
        }
        for _ in 0..3 {
            harness.look().await.expect("nothing is wrong");
            let calls = harness.api.take_calls();
            assert_eq!(writes(&calls), Vec::<String>::new());
            let others: Vec<_> = calls
                .iter()
                .filter(|call| !call.path.contains("/secrets/"))
                .collect();
            assert!(others.len() <= 1, "one GET beside Secrets at most: {others:?}");
        }
    }
}

/// Prevents: children written again and again because the watches are slower than the looks, of which a
/// bring-up sees many within a second.
#[tokio::test]
async fn look_before_the_watches_caught_up_writes_no_child() {
    let mut harness = Harness::new(json!({}));
    harness.look().await.expect("nothing is wrong");
    harness.api.take_calls();
    for _ in 0..3 {
        harness.look_before_the_watch().await.expect("nothing is wrong");
        let written = writes(&harness.api.take_calls());
        let children: Vec<_> = written
            .iter()
            .filter(|write| !write.ends_with("/status"))
            .collect();
        assert_eq!(children, Vec::<&String>::new());
    }
}

/// Prevents: a bring-up that writes things twice, and a status that follows every pod.
#[tokio::test]
async fn bring_up_writes_each_child_once() {
    let mut harness = Harness::new(json!({}));
    harness.settle().await;
    let writes = writes(&harness.api.take_calls());
    let (status, children): (Vec<_>, Vec<_>) =
        writes.into_iter().partition(|write| write.ends_with("/status"));
    let mut once = children.clone();
    once.sort();
    once.dedup();
    // Two Secrets are made, each by a POST to where all of them are.
    assert_eq!(children.len(), once.len() + 1, "{children:#?}");
    assert_eq!(children.len(), 24, "{children:#?}");
    assert!((1..=4).contains(&status.len()), "{status:?}");
    assert_eq!(harness.told(), ["Created", "Ready", "StockImported"]);
    assert_eq!(harness.condition("Ready")["status"], "True");
    assert_eq!(harness.status()["stock"]["seeded"], true);
    assert_eq!(harness.status()["version"], "9.8.7");
    for absent in ["Reconciling", "Stalled", "NameConflict"] {
        assert_eq!(harness.condition(absent), Value::Null, "present only while true");
    }
}

/// Prevents: a system that stays half-built because the operator died, or lost an answer, at a bad
/// moment. Every single call of a bring-up is made to fail, before and after it has taken effect, and
/// the operator starts anew.
#[tokio::test]
async fn crash_after_any_call_converges_to_the_same_end() {
    // Dashboards are one more ConfigMap each, and most of the time of this test.
    let spec = || json!({"monitoring": {"dashboards": {"enabled": false}}});
    let mut calm = Harness::new(spec());
    calm.settle().await;
    let expected = end_state(&calm);
    for fault in [Fault::Before, Fault::After] {
        let mut struck = 0;
        loop {
            let mut harness = Harness::new(spec());
            harness.api.fail(struck, fault);
            crash_and_settle(&mut harness).await;
            if harness.api.fault_is_pending() {
                break;
            }
            assert_eq!(
                end_state(&harness),
                expected,
                "call {struck} failed {fault:?} its effect"
            );
            let made = harness.api.take_calls().into_iter();
            let secrets = made
                .filter(|call| call.method == "POST" && call.path.ends_with("/secrets"))
                .count();
            assert!(
                secrets <= 3,
                "a password and a token are made once each; a failed attempt is repeated once"
            );
            struck += 1;
        }
        assert!(struck > 30, "only {struck} calls were made to fail");
    }
}

/// As `crash_after_any_call…`, for a change of nearly everything in a running system.
#[tokio::test]
async fn crash_during_a_change_converges_to_the_same_end() {
    let change = |spec: &mut Value| {
        *spec = json!({
            "autoscaling": {"enabled": false}, "replicas": 3, "disruptionBudget": {"enabled": false},
            "api": {"logLevel": "debug"}, "image": {"tag": "2"},
            "redis": {"managed": {"resources": {"limits": {"memory": "512Mi"}}}},
            "monitoring": {"dashboards": {"enabled": false}},
        });
    };
    let mut running = Harness::new(json!({"monitoring": {"dashboards": {"enabled": false}}}));
    running.settle().await;
    let mut calm = running.copy();
    calm.change_spec(change);
    calm.settle().await;
    let expected = end_state(&calm);
    assert_eq!(calm.names(Kind::HorizontalPodAutoscaler), Vec::<String>::new());
    for fault in [Fault::Before, Fault::After] {
        let mut struck = 0;
        loop {
            let mut harness = running.copy();
            harness.change_spec(change);
            harness.api.fail(struck, fault);
            crash_and_settle(&mut harness).await;
            if harness.api.fault_is_pending() {
                break;
            }
            assert_eq!(
                end_state(&harness),
                expected,
                "call {struck} failed {fault:?} its effect"
            );
            struck += 1;
        }
        assert!(struck > 8, "only {struck} calls were made to fail");
    }
}

/// Looks until the fault strikes, dies there, and lets a new process go on to the end.
async fn crash_and_settle(harness: &mut Harness) {
    for _ in 0..6 {
        let _ = harness.look().await;
        if !harness.api.fault_is_pending() {
            break;
        }
        crate::harness::run_controllers(&harness.api);
    }
    harness.restart();
    harness.settle().await;
}

/// Prevents: somebody's edit or deletion that stays until the next change of the resource.
#[tokio::test]
async fn what_others_change_is_put_right() {
    let mut harness = Harness::new(json!({"autoscaling": {"enabled": false}}));
    harness.run_redis("pod", 0);
    harness.settle().await;
    let expected = end_state(&harness);
    let children: Vec<String> = harness.api.with(|state| {
        state
            .objects
            .keys()
            .filter(|path| **path != resource_path() && !path.contains("/jobs/") && !path.contains("/pods/"))
            .cloned()
            .collect()
    });
    assert_eq!(children.len(), 22, "{children:?}");
    for path in &children {
        harness.api.remove(path);
        harness.settle().await;
        assert_eq!(end_state(&harness), expected, "{path} was deleted");
    }
    let service = children
        .iter()
        .find(|path| path.ends_with("/services/producao"))
        .expect("the Service");
    let deployment = children
        .iter()
        .find(|path| path.contains("/deployments/"))
        .expect("the Deployment");
    for (path, pointer, value) in [
        (service, "/spec/ports/0/port", json!(81)),
        (
            service,
            "/spec/selector/app.kubernetes.io~1component",
            json!("redis"),
        ),
        (
            service,
            "/metadata/labels/app.kubernetes.io~1managed-by",
            json!("somebody"),
        ),
        (deployment, "/spec/replicas", json!(7)),
        (
            deployment,
            "/spec/template/spec/containers/0/image",
            json!("other:1"),
        ),
        (deployment, "/metadata/ownerReferences/0/name", json!("other")),
    ] {
        harness.api.edit(path, |object| {
            *object.pointer_mut(pointer).expect(pointer) = value
        });
        harness.settle().await;
        assert_eq!(end_state(&harness), expected, "{pointer} of {path} was edited");
    }
}
