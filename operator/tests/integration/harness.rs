//! Reconciling one resource against an API server in memory, with the watches replaced by copying
//! and the cluster's own controllers by a function.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex},
};

use faciliauto_api::FaciliAutoDeployment;
use faciliauto_operator::{
    area::Area,
    capabilities::{Availability, Capabilities, IngressClasses, LiveCapabilities},
    children::{Children, Place, project},
    events::Events,
    memory::Memory,
    metrics::Metrics,
    reconcile::{Context, Error, error_policy, reconcile, validate::ReleaseDefaults, waves::Waves},
    resources::Kind,
};
use kube::{Client, Resource, api::DynamicObject, core::DeserializeGuard};
use kube_runtime::{controller::Action, reflector::store::Writer, watcher::Event};
use serde_json::{Value, json};

use crate::{
    fake_api::{Call, FakeApi},
    golden::defaults,
};

pub(crate) const NAMESPACE: &str = "lojas";
pub(crate) const NAME: &str = "producao";
pub(crate) const UID: &str = "11111111-2222-3333-4444-555555555555";

/// Looks at most that it may take until nothing changes any more.
const MOST_LOOKS: usize = 30;

/// An API server with one resource, and an operator process that looks at it.
pub(crate) struct Harness {
    pub(crate) api: FakeApi,
    operator: Operator,
    capabilities: Capabilities,
    defaults: ReleaseDefaults,
}

/// What a process holds and a crash loses.
struct Operator {
    context: Arc<Context>,
    writers: HashMap<Kind, Writer<DynamicObject>>,
    seen: BTreeSet<(Kind, String)>,
    nudged: Arc<Mutex<Vec<String>>>,
}

impl Harness {
    pub(crate) fn new(spec: Value) -> Self {
        let api = FakeApi::default();
        api.put(&resource_path(), resource(NAME, UID, spec));
        // A cluster without any optional kind, and with one ingress class.
        let classes = IngressClasses::Known([("traefik".to_owned(), false)].into());
        let capabilities = Capabilities::new(classes);
        let defaults = defaults();
        Self {
            operator: Operator::start(&api, &capabilities, &defaults),
            api,
            capabilities,
            defaults,
        }
    }

    /// Another cluster with the same in it, and a new process.
    pub(crate) fn copy(&self) -> Self {
        let api = self.api.copy();
        Self {
            operator: Operator::start(&api, &self.capabilities, &self.defaults),
            api,
            capabilities: self.capabilities.clone(),
            defaults: self.defaults.clone(),
        }
    }

    /// One more resource.
    pub(crate) fn add(&mut self, name: &str, spec: Value) {
        let uid = format!("uid-of-{name}");
        self.api.put(&path_of(name), resource(name, &uid, spec));
    }

    /// A process of another version takes over, whose default tag of the API's image is `tag`.
    pub(crate) fn upgrade(&mut self, tag: &str) {
        self.defaults.service_tag = tag.to_owned();
        self.restart();
    }

    /// Names of the resources that the operator wants to look at again, since the last time.
    pub(crate) fn take_nudged(&self) -> Vec<String> {
        std::mem::take(&mut self.operator.nudged.lock().expect("the list"))
    }

    /// The cluster gets or loses an optional kind.
    pub(crate) fn set_capability(&mut self, kind: Kind, availability: Availability) {
        self.capabilities.set(kind, availability.clone());
        self.api.with(|state| match availability {
            Availability::Present => drop(state.optional_kinds.insert(kind)),
            Availability::Absent => drop(state.optional_kinds.remove(&kind)),
            Availability::Unknown { .. } => {}
        });
        self.operator
            .context
            .capabilities
            .note(kind, &Area::Everywhere, availability);
    }

    /// As `restart`, with a client of the new process's own.
    pub(crate) fn restart_with(&mut self, client: Client) {
        self.operator = Operator::start_with(&self.api, client, &self.capabilities, &self.defaults);
    }

    /// The process dies and another starts: everything but the cluster is forgotten.
    pub(crate) fn restart(&mut self) {
        self.operator = Operator::start(&self.api, &self.capabilities, &self.defaults);
    }

    pub(crate) fn change_spec(&self, change: impl FnOnce(&mut Value)) {
        self.change_spec_of(NAME, change);
    }

