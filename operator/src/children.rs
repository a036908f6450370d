//! Live children: one store per watched kind, and on top of the stores what the API server answered
//! to our own writes, until the watch has caught up with it.
//!
//! Without that second layer a look that follows a write would see the object as it was before, and
//! write again.

pub mod refusals;

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::{ResourceExt, api::DynamicObject};
use kube_runtime::reflector::{ObjectRef, Store};
use serde_json::{Value, json};
use tokio::sync::watch;

use refusals::Refusals;

use crate::{area::Area, names, reconcile::apply::difference::Difference, resources::Kind};

/// How long an answer may stand in for the store when no event about the object arrives.
const ANSWER_LIFETIME: Duration = Duration::from_secs(5);

/// Top-level field of a projected Deployment: somebody else owns `spec.replicas`.
pub const REPLICAS_OWNED_BY_OTHER: &str = "replicasOwnedByOther";

/// Top-level field of a projected pod, ReplicaSet or Job: the ConfigMaps that it names.
pub const CONFIG_MAPS: &str = "configMaps";

/// Top-level field of a projected pod or ReplicaSet: the ServiceAccount that its pods have.
pub const SERVICE_ACCOUNT: &str = "serviceAccountName";

/// Where an object is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// A store for each watch: each kind everywhere, or in each of some namespaces.
pub type Stores = HashMap<(Kind, Area), Store<DynamicObject>>;

/// Stores of live children.
#[derive(Debug)]
pub struct Children {
    stores: Stores,
    /// Watches whose first list is not complete. `Store::wait_until_ready` wakes one waiter only, and
    /// looks at several resources wait here at the same time.
    unfilled: watch::Sender<BTreeSet<(Kind, Area)>>,
    answers: Mutex<HashMap<Place, Answer>>,
    settled: Mutex<HashMap<Place, Settled>>,
    /// What the cluster would not have.
    pub refusals: Refusals,
}

#[derive(Debug)]
struct Answer {
    object: Arc<DynamicObject>,
    until: Instant,
}

/// What an API server makes of an object whatever we send, by a webhook or a field it drops.
#[derive(Clone, Debug, PartialEq)]
struct Settled {
    hash: String,
    differences: Vec<Difference>,
}

impl Children {
    /// Children as `stores` have them, none of which has finished its first list.
    pub fn new(stores: Stores) -> Self {
        Self {
            unfilled: watch::Sender::new(stores.keys().cloned().collect()),
            stores,
            answers: Mutex::default(),
            settled: Mutex::default(),
            refusals: Refusals::default(),
        }
    }

    /// The first list of a watch is complete.
    pub fn filled(&self, kind: Kind, area: &Area) {
        self.unfilled
            .send_if_modified(|watches| watches.remove(&(kind, area.clone())));
    }

    /// Waits until every store with objects of `namespace` has finished its first list. Another namespace,
    /// in which the operator may not look, holds nothing up.
    pub async fn wait_until_filled(&self, namespace: &str) {
        let concerns = |area: &Area| match area {
            Area::Everywhere => true,
            Area::Namespace(name) => name == namespace,
        };
        let are_filled = |watches: &BTreeSet<(Kind, Area)>| !watches.iter().any(|(_, area)| concerns(area));
        // It cannot fail while `self` holds the sender.
        let _ = self.unfilled.subscribe().wait_for(are_filled).await;
    }

    /// The store with the objects of a kind in a namespace.
    fn store(&self, kind: Kind, namespace: &str) -> Option<&Store<DynamicObject>> {
        let everywhere = self.stores.get(&(kind, Area::Everywhere));
        everywhere.or_else(|| self.stores.get(&(kind, Area::Namespace(namespace.to_owned()))))
    }

    /// One child by name.
    pub fn get(&self, place: &Place) -> Option<Arc<DynamicObject>> {
        {
            let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
            match answers.get(place) {
                Some(answer) if answer.until > Instant::now() => return Some(answer.object.clone()),
                Some(_) => drop(answers.remove(place)),
                None => {}
            }
        }
        let store = self.store(place.kind, &place.namespace)?;
        let reference = ObjectRef::new_with(&place.name, place.kind.api_resource()).within(&place.namespace);
        store.get(&reference)
    }

