//! Metrics with one value for the whole target: types Object and External.

use super::Proposal;
use super::pod::Pod;
use super::tolerance::{Tolerances, round_up, round_up_usage};
use crate::simulate::SimulateError;

#[cfg(test)]
pub(super) mod tests;

/// What the arithmetic over a total works on.
#[derive(Debug, Clone, Copy)]
pub struct Total<'a> {
    /// The scale target's `spec.replicas`.
    pub spec_replicas: i32,
    /// The scale target's `status.replicas`.
    pub status_replicas: i32,
    /// The pods that match the selector; only a target of kind Value asks for them.
    pub pods: &'a [Pod],
    /// The band in which nothing changes.
    pub tolerances: Tolerances,
}

impl Total<'_> {
    /// The replica count that brings the total to the target, if load per ready pod stays the same.
    ///
    /// # Errors
    /// When the ratio asks for a change and no pod matches the selector.
    pub fn value(&self, usage_milli: i64, target_milli: i64) -> Result<Proposal, SimulateError> {
        let ratio = usage_milli as f64 / target_milli as f64;
        let proposal = |replicas| Ok(Proposal { replicas, current_usage: usage_milli });
        if self.spec_replicas == 0 {
            return proposal(round_up(ratio));
        }
        if self.tolerances.contain(ratio) {
            return proposal(self.spec_replicas);
        }
        if self.pods.is_empty() {
            return Err(SimulateError::NoPods);
        }
        let ready = self.pods.iter().filter(|pod| pod.is_ready()).count();
        proposal(round_up(ratio * ready as f64))
    }

    /// The replica count that brings the total divided by the replicas to the target.
    #[must_use]
    pub fn average_value(&self, usage_milli: i64, target_milli: i64) -> Proposal {
        let (usage, target) = (usage_milli as f64, target_milli as f64);
        let status_replicas = f64::from(self.status_replicas);
        // Without replicas the ratio is infinite or NaN, and neither is within any tolerance.
        let within = self.tolerances.contain(usage / (target * status_replicas));
        let replicas = if within { self.status_replicas } else { round_up(usage / target) };
        let current_usage = if usage >= i64::MAX as f64 {
            i64::MAX
        } else if self.status_replicas == 0 {
            0
        } else {
            round_up_usage(usage / status_replicas)
        };
        Proposal { replicas, current_usage }
    }
}

/// The sum of an External metric's items under a target of kind Value: capped above, and free to
/// wrap below, as in the controller.
#[must_use]
pub fn sum_for_value(items_milli: &[i64]) -> i64 {
    let mut sum = 0_i64;
    for item in items_milli {
        match sum.checked_add(*item) {
            None if *item > 0 => return i64::MAX,
            None => sum = sum.wrapping_add(*item),
            Some(next) => sum = next,
        }
    }
    sum
}

/// The sum of an External metric's items under a target of kind AverageValue. The controller takes
/// any negative partial sum for an overflow, so a negative item reads as "as much as can be".
#[must_use]
pub fn sum_for_average_value(items_milli: &[i64]) -> i64 {
    let mut sum = 0_i64;
    for item in items_milli {
        sum = sum.wrapping_add(*item);
        if sum < 0 {
            return i64::MAX;
        }
    }
    sum
}
