//! Smoothing: filters that know the time between samples, one after the other.
//!
//! Each filter takes one sample at a time and remembers what it needs, within a named limit; its
//! answers depend on the samples alone, not on when they were handed in. Values are `Finite`, so
//! that no filter can answer anything else.

mod asymmetric;
mod deadband;
mod ewma;
mod extreme;
mod hampel;
mod holt;
mod kalman;
mod median;
mod one_euro;
mod percentile;
mod rate;
mod recent;
mod slew_limit;
mod window_quantile;

use crate::domain::finite::Finite;
use crate::domain::limits;
use crate::domain::sample::Sample;
use crate::policy::smoothing::Smoothing;
use asymmetric::Asymmetric;
use deadband::Deadband;
use ewma::Ewma;
use extreme::{Extreme, Which};
use hampel::Hampel;
use holt::Holt;
use jiff::Timestamp;
use kalman::Kalman;
use median::Median;
use one_euro::OneEuro;
use percentile::Percentile;
use rate::Rate;
use slew_limit::SlewLimit;
use std::time::Duration;
use window_quantile::WindowQuantile;

/// The filters of one object, in the policy's order.
#[derive(Clone, Debug)]
pub struct Chain(Vec<Step>);

/// One filter with its last answer.
#[derive(Clone, Debug)]
struct Step {
    filter: Filter,
    answer: Option<Finite>,
}

/// What one filter of a chain answered last, for an explanation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The kind of filter, as in a policy.
    pub kind: &'static str,
    /// Its answer; `None` while it has none.
    pub value: Option<Finite>,
    /// The window that a rate chose, from its first to its last sample.
    pub window: Option<Duration>,
}

/// Every kind of filter: a closed set, so that a new one is missed nowhere.
#[derive(Clone, Debug)]
enum Filter {
    Ewma(Ewma),
    Holt(Holt),
    Hampel(Hampel),
    Median(Median),
    OneEuro(OneEuro),
    Kalman(Kalman),
    WindowMax(Extreme),
    WindowMin(Extreme),
    WindowQuantile(WindowQuantile),
    Percentile(Percentile),
    Deadband(Deadband),
    Asymmetric(Asymmetric),
    SlewLimit(SlewLimit),
    Rate(Rate),
}

impl Chain {
    /// The filters for these settings, with nothing seen yet.
    #[must_use]
    pub fn new(settings: &[Smoothing]) -> Self {
        let filters = settings.iter().map(Filter::new);
        Self(filters.map(|filter| Step { filter, answer: None }).collect())
    }

    /// Takes one sample, newer than all before it; answers the smoothed one of the same time, or
    /// nothing where a rate has no second sample yet.
    pub fn step(&mut self, sample: Sample) -> Option<Sample> {
        let at = sample.at;
        let mut value = Some(sample.value);
        for step in &mut self.0 {
            step.answer = value.and_then(|value| step.filter.step(Sample { at, value }));
            value = step.answer;
        }
        value.map(|value| Sample { at, value })
    }

    /// How many filters there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// What each filter answered last.
    pub fn answers(&self) -> impl Iterator<Item = Answer> {
        self.0.iter().map(|Step { filter, answer }| Answer {
            kind: filter.kind(),
            value: *answer,
            window: match filter {
                Filter::Rate(rate) => rate.window(),
                _ => None,
            },
        })
    }
}

