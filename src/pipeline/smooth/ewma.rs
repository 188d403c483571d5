//! Exponentially weighted moving average over irregular samples, by half-life.

use crate::domain::finite::Finite;
use crate::domain::sample::Sample;
use crate::pipeline::smooth::{between, faded, seconds_between};
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
                let weight = faded(seconds_between(at, sample.at), self.half_life);
                between(before, sample.value, weight)
            }
        };
        self.state = Some((sample.at, smoothed));
        smoothed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::smooth::tests::answers;

    #[test]
    fn ewma_meets_the_golden_vector_b1() {
        // Half-life 60 s, given to four decimals.
        let series = [(0, 10.0), (15, 12.0), (30, 11.0), (60, 15.0), (75, 14.0), (180, 18.0)];
        let expected = [10.0, 10.3182, 10.4267, 11.7662, 12.1216, 16.2523];
        let mut ewma = Ewma::new(Duration::from_secs(60));
        for (got, want) in answers(|it| ewma.step(it), series).into_iter().zip(expected) {
            assert!((got.get() - want).abs() < 5e-5, "{got} is not {want}");
        }
    }
}
