//! What every test stands on: a sandbox namespace that goes away however the test ends, waits that
//! are bounded and say what they last saw, and the gate that keeps tests which stop the installed
//! operator apart from those which need it.

use std::{env, future::Future, panic::AssertUnwindSafe, time::Duration};

use faciliauto_api::FaciliAutoDeployment;
use futures::FutureExt;
use k8s_openapi::api::{
    apps::v1::Deployment,
    coordination::v1::Lease,
    core::v1::{Event, Namespace, Pod},
};
use k8s_openapi::jiff::Timestamp;
use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use tokio::{
    sync::RwLock,
    time::{Instant, sleep, timeout},
};

/// The name of every resource under test: the hardest one, see the crate's head.
pub(crate) const NAME: &str = "faciliauto";

/// Images are on the node already; what takes time is Redis loading, the seed Job and probes.
pub(crate) const BRING_UP: Duration = Duration::from_secs(180);

/// Where `manifests/install` puts the operator.
pub(crate) const OPERATOR_NAMESPACE: &str = "faciliauto-system";
pub(crate) const OPERATOR: &str = "faciliauto-operator";
/// As many as `manifests/install` starts: one leads, one stands by.
pub(crate) const OPERATORS: i32 = 2;
const NAMESPACE_GONE: Duration = Duration::from_secs(90);
const POLL: Duration = Duration::from_millis(200);

/// Held for reading by tests that need the installed operator, for writing by those that stop it, which come first
/// (`alone`).
static INSTALLED_OPERATOR: RwLock<()> = RwLock::const_new(());

/// A namespace of its own on the cluster that the kubeconfig names.
#[derive(Clone)]
pub(crate) struct Sandbox {
    pub(crate) client: Client,
    pub(crate) namespace: String,
}

/// Runs `test` in a new sandbox beside the installed operator.
pub(crate) async fn with_operator<F: Future<Output = ()>>(purpose: &str, test: impl FnOnce(Sandbox) -> F) {
    let _shared = INSTALLED_OPERATOR.read().await;
    in_sandbox(purpose, test).await;
}

/// Runs `test` in a new sandbox while nothing else relies on the installed operator, and starts that
/// operator again afterwards.
pub(crate) async fn alone<F: Future<Output = ()>>(purpose: &str, test: impl FnOnce(Sandbox) -> F) {
    let _exclusive = INSTALLED_OPERATOR.write().await;
    in_sandbox(purpose, |sandbox| async move {
        let client = sandbox.client.clone();
        let outcome = AssertUnwindSafe(test(sandbox)).catch_unwind().await;
        scale_operator(&client, OPERATORS).await;
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic);
        }
    })
    .await;
}

/// Runs `test` in a new sandbox, whoever else relies on the installed operator.
pub(crate) async fn in_sandbox<F: Future<Output = ()>>(purpose: &str, test: impl FnOnce(Sandbox) -> F) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::try_default()
        .await
        .expect("a cluster that KUBECONFIG names: run `make test-cluster`");
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let namespace: Namespace = serde_json::from_value(json!({
        "metadata": {
            "generateName": format!("faciliauto-test-{purpose}-"),
            "labels": {"pod-security.kubernetes.io/enforce": "restricted"},
        },
    }))
    .expect("a namespace");
    let created = namespaces
        .create(&PostParams::default(), &namespace)
        .await
        .expect("a namespace to test in");
    let sandbox = Sandbox {
        client,
        namespace: created.name_any(),
    };

    let outcome = AssertUnwindSafe(test(sandbox.clone())).catch_unwind().await;
    if outcome.is_err() {
        sandbox.print_state().await;
    }
    // What is still being deleted keeps the operator busy, which the next test would take for its own doing.
    let _ = sandbox.disappear().await;
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}

/// Sets the installed operator's replicas and waits until its pods agree.
pub(crate) async fn scale_operator(client: &Client, replicas: i32) {
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), OPERATOR_NAMESPACE);
    let change = json!({"spec": {"replicas": replicas}});
    deployments
        .patch(OPERATOR, &PatchParams::default(), &Patch::Merge(change))
        .await
        .expect("the installed operator's Deployment");
    let pods: Api<Pod> = Api::namespaced(client.clone(), OPERATOR_NAMESPACE);
    eventually(
        "the installed operator scaled",
        Duration::from_secs(60),
        || async {
            let ready = deployments
                .get(OPERATOR)
                .await
                .ok()?
                .status?
                .ready_replicas
                .unwrap_or(0);
            let left = pods
                .list(&ListParams::default().labels("app.kubernetes.io/name=faciliauto-operator"))
                .await
                .ok()?;
            (ready == replicas && left.items.len() == usize::try_from(replicas).ok()?).then_some(())
        },
    )
    .await;
}

/// The pod that holds the operators' lease.
pub(crate) async fn leader(client: &Client) -> Option<String> {
    let leases: Api<Lease> = Api::namespaced(client.clone(), OPERATOR_NAMESPACE);
    let lease = leases.get_opt(OPERATOR).await.ok()??;
    lease.spec?.holder_identity.filter(|holder| !holder.is_empty())
}

/// What an operator's pod exposes, by way of the API server's proxy.
pub(crate) async fn operator_metrics(client: &Client, pod: &str) -> Result<String, kube::Error> {
    let uri = format!("/api/v1/namespaces/{OPERATOR_NAMESPACE}/pods/{pod}:8080/proxy/metrics");
    let request = http::Request::get(uri).body(Vec::new()).expect("a request");
    client.request_text(request).await
}

