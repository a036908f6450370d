//! An API server in memory, as far as the operator uses one: objects by path, server-side apply with
//! field ownership as coarse as whole fields, immutability where it matters, dry runs, and a switch that
//! makes the n-th call fail, before or after it has taken effect. Each client reaches it over a link of
//! its own, which may be slow or cut.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use faciliauto_operator::{
    lease::{Leadership, fence::FenceLayer},
    resources::Kind,
};
use http::{Request, Response};
use http_body_util::BodyExt;
use kube::{Client, client::Body};
use serde_json::{Map, Value, json};
use tower::{BoxError, Layer};

/// When a call fails, relative to its effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The call never arrives.
    Before,
    /// The call takes effect and its answer is lost.
    After,
}

/// One call as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) content_type: String,
}

impl Call {
    pub(crate) fn is_write(&self) -> bool {
        self.method != "GET"
    }

    /// Events are told to people and change nothing.
    pub(crate) fn is_event(&self) -> bool {
        self.path.starts_with("/apis/events.k8s.io/")
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    /// Objects by the path at which they are read.
    pub(crate) objects: BTreeMap<String, Value>,
    pub(crate) calls: Vec<Call>,
    pub(crate) events: Vec<Value>,
    /// Kinds that not every cluster has, and this one has.
    pub(crate) optional_kinds: BTreeSet<Kind>,
    /// Whether the namespace is going away: nothing may be made in it any more.
    pub(crate) namespace_is_ending: bool,
    /// Whether the StorageClass of volumes allows no expansion.
    pub(crate) volumes_are_fixed: bool,
    fault: Option<(usize, Fault)>,
    version: u64,
}

/// The server; clones share its state.
#[derive(Clone, Debug, Default)]
pub(crate) struct FakeApi(Arc<Mutex<State>>);

type Answer = (u16, Value);

/// The way between a client and the server, the same in both directions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Link(Arc<Mutex<(Duration, bool)>>);

impl Link {
    /// Sets how long anything takes from now on.
    pub(crate) fn delay(&self, delay: Duration) {
        self.0.lock().expect("the link").0 = delay;
    }

    /// Cuts the link, so that nothing arrives and nobody is told; or mends it.
    pub(crate) fn cut(&self, is_cut: bool) {
        self.0.lock().expect("the link").1 = is_cut;
    }

    async fn pass(&self) {
        let (delay, is_cut) = *self.0.lock().expect("the link");
        if is_cut {
            std::future::pending::<()>().await;
        }
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
    }

    /// Carries a request there and its answer back. What was sent arrives, although the sender may have
    /// ceased to wait.
    pub(crate) async fn carry<T: Send + 'static>(&self, serve: impl FnOnce() -> T + Send + 'static) -> T {
        let there = self.clone();
        let arrival = tokio::spawn(async move {
            there.pass().await;
            serve()
        });
        let answer = arrival.await.expect("the server does not panic");
        self.pass().await;
        answer
    }
}

/// Where an entry of managed fields says that it covers the number of replicas.
const REPLICAS_FIELD: &str = "/fieldsV1/f:spec/f:replicas";

impl FakeApi {
    pub(crate) fn client(&self) -> Client {
        self.client_over(&Link::default(), None)
    }

    /// A client over a link, which writes only while the leadership is held, if there is one.
    pub(crate) fn client_over(&self, link: &Link, leadership: Option<Leadership>) -> Client {
        let (api, link) = (self.clone(), link.clone());
        let service = tower::service_fn(move |request: Request<Body>| {
            let (api, link) = (api.clone(), link.clone());
            async move {
                let (parts, body) = request.into_parts();
                let bytes = body.collect().await.expect("a body").to_bytes();
                let call = Call {
                    method: parts.method.to_string(),
                    path: parts.uri.path().to_owned(),
                    query: parts.uri.query().unwrap_or_default().to_owned(),
                    content_type: parts
                        .headers
                        .get("content-type")
                        .and_then(|value| value.to_str().ok())
                        .unwrap_or_default()
                        .to_owned(),
                };
                let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
                let served = link.carry(move || api.with(|state| state.serve(call, body)));
                let (status, answer) = served.await;
                let answer = Body::from(answer.to_string().into_bytes());
                Ok::<_, BoxError>(
                    Response::builder()
                        .status(status)
                        .body(answer)
                        .expect("an answer"),
                )
            }
        });
        Client::new(FenceLayer(leadership).layer(service), "default")
    }

