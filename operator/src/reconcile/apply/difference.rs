//! What differs between an object as we want it and as it is, in the fields that we set. Pure.
//!
//! Fields that we do not set are others' business. Amounts are compared as amounts, and null, absent
//! and empty are one: an API server prints `2048Mi` as `2Gi` and drops an empty value.

use serde_json::Value;

use faciliauto_api::Quantity;

/// A field that we set and that is not as we set it.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Where, as a path of keys.
    pub path: String,
    /// What is there.
    pub live: Value,
}

/// All fields that `desired` sets and `live` does not have.
pub fn differences(desired: &Value, live: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    compare(desired, live, "", "", &mut found);
    found
}

/// `name` is the key of the field that holds the value, `parent` the one above.
fn compare(desired: &Value, live: &Value, path: &str, parent: &str, found: &mut Vec<Difference>) {
    let name = path.rsplit('/').next().unwrap_or_default();
    match (desired, live) {
        _ if is_empty(desired) && is_empty(live) => {}
        (Value::Object(fields), Value::Object(_)) => {
            for (key, value) in fields {
                compare(value, &live[key], &format!("{path}/{key}"), name, found);
            }
        }
        (Value::Object(fields), _) if is_empty(live) => {
            for (key, value) in fields {
                compare(value, &Value::Null, &format!("{path}/{key}"), name, found);
            }
        }
        (Value::Array(wanted), Value::Array(present)) => compare_lists(wanted, present, path, name, found),
        _ if desired == live || same_amount(desired, live, parent) => {}
        // An object or list that is empty in every leaf is absent.
        _ if is_empty(desired) => found.push(difference(path, live)),
        _ => found.push(difference(path, live)),
    }
}

/// Lists of objects are matched by the key that server-side apply merges them by; what others added
/// to such a list is theirs. Other lists are one value.
fn compare_lists(wanted: &[Value], present: &[Value], path: &str, name: &str, found: &mut Vec<Difference>) {
    if let Some(keys) = merge_keys(name, wanted) {
        for item in wanted {
            let same = |other: &&Value| keys.iter().all(|key| item[*key] == other[*key]);
            let label: Vec<_> = keys.iter().map(|key| item[*key].to_string()).collect();
            let item_path = format!("{path}[{}]", label.join(","));
            match present.iter().find(same) {
                Some(other) => compare(item, other, &item_path, name, found),
                None => found.push(difference(&item_path, &Value::Null)),
            }
        }
    } else if wanted.len() == present.len() {
        for (index, (item, other)) in wanted.iter().zip(present).enumerate() {
            compare(item, other, &format!("{path}[{index}]"), name, found);
        }
    } else {
        found.push(difference(path, &Value::Array(present.to_vec())));
    }
}

/// The keys by which the API merges a list of this name; none for a list that is one value.
fn merge_keys(name: &str, wanted: &[Value]) -> Option<&'static [&'static str]> {
    let keys: &[&str] = match name {
        "containers" | "initContainers" | "env" | "volumes" | "imagePullSecrets" => &["name"],
        "volumeMounts" => &["mountPath"],
        "ownerReferences" => &["uid"],
        "topologySpreadConstraints" => &["topologyKey", "whenUnsatisfiable"],
        "ports" if wanted.iter().all(|port| port.get("containerPort").is_some()) => {
            &["containerPort", "protocol"]
        }
        // A Service's ports are matched by number too, but as a whole they are ours: see `apply`.
        _ => return None,
    };
    Some(keys)
}

/// Null, absent, `""`, `[]` and `{}` say the same.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.values().all(is_empty),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Whether both are amounts, where amounts stand, and equal.
fn same_amount(desired: &Value, live: &Value, parent: &str) -> bool {
    if !matches!(parent, "requests" | "limits") {
        return false;
    }
    let amount = |value: &Value| match value {
        Value::String(text) => Quantity::from(text.as_str()).nanos(),
        Value::Number(number) => Quantity(number.to_string()).nanos(),
        _ => None,
    };
    amount(desired).is_some_and(|desired| Some(desired) == amount(live))
}

