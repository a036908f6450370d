//! What remains when the resource goes.

use std::time::Duration;

use k8s_openapi::api::{
    apps::v1::{Deployment, ReplicaSet, StatefulSet},
    autoscaling::v2::HorizontalPodAutoscaler,
    batch::v1::Job,
    core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Secret, Service, ServiceAccount},
    networking::v1::NetworkPolicy,
    policy::v1::PodDisruptionBudget,
};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, ListParams},
};
use serde_json::json;

use crate::harness::{NAME, Sandbox, eventually, with_operator};

/// Prevents: children that outlive their resource, and volumes that do not.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn deleting_the_resource_removes_every_child_but_the_volumes() {
    with_operator("delete", |sandbox| async move {
        sandbox.apply(json!({"autoscaling": {"minReplicas": 1}})).await;
        sandbox.wait_until_ready().await;
        let volumes = names(&sandbox.api::<PersistentVolumeClaim>()).await;
        assert_eq!(volumes.len(), 2, "of Redis and of backups: {volumes:?}");

        sandbox
            .resources()
            .delete(NAME, &DeleteParams::default())
            .await
            .expect("the deletion");
        eventually("no child is left", Duration::from_secs(120), || async {
            remaining(&sandbox).await.is_empty().then_some(())
        })
        .await;
        assert_eq!(
            names(&sandbox.api::<PersistentVolumeClaim>()).await,
            volumes,
            "the volumes stay"
        );

        sandbox.apply(json!({"autoscaling": {"minReplicas": 1}})).await;
        let again = sandbox.wait_until_ready().await;
        assert_eq!(again.data["status"]["stock"]["seeded"], true);
        assert_eq!(
            names(&sandbox.api::<PersistentVolumeClaim>()).await,
            volumes,
            "the volumes are adopted again"
        );
    })
    .await;
}

/// Everything of ours in the namespace but volumes.
async fn remaining(sandbox: &Sandbox) -> Vec<String> {
    let mut left = names(&sandbox.api::<Deployment>()).await;
    left.extend(names(&sandbox.api::<ReplicaSet>()).await);
    left.extend(names(&sandbox.api::<StatefulSet>()).await);
    left.extend(names(&sandbox.api::<HorizontalPodAutoscaler>()).await);
    left.extend(names(&sandbox.api::<Job>()).await);
    left.extend(names(&sandbox.api::<ConfigMap>()).await);
    left.extend(names(&sandbox.api::<Pod>()).await);
    left.extend(names(&sandbox.api::<Secret>()).await);
    left.extend(names(&sandbox.api::<Service>()).await);
    left.extend(names(&sandbox.api::<ServiceAccount>()).await);
    left.extend(names(&sandbox.api::<PodDisruptionBudget>()).await);
    left.extend(names(&sandbox.api::<NetworkPolicy>()).await);
    left
}

/// The names of all objects of a kind that carry our label.
async fn names<K>(api: &Api<K>) -> Vec<String>
where
    K: kube::Resource + Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    let ours = ListParams::default().labels("app.kubernetes.io/instance=faciliauto");
    api.list(&ours)
        .await
        .expect("a list")
        .iter()
        .map(ResourceExt::name_any)
        .collect()
}
