//! The judge: what a way of publishing a metric would have cost, and how much work would have waited.
//!
//! In: a setting (the autoscaler and the length of a step), a workload (demand and the pods that
//! serve it), and for every step the value that would have been published then. Out: per day and in
//! total the work, what of it was late, the pod-seconds paid and how much the replica count moved.
//!
//! `fluid` and `requests` are the workloads, `recorded` makes demand from what was recorded, `oracle`
//! knows the best there could be, and `frontier` and `choose` compare ways of publishing.
//!
//! A step is one sync of the autoscaler. Steps are counted from the start of the demand, which is a
//! midnight for whoever asks for days. Within one: pods become ready, the value is published, the
//! autoscaler syncs, pods are asked for or removed, and the step's work arrives and is served.
//!
//! Never: knowledge of how a value is made, or a look at demand on behalf of who publishes.

use std::ops::Range;
use std::time::Duration;

use super::SimulateError;
use super::hpa::lean::Lean;
use super::hpa::{ControllerSettings, HpaSpec};

pub mod choose;
pub mod fluid;
pub mod frontier;
pub mod lead_time;
pub mod oracle;
pub mod recorded;
pub mod requests;

mod totals;

pub use self::totals::{Run, Totals};

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;

/// The most replicas an autoscaler under judgement may ask for, so that an absurd value does not
/// exhaust memory.
pub const REPLICAS_MAX: i32 = 10_000;

/// What all runs that are compared have in common.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// The autoscaler, on one External metric with an AverageValue target.
    pub hpa: HpaSpec,
    /// The controller's flags.
    pub controller: ControllerSettings,
    /// The length of a step, which is the distance of two syncs.
    pub step: Duration,
    /// How many steps make a day of the totals.
    pub steps_per_day: usize,
    /// The steps to run; those before are history.
    pub steps: Range<usize>,
}

/// What is known at the beginning of a step, before the autoscaler syncs.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Seen {
    /// Pods that serve.
    pub ready: u32,
    /// Pods that exist, starting ones included.
    pub wanted: u32,
    /// What waits, counted: requests, or the backlog where work is fluid.
    pub waiting: f64,
    /// The work that waits: the demand's unit times seconds.
    pub backlog: f64,
    /// The work in service, in the demand's unit.
    pub in_service: f64,
}

/// What became of one step's work.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Served {
    /// The work that arrived: requests, or the demand's unit times seconds.
    pub work: f64,
    /// That of it of which it is known already that it waits too long.
    pub late: f64,
    /// The work that was turned away; it is late, too.
    pub lost: f64,
    /// The longest wait that was seen, in seconds.
    pub wait_seconds: f64,
}

/// Everything about one step, for plots.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moment {
    /// The step.
    pub step: usize,
    /// The demand in it.
    pub demand: f64,
    /// What was published, if anything.
    pub published: Option<f64>,
    /// What was known when it was.
    pub seen: Seen,
    /// The replica count after the sync.
    pub replicas: u32,
    /// What became of the work.
    pub served: Served,
}

/// Demand, and the pods that serve it.
pub trait Workload {
    /// The demand in a step, in its own unit: the work in service if all were served on arrival.
    fn demand(&self, step: usize) -> f64;
    /// The pods that demand keeps busy; at least 0.
    fn need(&self, step: usize) -> u32;
    /// Forgets an earlier run and begins a new one at this step with so many pods, all ready.
    fn begin(&mut self, step: usize, pods: u32);
    /// Opens a step: pods become ready, and what is seen is counted.
    fn open(&mut self, step: usize) -> Seen;
    /// Asks for pods or removes them; gives the pod-seconds for which removed pods still exist.
    fn scale_to(&mut self, step: usize, pods: u32) -> f64;
    /// Lets the step's work arrive and be served.
    fn serve(&mut self, step: usize) -> Served;
    /// Ends the run after its last step: gives the work that waits.
    fn end(&mut self, step: usize) -> Unserved;
    /// Tells of work that arrived in an earlier step and turned out to be late since this was last
    /// asked: the step of arrival, and how much. Lateness belongs to the day on which the work came,
    /// or a day could be late by more than its work.
    fn settle(&mut self, book: impl FnMut(usize, f64));
}

/// What waits when a run ends, in the workload's unit of work.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Unserved {
    /// All of it.
    pub waiting: f64,
    /// How long the first of it has waited, in seconds.
    pub wait_seconds: f64,
}

