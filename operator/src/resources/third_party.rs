//! Objects of kinds that Kubernetes itself does not define, as far as we write them: our own minimal
//! types, the standard fields of each kind's first stable version only.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use serde::{Deserialize, Serialize};

use super::Kind;
use crate::{names, reconcile::validate::Owner};

/// An object with its kind beside it; the kinds of Kubernetes carry theirs in their type.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ThirdParty<S> {
    /// Group and version.
    pub api_version: String,
    /// Kind.
    pub kind: String,
    /// Name, labels, owner.
    pub metadata: ObjectMeta,
    /// What is wanted.
    pub spec: S,
}

impl<S> ThirdParty<S> {
    /// An object of `kind` named as the resource is, with labels and annotations of the user's.
    pub(crate) fn new(
        kind: Kind,
        owner: &Owner,
        component: &str,
        labels: &BTreeMap<String, String>,
        annotations: &BTreeMap<String, String>,
        spec: S,
    ) -> Self {
        let resource = kind.api_resource();
        let mut metadata = super::metadata(owner, owner.name.clone(), component);
        let mut all = labels.clone();
        all.extend(names::labels(&owner.name, component));
        metadata.labels = Some(all);
        metadata.annotations = (!annotations.is_empty()).then(|| annotations.clone());
        Self {
            api_version: resource.api_version,
            kind: resource.kind,
            metadata,
            spec,
        }
    }
}

/// gateway.networking.k8s.io/v1 HTTPRoute.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpRouteSpec {
    /// Gateways.
    pub parent_refs: Vec<RouteParent>,
    /// Host names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hostnames: Vec<String>,
    /// What goes where.
    pub rules: Vec<RouteRule>,
}

/// A Gateway, or one of its listeners.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RouteParent {
    /// Name of the Gateway.
    pub name: String,
    /// Its namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Name of a listener.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub section_name: Option<String>,
    /// Port of a listener.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<i32>,
}

/// Requests and where they go.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RouteRule {
    /// Which requests.
    pub matches: Vec<RouteMatch>,
    /// Services.
    pub backend_refs: Vec<RouteBackend>,
}

/// A condition on requests.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RouteMatch {
    /// On their path.
    pub path: PathMatch,
}

/// A condition on a path.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PathMatch {
    /// How `value` is meant.
    #[serde(rename = "type")]
    pub kind: String,
    /// The path.
    pub value: String,
}

/// A Service.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RouteBackend {
    /// Its name.
    pub name: String,
    /// Its port.
    pub port: i32,
}

/// monitoring.coreos.com/v1 ServiceMonitor.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceMonitorSpec {
    /// Label of the Service whose value becomes the series' `job`.
    pub job_label: String,
    /// Services.
    pub selector: LabelSelector,
    /// Ports of them.
    pub endpoints: Vec<MetricsEndpoint>,
}

/// Where and how often metrics are read.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MetricsEndpoint {
    /// Name of the Service's port.
    pub port: String,
    /// Path.
    pub path: String,
    /// Pause between two readings.
    pub interval: String,
    /// Longest time that one may take.
    pub scrape_timeout: String,
}

/// monitoring.coreos.com/v1 PrometheusRule.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PrometheusRuleSpec {
    /// Rules that are evaluated one after the other.
    pub groups: Vec<RuleGroup>,
}

/// Rules that are evaluated one after the other.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RuleGroup {
    /// Its name.
    pub name: String,
    /// Alerts.
    pub rules: Vec<Alert>,
}

/// One alert.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Alert {
    /// Its name.
    pub alert: String,
    /// What is wrong, as a query that finds nothing while nothing is.
    pub expr: String,
    /// How long it must be wrong.
    #[serde(rename = "for")]
    pub lasting: String,
    /// What it is routed by.
    pub labels: BTreeMap<String, String>,
    /// What people read.
    pub annotations: BTreeMap<String, String>,
}
