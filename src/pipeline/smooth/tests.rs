//! Golden vectors and the laws that every filter keeps.

use super::*;
use jiff::Timestamp;
use proptest::prelude::*;
use std::time::Duration;

fn smoothed(settings: &[Smoothing], samples: &[(i64, f64)]) -> Vec<f64> {
    let mut chain = Chain::new(settings);
    let steps = samples.iter().map(|(millis, value)| {
        let at = Timestamp::from_millisecond(*millis).unwrap();
        chain.step(Sample { at, value: Finite::new(*value).unwrap() }).value.get()
    });
    steps.collect()
}

fn ewma(seconds: u64) -> [Smoothing; 1] {
    [Smoothing::Ewma { half_life: Duration::from_secs(seconds) }]
}

#[test]
fn ewma_meets_the_golden_vector_b1() {
    // Appendix B1 of the forecasting facts: half-life 60 s, given to four decimals.
    let samples = [
        (0, 10.0),
        (15_000, 12.0),
        (30_000, 11.0),
        (60_000, 15.0),
        (75_000, 14.0),
        (180_000, 18.0),
    ];
    let expected = [10.0, 10.3182, 10.4267, 11.7662, 12.1216, 16.2523];
    for (got, want) in smoothed(&ewma(60), &samples).into_iter().zip(expected) {
        assert!((got - want).abs() < 5e-5, "{got} is not {want}");
    }
}

#[test]
fn without_steps_a_sample_passes_unchanged() {
    assert_eq!(smoothed(&[], &[(0, 1.5), (1, 2.5)]), [1.5, 2.5]);
}

/// Gaps in milliseconds and values.
fn series() -> impl Strategy<Value = Vec<(i64, f64)>> {
    prop::collection::vec((1i64..100_000, 0.0f64..1e6), 1..60).prop_map(|gaps| {
        let mut at = 0;
        gaps.into_iter()
            .map(|(gap, value)| {
                at += gap;
                (at, value)
            })
            .collect()
    })
}

/// Every kind of filter alone and two in a row.
fn settings() -> impl Strategy<Value = Vec<Smoothing>> {
    let ewma =
        (1u64..600).prop_map(|seconds| Smoothing::Ewma { half_life: Duration::from_secs(seconds) });
    prop::collection::vec(ewma, 1..3)
}

proptest! {
    #[test]
    fn constant_in_is_constant_out(settings in settings(), series in series(), value in 0.0f64..1e6) {
        let series: Vec<(i64, f64)> = series.into_iter().map(|(at, _)| (at, value)).collect();
        for got in smoothed(&settings, &series) {
            prop_assert!((got - value).abs() <= value.abs() * 1e-12);
        }
    }

    #[test]
    fn scale_and_shift_pass_through(
        settings in settings(), series in series(), scale in 0.1f64..10.0, shift in 0.0f64..100.0,
    ) {
        let moved: Vec<(i64, f64)> =
            series.iter().map(|(at, value)| (*at, value * scale + shift)).collect();
        let plain = smoothed(&settings, &series);
        for (got, plain) in smoothed(&settings, &moved).into_iter().zip(plain) {
            let want = plain * scale + shift;
            prop_assert!((got - want).abs() <= want.abs() * 1e-9 + 1e-6, "{} is not {}", got, want);
        }
    }

    #[test]
    fn no_value_leaves_the_range_of_what_came_in(settings in settings(), series in series()) {
        let mut low = f64::INFINITY;
        let mut high = f64::NEG_INFINITY;
        for ((_, value), got) in series.iter().zip(smoothed(&settings, &series)) {
            if *value < low { low = *value; }
            if *value > high { high = *value; }
            let slack = high * 1e-12;
            prop_assert!(got >= low - slack && got <= high + slack);
        }
    }

    #[test]
    fn the_beginning_is_forgotten_after_the_backfill(
        settings in settings(), first in 0.0f64..1e6, other in 0.0f64..1e6,
    ) {
        // Two replicas that began at different times agree once they have read the same history.
        let memory = settings.iter().map(Smoothing::memory).sum::<Duration>();
        let step = i64::try_from(memory.as_millis()).unwrap() / 60;
        let tail: Vec<(i64, f64)> = (1..=61).map(|n| (n * step.max(1), 500.0)).collect();
        let with = |first: f64| [&[(0, first)], tail.as_slice()].concat();
        let a = smoothed(&settings, &with(first)).pop().unwrap();
        let b = smoothed(&settings, &with(other)).pop().unwrap();
        // A million times the 2^-30 that is left, with a margin for the grid of 61 steps.
        prop_assert!((a - b).abs() < 2e-3, "{} and {}", a, b);
    }
}
