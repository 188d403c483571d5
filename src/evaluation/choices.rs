//! Which choices of `auto` are due, and what becomes of them.
//!
//! Each policy has its own moment of the season, told by its name, so that a thousand choices do
//! not fall due at once. A choice rests on the history up to that moment and no further, so that a
//! replica that starts later, and any other, chooses the same.

use crate::domain::finite::Finite;
use crate::domain::hpa::{HpaUse, MetricTarget};
use crate::domain::name::PolicyKey;
use crate::domain::supply::{LeadTime, Supply};
use crate::evaluation::Evaluation;
use crate::evaluation::dated_choice::DatedChoice;
use crate::forecast::past::{SEASON, SEASONS_MAX, Steps};
use crate::pipeline::forecast::horizon;
use crate::policy::Policy;
use crate::policy::forecast::{Choice as Given, Forecast};
use crate::series::history::History;
use crate::simulate::SimulateError;
use crate::simulate::auto::{self, Choice, Question};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// Seasons that a choice looks back on: one less than a history holds, so that the history of a
/// replica that starts just before the next choice still reaches as far.
const SEASONS: usize = SEASONS_MAX - 1;

/// A choice to be made; it takes several seconds.
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
}

/// A choice that was made.
#[derive(Debug)]
pub struct ChoiceMade {
    boundary: i64,
    horizon: usize,
    /// `None` when the history is too short.
    choice: Option<Choice>,
}

/// The choice that a policy works with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InForce {
    /// The choice and what it would have cost.
    pub choice: Choice,
    /// The moment that it was made for.
    pub at: Timestamp,
    /// How many steps ahead its forecast looks.
    pub horizon: usize,
}

/// What is known of a policy's choices.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Choices {
    /// The moment of the last one that was asked for.
    asked: Option<i64>,
    in_force: Option<InForce>,
}

impl Evaluation {
    /// The next choice to make, of a policy that leaves its model to Foresail and whose history is
    /// whole. `surroundings` tells the lead time and the supply of each, and nothing of a policy for
    /// which another replica chooses.
    pub fn next_choice(
        &mut self,
        now: Timestamp,
        surroundings: impl Fn(&Policy) -> Option<(LeadTime, Option<Arc<Supply>>)>,
    ) -> Option<(Arc<Policy>, ChoiceJob)> {
        self.slots.values_mut().find_map(|slot| {
            let forecast = slot.policy.forecast.as_ref()?;
            let is_whole = slot.backfill.as_ref().is_some_and(|it| it.progress().is_done());
            if forecast.model != Given::Auto || !is_whole {
                return None;
            }
            let history = slot.memory.history()?;
            let boundary = boundary(&slot.policy.key, history.last_complete(now)?);
            if slot.choices.asked.is_some_and(|asked| asked >= boundary) {
                return None;
            }
            let (lead, supply) = surroundings(&slot.policy)?;
            let job = ChoiceJob::new(forecast, history, boundary, lead, supply.as_deref());
            slot.choices.asked = Some(boundary);
            Some((Arc::clone(&slot.policy), job))
        })
    }

    /// Takes a choice that was made; answers it when it is another than the one in force. Of a
    /// policy that is gone, or another by now, it is dropped.
    pub fn take_choice(&mut self, policy: &Policy, made: ChoiceMade) -> Option<InForce> {
        let in_force = self.hand_out(policy, made)?;
        let slot = self.slots.get_mut(&policy.key)?;
        let before = slot.choices.in_force.replace(in_force);
        slot.memory.forecast_mut().choose(in_force.choice.chosen);
        let is_new = before.is_none_or(|it| it.choice.chosen != in_force.choice.chosen);
        is_new.then_some(in_force)
    }

    /// What a choice that was made for all replicas comes to; it is taken over once they know it.
    /// `None` for a policy that is gone, or another by now, and when there was nothing to choose by.
    #[must_use]
    pub fn hand_out(&self, policy: &Policy, made: ChoiceMade) -> Option<InForce> {
        let slot = self.slots.get(&policy.key).filter(|it| *it.policy == *policy)?;
        let ChoiceMade { boundary, horizon, choice } = made;
        let at = slot.memory.history()?.start_of(boundary.saturating_add(1));
        Some(InForce { choice: choice?, at, horizon })
    }

    /// Takes over what the status of a policy says, so that it is not chosen again for the same
    /// moment; where it says nothing, the policy goes on as one begins.
    pub fn choose(&mut self, policy: &PolicyKey, told: Option<DatedChoice>) {
        let Some(slot) = self.slots.get_mut(policy) else { return };
        if let (Some(told), Some(history)) = (told, slot.memory.history()) {
            let boundary = history.index_of(told.at).saturating_sub(1);
            slot.choices.asked = slot.choices.asked.max(Some(boundary));
        }
        let chosen = told.map(|it| it.chosen).unwrap_or_default();
        slot.memory.forecast_mut().choose(chosen);
    }

    /// The choice that a policy works with, as far as it was made here.
    #[must_use]
    pub fn choice(&self, policy: &PolicyKey) -> Option<InForce> {
        self.slots.get(policy)?.choices.in_force
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
        let average = hpa.and_then(|it| match it.target {
            MetricTarget::AverageValue(value) => Some(value),
            MetricTarget::Value(_) => None,
        });
        Self {
            boundary,
            values,
            step: forecast.step(),
            horizon: horizon(lead.total(), forecast.step()),
            lead_time: lead.startup.time,
            pod_capacity: forecast.pod_capacity.or(average).map(Finite::get),
            max_wait: forecast.max_wait,
            late_share: forecast.late_share,
            down_stabilization: hpa.map(|it| it.down_window),
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
        };
        let Self { boundary, horizon, .. } = self;
        Ok(ChoiceMade { boundary, horizon, choice: auto::choose(&question)? })
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
