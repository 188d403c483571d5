//! An EWMA that rises with one half-life and falls with another.

use crate::domain::finite::Finite;
use crate::domain::sample::Sample;
use crate::pipeline::smooth::{between, faded, seconds_between};
use jiff::Timestamp;
use std::time::Duration;

/// As an EWMA, with the half-life chosen by the side on which the sample lies; zero follows at
/// once.
#[derive(Clone, Debug)]
pub(super) struct Asymmetric {
    up: Duration,
    down: Duration,
    state: Option<(Timestamp, Finite)>,
}

impl Asymmetric {
    pub(super) fn new(up: Duration, down: Duration) -> Self {
        Self { up, down, state: None }
    }

    pub(super) fn step(&mut self, sample: Sample) -> Finite {
        let answer = match self.state {
            None => sample.value,
            Some((at, before)) => {
                let half_life = if sample.value > before { self.up } else { self.down };
                let weight = faded(seconds_between(at, sample.at), half_life);
                between(before, sample.value, weight)
            }
        };
        self.state = Some((sample.at, answer));
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::smooth::tests::{answers, exactly};

    #[test]
    fn it_rises_at_once_and_falls_by_half_in_a_half_life() {
        let mut filter = Asymmetric::new(Duration::ZERO, Duration::from_secs(60));
        let series = [(0, 10.0), (15, 30.0), (75, 10.0), (135, 10.0), (150, 40.0)];
        let got = answers(|it| filter.step(it), series);
        assert_eq!(got, exactly([10.0, 30.0, 20.0, 15.0, 40.0]));
    }
}
