//! What a run cost and how well it served.

use std::time::Duration;

/// The totals of a run, from its start.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Totals {
    /// How long the run has lasted.
    pub elapsed: Duration,
    /// Requests that came.
    pub arrived: u64,
    /// Requests that were served to the end.
    pub served: u64,
    /// Requests that waited longer than the SLO, those still waiting included.
    pub late: u64,
    /// The most requests that waited at one moment.
    pub waiting_max: u64,
    /// Waiting summed up over all requests: request-seconds.
    pub waited_seconds: f64,
    /// What is paid for: pods that existed, starting ones included, times seconds.
    pub pod_seconds: f64,
    /// Pods that served, times seconds.
    pub ready_pod_seconds: f64,
    /// How often pods were added.
    pub scale_ups: u64,
    /// How often pods were removed.
    pub scale_downs: u64,
}

impl Totals {
    /// The share of requests that waited longer than the SLO, 0 to 1; 0 if none came.
    #[must_use]
    pub fn late_share(&self) -> f64 {
        if self.arrived == 0 { 0.0 } else { self.late as f64 / self.arrived as f64 }
    }

    /// The mean wait of a request, in seconds; 0 if none came.
    #[must_use]
    pub fn mean_wait_seconds(&self) -> f64 {
        if self.arrived == 0 { 0.0 } else { self.waited_seconds / self.arrived as f64 }
    }

    /// How often the number of pods changed.
    #[must_use]
    pub fn scale_events(&self) -> u64 {
        self.scale_ups + self.scale_downs
    }

    pub(super) fn note_waiting(&mut self, waiting: u64) {
        self.waiting_max = self.waiting_max.max(waiting);
    }
}
