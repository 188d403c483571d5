//! From samples to a value worth publishing: combine → smooth → guard, one policy at a time.
//!
//! In come a policy, what is known about its signals, and what was remembered from the last run;
//! out comes an `Outcome`. Total: whatever is wrong becomes an absence with its reason. Never
//! does I/O and never asks the time, so that the simulator runs the very same code.

pub mod combine;
pub mod guard;
pub mod outcome;
pub mod smooth;

use crate::domain::name::ObjectName;
use crate::domain::sample::Sample;
use crate::pipeline::outcome::{Absence, Outcome, Value};
use crate::pipeline::smooth::Chain;
use crate::policy::Policy;
use crate::series::Window;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// What a policy remembers between runs: for each object its smoothing and its newest good
/// sample.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    objects: BTreeMap<Option<ObjectName>, Remembered>,
    last: Option<Timestamp>,
}

#[derive(Clone, Debug)]
struct Remembered {
    chain: Chain,
    smoothed: Sample,
}

/// Evaluates `policy` at `now`.
pub fn run(policy: &Policy, window: &Window, memory: &mut Memory, now: Timestamp) -> Outcome {
    let combined = combine::all(policy, window);
    for (object, sample) in &combined.samples {
        memory.take(policy, object, *sample);
    }
    memory.forget(|it| guard::is_servable(&policy.guard, it.at, now));
    let values: Vec<(Option<ObjectName>, Value)> = memory
        .objects
        .iter()
        .map(|(object, it)| (object.clone(), guard::apply(&policy.guard, it.smoothed, now)))
        .collect();
    let nothing = || values.is_empty().then(|| "no signal has a sample".to_owned());
    let why = combined.trouble.or_else(nothing);
    let absent = why.map(|why| Absence { last: memory.last, why });
    Outcome { values, absent }
}

impl Memory {
    /// Whether nothing was ever evaluated: history would help.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.last.is_none()
    }

    /// Smooths one combined sample. One that is not newer than the last changes nothing.
    pub fn take(&mut self, policy: &Policy, object: &Option<ObjectName>, sample: Sample) {
        self.last = self.last.max(Some(sample.at));
        match self.objects.get_mut(object) {
            Some(it) if it.smoothed.at >= sample.at => {}
            Some(it) => it.smoothed = it.chain.step(sample),
            None => {
                let mut chain = Chain::new(&policy.smooth);
                let smoothed = chain.step(sample);
                self.objects.insert(object.clone(), Remembered { chain, smoothed });
            }
        }
    }

    fn forget(&mut self, is_servable: impl Fn(&Sample) -> bool) {
        self.objects.retain(|_, it| is_servable(&it.smoothed));
    }
}

#[cfg(test)]
mod tests;
