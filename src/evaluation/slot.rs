//! One policy between evaluations, and how it begins: anew, from its past, or with its history.

use crate::domain::limits;
use crate::evaluation::Recording;
use crate::evaluation::backfill::Backfill;
use crate::evaluation::choices::Choices;
use crate::pipeline::{self, Memory};
use crate::policy::Policy;
use crate::series::history::History;
use crate::series::{Taken, Window};
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::sync::Arc;

/// One policy with everything that is kept for it.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) policy: Arc<Policy>,
    pub(super) window: Window,
    pub(super) memory: Memory,
    pub(super) past: PastState,
    /// How old the samples are that are evaluated next.
    pub(super) taken: Vec<Taken>,
    /// What is missing in the history; `None` before the first live sample.
    pub(super) backfill: Option<Backfill>,
    pub(super) choices: Choices,
}

/// Whether a policy has been primed with its past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PastState {
    /// Not yet, after so many tries.
    Missing(u32),
    Known,
}

impl Slot {
    pub(super) fn new(policy: &Arc<Policy>) -> Self {
        let policy = Arc::clone(policy);
        let window = Window::new(policy.signals.len());
        let memory = Memory::new(&policy);
        Self {
            policy,
            window,
            memory,
            past: PastState::Missing(0),
            taken: Vec::new(),
            backfill: None,
            choices: Choices::default(),
        }
    }

    /// Whether it is this very policy, not another of the same name. Mostly one and the same, which
    /// is told without reading both.
    pub(super) fn is_of(&self, policy: &Policy) -> bool {
        std::ptr::eq(&raw const *self.policy, policy) || *self.policy == *policy
    }

    /// Begins anew when the clock was set back: everything newer than now would be in the way of
    /// what is read from now on, and would be served for as long as the jump.
    pub(super) fn forget_the_future(&mut self, now: Timestamp) {
        let latest = now.checked_add(limits::CLOCK_JUMP).unwrap_or(Timestamp::MAX);
        let tracks = self.window.signals.iter().flat_map(|it| it.samples.values());
        if tracks.map(|it| it.at).chain(self.memory.last()).any(|at| at > latest) {
            self.begin_anew();
            // What lies before now may have made room for what does not.
            self.backfill = None;
            if let Some(history) = self.memory.history_mut() {
                history.forget_the_future(now);
            }
        }
    }

    /// Begins anew from the past.
    pub(super) fn prime(&mut self, past: &Recording) {
        self.begin_anew();
        self.past = PastState::Known;
        // What primes has not settled in its beginning, so it is no history.
        let mut memory = Memory::default();
        replay(&self.policy, &mut self.window, &mut memory, past, |_| {});
        let history = std::mem::take(&mut self.memory);
        self.memory = memory.with_history_of(history);
    }

    /// Forgets everything but the history.
    fn begin_anew(&mut self) {
        self.window = Window::new(self.policy.signals.len());
        self.memory = Memory::default().with_history_of(std::mem::take(&mut self.memory));
    }

    /// Asks for what is missing: everything, once the first live sample shows where the history
    /// begins, and later what was missed.
    pub(super) fn plan_backfill(&mut self) {
        let Some(gap) = self.memory.history_mut().and_then(History::take_gap) else { return };
        let Some(history) = self.memory.history() else { return };
        match &mut self.backfill {
            None => {
                let mut plan = Backfill::plan(&self.policy, history, gap);
                if self.policy.combines_pods() {
                    plan.give_up();
                }
                self.backfill = Some(plan);
            }
            Some(backfill) => backfill.add(history, gap),
        }
    }
}

/// Runs a recording through the pipeline, oldest first, as if it had been read then; `seen` looks
/// at what is remembered after each instant.
pub(super) fn replay(
    policy: &Policy,
    window: &mut Window,
    memory: &mut Memory,
    recording: &Recording,
    mut seen: impl FnMut(&Memory),
) {
    let instants: BTreeSet<Timestamp> =
        recording.iter().flatten().map(|(_, sample)| sample.at).collect();
    let mut unread: Vec<_> = recording.iter().map(|it| it.iter().peekable()).collect();
    for at in instants {
        for (track, unread) in window.signals.iter_mut().zip(&mut unread) {
            while let Some(one) = unread.next_if(|(_, sample)| sample.at <= at) {
                track.extend([one.clone()]);
            }
        }
        pipeline::run(policy, window, memory, &at.into());
        seen(memory);
    }
}
