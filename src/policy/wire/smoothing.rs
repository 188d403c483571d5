//! The shapes of smoothing steps, as people write them; their descriptions are the reference.

use crate::policy::wire::IntOrText;
use schemars::JsonSchema;
use serde::Deserialize;

/// One smoothing step: exactly one kind. Steps follow one another in their order; every filter
/// knows the time between samples.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SmoothStep {
    /// The steps that suit a kind of signal.
    pub signal: Option<SignalKind>,
    /// Exponentially weighted moving average.
    pub ewma: Option<Ewma>,
    /// Holt's exponential smoothing with a damped trend: follows a ramp without delay, and shoots
    /// past a step.
    pub holt: Option<Holt>,
    /// Replaces outliers by the median of the last samples and passes everything else on
    /// unchanged.
    pub hampel: Option<Hampel>,
    /// The median of the last samples.
    pub median: Option<Median>,
    /// The One Euro filter: slow while the signal is calm, fast while it moves.
    pub one_euro: Option<OneEuro>,
    /// A Kalman filter for a level that wanders: as an EWMA whose weight comes from the noise.
    pub kalman: Option<Kalman>,
    /// The largest value of a window: rises at once, falls one window later.
    pub window_max: Option<Window>,
    /// The smallest value of a window: falls at once, rises one window later.
    pub window_min: Option<Window>,
    /// A quantile of the values of a window.
    pub window_quantile: Option<WindowQuantile>,
    /// A quantile of all values, the older the lighter (a histogram that decays).
    pub percentile: Option<Percentile>,
    /// Passes on only changes that leave a band around the value passed on last.
    pub deadband: Option<Deadband>,
    /// An EWMA that rises with one half-life and falls with another.
    pub asymmetric: Option<Asymmetric>,
    /// Limits how fast the value may change.
    pub slew_limit: Option<SlewLimit>,
    /// The rate of a counter, per second, over a window that fits the traffic. It must be the
    /// first step, and the signal the counter of one series (of a scraped page): a counter that
    /// begins anew has to be noticed before it is summed with others. For several series write
    /// `sum(rate(…))` in a PromQL query instead.
    pub rate: Option<Rate>,
}

/// Kinds of signal, each with the smoothing that suits it.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SignalKind {
    /// A counter of requests or tokens of one series: `rate: {}`.
    RequestRate,
    /// Waiting requests: `windowMax: {window: 30s}`, then `asymmetric: {up: 0s, down: 60s}`, so
    /// that it rises at once and falls slowly.
    QueueDepth,
    /// Running, or running and waiting, requests: `ewma: {halfLife: 30s}`, a time average.
    InFlight,
    /// Use of a GPU or a cache: `ewma: {halfLife: 30s}`, then `deadband: {share: 0.05}`.
    Utilization,
    /// A latency: `windowQuantile: {window: 5m, quantile: 0.9}`. Fit for telling that a promise is
    /// broken, not for a target in proportion.
    Latency,
    /// A number of replicas: `windowMax: {window: 15m}`, so that it rises at once and falls late.
    DesiredReplicas,
}

/// Exponentially weighted moving average.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Ewma {
    /// The age at which a sample weighs half, e.g. `30s`.
    pub half_life: String,
}

/// Holt's exponential smoothing with a damped trend.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Holt {
    /// The weight of a new value in the level, above 0 and below 1; 0.5 when left out.
    pub level: Option<f64>,
    /// The weight of a new slope in the trend, above 0 and below 1; 0.1 when left out.
    pub trend: Option<f64>,
    /// What is left of the trend after one step, above 0 and at most 0.99; 0.9 when left out.
    pub damping: Option<f64>,
    /// The time between samples that the three are meant for; the policy's interval when left
    /// out. Other gaps are converted.
    pub step: Option<String>,
}

