//! How the API is reached from outside the cluster.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the API is reached from outside the cluster. Both ways can be on at once; a move from one to
/// the other keeps the old one until the new one works.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Exposure {
    /// An Ingress, for any ingress controller.
    pub ingress: IngressExposure,

    /// An HTTPRoute on a Gateway of yours, where the cluster has the Gateway API.
    pub gateway: GatewayExposure,
}

/// An Ingress that leads to the API.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "!self.enabled || (has(self.hosts) && size(self.hosts) > 0)",
        "message": "exposure.ingress.enabled needs exposure.ingress.hosts: the names under which the API is reached",
    },
    {
        "rule": "!has(self.annotations) || self.annotations.all(k, !k.startsWith('app.kubernetes.io/') && !k.startsWith('faciliauto.com/'))",
        "message": "exposure.ingress.annotations must not use the prefixes app.kubernetes.io/ and faciliauto.com/: they belong to the operator, choose another key",
    },
]))]
pub struct IngressExposure {
    /// Whether there is an Ingress.
    pub enabled: bool,

    /// IngressClass that serves it. Default: the cluster's default class.
    #[schemars(length(max = 253))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_name: Option<String>,

    /// Host names under which the API is reached; `*.` may stand for one label.
    #[schemars(length(max = 32))]
    #[schemars(inner(
        length(min = 1, max = 253),
        regex(pattern = r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
    ))]
    #[schemars(extend("x-kubernetes-list-type" = "set"))]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,

    /// TLS for all hosts; without a Secret and without an issuer the API is reached by plain HTTP.
    pub tls: IngressTls,

    /// More annotations for the Ingress, such as those of its controller.
    #[schemars(extend("maxProperties" = 32))]
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// TLS of an Ingress.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IngressTls {
    /// Secret with certificate and key, of type kubernetes.io/tls. Default with an issuer:
    /// `<name>-tls`, which the issuer fills.
    #[schemars(length(max = 253))]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub secret_name: String,

    /// ClusterIssuer of cert-manager that makes the certificate.
    #[schemars(length(max = 253))]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cluster_issuer: String,
}

/// An HTTPRoute that leads to the API.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "!self.enabled || (has(self.parentRefs) && size(self.parentRefs) > 0)",
        "message": "exposure.gateway.enabled needs exposure.gateway.parentRefs: the Gateways that the route is attached to",
    },
    {
        "rule": "!has(self.annotations) || self.annotations.all(k, !k.startsWith('app.kubernetes.io/') && !k.startsWith('faciliauto.com/'))",
        "message": "exposure.gateway.annotations must not use the prefixes app.kubernetes.io/ and faciliauto.com/: they belong to the operator, choose another key",
    },
]))]
pub struct GatewayExposure {
    /// Whether there is an HTTPRoute.
    pub enabled: bool,

    /// Gateways that the route is attached to.
    #[schemars(length(max = 8))]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parent_refs: Vec<ParentRef>,

    /// Host names under which the API is reached. Default: whatever the Gateway's listener takes.
    #[schemars(length(max = 16))]
    #[schemars(inner(
        length(min = 1, max = 253),
        regex(pattern = r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
    ))]
    #[schemars(extend("x-kubernetes-list-type" = "set"))]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hostnames: Vec<String>,

    /// More annotations for the HTTPRoute.
    #[schemars(extend("maxProperties" = 32))]
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// A Gateway, or one of its listeners.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ParentRef {
    /// Name of the Gateway.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,

    /// Namespace of the Gateway. Default: the resource's own.
    #[schemars(length(max = 63))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,

    /// Name of one of its listeners. Default: all of them.
    #[schemars(length(max = 253))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub section_name: Option<String>,

    /// Port of one of its listeners.
    #[schemars(range(min = 1, max = 65535))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<i32>,
}
