//! All policies between evaluations: what each of them read, remembers and publishes.
//!
//! In come a configuration and what was read for its policies, out come snapshots. The tick owns
//! the only live one; a test, a benchmark or a simulation turns its own by hand. Never does I/O
//! and never asks the time.

pub mod backfill;
pub mod choices;
pub mod dated_choice;
pub mod explain;
pub mod forecasts;
pub mod holdings;
pub mod report;
mod slot;

use crate::domain::labels::Labels;
use crate::domain::limits;
use crate::domain::name::{ObjectName, PolicyKey};
use crate::domain::sample::Sample;
use crate::evaluation::backfill::{Backfill, Chunk, ChunkFailure};
use crate::evaluation::slot::{PastState, Slot};
use crate::pipeline::outcome::Outcome;
use crate::pipeline::{self, Surroundings};
use crate::policy::{Config, Policy};
use crate::published::{Entry, Progress, Published, Snapshot, State};
use crate::series::history::History;
use crate::series::{Samples, Taken};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// The state of all policies between evaluations.
#[derive(Debug, Default)]
pub struct Evaluation {
    /// Each on its own: a map's nodes are half empty, and a slot is large.
    slots: BTreeMap<PolicyKey, Box<Slot>>,
    snapshot: Snapshot,
}

/// What one read of all signals of a policy brought, in their order; an error is already told in
/// words.
pub type Readings = Vec<Result<Samples, String>>;

/// What all signals of a policy were in the past, in their order; each oldest first.
pub type Recording = Vec<Vec<(Option<ObjectName>, Sample)>>;

