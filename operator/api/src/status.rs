//! What the operator answers.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the operator has seen and done.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FaciliAutoDeploymentStatus {
    /// Generation of the resource that this status speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// What holds and what does not, by type. Ready is the worst of Available, RedisReady and,
    /// where an ingress or gateway is on, Exposed; Reconciling, Stalled, Paused, NameConflict and UpgradeHeld
    /// are present only while they are true.
    #[schemars(length(max = 16))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,

    /// API pods that exist.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,

    /// API pods that are ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready_replicas: Option<i32>,

    /// Label selector of the API's pods, for the scale subresource.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub selector: Option<String>,

    /// Version of the API that serves now, which during a rollout is not yet the one asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub version: Option<String>,

    /// How far the API's rollout has come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollout: Option<RolloutStatus>,

    /// Where the API answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub url: Option<String>,

    /// The Redis in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redis: Option<RedisStatus>,

    /// The stock of cars.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stock: Option<StockStatus>,

    /// The objects that the operator keeps for this resource: a report, nothing reads it.
    #[schemars(length(max = 64))]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<ChildStatus>,
}

/// How far the API's rollout has come. Revisions are named as their ReplicaSets are.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RolloutStatus {
    /// The revision that pods are made of now.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 253))]
    pub revision: String,

    /// The last revision all of whose pods became ready.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 253))]
    pub last_good: String,

    /// The revision that did not, while it is what the resource declares.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 253))]
    pub failed: String,

    /// What it waits for, or why it failed and what serves instead.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 2048))]
    pub message: String,
}

/// The Redis in use.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RedisStatus {
    /// Whether Redis answers; absent for an external one, which the operator does not probe.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready: Option<bool>,

    /// Host and port of the managed Redis.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub endpoint: Option<String>,
}

/// The stock of cars.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StockStatus {
    /// Whether the first import has finished; it is never repeated after that.
    pub seeded: bool,
}

/// One object that the operator keeps.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ChildStatus {
    /// API version of the object.
    #[schemars(length(max = 128))]
    pub api_version: String,

    /// Kind of the object.
    #[schemars(length(max = 64))]
    pub kind: String,

    /// Name of the object.
    #[schemars(length(max = 253))]
    pub name: String,

    /// Whether it exists and does its work.
    pub ready: bool,

    /// Why not, in one word.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 128))]
    pub reason: String,
}
