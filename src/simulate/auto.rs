//! What `auto` does: of many ways of publishing, the one that would have cost least on the metric's
//! own history while keeping late work within the objective.
//!
//! In: the history of a metric on its grid, how far ahead a forecast looks, and what pods and
//! objective are like. Out: model, quantile, headroom and down window. Every candidate is judged by
//! the same simulation: the value that it would have published at each sync, the autoscaler's
//! arithmetic, and pods that take their lead time. Forecasts are those that would have been made
//! then. Never: chance, a clock, or knowledge of the future.

pub mod candidates;
pub mod foretold;
pub mod search;

use std::ops::Range;
use std::time::Duration;

use crate::forecast::past::{SEASON, Steps};
use crate::pipeline::forecast::{Chosen, Given};
use crate::simulate::SimulateError;

use self::candidates::Candidate;
use self::foretold::Foretold;
use self::search::Search;
use super::hpa::behavior::Behavior;
use super::hpa::metric::{MetricSpec, TotalTarget};
use super::hpa::{ControllerSettings, HpaSpec};
use super::judge::choose::{Record, Rule};
use super::judge::fluid::{Fluid, FluidSettings};
use super::judge::lead_time::LeadTime;
use super::judge::{Run, Seen, Setting, held, run};

#[cfg(test)]
mod tests;

/// Syncs of the autoscaler in one step of the history: every 15 s where the season is a day.
pub const SYNCS_PER_STEP: usize = SYNCS as usize;
const SYNCS: u32 = 4;
/// How much a day counts relative to the day after it. Loads change, and a choice by all days alike
/// follows too late; one by the last few days forgets what is rare. Found by simulation.
const DECAY: f64 = 0.85;
/// As how many days before the first judged one it counts what a forecast is expected to make late.
/// Found by simulation; anything from 10 to 12 does.
const EXPECTED_DAYS: f64 = 10.0;
/// Steps of history before the first forecast is judged: a season, and the moments that a model
/// needs of the next.
pub const WARM_UP: usize = 2 * SEASON;
/// Seasons that have to be judged before there is a choice.
const SEASONS_MIN: usize = 1;
/// The 99.5th percentile of the history in pods, where nobody says what a pod serves.
const PODS_ASSUMED: f64 = 40.0;
/// More pods than the autoscaler of the simulation may ask for, as a multiple of the highest need.
const PODS_MAX_FACTOR: f64 = 10.0;
/// Syncs until the backlog shows in what is published: a scrape and an evaluation.
const BACKLOG_DELAY: usize = 2;

/// What is to be chosen for.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The history, oldest first.
    pub steps: Steps<'a>,
    /// The length of a step.
    pub step: Duration,
    /// How many steps ahead forecasts look.
    pub horizon: usize,
    /// From asking for a pod until it serves.
    pub lead_time: Duration,
    /// The value that one pod serves when it is full; a fortieth of the history's 99.5th percentile
    /// where it is not known.
    pub pod_capacity: Option<f64>,
    /// Work that waits longer than this is late.
    pub max_wait: Duration,
    /// The share of the work that may be late.
    pub late_share: f64,
    /// In which time the metric asks for what waits to be worked off, as in-flight plus waiting
    /// requests do; `None` where it does not show what waits.
    pub drain: Option<Duration>,
    /// The stabilization window for scaling down; the controller's own where it is not known.
    pub down_stabilization: Option<Duration>,
    /// What is not to be chosen, because the policy gives it.
    pub given: Given,
}

/// What was chosen, and what it would have cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Choice {
    /// The choice.
    pub chosen: Chosen,
    /// The share of late work that it would have had over the days judged, later days counting more.
    pub late_share: f64,
    /// Its pod-seconds relative to the cheapest choice without a forecast.
    pub cost_to_naive: f64,
    /// How many seasons were judged.
    pub seasons: usize,
}

/// The ground on which candidates compete.
#[derive(Debug)]
pub struct Ground {
    setting: Setting,
    demand: Vec<f64>,
    observed: Vec<f64>,
    foretold: Foretold,
    lead_time: Duration,
    fluid: FluidSettings,
    drain: Option<Duration>,
    step: Duration,
    given: Given,
}

