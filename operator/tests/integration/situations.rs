//! What the operator does and says in situations that it will meet.

use faciliauto_operator::{
    reconcile::{Error, Retry},
    resources::Kind,
};
use serde_json::{Value, json};

use crate::harness::{Harness, NAME, NAMESPACE, path, resource_path, run_controllers, writes};

fn deployment(harness: &Harness) -> Value {
    harness.child(Kind::Deployment, NAME).expect("the Deployment")
}

/// The autoscaler sets a number of pods, and owns it from then on.
fn autoscale(harness: &Harness, replicas: i32) {
    harness.api.edit(&path(Kind::Deployment, NAME), |object| {
        object["spec"]["replicas"] = json!(replicas);
        let entries = object["metadata"]["managedFields"]
            .as_array_mut()
            .expect("entries");
        for entry in entries
            .iter_mut()
            .filter(|entry| entry["manager"] == "faciliauto-operator")
        {
            entry["fieldsV1"] = json!({});
            entry["applied"]["spec"]
                .as_object_mut()
                .expect("a spec")
                .remove("replicas");
        }
        entries.retain(|entry| entry["manager"] != "kube-controller-manager");
        entries.push(json!({
            "manager": "kube-controller-manager", "operation": "Update", "subresource": "scale",
            "fieldsV1": {"f:spec": {"f:replicas": {}}},
        }));
    });
}

/// Prevents: a fight over the number of pods, and a dip to one pod when the operator lets go of it.
#[tokio::test]
async fn replicas_belong_to_the_autoscaler() {
    let mut harness = Harness::new(json!({}));
    harness.settle().await;
    assert_eq!(
        deployment(&harness)["spec"]["replicas"],
        2,
        "begins at minReplicas"
    );

    harness.change_spec(|spec| spec["api"] = json!({"logLevel": "debug"}));
    harness.settle().await;
    assert_eq!(
        deployment(&harness)["spec"]["replicas"],
        2,
        "a field nobody else owns is not dropped"
    );

    autoscale(&harness, 6);
    harness.settle().await;
    harness.api.take_calls();
    harness.change_spec(|spec| spec["api"] = json!({"logLevel": "warn"}));
    harness.settle().await;
    assert_eq!(
        deployment(&harness)["spec"]["replicas"],
        6,
        "an update leaves the number alone"
    );

    autoscale(&harness, 0);
    harness.settle().await;
    assert_eq!(
        deployment(&harness)["spec"]["replicas"],
        2,
        "an autoscaler would leave 0 alone for ever"
    );

    autoscale(&harness, 5);
    harness.change_spec(|spec| spec["autoscaling"] = json!({"enabled": false}));
    harness.settle().await;
    assert_eq!(
        deployment(&harness)["spec"]["replicas"],
        2,
        "off: spec.replicas counts"
    );
    assert_eq!(harness.child(Kind::HorizontalPodAutoscaler, NAME), None);

    harness.change_spec(|spec| spec["replicas"] = json!(4));
    harness.settle().await;
    assert_eq!(deployment(&harness)["spec"]["replicas"], 4, "and is followed");
    harness.change_spec(|spec| spec["autoscaling"] = json!({"enabled": true}));
    harness.settle().await;
    assert_eq!(
        deployment(&harness)["spec"]["replicas"],
        4,
        "on again: no dip below what runs"
    );
}

