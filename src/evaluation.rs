//! All policies between evaluations: what each of them read, remembers and publishes.
//!
//! In come a configuration and what was read for its policies, out come snapshots. The tick owns
//! the only live one; a test, a benchmark or a simulation turns its own by hand. Never does I/O
//! and never asks the time.

pub mod report;

use crate::domain::labels::Labels;
use crate::domain::limits;
use crate::domain::name::{ObjectName, PolicyKey};
use crate::domain::sample::Sample;
use crate::pipeline::outcome::Outcome;
use crate::pipeline::{self, Memory};
use crate::policy::{Config, Policy, Smoothing};
use crate::published::{Entry, Published, Snapshot, State};
use crate::series::{Samples, Window};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// The state of all policies between evaluations.
#[derive(Debug, Default)]
pub struct Evaluation {
    slots: BTreeMap<PolicyKey, Slot>,
    snapshot: Snapshot,
}

/// One policy with everything that is kept for it.
#[derive(Debug)]
struct Slot {
    policy: Arc<Policy>,
    window: Window,
    memory: Memory,
    past: PastState,
}

/// Whether a policy has been primed with its past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PastState {
    /// Not yet, after so many tries.
    Missing(u32),
    Known,
}

/// What one read of all signals of a policy brought, in their order; an error is already told in
/// words.
pub type Readings = Vec<Result<Samples, String>>;

/// What the past of all signals of a policy was, in their order.
pub type History = Vec<Vec<(Option<ObjectName>, Sample)>>;

/// The past that a policy wants to be primed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Past {
    /// How far back.
    pub span: Duration,
    /// How far apart: the policy's interval, or more where that would be too many points.
    pub step: Duration,
}

impl Evaluation {
    /// Takes over a configuration. A policy that did not change goes on as if nothing had
    /// happened; one that did begins anew. Answers the policies that began.
    pub fn configure(&mut self, config: &Config) -> BTreeSet<PolicyKey> {
        let mut before = std::mem::take(&mut self.slots);
        let mut begun = BTreeSet::new();
        for policy in &config.policies {
            let kept = before.remove(&policy.key).filter(|slot| slot.policy == *policy);
            let slot = kept.unwrap_or_else(|| {
                begun.insert(policy.key.clone());
                Slot::new(policy)
            });
            self.slots.insert(policy.key.clone(), slot);
        }
        let slots = &self.slots;
        // What a changed policy published stays until its first evaluation, within its own limits,
        // so that an edit is no outage.
        self.snapshot.retain(|metric, entry| {
            let policy = slots.get(&entry.policy).map(|slot| &slot.policy);
            matches!(entry.state, State::Evaluated(_))
                && policy
                    .is_some_and(|it| it.metric_key() == *metric && it.subject == entry.subject)
        });
        for slot in begun.iter().filter_map(|key| self.slots.get(key)) {
            let metric = slot.policy.metric_key();
            if !self.snapshot.find(&metric).iter().any(|it| it.policy == slot.policy.key) {
                self.snapshot.put(metric, entry(&slot.policy, State::Waiting));
            }
        }
        self.put_broken(config);
        begun
    }

    /// A metric whose policy is broken says why, unless a good policy publishes it about the same
    /// subject.
    fn put_broken(&mut self, config: &Config) {
        for broken in &config.broken {
            let (Some(key), Some(metric)) = (&broken.key, &broken.metric) else { continue };
            let entries = self.snapshot.find(metric);
            if entries.iter().any(|it| it.subject == broken.subject) {
                continue;
            }
            let entry = Entry {
                policy: key.clone(),
                subject: broken.subject.clone(),
                labels: Labels::default(),
                window: None,
                state: State::Broken(broken.reason()),
            };
            self.snapshot.put(metric.clone(), entry);
        }
    }

