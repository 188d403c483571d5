//! The wall-clock grid on which policies are evaluated, so that all replicas evaluate at the same
//! instants and ask their sources for the same ones.

use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// The instants that are whole multiples of an interval since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    millis: i64,
}

impl Grid {
    /// A grid of this interval, which is at least a millisecond.
    #[must_use]
    pub fn new(interval: Duration) -> Self {
        Self { millis: i64::try_from(interval.as_millis()).unwrap_or(i64::MAX).max(1) }
    }

    /// The newest instant that is not after `now`.
    #[must_use]
    pub fn at_or_before(self, now: Timestamp) -> Timestamp {
        let now = now.as_millisecond();
        Timestamp::from_millisecond(now - now.rem_euclid(self.millis)).unwrap_or(Timestamp::MIN)
    }

    /// The oldest instant that is after `now`.
    #[must_use]
    pub fn after(self, now: Timestamp) -> Timestamp {
        let step = SignedDuration::from_millis(self.millis);
        self.at_or_before(now).checked_add(step).unwrap_or(Timestamp::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_replica_finds_the_same_instants() {
        let grid = Grid::new(Duration::from_secs(15));
        for (now, before, after) in [(0, 0, 15), (14, 0, 15), (15, 15, 30), (29, 15, 30)] {
            let at = |second| Timestamp::from_second(second).unwrap();
            assert_eq!(grid.at_or_before(at(now)), at(before), "{now}");
            assert_eq!(grid.after(at(now)), at(after), "{now}");
        }
    }

    proptest! {
        #[test]
        fn now_lies_between_two_neighbours(now in 0i64..4_000_000_000_000, interval in 1u64..4_000_000) {
            let grid = Grid::new(Duration::from_millis(interval));
            let now = Timestamp::from_millisecond(now).unwrap();
            let (before, after) = (grid.at_or_before(now), grid.after(now));
            prop_assert!(before <= now && now < after);
            prop_assert_eq!(grid.at_or_before(after), after);
            prop_assert_eq!(after.as_millisecond() - before.as_millisecond(), interval as i64);
        }
    }
}