/// Prevents: taking over, or deleting, what belongs to somebody else.
#[tokio::test]
async fn foreign_objects_are_left_alone() {
    let mut harness = Harness::new(json!({}));
    let foreign = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": NAME, "namespace": NAMESPACE, "labels": {
            "app.kubernetes.io/managed-by": "faciliauto-operator", "app.kubernetes.io/instance": NAME,
        }},
        "spec": {"ports": [{"port": 1234}]},
    });
    harness.api.put(&path(Kind::Service, NAME), foreign);
    let before = harness.child(Kind::Service, NAME);
    let mut error = None;
    for _ in 0..5 {
        error = harness.look().await.err();
        run_controllers(&harness.api);
    }
    assert_eq!(harness.child(Kind::Service, NAME), before, "untouched");
    assert!(matches!(error, Some(Error::NameConflict(1))), "{error:?}");
    assert_eq!(
        error.map(|error| error.retry()),
        Some(Retry::Missing),
        "it may go away"
    );
    let conflict = harness.condition("NameConflict");
    assert_eq!(conflict["status"], "True");
    assert!(
        conflict["message"]
            .as_str()
            .expect("a message")
            .contains("Service producao in namespace lojas")
    );
    assert_eq!(harness.condition("Stalled")["reason"], "NameConflict");
    assert!(
        harness.child(Kind::Deployment, NAME).is_some(),
        "everything else is built"
    );

    harness.api.remove(&path(Kind::Service, NAME));
    harness.settle().await;
    assert_eq!(harness.condition("NameConflict"), Value::Null);
    assert_eq!(harness.condition("Ready")["status"], "True");
}

/// Prevents: a resource that is made again at once being told that its own predecessor is a stranger.
#[tokio::test]
async fn children_of_a_deleted_namesake_are_waited_for() {
    let mut harness = Harness::new(json!({}));
    let leftover = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "producao-redis-credentials", "namespace": NAMESPACE, "ownerReferences": [{
            "apiVersion": "faciliauto.com/v1alpha1", "kind": "FaciliAutoDeployment", "name": NAME,
            "uid": "of the one before", "controller": true,
        }]},
        "data": {"password": "b2xk"}, "immutable": true,
    });
    harness
        .api
        .put(&path(Kind::Secret, "producao-redis-credentials"), leftover);
    let error = harness.look().await.expect_err("it must wait");
    assert_eq!(
        (error.category(), error.retry()),
        ("name_conflict", Retry::Missing)
    );
    assert_eq!(harness.condition("Stalled"), Value::Null);
    assert_eq!(harness.condition("Reconciling")["reason"], "WaitingForDeletion");
    harness
        .api
        .remove(&path(Kind::Secret, "producao-redis-credentials"));
    harness.settle().await;
    assert_eq!(harness.condition("Ready")["status"], "True");
}

/// Prevents: a lost password that locks the API out of Redis for good, and one that is changed
/// although it is there.
#[tokio::test]
async fn password_is_made_once_and_made_anew_when_lost() {
    let mut harness = Harness::new(json!({}));
    harness.run_redis("pod", 0);
    harness.settle().await;
    let password = |harness: &Harness| {
        harness
            .child(Kind::Secret, "producao-redis-credentials")
            .expect("a Secret")["data"]["password"]
            .clone()
    };
    let credentials = |harness: &Harness| {
        deployment(harness)["spec"]["template"]["metadata"]["annotations"]["faciliauto.com/credentials"]
            .clone()
    };
    let (first, first_rollout) = (password(&harness), credentials(&harness));
    harness.restart();
    harness.settle().await;
    assert_eq!(password(&harness), first);

    harness
        .api
        .remove(&path(Kind::Secret, "producao-redis-credentials"));
    harness.settle().await;
    assert_ne!(password(&harness), first);
    assert_ne!(credentials(&harness), first_rollout, "pods are replaced");
    assert!(harness.told().contains(&"SecretLost".to_owned()));
}

