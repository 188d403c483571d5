//! What is told about a policy in its object's status: the shape, and the closed list of reasons.

mod agreed;
pub mod report;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
    /// `Ready`, `Fresh` and `ForecastActive`; `Misleading` only where something is.
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
    /// How far the history for the forecast is read.
    pub history: Option<HistoryStatus>,
    /// What `auto` chose last; every replica does as this says.
    pub choice: Option<ChoiceStatus>,
    /// How far ahead the forecast looks: until a pod serves that the HPA asks for because of the
    /// newest value, with the age of the data and one sync of the HPA.
    pub lead_time: Option<String>,
    /// How long a pod takes to start, which is the largest part of that; every replica goes by what
    /// was measured.
    pub startup: Option<StartupStatus>,
    /// What one pod serves, as it was learned; every replica goes by this.
    pub capacity: Option<CapacityStatus>,
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

/// How far the history for the forecast is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistoryStatus {
    /// Chunks of the past that were answered.
    pub chunks_done: u32,
    /// All chunks of the past.
    pub chunks_total: u32,
}

/// What `auto` chose for the policy. Numbers are texts, so that all replicas read the very same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChoiceStatus {
    /// The forecast model.
    pub model: String,
    /// The share of peaks to cover.
    pub quantile: String,
    /// What the forecast is multiplied by.
    pub headroom: String,
    /// How long the published value may not fall below its own recent maximum.
    pub down_window: String,
    /// The instant up to which the history was looked at.
    #[schemars(extend("format" = "date-time"))]
    pub chosen_at: String,
    /// How many steps of the history the forecast looked ahead.
    pub horizon_steps: Option<u32>,
}

/// How long a pod takes to start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StartupStatus {
    /// From its creation until it is ready.
    pub time: String,
    /// How that is known.
    pub basis: StartupBasis,
    /// How many starts were measured.
    pub starts: Option<u32>,
    /// Whether of those the cold ones alone decided.
    pub is_cold: Option<bool>,
}

/// What one pod serves when it is full, learned while the fleet was saturated. The number is a
/// text, so that all replicas read the very same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CapacityStatus {
    /// In the unit of the combined signals.
    pub per_pod: String,
    /// How many samples that is the median of.
    pub samples: u32,
}

/// How the time of a start is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum StartupBasis {
    /// The policy says it.
    Given,
    /// No start was seen yet.
    Assumed,
    /// Starts were seen.
    Measured,
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
    /// Something in the spec is not wrong and still may mislead; there only while that is so.
    Misleading,
}

impl ConditionType {
    /// As it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::Fresh => "Fresh",
            Self::ForecastActive => "ForecastActive",
            Self::Misleading => "Misleading",
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
    /// Nothing newer came for longer than `guard.maxAge`, so that the last good value is held; or
    /// the newest forecast is too old.
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
    /// A signal says how long a GPU did anything at all, which a single request makes nearly always.
    GpuUtilization,
    /// A signal says how much memory of a GPU is taken, which does not change with load.
    GpuMemory,
    /// A signal is a mean over pods, and a total is needed.
    MeanNotTotal,
}

impl Reason {
    /// All of them, as they are written and with what they mean.
    pub const ALL: [Self; 14] = [
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
        Self::GpuUtilization,
        Self::GpuMemory,
        Self::MeanNotTotal,
    ];
}
