//! Kinds that come and go while the operator runs.

use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    Api, ResourceExt,
    api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, PostParams},
};
use serde_json::{Value, json};

use crate::{
    harness::{NAME, alone, eventually},
    surroundings::{NOTICED, reason},
};

/// The definition of a kind is watched while the kind is absent: below the pause of one who asks again
/// and again.
const INSTALLED: Duration = Duration::from_secs(20);

/// A definition of a kind as far as the operator can tell: any content is taken.
fn definition(group: &str, kind: &str, plural: &str) -> CustomResourceDefinition {
    serde_json::from_value(json!({
        "metadata": {"name": format!("{plural}.{group}"), "labels": {"faciliauto-test": "surroundings"}},
        "spec": {
            "group": group, "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.to_lowercase()},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                "type": "object", "x-kubernetes-preserve-unknown-fields": true,
            }}}],
        },
    }))
    .expect("a definition")
}

/// Prevents: an operator that must be restarted after the Prometheus Operator was installed, or that
/// stands still after it was removed. Skipped where the cluster has the kind for real.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn optional_kind_comes_and_goes_while_the_operator_runs() {
    alone("optional", |sandbox| async move {
        let definitions: Api<CustomResourceDefinition> = Api::all(sandbox.client.clone());
        let wanted = definition("monitoring.coreos.com", "ServiceMonitor", "servicemonitors");
        let name = wanted.name_any();
        if definitions.get_opt(&name).await.expect("an answer").is_some() {
            println!("skipped: the cluster has {name} already");
            return;
        }
        sandbox
            .apply(json!({"autoscaling": {"minReplicas": 1}, "monitoring": {"alerts": {"mode": "Never"}}}))
            .await;
        sandbox.wait_until_ready().await;
        assert_eq!(reason(&sandbox, "MonitoringReady").await.as_deref(), Some("NotInstalled"));

        definitions.create(&PostParams::default(), &wanted).await.expect("the definition");
        let resource = ApiResource::from_gvk_with_plural(
            &GroupVersionKind::gvk("monitoring.coreos.com", "v1", "ServiceMonitor"),
            "servicemonitors",
        );
        let monitors: Api<DynamicObject> =
            Api::namespaced_with(sandbox.client.clone(), &sandbox.namespace, &resource);
        eventually("the ServiceMonitor is made", INSTALLED, || async {
            monitors.get_opt(NAME).await.ok()?
        })
        .await;
        eventually("the condition follows", NOTICED, || async {
            (reason(&sandbox, "MonitoringReady").await? == "Applied").then_some(())
        })
        .await;

        let removed = definitions.delete(&name, &DeleteParams::default()).await;
        removed.expect("the definition goes");
        eventually("the loss is noticed", NOTICED, || async {
            (reason(&sandbox, "MonitoringReady").await? == "NotInstalled").then_some(())
        })
        .await;
        // The rest goes on.
        let change: Value = json!({"autoscaling": {"minReplicas": 1}, "monitoring": {"alerts": {"mode": "Never"},
            "dashboards": {"enabled": false}}});
        sandbox.apply(change).await;
        eventually("other changes are followed", Duration::from_secs(30), || async {
            let found = sandbox.resources().get(NAME).await.ok()?;
            let seen = found.data["status"]["observedGeneration"].as_i64() == found.metadata.generation;
            let children = found.data["status"]["children"].to_string();
            (seen && !children.contains("-dashboard-")).then_some(())
        })
        .await;
    })
    .await;
}