    pub(crate) fn change_spec_of(&self, name: &str, change: impl FnOnce(&mut Value)) {
        self.api.edit(&path_of(name), |resource| {
            change(&mut resource["spec"]);
            let generation = resource["metadata"]["generation"].as_i64().unwrap_or(0);
            resource["metadata"]["generation"] = json!(generation + 1);
        });
    }

    /// One look, with stores as a watch would have filled them by now.
    pub(crate) async fn look(&mut self) -> Result<Action, Error> {
        self.operator.watch(&self.api);
        self.look_before_the_watch().await
    }

    /// As `look`, at another resource.
    pub(crate) async fn look_at(&mut self, name: &str) -> Result<Action, Error> {
        self.operator.watch(&self.api);
        self.look_without_watch(name).await
    }

    /// One look, with stores as they were: no event has arrived since.
    pub(crate) async fn look_before_the_watch(&mut self) -> Result<Action, Error> {
        self.look_without_watch(NAME).await
    }

    async fn look_without_watch(&mut self, name: &str) -> Result<Action, Error> {
        let resource = self.api.get(&path_of(name)).expect("the resource");
        let guard: DeserializeGuard<FaciliAutoDeployment> =
            serde_json::from_value(resource).expect("a resource");
        let guard = Arc::new(guard);
        let result = reconcile(guard.clone(), self.operator.context.clone()).await;
        if let Err(error) = &result {
            error_policy(guard, error, self.operator.context.clone());
        }
        result
    }

    /// Looks, and lets the cluster's controllers work, until neither changes anything.
    pub(crate) async fn settle(&mut self) {
        self.settle_with(run_controllers).await;
    }

    /// As `settle`, at every resource, with other controllers.
    pub(crate) async fn settle_with(&mut self, controllers: impl Fn(&FakeApi)) {
        self.operator.forget_times(&self.api);
        for _ in 0..MOST_LOOKS {
            let before = self.api.with(|state| state.objects.clone());
            let mut succeeded = true;
            for name in resources(&self.api) {
                succeeded &= self.look_at(&name).await.is_ok();
            }
            controllers(&self.api);
            let nudged = !self.take_nudged().is_empty();
            if self.api.with(|state| state.objects == before) && succeeded && !nudged {
                return;
            }
            // A status write is held for two seconds after the last one; a test does not wait.
            self.operator.forget_times(&self.api);
        }
        panic!(
            "still changing after {MOST_LOOKS} looks: {:#?}",
            self.api.take_calls()
        );
    }

    /// A process of Redis runs: in the pod of this UID, started again so many times.
    pub(crate) fn run_redis(&self, uid: &str, restarts: i32) {
        let name = format!("{NAME}-redis-0");
        self.api.put(
            &path(Kind::Pod, &name),
            json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": name, "namespace": NAMESPACE, "uid": uid, "labels": {
                    "app.kubernetes.io/managed-by": "faciliauto-operator",
                    "app.kubernetes.io/instance": NAME, "app.kubernetes.io/component": "redis",
                }},
                "status": {"phase": "Running", "containerStatuses": [{
                    "name": "redis", "image": "", "imageID": "", "ready": true, "restartCount": restarts,
                }]},
            }),
        );
    }

    /// A status write is held for two seconds after the last one; a test does not wait.
    pub(crate) fn let_time_pass(&self) {
        self.operator.forget_times(&self.api);
    }

    pub(crate) fn child(&self, kind: Kind, name: &str) -> Option<Value> {
        self.api.get(&path(kind, name))
    }

    /// Names of all objects of a kind.
    pub(crate) fn names(&self, kind: Kind) -> Vec<String> {
        let folder = path(kind, "");
        self.api.with(|state| {
            let names = state.objects.keys().filter_map(|path| path.strip_prefix(&folder));
            names
                .filter(|name| !name.contains('/'))
                .map(str::to_owned)
                .collect()
        })
    }

    pub(crate) fn status(&self) -> Value {
        self.api.get(&resource_path()).expect("the resource")["status"].clone()
    }

    pub(crate) fn condition(&self, kind: &str) -> Value {
        self.condition_of(NAME, kind)
    }

    pub(crate) fn condition_of(&self, name: &str, kind: &str) -> Value {
        let status = self.api.get(&path_of(name)).expect("the resource")["status"].clone();
        let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
        conditions
            .into_iter()
            .find(|condition| condition["type"] == kind)
            .unwrap_or(Value::Null)
    }

    /// Reasons of the events that people were told.
    pub(crate) fn told(&self) -> Vec<String> {
        self.api.with(|state| {
            state
                .events
                .iter()
                .filter_map(|event| event["reason"].as_str().map(str::to_owned))
                .collect()
        })
    }
}

