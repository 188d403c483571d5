//! Laws of the measured startup time, and the cases that people will ask about.

use super::*;
use proptest::prelude::*;

const HOUR: i64 = 3_600;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// Starts one minute apart, all of one kind.
fn starts(kind: StartKind, took: &[u64]) -> Starts {
    let mut starts = Starts::default();
    for (minute, took) in (0..).zip(took) {
        assert!(starts.record(at(minute * 60), seconds(*took), kind));
    }
    starts
}

/// Within the five percent of a bucket.
#[track_caller]
fn check(startup: Startup, expected: u64) {
    let (low, high) = (seconds(expected), seconds(expected).mul_f64(GROWTH));
    assert!(startup.time >= low && startup.time <= high, "{startup:?} for {expected} s");
}

#[test]
fn buckets_reach_from_a_second_to_past_the_longest_lead_time() {
    let ends: Vec<Duration> = ends().collect();
    assert_eq!(ends.len(), BUCKETS);
    assert_eq!(ends.first(), Some(&seconds(1)));
    assert!(ends.last().is_some_and(|it| *it > limits::LEAD_TIME_MAX), "{ends:?}");
}

#[test]
fn before_the_first_start_the_usual_time_is_assumed() {
    let nothing = Starts::default();
    assert_eq!(nothing.startup(&[]), Startup::assumed());
    assert_eq!(nothing.startup(&[seconds(299)]), Startup::assumed());
    // The first pod already takes longer than that.
    let waiting = nothing.startup(&[seconds(600)]);
    assert_eq!(waiting.basis, Basis::Assumed);
    check(waiting, 600);
}

#[test]
fn the_ninetieth_percentile_of_the_starts_is_taken() {
    check(starts(StartKind::Untold, &[60, 62, 61, 60, 61]).startup(&[]), 62);
    let mut ten = vec![30; 19];
    check(starts(StartKind::Untold, &ten).startup(&[]), 30);
    // One in twenty is not yet a tenth, three of them are.
    ten.push(300);
    check(starts(StartKind::Untold, &ten).startup(&[]), 30);
    ten.extend([300, 300]);
    check(starts(StartKind::Untold, &ten).startup(&[]), 300);
}

#[test]
fn quick_pods_are_measured_as_quick_once_a_few_were_seen() {
    check(starts(StartKind::Untold, &[3, 3]).startup(&[]), 60);
    check(starts(StartKind::Untold, &[3, 3, 3]).startup(&[]), 3);
    check(starts(StartKind::Untold, &[0, 0, 0]).startup(&[]), 1);
}

#[test]
fn starts_that_take_too_long_are_bounded_or_no_starts() {
    check(starts(StartKind::Untold, &[3_000, 3_000, 3_000]).startup(&[]), 1_800);
    let mut starts = starts(StartKind::Untold, &[60, 60, 60]);
    assert!(!starts.record(at(HOUR), seconds(3_601), StartKind::Untold));
    assert_eq!(starts.n_starts(), 3);
    check(starts.startup(&[]), 60);
}

#[test]
fn enough_cold_starts_decide_alone() {
    let mut mixed = starts(StartKind::Cached, &[20; 30]);
    for n in 0..4 {
        mixed.record(at(HOUR + n), seconds(200), StartKind::Cold);
    }
    assert!(matches!(mixed.startup(&[]).basis, Basis::Measured { starts: 34, is_cold: false }));
    mixed.record(at(HOUR + 4), seconds(200), StartKind::Cold);
    assert!(matches!(mixed.startup(&[]).basis, Basis::Measured { starts: 35, is_cold: true }));
    check(mixed.startup(&[]), 200);
    // A hundred cached ones later the cold ones are no more than a memory.
    for n in 0..100 {
        mixed.record(at(2 * HOUR + n), seconds(20), StartKind::Cached);
    }
    check(mixed.startup(&[]), 20);
}

