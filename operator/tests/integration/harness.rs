//! Reconciling one resource against an API server in memory, with the watches replaced by copying
//! and the cluster's own controllers by a function.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use faciliauto_api::FaciliAutoDeployment;
use faciliauto_operator::{
    capabilities::{Availability, Capabilities, IngressClasses, LiveCapabilities},
    children::{Children, Place, project},
    events::Events,
    memory::Memory,
    metrics::Metrics,
    reconcile::{Context, Error, error_policy, reconcile, waves::Waves},
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
}

/// What a process holds and a crash loses.
struct Operator {
    context: Arc<Context>,
    writers: HashMap<Kind, Writer<DynamicObject>>,
    seen: BTreeSet<(Kind, String)>,
}

impl Harness {
    pub(crate) fn new(spec: Value) -> Self {
        let api = FakeApi::default();
        api.put(
            &resource_path(),
            json!({
                "apiVersion": "faciliauto.com/v1alpha1",
                "kind": "FaciliAutoDeployment",
                "metadata": {"name": NAME, "namespace": NAMESPACE, "uid": UID, "generation": 1},
                "spec": spec,
            }),
        );
        // A cluster without any optional kind, and with one ingress class.
        let classes = IngressClasses::Known([("traefik".to_owned(), false)].into());
        let capabilities = Capabilities::new(classes);
        Self {
            operator: Operator::start(&api, &capabilities),
            api,
            capabilities,
        }
    }

    /// The cluster gets or loses an optional kind.
    pub(crate) fn set_capability(&mut self, kind: Kind, availability: Availability) {
        self.capabilities.set(kind, availability.clone());
        self.api.with(|state| match availability {
            Availability::Present => drop(state.optional_kinds.insert(kind)),
            Availability::Absent => drop(state.optional_kinds.remove(&kind)),
            Availability::Unknown { .. } => {}
        });
        self.operator.context.capabilities.note(kind, availability);
    }

    /// As `restart`, with a client of the new process's own.
    pub(crate) fn restart_with(&mut self, client: Client) {
        self.operator = Operator::start_with(client, &self.capabilities);
    }

    /// The process dies and another starts: everything but the cluster is forgotten.
    pub(crate) fn restart(&mut self) {
        self.operator = Operator::start(&self.api, &self.capabilities);
    }

    pub(crate) fn change_spec(&self, change: impl FnOnce(&mut Value)) {
        self.api.edit(&resource_path(), |resource| {
            change(&mut resource["spec"]);
            let generation = resource["metadata"]["generation"].as_i64().unwrap_or(0);
            resource["metadata"]["generation"] = json!(generation + 1);
        });
    }

    /// One look, with stores as a watch would have filled them by now.
    pub(crate) async fn look(&mut self) -> Result<Action, Error> {
        self.operator.watch(&self.api);
        let resource = self.api.get(&resource_path()).expect("the resource");
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
        for _ in 0..MOST_LOOKS {
            let before = self.api.with(|state| state.objects.clone());
            let looked = self.look().await;
            run_controllers(&self.api);
            if self.api.with(|state| state.objects == before) && looked.is_ok() {
                return;
            }
            // A status write is held for two seconds after the last one; a test does not wait.
            self.operator.forget_times();
        }
        panic!(
            "still changing after {MOST_LOOKS} looks: {:#?}",
            self.api.take_calls()
        );
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
        let status = self.status();
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
    fn start(api: &FakeApi, capabilities: &Capabilities) -> Self {
        Self::start_with(api.client(), capabilities)
    }

    fn start_with(client: Client, capabilities: &Capabilities) -> Self {
        let writers: HashMap<_, _> = Kind::WATCHED
            .into_iter()
            .chain(Kind::OPTIONAL)
            .map(|kind| (kind, Writer::new(kind.api_resource())))
            .collect();
        let stores = writers
            .iter()
            .map(|(kind, writer)| (*kind, writer.as_reader()))
            .collect();
        let context = Context {
            events: Events::new(client.clone(), None),
            client,
            children: Arc::new(Children::new(stores)),
            capabilities: Arc::new(LiveCapabilities::new(capabilities.clone())),
            memory: Memory::default(),
            waves: Waves::new(BTreeSet::new, |_| ()),
            metrics: Metrics::new(&mut prometheus_client::registry::Registry::default()),
            defaults: defaults(),
        };
        Self {
            context: Arc::new(context),
            writers,
            seen: BTreeSet::new(),
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
            children.filled(*kind);
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
    fn forget_times(&self) {
        let reference = kube_runtime::reflector::ObjectRef::new(NAME).within(NAMESPACE);
        self.context
            .memory
            .with(&reference, UID, |remembered| remembered.status_written = None);
    }
}

pub(crate) fn resource_path() -> String {
    format!(
        "/apis/faciliauto.com/v1alpha1/namespaces/{NAMESPACE}/{}/{NAME}",
        FaciliAutoDeployment::plural(&())
    )
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
    let paths: Vec<String> = api.with(|state| state.objects.keys().cloned().collect());
    for path in paths {
        let Some(mut object) = api.get(&path) else {
            continue;
        };
        let before = object.clone();
        let status = match object["kind"].as_str() {
            Some("Deployment") => {
                let replicas = object["spec"]["replicas"].as_i64().unwrap_or(1);
                json!({
                    "observedGeneration": object["metadata"]["generation"], "replicas": replicas,
                    "updatedReplicas": replicas, "readyReplicas": replicas, "availableReplicas": replicas,
                    "conditions": [{"type": "Available", "status": "True"}],
                })
            }
            Some("StatefulSet") => json!({
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
