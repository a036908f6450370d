//! What others delete or edit is put right.

use std::time::Duration;

use k8s_openapi::api::{
    apps::v1::{Deployment, StatefulSet},
    autoscaling::v2::HorizontalPodAutoscaler,
    core::v1::{ConfigMap, Secret, Service, ServiceAccount},
    networking::v1::{Ingress, NetworkPolicy},
    policy::v1::PodDisruptionBudget,
};
use kube::{
    ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams},
};
use serde_json::json;

use crate::harness::{BRING_UP, NAME, Sandbox, alone, condition, eventually, with_operator};

/// Prevents: an outage by a slip of somebody's hand that lasts until the next change of the resource.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn deleted_deployment_and_edited_service_are_put_right() {
    with_operator("drift", |sandbox| async move {
        sandbox.apply(json!({"autoscaling": {"minReplicas": 1}})).await;
        sandbox.wait_until_ready().await;

        let services = sandbox.api::<Service>();
        let wanted = services
            .get(NAME)
            .await
            .expect("the Service")
            .spec
            .expect("a spec")
            .ports;
        let edit = json!([{"op": "replace", "path": "/spec/ports/0/port", "value": 81}]);
        let patch = Patch::Json::<()>(serde_json::from_value(edit).expect("a JSON patch"));
        services
            .patch(NAME, &PatchParams::default(), &patch)
            .await
            .expect("the edit");
        eventually(
            "the Service's ports are put back",
            Duration::from_secs(10),
            || async { (services.get(NAME).await.ok()?.spec?.ports == wanted).then_some(()) },
        )
        .await;

        let deployments = sandbox.api::<Deployment>();
        let before = deployments.get(NAME).await.expect("the Deployment").uid();
        deployments
            .delete(NAME, &DeleteParams::foreground())
            .await
            .expect("the deletion");
        eventually("the Deployment is back", Duration::from_secs(60), || async {
            let found = deployments.get(NAME).await.ok()?;
            (found.uid() != before && found.status?.ready_replicas == Some(1)).then_some(())
        })
        .await;
        sandbox.wait_until_ready().await;
    })
    .await;
}

/// Prevents: a kind of child that is watched, or compared, less well than the others.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn every_deleted_child_comes_back() {
    with_operator("children", |sandbox| async move {
        sandbox.apply(json!({"autoscaling": {"minReplicas": 1}})).await;
        sandbox.wait_until_ready().await;
        comes_back::<ServiceAccount>(&sandbox).await;
        comes_back::<ConfigMap>(&sandbox).await;
        comes_back::<Service>(&sandbox).await;
        comes_back::<HorizontalPodAutoscaler>(&sandbox).await;
        comes_back::<PodDisruptionBudget>(&sandbox).await;
        comes_back::<NetworkPolicy>(&sandbox).await;
        comes_back::<Deployment>(&sandbox).await;
        comes_back::<StatefulSet>(&sandbox).await;
        // Secrets are read by name at each reconcile and never watched.
        comes_back::<Secret>(&sandbox).await;
        sandbox.wait_until_ready().await;
        let answer = sandbox
            .call_api("GET", "/health", None)
            .await
            .expect("the API answers");
        assert!(
            answer["cars"].as_u64().is_some_and(|cars| cars >= 300),
            "{answer}"
        );
    })
    .await;
}

/// What may pass between somebody's edit and its correction.
const PUT_RIGHT: Duration = Duration::from_secs(2);

/// Prevents: an edit by somebody's hand that works for longer than it takes to notice it.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn every_edited_child_is_put_right_within_two_seconds() {
    // Alone: what is measured is the operator, not what else the machine has to do.
    alone("edits", |sandbox| async move {
        let class = json!({"enabled": true, "className": "nobody", "hosts": ["a.example"]});
        let spec = json!({"autoscaling": {"minReplicas": 1}, "exposure": {"ingress": class}});
        sandbox.apply(spec).await;
        eventually("the API is available", BRING_UP, || async {
            let found = sandbox.resources().get(NAME).await.ok()?;
            (condition(&found, "Available")?["status"] == "True").then_some(())
        })
        .await;
        is_put_right::<ServiceAccount>(&sandbox).await;
        is_put_right::<ConfigMap>(&sandbox).await;
        is_put_right::<Service>(&sandbox).await;
        is_put_right::<HorizontalPodAutoscaler>(&sandbox).await;
        is_put_right::<PodDisruptionBudget>(&sandbox).await;
        is_put_right::<NetworkPolicy>(&sandbox).await;
        is_put_right::<Ingress>(&sandbox).await;
        is_put_right::<Deployment>(&sandbox).await;
        is_put_right::<StatefulSet>(&sandbox).await;
    })
    .await;
}

/// Edits a field of ours in every object of a kind, and waits until it is as it was.
async fn is_put_right<K>(sandbox: &Sandbox)
where
    K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope>
        + Clone
        + std::fmt::Debug
        + serde::de::DeserializeOwned,
    K::DynamicType: Default,
{
    const LABEL: &str = "app.kubernetes.io/part-of";
    let kind = K::kind(&K::DynamicType::default()).into_owned();
    let api = sandbox.api::<K>();
    let ours = ListParams::default().labels("app.kubernetes.io/managed-by=faciliauto-operator");
    let before = api.list(&ours).await.expect("a list").items;
    assert!(!before.is_empty(), "{kind}: none to edit");
    for object in before {
        let (name, label) = (object.name_any(), object.labels()[LABEL].clone());
        let edit = Patch::Merge(json!({"metadata": {"labels": {LABEL: "somebody"}}}));
        api.patch(&name, &PatchParams::default(), &edit)
            .await
            .expect("the edit");
        eventually(&format!("{kind} {name} is put right"), PUT_RIGHT, || async {
            (api.get(&name).await.ok()?.labels()[LABEL] == label).then_some(())
        })
        .await;
    }
}

/// Deletes every object of a kind that carries our label, and waits for each by name with another UID.
async fn comes_back<K>(sandbox: &Sandbox)
where
    K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope>
        + Clone
        + std::fmt::Debug
        + serde::de::DeserializeOwned,
    K::DynamicType: Default,
{
    let kind = K::kind(&K::DynamicType::default()).into_owned();
    let api = sandbox.api::<K>();
    let ours = ListParams::default().labels("app.kubernetes.io/managed-by=faciliauto-operator");
    let before = api.list(&ours).await.expect("a list").items;
    assert!(!before.is_empty(), "{kind}: none to delete");
    for object in before {
        let (name, uid) = (object.name_any(), object.uid());
        api.delete(&name, &DeleteParams::background())
            .await
            .expect("the deletion");
        if kind == "Secret" {
            sandbox.touch().await;
        }
        eventually(
            &format!("{kind} {name} is back"),
            Duration::from_secs(60),
            || async { (api.get(&name).await.ok()?.uid() != uid).then_some(()) },
        )
        .await;
    }
}
