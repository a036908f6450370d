//! `status` over an API server in memory: what is read, and how it looks.

use faciliauto_operator::{
    cli::{
        status::{Which, read, tree},
        terminal::Palette,
    },
    resources::Kind,
};
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    fake_api::FakeApi,
    golden::assert_golden,
    harness::{Harness, NAME, NAMESPACE, UID, path, resource_path},
};

/// When the tests look: every time below is before it.
fn now() -> Timestamp {
    "2026-11-20T12:00:00Z".parse().expect("a time")
}

fn one() -> Which {
    Which::One(NAMESPACE.to_owned(), NAME.to_owned())
}

fn pod(name: &str, owner: (&str, &str), status: Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": name, "namespace": NAMESPACE, "creationTimestamp": "2026-11-20T11:00:00Z",
            "labels": {"app.kubernetes.io/instance": NAME},
            "ownerReferences": [{"apiVersion": "v1", "kind": owner.0, "name": owner.1, "uid": "o", "controller": true}],
        },
        "spec": {"nodeName": "node-a", "containers": [{"name": "api"}]},
        "status": status,
    })
}

fn running(ready: bool, restarts: i32) -> Value {
    json!({"phase": "Running", "containerStatuses": [{
        "name": "api", "image": "i", "imageID": "", "ready": ready, "restartCount": restarts,
        "state": {"running": {}},
    }]})
}

fn event(name: &str, about: (&str, &str), reason: &str, at: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": name, "namespace": NAMESPACE},
        "involvedObject": {"kind": about.0, "name": about.1, "namespace": NAMESPACE},
        "type": if reason == "Degraded" { "Warning" } else { "Normal" },
        "reason": reason, "message": format!("What {reason} means"), "eventTime": at,
    })
}

/// Puts objects there that a cluster's controllers would have made.
fn populate(api: &FakeApi, pods: &[Value], events: &[Value]) {
    for pod in pods {
        let name = pod["metadata"]["name"].as_str().expect("a name");
        api.put(&path(Kind::Pod, name), pod.clone());
    }
    for event in events {
        let name = event["metadata"]["name"].as_str().expect("a name");
        api.put(
            &format!("/api/v1/namespaces/{NAMESPACE}/events/{name}"),
            event.clone(),
        );
    }
    let claim = format!("data-{NAME}-redis-0");
    api.put(
        &path(Kind::PersistentVolumeClaim, &claim),
        json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"name": claim, "namespace": NAMESPACE, "labels": {"app.kubernetes.io/instance": NAME}},
            "spec": {"resources": {"requests": {"storage": "2Gi"}}},
            "status": {"phase": "Bound", "capacity": {"storage": "1Gi"}},
        }),
    );
}

/// Gives everything that the operator wrote a time that is the same each time.
fn fix_times(api: &FakeApi) {
    api.edit(&resource_path(), |resource| {
        resource["metadata"]["creationTimestamp"] = json!("2026-11-17T12:00:00Z");
        resource["status"]["backup"]["nextScheduleTime"] = json!("2026-11-21T05:00:00Z");
        for condition in resource["status"]["conditions"]
            .as_array_mut()
            .into_iter()
            .flatten()
        {
            condition["lastTransitionTime"] = json!("2026-11-20T11:30:00Z");
        }
    });
}

async fn drawn(harness: &Harness) -> String {
    let views = read(&harness.api.client(), &one(), now()).await.expect("a view");
    tree::draw(&views, Palette::PLAIN)
}

/// Prevents: a tree in which a healthy system looks ill, or hides where its pods are.
#[tokio::test]
async fn healthy_system_reads_so() {
    let mut harness = Harness::new(json!({}));
    harness.settle().await;
    populate(
        &harness.api,
        &[
            pod(
                "producao-6d5f-b",
                ("ReplicaSet", "producao-6d5f"),
                running(true, 0),
            ),
            pod(
                "producao-6d5f-a",
                ("ReplicaSet", "producao-6d5f"),
                running(true, 0),
            ),
            pod(
                "producao-redis-0",
                ("StatefulSet", "producao-redis"),
                running(true, 0),
            ),
            // Of another resource whose name begins alike: it must not appear.
        ],
        &[event(
            "1",
            ("FaciliAutoDeployment", NAME),
            "Created",
            "2026-11-20T11:58:00.000000Z",
        )],
    );
    let mut other = pod(
        "producao-norte-6d5f-a",
        ("ReplicaSet", "producao-norte-6d5f"),
        running(true, 0),
    );
    other["metadata"]["labels"]["app.kubernetes.io/instance"] = json!("producao-norte");
    harness.api.put(&path(Kind::Pod, "producao-norte-6d5f-a"), other);
    harness.api.edit(&path(Kind::HorizontalPodAutoscaler, NAME), |autoscaler| {
        autoscaler["status"]["currentMetrics"] = json!([{
            "type": "ContainerResource",
            "containerResource": {"name": "cpu", "container": "api", "current": {"averageUtilization": 35}},
        }]);
    });
    fix_times(&harness.api);
    assert_golden("status/healthy.txt", &drawn(&harness).await);
}

