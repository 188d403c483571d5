//! What the configuration file says about the lists of the API, as people write it.

use schemars::JsonSchema;
use serde::Deserialize;

/// What the API says about itself.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DiscoveryRules {
    /// How many metrics the list of each API group names, 2000 when left out. What is not named is
    /// served all the same, and an HPA does not need the list.
    pub metrics_max: Option<u32>,
}
