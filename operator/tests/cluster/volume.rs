//! Redis's volume on a real cluster: refused while its StorageClass forbids it, then grown around the running pod.

use std::time::Duration;

use k8s_openapi::api::{
    apps::v1::StatefulSet,
    core::v1::{PersistentVolumeClaim, Pod},
    storage::v1::StorageClass,
};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use crate::harness::{NAME, Sandbox, condition, eventually, with_operator};

const ANSWERED: Duration = Duration::from_secs(30);

fn spec(class: &str, size: &str) -> Value {
    json!({
        "autoscaling": {"minReplicas": 1},
        "redis": {"managed": {"storage": {"size": size, "storageClassName": class}}},
    })
}

/// What the claim asks for, and the template that made it.
async fn sizes(sandbox: &Sandbox) -> Option<(String, String)> {
    let claim = sandbox
        .api::<PersistentVolumeClaim>()
        .get(&format!("data-{NAME}-redis-0"))
        .await
        .ok()?;
    let set = sandbox
        .api::<StatefulSet>()
        .get(&format!("{NAME}-redis"))
        .await
        .ok()?;
    let template = set.spec?.volume_claim_templates?.into_iter().next()?;
    let asked = |claim: PersistentVolumeClaim| Some(claim.spec?.resources?.requests?.remove("storage")?.0);
    Some((asked(claim)?, asked(template)?))
}

async fn redis_pod(sandbox: &Sandbox) -> String {
    let pod = sandbox.api::<Pod>().get(&format!("{NAME}-redis-0")).await;
    pod.expect("Redis's pod").uid().expect("a UID")
}

/// Prevents: a volume that stays small although a larger one was declared, a Redis that is restarted for it, and
/// a refusal that nobody hears of.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn volume_grows_around_its_pod() {
    with_operator("volume", |sandbox| async move {
        let classes: Api<StorageClass> = Api::all(sandbox.client.clone());
        let class = sandbox.namespace.clone();
        // Nobody but the test needs the class, and it goes with it, however the test ends.
        let namespace = Api::<k8s_openapi::api::core::v1::Namespace>::all(sandbox.client.clone());
        let owner = namespace.get(&class).await.expect("the namespace");
        let made = serde_json::from_value(json!({
            "metadata": {"name": class, "ownerReferences": [{
                "apiVersion": "v1", "kind": "Namespace", "name": class, "uid": owner.uid(),
            }]},
            "provisioner": "rancher.io/local-path", "volumeBindingMode": "WaitForFirstConsumer",
            "allowVolumeExpansion": false,
        }))
        .expect("a StorageClass");
        classes
            .create(&PostParams::default(), &made)
            .await
            .expect("the StorageClass");

        sandbox.apply(spec(&class, "1Gi")).await;
        sandbox.wait_until_ready().await;
        let pod = redis_pod(&sandbox).await;

        sandbox.apply(spec(&class, "2Gi")).await;
        let refused = eventually("the refusal is told", ANSWERED, || async {
            let found = sandbox.resources().get(NAME).await.ok()?;
            condition(&found, "Stalled")
                .is_some_and(|one| one["reason"] == "VolumeCannotGrow")
                .then_some(found)
        })
        .await;
        let message = condition(&refused, "Stalled").expect("Stalled")["message"].to_string();
        assert!(message.contains(&class) && message.contains("2Gi"), "{message}");
        assert_eq!(sizes(&sandbox).await, Some(("1Gi".to_owned(), "1Gi".to_owned())));

        let allowed = Patch::Merge(json!({"allowVolumeExpansion": true}));
        classes
            .patch(&class, &PatchParams::default(), &allowed)
            .await
            .expect("the StorageClass");
        sandbox.apply(spec(&class, "3Gi")).await;
        eventually("claim and template say the new size", ANSWERED, || async {
            (sizes(&sandbox).await? == ("3Gi".to_owned(), "3Gi".to_owned())).then_some(())
        })
        .await;
        let healed = sandbox.wait_until_ready().await;
        assert_eq!(condition(&healed, "Stalled"), None);
        assert_eq!(redis_pod(&sandbox).await, pod, "Redis went on running");
        let _ = classes.delete(&class, &DeleteParams::default()).await;
    })
    .await;
}
