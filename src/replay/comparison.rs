//! Runs a scenario under each way of publishing and keeps the score.

use super::auto::{self, Dated};
use super::late::{Late, whole};
use super::load::Work;
use super::player::Band;
use super::publisher::Publisher;
use super::scenario::{BACKLOG_MAX, Scenario};
use crate::pipeline::trace::Trace;
use crate::simulate::SimulateError;
use crate::simulate::judge::fluid::{Fluid, FluidSettings};
use crate::simulate::judge::frontier::Frontier;
use crate::simulate::judge::oracle::{Optimum, optimum};
use crate::simulate::judge::requests::{RequestSettings, Requests};
use crate::simulate::judge::{Moment, Run, Setting, Totals, Workload, watch};
use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

#[cfg(test)]
mod tests;

/// The factors on what is published that a sweep tries.
pub const HEADROOMS: [f64; 14] =
    [0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.45, 1.6, 1.8, 2.0, 2.4, 3.0, 4.0];
/// The shares of late work at which a sweep tells the cost.
pub const LATE_SHARES: [f64; 2] = [0.01, 0.005];
/// Progress is told every so many steps.
const TELL_STEPS: u64 = 2_048;

/// Who publishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The policy.
    Policy,
    /// Nobody: the HPA reads what the policy's signals say, with a window of so many seconds for
    /// scaling down.
    Reactive(u64),
    /// One who knows the demand of the next lead time, as an HPA without tolerance can follow it.
    Clairvoyant,
}

/// The ways that are compared, in the order of the table.
pub const WAYS: [Way; 4] =
    [Way::Policy, Way::Reactive(300), Way::Reactive(1_800), Way::Clairvoyant];

/// What became of one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Frame {
    /// The demand in it.
    pub demand: f64,
    /// The pods that it keeps busy.
    pub need: u32,
    /// What was known at its beginning.
    pub observed: f64,
    /// What was published then.
    pub published: Option<f64>,
    /// The forecast around that.
    pub band: Option<Band>,
    /// Pods that serve.
    pub ready: u32,
    /// The replica count after the sync.
    pub wanted: u32,
    /// The longest wait, in seconds.
    pub wait_seconds: f64,
    /// The share of the step's work that is late.
    pub late_share: f64,
}

/// One way and its score.
#[derive(Clone, Debug)]
pub struct Scored {
    /// Who published.
    pub way: Way,
    /// The run, history included.
    pub run: Run,
    /// The periods that count, together.
    pub totals: Totals,
    /// Every step, history included; empty unless asked for.
    pub frames: Vec<Frame>,
}

/// Cost against lateness of one way.
#[derive(Clone, Debug)]
pub struct Swept {
    /// Who published.
    pub way: Way,
    /// Its runs by headroom.
    pub frontier: Frontier,
}

/// All of it.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// In the order of [`WAYS`].
    pub scored: Vec<Scored>,
    /// The offline optimum's pod-seconds over the periods that count.
    pub optimum_seconds: f64,
    /// The same of each period, the first that counts first.
    pub optimum_periods: Vec<f64>,
    /// The sweeps; empty unless asked for.
    pub swept: Vec<Swept>,
    /// What `auto` chose and when; `None` where the policy leaves nothing to choose.
    pub choices: Option<Vec<Dated>>,
    /// How the policy came to its value at the step asked for.
    pub explained: Option<Arc<Trace>>,
}

/// What is wanted beyond the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wants {
    /// Every step, for plots.
    pub frames: bool,
    /// The sweeps.
    pub frontier: bool,
    /// The policy's trace at this step.
    pub explain_at: Option<usize>,
}