impl Setting {
    /// The same setting without tolerance, for who publishes exact needs.
    #[must_use]
    pub fn without_tolerance(&self) -> Self {
        let mut setting = self.clone();
        setting.controller.tolerance = 0.0;
        if let Some(behavior) = &mut setting.hpa.behavior {
            behavior.scale_up.tolerance = Some(0.0);
            behavior.scale_down.tolerance = Some(0.0);
        }
        setting
    }

    fn check(&self) -> Result<(), SimulateError> {
        let Self { hpa, controller: _, step: _, steps_per_day, steps } = self;
        let out_of_range = |setting, value: String, allowed| {
            Err(SimulateError::OutOfRange { setting, value, allowed })
        };
        if hpa.max_replicas > REPLICAS_MAX {
            return out_of_range("max_replicas", hpa.max_replicas.to_string(), "at most 10000");
        }
        if *steps_per_day == 0 {
            return out_of_range("steps_per_day", steps_per_day.to_string(), "at least 1");
        }
        // The lean autoscaler counts syncs in 32 bits.
        if u32::try_from(steps.end).is_err() {
            return out_of_range("steps", format!("{steps:?}"), "at most 4294967295");
        }
        Ok(())
    }
}

/// Runs a workload under the autoscaler; `publish` gives each step's value.
///
/// The run begins with the pods that its first step needs, all ready.
///
/// # Errors
/// When the setting lies outside its range.
pub fn run(
    setting: &Setting,
    workload: &mut impl Workload,
    publish: impl FnMut(usize, &Seen) -> Option<f64>,
) -> Result<Run, SimulateError> {
    watch(setting, workload, publish, |_| {})
}

/// Like [`run`], and tells every moment.
///
/// # Errors
/// When the setting lies outside its range.
pub fn watch(
    setting: &Setting,
    workload: &mut impl Workload,
    mut publish: impl FnMut(usize, &Seen) -> Option<f64>,
    mut tell: impl FnMut(&Moment),
) -> Result<Run, SimulateError> {
    setting.check()?;
    let Setting { hpa, controller, step: length, steps_per_day, steps } = setting;
    let need = i32::try_from(workload.need(steps.start)).unwrap_or(REPLICAS_MAX);
    let first = need.max(hpa.min_replicas()).min(hpa.max_replicas);
    let mut autoscaler = Lean::new(hpa, *controller, *length, first)?;
    let mut replicas = count(first);
    workload.begin(steps.start, replicas);
    let mut run = Run::new(steps.start, *steps_per_day);
    for step in steps.clone() {
        let seen = workload.open(step);
        let published = publish(step, &seen);
        let before = replicas;
        replicas = count(autoscaler.sync(published));
        let mut pod_seconds = f64::from(replicas) * length.as_secs_f64();
        if replicas != before {
            pod_seconds += workload.scale_to(step, replicas);
        }
        let served = workload.serve(step);
        run.add(step, &served, pod_seconds);
        workload.settle(|arrival, late| run.late(arrival, late));
        run.moved(before, replicas);
        tell(&Moment { step, demand: workload.demand(step), published, seen, replicas, served });
    }
    run.end(workload.end(steps.end));
    workload.settle(|arrival, late| run.late(arrival, late));
    Ok(run)
}

/// What is published when the value may not fall below its own maximum over so many steps, that of
/// the moment included; of 0 or 1 it is the value itself. A failed value is not replaced.
pub fn held(
    steps: u32,
    mut publish: impl FnMut(usize, &Seen) -> Option<f64>,
) -> impl FnMut(usize, &Seen) -> Option<f64> {
    let mut hold = Hold::new(steps);
    move |step, seen| hold.publish(steps, step, publish(step, seen))
}

/// The values published in the recent past.
#[derive(Debug, Clone)]
struct Hold(super::window::SlidingMax<f64>);

impl Hold {
    fn new(steps: u32) -> Self {
        Self(super::window::SlidingMax::new(steps.max(1)))
    }

    /// Takes a step's value and gives the largest of the last so many steps.
    fn publish(&mut self, steps: u32, step: usize, value: Option<f64>) -> Option<f64> {
        let value = value.filter(|value| value.is_finite())?;
        let step = u32::try_from(step).unwrap_or(u32::MAX);
        self.0.push(step, value);
        self.0.max_within(steps.max(1), step)
    }
}

/// A replica count of the controller, which is never negative.
fn count(replicas: i32) -> u32 {
    u32::try_from(replicas).unwrap_or(0)
}

/// The greater of two numbers; the first if they do not compare.
fn greater(a: f64, b: f64) -> f64 {
    if b > a { b } else { a }
}

/// The lesser of two numbers; the first if they do not compare.
fn lesser(a: f64, b: f64) -> f64 {
    if b < a { b } else { a }
}