impl Filter {
    fn new(setting: &Smoothing) -> Self {
        match *setting {
            Smoothing::Ewma { half_life } => Self::Ewma(Ewma::new(half_life)),
            Smoothing::Holt { level, trend, damping, step } => {
                Self::Holt(Holt::new(level, trend, damping, step))
            }
            Smoothing::Hampel { window, threshold, span } => {
                Self::Hampel(Hampel::new(window, threshold, span))
            }
            Smoothing::Median { window, span } => Self::Median(Median::new(window, span)),
            Smoothing::OneEuro { time_constant, speed, derivative, scale } => {
                Self::OneEuro(OneEuro::new(time_constant, speed, derivative, scale))
            }
            Smoothing::Kalman { process, measurement, initial } => {
                Self::Kalman(Kalman::new(process, measurement, initial))
            }
            Smoothing::WindowMax { window } => {
                Self::WindowMax(Extreme::new(window, Which::Largest))
            }
            Smoothing::WindowMin { window } => {
                Self::WindowMin(Extreme::new(window, Which::Smallest))
            }
            Smoothing::WindowQuantile { window, quantile } => {
                Self::WindowQuantile(WindowQuantile::new(window, quantile))
            }
            Smoothing::Percentile { quantile, half_life } => {
                Self::Percentile(Percentile::new(quantile, half_life))
            }
            Smoothing::Deadband { band, share, refresh } => {
                Self::Deadband(Deadband::new(band, share, refresh))
            }
            Smoothing::Asymmetric { up, down } => Self::Asymmetric(Asymmetric::new(up, down)),
            Smoothing::SlewLimit { up_per_minute, down_per_minute } => {
                Self::SlewLimit(SlewLimit::new(up_per_minute, down_per_minute))
            }
            Smoothing::Rate { least, most } => Self::Rate(Rate::new(least, most)),
        }
    }

    fn step(&mut self, sample: Sample) -> Option<Finite> {
        Some(match self {
            Self::Rate(rate) => return rate.step(sample),
            Self::Ewma(ewma) => ewma.step(sample),
            Self::Holt(holt) => holt.step(sample),
            Self::Hampel(hampel) => hampel.step(sample),
            Self::Median(median) => median.step(sample),
            Self::OneEuro(one_euro) => one_euro.step(sample),
            Self::Kalman(kalman) => kalman.step(sample),
            Self::WindowMax(extreme) | Self::WindowMin(extreme) => extreme.step(sample),
            Self::WindowQuantile(quantile) => quantile.step(sample),
            Self::Percentile(percentile) => percentile.step(sample),
            Self::Deadband(deadband) => deadband.step(sample),
            Self::Asymmetric(asymmetric) => asymmetric.step(sample),
            Self::SlewLimit(slew_limit) => slew_limit.step(sample),
        })
    }

    /// The name of its kind, as in a policy.
    fn kind(&self) -> &'static str {
        match self {
            Self::Ewma(_) => "ewma",
            Self::Holt(_) => "holt",
            Self::Hampel(_) => "hampel",
            Self::Median(_) => "median",
            Self::OneEuro(_) => "oneEuro",
            Self::Kalman(_) => "kalman",
            Self::WindowMax(_) => "windowMax",
            Self::WindowMin(_) => "windowMin",
            Self::WindowQuantile(_) => "windowQuantile",
            Self::Percentile(_) => "percentile",
            Self::Deadband(_) => "deadband",
            Self::Asymmetric(_) => "asymmetric",
            Self::SlewLimit(_) => "slewLimit",
            Self::Rate(_) => "rate",
        }
    }
}

/// The slots of a window, on the wall clock, so that its memory is bounded however fast samples
/// come.
#[derive(Clone, Copy, Debug)]
struct Slots(Option<Duration>);

impl Slots {
    /// So narrow that `limits::SMOOTHING_SAMPLES_MAX` of them cover the window.
    fn of(window: Duration) -> Self {
        let slots = u32::try_from(limits::SMOOTHING_SAMPLES_MAX - 1).unwrap_or(u32::MAX);
        Self(Some(window / slots + Duration::from_millis(1)))
    }

    /// No two samples share a slot.
    fn none() -> Self {
        Self(None)
    }

    fn share_one(self, one: Timestamp, other: Timestamp) -> bool {
        self.0.is_some_and(|length| slot(one, length) == slot(other, length))
    }
}

/// Which multiple of `length` the wall clock passed last.
fn slot(at: Timestamp, length: Duration) -> i64 {
    let millis = i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
    at.as_millisecond().div_euclid(millis.max(1))
}

fn seconds_between(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64()
}

/// How much of what was has faded after so many seconds: `1 - 2^(-gap / half_life)`.
fn faded(gap: f64, half_life: Duration) -> f64 {
    1.0 - (-gap / half_life.as_secs_f64()).exp2()
}

/// The weighted mean of two finite numbers; written so that it cannot overflow.
fn between(before: Finite, after: Finite, weight: f64) -> Finite {
    Finite::new(before.get() * (1.0 - weight) + after.get() * weight).unwrap_or(after)
}

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;
