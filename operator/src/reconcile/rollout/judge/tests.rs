use serde_json::{Value, json};

use super::*;
use crate::reconcile::trouble::refusal;

const DEADLINE: SignedDuration = SignedDuration::from_secs(300);

fn time(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a time")
}

fn text(second: i64) -> String {
    time(second).to_string()
}

/// A pod that was made at second 0; the seconds at which it found a node and became ready.
fn pod(name: &str, scheduled: Option<i64>, ready: Option<i64>, waiting: &str) -> Pod {
    let condition = |kind: &str, since: Option<i64>| {
        json!({"type": kind, "status": if since.is_some() { "True" } else { "False" },
            "reason": if kind == "PodScheduled" && since.is_none() { "Unschedulable" } else { "" },
            "message": "0/1 nodes", "lastTransitionTime": text(since.unwrap_or(0))})
    };
    let state = if waiting.is_empty() {
        json!({"running": {}})
    } else {
        json!({"waiting": {"reason": waiting}})
    };
    let restarts = i32::from(waiting == "CrashLoopBackOff");
    serde_json::from_value(json!({
        "metadata": {"name": name, "creationTimestamp": text(0)},
        "status": {
            "phase": "Running",
            "conditions": [condition("PodScheduled", scheduled), condition("Ready", ready)],
            "containerStatuses": [{"name": "api", "image": "api:2", "imageID": "", "ready": ready.is_some(),
                "restartCount": restarts, "state": state}],
        },
    }))
    .expect("a pod")
}

fn altered(pod: &Pod, change: impl FnOnce(&mut Value)) -> Pod {
    let mut value = serde_json::to_value(pod).expect("JSON");
    change(&mut value);
    serde_json::from_value(value).expect("a pod")
}

fn word(judgement: &Judgement) -> String {
    let seconds = |time: &Timestamp| time.as_second();
    match judgement {
        Judgement::Complete => "complete".to_owned(),
        Judgement::Progressing { due } => format!("progressing {:?}", due.as_ref().map(seconds)),
        Judgement::Waiting { due, .. } => format!("waiting {}", seconds(due)),
        Judgement::Failed(Fault { image, .. }) => format!("failed image={image}"),
    }
}

/// Prevents: a revision that is put back although it was doing well or only waits for room, and one that
/// never becomes ready and is never put back.
#[test]
fn pods_are_given_their_time() {
    let crash = "CrashLoopBackOff";
    let stuck = || pod("a", Some(10), None, "");
    let leaving = altered(&stuck(), |pod| {
        pod["metadata"]["deletionTimestamp"] = json!(text(5))
    });
    let evicted = altered(&stuck(), |pod| pod["status"]["phase"] = json!("Failed"));
    for (what, pods, now, expected) in [
        ("no pod yet", vec![], 9_999, "progressing None"),
        ("just placed", vec![stuck()], 20, "progressing Some(310)"),
        (
            "a moment before the end",
            vec![stuck()],
            309,
            "progressing Some(310)",
        ),
        ("never ready", vec![stuck()], 310, "failed image=false"),
        (
            "crashes",
            vec![pod("a", Some(10), None, crash)],
            310,
            "failed image=false",
        ),
        (
            "no image",
            vec![pod("a", Some(10), None, "ErrImagePull")],
            310,
            "failed image=true",
        ),
        (
            "another became ready late: the rest gets its time from there",
            vec![pod("a", Some(1), Some(200), ""), pod("b", Some(10), None, crash)],
            499,
            "progressing Some(500)",
        ),
        (
            "and not more",
            vec![pod("a", Some(1), Some(200), ""), pod("b", Some(10), None, crash)],
            500,
            "failed image=false",
        ),
        ("no room", vec![pod("a", None, None, "")], 9_999, "waiting 300"),
        (
            "no room for one, and another crashes",
            vec![pod("a", None, None, ""), pod("b", Some(10), None, crash)],
            310,
            "failed image=false",
        ),
        (
            "room was found late",
            vec![pod("a", Some(900), None, "")],
            1_000,
            "progressing Some(1200)",
        ),
        ("only one that leaves", vec![leaving], 9_999, "progressing None"),
        (
            "only one that was evicted",
            vec![evicted],
            9_999,
            "progressing None",
        ),
        (
            "all are ready",
            vec![pod("a", Some(1), Some(2), "")],
            9_999,
            "progressing None",
        ),
    ] {
        let pods: Vec<&Pod> = pods.iter().collect();
        assert_eq!(word(&judge(&pods, None, DEADLINE, time(now))), expected, "{what}");
    }
}

/// Prevents: a full quota taken for a broken revision, and a policy that refuses its pods for a wait.
#[test]
fn refused_pods_are_told_apart() {
    let refused = |message: &str| Refusal {
        trouble: refusal("Deployment producao", message),
        since: time(100),
    };
    let quota = refused("pods \"a\" is forbidden: exceeded quota: small, requested: pods=1");
    let policy = refused("admission webhook denied the request: no image from there");
    let ready = pod("a", Some(1), Some(200), "");
    for (refusal, pods, now, expected) in [
        (&quota, vec![], 9_999, "waiting 400"),
        (&policy, vec![], 399, "progressing Some(400)"),
        (&policy, vec![], 400, "failed image=false"),
        (&policy, vec![&ready], 400, "progressing Some(500)"),
    ] {
        let judged = judge(&pods, Some(refusal), DEADLINE, time(now));
        assert_eq!(word(&judged), expected, "{} at {now}", refusal.trouble.message);
    }
}
