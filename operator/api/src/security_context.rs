//! As whom the pods run.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// As whom the pods run. Everything else about their security is fixed, and passes the *restricted* pod
/// security standard.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SecurityContextSettings {
    /// User and group of every process: a number above 0, or `Platform` to name none, for a platform that
    /// assigns its own, as OpenShift does.
    pub run_as_user: NumericId,

    /// Group that volumes belong to: a number above 0, or `Platform` to name none. Without one from the
    /// platform the pods cannot read their Secrets.
    pub fs_group: NumericId,
}

/// The number of a user or group, or the word that leaves the choice to the platform.
///
/// A null would be shorter, and does not work: an API server drops nulls and then fills in the default,
/// and `kubectl apply`, Helm and most clients take a null for "remove what is there". A word says what is
/// meant, and survives all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumericId {
    /// This one.
    Number(i64),
    /// None is named.
    Platform,
}

/// The word.
const PLATFORM: &str = "Platform";

/// The number that the images are built with.
const USER_OF_IMAGES: i64 = 65532;

/// The largest number that Kubernetes takes.
const LARGEST: i64 = 2_147_483_647;

impl NumericId {
    /// The number, if one is named.
    pub fn number(self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(number),
            Self::Platform => None,
        }
    }
}

impl Default for NumericId {
    fn default() -> Self {
        Self::Number(USER_OF_IMAGES)
    }
}

impl Serialize for NumericId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(number) => serializer.serialize_i64(*number),
            Self::Platform => serializer.serialize_str(PLATFORM),
        }
    }
}

impl<'de> Deserialize<'de> for NumericId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = NumericId;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, "a number from 1 to {LARGEST}, or {PLATFORM}")
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<NumericId, E> {
                if (1..=LARGEST).contains(&number) {
                    Ok(NumericId::Number(number))
                } else {
                    Err(E::invalid_value(de::Unexpected::Signed(number), &self))
                }
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<NumericId, E> {
                self.visit_i64(i64::try_from(number).unwrap_or(i64::MAX))
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<NumericId, E> {
                if word == PLATFORM {
                    Ok(NumericId::Platform)
                } else {
                    Err(E::invalid_value(de::Unexpected::Str(word), &self))
                }
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for NumericId {
    fn schema_name() -> Cow<'static, str> {
        "NumericId".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "x-kubernetes-int-or-string": true,
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "minimum": 1,
            "maximum": LARGEST,
            "maxLength": PLATFORM.len(),
            "pattern": format!("^{PLATFORM}$"),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Prevents: a way of leaving the choice to the platform that is lost on its way, and a root user.
    #[test]
    fn number_or_word_is_read_as_it_is_written() {
        for (written, read) in [
            (json!({}), (Some(65532), Some(65532))),
            (json!({"runAsUser": 1001}), (Some(1001), Some(65532))),
            (json!({"runAsUser": "Platform", "fsGroup": 7}), (None, Some(7))),
            (json!({"fsGroup": "Platform"}), (Some(65532), None)),
        ] {
            let settings: SecurityContextSettings =
                serde_json::from_value(written.clone()).expect("settings");
            let SecurityContextSettings {
                run_as_user,
                fs_group,
            } = &settings;
            assert_eq!((run_as_user.number(), fs_group.number()), read, "{written}");
            let again = serde_json::to_value(&settings).expect("JSON");
            assert_eq!(
                serde_json::from_value::<SecurityContextSettings>(again).expect("settings"),
                settings
            );
        }
        for refused in [
            json!(0),
            json!(-1),
            json!(2_147_483_648_u64),
            json!("platform"),
            json!(null),
        ] {
            let settings = json!({"runAsUser": refused});
            let read = serde_json::from_value::<SecurityContextSettings>(settings.clone());
            let error = read.expect_err(&settings.to_string()).to_string();
            assert!(error.contains("or Platform"), "{error}");
        }
    }
}
