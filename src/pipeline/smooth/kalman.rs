//! A Kalman filter for a level that wanders (local level model), over irregular samples.

use crate::domain::finite::Finite;
use crate::domain::sample::Sample;
use crate::pipeline::smooth::{between, seconds_between};
use jiff::Timestamp;

/// `P += q dt; K = P / (P + R); s += K (x - s); P *= 1 - K`, beginning at the first sample.
///
/// Between samples the variance grows, so that after a long gap the new sample is believed.
#[derive(Clone, Debug)]
pub(super) struct Kalman {
    process: f64,
    measurement: f64,
    initial: Finite,
    state: Option<State>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    at: Timestamp,
    level: Finite,
    variance: Finite,
}

impl Kalman {
    pub(super) fn new(process: Finite, measurement: Finite, initial: Finite) -> Self {
        let [process, measurement] = [process, measurement].map(Finite::get);
        Self { process, measurement, initial, state: None }
    }

    pub(super) fn step(&mut self, sample: Sample) -> Finite {
        let next = match self.state {
            None => State { at: sample.at, level: sample.value, variance: self.initial },
            Some(before) => {
                let gap = seconds_between(before.at, sample.at);
                let variance = before.variance.get() + self.process * gap;
                let gain = variance / (variance + self.measurement);
                let level = between(before.level, sample.value, gain);
                let variance = Finite::new(variance * (1.0 - gain)).unwrap_or(self.initial);
                State { at: sample.at, level, variance }
            }
        };
        self.state = Some(next);
        next.level
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::smooth::tests::sample;

    #[test]
    fn kalman_meets_the_golden_vector_b3() {
        let number = |value| Finite::new(value).unwrap();
        let mut kalman = Kalman::new(number(0.01), number(4.0), number(1000.0));
        let samples = [(0, 10.0), (15, 12.0), (30, 11.0), (60, 15.0), (75, 14.0), (180, 18.0)];
        let expected = [
            (10.0, 1000.0),
            (11.992, 3.9841),
            (11.4878, 2.033),
            (12.7817, 1.4735),
            (13.1334, 1.1548),
            (14.8627, 1.4214),
        ];
        for ((second, value), (level, variance)) in samples.into_iter().zip(expected) {
            let got = kalman.step(sample(second, value)).get();
            let got_variance = kalman.state.unwrap().variance.get();
            assert!((got - level).abs() < 6e-5, "{second}: {got} is not {level}");
            assert!((got_variance - variance).abs() < 6e-5, "{second}: {got_variance}");
        }
    }
}
