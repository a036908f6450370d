//! Labels and annotations that every object of a system carries, beneath what anything else says about one.
//!
//! Pods are the difficulty: they are made from a template, and another template means other pods. So a
//! change of common labels alone leaves the template as it is, and goes in with the next change that
//! replaces the pods anyway. For that a Deployment or StatefulSet remembers two things in annotations of its
//! own: a hash of its template without what is common, and what is common in it.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{ResourceExt, api::DynamicObject};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Kind, canonical, content_hash};
use crate::names;

/// Labels and annotations.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CommonMetadata {
    /// Labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl CommonMetadata {
    /// Puts what is common into the metadata of an object that is not applied like the others.
    pub(crate) fn add_to_metadata(&self, metadata: &mut ObjectMeta) {
        for (common, own) in [
            (&self.labels, &mut metadata.labels),
            (&self.annotations, &mut metadata.annotations),
        ] {
            for (key, value) in common {
                own.get_or_insert_default()
                    .entry(key.clone())
                    .or_insert_with(|| value.clone());
            }
        }
    }

    /// Puts what is common into an object and its pod template.
    pub(super) fn add_to(&self, kind: Kind, object: &mut Value) {
        if kind == Kind::CronJob {
            // Of what it makes from then on; what runs is left alone.
            if let Some(job) = object.pointer_mut("/spec/jobTemplate") {
                self.add(job);
                self.add(&mut job["spec"]["template"]);
            }
        }
        let template = object.pointer_mut("/spec/template");
        if let Some(template) = template.filter(|template| template["spec"]["containers"].is_array()) {
            let hash = hash(template);
            let landed = self.add(template);
            if matches!(kind, Kind::Deployment | Kind::StatefulSet) {
                object["metadata"]["annotations"][names::POD_TEMPLATE] = json!(hash);
                landed.record(object);
            }
        }
        self.add(object);
    }

    /// Puts what is common beneath the metadata of `object`; returns what found a place.
    fn add(&self, object: &mut Value) -> Self {
        let mut landed = Self::default();
        for (key, common, landed) in [
            ("labels", &self.labels, &mut landed.labels),
            ("annotations", &self.annotations, &mut landed.annotations),
        ] {
            for (name, value) in common {
                let own = &mut object["metadata"][key];
                if own.get(name).is_none() {
                    own[name] = json!(value);
                    landed.insert(name.clone(), value.clone());
                }
            }
        }
        landed
    }

    /// Takes what was put there away again.
    fn remove_from(&self, object: &mut Value) {
        for (key, common) in [("labels", &self.labels), ("annotations", &self.annotations)] {
            let Some(own) = object["metadata"][key].as_object_mut() else {
                continue;
            };
            own.retain(|name, _| !common.contains_key(name));
        }
    }

    /// Writes down that a template has this.
    fn record(&self, object: &mut Value) {
        let Some(annotations) = object["metadata"]["annotations"].as_object_mut() else {
            return;
        };
        if *self == Self::default() {
            annotations.remove(names::POD_METADATA);
        } else {
            let text = json!(self).to_string();
            annotations.insert(names::POD_METADATA.to_owned(), Value::String(text));
        }
    }
}

fn hash(template: &Value) -> String {
    content_hash(&canonical(template.clone()).unwrap_or(Value::Null))
}

