//! Which forecasts are due, and what is published once they are made.

use crate::domain::name::PolicyKey;
use crate::domain::supply::{LeadTime, Supply};
use crate::evaluation::{Evaluation, entry};
use crate::pipeline::forecast::{Done, Due, Job, Stage};
use crate::pipeline::{self, Surroundings};
use crate::policy::Policy;
use crate::published::State;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

impl Evaluation {
    /// The next forecast to make: of a policy of which a step is over that was not answered yet.
    /// `lead` is how far ahead each has to look. Models that have to be fitted come last, so that a
    /// thousand of them keep no other policy waiting.
    pub fn next_forecast(
        &mut self,
        now: Timestamp,
        lead: impl Fn(&Policy) -> LeadTime,
    ) -> Option<(Arc<Policy>, Job)> {
        // One that only drops its last answer has no job.
        loop {
            let (policy, lead, is_whole) = self.forecast_due(now, &lead)?;
            let memory = &mut self.slots.get_mut(&policy.key)?.memory;
            if let Some(job) = memory.forecast_job(&policy, lead, is_whole, now) {
                return Some((policy, job));
            }
        }
    }

    /// The policy whose forecast comes next, with how far ahead to look and whether its history is
    /// whole.
    fn forecast_due(
        &self,
        now: Timestamp,
        lead: impl Fn(&Policy) -> LeadTime,
    ) -> Option<(Arc<Policy>, Duration, bool)> {
        let mut fit = None;
        for slot in self.slots.values() {
            let Some(backfill) = slot.backfill.as_ref() else { continue };
            let (lead, is_whole) = (lead(&slot.policy).total(), backfill.progress().is_done());
            let next = || (Arc::clone(&slot.policy), lead, is_whole);
            match slot.memory.forecast_due(&slot.policy, lead, is_whole, now) {
                Some(Due::Step) => return Some(next()),
                Some(Due::Fit) if fit.is_none() => fit = Some(next()),
                Some(Due::Fit) | None => {}
            }
        }
        fit
    }

    /// Takes a forecast that was made, and puts what follows from it into the snapshot. Of a policy
    /// that is gone, or another by now, it is dropped.
    pub fn take_forecast(&mut self, policy: &Policy, done: Done, surroundings: &Surroundings) {
        let Some(slot) = self.slots.get_mut(&policy.key).filter(|it| it.is_of(policy)) else {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::supply::Startup;
    use crate::policy::resolve;

    #[test]
    fn a_lead_time_counts_the_default_sync_or_that_of_a_policy_that_is_evaluated_more_often() {
        for (interval, season, data_age, sync) in [
            ("15s", "24h", 75_000, 15_000),
            ("60s", "24h", 120_000, 15_000),
            ("1s", "24m", 2_000, 1_000),
            ("500ms", "24m", 1_500, 500),
        ] {
            let text = format!(
                "apiVersion: foresail.dev/v1alpha1
kind: AdapterConfig
sources: [{{name: p, prometheus: {{url: 'http://localhost'}}}}]
policies:
  - metadata: {{namespace: n, name: p}}
    spec:
      metric: {{name: m, type: External}}
      interval: {interval}
      signals: {{a: {{source: p, prometheus: {{query: a}}}}}}
      forecast: {{leadTime: 60s, season: {season}}}
"
            );
            let config = resolve::load(&text).unwrap();
            let [data_age, sync] = [data_age, sync].map(Duration::from_millis);
            let startup = Startup::given(Duration::from_secs(60));
            let expected = LeadTime { startup, data_age, sync };
            assert_eq!(lead_time(&config.policies[0], None), expected, "{interval} of {season}");
        }
    }
}
