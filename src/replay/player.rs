//! A policy's pipeline, driven step by step over simulated time.

use crate::domain::finite::Finite;
use crate::domain::sample::Sample;
use crate::pipeline::combine::Combined;
use crate::pipeline::forecast::Chosen;
use crate::pipeline::trace::Trace;
use crate::pipeline::{self, Memory};
use crate::policy::Policy;
use crate::policy::forecast::Choice;
use crate::policy::smoothing::Smoothing;
use crate::series::Samples;
use crate::series::history::History;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// The quantiles of the band.
const BAND: [f64; 2] = [0.5, 0.95];

/// What a policy published.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Published {
    /// The value.
    pub value: f64,
    /// Between which values the forecast saw the peak, where there is a forecast.
    pub band: Option<Band>,
}

/// Two quantiles of a forecast.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Band {
    /// The lower.
    pub low: f64,
    /// The upper.
    pub high: f64,
}

/// One policy between two steps.
#[derive(Debug)]
pub struct Player<'p> {
    policy: &'p Policy,
    memory: Memory,
    /// Whether it makes forecasts, or keeps the history for them alone.
    forecasts: bool,
    due: Option<Timestamp>,
    last: Option<(Published, Timestamp)>,
}

impl<'p> Player<'p> {
    /// A policy that has just started, with nothing remembered.
    #[must_use]
    pub fn new(policy: &'p Policy) -> Self {
        let mut memory = Memory::new(policy);
        // There is one of it, and nobody fills in its history behind it.
        memory.forecast_mut().keep_past();
        Self { policy, memory, forecasts: true, due: None, last: None }
    }

    /// The same, but without making forecasts: what it publishes is what it observes.
    #[must_use]
    pub fn observing(policy: &'p Policy) -> Self {
        Self { forecasts: false, ..Self::new(policy) }
    }

    /// Takes over what `auto` chose.
    pub fn choose(&mut self, chosen: Chosen) {
        self.memory.forecast_mut().choose(chosen);
    }

    /// How it came to its newest value.
    #[must_use]
    pub fn trace(&self) -> Option<Arc<Trace>> {
        self.memory.traces()?.newest().next()
    }

    /// The past that a forecast rests on; `None` for a policy without one.
    #[must_use]
    pub fn history(&self) -> Option<&History> {
        self.memory.history()
    }

    /// What the API would answer at `now`, when the combined signals had this value. The policy is
    /// evaluated at its own interval; between, its last value is served as long as it may be.
    pub fn step(&mut self, now: Timestamp, observed: f64) -> Option<Published> {
        if self.due.is_none_or(|due| due <= now) {
            self.due = now.checked_add(self.policy.interval).ok();
            self.evaluate(now, observed);
        }
        self.last.filter(|(_, until)| now <= *until).map(|(published, _)| published)
    }

    fn evaluate(&mut self, now: Timestamp, observed: f64) {
        let value = Finite::new(observed).filter(|it| !it.is_negative());
        let sample = value.map(|value| (None, Sample { at: now, value }));
        let combined = Combined { samples: Samples::from_iter(sample), ..Combined::default() };
        let outcome = pipeline::run_combined(self.policy, combined, &mut self.memory, &now.into());
        let value = outcome.values.first().map(|(_, value)| value);
        let band = self.band();
        self.last = value.map(|it| {
            let published = Published { value: it.value.get(), band };
            (published, it.serve_until)
        });
        if !self.forecasts {
            return;
        }
        // Made beside the evaluation when live, so it counts from the next one on here, too.
        let lead = self.policy.lead_time(None).total();
        if let Some(job) = self.memory.forecast_job(self.policy, lead, true, now) {
            self.memory.take_forecast(job.run());
        }
    }

    /// What the newest forecast leaves open.
    fn band(&self) -> Option<Band> {
        let peak = self.memory.forecast().answer()?.peak.as_ref()?;
        let [low, high] = BAND.map(|quantile| peak.quantile(quantile));
        Some(Band { low, high })
    }
}

/// A policy as it is replayed.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The policy.
    pub policy: Policy,
    /// Whether a `rate` step was taken out of it.
    pub had_rate: bool,
    /// Whether it leaves its lead time to be measured, and so takes that of the simulated pods.
    pub takes_over_lead_time: bool,
}

impl Prepared {
    /// A recording holds rates, not counters, so that the filter which makes one from the other has
    /// nothing to do; and the lead time is known, as is what a pod serves where the policy would
    /// learn it.
    #[must_use]
    pub fn of(policy: &Policy, lead_time: Duration, pod_capacity: f64) -> Self {
        let mut policy = policy.clone();
        let steps = policy.smooth.len();
        policy.smooth.retain(|step| !matches!(step, Smoothing::Rate { .. }));
        let mut takes_over_lead_time = false;
        // A policy that names its lead time believes in it, whatever the pods then take.
        if let Some(forecast) = &mut policy.forecast
            && forecast.lead_time == Choice::Auto
        {
            forecast.lead_time = Choice::Given(lead_time);
            takes_over_lead_time = true;
        }
        if policy.capacity.learn.is_some() && policy.capacity.per_pod.is_none() {
            policy.capacity.per_pod = Finite::new(pod_capacity);
        }
        let had_rate = policy.smooth.len() < steps;
        Self { policy, had_rate, takes_over_lead_time }
    }
}
