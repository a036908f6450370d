//! Whom the pods trust.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Certificate authorities that the pods trust beside those of the image.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Trust {
    /// Name of a ConfigMap, in the resource's namespace, whose key `ca.crt` holds certificates of
    /// authorities as PEM: for a `rediss://` URL of a network with its own. Pods follow a change of it
    /// within a minute or two.
    #[schemars(length(max = 253), regex(pattern = r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$"))]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub ca_config_map: String,
}
