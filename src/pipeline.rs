//! From samples to a value worth publishing: combine → smooth → forecast → emit → guard, one policy
//! at a time.
//!
//! In come a policy, what is known about its signals, and what was remembered from the last run;
//! out comes an `Outcome`. Total: whatever is wrong becomes an absence with its reason. Never
//! does I/O and never asks the time, so that the simulator runs the very same code.

pub mod capacity;
pub mod combine;
pub mod emit;
pub mod facts;
pub mod forecast;
pub mod guard;
pub mod outcome;
pub mod smooth;
pub mod trace;

use crate::domain::finite::Finite;
use crate::domain::limits;
use crate::domain::metric::Subject;
use crate::domain::name::ObjectName;
use crate::domain::sample::Sample;
use crate::domain::supply::Supply;
use crate::pipeline::capacity::Learned;
use crate::pipeline::combine::Combined;
use crate::pipeline::emit::Emission;
use crate::pipeline::facts::{Facts, Pods, Rates};
use crate::pipeline::forecast::{Done, Due, Job, Stage, Told};
use crate::pipeline::outcome::{Absence, Foreseen, Outcome, Standing, Value};
use crate::pipeline::smooth::Chain;
use crate::pipeline::trace::{Seen, Traces};
use crate::policy::Policy;
use crate::series::history::History;
use crate::series::{self, Window};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What an evaluation knows beside the signals.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The instant for which it is made.
    pub now: Timestamp,
    /// Who uses the metric, and with which pods; `None` without a cluster, before that is known,
    /// and in the past.
    pub supply: Option<Arc<Supply>>,
}

/// Nothing but the time is known.
impl From<Timestamp> for Surroundings {
    fn from(now: Timestamp) -> Self {
        Self { now, supply: None }
    }
}

/// What a policy remembers between runs: for each object its smoothing and its newest good
/// sample, and the past of its only number where a forecast wants it; beside them the rates of its
/// counters, and what it learned of the capacity of a pod.
#[derive(Debug, Default)]
pub struct Memory {
    objects: BTreeMap<Option<ObjectName>, Remembered>,
    last: Option<Timestamp>,
    history: Option<History>,
    forecast: Stage,
    rates: Rates,
    capacity: Learned,
    traces: Option<Traces>,
}

#[derive(Clone, Debug)]
struct Remembered {
    chain: Chain,
    /// When the newest combined sample was true.
    at: Timestamp,
    /// When its oldest part was taken: how fresh it is, while `at` is its place in the series.
    taken: Timestamp,
    /// The newest that the chain answered; nothing while a rate has only one sample.
    smoothed: Option<Sample>,
}

/// Evaluates `policy`.
pub fn run(
    policy: &Policy,
    window: &Window,
    memory: &mut Memory,
    surroundings: &Surroundings,
) -> Outcome {
    let pods = Pods::known(policy, surroundings);
    memory.rates.take(policy, window, surroundings.now);
    let facts = Facts { policy, window, rates: &memory.rates, pods };
    memory.capacity.observe(&facts);
    let combined = combine::all(&facts);
    evaluate(policy, (window, combined), memory, surroundings)
}

/// The same from samples that are combined already: whoever replays demand has no signals.
pub fn run_combined(
    policy: &Policy,
    combined: Combined,
    memory: &mut Memory,
    surroundings: &Surroundings,
) -> Outcome {
    evaluate(policy, (&Window::default(), combined), memory, surroundings)
}