impl Operator {
    fn start(api: &FakeApi, capabilities: &Capabilities, defaults: &ReleaseDefaults) -> Self {
        Self::start_with(api, api.client(), capabilities, defaults)
    }

    fn start_with(
        api: &FakeApi,
        client: Client,
        capabilities: &Capabilities,
        defaults: &ReleaseDefaults,
    ) -> Self {
        let nudged = Arc::<Mutex<Vec<String>>>::default();
        let (known, heard) = (api.clone(), nudged.clone());
        let waves = Waves::new(
            move || {
                let names = resources(&known).into_iter();
                names.map(|name| (NAMESPACE.to_owned(), name)).collect()
            },
            move |(_, name)| heard.lock().expect("the list").push(name.clone()),
        );
        let writers: HashMap<_, _> = Kind::WATCHED
            .into_iter()
            .chain(Kind::OPTIONAL)
            .map(|kind| (kind, Writer::new(kind.api_resource())))
            .collect();
        let stores = writers
            .iter()
            .map(|(kind, writer)| ((*kind, Area::Everywhere), writer.as_reader()))
            .collect();
        let context = Context {
            events: Events::new(client.clone(), None),
            client,
            children: Arc::new(Children::new(stores)),
            capabilities: Arc::new(LiveCapabilities::new(capabilities.clone())),
            memory: Memory::default(),
            waves,
            reports: Arc::default(),
            metrics: Metrics::new(&mut prometheus_client::registry::Registry::default()),
            defaults: defaults.clone(),
        };
        Self {
            context: Arc::new(context),
            writers,
            seen: BTreeSet::new(),
            nudged,
        }
    }

    /// Fills the stores as a list would: items do not say their kind, and only ours are seen.
    fn watch(&mut self, api: &FakeApi) {
        let children = &self.context.children;
        for (kind, writer) in &mut self.writers {
            let folder = path(*kind, "");
            let objects: Vec<Value> = api.with(|state| {
                let found = state.objects.iter().filter(|(path, _)| path.starts_with(&folder));
                found.map(|(_, object)| object.clone()).collect()
            });
            let mut names = BTreeSet::new();
            writer.apply_watcher_event(&Event::Init);
            for mut object in objects {
                if object["metadata"]["labels"]["app.kubernetes.io/managed-by"] != "faciliauto-operator" {
                    continue;
                }
                let fields = object.as_object_mut().expect("an object");
                fields.remove("apiVersion");
                fields.remove("kind");
                let mut object: DynamicObject = serde_json::from_value(object).expect("an object");
                project(*kind, &mut object);
                names.insert((*kind, object.metadata.name.clone().unwrap_or_default()));
                children.event(*kind, &object);
                writer.apply_watcher_event(&Event::InitApply(object));
            }
            writer.apply_watcher_event(&Event::InitDone);
            children.filled(*kind, &Area::Everywhere);
            let gone: Vec<_> = self
                .seen
                .iter()
                .filter(|(seen, name)| seen == kind && !names.contains(&(*kind, name.clone())))
                .cloned()
                .collect();
            for (kind, name) in gone {
                children.forget(&Place {
                    kind,
                    namespace: NAMESPACE.to_owned(),
                    name: name.clone(),
                });
                self.seen.remove(&(kind, name));
            }
            self.seen.extend(names);
        }
    }

    /// Lets the next status write through.
    fn forget_times(&self, api: &FakeApi) {
        for name in resources(api) {
            let uid = api.get(&path_of(&name)).expect("the resource")["metadata"]["uid"].clone();
            let uid = uid.as_str().expect("a UID").to_owned();
            let reference = kube_runtime::reflector::ObjectRef::new(&name).within(NAMESPACE);
            self.context
                .memory
                .with(&reference, &uid, |remembered| remembered.status_written = None);
        }
    }
}

