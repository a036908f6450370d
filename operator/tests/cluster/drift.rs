//! What others delete or edit is put right.

use std::time::Duration;

use k8s_openapi::api::{
    apps::v1::{Deployment, StatefulSet},
    autoscaling::v2::HorizontalPodAutoscaler,
    core::v1::{ConfigMap, Secret, Service, ServiceAccount},
    networking::v1::NetworkPolicy,
    policy::v1::PodDisruptionBudget,
};
use kube::{
    ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams},
};
use serde_json::json;

use crate::harness::{NAME, Sandbox, eventually, with_operator};

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