    /// All children of a kind that carry the label of the resource `instance`.
    pub fn of_instance(&self, kind: Kind, namespace: &str, instance: &str) -> Vec<Arc<DynamicObject>> {
        let belongs = |object: &DynamicObject| {
            object.namespace().as_deref() == Some(namespace)
                && object.labels().get(names::INSTANCE).map(String::as_str) == Some(instance)
        };
        let stored = self
            .store(kind, namespace)
            .map(|store| store.state_filter(belongs))
            .unwrap_or_default();
        let mut found: HashMap<String, Arc<DynamicObject>> = stored
            .into_iter()
            .map(|object| (object.name_any(), object))
            .collect();
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        for (place, answer) in answers
            .iter()
            .filter(|(place, answer)| place.kind == kind && answer.until > now)
        {
            if belongs(&answer.object) {
                found.insert(place.name.clone(), answer.object.clone());
            }
        }
        let mut found: Vec<_> = found.into_values().collect();
        found.sort_by_key(|object| object.name_any());
        found
    }

    /// Keeps the API server's answer to a write of ours, projected as stores hold objects.
    pub fn remember(&self, place: Place, object: DynamicObject) {
        let answer = Answer {
            object: Arc::new(object),
            until: Instant::now() + ANSWER_LIFETIME,
        };
        self.answers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(place, answer);
    }

    /// Drops an answer: the object was deleted.
    pub fn forget(&self, place: &Place) {
        self.answers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(place);
    }

    /// An event about `object` arrived, so the store is at least as new as the event: an answer that
    /// is not newer has served its time.
    pub fn event(&self, kind: Kind, object: &DynamicObject) {
        let place = Place {
            kind,
            namespace: object.namespace().unwrap_or_default(),
            name: object.name_any(),
        };
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let is_newer = |answer: &Answer| version(&answer.object) > version(object);
        if answers.get(&place).is_some_and(|answer| !is_newer(answer)) {
            answers.remove(&place);
        }
    }

    /// Notes in what way the answer to our own apply differs from what we sent. True when that is
    /// something new.
    pub fn settle(&self, place: &Place, hash: &str, differences: Vec<Difference>) -> bool {
        let mut settled = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
        if differences.is_empty() {
            settled.remove(place);
            return false;
        }
        let now = Settled {
            hash: hash.to_owned(),
            differences,
        };
        settled.insert(place.clone(), now.clone()).as_ref() != Some(&now)
    }

    /// Whether this difference is one of those that remained after our last apply of the object.
    pub fn tolerates(&self, place: &Place, difference: &Difference) -> bool {
        let settled = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
        settled
            .get(place)
            .is_some_and(|settled| settled.differences.contains(difference))
    }

    /// Whether these differences are the ones that remained after our last apply of the same object.
    pub fn is_settled(&self, place: &Place, hash: &str, differences: &[Difference]) -> bool {
        let settled = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
        settled
            .get(place)
            .is_some_and(|settled| settled.hash == hash && settled.differences == differences)
    }
}

/// A resourceVersion as a number. They are opaque by contract and numbers in fact; this decides only
/// which of two copies a cache shows, for seconds.
fn version(object: &DynamicObject) -> Option<u64> {
    object
        .metadata
        .resource_version
        .as_deref()
        .and_then(|version| version.parse().ok())
}

