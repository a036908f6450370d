//! Pod templates: what one is recognised by, and an older one made ready to be applied again. Pure.

use std::fmt;

use serde_json::{Map, Value, json};

use crate::{
    names,
    resources::{canonical, content_hash},
};

/// Label that the cluster's controller adds to the template of each ReplicaSet.
const TEMPLATE_HASH: &str = "pod-template-hash";

/// What a template is recognised by, as it was built and before a server has filled in defaults.
///
/// Credentials stand apart: they change without anybody editing the resource or replacing the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// A hash of everything but the credentials.
    pub shape: String,
    /// The fingerprint of the credentials.
    pub credentials: String,
}

impl Identity {
    /// The identity of a template as it was built.
    pub fn of(template: &Value) -> Self {
        let mut rest = template.clone();
        for item in renamed_keys(&mut rest) {
            item.remove("key");
        }
        let annotations = map(&mut rest, "/metadata/annotations");
        let credentials = annotations.and_then(|annotations| annotations.remove(names::CREDENTIALS));
        Self {
            shape: content_hash(&canonical(rest).unwrap_or(Value::Null)),
            credentials: credentials
                .and_then(|credentials| credentials.as_str().map(str::to_owned))
                .unwrap_or_default(),
        }
    }

    /// Reads what was written by `Display`.
    pub fn read(text: &str) -> Option<Self> {
        let (shape, credentials) = text.split_once('.')?;
        Some(Self {
            shape: shape.to_owned(),
            credentials: credentials.to_owned(),
        })
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.shape, self.credentials)
    }
}

/// An older template, as a server shows it, ready to be applied again beside what `built` has for
/// credentials: pods read the Secrets as they are now, whatever their template says, so those that read
/// an older one must be replaced.
pub fn again(old: &Value, built: &Value) -> Value {
    let mut template = old.clone();
    if let Some(labels) = map(&mut template, "/metadata/labels") {
        labels.remove(TEMPLATE_HASH);
    }
    if let Some(metadata) = map(&mut template, "/metadata") {
        metadata.remove("creationTimestamp");
    }
    let volumes = built["spec"]["volumes"].as_array().into_iter().flatten();
    for volume in volumes.filter(|volume| volume.get("secret").is_some()) {
        renew(&mut template, volume);
    }
    match &built["metadata"]["annotations"][names::CREDENTIALS] {
        Value::Null => {
            if let Some(annotations) = map(&mut template, "/metadata/annotations") {
                annotations.remove(names::CREDENTIALS);
            }
        }
        credentials => template["metadata"]["annotations"][names::CREDENTIALS] = json!(credentials),
    }
    template
}

/// Whether a ReplicaSet was made from a Deployment's template, as the cluster's own controller decides it.
pub fn is_made_from(replica_set: &Value, deployment: &Value) -> bool {
    let plain = |template: &Value| {
        let mut template = template.clone();
        if let Some(labels) = map(&mut template, "/metadata/labels") {
            labels.remove(TEMPLATE_HASH);
        }
        canonical(template)
    };
    plain(replica_set) == plain(deployment)
}

fn volumes(template: &mut Value) -> impl Iterator<Item = &mut Value> {
    let volumes = template
        .pointer_mut("/spec/volumes")
        .and_then(Value::as_array_mut);
    volumes.into_iter().flatten()
}

/// Files of Secrets that come from a key of another name: one of several passwords, by its number.
fn renamed_keys(template: &mut Value) -> impl Iterator<Item = &mut Map<String, Value>> {
    volumes(template)
        .filter_map(|volume| volume.pointer_mut("/secret/items")?.as_array_mut())
        .flatten()
        .filter(|item| item["key"] != item["path"])
        .filter_map(Value::as_object_mut)
}

/// Has the files of a volume come from the keys that `built`, the same volume, takes them from now.
fn renew(template: &mut Value, built: &Value) {
    let paths = |volume: &Value| -> Vec<Value> {
        let items = volume["secret"]["items"].as_array().into_iter().flatten();
        items.map(|item| item["path"].clone()).collect()
    };
    for volume in volumes(template) {
        let is_same = volume["name"] == built["name"]
            && volume["secret"]["secretName"] == built["secret"]["secretName"]
            && paths(volume) == paths(built);
        if is_same {
            volume["secret"]["items"] = built["secret"]["items"].clone();
        }
    }
}

/// A map within a value, if it is there.
fn map<'a>(value: &'a mut Value, pointer: &str) -> Option<&'a mut Map<String, Value>> {
    value.pointer_mut(pointer)?.as_object_mut()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(image: &str, credentials: &str) -> Value {
        let volume = |name: &str, key: &str, path: &str| json!({"name": name, "secret": {"secretName": name, "items": [{"key": key, "path": path}]}});
        let password = format!("password-{credentials}");
        json!({
            "metadata": {"labels": {"a": "b"}, "annotations": {names::CREDENTIALS: credentials}},
            "spec": {
                "containers": [{"name": "api", "image": image}],
                "volumes": [volume("login", &password, "password"), volume("tokens", "admin", "admin")],
            },
        })
    }

    /// Prevents: a changed Secret taken for the doing of a new operator, which would have to wait for its
    /// turn, and two templates taken for one.
    #[test]
    fn credentials_stand_apart() {
        let first = Identity::of(&template("api:1", "c1"));
        let rotated = Identity::of(&template("api:1", "c2"));
        let other = Identity::of(&template("api:2", "c1"));
        assert_eq!(first.shape, rotated.shape);
        assert_ne!(first, rotated);
        assert_ne!(first.shape, other.shape);
        assert_eq!(Identity::read(&first.to_string()), Some(first));
        assert_eq!(Identity::read("edited by somebody"), None);
    }

    /// Prevents: a rollback that restarts the pods which serve, because a label of the cluster's own came
    /// with the template; and one that brings an old password back.
    #[test]
    fn older_template_comes_back_with_the_credentials_of_now() {
        let mut old = template("api:1", "c1");
        old["metadata"]["labels"][TEMPLATE_HASH] = json!("5d9");
        old["metadata"]["creationTimestamp"] = Value::Null;
        assert_eq!(again(&old, &template("api:2", "c1")), template("api:1", "c1"));
        assert_eq!(again(&old, &template("api:2", "c2")), template("api:1", "c2"));
        let mut other_secret = template("api:2", "c2");
        other_secret["spec"]["volumes"][0]["secret"]["secretName"] = json!("another");
        let volume = again(&old, &other_secret)["spec"]["volumes"][0].clone();
        assert_eq!(
            volume, old["spec"]["volumes"][0],
            "a Secret that is declared anew is no newer password"
        );
        assert!(is_made_from(&old, &template("api:1", "c1")));
        assert!(!is_made_from(&old, &template("api:2", "c1")));
    }
}