    /// The past that would help this policy: it smooths, and was not primed yet. Asked for a few
    /// times at most.
    pub fn wanted_past(&mut self, policy: &Policy) -> Option<Past> {
        let slot = self.slots.get_mut(&policy.key)?;
        let PastState::Missing(tries) = slot.past else { return None };
        // Filters in a row forget one after the other, so their memories add up.
        let span: Duration = policy.smooth.iter().map(Smoothing::memory).sum();
        if span.is_zero() || tries == limits::BACKFILL_TRIES {
            return None;
        }
        slot.past = PastState::Missing(tries + 1);
        let points = u32::try_from(limits::BACKFILL_POINTS_MAX).unwrap_or(u32::MAX);
        Some(Past { span, step: policy.interval.max(span / points) })
    }

    /// Takes what was read for a policy and evaluates it at `now`; its past, where it is given, is
    /// run through the pipeline first, as if it had been read then. `None` when there is no such
    /// policy any more, or it is not the one for which this was read.
    pub fn evaluate(
        &mut self,
        policy: &Policy,
        readings: Readings,
        past: Option<&History>,
        now: Timestamp,
    ) -> Option<Outcome> {
        let slot = self.slots.get_mut(&policy.key)?;
        if *slot.policy != *policy {
            return None;
        }
        slot.forget_the_future(now);
        if let Some(past) = past {
            slot.prime(past);
        }
        let oldest = now.checked_sub(policy.guard.lifetime()).unwrap_or(Timestamp::MIN);
        let mut evicted = 0;
        for (track, reading) in slot.window.signals.iter_mut().zip(readings) {
            match reading {
                Ok(samples) => evicted += track.extend(samples),
                Err(why) => track.fail(why),
            }
            track.expire(oldest);
        }
        let mut outcome = pipeline::run(policy, &slot.window, &mut slot.memory, now);
        outcome.evicted += evicted;
        let entry = entry(policy, State::Evaluated(outcome.clone()));
        self.snapshot.put(policy.metric_key(), entry);
        Some(outcome)
    }

    /// Makes what was evaluated visible.
    pub fn publish(&self, published: &Published) {
        published.replace(self.snapshot.clone());
    }

    /// The policies in use.
    pub fn policies(&self) -> impl Iterator<Item = &Arc<Policy>> {
        self.slots.values().map(|slot| &slot.policy)
    }

    /// How many samples are held.
    #[must_use]
    pub fn samples(&self) -> usize {
        let tracks = self.slots.values().flat_map(|slot| &slot.window.signals);
        tracks.map(|track| track.samples.len()).sum()
    }
}

impl Slot {
    fn new(policy: &Arc<Policy>) -> Self {
        let policy = Arc::clone(policy);
        let window = Window::new(policy.signals.len());
        Self { policy, window, memory: Memory::default(), past: PastState::Missing(0) }
    }

    /// Begins anew when the clock was set back: everything newer than now would be in the way of
    /// what is read from now on, and would be served for as long as the jump.
    fn forget_the_future(&mut self, now: Timestamp) {
        let latest = now.checked_add(limits::CLOCK_JUMP).unwrap_or(Timestamp::MAX);
        let tracks = self.window.signals.iter().flat_map(|it| it.samples.values());
        if tracks.map(|it| it.at).chain(self.memory.last()).any(|at| at > latest) {
            self.window = Window::new(self.policy.signals.len());
            self.memory = Memory::default();
        }
    }

    /// Begins anew from the past, oldest first.
    fn prime(&mut self, past: &History) {
        self.window = Window::new(self.policy.signals.len());
        self.memory = Memory::default();
        self.past = PastState::Known;
        let instants: BTreeSet<Timestamp> =
            past.iter().flatten().map(|(_, sample)| sample.at).collect();
        let mut unread: Vec<_> = past.iter().map(|it| it.iter().peekable()).collect();
        for at in instants {
            for (track, unread) in self.window.signals.iter_mut().zip(&mut unread) {
                while let Some(one) = unread.next_if(|(_, sample)| sample.at <= at) {
                    track.extend([one.clone()]);
                }
            }
            pipeline::run(&self.policy, &self.window, &mut self.memory, at);
        }
    }
}

fn entry(policy: &Policy, state: State) -> Entry {
    Entry {
        policy: policy.key.clone(),
        subject: policy.subject.clone(),
        labels: policy.labels.clone(),
        window: averaged_over(&policy.smooth),
        state,
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