    pub(crate) fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.0.lock().expect("no test panics while it holds the lock"))
    }

    /// Another server with the same in it.
    pub(crate) fn copy(&self) -> Self {
        Self(Arc::new(Mutex::new(self.with(|state| state.clone()))))
    }

    /// Makes the call after the next `after` ones fail, once.
    pub(crate) fn fail(&self, after: usize, fault: Fault) {
        self.with(|state| state.fault = Some((state.calls.len() + after, fault)));
    }

    /// Whether the fault has not struck.
    pub(crate) fn fault_is_pending(&self) -> bool {
        self.with(|state| state.fault.is_some())
    }

    pub(crate) fn get(&self, path: &str) -> Option<Value> {
        self.with(|state| state.objects.get(path).cloned())
    }

    /// Puts an object there as somebody else would, whole.
    pub(crate) fn put(&self, path: &str, object: Value) {
        self.with(|state| state.store(path, object));
    }

    /// Changes an object as somebody else would.
    pub(crate) fn edit(&self, path: &str, change: impl FnOnce(&mut Value)) {
        self.with(|state| {
            let mut object = state
                .objects
                .get(path)
                .cloned()
                .unwrap_or_else(|| panic!("{path} does not exist"));
            change(&mut object);
            state.store(path, object);
        });
    }

    pub(crate) fn remove(&self, path: &str) -> Option<Value> {
        self.with(|state| state.objects.remove(path))
    }

    /// The calls since the last time, but for events.
    pub(crate) fn take_calls(&self) -> Vec<Call> {
        self.with(|state| std::mem::take(&mut state.calls))
            .into_iter()
            .filter(|call| !call.is_event())
            .collect()
    }
}

impl State {
    fn serve(&mut self, call: Call, body: Value) -> Answer {
        let number = self.calls.len();
        self.calls.push(call.clone());
        let strikes = self.fault.filter(|(at, _)| number >= *at).map(|(_, fault)| fault);
        if strikes.is_some() {
            self.fault = None;
        }
        let broken = (500, status(500, "InternalError", "the connection broke"));
        match strikes {
            Some(Fault::Before) => broken,
            Some(Fault::After) => {
                self.handle(&call, body);
                broken
            }
            None => self.handle(&call, body),
        }
    }

    fn handle(&mut self, call: &Call, body: Value) -> Answer {
        if call.is_event() {
            self.events.push(body.clone());
            return (201, body);
        }
        if call.query.contains("dryRun=All") {
            let real = Call {
                query: call.query.replace("dryRun=All", ""),
                ..call.clone()
            };
            let (objects, version) = (self.objects.clone(), self.version);
            let answer = self.handle(&real, body);
            (self.objects, self.version) = (objects, version);
            return answer;
        }
        match call.method.as_str() {
            "GET" if self.lacks_kind_of(&call.path) => not_found(),
            "GET" if is_collection(&call.path) => (200, self.list(call)),
            "GET" => self
                .objects
                .get(&call.path)
                .map_or_else(not_found, |object| (200, object.clone())),
            "POST" => self.create(call, body),
            "PUT" => self.replace(call, body),
            "PATCH" if call.content_type == "application/merge-patch+json" => {
                let Some(mut object) = self.objects.get(&call.path).cloned() else {
                    return not_found();
                };
                merge(&mut object, &body);
                for (key, value) in body["spec"].as_object().into_iter().flatten() {
                    object["spec"][key] = without_nulls(value);
                }
                (200, self.store(&call.path, object))
            }
            "PATCH" if call.content_type == "application/apply-patch+yaml" => self.apply(call, body),
            "PATCH" if call.content_type == "application/json-patch+json" => self.json_patch(call, &body),
            "DELETE" => self.delete(call, &body),
            _ => (405, status(405, "MethodNotAllowed", &format!("{call:?}"))),
        }
    }

