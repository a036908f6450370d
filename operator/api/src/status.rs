//! What the operator answers.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
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
    /// where an ingress or gateway is on, Exposed; Reconciling, Restoring, Stalled, Paused, NameConflict and
    /// UpgradeHeld are present only while they are true.
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

    /// The backups.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup: Option<BackupStatus>,

    /// The last restore.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restore: Option<RestoreStatus>,

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

/// The backups.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BackupStatus {
    /// When the last backup that counts was finished.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_success_time: Option<Time>,

    /// When a backup was last proven by restoring it aside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_verified_time: Option<Time>,

    /// When the next one is due by the schedule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_schedule_time: Option<Time>,

    /// Since when there are backups by this schedule: until the first one, they are awaited from then on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,

    /// Name of the last backup that counts.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 128))]
    pub last_backup: String,

    /// The last failure, while no backup has counted since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<BackupFailure>,

    /// Bytes of the last backup that counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<i64>,
}

/// A backup that failed for good.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BackupFailure {
    /// When.
    pub time: Time,

    /// Why, in one word of the program's.
    #[schemars(length(max = 64))]
    pub code: String,

    /// Why, and what to do.
    #[schemars(length(max = 2048))]
    pub message: String,
}

impl Default for BackupFailure {
    fn default() -> Self {
        Self {
            time: Time(k8s_openapi::jiff::Timestamp::UNIX_EPOCH),
            code: String::new(),
            message: String::new(),
        }
    }
}

/// One restore.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RestoreStatus {
    /// Its id, as declared.
    #[schemars(length(max = 63))]
    pub id: String,

    /// The backup: as declared, and its name once that is known.
    #[schemars(length(max = 128))]
    pub from: String,

    /// How far it is.
    pub phase: RestorePhase,

    /// When it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,

    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,

    /// What came of it, or what it waits for.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 2048))]
    pub message: String,
}

/// How far a restore is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RestorePhase {
    /// It waits.
    #[default]
    Pending,
    /// The backup is checked.
    Verifying,
    /// What is there is backed up, and nothing may be written meanwhile.
    Snapshotting,
    /// The backup is written beside what is there, compared, and takes its place.
    Loading,
    /// The backup is what is there now.
    Succeeded,
    /// What was there before is there again.
    Reverted,
    /// Nothing was replaced.
    Failed,
}

impl RestorePhase {
    /// The word in the status.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Verifying => "Verifying",
            Self::Snapshotting => "Snapshotting",
            Self::Loading => "Loading",
            Self::Succeeded => "Succeeded",
            Self::Reverted => "Reverted",
            Self::Failed => "Failed",
        }
    }

    /// Whether nothing comes after it.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Reverted | Self::Failed)
    }
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