/// Prevents: an old configuration taken away from pods that may still have to start with it.
#[tokio::test]
async fn old_configuration_stays_while_a_replica_set_with_pods_names_it() {
    let mut harness = Harness::new(json!({}));
    harness.settle().await;
    let old = harness
        .names(Kind::ConfigMap)
        .into_iter()
        .find(|name| name.contains("-config-") && !name.contains("redis"));
    let old = old.expect("a ConfigMap");
    let replica_set = |replicas: i32| {
        json!({
            "apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": {"name": "producao-1", "namespace": NAMESPACE, "labels": {
                "app.kubernetes.io/managed-by": "faciliauto-operator", "app.kubernetes.io/instance": NAME,
            }},
            "spec": {"replicas": replicas, "template": {"spec": {"containers": [
                {"name": "api", "envFrom": [{"configMapRef": {"name": old}}]},
            ]}}},
        })
    };
    harness
        .api
        .put(&path(Kind::ReplicaSet, "producao-1"), replica_set(2));
    harness.change_spec(|spec| spec["api"] = json!({"logLevel": "debug"}));
    harness.settle().await;
    assert!(
        harness.child(Kind::ConfigMap, &old).is_some(),
        "its pods are still there"
    );
    harness
        .api
        .put(&path(Kind::ReplicaSet, "producao-1"), replica_set(0));
    harness.settle().await;
    assert_eq!(
        harness.child(Kind::ConfigMap, &old),
        None,
        "nobody needs it any more"
    );
}

/// Prevents: an external Redis whose Secret is not there yet being an error for ever, and pods that
/// go on with an old URL.
#[tokio::test]
async fn url_of_an_external_redis_is_waited_for_and_followed() {
    let mut harness = Harness::new(json!({
        "redis": {"mode": "External", "external": {"urlSecret": {"name": "redis-url", "key": "endereco"}}},
    }));
    let error = harness.look().await.expect_err("the Secret is missing");
    assert_eq!(
        (error.category(), error.retry()),
        ("missing_reference", Retry::Missing)
    );
    assert_eq!(harness.condition("RedisReady")["reason"], "UrlSecretMissing");
    assert_eq!(
        harness.condition("Stalled"),
        Value::Null,
        "it may appear at any moment"
    );
    assert!(
        harness.condition("Reconciling")["message"]
            .as_str()
            .expect("a message")
            .contains("redis-url")
    );

    let secret = |url: &str| {
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "redis-url", "namespace": NAMESPACE},
            "data": {"endereco": url}})
    };
    harness.api.put(&path(Kind::Secret, "redis-url"), secret("dW0="));
    harness.settle().await;
    assert_eq!(
        harness.condition("Ready")["status"],
        "True",
        "an external Redis does not gate"
    );
    assert_eq!(harness.condition("RedisReady")["reason"], "NotProbed");
    assert_eq!(harness.names(Kind::StatefulSet), Vec::<String>::new());
    assert_eq!(
        harness.names(Kind::Secret),
        ["producao-admin-tokens", "redis-url"],
        "no password is made"
    );

    let template = |harness: &Harness| deployment(harness)["spec"]["template"].clone();
    let before = template(&harness);
    harness.api.edit(&path(Kind::Secret, "redis-url"), |secret| {
        secret["metadata"]["labels"] = json!({"a": "b"})
    });
    harness.settle().await;
    assert_eq!(
        template(&harness),
        before,
        "a label of the Secret restarts nobody"
    );
    harness
        .api
        .put(&path(Kind::Secret, "redis-url"), secret("ZG9pcw=="));
    harness.settle().await;
    assert_ne!(template(&harness), before, "another URL does");
}

/// Prevents: one wrong field taking down what works, or being retried for ever.
#[tokio::test]
async fn invalid_resource_is_told_and_what_runs_goes_on() {
    let mut harness = Harness::new(json!({}));
    harness.settle().await;
    harness.api.take_calls();
    harness
        .change_spec(|spec| spec["redis"] = json!({"managed": {"resources": {"limits": {"memory": "1Mi"}}}}));
    let error = harness.look().await.expect_err("it is invalid");
    assert_eq!((error.category(), error.retry()), ("invalid", Retry::OnChange));
    let written = writes(&harness.api.take_calls());
    assert!(
        written.iter().all(|write| write.ends_with("/status")),
        "no child is touched: {written:?}"
    );
    assert_eq!(harness.condition("Stalled")["reason"], "Invalid");
    assert_eq!(
        harness.condition("Ready")["status"],
        "True",
        "what runs still runs"
    );
    assert_eq!(harness.status()["observedGeneration"], 2);
    assert!(harness.told().contains(&"Rejected".to_owned()));
    assert!(
        !harness.status()["children"]
            .as_array()
            .expect("children")
            .is_empty()
    );
}

