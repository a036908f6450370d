//! What others edit is put right at once: what is measured is the operator, not what else the machine has to do.

use std::time::Duration;

use k8s_openapi::api::{
    apps::v1::{Deployment, StatefulSet},
    autoscaling::v2::HorizontalPodAutoscaler,
    core::v1::{ConfigMap, Service, ServiceAccount},
    networking::v1::{Ingress, NetworkPolicy},
    policy::v1::PodDisruptionBudget,
};
use kube::{
    ResourceExt,
    api::{ListParams, Patch, PatchParams},
};
use serde_json::json;

use crate::harness::{BRING_UP, NAME, Sandbox, alone, condition, eventually};

/// What may pass between somebody's edit and its correction.
const PUT_RIGHT: Duration = Duration::from_secs(2);

/// Prevents: an edit by somebody's hand that works for longer than it takes to notice it.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn every_edited_child_is_put_right_within_two_seconds() {
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
