//! Hampel's identifier: outliers are replaced by the median of the last samples.

use crate::domain::finite::Finite;
use crate::domain::sample::Sample;
use crate::pipeline::smooth::recent::Recent;
use std::time::Duration;

/// A median distance times this is the standard deviation, if the noise is normal.
const NORMAL: f64 = 1.4826;
/// How many of the last samples have to lie above for a rise to be believed, and of how many.
const BELIEVED: (usize, usize) = (2, 3);

/// With m the median of the window and S = 1.4826 times the median distance from it: the sample,
/// or m if the sample is further than `threshold` S from it.
///
/// A real step would be taken for an outlier until it fills half the window. Downwards that is
/// the safe side; upwards it is believed once two of the last three samples lie above.
#[derive(Clone, Debug)]
pub(super) struct Hampel {
    recent: Recent,
    threshold: f64,
}

impl Hampel {
    pub(super) fn new(window: usize, threshold: Finite, span: Duration) -> Self {
        Self { recent: Recent::by_count(window, span), threshold: threshold.get() }
    }

    pub(super) fn step(&mut self, sample: Sample) -> Finite {
        self.recent.push(sample);
        let median = self.recent.median();
        let distance = median.and_then(|it| self.recent.median_distance(it));
        let (Some(median), Some(distance)) = (median, distance) else { return sample.value };
        let reach = self.threshold * NORMAL * distance.get();
        let above = |value: Finite| value.get() - median.get() > reach;
        if median.get() - sample.value.get() > reach {
            return median;
        }
        let (wanted, of) = BELIEVED;
        let is_rise =
            || self.recent.newest_first().take(of).filter(|it| above(*it)).count() >= wanted;
        if above(sample.value) && !is_rise() {
            return median;
        }
        sample.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::smooth::tests::{answers, exactly};

    /// Values 15 s apart.
    fn apart<const N: usize>(values: [f64; N]) -> [(i64, f64); N] {
        let mut second = 0;
        values.map(|value| {
            second += 15;
            (second, value)
        })
    }

    fn filter() -> Hampel {
        Hampel::new(5, Finite::new(3.0).unwrap(), Duration::from_secs(150))
    }

    fn check<const N: usize>(values: [f64; N], expected: [f64; N]) {
        let mut hampel = filter();
        assert_eq!(answers(|it| hampel.step(it), apart(values)), exactly(expected));
    }

    #[test]
    fn hampel_meets_the_golden_vector_b11() {
        let mut hampel = filter();
        let got = answers(|it| hampel.step(it), apart([10.0, 11.0, 10.0, 12.0, 40.0]));
        let median = hampel.recent.median().unwrap();
        let spread = NORMAL * hampel.recent.median_distance(median).unwrap().get();
        assert_eq!([median, Finite::new(spread).unwrap()], exactly([11.0, 1.4826]));
        assert_eq!(got.last(), Some(&median), "40 is rejected");
    }

    #[test]
    fn one_spike_is_dropped_and_a_step_up_is_late_by_one_sample() {
        check(
            [10.0, 11.0, 10.0, 11.0, 40.0, 10.0, 11.0],
            [10.0, 11.0, 10.0, 11.0, 11.0, 10.0, 11.0],
        );
        check(
            [10.0, 11.0, 10.0, 11.0, 40.0, 41.0, 40.0],
            [10.0, 11.0, 10.0, 11.0, 11.0, 41.0, 40.0],
        );
    }

    #[test]
    fn a_step_down_is_believed_once_it_fills_half_the_window() {
        check(
            [40.0, 41.0, 40.0, 41.0, 10.0, 11.0, 10.0],
            [40.0, 41.0, 40.0, 41.0, 40.0, 40.0, 10.0],
        );
    }
}
