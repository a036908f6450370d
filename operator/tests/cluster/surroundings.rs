//! What lies around a system, on a real API server: routes, policies, and kinds that come and go.

use std::time::Duration;

use k8s_openapi::{
    api::networking::v1::{Ingress, IngressClass, NetworkPolicy},
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, ResourceExt,
    api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, PostParams},
};
use serde_json::{Value, json};

use crate::harness::{NAME, Sandbox, alone, condition, eventually, with_operator};

/// A watch that failed is begun again within 30 s, plus jitter, plus the look itself.
const NOTICED: Duration = Duration::from_secs(120);

/// The definition of a kind is watched while the kind is absent: below the pause of one who asks again
/// and again.
const INSTALLED: Duration = Duration::from_secs(20);

async fn reason(sandbox: &Sandbox, kind: &str) -> Option<String> {
    let found = sandbox.resources().get(NAME).await.ok()?;
    condition(&found, kind)?["reason"].as_str().map(str::to_owned)
}

/// Prevents: children that a real API server refuses, and Ready before somebody serves the Ingress.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn ingress_is_served_as_soon_as_its_class_exists() {
    with_operator("ingress", |sandbox| async move {
        // A name of this test's own: classes belong to the whole cluster.
        let class = sandbox.namespace.clone();
        sandbox
            .apply(json!({
                "autoscaling": {"minReplicas": 1},
                "exposure": {"ingress": {"enabled": true, "className": class, "hosts": ["a.example", "*.b.example"],
                    "tls": {"secretName": "certificate"}}},
                "networkPolicy": {"ingressFrom": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]},
            }))
            .await;
        eventually("the class is missed", NOTICED, || async {
            (reason(&sandbox, "Exposed").await? == "IngressClassMissing").then_some(())
        })
        .await;
        let ingress = sandbox.api::<Ingress>().get(NAME).await.expect("the Ingress");
        assert_eq!(ingress.spec.expect("a spec").rules.expect("rules").len(), 2);
        let policies = sandbox.api::<NetworkPolicy>().list(&ListParams::default()).await;
        assert_eq!(policies.expect("policies").items.len(), 3);

        let classes: Api<IngressClass> = Api::all(sandbox.client.clone());
        let made: IngressClass = serde_json::from_value(json!({
            "metadata": {"name": class}, "spec": {"controller": "example.com/none"},
        }))
        .expect("a class");
        classes.create(&PostParams::default(), &made).await.expect("the class");
        let ready = sandbox.wait_until_ready().await;
        let _ = classes.delete(&class, &DeleteParams::default()).await;
        assert_eq!(condition(&ready, "Exposed").expect("a condition")["status"], "True");
        assert_eq!(ready.data["status"]["url"], "https://a.example");
    })
    .await;
}

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
