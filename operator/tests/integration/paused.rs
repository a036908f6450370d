//! A paused resource: everything is told, nothing is written.

use faciliauto_operator::{
    cli::{
        diff::{changes, text},
        terminal::Palette,
    },
    reconcile::{Error, Retry},
    resources::Kind,
};
use serde_json::{Value, json};

use crate::{
    golden::defaults,
    harness::{Harness, NAME, NAMESPACE, path, resource_path, run_controllers, writes},
};

/// Looks a few times, and says what was written.
async fn written(harness: &mut Harness) -> Vec<String> {
    harness.api.take_calls();
    for _ in 0..3 {
        harness.look().await.expect("a look");
        run_controllers(&harness.api);
    }
    writes(&harness.api.take_calls())
}

fn edit_deployment(harness: &Harness) {
    harness.api.edit(&path(Kind::Deployment, NAME), |object| {
        object["spec"]["template"]["spec"]["containers"][0]["image"] = json!("by.hand/of/a:person");
    });
}

fn image(harness: &Harness) -> Value {
    harness.child(Kind::Deployment, NAME).expect("the Deployment")["spec"]["template"]["spec"]["containers"]
        [0]["image"]
        .clone()
}

/// Prevents: an operator that undoes the very repair for which somebody paused it; one that stays silent
/// about what it leaves undone; and one that forgets it afterwards.
#[tokio::test]
async fn everything_is_left_as_it_is_until_it_goes_on() {
    let mut harness = Harness::new(json!({}));
    harness.settle().await;
    harness.change_spec(|spec| spec["paused"] = json!(true));
    let only_status = [format!("PATCH {}/status", resource_path())];
    assert_eq!(written(&mut harness).await, only_status);
    let status = harness.status();
    assert_eq!(status["observedGeneration"], 2);
    assert_eq!(status["children"].as_array().expect("children").len(), 23);
    assert_eq!(harness.condition("Paused")["status"], "True");
    assert_eq!(harness.condition("Ready")["status"], "True", "as it is");
    for absent in ["Stalled", "Reconciling"] {
        assert_eq!(harness.condition(absent), Value::Null, "what is declared serves");
    }

    edit_deployment(&harness);
    harness.api.remove(&path(Kind::PodDisruptionBudget, NAME));
    harness.change_spec(|spec| {
        spec["monitoring"] = json!({"dashboards": {"enabled": false}});
        spec["autoscaling"] = json!({"maxReplicas": 7});
    });
    assert_eq!(written(&mut harness).await, only_status);
    assert_eq!(image(&harness), "by.hand/of/a:person");
    assert_eq!(harness.child(Kind::PodDisruptionBudget, NAME), None);
    assert_eq!(harness.status()["observedGeneration"], 3);
    let paused = harness.condition("Paused")["message"].clone();
    let paused = paused.as_str().expect("a message");
    for object in [
        "Deployment producao",
        "PodDisruptionBudget producao",
        "HorizontalPodAutoscaler producao",
        "ConfigMap producao-dashboard-overview",
    ] {
        assert!(paused.contains(object), "{object}: {paused}");
    }
    assert!(!paused.contains("Service producao"), "{paused}");
    let stalled = harness.condition("Stalled");
    assert_eq!(
        (&stalled["reason"], stalled["message"].as_str()),
        (&json!("Paused"), Some(paused)),
        "a spec that is not what serves is never current"
    );
    assert_eq!(
        harness.told().iter().filter(|reason| *reason == "Paused").count(),
        1
    );

    harness.change_spec(|spec| spec["paused"] = json!(false));
    harness.settle().await;
    assert_ne!(image(&harness), "by.hand/of/a:person");
    assert!(harness.child(Kind::PodDisruptionBudget, NAME).is_some());
    assert_eq!(
        harness.child(Kind::ConfigMap, "producao-dashboard-overview"),
        None
    );
    for absent in ["Paused", "Stalled", "Reconciling"] {
        assert_eq!(harness.condition(absent), Value::Null);
    }
    assert_eq!(harness.told().last().map(String::as_str), Some("Resumed"));
}

/// Prevents: a first object made for a resource that was paused from the start, a password among them.
#[tokio::test]
async fn nothing_is_made_for_what_begins_paused() {
    let mut harness = Harness::new(json!({"paused": true}));
    assert_eq!(
        written(&mut harness).await,
        [format!("PATCH {}/status", resource_path())]
    );
    assert_eq!(harness.names(Kind::Secret), Vec::<String>::new());
    assert_eq!(harness.condition("Ready")["reason"], "RedisStatefulSetMissing");
    assert_eq!(harness.condition("Stalled")["reason"], "Paused");
    harness.change_spec(|spec| spec["paused"] = json!(false));
    harness.settle().await;
    assert_eq!(harness.condition("Ready")["status"], "True");
}

/// Prevents: a pause that hides that the resource itself is at fault, or that something is missing.
#[tokio::test]
async fn faults_are_told_all_the_same() {
    let mut harness = Harness::new(json!({}));
    harness.settle().await;
    harness.change_spec(|spec| {
        spec["paused"] = json!(true);
        spec["redis"] = json!({"managed": {"resources": {"limits": {"memory": "1Mi"}}}});
    });
    let error = harness.look().await.expect_err("it is invalid");
    assert_eq!(error.retry(), Retry::OnChange);
    assert_eq!(harness.condition("Stalled")["reason"], "Invalid");
    assert_eq!(harness.condition("Paused")["status"], "True");

    harness.change_spec(|spec| {
        spec["redis"] = json!({});
        spec["api"] = json!({"adminTokensSecret": "administradores"});
    });
    let error = harness.look().await.expect_err("a Secret is missing");
    assert_eq!(error.retry(), Retry::Missing);
    assert_eq!(harness.condition("Reconciling")["reason"], "WaitingForReference");

    harness.change_spec(|spec| spec["api"] = json!({}));
    harness.api.edit(&path(Kind::Service, NAME), |service| {
        service["metadata"]["ownerReferences"] = json!([]);
    });
    let error = harness.look().await.expect_err("a stranger stands there");
    assert!(matches!(error, Error::NameConflict(1)), "{error:?}");
}

/// Prevents: `diff` announcing changes that a pause holds back, or not naming them.
#[tokio::test]
async fn diff_tells_what_the_pause_holds_back() {
    let mut harness = Harness::new(json!({}));
    harness.settle().await;
    edit_deployment(&harness);
    let asked = |paused: bool| {
        let declared = json!({
            "apiVersion": "faciliauto.com/v1alpha1", "kind": "FaciliAutoDeployment",
            "metadata": {"name": NAME}, "spec": {"paused": paused},
        })
        .to_string();
        let client = harness.api.client();
        async move {
            changes(&client, &declared, (NAMESPACE, true), &defaults())
                .await
                .expect("an answer")
        }
    };
    let found = asked(true).await;
    assert_eq!(text::draw(&found.changes, Palette::PLAIN), "");
    assert_eq!(
        found.notes,
        [
            "producao is paused in the file: the operator leaves everything as it is until spec.paused is false. It would change Deployment producao."
        ]
    );
    let found = asked(false).await;
    assert!(text::draw(&found.changes, Palette::PLAIN).contains("by.hand/of/a:person"));
}
