//! The controller's own cases for an autoscaler without behavior (F1 to F10).

use std::time::Duration;

use super::{limit, stabilize};
use crate::simulate::hpa::Limit;
use crate::simulate::hpa::fixtures::checked;
use crate::simulate::hpa::history::{Recommendation, Recommendations};

#[test]
pub(in crate::simulate::hpa) fn a_recommendation_is_kept_within_its_limits() {
    let cases = [
        ("F1", (5, 7, 3, 8), 7, Limit::DesiredWithinRange),
        ("F2", (3, 1, 2, 8), 2, Limit::TooFewReplicas),
        ("F3", (1, 0, 0, 10), 0, Limit::DesiredWithinRange),
        ("F4", (20, 1_000, 1, 10), 10, Limit::TooManyReplicas),
        ("F5", (3, 1_000, 1, 2_000), 6, Limit::ScaleUpLimit),
        ("F6", (1, 100, 1, 2_000), 4, Limit::ScaleUpLimit),
    ];
    for (number, (current, desired, min, max), replicas, reason) in cases {
        assert_eq!(limit(current, desired, min, max), (replicas, reason), "{number}");
        checked(number);
    }
}

#[test]
pub(in crate::simulate::hpa) fn the_highest_recent_recommendation_counts() {
    let now = Duration::from_secs(12_000);
    let ago = |minutes: u64, replicas| Recommendation {
        at: now - Duration::from_secs(60 * minutes),
        replicas,
    };
    let cases = [
        ("F7", vec![ago(2, 4), ago(1, 5)], 5),
        ("F8", vec![ago(2, 1), ago(1, 2)], 3),
        ("F9", vec![ago(10, 10), ago(9, 9)], 3),
        ("F10", vec![ago(10, 10), ago(1, 4), ago(2, 5), ago(9, 9)], 5),
        ("exactly as old as the window", vec![ago(5, 8)], 8),
    ];
    for (number, entries, expected) in cases {
        let mut log = Recommendations::of(entries);
        let highest = stabilize(&mut log, 3, Duration::from_secs(300), now);
        assert_eq!(highest, expected, "{number}");
        assert!(log.entries().contains(&ago(0, 3)), "{number}: the raw value is logged");
        checked(number);
    }
}

#[test]
fn the_log_does_not_grow() {
    let mut log = Recommendations::default();
    for sync in 0..1_000 {
        stabilize(&mut log, 3, Duration::from_secs(300), Duration::from_secs(15 * sync));
    }
    assert_eq!(log.entries().len(), 21);
}