fn evaluate(
    policy: &Policy,
    (window, combined): (&Window, Combined),
    memory: &mut Memory,
    surroundings: &Surroundings,
) -> Outcome {
    let now = surroundings.now;
    let pods = Pods::known(policy, surroundings);
    for (object, sample) in &combined.samples {
        let taken = combined.taken.get(object).map_or(sample.at, |it| *it);
        memory.take(policy, object, (*sample, taken), now);
    }
    let evicted = memory.forget(|at| guard::is_servable(&policy.guard, at, now));
    let pod_capacity = capacity::of(policy, &memory.capacity, surroundings);
    let emission = Emission::of(policy, pod_capacity, pods);
    let smoothed = memory.objects.iter().filter_map(|(object, it)| Some((object, it.dated()?)));
    let servable: Vec<_> =
        smoothed.filter(|(_, it)| guard::is_servable(&policy.guard, it.at, now)).collect();
    let mut told = None;
    let values: Vec<(Option<ObjectName>, Value)> = servable
        .iter()
        .filter_map(|(object, sample)| {
            if object.is_none() {
                told = memory.told(policy, sample.value, now);
            }
            let value = told.map_or(sample.value, |it| it.value);
            Some((object, emission.apply(Sample { value, ..*sample })?))
        })
        .map(|(object, sample)| ((*object).clone(), guard::apply(&policy.guard, sample, now)))
        .collect();
    let unemitted = || emission.trouble().filter(|_| !servable.is_empty()).map(str::to_owned);
    let nothing = || {
        let mut known = memory.objects.values();
        let is_begun = known.any(|it| guard::is_servable(&policy.guard, it.taken, now));
        let why = if is_begun { "a rate needs a second sample" } else { "no signal has a sample" };
        values.is_empty().then(|| why.to_owned())
    };
    // A value may grow old although every read is good.
    let old = || {
        let is_held = values.iter().all(|(_, it)| it.standing == Standing::Held);
        (is_held && !values.is_empty()).then(|| "the oldest sample is older than maxAge".to_owned())
    };
    let why = combined.trouble.clone().or_else(unemitted).or_else(nothing).or_else(old);
    let absent = why.map(|why| Absence { last: memory.last, why });
    let score = memory.forecast.answer().map(|it| it.verdict);
    let foreseen = told.map(|told| Foreseen { told, score });
    let learned_here = memory.capacity.capacity();
    let outcome = Outcome { values, absent, evicted, foreseen, pod_capacity, learned_here };
    let seen =
        Seen { window, combined: &combined, told, emission, outcome: &outcome, surroundings };
    memory.trace(policy, &seen);
    outcome
}

impl Memory {
    /// Nothing is remembered yet. There is room for traces, and for the past where `policy`
    /// forecasts one number; a default memory has neither.
    #[must_use]
    pub fn new(policy: &Policy) -> Self {
        let forecast = policy.forecast.as_ref().filter(|_| policy.subject != Subject::Pods);
        let steps = limits::HISTORY_STEPS_PER_SEASON;
        let history = forecast.map(|it| History::new(it.season, steps, policy.interval));
        Self { history, traces: Some(Traces::default()), ..Self::default() }
    }

    /// This memory with the past and the traces of `other`, and with what that learned.
    #[must_use]
    pub fn with_history_of(self, other: Self) -> Self {
        let Self { history, forecast, traces, capacity, .. } = other;
        Self { history, forecast, traces, capacity: capacity.settled(), ..self }
    }

    /// The traces of the last evaluations, where they are kept.
    #[must_use]
    pub fn traces(&self) -> Option<&Traces> {
        self.traces.as_ref()
    }

    /// The past of the only number, combined and smoothed.
    #[must_use]
    pub fn history(&self) -> Option<&History> {
        self.history.as_ref()
    }

    /// The same, for a backfill.
    pub fn history_mut(&mut self) -> Option<&mut History> {
        self.history.as_mut()
    }

    /// What one pod serves, as far as that is known.
    #[must_use]
    pub fn pod_capacity(&self, policy: &Policy, surroundings: &Surroundings) -> Option<Finite> {
        capacity::of(policy, &self.capacity, surroundings).map(|it| it.value)
    }

    /// What is forecast.
    #[must_use]
    pub fn forecast(&self) -> &Stage {
        &self.forecast
    }