/// Replaces outliers by the median of the last samples.
///
/// An outlier is further from the median than `threshold` times 1.4826 times the median distance
/// from it. One above is believed as soon as two of the last three samples are, so that a real
/// rise is late by one sample only. Samples from more than twice the window ago do not count.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Hampel {
    /// How many samples, the newest included, 3 to 99; 9 when left out.
    pub window: Option<i64>,
    /// How many standard deviations make an outlier, above 0 and at most 100; 3 when left out.
    pub threshold: Option<f64>,
}

/// The median of the last samples. Samples from more than twice the window ago do not count.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Median {
    /// How many samples, the newest included, 3 to 99; 5 when left out. Half of them are its
    /// delay.
    pub window: Option<i64>,
}

/// The One Euro filter: a low-pass filter whose cutoff rises with the signal's speed.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OneEuro {
    /// The time constant while the signal is calm; 2m when left out.
    pub time_constant: Option<String>,
    /// By how many hertz the cutoff rises for a speed of one full scale in a second, 0 to 100;
    /// 0.5 when left out.
    pub speed: Option<f64>,
    /// The time constant with which the speed is smoothed; 30s when left out.
    pub derivative_time_constant: Option<String>,
    /// The full scale, a quantity in the metric's unit, such as what one pod can do; the signal's
    /// own present size when left out.
    pub scale: Option<IntOrText>,
}

/// A Kalman filter for a level that wanders. Only the proportions of the three variances matter.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Kalman {
    /// The variance by which the level wanders in a second, above 0; 0.01 when left out.
    pub process_variance: Option<f64>,
    /// The variance of one sample around the level, above 0; 1 when left out.
    pub measurement_variance: Option<f64>,
    /// The variance of the level after the first sample; `measurementVariance` when left out.
    pub initial_variance: Option<f64>,
}

/// The largest or smallest value of a window.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Window {
    /// How long it is, e.g. `15m`; 60s when left out.
    pub window: Option<String>,
}

/// A quantile of the values of a window, interpolated between neighbours.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WindowQuantile {
    /// How long it is, e.g. `15m`; 60s when left out.
    pub window: Option<String>,
    /// Which quantile, 0 to 1; 0.9 when left out.
    pub quantile: Option<f64>,
}

/// A quantile of all values, the older the lighter, to within 3 % (a histogram that decays).
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Percentile {
    /// Which quantile, 0.01 to 0.99; 0.95 when left out.
    pub quantile: Option<f64>,
    /// The age at which a sample weighs half; 30m when left out.
    pub half_life: Option<String>,
}

/// Passes on only changes that leave a band around the value passed on last.
///
/// With both `band` and `share` the wider band counts; with neither, a share of 0.05.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Deadband {
    /// How far the signal may move either way, a quantity in the metric's unit.
    pub band: Option<IntOrText>,
    /// How far it may move either way as a share of the value passed on last, 0 to 1.
    pub share: Option<f64>,
    /// How often the value is passed on in any case, on the wall clock, so that replicas which
    /// were started at different times agree; 10m when left out.
    pub refresh: Option<String>,
}

/// An EWMA that rises with one half-life and falls with another.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Asymmetric {
    /// The half-life of a rise, `0s` for at once; 0s when left out.
    pub up: Option<String>,
    /// The half-life of a fall, `0s` for at once; 60s when left out.
    pub down: Option<String>,
}

/// Limits how fast the value may change; at least one direction is limited. There is no default,
/// since the limit has the metric's unit.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SlewLimit {
    /// By how much it may rise in a minute, a quantity; without limit when left out. Never less
    /// than the fastest growth that was seen.
    pub up_per_minute: Option<IntOrText>,
    /// By how much it may fall in a minute, a quantity; without limit when left out. What one pod
    /// can do for each lead time is a good choice.
    pub down_per_minute: Option<IntOrText>,
}

/// The rate of a counter, per second.
///
/// A counter that falls has begun anew; one not seen for five minutes begins anew, too. The first
/// sample makes no rate.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rate {
    /// The window, four intervals at least. When left out it is as long as 400 events take, 60s to
    /// 5m and four intervals at least: so many random events keep the noise within the HPA's
    /// tolerance.
    pub window: Option<String>,
}
