//! The resource itself: the root of the spec and what `kubectl get` shows.

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    ApiSpec, Autoscaling, Backup, DisruptionBudget, Exposure, FaciliAutoDeploymentStatus, Image, Monitoring,
    NetworkPolicySettings, Redis, Restore, Rollout, SecurityContextSettings, ServiceAccountSettings, Stock,
    Trust,
};

/// What a production FacilIAuto system should look like in this namespace. An empty spec is a whole,
/// production-shaped system: an autoscaled API, a Redis with a volume and a sample stock of cars.
/// Every field overrides one part of that.
#[derive(CustomResource, JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "faciliauto.com",
    version = "v1alpha1",
    kind = "FaciliAutoDeployment",
    plural = "faciliautodeployments",
    shortname = "fad",
    category = "faciliauto",
    namespaced,
    status = "FaciliAutoDeploymentStatus",
    derive = "PartialEq",
    doc = "A FacilIAuto system: the API that recommends used cars, its autoscaler and its Redis, declared once and kept healthy.",
    scale(
        spec_replicas_path = ".spec.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason"
    ),
    printcolumn(name = "Replicas", type_ = "integer", json_path = ".status.readyReplicas"),
    printcolumn(name = "Version", type_ = "string", json_path = ".status.version"),
    printcolumn(name = "URL", type_ = "string", json_path = ".status.url"),
    printcolumn(
        name = "Last-Backup",
        type_ = "date",
        json_path = ".status.backup.lastSuccessTime"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("self.metadata.name.matches('^[a-z]([-a-z0-9]{0,38}[a-z0-9])?$')").message(
        "metadata.name must be at most 40 lower-case letters, digits or '-', start with a letter and end with a letter or digit: the names of Services are made from it"
    )
)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "!self.autoscaling.enabled || (has(self.api.resources.requests.cpu))",
        "message": "autoscaling measures CPU as a percentage of the request: set api.resources.requests.cpu, or autoscaling.enabled: false",
    },
    {
        "rule": "!self.autoscaling.enabled || self.autoscaling.targetMemoryUtilization == 0 || has(self.api.resources.requests.memory)",
        "message": "autoscaling measures memory as a percentage of the request: set api.resources.requests.memory, or autoscaling.targetMemoryUtilization: 0",
    },
    {
        "rule": "!has(self.commonLabels) || self.commonLabels.all(k, !k.startsWith('app.kubernetes.io/') && !k.startsWith('faciliauto.com/'))",
        "message": "commonLabels must not use the prefixes app.kubernetes.io/ and faciliauto.com/: the operator finds its objects by them, choose another key",
    },
    {
        "rule": "!has(self.commonAnnotations) || self.commonAnnotations.all(k, !k.startsWith('app.kubernetes.io/') && !k.startsWith('faciliauto.com/'))",
        "message": "commonAnnotations must not use the prefixes app.kubernetes.io/ and faciliauto.com/: they belong to the operator, choose another key",
    },
    {
        "rule": "self.backup.enabled || !has(self.restore.id) || self.restore.id == ''",
        "message": "restore.id needs backup.enabled: true, for what is there is backed up before it is replaced",
    },
]))]
#[derive(Default)]
pub struct FaciliAutoDeploymentSpec {
    /// Whether the operator leaves everything as it is: while true no object is made, changed or deleted,
    /// what others change stays changed, and the status goes on telling what is there. Deleting this
    /// resource works all the same.
    pub paused: bool,

    /// The container image of the API. The stock import runs it too.
    pub image: Image,

    /// What happens when new pods do not become ready.
    pub rollout: Rollout,

    /// Number of API pods while autoscaling is off. With autoscaling on, the autoscaler decides and
    /// this number is ignored. `kubectl scale` sets this field.
    pub replicas: Replicas,

    /// Scaling of the API by measured use.
    pub autoscaling: Autoscaling,

    /// The API's settings, resources and pods.
    pub api: ApiSpec,

    /// Where the first stock of cars comes from.
    pub stock: Stock,

    /// The Redis that holds the stock and everything the API remembers.
    pub redis: Redis,

    /// How the API is reached from outside the cluster.
    pub exposure: Exposure,

    /// How many API pods a node drain may take away at once.
    pub disruption_budget: DisruptionBudget,

    /// Who may talk to the system's pods, and whom they may talk to.
    pub network_policy: NetworkPolicySettings,

    /// What Prometheus and Grafana are given.
    pub monitoring: Monitoring,

    /// How the stock and everything the API remembers is backed up.
    pub backup: Backup,

    /// A backup that takes the place of what is there.
    pub restore: Restore,

    /// What happens to the volumes of Redis and of backups when this resource is deleted. Retain keeps
    /// them, and a resource of the same name made later finds its data again. Delete removes them for good.
    pub deletion_policy: DeletionPolicy,

    /// As whom the pods run.
    pub security_context: SecurityContextSettings,

    /// The ServiceAccount of all pods.
    pub service_account: ServiceAccountSettings,

    /// Certificate authorities that the pods trust beside those of the image.
    pub trust: Trust,

    /// More labels for every object of the system and its pods, volume claims apart; what a field says
    /// about one object wins. A change restarts nothing: pods get it when they are next replaced, and
    /// generated Secrets have what they were made with.
    #[schemars(extend("maxProperties" = 32, "additionalProperties" = {
        "type": "string", "maxLength": 63, "pattern": "^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$",
    }))]
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub common_labels: BTreeMap<String, String>,

    /// More annotations for the same; a change of them restarts nothing, either.
    #[schemars(extend("maxProperties" = 32))]
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub common_annotations: BTreeMap<String, String>,
}

/// A number of pods; a type of its own so that its default stands beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Replicas(pub i32);

impl Default for Replicas {
    fn default() -> Self {
        Self(2)
    }
}

impl JsonSchema for Replicas {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Replicas".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "integer", "format": "int32", "minimum": 1, "maximum": 1000})
    }
}

/// What happens to volumes when the resource is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    /// The volume stays.
    #[default]
    Retain,
    /// The volume goes with the resource.
    Delete,
}
