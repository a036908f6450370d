//! What happens when new pods do not become ready.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What happens when new pods do not become ready, of the API or of Redis.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Rollout {
    /// Automatic puts the last revision that worked back when new pods fail, and says so in the
    /// condition Stalled. Manual leaves the failed pods beside those that serve, for you to look at.
    pub on_failure: OnFailure,

    /// Seconds that new pods get to become ready, counted from the last of them that did. Pods that no
    /// node takes, or that a quota refuses, only wait.
    // Below: a node that pulls an image takes longer. Above: nobody waits for an answer that long.
    #[schemars(range(min = 30, max = 3600))]
    pub deadline_seconds: i32,
}

impl Default for Rollout {
    fn default() -> Self {
        Self {
            on_failure: OnFailure::Automatic,
            deadline_seconds: 300,
        }
    }
}

/// What happens when new pods do not become ready.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnFailure {
    /// The last revision that worked is put back.
    #[default]
    Automatic,
    /// Nothing: the failure is only told.
    Manual,
}
