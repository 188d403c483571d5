//! A recording laid on the steps of a run: requests one by one, or demand with one value per step.

use super::trace::{Content, Trace, median_spacing};
use crate::simulate::SimulateError;
use crate::simulate::judge::recorded::{Offered, Request, on_grid, superpose};
use jiff::Timestamp;
use std::time::Duration;

#[cfg(test)]
mod tests;

/// Requests of one run, copies included; two dozen bytes each, held twice.
const REQUESTS_MAX: usize = 20_000_000;
/// Steps of one run: a year at 15 s.
const STEPS_MAX: usize = 2_200_000;
/// A gap of more than so many usual distances is told, and the value before it held.
const GAP_SPACINGS: f64 = 4.0;
/// And it is longer than this: scrapes are missed now and then.
const GAP_SECONDS_MIN: f64 = 300.0;
/// Where recordings without dates begin: a Monday.
const UNDATED_SECOND: i64 = 1_704_067_200;

/// Demand, ready to be replayed.
#[derive(Clone, Debug)]
pub struct Load {
    /// When step 0 begins: the midnight before the recording.
    pub midnight: Timestamp,
    /// Whether that is a date, or was made up.
    pub is_dated: bool,
    /// The length of a step.
    pub step: Duration,
    /// The first step with demand.
    pub first: usize,
    /// The step after the last.
    pub end: usize,
    /// The demand.
    pub work: Work,
    /// What a unit of demand is.
    pub unit: &'static str,
    /// What is missing in the recording.
    pub gaps: Gaps,
    /// The usual distance of two samples; none for requests.
    pub spacing: Option<Duration>,
}

/// The demand of a run.
#[derive(Clone, Debug)]
pub enum Work {
    /// Requests in order of arrival, and what they would keep busy.
    Requests {
        /// The requests.
        requests: Vec<Request>,
        /// What they would keep busy if each were served on arrival.
        offered: Offered,
    },
    /// A fluid.
    Samples {
        /// The demand of each step, straight between samples.
        demand: Vec<f64>,
        /// The newest sample at the beginning of each step: what can be known then.
        newest: Vec<f64>,
    },
}

/// Stretches without samples that are too long to draw a line across.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Gaps {
    /// How many.
    pub count: usize,
    /// The longest.
    pub longest: Duration,
    /// What all of them hold of the recording, 0 to 1.
    pub share: f64,
}

/// How many populations like the recorded one there are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Copies {
    /// At least 1.
    pub count: u32,
    /// Each request of a copy is moved by a normal draw with this standard deviation.
    pub jitter: Duration,
    /// What decides the draws.
    pub seed: u64,
}

impl Load {
    /// Lays a recording on steps.
    ///
    /// # Errors
    /// When there is too little or too much of it, or requests are not what they must be.
    pub fn new(trace: Trace, step: Duration, copies: Copies) -> Result<Self, SimulateError> {
        let Trace { midnight, content, .. } = trace;
        let load = Self {
            midnight: midnight.or(Timestamp::from_second(UNDATED_SECOND).ok()).unwrap_or_default(),
            is_dated: midnight.is_some(),
            step,
            first: 0,
            end: 0,
            work: Work::Samples { demand: Vec::new(), newest: Vec::new() },
            unit: "requests in service",
            gaps: Gaps::default(),
            spacing: None,
        };
        let load = match content {
            Content::Requests(requests) => load.of_requests(&requests, copies)?,
            Content::Samples { samples, unit } => {
                Self { unit, ..load }.of_samples(samples, f64::from(copies.count))?
            }
        };
        let steps = load.end.saturating_sub(load.first);
        if steps < 8 {
            return out_of_range("the recording", format!("{steps} steps"), "at least 8 steps");
        }
        Ok(load)
    }

    fn of_requests(self, trace: &[Request], copies: Copies) -> Result<Self, SimulateError> {
        let count = usize::try_from(copies.count).unwrap_or(usize::MAX).saturating_mul(trace.len());
        if count > REQUESTS_MAX {
            return out_of_range(
                "copies",
                format!("{count} requests"),
                "at most 20000000 requests",
            );
        }
        let (first, last) = (trace.first(), trace.last());
        let first = first.map_or(0, |it| self.step_of(it.arrival));
        let end = last.map_or(0, |it| self.step_of(it.arrival)).saturating_add(1);
        self.check_steps(end)?;
        let requests = match copies.count {
            // One population is the recording itself.
            1 => trace.to_vec(),
            count => superpose(trace, count, copies.jitter, copies.seed),
        };
        let offered = Offered::of(&requests, self.step, end)?;
        Ok(Self { first, end, work: Work::Requests { requests, offered }, ..self })
    }