pub(crate) fn resource_path() -> String {
    path_of(NAME)
}

/// Where the resource of a name is read.
pub(crate) fn path_of(name: &str) -> String {
    format!(
        "/apis/faciliauto.com/v1alpha1/namespaces/{NAMESPACE}/{}/{name}",
        FaciliAutoDeployment::plural(&())
    )
}

fn resource(name: &str, uid: &str, spec: Value) -> Value {
    json!({
        "apiVersion": "faciliauto.com/v1alpha1",
        "kind": "FaciliAutoDeployment",
        "metadata": {"name": name, "namespace": NAMESPACE, "uid": uid, "generation": 1},
        "spec": spec,
    })
}

/// Names of all resources.
fn resources(api: &FakeApi) -> Vec<String> {
    let folder = path_of("");
    api.with(|state| {
        let names = state.objects.keys().filter_map(|path| path.strip_prefix(&folder));
        names.map(str::to_owned).collect()
    })
}

/// Where an object of a kind is read.
pub(crate) fn path(kind: Kind, name: &str) -> String {
    let resource = kind.api_resource();
    let group = if resource.group.is_empty() {
        "/api".to_owned()
    } else {
        format!("/apis/{}", resource.group)
    };
    format!(
        "{group}/{}/namespaces/{NAMESPACE}/{}/{name}",
        resource.version, resource.plural
    )
}

/// What controllers of a cluster do, at once: pods become ready, Jobs end, the autoscaler measures.
pub(crate) fn run_controllers(api: &FakeApi) {
    run_controllers_but(api, &[]);
}

/// As `run_controllers`, for all kinds but these.
pub(crate) fn run_controllers_but(api: &FakeApi, others: &[&str]) {
    let paths: Vec<String> = api.with(|state| state.objects.keys().cloned().collect());
    for path in paths {
        let Some(mut object) = api.get(&path) else {
            continue;
        };
        let before = object.clone();
        let status = match object["kind"].as_str() {
            Some(kind) if others.contains(&kind) => continue,
            Some("Deployment") => {
                let replicas = object["spec"]["replicas"].as_i64().unwrap_or(1);
                json!({
                    "observedGeneration": object["metadata"]["generation"], "replicas": replicas,
                    "updatedReplicas": replicas, "readyReplicas": replicas, "availableReplicas": replicas,
                    "conditions": [{"type": "Available", "status": "True"}],
                })
            }
            Some("StatefulSet") => json!({
                "observedGeneration": object["metadata"]["generation"],
                "replicas": 1, "readyReplicas": 1, "currentRevision": "a", "updateRevision": "a",
            }),
            Some("Job") => json!({
                "succeeded": 1, "completionTime": "2026-01-01T00:00:00Z",
                "conditions": [{"type": "Complete", "status": "True"}],
            }),
            Some("HorizontalPodAutoscaler") => json!({
                "currentReplicas": 2, "desiredReplicas": 2,
                "conditions": [{"type": "ScalingActive", "status": "True", "reason": "ValidMetricFound"}],
            }),
            Some("HTTPRoute") => {
                let condition = |kind: &str| {
                    json!({"type": kind, "status": "True", "reason": kind, "message": "",
                    "observedGeneration": object["metadata"]["generation"],
                    "lastTransitionTime": "2026-01-01T00:00:00Z"})
                };
                let parents = object["spec"]["parentRefs"].as_array().into_iter().flatten();
                let answers: Vec<_> = parents
                    .map(|parent| {
                        json!({"parentRef": parent, "controllerName": "example.com/gateway",
                        "conditions": [condition("Accepted"), condition("ResolvedRefs")]})
                    })
                    .collect();
                json!({"parents": answers})
            }
            _ => continue,
        };
        object["status"] = status;
        if object != before {
            api.put(&path, object);
        }
    }
}

pub(crate) fn writes(calls: &[Call]) -> Vec<String> {
    calls
        .iter()
        .filter(|call| call.is_write())
        .map(|call| format!("{} {}", call.method, call.path))
        .collect()
}
