//! The identity of the pods towards the cluster and its cloud.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The ServiceAccount of all pods. No pod gets a token of it: nothing here talks to the API server.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "!has(self.annotations) || self.annotations.all(k, !k.startsWith('app.kubernetes.io/') && !k.startsWith('faciliauto.com/'))",
        "message": "serviceAccount.annotations must not use the prefixes app.kubernetes.io/ and faciliauto.com/: they belong to the operator, choose another key",
    },
    {
        "rule": "!has(self.name) || size(self.name) == 0 || !has(self.annotations) || size(self.annotations) == 0",
        "message": "serviceAccount.annotations have no effect on a ServiceAccount of yours: annotate it yourself, or leave serviceAccount.name out",
    },
]))]
pub struct ServiceAccountSettings {
    /// Name of a ServiceAccount of yours, in the resource's namespace. Default: the operator makes one
    /// that is named as the resource is.
    #[schemars(length(max = 253), regex(pattern = r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$"))]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,

    /// Annotations of the one that the operator makes, by which clouds give pods an identity.
    #[schemars(extend("maxProperties" = 32))]
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}