/// The instants of the past about which a policy's sources are to be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Past {
    /// The first.
    pub from: Timestamp,
    /// None is later.
    pub to: Timestamp,
    /// How far apart they are: the policy's interval, or more where that would be too many.
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
                Box::new(Slot::new(policy))
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
                self.snapshot.put(metric, entry(slot, State::Waiting));
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
                history: None,
                state: State::Broken(broken.reason()),
            };
            self.snapshot.put(metric.clone(), entry);
        }
    }

    /// The past that would help this policy when it is evaluated for the instant `at`: it smooths,
    /// and was not primed yet. Asked for a few times at most.
    pub fn wanted_past(&mut self, policy: &Policy, at: Timestamp) -> Option<Past> {
        let slot = self.slots.get_mut(&policy.key)?;
        let PastState::Missing(tries) = slot.past else { return None };
        let span = backfill::memory(policy);
        if span.is_zero() || tries == limits::BACKFILL_TRIES {
            return None;
        }
        slot.past = PastState::Missing(tries + 1);
        let points = u32::try_from(limits::BACKFILL_POINTS_MAX).unwrap_or(u32::MAX);
        let step = policy.interval.max(span / points);
        Some(Past { from: at.checked_sub(span).ok()?, to: at.checked_sub(step).ok()?, step })
    }

    /// Notes what the reads of a policy lack that brought something, in the order of its signals; to
    /// be followed by the evaluation of what they brought.
    pub fn note(&mut self, policy: &Policy, notes: Vec<Option<String>>) {
        let slot = self.slots.get_mut(&policy.key).filter(|it| *it.policy == *policy);
        for (track, note) in slot.into_iter().flat_map(|it| &mut it.window.signals).zip(notes) {
            track.note = note;
        }
    }

    /// Notes how old the samples are that are evaluated next, in the order of the policy's signals.
    pub fn date(&mut self, policy: &Policy, taken: Vec<Taken>) {
        if let Some(slot) = self.slots.get_mut(&policy.key).filter(|it| it.is_of(policy)) {
            slot.taken = taken;
        }
    }

    /// Takes what was read for a policy and evaluates it in these surroundings, or at this time;
    /// its past, where it is given, is run through the pipeline first, as if it had been read then.
    /// `None` when there is no such policy any more, or it is not the one for which this was read.
    pub fn evaluate(
        &mut self,
        policy: &Policy,
        readings: Readings,
        past: Option<&Recording>,
        surroundings: impl Into<Surroundings>,
    ) -> Option<Outcome> {
        let surroundings = surroundings.into();
        let now = surroundings.now;
        let slot = self.slots.get_mut(&policy.key)?;
        if !slot.is_of(policy) {
            return None;
        }
        slot.forget_the_future(now);
        if let Some(past) = past {
            slot.prime(past);
        }
        let oldest = now.checked_sub(policy.guard.lifetime()).unwrap_or(Timestamp::MIN);
        let mut evicted = 0;
        let mut taken = std::mem::take(&mut slot.taken).into_iter();
        for (track, reading) in slot.window.signals.iter_mut().zip(readings) {
            let taken = taken.next().unwrap_or_default();
            match reading {
                Ok(samples) => {
                    evicted += track.extend(samples);
                    track.date(taken);
                }
                Err(why) => track.fail(why),
            }
            track.expire(oldest);
        }
        let mut outcome = pipeline::run(policy, &slot.window, &mut slot.memory, &surroundings);
        outcome.evicted += evicted;
        slot.plan_backfill();
        let entry = entry(slot, State::Evaluated(outcome.clone()));
        self.snapshot.put(policy.metric_key(), entry);
        Some(outcome)
    }

    /// The next chunk of a history to ask for, among the policies that `may` ask now; the policy
    /// that has least comes first. A policy whose last read failed does not ask: a source that is
    /// away is asked for one thing.
    pub fn next_chunk(&mut self, now: Timestamp, may: impl Fn(&Policy) -> bool) -> Option<Chunk> {
        let due = self.asking().filter_map(|(slot, backfill)| {
            let is_due = backfill.due().is_some_and(|it| it <= now) && may(&slot.policy);
            is_due.then(|| (backfill.progress().chunks_done, &slot.policy.key))
        });
        let key = due.min()?.1.clone();
        let slot = self.slots.get_mut(&key)?;
        let history = slot.memory.history()?;
        let (steps, spacing) = slot.backfill.as_mut()?.next(now)?;
        let past = backfill::past(&slot.policy, history, &steps, spacing);
        Some(Chunk { policy: Arc::clone(&slot.policy), steps, past })
    }

    /// How long it is until the next chunk is due; `None` while there is none to wait for.
    #[must_use]
    pub fn next_chunk_after(&self, now: Timestamp) -> Option<Duration> {
        let due = self.asking().filter_map(|(_, backfill)| backfill.due()).min()?;
        Some(Duration::try_from(due.duration_since(now)).unwrap_or_default())
    }

    /// The policies whose last read was good, and what their histories lack.
    fn asking(&self) -> impl Iterator<Item = (&Slot, &Backfill)> {
        let is_well = |slot: &&Slot| slot.window.signals.iter().all(|it| it.trouble.is_none());
        let slots = self.slots.values().map(Box::as_ref).filter(is_well);
        slots.filter_map(|slot| Some((slot, slot.backfill.as_ref()?)))
    }

    /// Takes what a chunk brought, as digested by it; answers how far its policy was before, and is
    /// now. `None` when there is no such policy any more, or it is not the one that asked.
    pub fn take_chunk(
        &mut self,
        chunk: &Chunk,
        brought: Result<Vec<Sample>, ChunkFailure>,
        now: Timestamp,
    ) -> Option<(Progress, Progress)> {
        let slot = self.slots.get_mut(&chunk.policy.key)?;
        if !slot.is_of(&chunk.policy) {
            return None;
        }
        let backfill = slot.backfill.as_mut()?;
        let before = backfill.progress();
        match brought {
            Ok(samples) => {
                slot.memory.history_mut()?.fill(chunk.steps.clone(), samples, now);
                backfill.finish(&chunk.steps);
            }
            Err(failure) => backfill.fail(&chunk.steps, failure, now),
        }
        Some((before, backfill.progress()))
    }

    /// Notes that the sources of a policy cannot be asked about the past: its history grows live.
    pub fn skip_backfill(&mut self, policy: &Policy) {
        let slot = self.slots.get_mut(&policy.key);
        if let Some(backfill) = slot.and_then(|it| it.backfill.as_mut()) {
            backfill.give_up();
        }
    }

    /// How far the backfill of a policy is; `None` when it has no history, or no sample yet.
    #[must_use]
    pub fn progress(&self, policy: &PolicyKey) -> Option<Progress> {
        self.slots.get(policy)?.backfill.as_ref().map(Backfill::progress)
    }

    /// How far all backfills are, together.
    #[must_use]
    pub fn progress_of_all(&self) -> Progress {
        let each = self.slots.values().filter_map(|it| it.backfill.as_ref());
        each.map(Backfill::progress).fold(Progress::default(), |sum, it| Progress {
            chunks_done: sum.chunks_done + it.chunks_done,
            chunks_total: sum.chunks_total + it.chunks_total,
        })
    }

    /// The past of a policy that forecasts one number.
    #[must_use]
    pub fn history(&self, policy: &PolicyKey) -> Option<&History> {
        self.slots.get(policy)?.memory.history()
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

fn entry(slot: &Slot, state: State) -> Entry {
    let policy = &slot.policy;
    Entry {
        policy: policy.key.clone(),
        subject: policy.subject.clone(),
        labels: policy.labels.clone(),
        window: averaged_over(policy),
        history: slot.backfill.as_ref().map(Backfill::progress),
        state,
    }
}

/// The window that an answer names: the times over which the smoothing averages, within which lies
/// most of what a value is made from. None where nothing is averaged.
fn averaged_over(policy: &Policy) -> Option<Duration> {
    let times = policy.filters().map(|step| step.averaged_over(policy.interval));
    times.reduce(Duration::saturating_add).filter(|it| !it.is_zero())
}

#[cfg(test)]
mod tests;
