//! From what the metrics ask for to what is allowed, for an autoscaler without `behavior`.

use std::time::Duration;

use super::Limit;
use super::history::{Recommendation, Recommendations};

#[cfg(test)]
pub(super) mod tests;

/// Replicas may at most multiply by this in one sync.
const SCALE_UP_FACTOR: i32 = 2;
/// Up to this many replicas are always allowed, so that one pod can become several at once.
const SCALE_UP_MINIMUM: i32 = 4;

/// The highest of the recommendation and all logged ones not older than the window; the raw
/// recommendation is then logged.
pub fn stabilize(
    log: &mut Recommendations,
    recommendation: i32,
    window: Duration,
    now: Duration,
) -> i32 {
    let highest = log.not_older_than(window, now).fold(recommendation, i32::max);
    log.log(Recommendation { at: now, replicas: recommendation }, window);
    highest
}

/// Keeps a recommendation between the minimum and the least of the maximum and what one sync may add.
#[must_use]
pub fn limit(current: i32, stabilized: i32, min: i32, max: i32) -> (i32, Limit) {
    let at_once = current.saturating_mul(SCALE_UP_FACTOR).max(SCALE_UP_MINIMUM);
    let (upper, reason) =
        if max > at_once { (at_once, Limit::ScaleUpLimit) } else { (max, Limit::TooManyReplicas) };
    if stabilized < min {
        (min, Limit::TooFewReplicas)
    } else if stabilized > upper {
        (upper, reason)
    } else {
        (stabilized, Limit::DesiredWithinRange)
    }
}
