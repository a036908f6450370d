//! Fields that reach into every object: what a change of one of them does to what is there.

use faciliauto_operator::{reconcile::Retry, resources::Kind};
use serde_json::{Value, json};

use crate::harness::{Harness, NAME, NAMESPACE, path, run_controllers, writes};

fn template(harness: &Harness, kind: Kind, name: &str) -> Value {
    harness.child(kind, name).expect("it exists")["spec"]["template"].clone()
}

/// Every object that the operator made, but for volumes: they outlive what labels would say of them.
fn objects(harness: &Harness) -> Vec<Value> {
    let found = harness.api.with(|state| state.objects.clone());
    let ours = |object: &Value| {
        object["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "faciliauto-operator"
            && object["kind"] != "PersistentVolumeClaim"
    };
    found.into_values().filter(ours).collect()
}

/// Prevents: an object that nobody finds by its label, a label that stays when it is no longer declared,
/// and a restart of everything for the sake of one.
#[tokio::test]
async fn common_labels_reach_every_object_and_restart_nothing() {
    let mut harness = Harness::new(json!({"commonLabels": {"example.com/team": "vitrine"}}));
    harness.settle().await;
    let all = objects(&harness);
    assert!(all.len() >= 18, "{}", all.len());
    for object in &all {
        let labels = &object["metadata"]["labels"];
        assert_eq!(labels["example.com/team"], "vitrine", "{object:#}");
        assert_eq!(labels["app.kubernetes.io/instance"], NAME);
    }
    let pods = [(Kind::Deployment, NAME), (Kind::StatefulSet, "producao-redis")];
    let before = pods.map(|(kind, name)| template(&harness, kind, name));
    for template in &before {
        assert_eq!(template["metadata"]["labels"]["example.com/team"], "vitrine");
    }

    harness.change_spec(|spec| {
        spec["commonLabels"] = json!({"example.com/unit": "sul"});
        spec["commonAnnotations"] = json!({"example.com/centre": "7"});
    });
    harness.settle().await;
    assert_eq!(pods.map(|(kind, name)| template(&harness, kind, name)), before);
    for object in objects(&harness) {
        let (labels, annotations) = (&object["metadata"]["labels"], &object["metadata"]["annotations"]);
        let was_made_once = ["Secret", "Job"].contains(&object["kind"].as_str().expect("a kind"))
            && !object["metadata"]["name"]
                .as_str()
                .expect("a name")
                .ends_with("-acl");
        assert_eq!(labels["example.com/unit"] == "sul", !was_made_once, "{object:#}");
        assert_eq!(
            labels["example.com/team"] == "vitrine",
            was_made_once,
            "{object:#}"
        );
        assert_eq!(
            annotations["example.com/centre"] == "7",
            !was_made_once,
            "{object:#}"
        );
    }
    harness.restart();
    harness.api.take_calls();
    harness.look().await.expect("a look");
    assert_eq!(writes(&harness.api.take_calls()), Vec::<String>::new(), "at rest");

    harness.change_spec(|spec| spec["api"] = json!({"logLevel": "debug"}));
    harness.settle().await;
    let labels = &template(&harness, Kind::Deployment, NAME)["metadata"]["labels"];
    assert_eq!(
        (&labels["example.com/unit"], &labels["example.com/team"]),
        (&json!("sul"), &Value::Null)
    );
    assert_eq!(
        template(&harness, Kind::StatefulSet, "producao-redis"),
        before[1],
        "Redis goes on"
    );
}

/// Prevents: an identity that is taken away from pods which may still have to start with it, and one of the
/// user's that is made, changed or deleted.
#[tokio::test]
async fn own_identity_goes_when_no_pod_has_it() {
    let mut harness =
        Harness::new(json!({"serviceAccount": {"annotations": {"example.com/role": "leitor"}}}));
    harness.settle().await;
    let account = harness.child(Kind::ServiceAccount, NAME).expect("ours");
    assert_eq!(account["metadata"]["annotations"]["example.com/role"], "leitor");
    let replica_set = |replicas: i32| {
        json!({
            "apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": {"name": "producao-1", "namespace": NAMESPACE, "labels": {
                "app.kubernetes.io/managed-by": "faciliauto-operator", "app.kubernetes.io/instance": NAME,
            }},
            "spec": {"replicas": replicas, "template": {"spec": {"serviceAccountName": NAME, "containers": []}}},
        })
    };
    harness
        .api
        .put(&path(Kind::ReplicaSet, "producao-1"), replica_set(2));
    harness.change_spec(|spec| spec["serviceAccount"] = json!({"name": "nosso"}));
    harness.settle().await;
    assert_eq!(
        template(&harness, Kind::Deployment, NAME)["spec"]["serviceAccountName"],
        "nosso"
    );
    assert!(
        harness.child(Kind::ServiceAccount, NAME).is_some(),
        "its pods are still there"
    );
    harness
        .api
        .put(&path(Kind::ReplicaSet, "producao-1"), replica_set(0));
    harness.settle().await;
    assert_eq!(harness.names(Kind::ServiceAccount), Vec::<String>::new());
    let listed = harness.status()["children"].to_string();
    assert!(!listed.contains("ServiceAccount"), "{listed}");
}

/// Prevents: pods that hang for a ConfigMap which nobody told of, and one without the key.
#[tokio::test]
async fn authorities_are_waited_for_by_name_and_key() {
    let mut harness = Harness::new(json!({"trust": {"caConfigMap": "autoridades"}}));
    for (data, part) in [
        (None, "not in namespace lojas: create it with the key ca.crt"),
        (Some(json!({"ca.pem": "x"})), "has no key ca.crt"),
    ] {
        if let Some(data) = data {
            let object = json!({"apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": "autoridades", "namespace": NAMESPACE}, "data": data});
            harness.api.put(&path(Kind::ConfigMap, "autoridades"), object);
        }
        let error = harness.look().await.expect_err("it waits");
        assert_eq!(
            (error.category(), error.retry()),
            ("missing_reference", Retry::Missing)
        );
        assert!(error.to_string().contains(part), "{error}");
        assert_eq!(harness.condition("Reconciling")["reason"], "WaitingForReference");
        run_controllers(&harness.api);
    }
    harness.api.edit(&path(Kind::ConfigMap, "autoridades"), |object| {
        object["data"] = json!({"ca.crt": "x"});
    });
    harness.settle().await;
    assert_eq!(harness.condition("Ready")["status"], "True");
    let pod = template(&harness, Kind::Deployment, NAME)["spec"].to_string();
    assert!(
        pod.contains("autoridades") && pod.contains("/etc/faciliauto/trust"),
        "{pod}"
    );
}
