//! An operator that may look into one namespace only.

use std::{
    env, fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use faciliauto_operator::rbac;
use k8s_openapi::api::{
    apps::v1::Deployment,
    authentication::v1::TokenRequest,
    core::v1::{Event, ServiceAccount},
    policy::v1::PodDisruptionBudget,
    rbac::v1::{Role, RoleBinding},
};
use kube::{
    ResourceExt,
    api::{DeleteParams, ListParams, PostParams},
    config::Kubeconfig,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::harness::{NAME, OPERATOR, Sandbox, alone, condition, eventually, in_sandbox, scale_operator};

/// Prevents: rights in a namespace that are not enough to look after it; a look beyond it; and an operator
/// that stops for what it may not read.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn named_namespace_is_looked_after_and_no_other() {
    alone("namespaced", |sandbox| async move {
        in_sandbox("neighbour", |neighbour| look_after(sandbox, neighbour)).await;
    })
    .await;
}

async fn look_after(sandbox: Sandbox, neighbour: Sandbox) {
    scale_operator(&sandbox.client, 0).await;
    let operator = Operator::start(&sandbox).await;
    let spec = json!({
        "autoscaling": {"minReplicas": 1},
        "exposure": {"ingress": {"enabled": true, "hosts": ["a.example"]}},
    });
    neighbour.apply(spec.clone()).await;
    sandbox.apply(spec).await;
    let ready = sandbox.wait_until_ready().await;
    let exposed = condition(&ready, "Exposed").expect("a condition");
    assert_eq!(
        (exposed["status"].as_str(), exposed["reason"].as_str()),
        (Some("Unknown"), Some("NotPermitted")),
        "ingress classes belong to no namespace"
    );
    let monitoring = condition(&ready, "MonitoringReady").expect("a condition");
    assert_ne!(
        monitoring["reason"], "NotPermitted",
        "what the Role allows is looked at"
    );

    let budgets = sandbox.api::<PodDisruptionBudget>();
    let before = budgets.get(NAME).await.expect("the budget").uid();
    budgets
        .delete(NAME, &DeleteParams::default())
        .await
        .expect("the deletion");
    eventually("the budget is made again", Duration::from_secs(10), || async {
        let found = budgets.get_opt(NAME).await.ok()??;
        (found.uid() != before).then_some(())
    })
    .await;
    let events = sandbox.api::<Event>();
    eventually("people are told", Duration::from_secs(10), || async {
        let found = events.list(&ListParams::default()).await.ok()?;
        let ours = |event: &Event| event.involved_object.kind.as_deref() == Some("FaciliAutoDeployment");
        found.items.iter().any(ours).then_some(())
    })
    .await;

    let other = neighbour.resources().get(NAME).await.expect("the neighbour");
    assert_eq!(
        condition(&other, "Ready").expect("a condition")["reason"],
        "NotObserved"
    );
    let made = neighbour.api::<Deployment>().list(&ListParams::default()).await;
    assert_eq!(made.expect("a list").items.len(), 0, "nothing is made there");

    let metrics = operator.metrics();
    assert!(
        metrics
            .lines()
            .any(|line| line == "faciliauto_resources{ready=\"True\"} 1"),
        "{metrics}"
    );
    assert!(!metrics.contains("faciliauto_watch_errors_total{"), "{metrics}");
    let log = fs::read_to_string(&operator.log).expect("the log");
    let refusals: Vec<_> = log
        .lines()
        // Which is Unknown, and asked for again every few minutes.
        .filter(|line| !line.contains("ingressclasses"))
        .filter(|line| line.contains("403") || line.contains("orbidden"))
        .collect();
    assert_eq!(refusals, Vec::<&str>::new());
}

/// An operator process of this machine with a token of a ServiceAccount of the sandbox; killed when dropped.
struct Operator {
    process: Child,
    kubeconfig: PathBuf,
    log: PathBuf,
    port: u16,
}

impl Operator {
    async fn start(sandbox: &Sandbox) -> Self {
        let namespace = &sandbox.namespace;
        let token = grant(sandbox).await;
        let path = |ending: &str| env::temp_dir().join(format!("{namespace}{ending}"));
        let (kubeconfig, log) = (path(".kubeconfig"), path(".log"));
        fs::write(&kubeconfig, kubeconfig_with(&token)).expect("a kubeconfig");
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("a free port")
            .port();
        let output = fs::File::create(&log).expect("a log file");
        let process = Command::new(env!("CARGO_BIN_EXE_faciliauto-operator"))
            .args(["run", "--listen", &format!("127.0.0.1:{port}")])
            .args(["--watch-namespaces", namespace, "--namespace", namespace])
            .env("KUBECONFIG", &kubeconfig)
            .stdout(Stdio::from(output.try_clone().expect("a second handle")))
            .stderr(Stdio::from(output))
            .spawn()
            .expect("the operator starts");
        Self {
            process,
            kubeconfig,
            log,
            port,
        }
    }

    fn metrics(&self) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("the operator listens");
        let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).expect("it is sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            println!(
                "--- log of the operator\n{}",
                fs::read_to_string(&self.log).unwrap_or_default()
            );
        }
        for file in [&self.kubeconfig, &self.log] {
            let _ = fs::remove_file(file);
        }
    }
}

/// Makes what `rbac --namespaces` prints, and a token of the ServiceAccount that it speaks of.
async fn grant(sandbox: &Sandbox) -> String {
    let namespace = &sandbox.namespace;
    let named = namespace.parse().expect("a namespace");
    let text = [
        rbac::account(namespace),
        rbac::lease(namespace),
        rbac::in_namespaces(&named, namespace),
    ]
    .join("---\n");
    for object in serde_yaml::from_multiple::<Value>(&text).expect("YAML") {
        match object["kind"].as_str() {
            Some("ServiceAccount") => create::<ServiceAccount>(sandbox, object).await,
            Some("Role") => create::<Role>(sandbox, object).await,
            Some("RoleBinding") => create::<RoleBinding>(sandbox, object).await,
            other => panic!("rights take no {other:?}"),
        }
    }
    let request: TokenRequest =
        serde_json::from_value(json!({"spec": {"audiences": []}})).expect("a request");
    let accounts = sandbox.api::<ServiceAccount>();
    let parameters = PostParams::default();
    let made = accounts
        .create_token_request(OPERATOR, &parameters, &request)
        .await;
    made.expect("a token").status.expect("a token").token
}

async fn create<K>(sandbox: &Sandbox, object: Value)
where
    K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
        + Clone
        + std::fmt::Debug
        + DeserializeOwned
        + serde::Serialize,
{
    let object: K = serde_json::from_value(object).expect("an object");
    let made = sandbox.api::<K>().create(&PostParams::default(), &object).await;
    made.expect("the object is made");
}

/// A kubeconfig for the cluster of the test's own one, with nothing but this token.
fn kubeconfig_with(token: &str) -> String {
    let own = Kubeconfig::read().expect("the test's own kubeconfig");
    let current = own.current_context.expect("a current context");
    let context = own.contexts.into_iter().find(|context| context.name == current);
    let name = context
        .and_then(|context| context.context)
        .expect("a context")
        .cluster;
    let cluster = own.clusters.into_iter().find(|cluster| cluster.name == name);
    json!({
        "apiVersion": "v1", "kind": "Config",
        "clusters": [cluster.expect("a cluster")],
        "users": [{"name": "operator", "user": {"token": token}}],
        "contexts": [{"name": "operator", "context": {"cluster": name, "user": "operator"}}],
        "current-context": "operator",
    })
    .to_string()
}
