//! The requests that wait, in groups that arrived together.

use std::collections::VecDeque;
use std::time::Duration;

/// The most groups told apart. A queue that only grows (a load that no fleet serves) gets a group per
/// tick; beyond this many the newest arrivals join the group before them, whose wait is longer.
const COHORTS_MAX: usize = 100_000;

/// The queue.
#[derive(Debug, Clone)]
pub(super) struct Queue {
    slo: Duration,
    /// The next to start first.
    cohorts: VecDeque<Cohort>,
    waiting: u64,
}

/// Requests with one fate: arrived together, started together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cohort {
    /// How many.
    pub(super) count: u64,
    /// Since when they wait; while they run, since when they waited last.
    pub(super) since: Duration,
    /// How long they had waited before.
    pub(super) waited: Duration,
    /// Whether they were counted as late already.
    pub(super) late: bool,
}

/// Requests that leave the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Leaving {
    /// The requests, their wait added up.
    pub(super) started: Cohort,
    /// Whether this wait made them late.
    pub(super) became_late: bool,
}

impl Queue {
    pub(super) fn new(slo: Duration) -> Self {
        Self { slo, cohorts: VecDeque::new(), waiting: 0 }
    }

    pub(super) fn waiting(&self) -> u64 {
        self.waiting
    }

    /// Requests join the end.
    pub(super) fn arrive(&mut self, count: u64, now: Duration) {
        if count == 0 {
            return;
        }
        self.waiting += count;
        let full = self.cohorts.len() >= COHORTS_MAX;
        match self.cohorts.back_mut() {
            Some(last) if full => last.count += count,
            _ => self.cohorts.push_back(Cohort {
                count,
                since: now,
                waited: Duration::ZERO,
                late: false,
            }),
        }
    }

    /// Requests whose pod is gone join the head, the oldest first again.
    pub(super) fn take_back(&mut self, running: VecDeque<Cohort>, now: Duration) {
        for cohort in running.into_iter().rev() {
            self.waiting += cohort.count;
            self.cohorts.push_front(Cohort { since: now, ..cohort });
        }
    }

    /// Up to `count` requests of the group at the head leave; none if nobody waits.
    pub(super) fn leave(&mut self, count: u64, now: Duration) -> Option<Leaving> {
        let head = self.cohorts.front_mut()?;
        let leaving = head.count.min(count);
        let waited = head.waited + now.saturating_sub(head.since);
        let became_late = !head.late && waited > self.slo;
        let late = head.late || became_late;
        let started = Cohort { count: leaving, since: head.since, waited, late };
        head.count -= leaving;
        if head.count == 0 {
            self.cohorts.pop_front();
        }
        self.waiting -= leaving;
        Some(Leaving { started, became_late })
    }

    /// How many wait longer than allowed and will be counted when they leave.
    pub(super) fn late_but_not_counted(&self, now: Duration) -> u64 {
        let late = |cohort: &&Cohort| {
            !cohort.late && cohort.waited + now.saturating_sub(cohort.since) > self.slo
        };
        self.cohorts.iter().filter(late).map(|cohort| cohort.count).sum()
    }
}
