//! Which choices of `auto` are due, and what becomes of them.
//!
//! Each policy has its own moment of the season, told by its name, so that a thousand choices do
//! not fall due at once. A choice rests on the history up to that moment and no further, so that a
//! replica that starts later, and any other, chooses the same.

use crate::domain::finite::Finite;
use crate::domain::hpa::HpaUse;
use crate::domain::name::PolicyKey;
use crate::domain::supply::{LeadTime, Supply};
use crate::evaluation::Evaluation;
use crate::evaluation::dated_choice::DatedChoice;
use crate::forecast::past::{SEASON, SEASONS_MAX, Steps};
use crate::pipeline::Surroundings;
use crate::pipeline::forecast::{Chosen, Given, horizon};
use crate::policy::Policy;
use crate::policy::forecast::{Choice as Setting, Forecast};
use crate::series::history::History;
use crate::simulate::SimulateError;
use crate::simulate::auto::{self, Choice, Question};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// Seasons that a choice looks back on: one less than a history holds, so that the history of a
/// replica that starts just before the next choice still reaches as far.
const SEASONS: usize = SEASONS_MAX - 1;

/// A choice to be made; it takes some seconds.
#[derive(Debug)]
pub struct ChoiceJob {
    /// The moment that it is made for, as a step of the history.
    boundary: i64,
    values: Vec<f64>,
    step: Duration,
    horizon: usize,
    lead_time: Duration,
    pod_capacity: Option<f64>,
    max_wait: Duration,
    late_share: f64,
    down_stabilization: Option<Duration>,
    given: Given,
}

/// A choice that was made.
#[derive(Debug)]
pub struct ChoiceMade {
    boundary: i64,
    horizon: usize,
    /// `None` when the history is too short.
    choice: Option<Choice>,
}

/// A choice with what speaks for it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judged {
    /// What was chosen, and from what.
    pub dated: DatedChoice,
    /// What it would have cost.
    pub choice: Choice,
}

/// What is known of a policy's choices.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Choices {
    /// The moment of the last one that was asked for.
    asked: Option<i64>,
    made: Option<Judged>,
}

impl Evaluation {
    /// The next choice to make, of a policy that leaves its model to Foresail and whose history is
    /// whole, if this replica `is_wanted` to choose for it as of that instant. `surroundings` tells
    /// the lead time and the supply of each.
    pub fn next_choice(
        &mut self,
        now: Timestamp,
        is_wanted: impl Fn(&Policy, Timestamp) -> bool,
        surroundings: impl Fn(&Policy) -> (LeadTime, Surroundings),
    ) -> Option<(Arc<Policy>, ChoiceJob)> {
        self.slots.values_mut().find_map(|slot| {
            let forecast = slot.policy.forecast.as_ref()?;
            let is_whole = slot.backfill.as_ref().is_some_and(|it| it.progress().is_done());
            if forecast.model != Setting::Auto || !is_whole {
                return None;
            }
            let history = slot.memory.history()?;
            let boundary = boundary(&slot.policy.key, history.last_complete(now)?);
            let at = history.start_of(boundary.saturating_add(1));
            let is_asked = slot.choices.asked.is_some_and(|asked| asked >= boundary);
            if is_asked || !is_wanted(&slot.policy, at) {
                return None;
            }
            let (lead, surroundings) = surroundings(&slot.policy);
            let job = ChoiceJob {
                pod_capacity: slot
                    .memory
                    .pod_capacity(&slot.policy, &surroundings)
                    .map(Finite::get),
                ..ChoiceJob::new(forecast, history, boundary, lead, surroundings.supply.as_deref())
            };
            slot.choices.asked = Some(boundary);
            Some((Arc::clone(&slot.policy), job))
        })
    }

    /// Takes a choice that was made, and answers it; it is not in force by that. Of a policy that is
    /// gone, or another by now, it is dropped.
    pub fn take_choice(&mut self, policy: &Policy, made: ChoiceMade) -> Option<Judged> {
        let slot = self.slots.get_mut(&policy.key).filter(|it| *it.policy == *policy)?;
        let at = slot.memory.history()?.start_of(made.boundary.saturating_add(1));
        let choice = made.choice?;
        let horizon_steps = u32::try_from(made.horizon).ok();
        let dated = DatedChoice { chosen: choice.chosen, at, horizon_steps };
        let judged = Judged { dated, choice };
        slot.choices.made = Some(judged);
        Some(judged)
    }

    /// Takes over a choice for a policy: one that was made here, or by the Lease holder and read from
    /// the status.
    pub fn choose(&mut self, policy: &PolicyKey, chosen: Chosen) {
        if let Some(slot) = self.slots.get_mut(policy) {
            slot.memory.forecast_mut().choose(chosen);
        }
    }

    /// The newest choice that was made here for a policy.
    #[must_use]
    pub fn choice(&self, policy: &PolicyKey) -> Option<Judged> {
        self.slots.get(policy)?.choices.made
    }
}

impl ChoiceJob {
    fn new(
        forecast: &Forecast,
        history: &History,
        boundary: i64,
        lead: LeadTime,
        supply: Option<&Supply>,
    ) -> Self {
        let span = i64::try_from(SEASONS * SEASON).unwrap_or(i64::MAX);
        let mut values = Vec::with_capacity(SEASONS * SEASON);
        history.copy(boundary - span + 1, boundary + 1, &mut values);
        let first = values.iter().position(|it| !it.is_nan()).unwrap_or(values.len());
        let values = values.into_iter().skip(first).map(f64::from).collect();
        let hpa = supply.and_then(|it| it.hpas.as_deref()).and_then(<[HpaUse]>::first);
        Self {
            boundary,
            values,
            step: forecast.step(),
            horizon: horizon(lead.total(), forecast.step()),
            lead_time: lead.startup.time,
            pod_capacity: None,
            max_wait: forecast.max_wait,
            late_share: forecast.late_share,
            down_stabilization: hpa.map(|it| it.down_window),
            given: Given::by(forecast),
        }
    }

    /// Makes the choice.
    ///
    /// # Errors
    /// When a number of the policy or of its HPA lies outside what can be simulated.
    pub fn run(self) -> Result<ChoiceMade, SimulateError> {
        let question = Question {
            steps: Steps::new(&self.values, self.boundary),
            step: self.step,
            horizon: self.horizon,
            lead_time: self.lead_time,
            pod_capacity: self.pod_capacity,
            max_wait: self.max_wait,
            late_share: self.late_share,
            // In-flight and waiting requests, the usual demand, show what waits; within a minute is
            // what a queue with a limit in seconds asks for.
            drain: Some(self.step),
            down_stabilization: self.down_stabilization,
            given: self.given,
        };
        let choice = auto::choose(&question)?;
        Ok(ChoiceMade { boundary: self.boundary, horizon: self.horizon, choice })
    }
}

/// The newest step, not after `newest`, at which this policy chooses.
fn boundary(policy: &PolicyKey, newest: i64) -> i64 {
    // FNV-1a: the same on every replica and in every version, which the standard hasher is not.
    let name = policy.to_string();
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let season = SEASON as i64;
    let offset = i64::try_from(hash % SEASON as u64).unwrap_or(0);
    newest - (newest - offset).rem_euclid(season)
}

#[cfg(test)]
mod tests;
