//! Which container image runs the API.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The container image of the API.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "!has(self.digest) || self.digest == '' || self.digest.matches('^sha256:[0-9a-f]{64}$')",
        "message": "image.digest must be 'sha256:' followed by 64 lower-case hexadecimal digits",
        "fieldPath": ".digest",
    },
]))]
pub struct Image {
    /// Registry and name, without tag. Default: the image that belongs to the operator's release.
    #[schemars(
        length(min = 1, max = 255),
        regex(pattern = r"^[a-zA-Z0-9][a-zA-Z0-9.:/_-]*$")
    )]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub repository: String,

    /// Tag of the image. Default: the operator's own version.
    #[schemars(length(max = 128), regex(pattern = r"^([a-zA-Z0-9_][a-zA-Z0-9._-]*)?$"))]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub tag: String,

    /// Digest of the image, `sha256:…`. Wins over the tag.
    #[schemars(length(max = 71))]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub digest: String,

    /// When the node pulls the image.
    pub pull_policy: PullPolicy,

    /// Secrets with registry credentials, used by every pod of the system.
    #[schemars(length(max = 16))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub pull_secrets: Vec<PullSecret>,
}

/// When the node pulls an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PullPolicy {
    /// At each start of a container.
    Always,
    /// When the node does not have it.
    #[default]
    IfNotPresent,
    /// Never.
    Never,
}

impl PullPolicy {
    /// The word that Kubernetes uses.
    pub fn word(self) -> &'static str {
        match self {
            Self::Always => "Always",
            Self::IfNotPresent => "IfNotPresent",
            Self::Never => "Never",
        }
    }
}

/// A Secret with registry credentials.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PullSecret {
    /// Name of the Secret, in the resource's namespace.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}
