//! How many pods a voluntary disruption may take away.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How many API pods a node drain may take away at once.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DisruptionBudget {
    /// Whether a PodDisruptionBudget protects the API.
    pub enabled: bool,

    /// Most API pods that may be away at once on purpose. Pods that are not ready can always be
    /// evicted, so a broken deployment never blocks a node drain.
    #[schemars(range(min = 1, max = 1000))]
    pub max_unavailable: i32,
}

impl Default for DisruptionBudget {
    fn default() -> Self {
        Self {
            enabled: true,
            max_unavailable: 1,
        }
    }
}
