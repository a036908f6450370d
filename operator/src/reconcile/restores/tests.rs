use serde_json::{Value, json};

use super::*;

fn job(id: &str, status: Value) -> Job {
    serde_json::from_value(json!({
        "metadata": {
            "name": format!("job {id}"), "uid": "u", "creationTimestamp": "2026-02-01T09:00:00Z",
            "labels": {names::COMPONENT: names::RESTORE},
            "annotations": {names::RESTORE_ID: id, names::RESTORE_FROM: "latest"},
        },
        "status": status,
    }))
    .expect("a Job")
}

fn container(name: &str, state: Value) -> Value {
    json!({"name": name, "image": "i:1", "imageID": "", "ready": false, "restartCount": 0, "state": state})
}

fn pod(name: &str, initial: &[Value], own: &Value) -> k8s_openapi::api::core::v1::Pod {
    serde_json::from_value(json!({
        "metadata": {"name": name, "creationTimestamp": format!("2026-02-01T09:00:0{}Z", name.len()),
            "ownerReferences": [{"apiVersion": "batch/v1", "kind": "Job", "name": "job x", "uid": "u"}]},
        "status": {"initContainerStatuses": initial, "containerStatuses": [own]},
    }))
    .expect("a pod")
}

fn waiting() -> Value {
    json!({"waiting": {"reason": "PodInitializing"}})
}

fn running() -> Value {
    json!({"running": {}})
}

fn ended(code: i32, report: &Value) -> Value {
    json!({"terminated": {"exitCode": code, "message": report.to_string()}})
}

fn shown(job: Job, pods: Vec<k8s_openapi::api::core::v1::Pod>) -> RestoreStatus {
    let observed = Observed {
        jobs: vec![job],
        pods,
        ..Observed::default()
    };
    let resource: FaciliAutoDeployment = serde_json::from_value(json!({
        "apiVersion": "faciliauto.com/v1alpha1", "kind": "FaciliAutoDeployment",
        "metadata": {"name": "a"}, "spec": {"restore": {"id": "x"}},
    }))
    .expect("a resource");
    status(&resource, &observed, None, None).expect("a status")
}

/// Prevents: a restore of which nobody can say how far it is, or that is said to be further than it is.
#[test]
fn phases_are_read_from_the_newest_pod() {
    let done = || ended(0, &json!({"restore": "x", "phase": "Verifying", "from": "B1"}));
    for (initial, own, phase, part) in [
        (vec![], waiting(), RestorePhase::Pending, "is starting"),
        (
            vec![container("verify", running()), container("snapshot", waiting())],
            waiting(),
            RestorePhase::Verifying,
            "read and checked",
        ),
        (
            vec![container("verify", done()), container("snapshot", running())],
            waiting(),
            RestorePhase::Snapshotting,
            "backed up",
        ),
        (
            vec![container("verify", done()), container("snapshot", done())],
            running(),
            RestorePhase::Loading,
            "written beside",
        ),
        (
            vec![container(
                "verify",
                json!({"waiting": {"reason": "ErrImagePull"}}),
            )],
            waiting(),
            RestorePhase::Pending,
            "cannot get the image",
        ),
    ] {
        let found = shown(
            job("x", json!({})),
            vec![pod("p", &initial, &container("load", own))],
        );
        assert_eq!(found.phase, phase, "{found:?}");
        assert!(found.message.contains(part), "{found:?}");
    }
    let broken = ended(
        1,
        &json!({"error": "Redis does not answer", "code": "store-away"}),
    );
    let first = pod("p", &[container("verify", broken)], &container("load", waiting()));
    let second = pod(
        "pp",
        &[container("verify", running())],
        &container("load", waiting()),
    );
    let found = shown(job("x", json!({})), vec![second, first]);
    assert_eq!(found.phase, RestorePhase::Verifying);
    assert!(
        found
            .message
            .contains("attempt 2; the one before it: Redis does not answer."),
        "{found:?}"
    );
}

/// Prevents: an end that says nothing, and one that hides what was kept.
#[test]
fn end_of_a_restore_says_what_is_there_now() {
    let report = json!({"restore": "x", "phase": "Succeeded", "from": "B1", "safety": "S1", "cars": 7, "events": 9,
        "finished_at": "2026-02-01T09:01:00Z"});
    let pods = || {
        let own = container("load", ended(0, &report));
        vec![pod("p", &[], &own)]
    };
    let complete = json!({
        "startTime": "2026-02-01T09:00:01Z", "completionTime": "2026-02-01T09:01:02Z",
        "conditions": [{"type": "Complete", "status": "True"}],
    });
    let time = |text: &str| Some(Time(text.parse().expect("a time")));
    assert_eq!(
        shown(job("x", complete.clone()), pods()),
        RestoreStatus {
            id: "x".to_owned(),
            from: "B1".to_owned(),
            phase: RestorePhase::Succeeded,
            started_at: time("2026-02-01T09:00:01Z"),
            finished_at: time("2026-02-01T09:01:02Z"),
            message: "The backup B1 is what is there now: 7 cars and 9 events. What was there before is kept beside it for 24 h, and is the backup S1.".to_owned(),
        }
    );
    let mut into_nothing = report.clone();
    into_nothing["safety"] = Value::Null;
    let own = container("load", ended(0, &into_nothing));
    let found = shown(job("x", complete.clone()), vec![pod("p", &[], &own)]);
    assert_eq!(
        found.message,
        "The backup B1 is what is there now: 7 cars and 9 events. There was nothing before."
    );
    let found = shown(job("x", complete.clone()), Vec::new());
    assert_eq!(found.phase, RestorePhase::Succeeded, "its pod is gone");
    let reverted = container("backup", ended(0, &json!({"restore": "x", "phase": "Reverted"})));
    let found = shown(job("x", complete), vec![pod("p", &[], &reverted)]);
    assert_eq!(found.phase, RestorePhase::Reverted);

    let failed = json!({"conditions": [{"type": "Failed", "status": "True",
        "lastTransitionTime": "2026-02-01T09:02:00Z", "reason": "PodFailurePolicy"}]});
    let broken = ended(
        3,
        &json!({"error": "the backup B1 is damaged: take another", "code": "damaged"}),
    );
    let broken = pod("p", &[container("verify", broken)], &container("load", waiting()));
    let found = shown(job("x", failed.clone()), vec![broken]);
    assert_eq!(found.phase, RestorePhase::Failed);
    assert_eq!(found.finished_at, time("2026-02-01T09:02:00Z"));
    assert_eq!(
        found.message,
        "What is there was not replaced: the backup B1 is damaged: take another. Another attempt needs another \
         restore.id."
    );
    // Nobody but the program knows, and here it does not, or did not live to say.
    let unsure = ended(1, &json!({"error": "the store went away", "code": "unsure"}));
    let unsure = pod("p", &[], &container("load", unsure));
    for pods in [vec![unsure], vec![]] {
        let found = shown(job("x", failed.clone()), pods);
        assert_eq!(found.phase, RestorePhase::Failed);
        let begin = "It is not known whether what is there was replaced: ";
        assert!(found.message.starts_with(begin), "{found:?}");
    }
}
