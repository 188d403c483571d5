//! What is told about a policy in its object's status: the shape, and the closed list of reasons.

pub mod report;

use schemars::JsonSchema;
use serde::Serialize;

/// A message of a condition: more than a person reads.
pub const MESSAGE_CHARS_MAX: usize = 1_024;
/// HPAs that are named in a status.
pub const HPAS_MAX: usize = 64;

/// What Foresail knows about the policy; written by Foresail only.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyStatus {
    /// The generation of the spec that the rest is about.
    pub observed_generation: Option<i64>,
    /// `Ready`, `Fresh` and `ForecastActive`.
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// The last published value, of a policy that publishes one.
    pub last_value: Option<String>,
    /// The time of the oldest sample that the last values were made from.
    #[schemars(extend("format" = "date-time"))]
    pub last_value_time: Option<String>,
    /// How many values are published: one, or one for each pod of a Pods metric.
    pub values: Option<u32>,
    /// The forecast model in use.
    pub model: Option<ModelStatus>,
    /// How long a new pod takes until it serves, as it was measured or set.
    pub lead_time: Option<String>,
    /// The HorizontalPodAutoscalers that ask for the metric.
    pub hpas: Option<Vec<String>>,
}

/// The forecast model in use.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModelStatus {
    /// Which one.
    pub name: String,
    /// How much less it lost than "no change" did on this metric, e.g. `0.12`; negative when it
    /// lost more.
    pub skill: Option<String>,
}

/// One condition, as `metav1.Condition`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What it is about.
    #[serde(rename = "type")]
    pub condition_type: ConditionType,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// The generation of the spec that it is about.
    pub observed_generation: i64,
    /// When `status` changed last.
    #[schemars(extend("format" = "date-time"))]
    pub last_transition_time: String,
    /// Why, for programs.
    pub reason: Reason,
    /// Why, for people.
    #[schemars(length(max = MESSAGE_CHARS_MAX))]
    pub message: String,
}

/// What conditions are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub enum ConditionType {
    /// The newest spec is in use and a value is served.
    Ready,
    /// The served value is not older than `guard.maxAge`.
    Fresh,
    /// What is served is a forecast.
    ForecastActive,
}

impl ConditionType {
    /// As it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::Fresh => "Fresh",
            Self::ForecastActive => "ForecastActive",
        }
    }
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub enum ConditionStatus {
    /// It does.
    True,
    /// It does not.
    False,
    /// That cannot be told yet.
    Unknown,
}

impl ConditionStatus {
    /// As it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// Why a condition is as it is. A closed list: programs may rely on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub enum Reason {
    /// A value made by the newest spec is served.
    Published,
    /// The policy waits for its first evaluation, or the model for enough history.
    WarmingUp,
    /// The model does not beat "no change" on this metric at present, so what was observed is served.
    Gated,
    /// Nothing newer came for longer than `guard.maxAge`; the last good value is held.
    Stale,
    /// A source cannot be read, or answers nothing for the policy, and there is nothing to hold.
    SourceFailing,
    /// A query is not one; the last good spec, where there was one, stays in use.
    InvalidQuery,
    /// Something else in the spec is wrong; the last good spec, where there was one, stays in use.
    InvalidSpec,
    /// An older policy has the name or publishes the metric.
    Conflict,
    /// There are more policies in the cluster than Foresail takes.
    TooManyPolicies,
    /// The policy asks for no forecast.
    NotConfigured,
    /// The policy asks for a forecast that is computed and shown, and not served.
    Shadow,
}

impl Reason {
    /// All of them, as they are written and with what they mean.
    pub const ALL: [Self; 11] = [
        Self::Published,
        Self::WarmingUp,
        Self::Gated,
        Self::Stale,
        Self::SourceFailing,
        Self::InvalidQuery,
        Self::InvalidSpec,
        Self::Conflict,
        Self::TooManyPolicies,
        Self::NotConfigured,
        Self::Shadow,
    ];
}
