//! Requests, one by one, in order of arrival onto the slots of pods.
//!
//! A request starts on the slot that is free first and holds it for its service time; it is late if
//! it waited longer than the SLO, which shows when it starts (or at the end of the run, if it still
//! waits) and counts for the step in which it came. No request is lost: a removed pod takes no new ones and finishes those it has, and it is
//! paid for until then, because its accelerator is not free before. Starting pods are removed before
//! ready ones, the newest first; of the ready ones those with the fewest running, and the newest of
//! equals. A pod serves from the very moment at which it is ready.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::time::Duration;

use super::lead_time::{LeadTime, Starting};
use super::recorded::{Offered, Request, check};
use super::{Seen, Served, Unserved, Workload, greater};
use crate::simulate::SimulateError;

#[cfg(test)]
mod tests;

/// What the pods are like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RequestSettings {
    /// How many requests a pod serves at once.
    pub concurrency: u32,
    /// From asking for a pod to its first request.
    pub lead_time: LeadTime,
    /// A request that waits longer than this is late.
    pub slo: Duration,
    /// The length of a step.
    pub step: Duration,
}

/// A workload of single requests; its unit of work is one request, that of its demand one request
/// in service.
#[derive(Debug, Clone)]
pub struct Requests<'a> {
    requests: &'a [Request],
    offered: &'a Offered,
    settings: RequestSettings,
    step_seconds: f64,
    slo_seconds: f64,
    starting: Starting,
    /// The slots of the ready pods, the one that is free first on top.
    slots: BinaryHeap<Slot>,
    ready: u32,
    next_pod: u64,
    /// When the requests on removed pods end.
    draining: Vec<f64>,
    /// How many requests have come, and how many of them have started.
    arrived: usize,
    started: usize,
    waiting_work: f64,
    /// The steps of arrival of those that turned out to be late after it, not yet told.
    late_of_before: Vec<usize>,
}

/// One slot of a ready pod.
#[derive(Debug, Clone, Copy)]
struct Slot {
    free_at: f64,
    pod: u64,
}

impl<'a> Requests<'a> {
    /// A workload of these requests; `offered` is what [`Offered::of`] counts for them, at the same
    /// length of a step.
    ///
    /// # Errors
    /// When requests are not in order of arrival or have bad times, or a setting is 0.
    pub fn new(
        requests: &'a [Request],
        offered: &'a Offered,
        settings: RequestSettings,
    ) -> Result<Self, SimulateError> {
        let RequestSettings { concurrency, lead_time, slo, step } = settings;
        check(requests)?;
        let zero = |setting, value: String| {
            Err(SimulateError::OutOfRange { setting, value, allowed: "more than 0" })
        };
        if concurrency == 0 {
            return zero("concurrency", concurrency.to_string());
        }
        if step.is_zero() {
            return zero("step", format!("{step:?}"));
        }
        Ok(Self {
            requests,
            offered,
            settings,
            step_seconds: step.as_secs_f64(),
            slo_seconds: slo.as_secs_f64(),
            starting: Starting::new(lead_time),
            slots: BinaryHeap::new(),
            ready: 0,
            next_pod: 0,
            draining: Vec::new(),
            arrived: 0,
            started: 0,
            waiting_work: 0.0,
            late_of_before: Vec::new(),
        })
    }

    fn now(&self, step: usize) -> f64 {
        step as f64 * self.step_seconds
    }

    /// The step in which an instant lies: that whose beginning is the last one not after it.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the conversion saturates at both ends, and no arrival is negative"
    )]
    fn step_of(&self, instant: f64) -> usize {
        let step = (instant / self.step_seconds) as usize;
        // A quotient is rounded, a beginning is what decides which requests a step takes.
        match step {
            it if self.now(it) > instant => it.saturating_sub(1),
            it if self.now(it.saturating_add(1)) <= instant => it.saturating_add(1),
            it => it,
        }
    }

    fn become_ready(&mut self, by: f64) {
        let Self { starting, slots, ready, next_pod, settings, .. } = self;
        starting.take_ready(by, |ready_at, pods| {
            for _ in 0..pods {
                let slot = Slot { free_at: ready_at, pod: *next_pod };
                slots.extend((0..settings.concurrency).map(|_| slot));
                *next_pod += 1;
            }
            *ready += pods;
        });
    }

    /// Removes ready pods, and gives the pod-seconds for which they still exist.
    fn drain(&mut self, now: f64, pods: u32) -> f64 {
        // Each pod's running requests, and when the last of them ends.
        let mut busy: BTreeMap<u64, (u32, f64)> = BTreeMap::new();
        for slot in &self.slots {
            let (running, last) = busy.entry(slot.pod).or_insert((0, now));
            *running += u32::from(slot.free_at > now);
            *last = greater(*last, slot.free_at);
        }
        let mut order: Vec<(u32, u64, f64)> =
            busy.into_iter().map(|(pod, (running, last))| (running, pod, last)).collect();
        order.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
        order.truncate(usize::try_from(pods).unwrap_or(usize::MAX));
        let removed: BTreeSet<u64> = order.iter().map(|(_, pod, _)| *pod).collect();
        let draining = &mut self.draining;
        self.slots.retain(|slot| {
            let stays = !removed.contains(&slot.pod);
            if !stays && slot.free_at > now {
                draining.push(slot.free_at);
            }
            stays
        });
        self.ready -= pods.min(self.ready);
        order.iter().map(|(_, _, last)| last - now).sum()
    }
}

