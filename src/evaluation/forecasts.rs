//! Which forecasts are due, and what is published once they are made.

use crate::domain::name::PolicyKey;
use crate::domain::supply::{LeadTime, Supply};
use crate::evaluation::{Evaluation, entry};
use crate::pipeline::forecast::{Done, Job, Stage};
use crate::pipeline::{self, Surroundings};
use crate::policy::Policy;
use crate::published::State;
use jiff::Timestamp;
use std::sync::Arc;

impl Evaluation {
    /// The next forecast to make: of a policy of which a step is over that was not answered yet.
    /// `lead` is how far ahead each has to look.
    pub fn next_forecast(
        &mut self,
        now: Timestamp,
        lead: impl Fn(&Policy) -> LeadTime,
    ) -> Option<(Arc<Policy>, Job)> {
        self.slots.values_mut().find_map(|slot| {
            let is_whole = slot.backfill.as_ref()?.progress().is_done();
            let lead = lead(&slot.policy).total();
            let job = slot.memory.forecast_job(&slot.policy, lead, is_whole, now)?;
            Some((Arc::clone(&slot.policy), job))
        })
    }

    /// Takes a forecast that was made, and puts what follows from it into the snapshot. Of a policy
    /// that is gone, or another by now, it is dropped.
    pub fn take_forecast(&mut self, policy: &Policy, done: Done, surroundings: &Surroundings) {
        let Some(slot) = self.slots.get_mut(&policy.key).filter(|it| *it.policy == *policy) else {
            return;
        };
        slot.memory.take_forecast(done);
        // Nothing was read since, so only what the forecast decides can change.
        let outcome = pipeline::run(policy, &slot.window, &mut slot.memory, surroundings);
        let entry = entry(slot, State::Evaluated(outcome));
        self.snapshot.put(policy.metric_key(), entry);
    }

    /// Forgets a forecast that broke off, so that it is made anew.
    pub fn drop_forecast(&mut self, policy: &PolicyKey) {
        if let Some(slot) = self.slots.get_mut(policy) {
            slot.memory.forecast_mut().begin_anew();
        }
    }

    /// What is forecast for a policy.
    #[must_use]
    pub fn forecast(&self, policy: &PolicyKey) -> Option<&Stage> {
        let memory = &self.slots.get(policy)?.memory;
        memory.history().map(|_| memory.forecast())
    }
}

/// How far ahead a policy's forecast has to look.
#[must_use]
pub fn lead_time(policy: &Policy, supply: Option<&Supply>) -> LeadTime {
    policy.lead_time(supply)
}
