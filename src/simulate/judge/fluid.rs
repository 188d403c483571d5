//! Work as a fluid: demand flows in, every ready pod serves at one rate, and what is too much waits.
//!
//! Work is served in order of arrival. It is late when the work before it takes the pods of that
//! step longer than the SLO; the share of a step's arrivals for which that holds follows from the
//! backlog at its two ends, between which it changes evenly. When more waits than the cap, the
//! surplus is lost and counts as late. A removed pod is gone at once, a starting one before a ready
//! one; a pod serves from the first step that begins once it is ready.

use std::time::Duration;

use super::lead_time::{LeadTime, Starting};
use super::{Seen, Served, Unserved, Workload, greater, lesser};
use crate::simulate::SimulateError;

/// Less than this of a pod's capacity is rounding and needs no pod of its own.
const NEED_SLACK: f64 = 1e-9;

/// What the pods are like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FluidSettings {
    /// The demand that one pod serves when it is full.
    pub capacity: f64,
    /// From asking for a pod to its first work.
    pub lead_time: LeadTime,
    /// Work that waits longer than this is late.
    pub slo: Duration,
    /// How much may wait, as the time that the ready pods need for it (those of one pod if none is
    /// ready); what exceeds it is lost.
    pub backlog_max: Duration,
    /// The length of a step.
    pub step: Duration,
}

/// A fluid workload over recorded demand, one value per step.
#[derive(Debug, Clone)]
pub struct Fluid<'a> {
    demand: &'a [f64],
    settings: FluidSettings,
    step_seconds: f64,
    starting: Starting,
    ready: u32,
    backlog: f64,
    in_service: f64,
}

impl<'a> Fluid<'a> {
    /// A workload over this demand, whose values are numbers and not negative.
    ///
    /// # Errors
    /// When a value or a setting lies outside its range.
    pub fn new(demand: &'a [f64], settings: FluidSettings) -> Result<Self, SimulateError> {
        let FluidSettings { capacity, lead_time, slo: _, backlog_max: _, step } = settings;
        let out_of_range = |setting, value: String, allowed| {
            Err(SimulateError::OutOfRange { setting, value, allowed })
        };
        if !(capacity.is_finite() && capacity > 0.0) {
            return out_of_range("capacity", capacity.to_string(), "a number, more than 0");
        }
        if step.is_zero() {
            return out_of_range("step", format!("{step:?}"), "more than 0");
        }
        if let Some(bad) = demand.iter().find(|value| !(value.is_finite() && **value >= 0.0)) {
            return out_of_range("demand", bad.to_string(), "numbers, 0 or more");
        }
        Ok(Self {
            demand,
            settings,
            step_seconds: step.as_secs_f64(),
            starting: Starting::new(lead_time),
            ready: 0,
            backlog: 0.0,
            in_service: 0.0,
        })
    }

    fn now(&self, step: usize) -> f64 {
        step as f64 * self.step_seconds
    }
}

impl Workload for Fluid<'_> {
    fn demand(&self, step: usize) -> f64 {
        self.demand.get(step).copied().unwrap_or(0.0)
    }

    fn need(&self, step: usize) -> u32 {
        pods_for(self.demand(step), self.settings.capacity)
    }

    fn begin(&mut self, step: usize, pods: u32) {
        self.starting = Starting::new(self.settings.lead_time);
        self.ready = pods;
        self.backlog = 0.0;
        self.in_service = self.demand(step.saturating_sub(1));
    }

    fn open(&mut self, step: usize) -> Seen {
        let now = self.now(step);
        let ready = &mut self.ready;
        self.starting.take_ready(now, |_, pods| *ready += pods);
        Seen {
            ready: self.ready,
            wanted: self.ready + self.starting.pods(),
            waiting: self.backlog,
            backlog: self.backlog,
            in_service: self.in_service,
        }
    }

    fn scale_to(&mut self, step: usize, pods: u32) -> f64 {
        let wanted = self.ready + self.starting.pods();
        if pods > wanted {
            self.starting.ask(self.now(step), pods - wanted);
        } else {
            let surplus = wanted - pods;
            let removed = self.starting.remove_newest(surplus);
            self.ready -= (surplus - removed).min(self.ready);
        }
        0.0
    }

    fn serve(&mut self, step: usize) -> Served {
        let FluidSettings { capacity, slo, backlog_max, .. } = self.settings;
        let demand = self.demand(step);
        let rate = f64::from(self.ready) * capacity;
        let work = demand * self.step_seconds;
        let before = self.backlog;
        let after = greater(before + work - rate * self.step_seconds, 0.0);
        let mut late = work * share_above(before, after, slo.as_secs_f64() * rate);

        let most = backlog_max.as_secs_f64() * f64::from(self.ready.max(1)) * capacity;
        let lost = greater(after - most, 0.0);
        // What is lost beyond this step's arrivals waited before, and was counted as late then.
        late = greater(late, lesser(lost, work));
        self.backlog = after - lost;
        self.in_service = lesser(rate, before / self.step_seconds + demand);
        let wait_seconds = if self.backlog > 0.0 && rate > 0.0 { self.backlog / rate } else { 0.0 };
        Served { work, late, lost, wait_seconds }
    }

    fn end(&mut self, _step: usize) -> Unserved {
        // How long it takes was told with the last step.
        Unserved { waiting: self.backlog, wait_seconds: 0.0 }
    }

    /// Whether work is late is decided when it arrives.
    fn settle(&mut self, _book: impl FnMut(usize, f64)) {}
}

/// The pods that a demand keeps busy.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the conversion saturates at both ends, and no demand is negative"
)]
pub fn pods_for(demand: f64, capacity: f64) -> u32 {
    (demand / capacity - NEED_SLACK).ceil() as u32
}

/// The share of a step in which a backlog that moves evenly between two values is above a limit.
fn share_above(before: f64, after: f64, limit: f64) -> f64 {
    match (before > limit, after > limit) {
        (false, false) => 0.0,
        (true, true) => 1.0,
        (false, true) => (after - limit) / (after - before),
        (true, false) => (before - limit) / (before - after),
    }
}