/// Compares. `progress` is told now and then how many steps are done, and of how many.
///
/// # Errors
/// When a setting lies outside its range.
pub fn compare(
    scenario: &Scenario,
    wants: Wants,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Comparison, SimulateError> {
    let Wants { frames: with_frames, frontier: with_frontier, explain_at } = wants;
    let steps = u64::try_from(scenario.load.end - scenario.load.first).unwrap_or(u64::MAX);
    let sweeping = WAYS.into_iter().filter(|way| with_frontier && *way != Way::Clairvoyant);
    let runs = WAYS.len() + sweeping.clone().count() * (HEADROOMS.len() - 1);
    let parts = if scenario.left_to_auto().is_some() { auto::PARTS } else { 0 };
    let runs = u64::try_from(runs).unwrap_or(u64::MAX).saturating_add(parts.into());
    let total = steps.saturating_mul(runs);
    let choices =
        auto::choices(scenario, |part| progress(steps.saturating_mul(part.into()), total))?;
    let done = steps.saturating_mul(parts.into());
    let chosen = choices.as_deref().unwrap_or_default();
    let explained = None;
    let mut referee =
        Referee { scenario, choices: chosen, explain_at, explained, done, total, progress };
    let from = scenario.score.from;
    let mut scored = Vec::new();
    for way in WAYS {
        let mut frames = Vec::new();
        let keep = with_frames && way != Way::Clairvoyant;
        let run = referee.run(way, 1.0, keep.then_some(&mut frames))?;
        scored.push(Scored { way, totals: run.since(from), run, frames });
    }
    let mut swept = Vec::new();
    for way in sweeping {
        let known = scored.iter().find(|it| it.way == way).map(|it| it.run.clone());
        let frontier = Frontier::sweep(HEADROOMS, from, |headroom| match &known {
            // The table has this run already.
            Some(run) if headroom.total_cmp(&1.0).is_eq() => Ok(run.clone()),
            _ => referee.run(way, headroom, None),
        })?;
        swept.push(Swept { way, frontier });
    }
    let explained = referee.explained.take();
    let best = best(scenario)?;
    let step = scenario.load.step.as_secs_f64();
    let optimum_periods: Vec<f64> = best.days.iter().map(|pods| pods * step).collect();
    Ok(Comparison {
        scored,
        optimum_seconds: best.pod_steps * step,
        optimum_periods,
        swept,
        choices,
        explained,
    })
}

/// The offline optimum over the periods that count.
fn best(scenario: &Scenario) -> Result<Optimum, SimulateError> {
    let need = need(scenario)?;
    let lead = scenario.lead_time.as_secs_f64() / scenario.load.step.as_secs_f64();
    let steps = scenario.score.first_step()..scenario.load.end;
    Ok(optimum(&need, steps, whole(lead), scenario.score.period))
}

/// The pods that each step needs, at least the autoscaler's fewest.
fn need(scenario: &Scenario) -> Result<Vec<u32>, SimulateError> {
    let least = u32::try_from(scenario.hpa.min_replicas()).unwrap_or(0);
    let of = |workload: &dyn Fn(usize) -> u32| {
        (0..scenario.load.end).map(|step| workload(step).max(least)).collect()
    };
    match &scenario.load.work {
        Work::Requests { requests, offered } => {
            let workload = Requests::new(requests, offered, request_settings(scenario))?;
            Ok(of(&|step| workload.need(step)))
        }
        Work::Samples { demand, .. } => {
            let workload = Fluid::new(demand, fluid_settings(scenario))?;
            Ok(of(&|step| workload.need(step)))
        }
    }
}

fn request_settings(scenario: &Scenario) -> RequestSettings {
    RequestSettings {
        concurrency: scenario.concurrency(),
        lead_time: scenario.lead_times(),
        slo: scenario.slo,
        step: scenario.load.step,
    }
}

fn fluid_settings(scenario: &Scenario) -> FluidSettings {
    FluidSettings {
        capacity: scenario.capacity,
        lead_time: scenario.lead_times(),
        slo: scenario.slo,
        backlog_max: BACKLOG_MAX,
        step: scenario.load.step,
    }
}

/// Runs one way after the other and tells how far it is.
struct Referee<'s, 'p> {
    scenario: &'s Scenario,
    choices: &'s [Dated],
    explain_at: Option<usize>,
    explained: Option<Arc<Trace>>,
    done: u64,
    total: u64,
    progress: &'p mut dyn FnMut(u64, u64),
}

impl Referee<'_, '_> {
    fn run(
        &mut self,
        way: Way,
        headroom: f64,
        frames: Option<&mut Vec<Frame>>,
    ) -> Result<Run, SimulateError> {
        let scenario = self.scenario;
        match &scenario.load.work {
            Work::Requests { requests, offered } => {
                let workload = Requests::new(requests, offered, request_settings(scenario))?;
                self.run_on(workload, way, headroom, frames)
            }
            Work::Samples { demand, .. } => {
                let workload = Fluid::new(demand, fluid_settings(scenario))?;
                self.run_on(workload, way, headroom, frames)
            }
        }
    }

    fn run_on(
        &mut self,
        mut workload: impl Workload,
        way: Way,
        headroom: f64,
        mut frames: Option<&mut Vec<Frame>>,
    ) -> Result<Run, SimulateError> {
        let Self { scenario, explain_at, .. } = *self;
        let setting = setting(scenario, way);
        let mut publisher = Publisher::new(scenario, self.choices, way, &workload);
        let needs: Vec<u32> = match frames {
            Some(_) => (0..scenario.load.end).map(|step| workload.need(step)).collect(),
            None => Vec::new(),
        };
        // What one closure sees, the other one writes down.
        let known: Cell<(f64, Option<Band>)> = Cell::new((0.0, None));
        let mut late = Late::new(scenario);
        let publish = |step: usize, seen: &_| {
            let observed = late.known(scenario.observed(step, seen));
            let published = publisher.publish(step, observed);
            if explain_at == Some(step) && self.explained.is_none() {
                self.explained = publisher.trace();
            }
            known.set((observed, published.and_then(|it| it.band)));
            published.map(|it| it.value * headroom)
        };
        let tell = |moment: &Moment| {
            self.done += 1;
            if self.done.is_multiple_of(TELL_STEPS) {
                (self.progress)(self.done, self.total);
            }
            if let Some(frames) = &mut frames {
                let need = needs.get(moment.step).copied().unwrap_or_default();
                frames.push(frame(moment, need, known.get()));
            }
        };
        watch(&setting, &mut workload, publish, tell)
    }
}

fn setting(scenario: &Scenario, way: Way) -> Setting {
    let mut setting = Setting {
        hpa: scenario.hpa.clone(),
        controller: scenario.controller,
        step: scenario.load.step,
        steps_per_day: scenario.score.period,
        steps: scenario.load.first..scenario.load.end,
    };
    match way {
        Way::Policy => setting,
        Way::Clairvoyant => setting.without_tolerance(),
        Way::Reactive(seconds) => {
            let window = Duration::from_secs(seconds);
            match &mut setting.hpa.behavior {
                Some(behavior) => behavior.scale_down.stabilization_window = Some(window),
                None => setting.controller.downscale_stabilization = window,
            }
            setting
        }
    }
}

fn frame(moment: &Moment, need: u32, (observed, band): (f64, Option<Band>)) -> Frame {
    let Moment { step: _, demand, published, seen, replicas, served } = *moment;
    Frame {
        demand,
        need,
        observed,
        published,
        band,
        ready: seen.ready,
        wanted: replicas,
        wait_seconds: served.wait_seconds,
        late_share: if served.work > 0.0 { served.late / served.work } else { 0.0 },
    }
}
