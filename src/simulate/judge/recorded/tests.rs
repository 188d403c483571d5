//! Demand read from small recordings, and what superposed ones must keep.

use std::time::Duration;

use proptest::prelude::*;

use super::{Offered, Request, Sampling, arriving, on_grid, superpose};

const STEP: Duration = Duration::from_secs(15);

fn requests(times: &[(f64, f64)]) -> Vec<Request> {
    times.iter().map(|&(arrival, service)| Request { arrival, service }).collect()
}

#[test]
fn samples_are_joined_by_lines_and_long_gaps_hold_the_value_before() {
    let minute = Duration::from_secs(60);
    // Out of order, twice at 60, not a number at 90, and nothing between 120 and 240.
    let samples =
        [(60.0, 9.0), (0.0, 0.0), (60.0, 4.0), (90.0, f64::NAN), (240.0, 8.0), (120.0, 4.0)];
    let gridded = on_grid(&samples, Duration::from_secs(30), minute).unwrap();
    assert_eq!(gridded.values, [0.0, 2.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 8.0]);
    assert_eq!((gridded.start, gridded.held), (0.0, 3));

    // The grid begins at the first sample and ends before the last, if it does not hit it.
    let gridded = on_grid(&[(7.0, 1.0), (27.0, 5.0)], STEP, minute).unwrap();
    assert_eq!((gridded.start, gridded.values), (7.0, vec![1.0, 4.0]));
    assert_eq!(on_grid(&[(7.0, 1.0)], STEP, minute).unwrap().values, [1.0]);
    for samples in [&[][..], &[(0.0, f64::NAN)], &[(f64::INFINITY, 1.0)]] {
        assert_eq!(on_grid(samples, STEP, minute), None);
    }
    assert_eq!(on_grid(&[(7.0, 1.0)], Duration::ZERO, minute), None);
}

#[test]
fn offered_load_is_what_would_be_in_service_without_limits() {
    let requests = requests(&[(0.0, 15.0), (5.0, 30.0), (15.0, 1.5), (44.0, 2.0), (60.0, 1.0)]);
    let offered = Offered::of(&requests, STEP, 4).unwrap();
    // Seconds in service per step: 15 + 10, 15 + 1.5, 5 + 1, 1. One ends as another comes at 15.
    let expected = [25.0, 16.5, 6.0, 1.0].map(|seconds| seconds / 15.0);
    for (mean, expected) in offered.mean.iter().zip(expected) {
        assert!((mean - expected).abs() < 1e-9, "{mean} instead of {expected}");
    }
    assert_eq!(offered.peak, [2, 2, 1, 1]);

    let work = arriving(&requests, STEP, 4);
    assert_eq!(work, [45.0 / 15.0, 1.5 / 15.0, 2.0 / 15.0, 0.0]);
}

#[test]
fn bad_requests_are_refused() {
    for times in [
        &[(1.0, 1.0), (0.5, 1.0)][..],
        &[(f64::NAN, 1.0)],
        &[(0.0, f64::INFINITY)],
        &[(0.0, -1.0)],
        &[(-1.0, 1.0)],
    ] {
        assert!(Offered::of(&requests(times), STEP, 1).is_err(), "{times:?}");
    }
}

#[test]
fn a_signal_is_known_as_late_and_as_often_as_it_is_sampled() {
    let per_step = [1.0, 3.0, 5.0, 7.0, 9.0, 11.0];
    let known = |window, interval, delay| Sampling { window, interval, delay }.of(&per_step);
    let some = |values: [f64; 4]| values.map(Some).to_vec();
    assert_eq!(known(2, 1, 0)[..2], [None, Some(1.0)]);
    assert_eq!(known(2, 1, 0)[2..], some([2.0, 4.0, 6.0, 8.0]));
    assert_eq!(known(2, 2, 0)[2..], some([2.0, 2.0, 6.0, 6.0]));
    assert_eq!(known(1, 2, 1), [None, None, Some(1.0), Some(1.0), Some(5.0), Some(5.0)]);
    assert_eq!(known(0, 0, 5), [None, None, None, None, None, None]);
}

proptest! {
    #[test]
    fn superposed_copies_keep_every_request_and_move_it_by_the_jitter(
        times in prop::collection::vec((0.0..500.0_f64, 0.0..60.0_f64), 0..30),
        copies in 0..5_u32,
        seed in any::<u64>(),
    ) {
        let mut trace = requests(&times);
        trace.sort_by(|a, b| a.arrival.total_cmp(&b.arrival));
        let many = superpose(&trace, copies, Duration::from_secs(300), seed);
        prop_assert_eq!(many.len(), trace.len() * usize::try_from(copies).unwrap());
        prop_assert!(super::check(&many).is_ok());
        let services = |requests: &[Request]| -> f64 { requests.iter().map(|it| it.service).sum() };
        prop_assert!((services(&many) - services(&trace) * f64::from(copies)).abs() < 1e-6);
        prop_assert_eq!(&many, &superpose(&trace, copies, Duration::from_secs(300), seed));
        // Without jitter a copy is the trace itself.
        prop_assert_eq!(superpose(&trace, 1, Duration::ZERO, seed).len(), trace.len());
    }

    #[test]
    fn the_mean_offered_load_adds_up_to_the_work(
        times in prop::collection::vec((0.0..500.0_f64, 0.0..60.0_f64), 0..60),
    ) {
        let mut trace = requests(&times);
        trace.sort_by(|a, b| a.arrival.total_cmp(&b.arrival));
        let offered = Offered::of(&trace, STEP, 40).unwrap();
        let work: f64 = trace.iter().map(|it| it.service).sum();
        let seconds: f64 = offered.mean.iter().map(|mean| mean * 15.0).sum();
        prop_assert!((seconds - work).abs() < 1e-6, "{seconds} of {work}");
        let below = |(mean, peak): (&f64, &u32)| *mean <= f64::from(*peak) + 1e-9;
        prop_assert!(offered.mean.iter().zip(&offered.peak).all(below));
    }
}

#[test]
fn jitter_has_its_standard_deviation() {
    let trace = requests(&[(1e6, 1.0)]);
    let many = superpose(&trace, 20_000, Duration::from_secs(300), 5);
    let squares: f64 = many.iter().map(|it| (it.arrival - 1e6).powi(2)).sum();
    let deviation = (squares / 20_000.0).sqrt();
    // Within four standard errors, which are 300 / sqrt(40,000).
    assert!((deviation - 300.0).abs() < 6.0, "{deviation}");
}
