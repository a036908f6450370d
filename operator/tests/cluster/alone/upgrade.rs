//! A new operator whose default image is another: what becomes of the pods of systems that name none.

use std::{env, time::Duration};

use k8s_openapi::api::apps::v1::Deployment;
use kube::api::DynamicObject;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::{
    harness::{Sandbox, alone, condition, eventually, scale_operator},
    operator_process::OperatorProcess,
};

/// Names the repository of a copy of the installed operator's default image, of the same tag.
const MIRROR: &str = "FACILIAUTO_TEST_MIRROR";

/// Two systems, by the order of their names.
const NAMES: [&str; 2] = ["centro", "norte"];

/// A bring-up of two at once, or a rollout of both in turns.
const READY: Duration = Duration::from_secs(240);
/// The shortest deadline of a rollout, the start of an operator, and room.
const HELD: Duration = Duration::from_secs(180);
/// How often templates are looked at.
const GLANCE: Duration = Duration::from_millis(100);

fn spec() -> Value {
    json!({
        "autoscaling": {"enabled": false}, "replicas": 1, "rollout": {"deadlineSeconds": 30},
        "monitoring": {"dashboards": {"enabled": false}},
    })
}

async fn system(sandbox: &Sandbox, name: &str) -> Option<DynamicObject> {
    sandbox.resources().get(name).await.ok()
}

fn is_current(resource: &DynamicObject) -> bool {
    let observed = resource.data["status"]["observedGeneration"].as_i64() == resource.metadata.generation;
    let ready = condition(resource, "Ready").is_some_and(|ready| ready["status"] == "True");
    let calm = ["Stalled", "Reconciling"]
        .iter()
        .all(|kind| condition(resource, kind).is_none());
    observed && ready && calm
}

async fn wait_until_both_are_current(sandbox: &Sandbox, more: impl Fn(&[Deployment]) -> bool) {
    eventually("both systems are as they are declared", READY, || async {
        for name in NAMES {
            system(sandbox, name).await.filter(is_current)?;
        }
        more(&deployments(sandbox).await?).then_some(())
    })
    .await;
}

async fn deployments(sandbox: &Sandbox) -> Option<Vec<Deployment>> {
    let mut found = Vec::new();
    for name in NAMES {
        found.push(sandbox.api::<Deployment>().get(name).await.ok()?);
    }
    Some(found)
}

fn image(deployment: &Deployment) -> String {
    let template = deployment
        .spec
        .as_ref()
        .and_then(|spec| spec.template.spec.as_ref());
    let container = template.and_then(|pod| pod.containers.first());
    container
        .and_then(|container| container.image.clone())
        .unwrap_or_default()
}

/// Whether its newest pods serve, and no others are left.
fn is_done(deployment: &Deployment) -> bool {
    let status = deployment.status.clone().unwrap_or_default();
    status.observed_generation == deployment.metadata.generation
        && status.replicas == Some(1)
        && status.updated_replicas == Some(1)
        && status.available_replicas == Some(1)
}

/// Prevents: a new operator that replaces the pods of all systems at once; and one whose image breaks a system
/// breaking them all.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn systems_follow_a_new_operator_one_after_the_other_until_one_fails() {
    let Some(mirror) = env::var_os(MIRROR).and_then(|mirror| mirror.into_string().ok()) else {
        println!("left out: {MIRROR} names no repository with a copy of the API's image");
        return;
    };
    alone("upgrade", |sandbox| async move {
        for name in NAMES {
            sandbox
                .apply_named(name, managed(spec()))
                .await
                .expect("the resource");
        }
        wait_until_both_are_current(&sandbox, |_| true).await;
        scale_operator(&sandbox.client, 0).await;

        let new = OperatorProcess::start(&["--service-repository", &mirror]);
        follow_in_turns(&sandbox, &mirror).await;
        wait_until_both_are_current(&sandbox, |all| {
            all.iter()
                .all(|deployment| image(deployment).starts_with(&mirror))
        })
        .await;
        drop(new);

        let before = deployments(&sandbox).await.expect("both");
        let _broken = OperatorProcess::start(&["--service-repository", "localhost/faciliauto/absent"]);
        let held = eventually("the upgrade is held", HELD, || async {
            let held = system(&sandbox, NAMES[1]).await?;
            let message = condition(&held, "UpgradeHeld")?["message"].as_str()?.to_owned();
            let first = system(&sandbox, NAMES[0]).await?;
            (condition(&first, "Stalled")?["reason"] == "RolledBack").then_some(message)
        })
        .await;
        assert!(
            held.contains(NAMES[0]) && held.contains(&sandbox.namespace),
            "{held}"
        );
        let after = deployments(&sandbox).await.expect("both");
        let template = |deployment: &Deployment| deployment.spec.clone().expect("a spec").template;
        assert_eq!(
            image(&before[0]),
            image(&after[0]),
            "the first has what served before"
        );
        assert_eq!(
            template(&before[1]),
            template(&after[1]),
            "the second was never touched"
        );
        for name in NAMES {
            let found = system(&sandbox, name).await.expect("the resource");
            assert_eq!(
                condition(&found, "Ready").expect("a condition")["status"],
                "True",
                "{name}"
            );
        }
    })
    .await;
}

/// Watches until both have the new image: the second follows only when the pods of the first are replaced and serve.
async fn follow_in_turns(sandbox: &Sandbox, mirror: &str) {
    let begun = Instant::now();
    let has_moved = async |index: usize| {
        let found = sandbox
            .api::<Deployment>()
            .get(NAMES[index])
            .await
            .expect("a Deployment");
        (image(&found).starts_with(mirror), is_done(&found))
    };
    let first = loop {
        assert!(begun.elapsed() < READY, "somebody follows within {READY:?}");
        match (has_moved(0).await.0, has_moved(1).await.0) {
            (false, false) => sleep(GLANCE).await,
            (true, true) => panic!("both were replaced at once"),
            (zero, _) => break usize::from(!zero),
        }
    };
    while !has_moved(1 - first).await.0 {
        assert!(begun.elapsed() < READY, "the other follows within {READY:?}");
        sleep(GLANCE).await;
    }
    // Looked at after the other: what was done before that is done now.
    assert_eq!(
        has_moved(first).await,
        (true, true),
        "the first was done before the other began"
    );
}

/// With the Redis image that the cluster has.
fn managed(mut spec: Value) -> Value {
    if let Ok(image) = env::var("FACILIAUTO_TEST_REDIS_IMAGE") {
        spec["redis"] = json!({"managed": {"image": image}});
    }
    spec
}
