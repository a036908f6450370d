use k8s_openapi::api::{
    apps::v1::StatefulSet, autoscaling::v2::HorizontalPodAutoscaler, batch::v1::Job, core::v1::Pod,
};
use serde_json::{Value, json};

use super::*;
use crate::{reconcile::rollout::decide::Standing, resources::Kind};

fn resource(spec: Value) -> FaciliAutoDeployment {
    serde_json::from_value(json!({
        "apiVersion": "faciliauto.com/v1alpha1", "kind": "FaciliAutoDeployment",
        "metadata": {"name": "producao", "namespace": "lojas", "uid": "u-1", "generation": 4}, "spec": spec,
    }))
    .expect("a resource")
}

fn deployment(ready: i32, status: Value) -> Deployment {
    let mut base = json!({
        "metadata": {"name": "producao", "generation": 2},
        "spec": {"selector": {}, "template": {}},
        "status": {"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "readyReplicas": ready},
    });
    for (key, value) in status.as_object().expect("fields") {
        base["status"][key] = value.clone();
    }
    serde_json::from_value(base).expect("a Deployment")
}

fn redis(ready: i32) -> StatefulSet {
    serde_json::from_value(json!({
        "metadata": {"name": "producao-redis"},
        "spec": {"selector": {}, "serviceName": "producao-redis", "template": {}},
        "status": {"replicas": 1, "readyReplicas": ready, "currentRevision": "a", "updateRevision": "a"},
    }))
    .expect("a StatefulSet")
}

fn pod(component: &str, reason: &str) -> Pod {
    serde_json::from_value(json!({
        "metadata": {"name": format!("producao-{component}"), "labels": {names::COMPONENT: component}},
        "status": {"containerStatuses": [{"name": component, "image": "i:1", "imageID": "", "ready": false,
            "restartCount": 0, "state": {"waiting": {"reason": reason}}}]},
    }))
    .expect("a pod")
}

fn healthy() -> Observed {
    Observed {
        deployment: Some(deployment(2, json!({}))),
        stateful_set: Some(redis(1)),
        ..Observed::default()
    }
}

fn seconds(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a time")
}

fn of(observed: &Observed, look: &Look) -> Vec<Condition> {
    conditions(
        &resource(json!({})),
        observed,
        look,
        &FaciliAutoDeploymentStatus::default(),
        seconds(1_000),
    )
}

fn summary(conditions: &[Condition], kind: &str) -> Option<(String, String)> {
    find(conditions, kind).map(|condition| (condition.status.clone(), condition.reason.clone()))
}

/// A condition's expected status and reason.
fn is(status: &str, reason: &str) -> Option<(String, String)> {
    Some((status.to_owned(), reason.to_owned()))
}

/// Prevents: Ready that hides the part which is broken, or names one that works.
#[test]
fn ready_is_the_worst_of_its_parts() {
    let with = |change: &dyn Fn(&mut Observed)| {
        let mut observed = healthy();
        change(&mut observed);
        summary(&of(&observed, &Look::default()), "Ready")
    };
    assert_eq!(with(&|_| {}), is("True", "Ready"));
    assert_eq!(
        with(&|observed| observed.deployment = None),
        is("False", "DeploymentMissing")
    );
    assert_eq!(
        with(&|observed| observed.stateful_set = None),
        is("False", "RedisStatefulSetMissing")
    );
    assert_eq!(
        with(&|observed| observed.stateful_set = Some(redis(0))),
        is("False", "RedisWaitingForPod")
    );
    assert_eq!(
        with(&|observed| observed.deployment = Some(deployment(1, json!({})))),
        is("False", "WaitingForPods")
    );
    assert_eq!(
        with(&|observed| {
            observed.deployment = Some(deployment(0, json!({})));
            observed.pods = vec![pod("redis", "ContainerCreating"), pod("api", "ImagePullBackOff")];
        }),
        is("False", "ImagePullBackOff")
    );
    let quota = json!({"conditions": [{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "quota"}]});
    assert_eq!(
        with(&|observed| observed.deployment = Some(deployment(0, quota.clone()))),
        is("False", "PodsRefused")
    );
}

/// Prevents: a Redis that nobody probes holding a system back, and one without its Secret not doing so.
#[test]
fn external_redis_gates_only_without_its_secret() {
    let resource = resource(json!({"redis": {"mode": "External", "external": {"urlSecret": {"name": "r"}}}}));
    let observed = Observed {
        stateful_set: None,
        ..healthy()
    };
    let with = |look: &Look| {
        let drawn = conditions(
            &resource,
            &observed,
            look,
            &FaciliAutoDeploymentStatus::default(),
            seconds(1),
        );
        (summary(&drawn, "Ready"), summary(&drawn, "RedisReady"))
    };
    assert_eq!(
        with(&Look::default()),
        (is("True", "Ready"), is("Unknown", "NotProbed"))
    );
    let failure = Failure::MissingReference {
        of: Reference::RedisUrl,
        message: "no Secret".to_owned(),
    };
    let look = Look {
        failure: Some(failure),
        ..Look::default()
    };
    assert_eq!(
        with(&look),
        (
            is("False", "RedisUrlSecretMissing"),
            is("False", "UrlSecretMissing")
        )
    );
}

/// Prevents: tools that wait for a resource being told two things at once, or that a rollout is done.
#[test]
fn reconciling_and_stalled_are_present_only_when_true_and_never_both() {
    let rollout = |api: Standing| Look {
        rollout: Some(Report {
            api,
            ..Report::default()
        }),
        ..Look::default()
    };
    let failure = |failure: Failure| Look {
        failure: Some(failure),
        ..Look::default()
    };
    let message = || "why".to_owned();
    let conflict = |leftover: bool| Look {
        conflicts: vec![NameConflict {
            kind: Kind::Service,
            name: "producao".to_owned(),
            leftover,
        }],
        ..Look::default()
    };
    let deployed = |status: Value| Observed {
        deployment: Some(deployment(2, status)),
        ..healthy()
    };
    for (observed, look, expected) in [
        (healthy(), Look::default(), None),
        (
            Observed::default(),
            Look::default(),
            Some(("Reconciling", "Progressing")),
        ),
        (
            deployed(json!({"updatedReplicas": 1})),
            Look::default(),
            Some(("Reconciling", "RollingOut")),
        ),
        (
            deployed(json!({"observedGeneration": 1})),
            Look::default(),
            Some(("Reconciling", "RollingOut")),
        ),
        (
            healthy(),
            rollout(Standing::Failed(message())),
            Some(("Stalled", "RolloutFailed")),
        ),
        (
            healthy(),
            rollout(Standing::RolledBack(message())),
            Some(("Stalled", "RolledBack")),
        ),
        (healthy(), rollout(Standing::Waiting(message())), None),
        (healthy(), rollout(Standing::Held), None),
        (
            healthy(),
            failure(Failure::Invalid { message: message() }),
            Some(("Stalled", "Invalid")),
        ),
        (
            healthy(),
            failure(Failure::Refused { message: message() }),
            Some(("Stalled", "Rejected")),
        ),
        (
            healthy(),
            failure(Failure::Failed { message: message() }),
            Some(("Reconciling", "Retrying")),
        ),
        (
            healthy(),
            failure(Failure::MissingReference {
                of: Reference::RedisUrl,
                message: message(),
            }),
            Some(("Reconciling", "WaitingForReference")),
        ),
        (healthy(), conflict(false), Some(("Stalled", "NameConflict"))),
        (
            healthy(),
            conflict(true),
            Some(("Reconciling", "WaitingForDeletion")),
        ),
        (
            healthy(),
            Look {
                volume_refused: Some(message()),
                ..Look::default()
            },
            Some(("Stalled", "VolumeCannotGrow")),
        ),
    ] {
        let drawn = of(&observed, &look);
        let found: Vec<_> = drawn
            .iter()
            .filter(|condition| ["Reconciling", "Stalled"].contains(&condition.type_.as_str()))
            .collect();
        let words: Vec<_> = found
            .iter()
            .map(|condition| (condition.type_.as_str(), condition.reason.as_str()))
            .collect();
        assert_eq!(words, expected.into_iter().collect::<Vec<_>>(), "{look:?}");
        assert!(
            found
                .iter()
                .all(|condition| condition.status == "True" && !condition.message.is_empty())
        );
    }
}

/// Prevents: a time that moves with every message, or stays at the beginning of time.
#[test]
fn time_moves_only_with_the_status() {
    let draw = |observed: &Observed, previous: &[Condition], second: i64| {
        let previous = FaciliAutoDeploymentStatus {
            conditions: previous.to_vec(),
            ..FaciliAutoDeploymentStatus::default()
        };
        conditions(
            &resource(json!({})),
            observed,
            &Look::default(),
            &previous,
            seconds(second),
        )
    };
    let time = |conditions: &[Condition]| {
        find(conditions, "Ready")
            .expect("Ready")
            .last_transition_time
            .0
            .as_second()
    };
    let one_pod = Observed {
        deployment: Some(deployment(1, json!({}))),
        ..healthy()
    };
    let first = draw(&Observed::default(), &[], 100);
    assert_eq!(time(&first), 100);
    let second = draw(&one_pod, &first, 200);
    assert_ne!(
        find(&first, "Ready").map(|ready| &ready.reason),
        find(&second, "Ready").map(|ready| &ready.reason)
    );
    assert_eq!(time(&second), 100, "another reason, the same status");
    assert_eq!(time(&draw(&healthy(), &second, 300)), 300);

    let mut default = first.clone();
    default
        .iter_mut()
        .for_each(|condition| condition.last_transition_time = Time(Timestamp::UNIX_EPOCH));
    assert_eq!(
        time(&draw(&Observed::default(), &default, 400)),
        400,
        "the default was no transition"
    );
    assert!(
        first
            .iter()
            .all(|condition| condition.observed_generation == Some(4))
    );
}

/// Prevents: an autoscaler that measures nothing reading as one that works, and a status that is
/// written each time another metric wins.
#[test]
fn autoscaler_is_reported_in_words_that_rest() {
    let autoscaler = |status: &str, message: &str| -> HorizontalPodAutoscaler {
        serde_json::from_value(json!({
            "metadata": {"name": "producao"},
            "status": {"conditions": [{"type": "ScalingActive", "status": status, "reason": "R", "message": message}]},
        }))
        .expect("an autoscaler")
    };
    let with = |autoscaler: Option<HorizontalPodAutoscaler>| {
        let drawn = of(
            &Observed {
                autoscaler,
                ..healthy()
            },
            &Look::default(),
        );
        find(&drawn, "AutoscalingActive")
            .cloned()
            .expect("AutoscalingActive")
    };
    assert_eq!(
        with(Some(autoscaler("True", "cpu"))),
        with(Some(autoscaler("True", "memory")))
    );
    assert_eq!(with(Some(autoscaler("True", ""))).status, "True");
    assert_eq!(with(Some(autoscaler("False", ""))).status, "False");
    assert_eq!(with(None).status, "Unknown");
    let off = conditions(
        &resource(json!({"autoscaling": {"enabled": false}})),
        &healthy(),
        &Look::default(),
        &FaciliAutoDeploymentStatus::default(),
        seconds(1),
    );
    assert_eq!(summary(&off, "AutoscalingActive"), is("False", "Disabled"));
}

fn import(condition: &str) -> Job {
    let conditions = if condition.is_empty() {
        json!([])
    } else {
        json!([{"type": condition, "status": "True", "message": "BackoffLimitExceeded"}])
    };
    serde_json::from_value(
        json!({"metadata": {"name": "producao-seed-1", "labels": {names::COMPONENT: names::SEED}},
            "status": {"conditions": conditions}}),
    )
    .expect("a Job")
}

fn import_pod(message: &str) -> Pod {
    serde_json::from_value(json!({
        "metadata": {"name": "producao-seed-1-x", "labels": {names::COMPONENT: names::SEED}},
        "status": {"containerStatuses": [{"name": "seed", "image": "", "imageID": "", "ready": false, "restartCount": 0,
            "state": {"terminated": {"exitCode": 0, "message": message}}}]},
    }))
    .expect("a pod")
}

/// Prevents: an import that failed reading as one that is under way, and a report that nobody sees.
#[test]
fn import_is_followed_to_its_end() {
    let with = |jobs: Vec<Job>, pods: Vec<Pod>, seed_missing: Option<String>| {
        let observed = Observed {
            jobs,
            pods,
            ..healthy()
        };
        let drawn = of(
            &observed,
            &Look {
                seed_missing,
                ..Look::default()
            },
        );
        find(&drawn, "StockSeeded").cloned().expect("StockSeeded")
    };
    let waiting = with(vec![], vec![], None);
    assert_eq!(
        (waiting.status.as_str(), waiting.reason.as_str()),
        ("False", "WaitingForRedis")
    );
    assert_eq!(
        with(vec![], vec![], Some("no file".to_owned())).reason,
        "SeedConfigMapMissing"
    );
    assert_eq!(with(vec![import("")], vec![], None).reason, "Importing");
    assert_eq!(
        with(vec![import("")], vec![pod(names::SEED, "ErrImagePull")], None).reason,
        "ImagePullBackOff"
    );
    let failed = with(
        vec![import("Failed")],
        vec![import_pod("{\"error\": \"row 7: preco is negative\"}")],
        None,
    );
    assert_eq!(failed.reason, "ImportFailed");
    assert!(
        failed.message.contains("row 7: preco is negative"),
        "{}",
        failed.message
    );
    assert!(
        with(vec![import("Failed")], vec![], None)
            .message
            .contains("BackoffLimitExceeded")
    );
    let done = with(
        vec![import("Complete")],
        vec![import_pod(
            "{\"created\": true, \"cars\": 312, \"dealerships\": 9, \"generation\": \"g\"}\n",
        )],
        None,
    );
    assert_eq!(
        (done.status.as_str(), done.message.as_str()),
        ("True", "312 cars of 9 dealerships were imported.")
    );
    let kept = with(
        vec![import("Complete")],
        vec![import_pod(
            "{\"created\": false, \"imported\": false, \"cars\": 9, \"dealerships\": 1}",
        )],
        None,
    );
    assert!(kept.message.contains("was kept"), "{}", kept.message);
    let beside = with(
        vec![import("Complete")],
        vec![import_pod(
            "{\"created\": false, \"imported\": true, \"cars\": 312, \"dealerships\": 9}",
        )],
        None,
    );
    assert_eq!(
        beside.message,
        "Redis held a stock already; with what was imported it is 312 cars of 9 dealerships."
    );

    let none = conditions(
        &resource(json!({"stock": {"seed": "None"}})),
        &healthy(),
        &Look::default(),
        &FaciliAutoDeploymentStatus::default(),
        seconds(1),
    );
    assert_eq!(find(&none, "StockSeeded"), None);
}

/// Prevents: a Redis that runs well and serves nobody counting as ready; and an alarm about a stock that
/// was never imported.
#[test]
fn redis_counts_as_the_api_finds_it() {
    let with = |trouble: StoreTrouble, seeded: bool| {
        let mut resource = resource(json!({}));
        resource.status = Some(FaciliAutoDeploymentStatus {
            stock: Some(faciliauto_api::StockStatus { seeded }),
            ..FaciliAutoDeploymentStatus::default()
        });
        let look = Look {
            store_trouble: Some(trouble),
            ..Look::default()
        };
        let before = FaciliAutoDeploymentStatus::default();
        let drawn = conditions(&resource, &healthy(), &look, &before, seconds(1));
        let message = find(&drawn, "Ready").map(|ready| ready.message.clone());
        assert!(message.is_some_and(|message| message.contains("producao-redis-0") || !seeded));
        (summary(&drawn, "RedisReady"), summary(&drawn, "Ready"))
    };
    for (trouble, reason) in [
        (StoreTrouble::Empty, "StoreEmpty"),
        (StoreTrouble::Unreachable, "Unreachable"),
        (StoreTrouble::Unusable, "StoreUnusable"),
    ] {
        let ready = format!("Redis{reason}");
        assert_eq!(with(trouble, true), (is("False", reason), is("False", &ready)));
    }
    assert_eq!(
        with(StoreTrouble::Empty, false),
        (is("True", "Ready"), is("True", "Ready"))
    );
    let refused = Look {
        redis_refused: Some(refusal(
            "StatefulSet producao-redis",
            "pods \"x\" is forbidden: exceeded quota: tight, requested: pods=1, used: pods=2, limited: pods=2",
        )),
        ..Look::default()
    };
    let observed = Observed {
        stateful_set: Some(redis(0)),
        ..healthy()
    };
    let drawn = of(&observed, &refused);
    assert_eq!(summary(&drawn, "RedisReady"), is("False", "QuotaExceeded"));
    let message = &find(&drawn, "RedisReady").expect("the condition").message;
    assert!(
        message.starts_with("ResourceQuota tight leaves no room for a pod of StatefulSet producao-redis"),
        "{message}"
    );
}

/// Prevents: a system that wants to grow and may not looking as one that does not need to.
#[test]
fn autoscaler_at_its_maximum_says_so() {
    let with = |limited: &str, reason: &str| {
        let autoscaler: HorizontalPodAutoscaler = serde_json::from_value(json!({
            "metadata": {"name": "producao"},
            "status": {"desiredReplicas": 10, "conditions": [
                {"type": "ScalingActive", "status": "True", "reason": "ValidMetricFound"},
                {"type": "ScalingLimited", "status": limited, "reason": reason},
            ]},
        }))
        .expect("an autoscaler");
        let observed = Observed {
            autoscaler: Some(autoscaler),
            ..healthy()
        };
        summary(&of(&observed, &Look::default()), "AutoscalingActive")
    };
    let unmeasured = |before: &FaciliAutoDeploymentStatus, now: i64| {
        let autoscaler: HorizontalPodAutoscaler = serde_json::from_value(json!({
            "metadata": {"name": "producao"},
            "status": {"desiredReplicas": 0, "conditions": [{
                "type": "ScalingActive", "status": "False", "reason": "FailedGetResourceMetric",
                "lastTransitionTime": "1970-01-01T00:16:40Z",
            }]},
        }))
        .expect("an autoscaler");
        let observed = Observed {
            autoscaler: Some(autoscaler),
            ..healthy()
        };
        let drawn = conditions(
            &resource(json!({})),
            &observed,
            &Look::default(),
            before,
            seconds(now),
        );
        summary(&drawn, "AutoscalingActive")
    };
    let nothing = FaciliAutoDeploymentStatus::default();
    assert_eq!(
        unmeasured(&nothing, 1_089),
        is("Unknown", "NotMeasuredYet"),
        "pods are new"
    );
    assert_eq!(
        unmeasured(&nothing, 1_090),
        is("False", "FailedGetResourceMetric")
    );
    let active: Condition = serde_json::from_value(json!({
        "type": "AutoscalingActive", "status": "True", "reason": "Active", "message": "",
        "lastTransitionTime": "1970-01-01T00:00:00Z",
    }))
    .expect("a condition");
    let well = FaciliAutoDeploymentStatus {
        conditions: vec![active],
        ..nothing
    };
    assert_eq!(
        unmeasured(&well, 1_089),
        is("True", "Active"),
        "metrics-server restarts"
    );
    assert_eq!(with("True", "TooManyReplicas"), is("True", "AtMaximum"));
    assert_eq!(with("True", "TooFewReplicas"), is("True", "Active"));
    assert_eq!(with("False", "DesiredWithinRange"), is("True", "Active"));
}
