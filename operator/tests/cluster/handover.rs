//! Who sets the number of API pods: the autoscaler, the resource, or whoever scales it; and what is served
//! while it passes from one to the other.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use k8s_openapi::api::{apps::v1::Deployment, autoscaling::v2::HorizontalPodAutoscaler, core::v1::Event};
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::{Value, json};
use tokio::{task::JoinHandle, time::sleep};

use crate::harness::{BRING_UP, NAME, Sandbox, eventually, with_operator};

/// How often the pods are counted: a dip lasts at least as long as a pod takes to start.
const COUNTED: Duration = Duration::from_millis(100);

/// How long a number that was set wrongly would take to cost pods.
const AFTERMATH: Duration = Duration::from_secs(3);

/// An autoscaler acts every 15 s, once it has something to measure.
const AUTOSCALER: Duration = Duration::from_secs(120);

/// Counts ready API pods all the while.
struct Recorder {
    seen: Arc<Mutex<Vec<i32>>>,
    task: JoinHandle<()>,
}

impl Recorder {
    fn start(sandbox: &Sandbox) -> Self {
        let (seen, deployments) = (Arc::new(Mutex::new(Vec::new())), sandbox.api::<Deployment>());
        let record = seen.clone();
        let task = tokio::spawn(async move {
            loop {
                if let Ok(found) = deployments.get(NAME).await {
                    let status = found.status.unwrap_or_default();
                    record
                        .lock()
                        .expect("the record")
                        .push(status.ready_replicas.unwrap_or(0));
                }
                sleep(COUNTED).await;
            }
        });
        Self { seen, task }
    }

    /// The fewest pods since the last call, and for a moment more: a dip would follow what caused it.
    async fn fewest(&self) -> i32 {
        sleep(AFTERMATH).await;
        let seen = std::mem::take(&mut *self.seen.lock().expect("the record"));
        assert!(seen.len() >= 5, "counted {} times only", seen.len());
        seen.into_iter().min().expect("it was counted")
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Waits until as many pods are wanted and ready.
async fn has_pods(sandbox: &Sandbox, wanted: i32, within: Duration) {
    let deployments = sandbox.api::<Deployment>();
    eventually(&format!("{wanted} API pods are ready"), within, || async {
        let found = deployments.get(NAME).await.ok()?;
        let ready = found.status?.ready_replicas.unwrap_or(0);
        (found.spec?.replicas == Some(wanted) && ready == wanted).then_some(())
    })
    .await;
}

fn with_autoscaling(fewest: i32) -> Value {
    json!({"autoscaling": {"minReplicas": fewest, "maxReplicas": 4}})
}

fn without_autoscaling(replicas: i32) -> Value {
    json!({"autoscaling": {"enabled": false}, "replicas": replicas})
}

/// Prevents: pods taken away while autoscaling is switched on or off, and a number that goes back to one
/// because nobody owns it for a moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn number_of_pods_is_handed_over_without_a_dip() {
    with_operator("handover", |sandbox| async move {
        sandbox.apply(without_autoscaling(2)).await;
        sandbox.wait_until_ready().await;
        let recorder = Recorder::start(&sandbox);

        // On: first the live number stays, then the autoscaler sets its own.
        sandbox.apply(with_autoscaling(3)).await;
        has_pods(&sandbox, 3, AUTOSCALER).await;
        let autoscalers = sandbox.api::<HorizontalPodAutoscaler>();
        assert!(autoscalers.get_opt(NAME).await.expect("an answer").is_some());
        assert!(recorder.fewest().await >= 2, "switched on");

        // Off: the autoscaler goes, and then the number is ours.
        sandbox.apply(without_autoscaling(2)).await;
        has_pods(&sandbox, 2, BRING_UP).await;
        assert!(autoscalers.get_opt(NAME).await.expect("an answer").is_none());
        assert!(recorder.fewest().await >= 2, "switched off");
    })
    .await;
}

/// Prevents: `kubectl scale`, or an autoscaler of somebody else's, that has no effect or an effect that
/// the next look takes back; and one that is ignored without a word.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn resource_can_be_scaled_like_a_deployment() {
    with_operator("scale", |sandbox| async move {
        sandbox.apply(without_autoscaling(1)).await;
        sandbox.wait_until_ready().await;
        scale(&sandbox, 2).await;
        has_pods(&sandbox, 2, BRING_UP).await;
        let resources = sandbox.resources();
        eventually("the scale subresource tells of them", BRING_UP, || async {
            let scale = resources.get_scale(NAME).await.ok()?;
            let status = scale.status?;
            let selector = status.selector.unwrap_or_default();
            (status.replicas == 2 && selector.contains("app.kubernetes.io/instance=faciliauto")).then_some(())
        })
        .await;

        // A manager of its own set the number, so it is given up first.
        sandbox.apply(with_autoscaling(1)).await;
        sandbox.wait_until_ready().await;
        scale(&sandbox, 4).await;
        let events = sandbox.api::<Event>();
        let ignored = ListParams::default().fields("reason=ScaleIgnored");
        let note = eventually("it is told that the number has no effect", BRING_UP, || async {
            events.list(&ignored).await.ok()?.items.pop()?.message
        })
        .await;
        assert!(
            note.contains("spec.replicas is 4") && note.contains("autoscaling.minReplicas"),
            "{note}"
        );
        let deployment = sandbox
            .api::<Deployment>()
            .get(NAME)
            .await
            .expect("the Deployment");
        assert_ne!(deployment.spec.expect("a spec").replicas, Some(4));
    })
    .await;
}

async fn scale(sandbox: &Sandbox, replicas: i32) {
    let change = Patch::Merge(json!({"spec": {"replicas": replicas}}));
    let scaled = sandbox
        .resources()
        .patch_scale(NAME, &PatchParams::default(), &change)
        .await;
    scaled.expect("the scale");
}
