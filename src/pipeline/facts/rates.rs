//! The rates of counters that expressions ask for, remembered for each object.

use crate::domain::finite::Finite;
use crate::domain::limits;
use crate::domain::name::ObjectName;
use crate::pipeline::smooth::Chain;
use crate::policy::smoothing::Smoothing;
use crate::policy::{Combine, Policy};
use crate::series::{self, Window};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// The counters of one policy, by signal and object.
#[derive(Clone, Debug, Default)]
pub struct Rates(BTreeMap<usize, BTreeMap<Option<ObjectName>, Counter>>);

#[derive(Clone, Debug)]
struct Counter {
    /// One step: the rate.
    chain: Chain,
    at: Timestamp,
    rate: Option<Finite>,
}

impl Rates {
    /// Takes the newest samples of every counter in use. One that is not newer than the last
    /// changes nothing, so that the rates depend on the samples alone.
    pub fn take(&mut self, policy: &Policy, window: &Window, now: Timestamp) {
        for signal in counters(policy) {
            let Some(track) = window.signals.get(signal) else { continue };
            let counters = self.0.entry(signal).or_default();
            for (object, sample) in &track.samples {
                let counter = match counters.get_mut(object) {
                    Some(it) if it.at >= sample.at => continue,
                    Some(it) => it,
                    None => {
                        let chain = Chain::new(&[Smoothing::automatic_rate(policy.interval)]);
                        let new = Counter { chain, at: sample.at, rate: None };
                        counters.entry(object.clone()).or_insert(new)
                    }
                };
                counter.at = sample.at;
                counter.rate = counter.chain.step(*sample).map(|it| it.value);
            }
            // One that was not seen for longer begins anew in any case.
            let remembered = limits::RATE_STALE.max(policy.interval * limits::RATE_INTERVALS_MIN);
            let oldest = now.checked_sub(remembered).unwrap_or(Timestamp::MIN);
            counters.retain(|_, it| it.at >= oldest);
            series::evict_oldest(counters, |it| it.at);
        }
    }

    /// The rate of a counter per second, once there were two samples.
    #[must_use]
    pub fn of(&self, signal: usize, object: &Option<ObjectName>) -> Option<Finite> {
        self.0.get(&signal)?.get(object)?.rate
    }
}

/// The counters whose rates the expressions of a policy ask for.
fn counters(policy: &Policy) -> BTreeSet<usize> {
    let combine = match &policy.combine {
        Combine::Only => None,
        Combine::Expression(expression) => Some(expression.used()),
    };
    let learn = policy.capacity.learn.as_ref().map(|it| [it.saturated.used(), it.load.used()]);
    let all = combine.into_iter().chain(learn.into_iter().flatten());
    all.flat_map(|it| it.counters.iter().copied()).collect()
}
