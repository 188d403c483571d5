//! The controller's own cases by number: how many there are, and that each of them is checked.

use std::cell::RefCell;
use std::collections::BTreeSet;

use super::{normalize, per_pod, rate, tests, total};

/// The tables of cases by their letter, and the number of the last case of each.
const TABLES: [(char, usize); 9] = [
    ('A', 19),
    ('B', 6),
    ('C', 8),
    ('D', 10),
    ('E', 11),
    ('F', 11),
    ('G', 10),
    ('H', 8),
    ('I', 24),
];

thread_local! {
    static CHECKED: RefCell<BTreeSet<&'static str>> = const { RefCell::new(BTreeSet::new()) };
}

/// To be called when a case has come out as it should. Rows of our own have names, not numbers.
pub(super) fn checked(number: &'static str) {
    CHECKED.with_borrow_mut(|checked| checked.insert(number));
}

#[test]
fn every_case_of_the_controller_is_checked_by_its_number() {
    per_pod::tests::cpu_utilization_gives_the_controllers_counts();
    per_pod::tests::a19_cpu_without_values_pods_or_requests_has_no_proposal();
    per_pod::tests::the_tolerance_is_per_direction();
    per_pod::tests::a_pods_metric_gives_the_controllers_counts();
    total::tests::a_value_target_gives_the_controllers_counts();
    total::tests::an_average_value_target_gives_the_controllers_counts();
    normalize::tests::a_recommendation_is_kept_within_its_limits();
    normalize::tests::the_highest_recent_recommendation_counts();
    rate::tests::a_count_moves_only_as_far_as_the_window_agrees();
    rate::tests::a_rise_is_kept_within_its_policies();
    rate::tests::a_fall_is_kept_within_its_policies();
    tests::f11_the_first_sync_ever_does_not_scale_down();
    tests::the_replica_limits_hold_end_to_end();
    tests::counts_outside_the_limits_are_set_without_reading_metrics();
    tests::what_failed_is_told_in_both_cases();
    tests::g7_g8_a_workload_at_zero_wakes_only_if_the_controller_put_it_there();

    let numbers = |(letter, last)| (1..=last).map(move |number| format!("{letter}{number}"));
    let all: BTreeSet<String> = TABLES.into_iter().flat_map(numbers).collect();
    let is_number = |name: &str| {
        let digits = name.trim_start_matches(|first: char| first.is_ascii_uppercase());
        digits.len() + 1 == name.len() && digits.parse::<usize>().is_ok()
    };
    let checked: BTreeSet<String> = CHECKED.with_borrow(|checked| {
        checked.iter().filter(|name| is_number(name)).map(|&name| name.to_owned()).collect()
    });
    let missing: Vec<_> = all.difference(&checked).collect();
    let unknown: Vec<_> = checked.difference(&all).collect();
    assert!(missing.is_empty() && unknown.is_empty(), "missing {missing:?}, unknown {unknown:?}");
    assert_eq!(all.len(), 107);
}