/// Prevents: a person who sees that something is wrong, and not what.
#[tokio::test]
async fn trouble_is_shown_where_it_is() {
    let mut harness = Harness::new(json!({"autoscaling": {"enabled": false}}));
    harness.settle().await;
    let crashing = json!({"phase": "Running", "containerStatuses": [{
        "name": "api", "image": "i", "imageID": "", "ready": false, "restartCount": 7,
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting\u{1b}[2J api"}},
        "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled", "finishedAt": "2026-11-20T11:56:00Z"}},
    }]});
    let unscheduled = json!({"phase": "Pending", "conditions": [
        {"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available: insufficient cpu"},
    ]});
    let mut events: Vec<Value> = (0..20)
        .map(|number| {
            let at = format!("2026-11-20T11:{number:02}:00.000000Z");
            event(
                &format!("old-{number}"),
                ("FaciliAutoDeployment", NAME),
                "Updated",
                &at,
            )
        })
        .collect();
    let mut repeated = event(
        "2",
        ("Pod", "producao-1-a"),
        "Degraded",
        "2026-11-20T10:00:00.000000Z",
    );
    repeated["series"] = json!({"count": 12, "lastObservedTime": "2026-11-20T11:59:30.000000Z"});
    events.push(repeated);
    events.push(event(
        "3",
        ("Pod", "somebody-elses"),
        "Degraded",
        "2026-11-20T11:59:59.000000Z",
    ));
    populate(
        &harness.api,
        &[
            pod("producao-1-a", ("ReplicaSet", "producao-1"), crashing),
            pod("producao-1-b", ("ReplicaSet", "producao-1"), unscheduled),
            pod("stray", ("Job", "by-hand"), running(false, 0)),
        ],
        &events,
    );
    harness.api.edit(&path(Kind::Deployment, NAME), |deployment| {
        deployment["status"]["readyReplicas"] = json!(0);
        deployment["status"]["availableReplicas"] = json!(0);
        deployment["status"]["conditions"] = json!([{"type": "Available", "status": "False"}]);
    });
    let _ = harness.look().await;
    fix_times(&harness.api);
    harness.change_spec(|spec| spec["replicas"] = json!(3));
    assert_golden("status/trouble.txt", &drawn(&harness).await);

    let views = read(&harness.api.client(), &one(), now()).await.expect("a view");
    let json = serde_json::to_string_pretty(&views).expect("JSON");
    assert_golden("status/trouble.json", &format!("{json}\n"));
    let coloured = tree::draw(&views, Palette::COLOURED);
    assert!(
        !coloured.contains("\u{1b}[2J"),
        "what others wrote is not carried out"
    );
}

/// Prevents: an error, or silence, where there is nothing to show.
#[tokio::test]
async fn absent_resources_are_told_from_none() {
    let api = FakeApi::default();
    let error = read(&api.client(), &one(), now())
        .await
        .expect_err("nothing is there");
    assert_eq!(
        error.to_string(),
        "there is no FaciliAutoDeployment producao in the namespace lojas"
    );
    for which in [Which::All, Which::Namespace(NAMESPACE.to_owned())] {
        assert_eq!(
            read(&api.client(), &which, now()).await.expect("an answer"),
            Vec::new()
        );
    }
}

/// Prevents: a tool that shows one namespace only, or a resource that was never looked at as healthy.
#[tokio::test]
async fn resources_of_all_namespaces_come_in_order() {
    let api = FakeApi::default();
    for (namespace, name) in [("b", "x"), ("a", "z"), ("a", "y")] {
        let path = resource_path().replace(NAMESPACE, namespace).replace(NAME, name);
        api.put(
            &path,
            json!({
                "apiVersion": "faciliauto.com/v1alpha1", "kind": "FaciliAutoDeployment",
                "metadata": {"name": name, "namespace": namespace, "uid": UID, "generation": 1},
                "spec": {},
            }),
        );
    }
    let views = read(&api.client(), &Which::All, now()).await.expect("views");
    let order: Vec<_> = views
        .iter()
        .map(|view| {
            (
                view.namespace.as_str(),
                view.name.as_str(),
                view.ready.as_str(),
                view.observed,
            )
        })
        .collect();
    assert_eq!(
        order,
        [
            ("a", "y", "Unknown", false),
            ("a", "z", "Unknown", false),
            ("b", "x", "Unknown", false)
        ]
    );
    let views = read(&api.client(), &Which::Namespace("b".to_owned()), now())
        .await
        .expect("views");
    assert_eq!(views.len(), 1);
}
