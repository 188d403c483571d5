//! The shape of `spec.forecast`.

use schemars::JsonSchema;
use serde::Deserialize;

/// A forecast of the peak of demand over the lead time, published in the place of the observed
/// value while it earns its place.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Forecast {
    /// What becomes of the forecast; Active when left out.
    pub mode: Option<ForecastMode>,
    /// How it is made; `auto` when left out: the model, the quantile and the down window that would
    /// have cost least on the metric's own history.
    pub model: Option<Model>,
    /// From the moment the HPA raises the replica count until the new pod serves: a duration, or
    /// `auto`, measured from the pods of the scale target; `auto` when left out.
    pub lead_time: Option<String>,
    /// Whose pods tell the lead time; the targets of the HPAs that use the metric when left out.
    pub scale_target: Option<ScaleTarget>,
    /// The share of peaks that the published value should cover, e.g. `0.9`. Not beside
    /// `costRatio`; chosen by `auto`, and 0.9 for other models, when both are left out.
    pub quantile: Option<f64>,
    /// How much dearer a pod too few is than a pod too many, e.g. `9`; the quantile follows.
    pub cost_ratio: Option<f64>,
    /// How long the published value may not fall below its own recent maximum: a duration, `0s`
    /// for off, or `auto`; `auto` when left out.
    pub down_window: Option<String>,
    /// How long until the day repeats; 24h when left out. Other than that only for work that repeats
    /// hourly, or for tests in compressed time. At least 2m.
    pub season: Option<String>,
    /// What `auto` keeps to.
    pub objective: Option<Objective>,
    /// Whether the forecast may be published where it is below the observed value; false when left
    /// out.
    pub below_observed: Option<bool>,
    /// What the forecast may not exceed.
    pub limits: Option<ForecastLimits>,
}

/// What becomes of a forecast.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
pub enum ForecastMode {
    /// It is published while it earns its place.
    Active,
    /// It is computed and shown; the observed value is published.
    Shadow,
    /// It is not computed.
    Off,
}

/// How a forecast is made.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub enum Model {
    /// The model, quantile and down window that would have cost least on the metric's own history.
    Auto,
    /// A ridge regression for the peak, and the residuals of similar moments around it.
    ResidualAnalog,
    /// The peaks that followed similar moments.
    Analog,
    /// The mean of the two, quantile by quantile.
    BlendedAnalog,
    /// A weighted vote of simple forecasters, with a bound that adapts to their errors.
    Ensemble,
    /// The same time of earlier days, moved to today's level.
    Profile,
    /// Level, trend and a daily season, each smoothed exponentially.
    HoltWinters,
    /// The line through the last minutes.
    Linear,
    /// No change.
    Naive,
}

/// A workload that an HPA scales.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScaleTarget {
    /// As in the HPA; `apps/v1` when left out.
    pub api_version: Option<String>,
    /// As in the HPA; `Deployment` when left out.
    pub kind: Option<String>,
    /// As in the HPA.
    pub name: String,
}

/// What `auto` keeps to.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Objective {
    /// Work that waits longer than this is late; 10s when left out.
    pub max_wait: Option<String>,
    /// How much of the work may be late, in percent; 0.5 when left out.
    pub late_percent: Option<f64>,
}

/// What a forecast may not exceed.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ForecastLimits {
    /// Times the largest value of the history; 1.2 when left out.
    pub over_history: Option<f64>,
    /// Times the observed value; 3 when left out.
    pub over_observed: Option<f64>,
}