    /// Whether the path is that of a kind which this cluster does not have.
    fn lacks_kind_of(&self, path: &str) -> bool {
        let absent = Kind::OPTIONAL
            .iter()
            .filter(|kind| !self.optional_kinds.contains(kind));
        absent.map(|kind| kind.api_resource()).any(|kind| {
            path.starts_with(&format!("/apis/{}/", kind.api_version))
                && path.split('/').any(|part| part == kind.plural)
        })
    }

    fn create(&mut self, call: &Call, body: Value) -> Answer {
        let path = format!(
            "{}/{}",
            call.path,
            body["metadata"]["name"].as_str().unwrap_or_default()
        );
        if self.objects.contains_key(&path) {
            return (409, status(409, "AlreadyExists", "already exists"));
        }
        (201, self.store(&path, body))
    }

    /// The objects of a kind, in a namespace or in all, with the labels that the query asks for.
    fn list(&self, call: &Call) -> Value {
        let wanted = labels(&call.query);
        let (group, plural) = call.path.rsplit_once('/').expect("a path");
        let group = group.split("/namespaces/").next().expect("a group");
        let items: Vec<_> = self
            .objects
            .iter()
            .filter(|(path, _)| {
                let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
                let everywhere = !call.path.contains("/namespaces/");
                folder == call.path
                    || (everywhere && folder.starts_with(group) && folder.ends_with(&format!("/{plural}")))
            })
            .map(|(_, object)| object.clone())
            .filter(|object| {
                wanted
                    .iter()
                    .all(|(key, value)| object["metadata"]["labels"][key] == **value)
            })
            .collect();
        json!({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": items})
    }

    /// Writes a whole object at the version that it names; a status is not taken from it.
    fn replace(&mut self, call: &Call, mut body: Value) -> Answer {
        let Some(live) = self.objects.get(&call.path).cloned() else {
            return not_found();
        };
        let version = &body["metadata"]["resourceVersion"];
        if !version.is_null() && *version != live["metadata"]["resourceVersion"] {
            return (409, status(409, "Conflict", "the object has been modified"));
        }
        if !live["status"].is_null() {
            body["status"] = live["status"].clone();
        }
        (200, self.store(&call.path, body))
    }

    /// Merges what is applied into what is there; fields that were applied before and no longer are go.
    fn apply(&mut self, call: &Call, body: Value) -> Answer {
        assert!(
            call.query.contains("fieldManager=faciliauto-operator"),
            "{call:?}"
        );
        assert!(call.query.contains("force=true"), "{call:?}");
        let (path, is_status) = match call.path.strip_suffix("/status") {
            Some(path) => (path.to_owned(), true),
            None => (call.path.clone(), false),
        };
        let Some(live) = self.objects.get(&path).cloned() else {
            if is_status {
                return not_found();
            }
            if self.namespace_is_ending {
                let message =
                    "unable to create new content in namespace lojas because it is being terminated";
                return (403, status(403, "Forbidden", message));
            }
            let mut object = body.clone();
            object["metadata"]["managedFields"] = managed_fields(&body);
            return (201, self.store(&path, object));
        };
        let wanted_version = &body["metadata"]["resourceVersion"];
        if !wanted_version.is_null() && *wanted_version != live["metadata"]["resourceVersion"] {
            return (409, status(409, "Conflict", "the object has been modified"));
        }
        if is_status {
            let mut object = live.clone();
            object["status"] = body["status"].clone();
            return (200, self.store_if_changed(&path, &live, object));
        }
        if live["immutable"] == true && body["data"] != live["data"] {
            return (
                422,
                status(422, "Invalid", "field is immutable when `immutable` is set"),
            );
        }
        let size = "/spec/resources/requests/storage";
        if self.volumes_are_fixed
            && live["kind"] == "PersistentVolumeClaim"
            && body.pointer(size) != live.pointer(size)
        {
            let message = "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize";
            return (403, status(403, "Forbidden", message));
        }
        let mut object = live.clone();
        let previous = owned(&live["metadata"]["managedFields"]);
        remove_dropped(&mut object, &previous, &body);
        merge(&mut object, &body);
        if let Some(number) = duplicate_port_name(&object) {
            return (
                422,
                status(
                    422,
                    "Invalid",
                    &format!("spec.ports[{number}].name: Duplicate value"),
                ),
            );
        }
        let others = live["metadata"]["managedFields"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        // A forced apply of another value takes the field away from whoever had it.
        let wanted_replicas = &body["spec"]["replicas"];
        let is_seized = !wanted_replicas.is_null() && *wanted_replicas != live["spec"]["replicas"];
        let keeps = |entry: &Value| {
            entry["manager"] != "faciliauto-operator"
                && !(is_seized && entry.pointer(REPLICAS_FIELD).is_some())
        };
        let mut fields: Vec<_> = others.into_iter().filter(keeps).collect();
        fields.extend(managed_fields(&body).as_array().cloned().unwrap_or_default());
        object["metadata"]["managedFields"] = json!(fields);
        (200, self.store_if_changed(&path, &live, object))
    }

    fn json_patch(&mut self, call: &Call, body: &Value) -> Answer {
        let Some(mut object) = self.objects.get(&call.path).cloned() else {
            return not_found();
        };
        for step in body.as_array().expect("a JSON patch") {
            let field = object
                .pointer_mut(step["path"].as_str().expect("a path"))
                .expect("a field");
            match step["op"].as_str() {
                Some("test") if *field != step["value"] => {
                    return (422, status(422, "Invalid", "the test of the patch failed"));
                }
                Some("test") => {}
                Some("replace") => *field = step["value"].clone(),
                other => panic!("the operator sends no {other:?}"),
            }
        }
        (200, self.store(&call.path, object))
    }

    fn delete(&mut self, call: &Call, body: &Value) -> Answer {
        let Some(object) = self.objects.get(&call.path) else {
            return not_found();
        };
        let wanted = &body["preconditions"]["uid"];
        assert!(!wanted.is_null(), "nothing is deleted by name alone: {call:?}");
        if *wanted != object["metadata"]["uid"] {
            return (
                409,
                status(409, "Conflict", "the UID in the precondition does not match"),
            );
        }
        self.objects.remove(&call.path);
        (200, status(200, "", "deleted"))
    }

    fn store(&mut self, path: &str, mut object: Value) -> Value {
        self.version += 1;
        let metadata = &mut object["metadata"];
        if metadata["uid"].is_null() {
            metadata["uid"] = json!(format!("uid-{}", self.version));
        }
        metadata["resourceVersion"] = json!(self.version.to_string());
        if ["Deployment", "StatefulSet"].contains(&object["kind"].as_str().unwrap_or_default()) {
            let live = self.objects.get(path).unwrap_or(&Value::Null);
            let before = live["metadata"]["generation"].as_i64().unwrap_or(0);
            let is_same = live["spec"] == object["spec"];
            object["metadata"]["generation"] = json!(before + i64::from(!is_same));
        }
        self.objects.insert(path.to_owned(), object.clone());
        object
    }

    fn store_if_changed(&mut self, path: &str, live: &Value, mut object: Value) -> Value {
        object["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"].clone();
        if *live == object {
            object
        } else {
            self.store(path, object)
        }
    }
}

/// Whether the path is that of a collection, not of one object in it.
fn is_collection(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let rest = if parts[0] == "api" {
        &parts[2..]
    } else {
        &parts[3..]
    };
    matches!(rest, ["namespaces", _, _] | [_])
}

/// The labels that a query asks for.
fn labels(query: &str) -> Vec<(String, String)> {
    let selector = query
        .split('&')
        .find_map(|part| part.strip_prefix("labelSelector="))
        .unwrap_or_default()
        .replace("%2F", "/")
        .replace("%3D", "=")
        .replace("%2C", ",");
    let pairs = selector.split(',').filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

fn not_found() -> Answer {
    (404, status(404, "NotFound", "not found"))
}

fn status(code: u16, reason: &str, message: &str) -> Value {
    let word = if code < 300 { "Success" } else { "Failure" };
    json!({"kind": "Status", "apiVersion": "v1", "status": word, "code": code, "reason": reason, "message": message})
}

/// What the operator applied, remembered in the place where a server keeps managed fields. A real
/// entry names fields; of those the operator reads only `spec.replicas` and annotations.
fn managed_fields(body: &Value) -> Value {
    let mut fields = json!({});
    if !body["spec"]["replicas"].is_null() {
        fields["f:spec"]["f:replicas"] = json!({});
    }
    for key in body["metadata"]["annotations"]
        .as_object()
        .into_iter()
        .flat_map(Map::keys)
    {
        fields["f:metadata"]["f:annotations"][format!("f:{key}")] = json!({});
    }
    json!([{"manager": "faciliauto-operator", "operation": "Apply", "fieldsV1": fields, "applied": body}])
}

/// What the operator applied last.
fn owned(entries: &Value) -> Value {
    let entries = entries.as_array().cloned().unwrap_or_default();
    entries
        .into_iter()
        .find(|entry| entry["manager"] == "faciliauto-operator")
        .map_or(Value::Null, |mut entry| entry["applied"].take())
}

fn remove_dropped(object: &mut Value, previous: &Value, body: &Value) {
    let (Some(previous), Some(object)) = (previous.as_object(), object.as_object_mut()) else {
        return;
    };
    for (key, value) in previous {
        match body.get(key) {
            None => {
                object.remove(key);
            }
            Some(inner) => {
                if let Some(field) = object.get_mut(key) {
                    remove_dropped(field, value, inner);
                }
            }
        }
    }
}

/// What is left of a merge patch where nothing was: a null removes a field.
fn without_nulls(value: &Value) -> Value {
    let Some(fields) = value.as_object() else {
        return value.clone();
    };
    let kept = fields.iter().filter(|(_, value)| !value.is_null());
    kept.map(|(key, value)| (key.clone(), without_nulls(value)))
        .collect::<Map<_, _>>()
        .into()
}

/// Deep merge; lists are one value, but for a Service's ports, which are merged by their number.
fn merge(object: &mut Value, body: &Value) {
    let (Some(fields), Some(wanted)) = (object.as_object_mut(), body.as_object()) else {
        *object = body.clone();
        return;
    };
    for (key, value) in wanted {
        let field = fields.entry(key.clone()).or_insert(Value::Null);
        match (key.as_str(), value.as_array(), field.as_array_mut()) {
            ("ports", Some(wanted), Some(present))
                if wanted.iter().all(|port| port.get("port").is_some()) =>
            {
                for port in wanted {
                    match present.iter_mut().find(|other| other["port"] == port["port"]) {
                        Some(other) => merge(other, port),
                        None => present.push(port.clone()),
                    }
                }
            }
            _ if value.is_object() => {
                if !field.is_object() {
                    *field = Value::Object(Map::new());
                }
                merge(field, value);
            }
            _ => *field = value.clone(),
        }
    }
}

fn duplicate_port_name(object: &Value) -> Option<usize> {
    let ports = object["spec"]["ports"].as_array()?;
    (0..ports.len()).find(|index| {
        ports[..*index]
            .iter()
            .any(|port| port["name"] == ports[*index]["name"])
    })
}
