//! What is remembered about a rollout between looks, in annotations of the Deployment or StatefulSet: it
//! is written together with the template that it speaks of, so that no crash comes between the two.

use std::collections::BTreeMap;

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::template::Identity;
use crate::names;

/// What is remembered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// The resource's generation that was applied last.
    pub generation: Option<i64>,
    /// The template that was built for it.
    pub template: Option<Identity>,
    /// What to go back to: a ReplicaSet's name or an image.
    pub last_good: Option<String>,
    /// What failed: an identity or an image.
    pub failed: Option<String>,
    /// How it failed; present only beside `failed`.
    pub failure: Option<Failure>,
    /// The ReplicaSet whose template is kept until the resource may be upgraded.
    pub held: Option<String>,
    /// Whether the template that was applied last is the doing of a new operator.
    pub upgrade: bool,
}

/// How something failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// The revision, as the cluster names it.
    pub revision: String,
    /// Why, in a sentence.
    pub message: String,
    /// When it was given up.
    pub at: Time,
    /// Times in a row that it was given up.
    pub attempts: u32,
    /// Whether it was the doing of a new operator.
    #[serde(default)]
    pub upgrade: bool,
    /// Whether its image could not be had, which may pass by itself.
    pub image: bool,
    /// The value of [`names::RETRY`] by then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<String>,
    /// Whether it is being tried again.
    #[serde(default)]
    pub retrying: bool,
}

impl Failure {
    /// A failure of which nothing but the fact is known: somebody edited the annotation.
    fn unknown() -> Self {
        Self {
            revision: String::new(),
            message: "How it failed is not known any more.".to_owned(),
            at: Time(Timestamp::UNIX_EPOCH),
            attempts: 1,
            upgrade: false,
            image: false,
            retry: None,
            retrying: false,
        }
    }
}

/// The annotations that hold the state.
pub const ANNOTATIONS: [&str; 7] = [
    names::GENERATION,
    names::TEMPLATE,
    names::LAST_GOOD,
    names::FAILED,
    names::FAILURE,
    names::HELD,
    names::UPGRADE,
];

impl State {
    /// What the annotations of an object say. What does not read is not known.
    pub fn read(annotations: &BTreeMap<String, String>) -> Self {
        let text = |key: &str| annotations.get(key).filter(|text| !text.is_empty()).cloned();
        let failed = text(names::FAILED);
        let failure = failed.as_ref().map(|_| {
            let told = text(names::FAILURE).and_then(|text| serde_json::from_str(&text).ok());
            told.unwrap_or_else(Failure::unknown)
        });
        Self {
            generation: text(names::GENERATION).and_then(|text| text.parse().ok()),
            template: text(names::TEMPLATE).and_then(|text| Identity::read(&text)),
            last_good: text(names::LAST_GOOD),
            failed,
            failure,
            held: text(names::HELD),
            upgrade: text(names::UPGRADE).is_some(),
        }
    }

    /// Writes it into the annotations of `object`.
    pub fn write(&self, object: &mut Value) {
        // Destructured whole: a new field is written, or does not compile.
        let Self {
            generation,
            template,
            last_good,
            failed,
            failure,
            held,
            upgrade,
        } = self;
        let pairs = [
            (
                names::GENERATION,
                generation.map(|generation| generation.to_string()),
            ),
            (names::TEMPLATE, template.as_ref().map(Identity::to_string)),
            (names::LAST_GOOD, last_good.clone()),
            (names::FAILED, failed.clone()),
            (
                names::FAILURE,
                failure.as_ref().map(|failure| json!(failure).to_string()),
            ),
            (names::HELD, held.clone()),
            (names::UPGRADE, upgrade.then(|| "true".to_owned())),
        ];
        for (key, value) in pairs {
            if let Some(value) = value {
                object["metadata"]["annotations"][key] = json!(value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> State {
        State {
            generation: Some(7),
            template: Identity::read("a1.b2"),
            last_good: Some("producao-1".to_owned()),
            failed: Some("c3.d4".to_owned()),
            failure: Some(Failure {
                revision: "producao-2".to_owned(),
                message: "It \"crashed\".".to_owned(),
                at: Time(Timestamp::from_second(1_700_000_000).expect("a time")),
                attempts: 3,
                upgrade: true,
                image: true,
                retry: Some("again".to_owned()),
                retrying: true,
            }),
            held: Some("producao-3".to_owned()),
            upgrade: true,
        }
    }

    fn written(state: &State) -> BTreeMap<String, String> {
        let mut object = json!({"metadata": {"name": "a", "annotations": {"other": "kept"}}});
        state.write(&mut object);
        serde_json::from_value(object["metadata"]["annotations"].clone()).expect("annotations")
    }

    /// Prevents: a look that finds another state than the one before it wrote, and so writes for ever.
    #[test]
    fn what_is_written_is_read() {
        for state in [full(), State::default()] {
            let annotations = written(&state);
            assert_eq!(annotations["other"], "kept");
            assert_eq!(State::read(&annotations), state);
        }
        let keys: Vec<_> = written(&full())
            .into_keys()
            .filter(|key| key != "other")
            .collect();
        let mut all = ANNOTATIONS.to_vec();
        all.sort_unstable();
        assert_eq!(keys, all);
    }

    /// Prevents: an annotation that somebody edited breaking every look, or letting what failed run again.
    #[test]
    fn what_does_not_read_is_not_known() {
        let mut annotations = written(&full());
        for (key, nonsense) in [
            (names::GENERATION, "seven"),
            (names::TEMPLATE, "?"),
            (names::FAILURE, "{"),
        ] {
            annotations.insert(key.to_owned(), nonsense.to_owned());
        }
        let expected = State {
            generation: None,
            template: None,
            failure: Some(Failure::unknown()),
            ..full()
        };
        assert_eq!(State::read(&annotations), expected);
    }
}