/// Prevents: a resource that an older server stored and this operator cannot read being tried for ever, or
/// costing what runs; that others are looked at meanwhile is the guard's doing, by which it is read at all.
#[tokio::test]
async fn resource_that_cannot_be_read_is_told_and_left_alone() {
    let mut harness = Harness::new(json!({}));
    harness.settle().await;
    let before = harness.api.with(|state| state.objects.clone());
    harness.api.edit(&resource_path(), |resource| {
        resource["spec"]["autoscaling"] = json!("as ever");
    });
    let error = harness.look().await.expect_err("it cannot be read");
    assert_eq!((error.category(), error.retry()), ("decode", Retry::OnChange));
    assert!(harness.told().contains(&"Rejected".to_owned()));
    let after = harness.api.with(|state| state.objects.clone());
    let touched: Vec<_> = after
        .iter()
        .filter(|(path, object)| before.get(*path) != Some(*object))
        .map(|(path, _)| path.clone())
        .collect();
    assert_eq!(touched, [resource_path()], "by us alone");
}

/// Prevents: a missing seed file holding up the whole system.
#[tokio::test]
async fn missing_seed_file_holds_up_only_the_import() {
    let mut harness = Harness::new(json!({"stock": {"seed": "ConfigMap", "seedConfigMap": "estoque"}}));
    for _ in 0..3 {
        let error = harness.look().await.expect_err("it waits");
        assert_eq!(error.retry(), Retry::Missing);
        run_controllers(&harness.api);
    }
    assert_eq!(harness.condition("Available")["status"], "True");
    assert_eq!(harness.names(Kind::Job), Vec::<String>::new());
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "estoque", "namespace": NAMESPACE}});
    harness.api.put(&path(Kind::ConfigMap, "estoque"), object);
    harness.settle().await;
    assert_eq!(harness.status()["stock"]["seeded"], true);
    assert!(
        harness.child(Kind::ConfigMap, "estoque").is_some(),
        "the user's own is never pruned"
    );
}

/// Prevents: a second import into a store that has stock, after the finished Job was cleared away.
#[tokio::test]
async fn import_is_never_repeated() {
    let mut harness = Harness::new(json!({}));
    harness.settle().await;
    let jobs = harness.names(Kind::Job);
    assert_eq!(jobs.len(), 1);
    harness.api.remove(&path(Kind::Job, &jobs[0]));
    harness.restart();
    harness.settle().await;
    assert_eq!(harness.names(Kind::Job), Vec::<String>::new());
    assert_eq!(harness.condition("StockSeeded")["status"], "True");
}

/// Prevents: a fight with the cluster over what goes away with its namespace: one attempt shows what is
/// going on, and then the resource is left alone.
#[tokio::test]
async fn namespace_that_is_ending_is_left_alone() {
    let mut harness = Harness::new(json!({}));
    harness.settle().await;
    let told = harness.told();
    harness.api.with(|state| state.namespace_is_ending = true);
    harness.api.remove(&path(Kind::Service, NAME));
    harness.api.take_calls();
    harness.look().await.expect("no error: nothing is wrong");
    assert_eq!(writes(&harness.api.take_calls()).len(), 1);
    harness.api.remove(&path(Kind::Deployment, NAME));
    harness.look().await.expect("no error: nothing is wrong");
    assert_eq!(harness.api.take_calls().len(), 0);
    assert_eq!(harness.told(), told, "nobody is alarmed");
    assert_eq!(harness.condition("Ready")["status"], "True", "as it was");
}

/// Prevents: children made again while the cluster removes them with their resource.
#[tokio::test]
async fn resource_that_is_being_deleted_is_left_alone() {
    let mut harness = Harness::new(json!({}));
    harness.api.edit(&crate::harness::resource_path(), |resource| {
        resource["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    });
    harness.look().await.expect("nothing to do");
    assert_eq!(harness.api.take_calls().len(), 0);
}
