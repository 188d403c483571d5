//! From what the metrics ask for to what is allowed, for an autoscaler with `behavior`.

use std::time::Duration;

use super::Limit;
use super::behavior::{PolicyUnit, ScalingRules, SelectPolicy};
use super::history::{Recommendation, Recommendations, ScaleEvents};
use super::tolerance::{round_up, truncate};

#[cfg(test)]
pub(super) mod tests;

/// How far back recommendations count, per direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    /// For scaling up: the lowest recommendation of this window.
    pub up: Duration,
    /// For scaling down: the highest recommendation of this window.
    pub down: Duration,
}

/// Moves the current count only as far as all recommendations of the window agree; the raw
/// recommendation is then logged.
pub fn stabilize(
    log: &mut Recommendations,
    current: i32,
    recommendation: i32,
    windows: Windows,
    now: Duration,
) -> i32 {
    let lowest = log.younger_than(windows.up, now).fold(recommendation, i32::min);
    let highest = log.younger_than(windows.down, now).fold(recommendation, i32::max);
    let entry = Recommendation { at: now, replicas: recommendation };
    log.log(entry, windows.up.max(windows.down));
    current.max(lowest).min(highest)
}

/// Keeps a rise within the maximum and the rate policies.
#[must_use]
pub fn limit_up(
    current: i32,
    desired: i32,
    max: i32,
    rules: &ScalingRules,
    events: &ScaleEvents,
    now: Duration,
) -> (i32, Limit) {
    let allowed = |unit, value, start: i32| match unit {
        PolicyUnit::Pods => start.saturating_add(value),
        PolicyUnit::Percent => round_up(f64::from(start) * (1.0 + f64::from(value) / 100.0)),
    };
    let counts = rules.policies.iter().map(|policy| {
        let start = events.replicas_before(policy.period, current, now);
        allowed(policy.unit, policy.value, start)
    });
    let fastest = match rules.select_policy {
        SelectPolicy::Max => counts.max(),
        SelectPolicy::Min => counts.min(),
        SelectPolicy::Disabled => None,
    };
    let fastest = fastest.unwrap_or(current).max(current);
    let (upper, reason) =
        if max > fastest { (fastest, Limit::ScaleUpLimit) } else { (max, Limit::TooManyReplicas) };
    if desired > upper { (upper, reason) } else { (desired, Limit::DesiredWithinRange) }
}

/// Keeps a fall within the minimum and the rate policies.
#[must_use]
pub fn limit_down(
    current: i32,
    desired: i32,
    min: i32,
    rules: &ScalingRules,
    events: &ScaleEvents,
    now: Duration,
) -> (i32, Limit) {
    let allowed = |unit, value, start: i32| match unit {
        PolicyUnit::Pods => start.saturating_sub(value),
        PolicyUnit::Percent => truncate(f64::from(start) * (1.0 - f64::from(value) / 100.0)),
    };
    let counts = rules.policies.iter().map(|policy| {
        let start = events.replicas_before(policy.period, current, now);
        allowed(policy.unit, policy.value, start)
    });
    let fastest = match rules.select_policy {
        SelectPolicy::Max => counts.min(),
        SelectPolicy::Min => counts.max(),
        SelectPolicy::Disabled => None,
    };
    let fastest = fastest.unwrap_or(current).min(current);
    let (lower, reason) =
        if min < fastest { (fastest, Limit::ScaleDownLimit) } else { (min, Limit::TooFewReplicas) };
    if desired < lower { (lower, reason) } else { (desired, Limit::DesiredWithinRange) }
}
