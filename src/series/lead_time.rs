//! How long pods take to start: a quantile over a decaying histogram of the starts that were seen.
//!
//! In come starts and the ages of pods that are not ready yet, out goes a `Startup`. The same starts
//! in the same order give the same answer whenever they come in, so that a replica which learns of
//! them from the pods' conditions agrees with one that saw them.

mod ledger;

pub use ledger::{Ledger, Seen};

use crate::domain::limits;
use crate::domain::supply::{Basis, StartKind, Startup};
use jiff::Timestamp;
use std::time::Duration;

/// Each bucket ends this much later than the one before: the answer is at most five percent too
/// long, and small changes do not move it.
const GROWTH: f64 = 1.05;
/// The end of the first bucket, in seconds.
const FIRST_END: f64 = 1.0;
/// `FIRST_END * GROWTH^(BUCKETS - 1)` is 3,651 s: more than `limits::LEAD_TIME_MAX`.
const BUCKETS: usize = 169;
/// Weights are scaled down once the newest one exceeds 2 to this, far from where floats end.
const EXPONENT_MAX: f64 = 64.0;
/// Sums of weights differ in their last digits by the order of addition; less than this share is
/// no difference.
const ROUNDING: f64 = 1e-9;

/// The starts of one scale target.
#[derive(Clone, Debug)]
pub struct Starts {
    cold: Histogram,
    /// Cached ones, and those that do not tell.
    other: Histogram,
    n_starts: u64,
    /// A start at this instant has the exponent 0, apart from its number.
    reference: Option<Timestamp>,
    /// By how much the exponents were lowered.
    lowered: f64,
    /// The exponent of the newest start.
    newest: f64,
}

/// Weights by duration.
#[derive(Clone, Debug, PartialEq)]
struct Histogram(Box<[f64; BUCKETS]>);

impl Default for Starts {
    fn default() -> Self {
        Self {
            cold: Histogram::default(),
            other: Histogram::default(),
            n_starts: 0,
            reference: None,
            lowered: 0.0,
            newest: f64::NEG_INFINITY,
        }
    }
}

impl Starts {
    /// How many starts were recorded, ever.
    #[must_use]
    pub fn n_starts(&self) -> u64 {
        self.n_starts
    }

    /// Records a start that ended at `ready` and took so long. One that took longer than
    /// `limits::LEAD_TIME_MAX` is ignored: the pod had trouble, or lost its readiness in between.
    /// Answers whether it was recorded.
    ///
    /// A start weighs half as much as one `limits::STARTS_HALF_LIFE` later, and half as much as the
    /// one `limits::STARTS_HALF_COUNT` after it. Only ratios matter, so a new one weighs more
    /// instead (the reference time of the Vertical Pod Autoscaler's decaying histograms).
    pub fn record(&mut self, ready: Timestamp, took: Duration, kind: StartKind) -> bool {
        if took > limits::LEAD_TIME_MAX {
            return false;
        }
        let reference = *self.reference.get_or_insert(ready);
        let age = ready.duration_since(reference).as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "nobody sees 2^52 pods start")]
        let number = self.n_starts as f64;
        let halvings =
            age / limits::STARTS_HALF_LIFE.as_secs_f64() + number / limits::STARTS_HALF_COUNT;
        let mut exponent = halvings - self.lowered;
        if exponent > EXPONENT_MAX {
            self.cold.scale((-exponent).exp2());
            self.other.scale((-exponent).exp2());
            self.newest -= exponent;
            self.lowered += exponent;
            exponent = 0.0;
        }
        if self.newest < exponent {
            self.newest = exponent;
        }
        let histogram = match kind {
            StartKind::Cold => &mut self.cold,
            StartKind::Cached | StartKind::Untold => &mut self.other,
        };
        histogram.add(took, exponent.exp2());
        self.n_starts += 1;
        true
    }

    /// The time within which nine starts in ten end.
    ///
    /// `waiting` are the ages of pods that are not ready yet. One that is younger than the measured
    /// time says nothing; an older one counts as a start of its age (a lower bound), at most
    /// `limits::STARTUP_RAISE_MAX` times the measured time.
    #[must_use]
    pub fn startup(&self, waiting: &[Duration]) -> Startup {
        // In units of the newest start.
        let newest = if self.n_starts == 0 { 1.0 } else { self.newest.exp2() };
        let is_cold = self.cold.total() >= limits::COLD_STARTS_MIN * newest * (1.0 - ROUNDING);
        let mut starts = self.cold.clone();
        if !is_cold {
            starts.merge(&self.other);
        }
        let base = starts.quantile().unwrap_or(limits::STARTUP_DEFAULT);
        let most = base.saturating_mul(limits::STARTUP_RAISE_MAX).min(limits::LEAD_TIME_MAX);
        let mut is_raised = false;
        for age in waiting.iter().filter(|age| **age > base) {
            starts.add((*age).min(most), newest);
            is_raised = true;
        }
        let raised = if is_raised { starts.quantile() } else { None };
        let time = raised.unwrap_or(base).clamp(base, limits::STARTUP_MAX.max(base));
        self.bounded(time, is_cold)
    }

    fn bounded(&self, time: Duration, is_cold: bool) -> Startup {
        let time = time.min(limits::STARTUP_MAX);
        let starts = self.n_starts;
        if starts == 0 {
            return Startup { time, basis: Basis::Assumed };
        }
        let is_sure = starts >= limits::STARTUP_STARTS_MIN;
        let least = if is_sure { limits::LEAD_TIME_MIN } else { limits::STARTUP_UNSURE_MIN };
        Startup { time: time.max(least), basis: Basis::Measured { starts, is_cold } }
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self(Box::new([0.0; BUCKETS]))
    }
}

impl Histogram {
    fn add(&mut self, took: Duration, weight: f64) {
        if let Some((bucket, _)) = self.0.iter_mut().zip(ends()).find(|(_, end)| took <= *end) {
            *bucket += weight;
        }
    }

    fn merge(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0.iter()).for_each(|(mine, other)| *mine += other);
    }

    fn scale(&mut self, factor: f64) {
        self.0.iter_mut().for_each(|weight| *weight *= factor);
    }

    fn total(&self) -> f64 {
        self.0.iter().sum()
    }

    /// The end of the bucket in which `limits::STARTUP_QUANTILE` of the weight is reached; `None`
    /// when there is none.
    fn quantile(&self) -> Option<Duration> {
        let total = self.total();
        let wanted = total * limits::STARTUP_QUANTILE * (1.0 - ROUNDING);
        let mut reached = 0.0;
        let mut buckets = self.0.iter().zip(ends());
        buckets
            .find(|(weight, _)| {
                reached += **weight;
                **weight > 0.0 && reached >= wanted
            })
            .map(|(_, end)| end)
    }
}

/// Where each bucket ends.
fn ends() -> impl Iterator<Item = Duration> {
    let ends = std::iter::successors(Some(FIRST_END), |end| Some(end * GROWTH));
    ends.take(BUCKETS).map(Duration::from_secs_f64)
}

#[cfg(test)]
mod tests;
