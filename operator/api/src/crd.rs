//! The CustomResourceDefinition, made from the types: derived, then bounded and trimmed.
//!
//! The derive macro leaves three things open that a server and its users need: bounds on everything
//! inside embedded Kubernetes types (the API server prices CEL rules by them, and a list without an
//! end is a way to fill etcd), a size that client-side `kubectl apply` can carry (256 KiB; the
//! descriptions of embedded types are most of it), and a status that reads as not observed.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::{Map, Value, json};

use crate::FaciliAutoDeployment;

/// Fields of embedded Kubernetes types, as paths of property names. Their own description stays,
/// what is below it goes.
const EMBEDDED: &[&[&str]] = &[
    &["spec", "autoscaling", "behavior"],
    &["spec", "api", "env"],
    &["spec", "api", "pod", "affinity"],
    &["spec", "api", "pod", "tolerations"],
    &["spec", "api", "pod", "topologySpreadConstraints"],
    &["spec", "backup", "pod", "affinity"],
    &["spec", "backup", "pod", "tolerations"],
    &["spec", "backup", "pod", "topologySpreadConstraints"],
    &["spec", "networkPolicy", "ingressFrom"],
    &["spec", "networkPolicy", "metricsFrom"],
    &["spec", "redis", "managed", "pod", "affinity"],
    &["spec", "redis", "managed", "pod", "tolerations"],
    &["spec", "redis", "managed", "pod", "topologySpreadConstraints"],
    &["status", "conditions"],
];

/// Whether the field at this path of property names is of a Kubernetes type, or within one.
pub fn is_embedded(path: &[&str]) -> bool {
    EMBEDDED.iter().any(|embedded| path.starts_with(embedded))
}

/// Longest text in a field that says nothing itself: the limit of a ConfigMap-sized value would let
/// one list fill a request, and nothing in an affinity or toleration comes near this.
const LONGEST_TEXT: u64 = 4096;
/// Most items of a list, and most entries of a map, that say nothing themselves.
const MOST_ITEMS: u64 = 64;

/// The CustomResourceDefinition as the cluster gets it.
///
/// # Panics
/// When the derived schema is not one that the API types can hold, which a test rules out.
pub fn crd() -> CustomResourceDefinition {
    serde_json::from_value(crd_yaml_value()).expect("the definition keeps the shape it was derived with")
}

/// The same as a tree, in the order in which it is printed.
///
/// # Panics
/// As [`crd`].
pub fn crd_yaml_value() -> Value {
    let mut definition = serde_json::to_value(FaciliAutoDeployment::crd()).expect("a definition is JSON");
    let schema = definition
        .pointer_mut("/spec/versions/0/schema/openAPIV3Schema")
        .expect("the derive macro writes one version with a schema");
    for path in EMBEDDED {
        let pointer: String = path.iter().map(|name| format!("/properties/{name}")).collect();
        let field = schema.pointer_mut(&pointer).expect("every embedded field exists");
        drop_inner_descriptions(field);
    }
    bound(schema);
    // A resource that nobody has looked at yet must not read as current: without a status, tools
    // that follow kstatus take it for done.
    schema["properties"]["status"]["default"] = json!({
        "observedGeneration": 0,
        "conditions": [{
            "type": "Ready",
            "status": "Unknown",
            "reason": "NotObserved",
            "message": "The operator has not looked at this resource yet: check that it runs in faciliauto-system.",
            "observedGeneration": 0,
            "lastTransitionTime": NEVER,
        }],
    });
    definition
}

/// The time of the default condition: no transition has happened.
pub const NEVER: &str = "1970-01-01T00:00:00Z";

/// The validation schema of the one version.
///
/// # Panics
/// As [`crd`].
pub fn schema() -> Value {
    crd_yaml_value()["spec"]["versions"][0]["schema"]["openAPIV3Schema"].take()
}

/// Removes every description below the root of `field`.
fn drop_inner_descriptions(field: &mut Value) {
    for_each_inner(field, &mut |inner| {
        inner.remove("description");
        true
    });
}

/// Puts a bound wherever a text, list or map has none, and takes `nullable` away: the server then
/// drops a null before it fills in defaults, so `tag: null` means what leaving it out means.
fn bound(schema: &mut Value) {
    if let Some(root) = schema.as_object_mut() {
        bound_one(root);
    }
    for_each_inner(schema, &mut bound_one);
}

fn bound_one(schema: &mut Map<String, Value>) -> bool {
    schema.remove("nullable");
    let kind = schema
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let is_open_text = kind == "string"
        && !["enum", "format", "maxLength"]
            .iter()
            .any(|bound| schema.contains_key(*bound));
    if is_open_text {
        schema.insert("maxLength".into(), json!(LONGEST_TEXT));
    }
    if kind == "array" && !schema.contains_key("maxItems") {
        schema.insert("maxItems".into(), json!(MOST_ITEMS));
    }
    if schema.contains_key("additionalProperties") && !schema.contains_key("maxProperties") {
        schema.insert("maxProperties".into(), json!(MOST_ITEMS));
    }
    true
}

/// Calls `change` on every schema below `schema`, parents first.
fn for_each_inner(schema: &mut Value, change: &mut dyn FnMut(&mut Map<String, Value>) -> bool) {
    let Some(object) = schema.as_object_mut() else {
        return;
    };
    let mut inner: Vec<&mut Value> = Vec::new();
    for (key, value) in object.iter_mut() {
        match key.as_str() {
            "properties" => inner.extend(value.as_object_mut().into_iter().flat_map(Map::values_mut)),
            "items" | "additionalProperties" => inner.push(value),
            _ => {}
        }
    }
    for value in inner {
        if let Some(map) = value.as_object_mut() {
            change(map);
        }
        for_each_inner(value, change);
    }
}

#[cfg(test)]
mod tests;