fn difference(path: &str, live: &Value) -> Difference {
    Difference {
        path: path.to_owned(),
        live: live.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn paths(desired: &Value, live: &Value) -> Vec<String> {
        differences(desired, live)
            .into_iter()
            .map(|difference| difference.path)
            .collect()
    }

    /// Prevents: a write at every reconcile, because a server writes the same thing differently.
    #[test]
    fn what_a_server_makes_of_an_object_is_no_difference() {
        let desired = json!({
            "spec": {
                "replicas": 1, "paused": false, "nodeSelector": {}, "affinity": {"podAffinity": {}},
                "template": {"spec": {"containers": [{
                    "name": "api",
                    "env": [{"name": "EMPTY", "value": ""}],
                    "resources": {"requests": {"cpu": "1000m", "memory": "2048Mi"}, "limits": {"cpu": 2}},
                    "ports": [{"containerPort": 8000, "protocol": "TCP"}],
                }]}},
            },
        });
        let live = json!({
            "metadata": {"uid": "a", "resourceVersion": "1"},
            "spec": {
                "replicas": 1, "paused": false, "revisionHistoryLimit": 10,
                "template": {"spec": {"dnsPolicy": "ClusterFirst", "containers": [
                    {"name": "injected", "image": "mesh"},
                    {
                        "name": "api",
                        "env": [{"name": "ADDED"}, {"name": "EMPTY"}],
                        "resources": {"requests": {"cpu": "1", "memory": "2Gi"}, "limits": {"cpu": "2"}},
                        "ports": [{"containerPort": 8000, "name": "http", "protocol": "TCP"}],
                    },
                ]}},
            },
            "status": {"replicas": 1},
        });
        assert_eq!(paths(&desired, &live), Vec::<String>::new());
    }

    /// Prevents: somebody's edit that stays, because one kind of field is not looked at.
    #[test]
    fn every_kind_of_edit_is_seen() {
        let desired = json!({
            "metadata": {"labels": {"a": "1"}},
            "spec": {
                "replicas": 2, "enabled": false,
                "args": ["import", "--sample"],
                "ports": [{"name": "http", "port": 80, "protocol": "TCP"}],
                "containers": [{"name": "api", "image": "a:1", "resources": {"limits": {"memory": "512Mi"}}}],
            },
        });
        for (pointer, value, expected) in [
            ("/metadata/labels/a", json!("2"), "/metadata/labels/a"),
            ("/metadata/labels", Value::Null, "/metadata/labels/a"),
            ("/spec/replicas", json!(3), "/spec/replicas"),
            ("/spec/enabled", json!(true), "/spec/enabled"),
            ("/spec/enabled", Value::Null, "/spec/enabled"),
            ("/spec/args", json!(["import", "x"]), "/spec/args[1]"),
            ("/spec/args", json!(["import"]), "/spec/args"),
            ("/spec/ports/0/port", json!(81), "/spec/ports[0]/port"),
            (
                "/spec/containers/0/image",
                json!("a:2"),
                "/spec/containers[\"api\"]/image",
            ),
            ("/spec/containers/0/name", json!("b"), "/spec/containers[\"api\"]"),
            (
                "/spec/containers/0/resources/limits/memory",
                json!("513Mi"),
                "/spec/containers[\"api\"]/resources/limits/memory",
            ),
        ] {
            let mut live = desired.clone();
            *live.pointer_mut(pointer).expect("a field") = value;
            assert_eq!(paths(&desired, &live), [expected], "{pointer}");
        }
    }

    /// Prevents: labels that look like amounts being taken for equal.
    #[test]
    fn amounts_are_amounts_only_where_amounts_stand() {
        let label = |value: &str| json!({"labels": {"version": value}});
        assert_eq!(paths(&label("1"), &label("1000m")), ["/labels/version"]);
    }
}
