//! Everything that the tick owns: samples, memories and the snapshot under construction. No I/O
//! and no clock, so that a test and a benchmark can turn it by hand.

use crate::domain::name::{ObjectName, PolicyKey};
use crate::domain::sample::Sample;
use crate::pipeline::{self, Memory, outcome::Outcome};
use crate::policy::{Config, Policy, Smoothing};
use crate::published::{Entry, Published, Snapshot, State};
use crate::series::Store;
use crate::source::Samples;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// The state of all policies between evaluations.
#[derive(Debug, Default)]
pub struct Evaluation {
    policies: BTreeMap<PolicyKey, Arc<Policy>>,
    store: Store,
    memories: HashMap<PolicyKey, Memory>,
    snapshot: Snapshot,
}

/// What one read of all signals of a policy brought, in their order; an error is already told in
/// words.
pub type Readings = Vec<Result<Samples, String>>;

/// What the past of all signals of a policy was, in their order.
pub type History = Vec<Vec<(Option<ObjectName>, Sample)>>;

impl Evaluation {
    /// Takes over a configuration. A policy that did not change goes on as if nothing had
    /// happened; one that did begins anew.
    pub fn configure(&mut self, config: &Config) {
        let policies: BTreeMap<PolicyKey, Arc<Policy>> =
            config.policies.iter().map(|it| (it.key.clone(), Arc::clone(it))).collect();
        let before = std::mem::replace(&mut self.policies, policies);
        let unchanged = |key: &PolicyKey| match (before.get(key), self.policies.get(key)) {
            (Some(before), Some(now)) => before == now,
            _ => false,
        };
        self.memories.retain(|key, _| unchanged(key));
        self.store.retain(unchanged);
        self.snapshot.retain(|metric, entry| {
            unchanged(&entry.policy)
                && self.policies.get(&entry.policy).is_some_and(|it| it.metric_key() == *metric)
        });
        let fresh: Vec<_> =
            self.policies.values().filter(|it| !unchanged(&it.key)).cloned().collect();
        for policy in fresh {
            self.put(&policy, State::Waiting);
        }
        self.put_broken(config);
    }

    /// A metric whose policy is broken says why, unless a good policy publishes it.
    fn put_broken(&mut self, config: &Config) {
        for broken in &config.broken {
            let (Some(key), Some(metric)) = (&broken.key, &broken.metric) else { continue };
            if !self.snapshot.find(metric).is_empty() {
                continue;
            }
            let subject = broken.subject.clone();
            let state = State::Broken(broken.reason());
            let (policy, labels) = (key.clone(), crate::domain::labels::Labels::default());
            let entry = Entry { policy, subject, labels, window: None, state };
            self.snapshot.put(metric.clone(), entry);
        }
    }

    /// Whether the history of this policy would help: it smooths and remembers nothing yet.
    #[must_use]
    pub fn wants_history(&self, policy: &Policy) -> bool {
        !policy.backfill().is_zero() && !self.memories.contains_key(&policy.key)
    }

    /// Runs the past through the pipeline, oldest first, as if it had been read then.
    pub fn prime(&mut self, policy: &Policy, history: &History) {
        if self.memories.contains_key(&policy.key) {
            return;
        }
        let instants: BTreeSet<Timestamp> =
            history.iter().flatten().map(|(_, sample)| sample.at).collect();
        let mut unread: Vec<_> = history.iter().map(|it| it.iter().peekable()).collect();
        let window = self.store.window_mut(&policy.key, policy.signals.len());
        let memory = self.memories.entry(policy.key.clone()).or_default();
        for at in instants {
            for (track, unread) in window.signals.iter_mut().zip(&mut unread) {
                while let Some(one) = unread.next_if(|(_, sample)| sample.at <= at) {
                    track.extend([one.clone()]);
                }
            }
            pipeline::run(policy, window, memory, at);
        }
    }

    /// Takes what was read for `policy` and evaluates it at `now`.
    pub fn evaluate(&mut self, policy: &Policy, readings: Readings, now: Timestamp) -> Outcome {
        let window = self.store.window_mut(&policy.key, policy.signals.len());
        let kept = policy.guard.max_age.saturating_add(policy.guard.hold);
        let kept = SignedDuration::try_from(kept).unwrap_or(SignedDuration::MAX);
        let oldest = now.checked_sub(kept).unwrap_or(Timestamp::MIN);
        let mut evicted = 0;
        for (track, reading) in window.signals.iter_mut().zip(readings) {
            match reading {
                Ok(samples) => evicted += track.extend(samples),
                Err(why) => track.fail(why),
            }
            track.expire(oldest);
        }
        let memory = self.memories.entry(policy.key.clone()).or_default();
        let mut outcome = pipeline::run(policy, window, memory, now);
        outcome.evicted += evicted;
        self.put(policy, State::Evaluated(outcome.clone()));
        outcome
    }

    /// Makes what was evaluated visible.
    pub fn publish(&self, published: &Published) {
        published.replace(self.snapshot.clone());
    }

    /// The policies in use.
    pub fn policies(&self) -> impl Iterator<Item = &Arc<Policy>> {
        self.policies.values()
    }

    /// The policy with this key.
    #[must_use]
    pub fn policy(&self, key: &PolicyKey) -> Option<&Arc<Policy>> {
        self.policies.get(key)
    }

    /// How many samples are held.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.store.len()
    }

    fn put(&mut self, policy: &Policy, state: State) {
        let entry = Entry {
            policy: policy.key.clone(),
            subject: policy.subject.clone(),
            labels: policy.labels.clone(),
            window: averaged_over(&policy.smooth),
            state,
        };
        self.snapshot.put(policy.metric_key(), entry);
    }
}

/// The window that an answer names: the half-lives of the smoothing, within which lies half of
/// what a value is made from.
fn averaged_over(smooth: &[Smoothing]) -> Option<Duration> {
    let half_lives = smooth.iter().map(|step| match step {
        Smoothing::Ewma { half_life } => *half_life,
    });
    half_lives.reduce(Duration::saturating_add)
}

#[cfg(test)]
mod tests;