impl Ground {
    /// Replays the forecasts of this history; `None` when it is too short. Takes a second or two for
    /// two weeks.
    #[must_use]
    pub fn new(question: &Question<'_>) -> Option<Self> {
        let steps = question.steps;
        // Seasons are counted from the end, so that the last one is whole.
        let cut = steps.newest().saturating_sub(steps.oldest()).saturating_add(1) % SEASON as i64;
        let steps = steps.between(steps.oldest().saturating_add(cut), steps.newest());
        let values = filled(steps);
        let seasons = values.len().checked_sub(WARM_UP)? / SEASON;
        if seasons < SEASONS_MIN {
            return None;
        }
        let first = WARM_UP;
        let level = steps.scale().level();
        let capacity = question.pod_capacity.filter(|it| *it > 0.0).unwrap_or(level / PODS_ASSUMED);
        let observed: Vec<f64> = values.iter().map(|value| value / capacity).collect();
        let demand = finer(&observed);
        let foretold = Foretold::replay(steps, first - 1, question, capacity);
        let sync = question.step / SYNCS;
        let peak = observed.iter().copied().fold(1.0, |peak, it| if it > peak { it } else { peak });
        let setting = Setting {
            hpa: autoscaler(peak, question.down_stabilization),
            controller: ControllerSettings::default(),
            step: sync,
            steps_per_day: SEASON * SYNCS_PER_STEP,
            steps: first * SYNCS_PER_STEP..demand.len(),
        };
        let fluid = FluidSettings {
            capacity: 1.0,
            lead_time: LeadTime::Fixed(question.lead_time),
            slo: question.max_wait,
            // What the ready pods need longer for than a step counts as late and is gone.
            backlog_max: question.step,
            step: sync,
        };
        let Question { lead_time, drain, step, given, .. } = *question;
        Some(Self { setting, demand, observed, foretold, lead_time, fluid, drain, step, given })
    }

    /// The seasons that are judged, counted from the ground's first.
    #[must_use]
    pub fn judged(&self) -> Range<usize> {
        let Setting { steps, steps_per_day, .. } = &self.setting;
        steps.start / steps_per_day..steps.end / steps_per_day
    }

    /// What all candidates have in common: the autoscaler, the length of a sync, the days judged.
    #[must_use]
    pub fn setting(&self) -> &Setting {
        &self.setting
    }

    /// Demand at each sync, in pods.
    #[must_use]
    pub fn demand(&self) -> &[f64] {
        &self.demand
    }

    /// What was observed in each step of the history, in pods.
    #[must_use]
    pub fn observed(&self) -> &[f64] {
        &self.observed
    }

    /// The forecasts that were replayed.
    #[must_use]
    pub fn foretold(&self) -> &Foretold {
        &self.foretold
    }