/// Leaves of an object only what reconciling reads, before it goes into a store: others' annotations
/// and managed fields are most of an object's size. Once for each object that arrives: what tells whose
/// a field is has gone afterwards.
pub fn project(kind: Kind, object: &mut DynamicObject) {
    let managed = object.metadata.managed_fields.take().unwrap_or_default();
    if let Some(annotations) = &mut object.metadata.annotations {
        let ours: BTreeSet<&str> = managed
            .iter()
            .filter(|entry| is_ours(entry))
            .flat_map(annotations_of)
            .collect();
        annotations.retain(|key, _| key.starts_with("faciliauto.com/") || ours.contains(key.as_str()));
    }
    match kind {
        Kind::Deployment => {
            let owned = managed.iter().any(owns_replicas_and_is_not_us);
            object.data[REPLICAS_OWNED_BY_OTHER] = json!(owned);
        }
        Kind::Pod => {
            let names = config_map_names(&object.data["spec"]);
            let status = keep(
                object.data["status"].take(),
                &[
                    "phase",
                    "reason",
                    "message",
                    "conditions",
                    "containerStatuses",
                    "initContainerStatuses",
                ],
            );
            let account = object.data["spec"]["serviceAccountName"].take();
            let volumes = object.data["spec"]["volumes"].take();
            let claims = volumes.as_array().cloned().unwrap_or_default().into_iter();
            let claims: Vec<_> = claims
                .filter(|volume| !volume["persistentVolumeClaim"].is_null())
                .collect();
            object.data = json!({
                "status": status, CONFIG_MAPS: names, SERVICE_ACCOUNT: account, "spec": {"volumes": claims},
            });
        }
        Kind::ReplicaSet => {
            let names = config_map_names(&object.data["spec"]["template"]["spec"]);
            let account = object.data["spec"]["template"]["spec"]["serviceAccountName"].clone();
            // The template too: a rollout that fails goes back to it.
            let spec = keep(object.data["spec"].take(), &["replicas", "template"]);
            let status = keep(object.data["status"].take(), &["replicas", "readyReplicas"]);
            object.data = json!({
                "spec": spec, "status": status, CONFIG_MAPS: names, SERVICE_ACCOUNT: account,
            });
        }
        Kind::Job => {
            let names = config_map_names(&object.data["spec"]["template"]["spec"]);
            object.data[CONFIG_MAPS] = json!(names);
        }
        Kind::ConfigMap => digest_values(&mut object.data["data"]),
        Kind::PersistentVolumeClaim => {
            let spec = keep(
                object.data["spec"].take(),
                &["accessModes", "resources", "storageClassName"],
            );
            let status = keep(object.data["status"].take(), &["phase", "capacity"]);
            object.data = json!({"spec": spec, "status": status});
        }
        _ => {}
    }
}

/// Replaces each value by its digest: dashboards are large, and to see a change their content is not
/// needed. A digest stays what it is.
pub fn digest_values(data: &mut Value) {
    use sha2::{Digest, Sha256};
    for value in data
        .as_object_mut()
        .into_iter()
        .flat_map(serde_json::Map::values_mut)
    {
        if let Some(text) = value.as_str().filter(|text| !text.starts_with(DIGEST)) {
            *value = json!(format!(
                "{DIGEST}{}",
                names::hex(&Sha256::digest(text.as_bytes()))
            ));
        }
    }
}

/// What a value that was replaced by its digest begins with.
const DIGEST: &str = "sha256=";

/// Whether the entry belongs to another manager and covers `spec.replicas`.
fn owns_replicas_and_is_not_us(entry: &ManagedFieldsEntry) -> bool {
    let fields = entry.fields_v1.as_ref().map(|fields| &fields.0);
    !is_ours(entry) && fields.is_some_and(|fields| fields.pointer("/f:spec/f:replicas").is_some())
}

/// Whether the entry is what we applied.
fn is_ours(entry: &ManagedFieldsEntry) -> bool {
    entry.manager.as_deref() == Some(names::FIELD_MANAGER) && entry.operation.as_deref() == Some("Apply")
}

/// Keys of the annotations that an entry covers.
fn annotations_of(entry: &ManagedFieldsEntry) -> impl Iterator<Item = &str> {
    let fields = entry.fields_v1.as_ref().map(|fields| &fields.0);
    let annotations = fields.and_then(|fields| fields.pointer("/f:metadata/f:annotations")?.as_object());
    let keys = annotations.into_iter().flat_map(serde_json::Map::keys);
    keys.filter_map(|key| key.strip_prefix("f:"))
}

fn keep(value: Value, fields: &[&str]) -> Value {
    let Value::Object(mut object) = value else {
        return Value::Null;
    };
    object.retain(|key, _| fields.contains(&key.as_str()));
    Value::Object(object)
}

/// Names of the ConfigMaps that a pod's volumes mount or its containers take their environment from.
pub fn config_map_names(pod: &Value) -> Vec<String> {
    let items = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let volumes = items(&pod["volumes"])
        .into_iter()
        .map(|volume| volume["configMap"]["name"].clone());
    let containers = items(&pod["containers"]).into_iter();
    let environments = containers.flat_map(|container| items(&container["envFrom"]));
    let environments = environments.map(|source| source["configMapRef"]["name"].clone());
    volumes
        .chain(environments)
        .filter_map(|name| name.as_str().map(str::to_owned))
        .collect()
}

#[cfg(test)]
mod tests;
