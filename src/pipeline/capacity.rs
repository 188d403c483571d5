//! What one pod serves: learned from the fleet, given, or told by the HPA.

use crate::domain::finite::Finite;
use crate::domain::hpa::MetricTarget;
use crate::domain::limits;
use crate::domain::supply::LearnedCapacity;
use crate::pipeline::Surroundings;
use crate::pipeline::facts::Facts;
use crate::policy::Policy;
use crate::policy::capacity::{Capacity, Emit, Learn};
use jiff::Timestamp;
use std::collections::VecDeque;

/// What one pod serves when it is full, in the unit of the combined signals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PodCapacity {
    /// So much.
    pub value: Finite,
    /// How that is known.
    pub origin: Origin,
}

/// How a capacity is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The policy says so.
    Given,
    /// The fleet did so much while it was saturated.
    Learned {
        /// How many samples that is the median of.
        samples: usize,
    },
    /// An HPA that uses the metric has this AverageValue.
    Hpa,
}

/// What one pod serves. What was learned, as all replicas agreed or else here, counts for more
/// than what the policy says, which is there until something is learned; the HPA's target counts where the policy says nothing, but tells
/// nothing of a pod where the metric counts replicas.
#[must_use]
pub fn of(policy: &Policy, learned: &Learned, surroundings: &Surroundings) -> Option<PodCapacity> {
    let Capacity { per_pod, learn } = &policy.capacity;
    let agreed = surroundings.supply.as_ref().and_then(|it| it.agreed.capacity);
    let learned = learn.as_ref().and_then(|_| agreed.or_else(|| learned.capacity()));
    let learned = learned.map(|it| PodCapacity {
        value: it.per_pod,
        origin: Origin::Learned { samples: it.samples },
    });
    let given = per_pod.map(|value| PodCapacity { value, origin: Origin::Given });
    learned.or(given).or_else(|| match policy.emit {
        Emit::Demand => of_hpas(surroundings),
        Emit::DesiredReplicas => None,
    })
}

/// The smallest AverageValue: it asks for the most pods.
fn of_hpas(surroundings: &Surroundings) -> Option<PodCapacity> {
    let hpas = surroundings.supply.as_ref()?.hpas.as_ref()?;
    let targets = hpas.iter().filter_map(|it| match it.target {
        MetricTarget::AverageValue(value) => Some(value),
        MetricTarget::Value(_) => None,
    });
    let value = targets.filter(|it| *it > Finite::ZERO).min()?;
    Some(PodCapacity { value, origin: Origin::Hpa })
}

/// What the saturated fleet did per ready pod.
///
/// While the policy's condition holds and the same number of pods is ready, the mean load of each
/// `limits::SATURATED_FOR` divided by the ready pods is a sample, and the median of the last
/// `limits::CAPACITY_SAMPLES` is the capacity. A pod that becomes ready meanwhile begins empty, so
/// the time begins anew.
#[derive(Clone, Debug, Default)]
pub struct Learned {
    samples: VecDeque<Finite>,
    stretch: Option<Stretch>,
}

/// For how long the fleet has been saturated.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    begun: Timestamp,
    last: Timestamp,
    ready: u32,
    /// The sum of the loads that were read, and how many they are.
    loads: f64,
    count: f64,
}

impl Learned {
    /// Takes what is known now.
    pub fn observe(&mut self, facts: &Facts<'_>) {
        let Some(learn) = &facts.policy.capacity.learn else { return };
        let (Some((load, at)), Some(ready)) =
            (saturated_load(learn, facts), facts.pods.map(|it| it.ready).filter(|it| *it > 0))
        else {
            self.stretch = None;
            return;
        };
        let begun = Stretch { begun: at, last: at, ready, loads: load.get(), count: 1.0 };
        let stretch = match self.stretch {
            Some(it) if at <= it.last => return,
            Some(it) if it.ready == ready && is_within(it.last, at, facts.policy) => {
                Stretch { last: at, loads: it.loads + load.get(), count: it.count + 1.0, ..it }
            }
            Some(_) | None => begun,
        };
        self.stretch = Some(stretch);
        if at.duration_since(stretch.begun)
            < jiff::SignedDuration::try_from(limits::SATURATED_FOR).unwrap_or_default()
        {
            return;
        }
        self.stretch = Some(begun);
        let sample = Finite::new(stretch.loads / stretch.count / f64::from(ready));
        if let Some(sample) = sample.filter(|it| *it > Finite::ZERO) {
            self.samples.push_back(sample);
            if self.samples.len() > limits::CAPACITY_SAMPLES {
                self.samples.pop_front();
            }
        }
    }

    /// The samples without the stretch under way, for a memory that begins anew.
    #[must_use]
    pub fn settled(self) -> Self {
        Self { stretch: None, ..self }
    }

    /// What was learned here; `None` while that is nothing.
    #[must_use]
    pub fn capacity(&self) -> Option<LearnedCapacity> {
        let per_pod = self.median()?;
        Some(LearnedCapacity { per_pod, samples: self.samples.len() })
    }

    fn median(&self) -> Option<Finite> {
        let mut sorted: Vec<Finite> = self.samples.iter().copied().collect();
        sorted.sort_unstable();
        let low = sorted.get(sorted.len().checked_sub(1)? / 2)?;
        let high = sorted.get(sorted.len() / 2)?;
        Finite::new(low.get() / 2.0 + high.get() / 2.0)
    }
}

/// What the fleet does, if it is saturated, and when that was true.
fn saturated_load(learn: &Learn, facts: &Facts<'_>) -> Option<(Finite, Timestamp)> {
    let (inputs, seen) = facts.inputs(learn.saturated.used(), &None).ok()?;
    if learn.saturated.holds(&inputs) != Some(true) {
        return None;
    }
    let (inputs, at) = facts.inputs(learn.load.used(), &None).ok()?;
    Some((learn.load.evaluate(&inputs)?, at.min(seen)))
}

/// Whether nothing can have happened unseen between two samples.
fn is_within(last: Timestamp, at: Timestamp, policy: &Policy) -> bool {
    last.checked_add(policy.guard.max_age).is_ok_and(|it| at <= it)
}
