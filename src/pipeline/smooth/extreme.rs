//! The largest or the smallest value of a window.

use crate::domain::finite::Finite;
use crate::domain::sample::Sample;
use crate::pipeline::smooth::Slots;
use jiff::Timestamp;
use std::collections::VecDeque;
use std::time::Duration;

/// The extreme of the samples that are younger than the window is long.
///
/// Kept are the samples that can still become the extreme: each is beaten by all before it. Where
/// samples come faster than the window's slots, the extreme of a slot lasts as long as its newest
/// sample: a slot too long rather than too short.
#[derive(Clone, Debug)]
pub(super) struct Extreme {
    window: Duration,
    which: Which,
    slots: Slots,
    candidates: VecDeque<(Timestamp, Finite)>,
}

/// Which extreme.
#[derive(Clone, Copy, Debug)]
pub(super) enum Which {
    Largest,
    Smallest,
}

impl Which {
    /// Whether `value` makes an older `other` irrelevant.
    fn beats(self, value: Finite, other: Finite) -> bool {
        match self {
            Self::Largest => value >= other,
            Self::Smallest => value <= other,
        }
    }
}

impl Extreme {
    pub(super) fn new(window: Duration, which: Which) -> Self {
        Self { window, which, slots: Slots::of(window), candidates: VecDeque::new() }
    }

    pub(super) fn step(&mut self, sample: Sample) -> Finite {
        let Sample { at, value } = sample;
        let oldest = at.checked_sub(self.window).unwrap_or(Timestamp::MIN);
        while self.candidates.front().is_some_and(|(at, _)| *at <= oldest) {
            self.candidates.pop_front();
        }
        while self.candidates.back().is_some_and(|(_, it)| self.which.beats(value, *it)) {
            self.candidates.pop_back();
        }
        match self.candidates.back_mut() {
            Some((newest, _)) if self.slots.share_one(*newest, at) => *newest = at,
            _ => self.candidates.push_back((at, value)),
        }
        self.candidates.front().map_or(value, |(_, extreme)| *extreme)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::limits;
    use crate::pipeline::smooth::tests::{answers, exactly};

    fn sample(millis: i64, value: f64) -> Sample {
        let at = Timestamp::from_millisecond(millis).unwrap();
        Sample { at, value: Finite::new(value).unwrap() }
    }

    #[test]
    fn an_extreme_comes_at_once_and_leaves_one_window_later() {
        let series = [(0, 5.0), (15, 9.0), (30, 4.0), (60, 6.0), (74, 3.0), (75, 2.0), (500, 7.0)];
        for (which, expected) in [
            (Which::Largest, [5.0, 9.0, 9.0, 9.0, 9.0, 6.0, 7.0]),
            (Which::Smallest, [5.0, 5.0, 4.0, 4.0, 3.0, 2.0, 7.0]),
        ] {
            let mut extreme = Extreme::new(Duration::from_secs(60), which);
            let got = answers(|it| extreme.step(it), series);
            assert_eq!(got, exactly(expected), "{which:?}");
        }
    }

    #[test]
    fn a_long_fall_of_fast_samples_stays_within_the_limit() {
        let mut extreme = Extreme::new(Duration::from_secs(60), Which::Largest);
        let mut last = 0.0;
        for n in 0..100_000_i32 {
            last = extreme.step(sample(i64::from(n), -f64::from(n))).get();
            assert!(extreme.candidates.len() <= limits::SMOOTHING_SAMPLES_MAX + 1);
        }
        // 60 s ago, or up to one slot of 118 ms earlier.
        assert!((39_881.0..=39_999.0).contains(&-last), "{last}");
    }
}
