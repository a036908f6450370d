//! Rollouts that fail on real pods: those that serve go on serving, and what fails goes back.

use std::{env, time::Duration};

use k8s_openapi::api::{apps::v1::Deployment, core::v1::Pod};
use kube::{Api, ResourceExt, api::DynamicObject};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::harness::{NAME, Sandbox, condition, eventually, with_operator};

/// The shortest deadline there is.
const DEADLINE_SECONDS: u32 = 30;
/// From an edit to the rollback: the deadline, what a busy node takes to start a pod, and room.
const PUT_BACK: Duration = Duration::from_secs(150);
/// From the fix to a system that runs with it.
const FIXED: Duration = Duration::from_secs(180);
/// How often ready pods are counted.
const GLANCE: Duration = Duration::from_millis(100);

fn system(more: &Value) -> Value {
    let mut spec = json!({
        "autoscaling": {"enabled": false}, "replicas": 2, "monitoring": {"dashboards": {"enabled": false}},
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        spec[key] = value.clone();
    }
    spec
}

fn reason<'a>(resource: &'a DynamicObject, kind: &str) -> Option<&'a str> {
    condition(resource, kind)?["reason"].as_str()
}

async fn wait_for_rollback(sandbox: &Sandbox) -> DynamicObject {
    let resources = sandbox.resources();
    eventually("the rollout is put back", PUT_BACK, || async {
        let found = resources.get(NAME).await.ok()?;
        (reason(&found, "Stalled") == Some("RolledBack")).then_some(found)
    })
    .await
}

/// Waits until nothing is under way any more.
async fn wait_until_current(sandbox: &Sandbox) -> DynamicObject {
    let resources = sandbox.resources();
    eventually("the resource is current", FIXED, || async {
        let found = resources.get(NAME).await.ok()?;
        let observed = found.data["status"]["observedGeneration"].as_i64() == found.metadata.generation;
        let calm = ["Stalled", "Reconciling"]
            .iter()
            .all(|kind| condition(&found, kind).is_none());
        (observed && calm && condition(&found, "Ready")?["status"] == "True").then_some(found)
    })
    .await
}

/// Counts ready API pods until it is dropped; the fewest there were.
struct Watcher {
    counting: tokio::task::JoinHandle<i32>,
    stop: tokio::sync::oneshot::Sender<()>,
}

impl Watcher {
    fn start(sandbox: &Sandbox) -> Self {
        let deployments: Api<Deployment> = sandbox.api();
        let (stop, mut stopped) = tokio::sync::oneshot::channel();
        let counting = tokio::spawn(async move {
            let mut fewest = i32::MAX;
            while stopped.try_recv().is_err() {
                if let Ok(deployment) = deployments.get(NAME).await {
                    let status = deployment.status.unwrap_or_default();
                    fewest = fewest.min(status.ready_replicas.unwrap_or(0));
                }
                sleep(GLANCE).await;
            }
            fewest
        });
        Self { counting, stop }
    }

    async fn fewest(self) -> i32 {
        let _ = self.stop.send(());
        self.counting.await.expect("the count")
    }
}

