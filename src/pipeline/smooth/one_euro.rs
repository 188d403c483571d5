//! The One Euro filter (Casiez, Roussel and Vogel 2012), for samples that are seconds apart.

use crate::domain::finite::Finite;
use crate::domain::sample::Sample;
use crate::pipeline::smooth::{between, seconds_between};
use std::f64::consts::TAU;
use std::time::Duration;

/// A low-pass filter with the cutoff `fc = fmin + B |dx|`, weight `1 / (1 + 1/(2 pi fc dt))`. The
/// speed `dx` is that from the last sample to the new one, smoothed with a fixed cutoff, as a share
/// of the full scale in a second. (From the last answer, as the paper has it, a high speed makes a
/// loop that never forgets how it began, and replicas would not agree.)
///
/// A long gap makes both weights approach one by itself.
#[derive(Clone, Debug)]
pub(super) struct OneEuro {
    cutoff: f64,
    speed: f64,
    derivative_cutoff: f64,
    scale: Option<Finite>,
    state: Option<State>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    sample: Sample,
    answer: Finite,
    /// In full scales per second.
    speed: Finite,
}

impl OneEuro {
    pub(super) fn new(
        time_constant: Duration,
        speed: Finite,
        derivative: Duration,
        scale: Option<Finite>,
    ) -> Self {
        let cutoff = |constant: Duration| 1.0 / (TAU * constant.as_secs_f64());
        Self {
            cutoff: cutoff(time_constant),
            speed: speed.get(),
            derivative_cutoff: cutoff(derivative),
            scale,
            state: None,
        }
    }

    pub(super) fn step(&mut self, sample: Sample) -> Finite {
        let next = match self.state {
            None => State { sample, answer: sample.value, speed: Finite::ZERO },
            Some(before) => self.next(before, sample),
        };
        self.state = Some(next);
        next.answer
    }

    fn next(&self, before: State, sample: Sample) -> State {
        let gap = seconds_between(before.sample.at, sample.at);
        let seen = self.share(before.sample.value, sample.value) / gap;
        let seen = Finite::new(seen).unwrap_or(before.speed);
        let speed = between(before.speed, seen, weight(self.derivative_cutoff, gap));
        let cutoff = self.cutoff + self.speed * speed.get().abs();
        let answer = between(before.answer, sample.value, weight(cutoff, gap));
        State { sample, answer, speed }
    }

    /// The difference as a share of the full scale: at most two without one.
    fn share(&self, before: Finite, now: Finite) -> f64 {
        let size = |it: Finite| Finite::new(it.get().abs()).unwrap_or(Finite::ZERO);
        let scale = self.scale.unwrap_or_else(|| size(before).max(size(now))).get();
        if scale > 0.0 { now.get() / scale - before.get() / scale } else { 0.0 }
    }
}

/// The weight of a new sample `gap` seconds after the last.
fn weight(cutoff: f64, gap: f64) -> f64 {
    1.0 / (1.0 + 1.0 / (TAU * cutoff * gap))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    fn run(speed: f64, values: impl Iterator<Item = f64>) -> Vec<f64> {
        let seconds = Duration::from_secs;
        let speed = Finite::new(speed).unwrap();
        let mut filter = OneEuro::new(seconds(120), speed, seconds(30), None);
        let steps = (0i64..).zip(values).map(|(n, value)| {
            let at = Timestamp::from_second(n * 15).unwrap();
            filter.step(Sample { at, value: Finite::new(value).unwrap() }).get()
        });
        steps.collect()
    }

    #[test]
    fn without_speed_it_is_a_low_pass_filter_of_its_time_constant() {
        // The weight is 15/(15+120) = 1/9 by hand, twice.
        let got = run(0.0, [9.0, 18.0, 18.0].into_iter());
        for (got, want) in got.into_iter().zip([9.0, 10.0, 10.0 + 8.0 / 9.0]) {
            assert!((got - want).abs() < 1e-12, "{got} is not {want}");
        }
    }

    #[test]
    fn it_follows_a_step_and_holds_back_noise() {
        // Noise of 5 either way around 100, after half an hour.
        let noise = (0..200).map(|n| if n % 2 == 0 { 95.0 } else { 105.0 });
        for value in run(0.5, noise).split_off(120) {
            assert!((value - 100.0).abs() < 2.0, "{value}");
        }
        // One minute after a step of 100, with and without an eye for speed.
        let step = || std::iter::repeat_n(100.0, 20).chain(std::iter::repeat_n(200.0, 4));
        let [calm, default] = [0.0, 0.5].map(|speed| run(speed, step()).pop().unwrap());
        assert!(calm < 150.0 && default > 175.0, "{calm} {default}");
    }
}
