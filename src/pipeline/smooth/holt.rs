//! Holt's exponential smoothing with a damped trend, over irregular samples.

use crate::domain::finite::Finite;
use crate::domain::sample::Sample;
use crate::pipeline::smooth::seconds_between;
use jiff::Timestamp;
use std::time::Duration;

/// `l' = l + phi b; l = l' + a (x - l'); b = beta (l - l_old) + (1 - beta) phi b`, answering the
/// level.
///
/// A gap of n steps is taken as n steps without a sample: `phi` becomes `phi^n`, what is left of
/// the old level and trend `(1-a)^n` and `(1-beta)^n`, and the slope is that of one step. The
/// damping bounds what an old trend can do over a long gap.
#[derive(Clone, Debug)]
pub(super) struct Holt {
    level: f64,
    trend: f64,
    damping: f64,
    step: Duration,
    state: Option<State>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    at: Timestamp,
    level: Finite,
    /// Per step.
    slope: Finite,
}

impl Holt {
    pub(super) fn new(level: Finite, trend: Finite, damping: Finite, step: Duration) -> Self {
        let [level, trend, damping] = [level, trend, damping].map(Finite::get);
        Self { level, trend, damping, step, state: None }
    }

    pub(super) fn step(&mut self, sample: Sample) -> Finite {
        let begun = State { at: sample.at, level: sample.value, slope: Finite::ZERO };
        // Two values at the ends of the range of floats have no slope between them: begin anew.
        let next = self.state.and_then(|before| self.next(before, sample)).unwrap_or(begun);
        self.state = Some(next);
        next.level
    }

    fn next(&self, before: State, sample: Sample) -> Option<State> {
        let steps = seconds_between(before.at, sample.at) / self.step.as_secs_f64();
        let kept_slope = self.damping.powf(steps);
        let kept_level = (1.0 - self.level).powf(steps);
        let kept_trend = (1.0 - self.trend).powf(steps);
        let drift = self.damping * (1.0 - kept_slope) / (1.0 - self.damping);
        let expected = before.level.get() + before.slope.get() * drift;
        let level = expected * kept_level + sample.value.get() * (1.0 - kept_level);
        let seen = (level - before.level.get()) / steps;
        let slope = seen * (1.0 - kept_trend) + before.slope.get() * kept_slope * kept_trend;
        Some(State { at: sample.at, level: Finite::new(level)?, slope: Finite::new(slope)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::smooth::tests::answers;

    fn number(value: f64) -> Finite {
        Finite::new(value).unwrap()
    }

    #[test]
    fn holt_meets_the_golden_vector_b2() {
        let second = Duration::from_secs(1);
        let mut holt = Holt::new(number(0.5), number(0.1), number(0.9), second);
        // Level 10 and trend 0 before the values: the first of them is 10 and changes neither.
        let series = [(0, 10.0), (1, 12.0), (2, 11.0), (3, 15.0), (4, 14.0), (5, 18.0)];
        answers(|it| holt.step(it), series);
        let State { level, slope, .. } = holt.state.unwrap();
        let damping = 0.9_f64;
        let forecast = level.get() + slope.get() * damping * (1.0 - damping.powi(5)) / 0.1;
        for (got, want) in
            [(level.get(), 15.951_524), (slope.get(), 0.455_525), (forecast, 17.630_401)]
        {
            assert!((got - want).abs() < 5e-7, "{got} is not {want}");
        }
    }
}
