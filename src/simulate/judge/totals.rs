//! What a run cost and how well it served, day by day.

use super::{Served, Unserved, greater};

/// The totals of a day, or of several.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Totals {
    /// The work that arrived: requests, or the demand's unit times seconds.
    pub work: f64,
    /// The work that waited longer than the SLO, or was lost.
    pub late: f64,
    /// The work that was turned away because too much waited.
    pub lost: f64,
    /// What is paid for: pods that exist, from creation, times seconds.
    pub pod_seconds: f64,
    /// The longest wait, in seconds.
    pub wait_seconds: f64,
    /// How often the replica count changed.
    pub scale_events: u32,
    /// How often it changed in the other direction than the time before.
    pub flips: u32,
    /// The largest change.
    pub step_max: u32,
}

/// One run of a workload under the autoscaler.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// The day of the first step, counted from the start of the demand.
    pub first_day: usize,
    /// The totals of each day that was run, the first and the last perhaps in part.
    pub days: Vec<Totals>,
    /// How many steps were run.
    pub steps: usize,
    /// The work that still waited when the run ended.
    pub unserved: f64,
    steps_per_day: usize,
    rose: Option<bool>,
}

impl Totals {
    /// The share of the work that was late, 0 to 1; 0 if there was none.
    #[must_use]
    pub fn late_share(&self) -> f64 {
        if self.work > 0.0 { self.late / self.work } else { 0.0 }
    }

    /// GPU-hours at one GPU per pod.
    #[must_use]
    pub fn pod_hours(&self) -> f64 {
        self.pod_seconds / 3_600.0
    }

    /// Adds a part, weighted; maxima and counts are taken as they are.
    pub(super) fn add(&mut self, part: &Self, weight: f64) {
        let Self { work, late, lost, pod_seconds, wait_seconds, scale_events, flips, step_max } =
            part;
        self.work += weight * work;
        self.late += weight * late;
        self.lost += weight * lost;
        self.pod_seconds += weight * pod_seconds;
        self.wait_seconds = greater(self.wait_seconds, *wait_seconds);
        self.scale_events += scale_events;
        self.flips += flips;
        self.step_max = self.step_max.max(*step_max);
    }
}

impl Run {
    pub(super) fn new(first_step: usize, steps_per_day: usize) -> Self {
        Self {
            first_day: first_step / steps_per_day.max(1),
            days: Vec::new(),
            steps: 0,
            unserved: 0.0,
            steps_per_day: steps_per_day.max(1),
            rose: None,
        }
    }

    /// The totals of the whole run.
    #[must_use]
    pub fn total(&self) -> Totals {
        self.since(0)
    }

    /// The totals from a day on, counted from the start of the demand.
    #[must_use]
    pub fn since(&self, day: usize) -> Totals {
        let mut total = Totals::default();
        for part in self.days.iter().skip(day.saturating_sub(self.first_day)) {
            total.add(part, 1.0);
        }
        total
    }

    /// Changes of the replica count per day; 0 for a run without steps.
    #[must_use]
    pub fn scale_events_per_day(&self) -> f64 {
        if self.steps == 0 {
            return 0.0;
        }
        let days = self.steps as f64 / self.steps_per_day as f64;
        f64::from(self.total().scale_events) / days
    }

    /// Adds the next step.
    pub(super) fn add(&mut self, step: usize, served: &Served, pod_seconds: f64) {
        self.steps += 1;
        if (step / self.steps_per_day).saturating_sub(self.first_day) >= self.days.len() {
            self.days.push(Totals::default());
        }
        let Some(day) = self.days.last_mut() else { return };
        let Served { work, late, lost, wait_seconds } = *served;
        day.work += work;
        day.late += late;
        day.lost += lost;
        day.pod_seconds += pod_seconds;
        day.wait_seconds = greater(day.wait_seconds, wait_seconds);
    }

    /// Counts a change of the replica count in the step added last.
    pub(super) fn moved(&mut self, from: u32, to: u32) {
        if from == to {
            return;
        }
        let rises = to > from;
        let flipped = self.rose.is_some_and(|rose| rose != rises);
        self.rose = Some(rises);
        let Some(day) = self.days.last_mut() else { return };
        day.scale_events += 1;
        day.flips += u32::from(flipped);
        day.step_max = day.step_max.max(from.abs_diff(to));
    }

    /// Counts what waits at the end.
    pub(super) fn end(&mut self, unserved: Unserved) {
        self.unserved = unserved.waiting;
        if let Some(day) = self.days.last_mut() {
            day.wait_seconds = greater(day.wait_seconds, unserved.wait_seconds);
        }
    }

    /// Counts work of an earlier step as late on the day of its arrival.
    pub(super) fn late(&mut self, arrival: usize, late: f64) {
        let day = (arrival / self.steps_per_day).saturating_sub(self.first_day);
        if let Some(day) = self.days.get_mut(day) {
            day.late += late;
        }
    }
}
