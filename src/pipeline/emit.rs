//! From demand to the unit in which a metric is published.

use crate::domain::finite::Finite;
use crate::domain::limits;
use crate::domain::sample::Sample;
use crate::pipeline::capacity::PodCapacity;
use crate::pipeline::facts::{Pods, whole};
use crate::policy::Policy;
use crate::policy::capacity::Emit;

/// How a demand is published.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Emission {
    /// As it is.
    Demand,
    /// As replicas.
    Replicas {
        /// What one pod serves, more than zero.
        capacity: Finite,
        /// How many pods there are; `None` where nobody knows.
        current: Option<u32>,
    },
    /// Not at all: it would be replicas, and it is not known what one pod serves.
    UnknownCapacity,
}

impl Emission {
    /// How the demand of this policy is published now.
    #[must_use]
    pub fn of(policy: &Policy, capacity: Option<PodCapacity>, pods: Option<Pods>) -> Self {
        match (policy.emit, capacity) {
            (Emit::Demand, _) => Self::Demand,
            (Emit::DesiredReplicas, Some(capacity)) => Self::Replicas {
                capacity: capacity.value,
                current: pods.and_then(|it| it.replicas),
            },
            (Emit::DesiredReplicas, None) => Self::UnknownCapacity,
        }
    }

    /// What is published for this demand.
    #[must_use]
    pub fn apply(self, demand: Sample) -> Option<Sample> {
        match self {
            Self::Demand => Some(demand),
            Self::Replicas { capacity, current } => {
                Some(Sample { value: replicas(demand.value, capacity, current)?, ..demand })
            }
            Self::UnknownCapacity => None,
        }
    }

    /// Why nothing is published.
    #[must_use]
    pub fn trouble(self) -> Option<&'static str> {
        match self {
            Self::Demand | Self::Replicas { .. } => None,
            Self::UnknownCapacity => Some(
                "it is not known what one pod serves: the fleet was not saturated for half a \
                 minute yet, and capacity.perPod is left out",
            ),
        }
    }
}

/// The number to publish for an HPA with an AverageValue of 1, so that it wants as many replicas as
/// serve this demand: the demand over the capacity, rounded up.
///
/// With `current` replicas N the HPA keeps them as long as the number is within 10 % of N, so one
/// pod fewer would be out of its reach from ten on. But it rounds up: just above D - 1 means D as
/// well and is almost one pod farther away, so that is what is published where D itself would be
/// overlooked. There is no such way up: the number would have to be above D.
///
/// `None` where that is no number.
#[must_use]
pub fn replicas(demand: Finite, capacity: Finite, current: Option<u32>) -> Option<Finite> {
    let share = demand.get() / capacity.get();
    // What a filter leaves of a rounding error is no reason for one more pod.
    let wanted = Finite::new((share - limits::REPLICA_GRAIN).ceil())?.max(Finite::ZERO);
    let Some(current) = current.map(whole) else { return Some(wanted) };
    let fewer = current.get() - wanted.get();
    let is_overlooked = fewer > 0.0 && fewer <= current.get() * limits::HPA_TOLERANCE_DEFAULT;
    if is_overlooked { Finite::new(wanted.get() - 1.0 + limits::MILLI) } else { Some(wanted) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wanted(demand: f64, capacity: f64, current: Option<u32>) -> Option<f64> {
        replicas(Finite::new(demand)?, Finite::new(capacity)?, current).map(Finite::get)
    }

    #[test]
    fn replicas_are_rounded_up_and_a_step_down_that_would_be_overlooked_is_widened() {
        for (demand, capacity, current, expected) in [
            (0.0, 8.0, None, 0.0),
            (0.1, 8.0, None, 1.0),
            (24.0, 8.0, None, 3.0),
            (24.000_001, 8.0, None, 3.0),
            (24.1, 8.0, None, 4.0),
            (72.0, 8.0, Some(9), 9.0),
            (64.0, 8.0, Some(9), 8.0),
            (72.0, 8.0, Some(10), 8.001),
            (152.0, 8.0, Some(20), 18.001),
            (144.0, 8.0, Some(20), 17.001),
            (136.0, 8.0, Some(20), 17.0),
            (168.0, 8.0, Some(20), 21.0),
            (8.0, 8.0, Some(0), 1.0),
        ] {
            let found = wanted(demand, capacity, current);
            assert_eq!(found, Some(expected), "{demand} of {capacity} with {current:?}");
        }
        assert_eq!(wanted(1e300, 1e-300, None), None, "no number");
    }

    proptest! {
        #[test]
        fn the_hpa_rounds_what_is_published_up_to_what_is_wanted(
            demand in 0.0f64..1e5, capacity in 0.1f64..1e3, current in 0u32..10_000,
        ) {
            let plain = wanted(demand, capacity, None).unwrap();
            let widened = wanted(demand, capacity, Some(current)).unwrap();
            prop_assert!((widened.ceil() - plain).abs() < 1e-9, "{widened} for {plain}");
            prop_assert!(plain * capacity >= demand * (1.0 - 1e-5) - 1e-5 * capacity);
            prop_assert!((plain - 1.0) * capacity <= demand);
        }
    }
}
