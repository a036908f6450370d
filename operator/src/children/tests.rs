use kube_runtime::{reflector::store::Writer, watcher::Event};

use super::*;

const NAMESPACE: &str = "lojas";

fn config_map(version: &str, value: &str) -> DynamicObject {
    serde_json::from_value(json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {
            "name": "a", "namespace": NAMESPACE, "resourceVersion": version,
            "labels": {"app.kubernetes.io/instance": "producao"},
            "annotations": {"faciliauto.com/value": value},
        },
    }))
    .expect("a ConfigMap")
}

fn place() -> Place {
    Place {
        kind: Kind::ConfigMap,
        namespace: NAMESPACE.to_owned(),
        name: "a".to_owned(),
    }
}

fn children() -> (Children, Writer<DynamicObject>) {
    let writer = Writer::new(Kind::ConfigMap.api_resource());
    (
        Children::new([(Kind::ConfigMap, writer.as_reader())].into()),
        writer,
    )
}

fn value(children: &Children) -> Option<Value> {
    children
        .get(&place())
        .map(|object| json!(object.annotations()["faciliauto.com/value"]))
}

/// Prevents: the memory of a process growing with every dashboard, and a change of one that is not seen.
#[test]
fn config_maps_are_kept_as_digests() {
    let projected = |value: &str| {
        let mut object = config_map("1", "");
        object.data["data"] = json!({"key": value});
        project(Kind::ConfigMap, &mut object);
        object
    };
    let mut once = projected(&"a".repeat(10_000));
    let digest = once.data["data"]["key"].clone();
    assert_eq!(digest.as_str().map(str::len), Some(DIGEST.len() + 64));
    digest_values(&mut once.data["data"]);
    assert_eq!(once.data["data"]["key"], digest, "a digest stays what it is");
    assert_ne!(projected("b").data["data"]["key"], digest);
}

/// Prevents: a second write right after the first, because the store still shows the object as it was.
#[test]
fn own_answer_stands_in_until_the_watch_catches_up() {
    let (children, mut writer) = children();
    writer.apply_watcher_event(&Event::Apply(config_map("7", "old")));
    children.remember(place(), config_map("9", "answer"));
    assert_eq!(value(&children), Some(json!("answer")));
    assert_eq!(
        children.of_instance(Kind::ConfigMap, NAMESPACE, "producao").len(),
        1
    );

    children.event(Kind::ConfigMap, &config_map("8", "in between"));
    assert_eq!(
        value(&children),
        Some(json!("answer")),
        "an event from before our write"
    );

    let newer = config_map("10", "newer");
    writer.apply_watcher_event(&Event::Apply(newer.clone()));
    children.event(Kind::ConfigMap, &newer);
    assert_eq!(value(&children), Some(json!("newer")));
}

/// Prevents: an object that somebody deleted being taken for there, for as long as the answer lives.
#[test]
fn deletion_ends_an_answer() {
    let (children, _writer) = children();
    children.remember(place(), config_map("9", "answer"));
    children.event(Kind::ConfigMap, &config_map("11", "deleted"));
    assert_eq!(value(&children), None);
}

/// Prevents: looks that wait beside each other and are never woken.
#[tokio::test]
async fn everybody_who_waits_is_woken() {
    let (children, _writer) = children();
    let waiters = futures::future::join3(
        children.wait_until_filled(),
        children.wait_until_filled(),
        children.wait_until_filled(),
    );
    let fill = async {
        tokio::task::yield_now().await;
        children.filled(Kind::ConfigMap);
    };
    let both = futures::future::join(waiters, fill);
    tokio::time::timeout(Duration::from_secs(5), both)
        .await
        .expect("all are woken");
    children.wait_until_filled().await;
}