    /// The same, for whoever chooses and asks for it.
    pub fn forecast_mut(&mut self) -> &mut Stage {
        &mut self.forecast
    }

    /// What `forecast_job` would have to do.
    #[must_use]
    pub fn forecast_due(
        &self,
        policy: &Policy,
        lead: Duration,
        is_whole: bool,
        now: Timestamp,
    ) -> Option<Due> {
        let settings = policy.forecast.as_ref()?;
        self.forecast.due(settings, self.history.as_ref()?, lead, is_whole, now)
    }

    /// The forecast that is due at `now`, with `lead` to look ahead; `is_whole` says whether the
    /// history holds all that its source knows. `None` when nothing is due.
    pub fn forecast_job(
        &mut self,
        policy: &Policy,
        lead: Duration,
        is_whole: bool,
        now: Timestamp,
    ) -> Option<Job> {
        let settings = policy.forecast.as_ref()?;
        self.forecast.job(settings, self.history.as_ref()?, lead, is_whole, now)
    }

    /// Takes the forecast that was made.
    pub fn take_forecast(&mut self, done: Done) {
        self.forecast.take(done);
    }

    /// What the forecast makes of the observed number; `None` where nothing is forecast.
    #[must_use]
    pub fn told(&self, policy: &Policy, observed: Finite, now: Timestamp) -> Option<Told> {
        let settings = policy.forecast.as_ref()?;
        Some(self.forecast.tell(settings, self.history.as_ref()?, observed, now))
    }

    /// The newest combined and smoothed sample of an object.
    #[must_use]
    pub fn smoothed(&self, object: Option<&ObjectName>) -> Option<Sample> {
        self.objects.get(&object.cloned()).and_then(|it| it.smoothed)
    }

    /// The time of the newest combined sample; `None` if there never was one.
    #[must_use]
    pub fn last(&self) -> Option<Timestamp> {
        self.last
    }

    /// Smooths one combined sample. One that is not newer than the last changes nothing.
    fn take(
        &mut self,
        policy: &Policy,
        object: &Option<ObjectName>,
        (sample, taken): (Sample, Timestamp),
        now: Timestamp,
    ) {
        self.last = self.last.max(Some(taken));
        let at = sample.at;
        // A trend may shoot below zero, and nothing that is asked for is less than nothing.
        let raised = |it: Sample| Sample { value: it.value.max(Finite::ZERO), ..it };
        let smoothed = match self.objects.get_mut(object) {
            Some(it) if it.at >= at => return,
            Some(it) => {
                let smoothed = it.chain.step(sample).map(raised);
                (it.at, it.taken) = (at, taken);
                it.smoothed = smoothed.or(it.smoothed);
                smoothed
            }
            None => {
                let mut chain = Chain::new(&policy.smooth);
                let smoothed = chain.step(sample).map(raised);
                self.objects.insert(object.clone(), Remembered { chain, at, taken, smoothed });
                smoothed
            }
        };
        let history = self.history.as_mut().filter(|_| object.is_none());
        if let (Some(history), Some(smoothed)) = (history, smoothed) {
            history.record(smoothed, now);
        }
    }

    /// Forgets the objects of which nothing can be served any more; they are pods that left. The
    /// one number of a metric without objects will come back: a window that forgot its largest
    /// value in an outage would scale down after it. Its filters know how to take a long gap.
    fn forget(&mut self, is_servable: impl Fn(Timestamp) -> bool) -> usize {
        self.objects.retain(|object, it| object.is_none() || is_servable(it.taken));
        series::evict_oldest(&mut self.objects, |it| it.at)
    }
}

impl Remembered {
    /// What came out of smoothing, with the time of its oldest part: what a rate answered earlier is
    /// not made younger by a sample that it has no answer to.
    fn dated(&self) -> Option<Sample> {
        self.smoothed.map(|it| Sample { at: it.at.min(self.taken), ..it })
    }
}

#[cfg(test)]
mod tests;
