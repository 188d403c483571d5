//! When a read is tried a second time: after a failure that a moment may mend, and only while
//! failures are few, so that a source in trouble is not asked twice as much.

use crate::domain::limits;
use crate::source::ReadError;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How many second tries are left.
#[derive(Debug)]
pub struct RetryBudget {
    /// In hundredths of a try.
    left: Mutex<u32>,
    jitter: RandomState,
}

/// One try.
const TRY: u32 = 100;

impl Default for RetryBudget {
    fn default() -> Self {
        Self { left: Mutex::new(limits::RETRIES_MAX * TRY), jitter: RandomState::new() }
    }
}

impl RetryBudget {
    /// Each read that succeeds earns a share of a second try.
    pub fn earn(&self) {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        *left = left.saturating_add(limits::RETRY_PERCENT).min(limits::RETRIES_MAX * TRY);
    }

    /// How long to wait before a second try after `error`; `None` when there is to be none.
    #[must_use]
    pub fn spend(&self, error: &ReadError) -> Option<Duration> {
        if !is_passing(error) {
            return None;
        }
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        *left = left.checked_sub(TRY)?;
        // Any number will do that replicas and reads do not share.
        let number = self.jitter.hash_one(*left);
        let millis = u64::try_from(limits::RETRY_WAIT.as_millis()).unwrap_or_default().max(1);
        Some(limits::RETRY_WAIT / 2 + Duration::from_millis(number % millis))
    }
}

/// Whether a moment may mend it. What took its whole deadline has had its time.
fn is_passing(error: &ReadError) -> bool {
    match error {
        ReadError::Unreachable(_) => true,
        ReadError::Refused { status, .. } => matches!(status, 429 | 502 | 503 | 504),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_moment_may_mend_is_tried_again_as_long_as_failures_are_few() {
        let budget = RetryBudget::default();
        let away = ReadError::Unreachable("connection reset".to_owned());
        for _ in 0..limits::RETRIES_MAX {
            let wait = budget.spend(&away).unwrap();
            assert!(wait >= limits::RETRY_WAIT / 2 && wait < limits::RETRY_WAIT * 3 / 2);
        }
        assert_eq!(budget.spend(&away), None);
        for _ in 0..TRY.div_ceil(limits::RETRY_PERCENT) {
            assert_eq!(budget.spend(&away), None);
            budget.earn();
        }
        assert!(budget.spend(&away).is_some());
        assert_eq!(budget.spend(&away), None);
    }

    #[test]
    fn an_answer_is_not_asked_for_again() {
        let budget = RetryBudget::default();
        let refused = |status| ReadError::Refused { status, message: String::new() };
        for (error, is_tried) in [
            (refused(400), false),
            (refused(401), false),
            (refused(422), false),
            (refused(429), true),
            (refused(500), false),
            (refused(503), true),
            (ReadError::TimedOut(Duration::from_secs(5)), false),
            (ReadError::Empty(String::new()), false),
            (ReadError::WrongKind, false),
        ] {
            assert_eq!(budget.spend(&error).is_some(), is_tried, "{error}");
        }
    }
}