async fn fails_and_is_fixed(purpose: &str, bad: Value, fixed: Value, part: &'static str) {
    with_operator(purpose, |sandbox| async move {
        sandbox.apply(system(&json!({}))).await;
        sandbox.wait_until_ready().await;
        let good = wait_until_current(&sandbox).await.data["status"]["rollout"]["revision"].clone();
        let watcher = Watcher::start(&sandbox);

        let mut spec = system(&bad);
        spec["rollout"] = json!({"deadlineSeconds": DEADLINE_SECONDS});
        sandbox.apply(spec).await;
        let back = wait_for_rollback(&sandbox).await;
        assert_eq!(condition(&back, "Ready").expect("a condition")["status"], "True");
        let message = condition(&back, "Stalled").expect("a condition")["message"]
            .as_str()
            .expect("a text");
        assert!(
            message.contains(part) && message.contains("serves instead"),
            "{message}"
        );
        let rollout = &back.data["status"]["rollout"];
        assert_eq!(rollout["lastGood"], good);
        assert_ne!(rollout["failed"], good);
        // The pod that failed goes, and the deployment is whole again.
        let deployments: Api<Deployment> = sandbox.api();
        eventually("only the good pods are left", PUT_BACK, || async {
            let status = deployments.get(NAME).await.ok()?.status?;
            (status.replicas == Some(2) && status.updated_replicas == Some(2)).then_some(())
        })
        .await;

        sandbox.apply(system(&fixed)).await;
        let current = wait_until_current(&sandbox).await;
        assert_ne!(
            current.data["status"]["rollout"]["revision"], good,
            "it runs with the fix"
        );
        assert_eq!(current.data["status"]["rollout"]["failed"], Value::Null);
        assert_eq!(watcher.fewest().await, 2, "no ready pod was missing at any time");
    })
    .await;
}

/// Prevents: a mistyped tag that takes pods away, or stays, or keeps the corrected one from running.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn image_that_is_not_there_goes_back_and_nobody_notices() {
    let absent = json!({"image": {"repository": "localhost/faciliauto/service", "tag": "absent"}});
    let fixed = json!({"api": {"logLevel": "debug"}});
    fails_and_is_fixed("absent", absent, fixed, "cannot get the image").await;
}

/// Prevents: settings with which the API does not run taking those pods down that do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_that_crash_go_back_and_nobody_notices() {
    let starved = json!({"api": {
        "cache": {"maxBytes": "1Mi"},
        "resources": {"requests": {"cpu": "10m", "memory": "7Mi"}, "limits": {"memory": "7Mi"}},
    }});
    let fixed = json!({"api": {"logLevel": "debug"}});
    fails_and_is_fixed("crashing", starved, fixed, "failed").await;
}

/// Prevents: a Redis that stays down with an image that does not start, although the old one would.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_image_that_does_not_start_goes_back() {
    with_operator("redis-image", |sandbox| async move {
        let image = env::var("FACILIAUTO_TEST_REDIS_IMAGE");
        let image = image.unwrap_or_else(|_| "docker.io/library/redis:8.2-alpine".to_owned());
        let with = |image: &str| {
            system(&json!({
                "redis": {"managed": {"image": image}}, "rollout": {"deadlineSeconds": DEADLINE_SECONDS},
            }))
        };
        let apply = async |image: &str| {
            sandbox
                .apply_named(NAME, with(image))
                .await
                .expect("the resource is accepted");
        };
        apply(&image).await;
        sandbox.wait_until_ready().await;
        let cars = || async { sandbox.call_api("GET", "/health", None).await.ok()?["cars"].as_u64() };
        let before = eventually("the API answers", FIXED, cars).await;

        apply("localhost/faciliauto/redis:absent").await;
        let back = wait_for_rollback(&sandbox).await;
        let message = condition(&back, "Stalled").expect("a condition")["message"]
            .as_str()
            .expect("a text");
        assert!(message.contains("localhost/faciliauto/redis:absent"), "{message}");
        let resources = sandbox.resources();
        eventually("the old image runs again", FIXED, || async {
            let found = resources.get(NAME).await.ok()?;
            (condition(&found, "RedisReady")?["status"] == "True").then_some(())
        })
        .await;
        let pod = sandbox
            .api::<Pod>()
            .get(&format!("{NAME}-redis-0"))
            .await
            .expect("Redis's pod");
        assert_eq!(
            pod.spec
                .as_ref()
                .and_then(|spec| spec.containers[0].image.as_deref()),
            Some(image.as_str()),
            "{}",
            pod.name_any()
        );
        assert_eq!(
            eventually("the API answers", FIXED, cars).await,
            before,
            "the stock is there"
        );

        apply(&image).await;
        wait_until_current(&sandbox).await;
    })
    .await;
}