    /// Pods that serve this demand, one value per sync.
    ///
    /// # Errors
    /// When the question's numbers, or a value, lie outside their range.
    pub fn workload<'d>(&self, demand: &'d [f64]) -> Result<Fluid<'d>, SimulateError> {
        Fluid::new(demand, self.fluid)
    }

    /// The ways of publishing that compete.
    #[must_use]
    pub fn candidates(&self) -> Vec<Candidate> {
        candidates::all(self.step, self.given)
    }

    /// What a candidate would have cost.
    ///
    /// # Errors
    /// When the question's numbers lie outside their range.
    pub fn judge(&self, candidate: &Candidate) -> Result<Run, SimulateError> {
        run(&self.setting, &mut self.workload(&self.demand)?, self.publish(candidate))
    }

    /// By what a candidate is chosen that was judged with this run.
    #[must_use]
    pub fn record<'r>(&self, candidate: &Candidate, alone: &'r Run) -> Record<'r> {
        Record { alone, expected_late: candidate.expected_late(self.lead_time) }
    }

    /// What a candidate publishes at each sync, its down window included.
    pub fn publish(&self, candidate: &Candidate) -> impl FnMut(usize, &Seen) -> Option<f64> + '_ {
        let candidate = *candidate;
        let value = move |place, observed| candidate.value_since(&self.foretold, place, observed);
        held(self.hold_syncs(&candidate), self.unheld(self.drain, value))
    }

    /// What is published at each sync before any down window: `value` of a step's place in the
    /// history and what was observed (in it, at the newest sync), and what waits as it is worked
    /// off in `drain`. The newest sync is the one before, as a value is read and then served.
    pub fn unheld<'g>(
        &'g self,
        drain: Option<Duration>,
        mut value: impl FnMut(usize, (f64, f64)) -> f64 + 'g,
    ) -> impl FnMut(usize, &Seen) -> Option<f64> + 'g {
        let mut waiting = [0.0; BACKLOG_DELAY];
        move |sync, seen| {
            // A step is known once it is over.
            let place = (sync / SYNCS_PER_STEP).checked_sub(1)?;
            let observed = *self.observed.get(place)?;
            let newest = *self.demand.get(sync.checked_sub(1)?)?;
            let [oldest, ..] = waiting;
            waiting.rotate_left(1);
            if let Some(last) = waiting.last_mut() {
                *last = seen.backlog;
            }
            let drained = drain.map_or(0.0, |it| oldest / it.as_secs_f64());
            Some(value(place, (observed, newest)) + drained)
        }
    }

    /// For how many syncs a candidate's value does not fall.
    #[must_use]
    pub fn hold_syncs(&self, candidate: &Candidate) -> u32 {
        let steps = candidate.chosen.down_window.as_nanos().div_ceil(self.step.as_nanos().max(1));
        u32::try_from(steps).unwrap_or(u32::MAX).saturating_mul(SYNCS)
    }
}

/// Chooses; `None` when the history is too short.
///
/// # Errors
/// When the question's numbers lie outside their range.
pub fn choose(question: &Question<'_>) -> Result<Option<Choice>, SimulateError> {
    let Some(ground) = Ground::new(question) else { return Ok(None) };
    Search::new(&ground, question.late_share).choose(usize::MAX)
}

/// How `auto` chooses, where so much of the work may be late.
#[must_use]
pub fn rule(late_share_max: f64) -> Rule {
    Rule { late_share_max, decay: DECAY, expected_days: EXPECTED_DAYS }
}

/// The history with every hole filled by the value before it: demand is never nothing.
fn filled(steps: Steps<'_>) -> Vec<f64> {
    let values = (steps.oldest()..=steps.newest()).map(|index| steps.value(index));
    let first = values.clone().flatten().next().unwrap_or(0.0);
    values
        .scan(first, |last, value| {
            *last = value.unwrap_or(*last);
            Some(*last)
        })
        .collect()
}

/// Demand at each sync: straight from the middle of a step to that of the next, for a step of the
/// history is a mean over it.
fn finer(values: &[f64]) -> Vec<f64> {
    let before = values.first().into_iter().chain(values);
    let next = values.iter().skip(1).chain(values.last());
    let steps = before.zip(values).zip(next);
    steps
        .flat_map(|((before, value), next)| {
            (0..SYNCS_PER_STEP).map(move |part| {
                let from_middle = (part as f64 + 0.5) / SYNCS_PER_STEP as f64 - 0.5;
                let slope = if from_middle < 0.0 { value - before } else { next - value };
                value + slope * from_middle
            })
        })
        .collect()
}

/// The autoscaler of the simulation: one pod is one unit of the metric.
fn autoscaler(peak: f64, down_stabilization: Option<Duration>) -> HpaSpec {
    let most = (peak * PODS_MAX_FACTOR).clamp(1.0, f64::from(super::judge::REPLICAS_MAX));
    #[expect(clippy::cast_possible_truncation, reason = "clamped to a replica count")]
    let max_replicas = most as i32;
    let behavior = down_stabilization.map(|window| {
        let mut behavior = Behavior::default();
        behavior.scale_down.stabilization_window = Some(window);
        behavior
    });
    HpaSpec {
        min_replicas: Some(1),
        max_replicas,
        metrics: vec![MetricSpec::External { target: TotalTarget::AverageValue(1_000) }],
        behavior,
    }
}