impl Workload for Requests<'_> {
    fn demand(&self, step: usize) -> f64 {
        self.offered.mean.get(step).copied().unwrap_or(0.0)
    }

    fn need(&self, step: usize) -> u32 {
        let peak = self.offered.peak.get(step).copied().unwrap_or(0);
        peak.div_ceil(self.settings.concurrency)
    }

    fn begin(&mut self, step: usize, pods: u32) {
        let now = self.now(step);
        self.starting = Starting::new(self.settings.lead_time);
        self.slots.clear();
        self.draining.clear();
        (self.ready, self.next_pod) = (pods, u64::from(pods));
        for pod in 0..u64::from(pods) {
            let slot = Slot { free_at: now, pod };
            self.slots.extend((0..self.settings.concurrency).map(|_| slot));
        }
        // What came before is not the run's.
        self.arrived = self.requests.partition_point(|request| request.arrival < now);
        self.started = self.arrived;
        self.waiting_work = 0.0;
        self.late_of_before.clear();
    }

    fn open(&mut self, step: usize) -> Seen {
        let now = self.now(step);
        self.become_ready(now);
        self.draining.retain(|ends| *ends > now);
        let busy = self.slots.iter().filter(|slot| slot.free_at > now).count();
        Seen {
            ready: self.ready,
            wanted: self.ready + self.starting.pods(),
            waiting: (self.arrived - self.started) as f64,
            backlog: self.waiting_work,
            in_service: (busy + self.draining.len()) as f64,
        }
    }

    fn scale_to(&mut self, step: usize, pods: u32) -> f64 {
        let now = self.now(step);
        let wanted = self.ready + self.starting.pods();
        if pods > wanted {
            self.starting.ask(now, pods - wanted);
            return 0.0;
        }
        let surplus = wanted - pods;
        let removed = self.starting.remove_newest(surplus);
        if surplus == removed { 0.0 } else { self.drain(now, surplus - removed) }
    }

    fn serve(&mut self, step: usize) -> Served {
        let (begin, end) = (self.now(step), self.now(step + 1));
        // A pod that is ready just when the step ends belongs to the next one.
        self.become_ready(end.next_down());
        let mut served = Served::default();
        let come = self.requests.get(self.arrived..).unwrap_or_default();
        for request in come.iter().take_while(|request| request.arrival < end) {
            served.work += 1.0;
            self.waiting_work += request.service;
            self.arrived += 1;
        }
        let waiting = self.requests.get(self.started..self.arrived).unwrap_or_default();
        for request in waiting {
            let Some(mut slot) = self.slots.peek_mut() else { break };
            let start = greater(request.arrival, slot.free_at);
            if start >= end {
                break;
            }
            slot.free_at = start + request.service;
            drop(slot);
            let wait = start - request.arrival;
            match (wait > self.slo_seconds, request.arrival >= begin) {
                (true, true) => served.late += 1.0,
                (true, false) => self.late_of_before.push(self.step_of(request.arrival)),
                (false, _) => {}
            }
            served.wait_seconds = greater(served.wait_seconds, wait);
            self.waiting_work -= request.service;
            self.started += 1;
        }
        if self.started == self.arrived {
            // Sums and differences of many services leave a rounding error behind.
            self.waiting_work = 0.0;
        }
        served
    }

    fn end(&mut self, step: usize) -> Unserved {
        let now = self.now(step);
        let waiting = self.requests.get(self.started..self.arrived).unwrap_or_default();
        let late = waiting.iter().filter(|request| now - request.arrival > self.slo_seconds);
        let late: Vec<usize> = late.map(|request| self.step_of(request.arrival)).collect();
        self.late_of_before.extend(late);
        Unserved {
            waiting: waiting.len() as f64,
            wait_seconds: waiting.first().map_or(0.0, |first| now - first.arrival),
        }
    }

    fn settle(&mut self, mut book: impl FnMut(usize, f64)) {
        self.late_of_before.drain(..).for_each(|arrival| book(arrival, 1.0));
    }
}

/// The greatest is the slot that is free first, and of equals that of the oldest pod.
impl Ord for Slot {
    fn cmp(&self, other: &Self) -> Ordering {
        other.free_at.total_cmp(&self.free_at).then(other.pod.cmp(&self.pod))
    }
}

impl PartialOrd for Slot {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Slot {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Slot {}