/// Gives the template of `desired`, a Deployment or StatefulSet, the common labels and annotations that the
/// live one has, when nothing else in the template differs.
pub fn carry(desired: &mut Value, live: &DynamicObject) {
    let annotation = |annotations: Option<&Map<String, Value>>, key: &str| {
        let text = annotations.and_then(|annotations| annotations.get(key)?.as_str());
        text.map(str::to_owned)
    };
    let ours = desired["metadata"]["annotations"].as_object();
    let (wanted, wanted_hash) = (
        annotation(ours, names::POD_METADATA),
        annotation(ours, names::POD_TEMPLATE),
    );
    let theirs = live.annotations();
    let (present, present_hash) = (
        theirs.get(names::POD_METADATA).cloned(),
        theirs.get(names::POD_TEMPLATE).cloned(),
    );
    if wanted_hash.is_none() || wanted_hash != present_hash || wanted == present {
        return;
    }
    let read = |text: Option<String>| match text {
        None => Some(CommonMetadata::default()),
        // What somebody else wrote there is no reason to keep anything.
        Some(text) => serde_json::from_str(&text).ok(),
    };
    let (Some(wanted), Some(present)) = (read(wanted), read(present)) else {
        return;
    };
    let Some(template) = desired.pointer_mut("/spec/template") else {
        return;
    };
    wanted.remove_from(template);
    present.add(template).record(desired);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn common(labels: Value, annotations: Value) -> CommonMetadata {
        serde_json::from_value(json!({"labels": labels, "annotations": annotations})).expect("metadata")
    }

    fn deployment(image: &str, common: &CommonMetadata) -> Value {
        let mut object = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "a", "labels": {"ours": "1"}},
            "spec": {"template": {
                "metadata": {"labels": {"ours": "1", "users": "2"}, "annotations": {"ours": "3"}},
                "spec": {"containers": [{"image": image}]},
            }},
        });
        common.add_to(Kind::Deployment, &mut object);
        object
    }

    fn live(object: &Value) -> DynamicObject {
        serde_json::from_value(object.clone()).expect("a Deployment")
    }

    /// Prevents: what one field says about one object, or what we find our objects by, being overridden.
    #[test]
    fn what_is_common_comes_beneath_everything_else() {
        let common = common(
            json!({"ours": "no", "users": "no", "team": "vitrine"}),
            json!({"ours": "no", "centre": "7"}),
        );
        let object = deployment("a", &common);
        assert_eq!(
            object["metadata"]["labels"],
            json!({"ours": "1", "users": "no", "team": "vitrine"})
        );
        let template = &object["spec"]["template"]["metadata"];
        assert_eq!(
            template["labels"],
            json!({"ours": "1", "users": "2", "team": "vitrine"})
        );
        assert_eq!(template["annotations"], json!({"ours": "3", "centre": "7"}));
        let recorded = object["metadata"]["annotations"][names::POD_METADATA]
            .as_str()
            .expect("a text");
        assert_eq!(
            recorded,
            r#"{"annotations":{"centre":"7"},"labels":{"team":"vitrine"}}"#
        );
        let mut metadata = ObjectMeta {
            labels: Some([("ours".to_owned(), "1".to_owned())].into()),
            ..ObjectMeta::default()
        };
        common.add_to_metadata(&mut metadata);
        assert_eq!(metadata.labels.expect("labels")["ours"], "1");
        assert_eq!(metadata.annotations.expect("annotations")["centre"], "7");
    }

    /// Prevents: a new cost centre restarting every pod; and one that never reaches them.
    #[test]
    fn pods_are_not_replaced_for_what_is_common() {
        let none = CommonMetadata::default();
        let one = common(json!({"team": "vitrine"}), json!({}));
        let other = common(json!({"team": "estoque"}), json!({"centre": "7"}));
        for (before, after) in [(&none, &one), (&one, &other), (&other, &one), (&one, &none)] {
            let present = deployment("a", before);
            let mut wanted = deployment("a", after);
            carry(&mut wanted, &live(&present));
            assert_eq!(wanted["spec"], present["spec"], "{before:?} → {after:?}");
            assert_eq!(
                wanted["metadata"]["labels"],
                deployment("a", after)["metadata"]["labels"]
            );
            assert_eq!(
                wanted["metadata"]["annotations"][names::POD_METADATA],
                present["metadata"]["annotations"][names::POD_METADATA]
            );

            let mut wanted = deployment("b", after);
            carry(&mut wanted, &live(&present));
            assert_eq!(wanted, deployment("b", after), "new pods have what is new");
        }
    }

    /// Prevents: a note that somebody wrote over keeping pods as they are, or stopping everything.
    #[test]
    fn nonsense_in_the_note_is_not_followed() {
        let one = common(json!({"team": "vitrine"}), json!({}));
        let mut present = deployment("a", &one);
        present["metadata"]["annotations"][names::POD_METADATA] = json!("nonsense");
        let mut wanted = deployment("a", &one);
        carry(&mut wanted, &live(&present));
        assert_eq!(wanted, deployment("a", &one));
    }
}
