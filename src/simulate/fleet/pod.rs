//! One pod: when it serves, and what it runs.

use std::collections::VecDeque;
use std::time::Duration;

use super::queue::Cohort;

/// A pod.
#[derive(Debug, Clone)]
pub(super) struct Pod {
    id: u64,
    ready_at: Duration,
    /// The longest running first; that is also the order in which they end.
    cohorts: VecDeque<Cohort>,
    running: u64,
    /// Work done that did not end a request yet: requests times nanoseconds. Whole numbers, so that
    /// a full pod serves exactly concurrency / service time, however time is cut.
    work_done: u128,
}

/// A pod, seen from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PodView {
    /// A number of its own, never used again in the run.
    pub id: u64,
    /// Whether it serves.
    pub ready: bool,
    /// When it began or begins to serve, counted from the start of the run.
    pub ready_at: Duration,
    /// Requests that it runs.
    pub running: u64,
}

impl Pod {
    pub(super) fn new(id: u64, ready_at: Duration) -> Self {
        Self { id, ready_at, cohorts: VecDeque::new(), running: 0, work_done: 0 }
    }

    pub(super) fn is_ready(&self, now: Duration) -> bool {
        self.ready_at <= now
    }

    pub(super) fn running(&self) -> u64 {
        self.running
    }

    pub(super) fn view(&self, now: Duration) -> PodView {
        let Self { id, ready_at, running, .. } = *self;
        PodView { id, ready: self.is_ready(now), ready_at, running }
    }

    pub(super) fn start(&mut self, cohort: Cohort) {
        self.running += cohort.count;
        self.cohorts.push_back(cohort);
    }

    /// Works for a while and gives how many requests ended.
    ///
    /// The work of all running requests goes to one account that pays for one request after the
    /// other. Alone, a request takes the service time; n at once end n times as often, and a pod that
    /// gets no new ones empties slowly, as it does when lengths differ (exponentially, in the limit).
    pub(super) fn work(&mut self, length: Duration, service_time: Duration) -> u64 {
        self.work_done += u128::from(self.running) * length.as_nanos();
        let price = service_time.as_nanos().max(1);
        let ended = u64::try_from(self.work_done / price).unwrap_or(u64::MAX).min(self.running);
        self.work_done -= u128::from(ended) * price;
        self.running -= ended;
        if self.running == 0 {
            // Nobody is left whose work it could be.
            self.work_done = 0;
        }
        self.forget_oldest(ended);
        ended
    }

    /// What was running when the pod went away.
    pub(super) fn into_running(self) -> VecDeque<Cohort> {
        self.cohorts
    }

    fn forget_oldest(&mut self, count: u64) {
        let mut left = count;
        while left > 0 {
            let Some(oldest) = self.cohorts.front_mut() else { return };
            let ended = oldest.count.min(left);
            oldest.count -= ended;
            left -= ended;
            if oldest.count == 0 {
                self.cohorts.pop_front();
            }
        }
    }
}
