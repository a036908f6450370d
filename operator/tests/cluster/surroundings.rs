//! What lies around a system, on a real API server: routes, policies and classes.

use std::time::Duration;

use k8s_openapi::api::networking::v1::{Ingress, IngressClass, NetworkPolicy};
use kube::{
    Api,
    api::{DeleteParams, ListParams, PostParams},
};
use serde_json::json;

use crate::harness::{NAME, Sandbox, condition, eventually, with_operator};

/// A watch that failed is begun again within 30 s, plus jitter, plus the look itself.
pub(crate) const NOTICED: Duration = Duration::from_secs(120);

/// Why a condition of the resource is as it is.
pub(crate) async fn reason(sandbox: &Sandbox, kind: &str) -> Option<String> {
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