/// Prevents: a write at every look, for a field that a webhook or the server itself changes.
#[test]
fn what_remains_after_our_own_apply_is_settled() {
    let (children, _writer) = children();
    let mutated = vec![Difference {
        path: "/spec/a".to_owned(),
        live: json!(1),
    }];
    let edited = vec![Difference {
        path: "/spec/a".to_owned(),
        live: json!(2),
    }];
    assert!(children.settle(&place(), "hash", mutated.clone()), "it is new");
    assert!(
        !children.settle(&place(), "hash", mutated.clone()),
        "it is told once"
    );
    assert!(children.is_settled(&place(), "hash", &mutated));
    assert!(
        !children.is_settled(&place(), "hash", &edited),
        "somebody's edit is not"
    );
    assert!(
        !children.is_settled(&place(), "other hash", &mutated),
        "another wish is tried again"
    );
    children.settle(&place(), "hash", Vec::new());
    assert!(
        !children.is_settled(&place(), "hash", &mutated),
        "the webhook is gone"
    );
}

/// Prevents: stores that grow with what others write into our objects, and the one bit of it that is
/// needed being lost.
#[test]
fn stores_hold_what_is_read() {
    let entry =
        |manager: &str, fields: Value| json!({"manager": manager, "operation": "Apply", "fieldsV1": fields});
    let replicas = json!({"f:spec": {"f:replicas": {}}});
    for (managers, expected) in [
        (json!([entry(names::FIELD_MANAGER, replicas.clone())]), false),
        (
            json!([entry("kubectl", json!({"f:spec": {"f:template": {}}}))]),
            false,
        ),
        (
            json!([
                entry(names::FIELD_MANAGER, json!({})),
                entry("kube-controller-manager", replicas)
            ]),
            true,
        ),
    ] {
        let mut object: DynamicObject = serde_json::from_value(json!({
            "metadata": {
                "name": "a", "managedFields": managers,
                "annotations": {"faciliauto.com/applied": "1", "kubectl.kubernetes.io/large": "…"},
            },
            "spec": {"replicas": 3},
        }))
        .expect("an object");
        project(Kind::Deployment, &mut object);
        assert_eq!(object.data[REPLICAS_OWNED_BY_OTHER], json!(expected));
        assert_eq!(object.metadata.managed_fields, None);
        assert_eq!(object.annotations().len(), 1);
    }
    let mut pod: DynamicObject = serde_json::from_value(json!({
        "metadata": {"name": "a"},
        "spec": {
            "volumes": [{"name": "x", "configMap": {"name": "mounted"}}, {"name": "y", "secret": {"secretName": "s"}}],
            "containers": [{"name": "api", "envFrom": [{"configMapRef": {"name": "environment"}}]}],
        },
        "status": {"phase": "Running", "podIP": "10.0.0.1"},
    }))
    .expect("a pod");
    project(Kind::Pod, &mut pod);
    assert_eq!(
        pod.data,
        json!({"status": {"phase": "Running"}, CONFIG_MAPS: ["mounted", "environment"], "spec": {"volumes": []}})
    );
}

/// Prevents: an annotation of ours that looks like one of others, so that it is written again at each look;
/// and memory spent on theirs.
#[test]
fn annotations_that_we_applied_are_kept() {
    let entry = |manager: &str, key: &str| {
        let field = format!("f:{key}");
        json!({"manager": manager, "operation": "Apply", "fieldsV1": {"f:metadata": {"f:annotations": {field: {}}}}})
    };
    let mut object: DynamicObject = serde_json::from_value(json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "a", "managedFields": [entry("faciliauto-operator", "grafana_folder"), entry("other", "theirs")],
            "annotations": {"grafana_folder": "b", "theirs": "c", "faciliauto.com/applied": "d"}},
    }))
    .expect("a ConfigMap");
    project(Kind::ConfigMap, &mut object);
    let left: Vec<_> = object.annotations().keys().map(String::as_str).collect();
    assert_eq!(left, ["faciliauto.com/applied", "grafana_folder"]);
}
