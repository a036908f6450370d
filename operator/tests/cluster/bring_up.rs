//! The main job: one resource in, a whole working system out.

use std::time::Duration;

use k8s_openapi::api::{
    apps::v1::{Deployment, StatefulSet},
    autoscaling::v2::HorizontalPodAutoscaler,
    batch::v1::Job,
    core::v1::{ConfigMap, Secret, Service, ServiceAccount},
    networking::v1::NetworkPolicy,
    policy::v1::PodDisruptionBudget,
};
use kube::{ResourceExt, api::ListParams};
use serde_json::json;

use crate::harness::{NAME, Sandbox, condition, eventually, with_operator};

/// Prevents: a minimal resource that needs anything else to become a system that recommends cars.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn minimal_resource_becomes_a_system_that_recommends_cars() {
    with_operator("up", |sandbox| async move {
        sandbox.apply(json!({})).await;
        let ready = sandbox.wait_until_ready().await;

        assert_eq!(ready.data["status"]["readyReplicas"], 2, "minReplicas is 2");
        assert_eq!(
            ready.data["status"]["url"],
            format!("http://{NAME}.{}.svc", sandbox.namespace)
        );
        assert_eq!(
            condition(&ready, "RedisReady").expect("RedisReady")["status"],
            "True"
        );
        assert!(
            condition(&ready, "Stalled").is_none(),
            "kstatus: Stalled is present only when true"
        );

        every_child_exists_and_is_ours(&sandbox, &ready.uid().expect("a uid")).await;
        api_recommends_through_its_service(&sandbox).await;
        autoscaler_reads_real_utilisation(&sandbox).await;
    })
    .await;
}

/// Every kind of child with our owner reference and labels, by name.
async fn every_child_exists_and_is_ours(sandbox: &Sandbox, uid: &str) {
    let expected = [
        kind_has::<ServiceAccount>(sandbox, uid, NAME).await,
        kind_has::<ConfigMap>(sandbox, uid, "faciliauto-config-").await,
        kind_has::<ConfigMap>(sandbox, uid, "faciliauto-redis-config-").await,
        kind_has::<Secret>(sandbox, uid, "faciliauto-redis-credentials").await,
        kind_has::<Secret>(sandbox, uid, "faciliauto-redis-login").await,
        kind_has::<Secret>(sandbox, uid, "faciliauto-redis-acl").await,
        kind_has::<Secret>(sandbox, uid, "faciliauto-admin-tokens").await,
        kind_has::<NetworkPolicy>(sandbox, uid, "faciliauto-api").await,
        kind_has::<NetworkPolicy>(sandbox, uid, "faciliauto-jobs").await,
        kind_has::<NetworkPolicy>(sandbox, uid, "faciliauto-redis").await,
        kind_has::<ConfigMap>(sandbox, uid, "faciliauto-dashboard-overview").await,
        kind_has::<StatefulSet>(sandbox, uid, "faciliauto-redis").await,
        kind_has::<Service>(sandbox, uid, "faciliauto-redis").await,
        kind_has::<Job>(sandbox, uid, "faciliauto-seed").await,
        kind_has::<Deployment>(sandbox, uid, NAME).await,
        kind_has::<Service>(sandbox, uid, NAME).await,
        kind_has::<HorizontalPodAutoscaler>(sandbox, uid, NAME).await,
        kind_has::<PodDisruptionBudget>(sandbox, uid, NAME).await,
    ];
    let missing: Vec<_> = expected.into_iter().filter_map(Result::err).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

/// Looks for an object of kind `K` whose name starts with `prefix`; the error says what is wrong with it.
async fn kind_has<K>(sandbox: &Sandbox, uid: &str, prefix: &str) -> Result<(), String>
where
    K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope>
        + Clone
        + std::fmt::Debug
        + serde::de::DeserializeOwned,
    K::DynamicType: Default,
{
    let kind = K::kind(&K::DynamicType::default()).into_owned();
    let found = sandbox
        .api::<K>()
        .list(&ListParams::default())
        .await
        .map_err(|error| error.to_string())?;
    let child = found
        .into_iter()
        .find(|object| object.name_any().starts_with(prefix))
        .ok_or_else(|| format!("{kind} {prefix} does not exist"))?;
    let owner = child
        .owner_references()
        .iter()
        .find(|owner| owner.controller == Some(true));
    if owner.map(|owner| owner.uid.as_str()) != Some(uid) {
        return Err(format!("{kind} {prefix} is not controlled by the resource"));
    }
    let wanted = [
        ("app.kubernetes.io/instance", NAME),
        ("app.kubernetes.io/managed-by", "faciliauto-operator"),
        ("app.kubernetes.io/name", "faciliauto"),
    ];
    for (key, value) in wanted {
        if child.labels().get(key).map(String::as_str) != Some(value) {
            return Err(format!("{kind} {prefix} lacks the label {key}={value}"));
        }
    }
    Ok(())
}

async fn api_recommends_through_its_service(sandbox: &Sandbox) {
    let questionnaire = json!({
        "orcamento_min": 50_000, "orcamento_max": 90_000, "uso_principal": "familia",
        "tamanho_familia": 4, "prioridades": {"seguranca": 5, "espaco": 4}, "limit": 5,
    });
    let answer = sandbox
        .call_api("POST", "/recommend", Some(questionnaire))
        .await
        .expect("an answer");
    let cars = answer["recommendations"].as_array().expect("recommendations");
    assert_eq!(cars.len(), 5);
    for item in cars {
        let price = item["car"]["preco"].as_f64().expect("a price");
        assert!(
            (0.0..=90_000.0).contains(&price),
            "{price} is over the maximum budget"
        );
        assert!(!item["justification"].as_str().expect("a reason").is_empty());
    }
    let health = sandbox.call_api("GET", "/health", None).await.expect("an answer");
    assert_eq!(health["status"], "healthy");
    assert_eq!(health["sample"], true, "the seed Job imported the sample stock");
}

/// Prevents: an autoscaler that shows `<unknown>`, because a container lacks requests.
async fn autoscaler_reads_real_utilisation(sandbox: &Sandbox) {
    let autoscalers = sandbox.api::<HorizontalPodAutoscaler>();
    let metrics = eventually(
        "the HPA has current metrics",
        Duration::from_secs(120),
        || async {
            let current = autoscalers.get(NAME).await.ok()?.status?.current_metrics?;
            let known = current.iter().all(|metric| {
                metric
                    .container_resource
                    .as_ref()
                    .is_some_and(|value| value.current.average_utilization.is_some())
            });
            (known && current.len() == 2).then_some(current)
        },
    )
    .await;
    let mut resources: Vec<_> = metrics
        .into_iter()
        .filter_map(|metric| Some(metric.container_resource?.name))
        .collect();
    resources.sort();
    assert_eq!(resources, ["cpu", "memory"]);
}
