//! The shape of `spec.capacity` and `spec.emit`.

use crate::policy::wire::IntOrText;
use schemars::JsonSchema;
use serde::Deserialize;

/// What one pod serves when it is full, in the metric's unit.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Capacity {
    /// A quantity, e.g. `8`. Beside `learn`, what counts until something is learned.
    pub per_pod: Option<IntOrText>,
    /// How it is learned from the fleet.
    pub learn: Option<Learn>,
}

/// Whenever the fleet is saturated for half a minute, its load divided by its ready pods is a
/// sample; the median of the last ten is the capacity.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Learn {
    /// A condition over the signals: no pod could do more, e.g. `waiting > 0`.
    pub saturated: String,
    /// An expression over the signals: what the fleet does, in the metric's unit, e.g. `running`.
    pub load: String,
}

/// In which unit a metric is published.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub enum Emit {
    /// That of the signals; the HPA's target is what one pod should serve.
    Demand,
    /// Pods; the HPA's target is an AverageValue of 1.
    DesiredReplicas,
}