/// Polls `look` until it gives something. Panics with `what` after `within`.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    within: Duration,
    mut look: impl FnMut() -> F,
) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: not within {within:?}");
        sleep(POLL).await;
    }
}

impl Sandbox {
    /// An `Api` for a kind of child in this namespace.
    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Deletes the namespace with all that is in it. Whether it is gone in time.
    pub(crate) async fn disappear(&self) -> bool {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let _ = namespaces
            .delete(&self.namespace, &DeleteParams::background())
            .await;
        timeout(NAMESPACE_GONE, async {
            while namespaces
                .get_opt(&self.namespace)
                .await
                .is_ok_and(|found| found.is_some())
            {
                sleep(POLL).await;
            }
        })
        .await
        .is_ok()
    }

    /// The resource under test as a user sees it, untyped: a test writes what a manifest would say.
    pub(crate) fn resources(&self) -> Api<DynamicObject> {
        let kind = ApiResource::erase::<FaciliAutoDeployment>(&());
        Api::namespaced_with(self.client.clone(), &self.namespace, &kind)
    }

    /// Applies the resource with this spec, as `kubectl apply --server-side` would; where nothing
    /// can be pulled, the environment names the Redis image that is on the node.
    pub(crate) async fn apply(&self, mut spec: Value) -> DynamicObject {
        if let Ok(image) = env::var("FACILIAUTO_TEST_REDIS_IMAGE")
            && spec.pointer("/redis/mode").is_none()
        {
            spec["redis"]["managed"]["image"] = json!(image);
        }
        self.apply_named(NAME, spec)
            .await
            .expect("the resource is accepted")
    }

    /// Makes the operator look again: a label of the user's that means nothing to it.
    pub(crate) async fn touch(&self) {
        let label = json!({"metadata": {"labels": {"example.com/touched": Timestamp::now().as_millisecond().to_string()}}});
        self.resources()
            .patch(NAME, &PatchParams::default(), &Patch::Merge(label))
            .await
            .expect("the touch");
    }

    /// As `apply`, but hands on what the API server says, and takes any name.
    pub(crate) async fn apply_named(&self, name: &str, spec: Value) -> Result<DynamicObject, kube::Error> {
        let object = json!({
            "apiVersion": "faciliauto.com/v1alpha1",
            "kind": "FaciliAutoDeployment",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": spec,
        });
        self.resources()
            .patch(
                name,
                &PatchParams::apply("cluster-test").force(),
                &Patch::Apply(object),
            )
            .await
    }

    /// Waits for Ready=True at the current generation and an imported stock.
    pub(crate) async fn wait_until_ready(&self) -> DynamicObject {
        let resources = self.resources();
        eventually(
            "the resource is Ready with its stock imported",
            BRING_UP,
            || async {
                let found = resources.get(NAME).await.ok()?;
                let status = found.data.get("status")?;
                let observed = status["observedGeneration"].as_i64() == found.metadata.generation;
                let seeded = status["stock"]["seeded"] == json!(true);
                (observed && seeded && condition(&found, "Ready")?["status"] == "True").then_some(found)
            },
        )
        .await
    }

    /// Sends a request to the API through its Service, by way of the API server's proxy, so that it
    /// works from outside any cluster.
    pub(crate) async fn call_api(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Result<Value, kube::Error> {
        self.call_api_with(method, path, None, body).await
    }

    /// The same with the key of a person.
    pub(crate) async fn call_api_with(
        &self,
        method: &str,
        path: &str,
        user_key: Option<&str>,
        body: Option<Value>,
    ) -> Result<Value, kube::Error> {
        let uri = format!(
            "/api/v1/namespaces/{}/services/{NAME}:http/proxy{path}",
            self.namespace
        );
        let mut request = http::Request::builder().method(method).uri(uri);
        if let Some(key) = user_key {
            request = request.header("x-user-key", key);
        }
        let request = request
            .header("content-type", "application/json")
            .body(
                body.map(|value| value.to_string().into_bytes())
                    .unwrap_or_default(),
            )
            .expect("a request");
        self.client.request(request).await
    }

    /// What a person would look at first when a test has failed.
    async fn print_state(&self) {
        println!("--- state of {}", self.namespace);
        if let Ok(found) = self.resources().list(&ListParams::default()).await {
            for resource in found {
                println!(
                    "{}: {:#}",
                    resource.name_any(),
                    resource.data.get("status").unwrap_or(&Value::Null)
                );
            }
        }
        if let Ok(pods) = self.api::<Pod>().list(&ListParams::default()).await {
            for pod in pods {
                let containers = pod
                    .status
                    .unwrap_or_default()
                    .container_statuses
                    .unwrap_or_default();
                let states: Vec<_> = containers
                    .iter()
                    .map(|container| json!(container.state))
                    .collect();
                println!("pod {}: {}", pod.metadata.name.unwrap_or_default(), json!(states));
            }
        }
        if let Ok(events) = self.api::<Event>().list(&ListParams::default()).await {
            for event in events {
                let about = event.involved_object;
                println!(
                    "event {} {}: {} {}",
                    about.kind.unwrap_or_default(),
                    about.name.unwrap_or_default(),
                    event.reason.unwrap_or_default(),
                    event.message.unwrap_or_default()
                );
            }
        }
    }
}

/// A condition of the resource, by type.
pub(crate) fn condition<'a>(resource: &'a DynamicObject, kind: &str) -> Option<&'a Value> {
    resource.data["status"]["conditions"]
        .as_array()?
        .iter()
        .find(|condition| condition["type"] == kind)
}