#[test]
fn a_changed_startup_time_is_learnt_by_new_starts_and_by_time() {
    let mut busy = starts(StartKind::Untold, &[60; 200]);
    for n in 0..6 {
        busy.record(at(5 * HOUR + n), seconds(180), StartKind::Untold);
    }
    check(busy.startup(&[]), 180);
    for n in 0..110 {
        busy.record(at(6 * HOUR + n), seconds(60), StartKind::Untold);
    }
    check(busy.startup(&[]), 60);

    // A rare target: four starts now outweigh as many of a month ago.
    let mut rare = starts(StartKind::Untold, &[300; 4]);
    for n in 0..4 {
        rare.record(at(30 * 24 * HOUR + n), seconds(60), StartKind::Untold);
    }
    check(rare.startup(&[]), 60);
}

#[test]
fn pods_that_wait_longer_than_usual_raise_the_time_as_far_as_they_are_believed() {
    let dozen = starts(StartKind::Untold, &[60; 12]);
    check(dozen.startup(&[seconds(50); 5]), 60);
    // One of thirteen is within the tenth that may be longer; three of fifteen are not.
    check(dozen.startup(&[seconds(100)]), 60);
    check(dozen.startup(&[seconds(100); 3]), 100);
    check(dozen.startup(&[seconds(3_000); 3]), 185);
    assert!(dozen.startup(&[seconds(100); 3]).is_measured());
    check(starts(StartKind::Untold, &[1_500; 3]).startup(&[seconds(3_000); 3]), 1_800);
}

#[test]
fn years_of_starts_stay_numbers() {
    let mut starts = Starts::default();
    for week in 0..2_000 {
        starts.record(at(week * 7 * 24 * HOUR), seconds(60), StartKind::Cached);
        starts.record(at(week * 7 * 24 * HOUR + 9), seconds(90), StartKind::Cold);
    }
    assert!(starts.newest.is_finite() && starts.cold.total().is_finite());
    check(starts.startup(&[]), 90);
}

fn kinds() -> impl Strategy<Value = StartKind> {
    prop_oneof![Just(StartKind::Cold), Just(StartKind::Cached), Just(StartKind::Untold)]
}

/// Starts in the order in which they ended.
fn histories() -> impl Strategy<Value = Vec<(i64, u64, StartKind)>> {
    let start = (0_i64..30 * 24 * HOUR, 1_u64..3_600, kinds());
    proptest::collection::vec(start, 3..80).prop_map(|mut starts| {
        starts.sort_unstable();
        starts
    })
}

fn recorded(history: &[(i64, u64, StartKind)], later: i64) -> Starts {
    let mut starts = Starts::default();
    for (ready, took, kind) in history {
        starts.record(at(ready + later), seconds(*took), *kind);
    }
    starts
}

proptest! {
    #[test]
    fn the_time_lies_within_the_starts(history in histories()) {
        let time = recorded(&history, 0).startup(&[]).time;
        let took = || history.iter().map(|(_, took, _)| seconds(*took));
        let longest = took().max().unwrap().mul_f64(GROWTH).min(limits::STARTUP_MAX);
        prop_assert!(time >= took().min().unwrap().min(limits::STARTUP_MAX));
        prop_assert!(time <= longest.max(limits::LEAD_TIME_MIN));
    }

    #[test]
    fn when_it_all_happened_does_not_matter(history in histories(), later in 0..9 * 365 * 24 * HOUR) {
        prop_assert_eq!(recorded(&history, 0).startup(&[]), recorded(&history, later).startup(&[]));
    }

    #[test]
    fn waiting_pods_never_lower_the_time_and_more_of_them_never_do(
        history in histories(),
        waiting in proptest::collection::vec(0_u64..7_200, 0..40),
        more in 0_u64..7_200,
    ) {
        let starts = recorded(&history, 0);
        let waiting: Vec<Duration> = waiting.into_iter().map(seconds).collect();
        let longer: Vec<Duration> = waiting.iter().map(|it| *it + seconds(more)).collect();
        let none = starts.startup(&[]).time;
        let some = starts.startup(&waiting).time;
        prop_assert!(some >= none);
        prop_assert!(starts.startup(&longer).time >= some);
    }

    #[test]
    fn starts_of_one_length_are_that_long(took in 1_u64..1_700, kinds in proptest::collection::vec(kinds(), 3..60)) {
        let history: Vec<_> = (0..).zip(kinds).map(|(n, kind)| (n, took, kind)).collect();
        check(recorded(&history, 0).startup(&[]), took);
    }
}