    fn of_samples(self, samples: Vec<(f64, f64)>, copies: f64) -> Result<Self, SimulateError> {
        let first = samples.first().map_or(0, |it| self.step_of(it.0));
        let end = samples.last().map_or(0, |it| self.step_of(it.0)).saturating_add(1);
        self.check_steps(end)?;
        let spacing = median_spacing(&samples).unwrap_or_default();
        let samples = averaged(samples, self.step.as_secs_f64());
        let gap_max = longer(spacing * GAP_SPACINGS, GAP_SECONDS_MIN);
        let gaps = gaps(&samples, gap_max);
        let gap_max = Duration::try_from_secs_f64(gap_max).unwrap_or(Duration::MAX);
        let gridded = on_grid(&samples, self.step, gap_max);
        let values = gridded.map(|it| it.values).unwrap_or_default();
        // Nothing is run before the first sample; a day's first steps are there to be counted.
        let before = std::iter::repeat_n(0.0, first);
        let demand: Vec<f64> = before.chain(values).map(|value| value * copies).take(end).collect();
        let newest = newest(&samples, self.step.as_secs_f64(), demand.len());
        let newest = newest.into_iter().map(|value| value * copies).collect();
        let spacing = Duration::try_from_secs_f64(spacing).ok();
        let end = demand.len();
        Ok(Self { first, end, work: Work::Samples { demand, newest }, gaps, spacing, ..self })
    }

    fn check_steps(&self, end: usize) -> Result<(), SimulateError> {
        if end > STEPS_MAX {
            let allowed = "at most 2200000 steps since its first midnight (a year at 15 s)";
            return out_of_range("the recording", format!("{end} steps"), allowed);
        }
        Ok(())
    }

    /// Multiplies the demand of a fluid.
    pub(super) fn scale(&mut self, factor: f64) {
        if let Work::Samples { demand, newest } = &mut self.work {
            demand.iter_mut().chain(newest).for_each(|value| *value *= factor);
        }
    }

    /// The demand of each step.
    #[must_use]
    pub fn demand(&self) -> &[f64] {
        match &self.work {
            Work::Requests { offered, .. } => &offered.mean,
            Work::Samples { demand, .. } => demand,
        }
    }

    /// The demand that so large a share of the steps does not exceed.
    #[must_use]
    pub fn quantile(&self, share: f64) -> f64 {
        let mut demand = self.demand().get(self.first..).unwrap_or_default().to_vec();
        demand.sort_by(f64::total_cmp);
        let place = place(share * demand.len() as f64).min(demand.len().saturating_sub(1));
        demand.get(place).copied().unwrap_or_default()
    }

    /// When a step begins.
    #[must_use]
    pub fn time(&self, step: usize) -> Timestamp {
        let steps = u32::try_from(step).unwrap_or(u32::MAX);
        let since = self.step.saturating_mul(steps);
        self.midnight.checked_add(since).unwrap_or(Timestamp::MAX)
    }

    /// The step in which an instant lies, `None` where there is none.
    #[must_use]
    pub fn step_at(&self, at: Timestamp) -> Option<usize> {
        let step = self.step_of(at.duration_since(self.midnight).as_secs_f64());
        (at >= self.midnight && (self.first..self.end).contains(&step)).then_some(step)
    }

    fn step_of(&self, seconds: f64) -> usize {
        place(seconds / self.step.as_secs_f64())
    }
}

/// Samples closer than a step become one, their mean.
fn averaged(samples: Vec<(f64, f64)>, step: f64) -> Vec<(f64, f64)> {
    let mut averaged: Vec<(f64, f64)> = Vec::new();
    let (mut bin, mut count) = (usize::MAX, 0.0);
    for (time, value) in samples {
        let own = place(time / step);
        match averaged.last_mut() {
            Some((_, mean)) if own == bin => {
                count += 1.0;
                *mean += (value - *mean) / count;
            }
            _ => {
                (bin, count) = (own, 1.0);
                averaged.push((time, value));
            }
        }
    }
    averaged
}

fn gaps(samples: &[(f64, f64)], gap_max: f64) -> Gaps {
    let neighbours = samples.iter().zip(samples.iter().skip(1));
    let long: Vec<f64> = neighbours.map(|(a, b)| b.0 - a.0).filter(|it| *it > gap_max).collect();
    let span = samples.last().zip(samples.first()).map_or(0.0, |(last, first)| last.0 - first.0);
    let longest = long.iter().copied().fold(0.0, longer);
    Gaps {
        count: long.len(),
        longest: Duration::try_from_secs_f64(longest).unwrap_or_default(),
        share: if span > 0.0 { long.iter().sum::<f64>() / span } else { 0.0 },
    }
}

/// The newest sample at the beginning of each step.
fn newest(samples: &[(f64, f64)], step: f64, steps: usize) -> Vec<f64> {
    let mut samples = samples.iter().peekable();
    let mut newest = samples.peek().map_or(0.0, |it| it.1);
    let value = |at: usize| {
        // A sample somewhere in the first step is known from its beginning.
        let time = at as f64 * step;
        while let Some((_, value)) = samples.next_if(|it| it.0 <= time) {
            newest = *value;
        }
        newest
    };
    (0..steps).map(value).collect()
}

fn longer(a: f64, b: f64) -> f64 {
    if b > a { b } else { a }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the conversion saturates at both ends, and no time is negative"
)]
fn place(number: f64) -> usize {
    number as usize
}

fn out_of_range<T>(
    setting: &'static str,
    value: String,
    allowed: &'static str,
) -> Result<T, SimulateError> {
    Err(SimulateError::OutOfRange { setting, value, allowed })
}
