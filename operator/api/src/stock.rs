//! Where the first stock of cars comes from.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where the first stock of cars comes from. It is imported once, by a Job, into a store that never
/// held any stock; later changes of this field touch no data.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "self.seed != 'ConfigMap' || (has(self.seedConfigMap) && size(self.seedConfigMap) > 0)",
        "message": "stock.seed ConfigMap needs stock.seedConfigMap: the name of a ConfigMap with the key stock.json",
    },
]))]
pub struct Stock {
    /// Sample imports a sample stock, ConfigMap imports a file of yours, None leaves the store empty.
    pub seed: Seed,

    /// Name of the ConfigMap whose key `stock.json` is imported, when seed is ConfigMap.
    #[schemars(length(max = 253))]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub seed_config_map: String,
}

/// Where the first stock comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Seed {
    /// The sample stock that the image carries.
    #[default]
    Sample,
    /// Nothing is imported.
    None,
    /// A ConfigMap of the user's.
    ConfigMap,
}
