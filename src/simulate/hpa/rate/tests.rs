//! The controller's own cases for an autoscaler with behavior (H and I).

use std::time::Duration;

use super::{Windows, limit_down, limit_up, stabilize};
use crate::simulate::hpa::behavior::{Behavior, ScalingPolicy, ScalingRules, SelectPolicy};
use crate::simulate::hpa::fixtures::checked;
use crate::simulate::hpa::history::{Recommendation, Recommendations, ScaleEvent, ScaleEvents};

const NOW: Duration = Duration::from_secs(12_000);
const PERIOD: Duration = Duration::from_secs(60);

fn ago(minutes: u64, replicas: i32) -> Recommendation {
    Recommendation { at: NOW - Duration::from_secs(60 * minutes), replicas }
}

#[test]
pub(in crate::simulate::hpa) fn a_count_moves_only_as_far_as_the_window_agrees() {
    let h1 = vec![ago(2, 4), ago(1, 5)];
    let h6 = vec![ago(100, 10), ago(1, 6), ago(2, 5), ago(3, 9)];
    let cases = [
        ("H1", (100, 3), h1.clone(), (0, 180), 5),
        ("H2", (1, 7), h1.clone(), (300, 0), 4),
        ("H3", (100, 3), vec![ago(2, 1), ago(1, 2)], (0, 180), 3),
        ("H4", (1, 3), h1, (0, 300), 3),
        ("H5", (100, 3), vec![ago(10, 10), ago(9, 9)], (0, 300), 3),
        ("H6", (1, 100), h6, (300, 0), 5),
        ("H7", (2, 1), vec![ago(100, 2), ago(3, 3)], (300, 300), 2),
        ("H8", (2, 3), vec![ago(100, 2), ago(3, 1)], (300, 300), 2),
        ("exactly as old as the window", (9, 3), vec![ago(5, 9)], (0, 300), 3),
    ];
    for (number, (current, desired), entries, (up, down), expected) in cases {
        let windows = Windows { up: Duration::from_secs(up), down: Duration::from_secs(down) };
        let mut log = Recommendations::of(entries);
        assert_eq!(stabilize(&mut log, current, desired, windows, NOW), expected, "{number}");
        assert!(log.entries().contains(&ago(0, desired)), "{number}");
        checked(number);
    }
}

fn pods(value: i32) -> ScalingPolicy {
    ScalingPolicy::pods(value, PERIOD)
}

fn percent(value: i32) -> ScalingPolicy {
    ScalingPolicy::percent(value, PERIOD)
}

fn rules(select_policy: SelectPolicy, policies: &[ScalingPolicy]) -> ScalingRules {
    let policies = policies.to_vec();
    ScalingRules { stabilization_window: None, select_policy, policies, tolerance: None }
}

fn events(up: &[i32], down: &[i32]) -> ScaleEvents {
    let inside = |changes: &[i32]| {
        changes.iter().map(|change| ScaleEvent { at: NOW - PERIOD / 2, change: *change }).collect()
    };
    ScaleEvents { up: inside(up), down: inside(down) }
}

#[test]
pub(in crate::simulate::hpa) fn a_rise_is_kept_within_its_policies() {
    use SelectPolicy::{Disabled, Max, Min};
    let none = events(&[], &[]);
    let fifteen = events(&[1, 5, 9], &[]);
    let mixed = events(&[4], &[2]);
    let slow = ScalingPolicy::pods(5, 2 * PERIOD);
    let cases = [
        ("I1", (10, 50, 1_000), Behavior::default().scale_up, &none, 20),
        ("I2", (10, 500, 1_000), rules(Max, &[pods(100), percent(100)]), &none, 110),
        ("I3", (10, 500, 1_000), rules(Max, &[pods(2), percent(100)]), &none, 20),
        ("I4", (10, 500, 1_000), rules(Max, &[pods(30)]), &none, 40),
        ("I5", (10, 500, 1_000), rules(Max, &[percent(200)]), &none, 30),
        ("I6", (3, 1_000, 1_000), rules(Max, &[percent(1)]), &none, 4),
        ("I7", (1, 100, 1_000), rules(Min, &[pods(2), percent(50)]), &none, 2),
        ("I15", (100, 500, 200), rules(Max, &[pods(300)]), &fifteen, 200),
        ("I16", (100, 500, 1_000), rules(Max, &[slow]), &fifteen, 100),
        ("I17", (100, 500, 1_000), rules(Max, &[pods(150)]), &fifteen, 235),
        ("I18", (100, 500, 1_000), rules(Max, &[percent(200)]), &fifteen, 255),
        ("I19", (6, 24, 1_000), rules(Max, &[percent(300)]), &mixed, 16),
        ("I24", (10, 500, 1_000), rules(Disabled, &[pods(30)]), &none, 10),
    ];
    for (number, (current, desired, max), rules, events, replicas) in cases {
        let limited = limit_up(current, desired, max, &rules, events, NOW);
        assert_eq!(limited.0, replicas, "{number}");
        checked(number);
    }
}

#[test]
pub(in crate::simulate::hpa) fn a_fall_is_kept_within_its_policies() {
    use SelectPolicy::{Disabled, Max, Min};
    let none = events(&[], &[]);
    let cases = [
        ("I8", (100, 50, 1), rules(Max, &[pods(100)]), none.clone(), 50),
        ("I9", (100, 2, 1), rules(Max, &[pods(20), percent(1)]), none.clone(), 80),
        ("I10", (100, 2, 1), rules(Max, &[pods(2), percent(1)]), none.clone(), 98),
        ("I11", (10, 0, 1), rules(Max, &[pods(100)]), none.clone(), 1),
        ("I12", (10, 2, 5), rules(Max, &[percent(100)]), none.clone(), 5),
        ("I13", (10, 2, 1), rules(Max, &[pods(5)]), none.clone(), 5),
        ("I14", (5, 1, 1), rules(Min, &[pods(2), percent(50)]), none.clone(), 3),
        ("I20", (100, 2, 1), rules(Max, &[pods(5)]), events(&[], &[1, 5, 9]), 100),
        ("I21", (100, 0, 1), rules(Max, &[percent(50)]), events(&[], &[2, 4, 6]), 56),
        ("I22", (10, 1, 1), rules(Max, &[percent(50)]), events(&[2], &[4]), 6),
        ("I23", (100, 0, 1), rules(Max, &[percent(10)]), events(&[], &[10, 10, 10]), 100),
        ("148.5 is cut to 148", (150, 2, 1), rules(Max, &[percent(1)]), none.clone(), 148),
        ("I24", (10, 1, 1), rules(Disabled, &[pods(5)]), none, 10),
    ];
    for (number, (current, desired, min), rules, events, replicas) in cases {
        let limited = limit_down(current, desired, min, &rules, &events, NOW);
        assert_eq!(limited.0, replicas, "{number}");
        checked(number);
    }
}

#[test]
fn an_event_as_old_as_the_period_no_longer_counts() {
    let rules = rules(SelectPolicy::Max, &[pods(5)]);
    let event =
        |age| ScaleEvents { up: vec![ScaleEvent { at: NOW - age, change: 5 }], down: vec![] };
    assert_eq!(limit_up(10, 50, 100, &rules, &event(PERIOD), NOW).0, 15);
    let younger = PERIOD - Duration::from_millis(1);
    assert_eq!(limit_up(10, 50, 100, &rules, &event(younger), NOW).0, 10);
}
