//! What a person types, against a real API server: its validation, its defaults, its dry runs.

use std::{
    io::Write,
    process::{Command, Output, Stdio},
};

use kube::api::DynamicObject;
use serde_json::{Value, json};

use crate::harness::{NAME, Sandbox, with_operator};

/// Runs the program to its end.
pub(crate) fn run(arguments: &[&str], input: &str) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_faciliauto-operator"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut pipe = program.stdin.take().expect("a pipe");
    // A program that does not read its input has ended already, and says why.
    let _ = pipe.write_all(input.as_bytes());
    drop(pipe);
    program.wait_with_output().expect("the program ends")
}

/// The resource as a file would declare it, after `change`.
fn declared(live: &DynamicObject, change: impl FnOnce(&mut Value)) -> String {
    let mut spec = live.data["spec"].clone();
    change(&mut spec);
    json!({
        "apiVersion": "faciliauto.com/v1alpha1", "kind": "FaciliAutoDeployment",
        "metadata": {"name": NAME}, "spec": spec,
    })
    .to_string()
}

fn diff(sandbox: &Sandbox, declared: &str) -> (Option<i32>, String, String) {
    let done = run(&["diff", "-f", "-", "-n", &sandbox.namespace], declared);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (done.status.code(), text(&done.stdout), text(&done.stderr))
}

/// Prevents: a diff at rest, by a default or a spelling of the real server's; an edit that shows no
/// effect; and a dry run that writes.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn diff_agrees_with_what_the_operator_does() {
    with_operator("diff", |sandbox| async move {
        sandbox.apply(json!({"autoscaling": {"minReplicas": 1}})).await;
        let live = sandbox.wait_until_ready().await;
        assert_eq!(
            diff(&sandbox, &declared(&live, |_| {})),
            (Some(0), String::new(), String::new())
        );

        let edited = declared(&live, |spec| {
            spec["autoscaling"]["maxReplicas"] = json!(4);
            spec["api"]["logLevel"] = json!("debug");
            spec["disruptionBudget"]["enabled"] = json!(false);
            spec["redis"]["managed"]["storage"]["size"] = json!("3Gi");
        });
        let (code, text, said) = diff(&sandbox, &edited);
        assert_eq!(code, Some(1), "{text}{said}");
        for expected in [
            "+  maxReplicas: 4",
            "+  FACILIAUTO_LOG_LEVEL: debug",
            "+++ PodDisruptionBudget",
            "(absent)",
            "+++ PersistentVolumeClaim",
            "+      storage: 3Gi",
            "+++ StatefulSet",
            "+          storage: 3Gi",
        ] {
            assert!(text.contains(expected), "{expected:?} is not in\n{text}");
        }

        let (code, _, said) = diff(
            &sandbox,
            &declared(&live, |spec| {
                spec["redis"]["managed"]["storage"]["size"] = json!("1Mi")
            }),
        );
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("may grow but never shrink"), "{said}");

        let after = sandbox.resources().get(NAME).await.expect("the resource");
        assert_eq!(
            after.metadata.generation, live.metadata.generation,
            "nothing was written"
        );
    })
    .await;
}

/// Prevents: a first installation that `diff` cannot show, for nothing of it exists.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn diff_shows_a_resource_that_does_not_exist_yet() {
    with_operator("diff-new", |sandbox| async move {
        let resource = json!({
            "apiVersion": "faciliauto.com/v1alpha1", "kind": "FaciliAutoDeployment",
            "metadata": {"name": NAME}, "spec": {},
        });
        let (code, text, said) = diff(&sandbox, &resource.to_string());
        assert_eq!(code, Some(1), "{said}");
        assert_eq!(text.matches("(absent)").count(), 24, "{text}");
        let found = sandbox.resources().get_opt(NAME).await.expect("an answer");
        assert!(found.is_none(), "nothing was written");
    })
    .await;
}

/// Prevents: a tree that lacks what a real cluster has, or an answer that no program can read.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn status_shows_pods_and_events() {
    with_operator("status", |sandbox| async move {
        sandbox.apply(json!({"autoscaling": {"minReplicas": 1}})).await;
        sandbox.wait_until_ready().await;
        let done = run(&["status", NAME, "-n", &sandbox.namespace], "");
        let text = String::from_utf8_lossy(&done.stdout);
        assert!(done.status.success(), "{text}");
        for expected in [
            "✔ FaciliAutoDeployment",
            "✔ Deployment faciliauto  1/1 pods ready",
            "Running 1/1",
            "HorizontalPodAutoscaler faciliauto  1 of 1..10 pods",
            "PersistentVolumeClaim data-faciliauto-redis-0",
            "FaciliAutoDeployment faciliauto  StockImported",
        ] {
            assert!(text.contains(expected), "{expected:?} is not in\n{text}");
        }
        assert!(!text.contains("cannot be read"), "{text}");

        let done = run(&["status", "-A", "-o", "json"], "");
        let answer: Value = serde_json::from_slice(&done.stdout).expect("JSON");
        let ours = answer["items"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|item| item["namespace"] == sandbox.namespace.as_str())
            .expect("the resource");
        assert_eq!(ours["ready"], "True");
    })
    .await;
}
