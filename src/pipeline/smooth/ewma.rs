//! Exponentially weighted moving average over irregular samples, by half-life.

use crate::domain::finite::Finite;
use crate::domain::sample::Sample;
use jiff::Timestamp;
use std::time::Duration;

/// `s += (1 - 2^(-dt / half_life)) (x - s)`, beginning at the first sample.
///
/// A long gap makes the weight of the new sample approach one by itself, so that a series which
/// comes back is believed at once.
#[derive(Clone, Debug)]
pub(super) struct Ewma {
    half_life: Duration,
    state: Option<(Timestamp, Finite)>,
}

impl Ewma {
    pub(super) fn new(half_life: Duration) -> Self {
        Self { half_life, state: None }
    }

    pub(super) fn step(&mut self, sample: Sample) -> Finite {
        let smoothed = match self.state {
            None => sample.value,
            Some((at, before)) => {
                let gap = sample.at.duration_since(at).as_secs_f64();
                let weight = 1.0 - (-gap / self.half_life.as_secs_f64()).exp2();
                // A weighted mean of two finite numbers; written so that it cannot overflow.
                let mean = before.get() * (1.0 - weight) + sample.value.get() * weight;
                Finite::new(mean).unwrap_or(sample.value)
            }
        };
        self.state = Some((sample.at, smoothed));
        smoothed
    }
}
