//! `diff` over an API server in memory: it tells what would change, and changes nothing.

use faciliauto_operator::{
    capabilities::Availability,
    cli::{
        diff::{Changes, changes, text},
        terminal::Palette,
    },
    resources::Kind,
};
use serde_json::{Value, json};

use crate::{
    golden::{assert_golden, defaults},
    harness::{Harness, NAME, NAMESPACE, path},
};

fn declared(spec: &Value) -> String {
    json!({
        "apiVersion": "faciliauto.com/v1alpha1", "kind": "FaciliAutoDeployment",
        "metadata": {"name": NAME}, "spec": spec,
    })
    .to_string()
}

/// What would change, after it was checked that nothing has.
async fn asked(harness: &Harness, spec: Value) -> Changes {
    let before = harness.api.with(|state| state.objects.clone());
    let found = changes(
        &harness.api.client(),
        &declared(&spec),
        (NAMESPACE, true),
        &defaults(),
    )
    .await
    .expect("an answer");
    assert!(
        harness.api.with(|state| state.objects == before),
        "nothing is written"
    );
    found
}

fn drawn(found: &Changes) -> String {
    text::draw(&found.changes, Palette::PLAIN)
}

async fn settled(spec: Value) -> Harness {
    let mut harness = Harness::new(spec);
    harness.settle().await;
    harness
}

/// Prevents: a pipeline that fails at rest, because what the operator wrote differs from what `diff`
/// builds.
#[tokio::test]
async fn what_the_operator_made_does_not_differ() {
    let specs = [
        json!({}),
        json!({"autoscaling": {"enabled": false}, "replicas": 3}),
        json!({"redis": {"managed": {"storage": {"size": "2Gi"}}}}),
    ];
    for spec in specs {
        let harness = settled(spec.clone()).await;
        let found = asked(&harness, spec.clone()).await;
        assert_eq!(
            (drawn(&found), found.notes),
            (String::new(), Vec::new()),
            "{spec}"
        );
    }
}

/// Prevents: a diff that takes every cluster for one without the Prometheus Operator, and so promises to
/// delete what the operator made.
#[tokio::test]
async fn optional_kinds_are_asked_for() {
    let mut harness = Harness::new(json!({}));
    harness.set_capability(Kind::ServiceMonitor, Availability::Present);
    harness.set_capability(Kind::PrometheusRule, Availability::Present);
    harness.settle().await;
    assert_eq!(drawn(&asked(&harness, json!({})).await), "");
    let unmonitored =
        json!({"monitoring": {"serviceMonitor": {"mode": "Never"}, "alerts": {"mode": "Never"}}});
    let gone: Vec<_> = asked(&harness, unmonitored)
        .await
        .changes
        .into_iter()
        .filter(|change| change.declared.is_none())
        .map(|change| change.kind)
        .collect();
    assert_eq!(gone, ["ServiceMonitor", "PrometheusRule"]);
}

/// Prevents: a diff at rest of a system that is being scaled, or whose stock was imported.
#[tokio::test]
async fn what_others_own_does_not_differ() {
    let harness = settled(json!({})).await;
    harness.api.edit(&path(Kind::Deployment, NAME), |object| {
        object["spec"]["replicas"] = json!(7);
        object["metadata"]["managedFields"] = json!([{
            "manager": "kube-controller-manager", "operation": "Update", "subresource": "scale",
            "fieldsV1": {"f:spec": {"f:replicas": {}}},
        }]);
    });
    assert_eq!(drawn(&asked(&harness, json!({})).await), "");
}

/// Prevents: an edit whose effect nobody has seen before it reaches production.
#[tokio::test]
async fn effects_of_an_edit_are_shown() {
    let harness = settled(json!({})).await;
    let spec = json!({
        "api": {"logLevel": "debug"},
        "autoscaling": {"maxReplicas": 20},
        "disruptionBudget": {"enabled": false},
        "redis": {"managed": {"storage": {"size": "3Gi"}}},
    });
    let claim = format!("data-{NAME}-redis-0");
    harness.api.put(
        &path(Kind::PersistentVolumeClaim, &claim),
        json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"name": claim, "namespace": NAMESPACE},
            "spec": {"resources": {"requests": {"storage": "1Gi"}}},
        }),
    );
    let password = &harness
        .child(Kind::Secret, "producao-redis-credentials")
        .expect("a Secret")["data"]["password"];
    let text = drawn(&asked(&harness, spec).await);
    assert!(!text.contains(password.as_str().expect("a password")));
    assert_golden("diff/edit.diff", &text);
}

/// Prevents: a first installation of which `diff` says nothing, or which it refuses.
#[tokio::test]
async fn everything_is_new_where_nothing_is() {
    let mut harness = settled(json!({})).await;
    let paths: Vec<String> = harness.api.with(|state| state.objects.keys().cloned().collect());
    for path in paths {
        harness.api.remove(&path);
    }
    harness.restart();
    let found = asked(&harness, json!({})).await;
    let made: Vec<_> = found
        .changes
        .iter()
        .map(|change| (change.kind, change.live.is_none(), change.declared.is_some()))
        .collect();
    assert!(
        made.iter().all(|(_, is_new, is_made)| *is_new && *is_made),
        "{made:?}"
    );
    // The children, the generated secrets and the seed Job; no kind that a cluster may lack.
    assert_eq!(made.len(), 24, "{made:?}");
    assert!(
        !drawn(&found).contains("generated-once"),
        "values of Secrets are masked"
    );
}

/// Prevents: drift, and a Service port that was edited by hand, being unseen, or breaking `diff`.
#[tokio::test]
async fn drift_is_shown() {
    let harness = settled(json!({})).await;
    harness.api.edit(&path(Kind::Service, NAME), |service| {
        service["spec"]["ports"][0]["port"] = json!(8080);
    });
    harness
        .api
        .edit(&path(Kind::HorizontalPodAutoscaler, NAME), |autoscaler| {
            autoscaler["spec"]["maxReplicas"] = json!(50);
        });
    assert_golden("diff/drift.diff", &drawn(&asked(&harness, json!({})).await));
}

/// Prevents: `diff` promising to change what the operator will not touch.
#[tokio::test]
async fn what_is_not_ours_is_left_alone() {
    let harness = settled(json!({})).await;
    harness.api.edit(&path(Kind::Service, NAME), |service| {
        service["metadata"]["ownerReferences"] = json!([]);
        service["spec"]["type"] = json!("NodePort");
    });
    let found = asked(&harness, json!({})).await;
    assert_eq!(
        (drawn(&found), found.notes),
        (
            String::new(),
            vec!["Service producao exists and is not ours: the operator leaves it alone".to_owned()]
        )
    );
}

/// Prevents: an answer about another namespace than the one that was meant.
#[tokio::test]
async fn two_namespaces_are_one_too_many() {
    let harness = settled(json!({})).await;
    let text =
        declared(&json!({})).replace(r#""name":"producao""#, r#""name":"producao","namespace":"norte""#);
    let error = changes(&harness.api.client(), &text, (NAMESPACE, true), &defaults())
        .await
        .expect_err("which of the two?");
    assert_eq!(
        error.to_string(),
        "producao names the namespace norte, not lojas: leave one of them out"
    );
    let invalid = declared(&json!({"autoscaling": {"minReplicas": 9, "maxReplicas": 3}}));
    let error = changes(&harness.api.client(), &invalid, (NAMESPACE, false), &defaults())
        .await
        .expect_err("no children can be built");
    assert!(format!("{error:#}").contains("minReplicas 9"), "{error:#}");
}
