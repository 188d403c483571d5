//! A fleet of model servers behind one queue, stepped through time.
//!
//! In: how many pods are wanted, how long a step is and how many requests arrive in it. Out: what
//! waits and what runs now, pod by pod, and the totals of the run. A pod asked for now serves after
//! the lead time; it runs up to `concurrency` requests at once, each for `service_time` in the mean.
//! Requests wait in order of arrival and go to the pod with the fewest running. Those of a removed
//! pod lose their work and go back to the head of the queue.
//!
//! Left out: requests that give up, batches that slow each other down, pods that fail.

use std::collections::VecDeque;
use std::time::Duration;

use super::SimulateError;

use self::pod::Pod;
use self::queue::Queue;

mod pod;
mod queue;
mod totals;

pub use self::pod::PodView;
pub use self::totals::Totals;

#[cfg(test)]
mod closed_loop;
#[cfg(test)]
mod tests;

/// The most pods a fleet has, so that an autoscaler's absurd wish (the arithmetic reaches 2^31) does
/// not exhaust memory.
pub const PODS_MAX: u32 = 10_000;
/// Requests begin and end at moments at most this far apart.
const TICK_MAX: Duration = Duration::from_secs(1);
/// And at most this share of the service time apart, so that waiting is not rounded away.
const TICKS_PER_SERVICE: u32 = 4;
/// The most moments in one step; longer steps are coarser.
const TICKS_PER_STEP_MAX: u128 = 1_000;
/// The shortest service time; below it the moments would be too many to step through.
const SERVICE_TIME_MIN: Duration = Duration::from_millis(1);

/// What a fleet is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FleetSettings {
    /// From asking for a pod to its first request.
    pub lead_time: Duration,
    /// How many requests a pod runs at once.
    pub concurrency: u32,
    /// How long a request runs, in the mean.
    pub service_time: Duration,
    /// A request that waits longer than this is late.
    pub slo: Duration,
    /// How many pods there are, ready, when the run begins.
    pub replicas: u32,
}

/// A fleet at one moment of a run.
#[derive(Debug, Clone)]
pub struct Fleet {
    settings: FleetSettings,
    now: Duration,
    /// Oldest first.
    pods: VecDeque<Pod>,
    next_pod: u64,
    queue: Queue,
    totals: Totals,
}

impl Fleet {
    /// A fleet without load, at time 0.
    ///
    /// # Errors
    /// When a setting lies outside its range.
    pub fn new(settings: FleetSettings) -> Result<Self, SimulateError> {
        let FleetSettings { lead_time: _, concurrency, service_time, slo, replicas } = settings;
        let out_of_range = |setting, value: String, allowed| {
            Err(SimulateError::OutOfRange { setting, value, allowed })
        };
        if concurrency == 0 {
            return out_of_range("concurrency", concurrency.to_string(), "at least 1");
        }
        if service_time < SERVICE_TIME_MIN {
            return out_of_range("service_time", format!("{service_time:?}"), "at least 1 ms");
        }
        if replicas > PODS_MAX {
            return out_of_range("replicas", replicas.to_string(), "at most 10000");
        }
        let pods: VecDeque<Pod> =
            (0..u64::from(replicas)).map(|id| Pod::new(id, Duration::ZERO)).collect();
        Ok(Self {
            settings,
            now: Duration::ZERO,
            next_pod: u64::from(replicas),
            pods,
            queue: Queue::new(slo),
            totals: Totals::default(),
        })
    }

    /// Asks for pods or removes them, and gives how many are wanted now: what was asked, at most
    /// [`PODS_MAX`]. Starting pods are removed before ready ones, and newer before older.
    pub fn scale_to(&mut self, wanted: u32) -> u32 {
        let wanted = wanted.min(PODS_MAX);
        let before = self.wanted();
        self.totals.scale_ups += u64::from(wanted > before);
        self.totals.scale_downs += u64::from(wanted < before);
        for _ in before..wanted {
            self.pods.push_back(Pod::new(self.next_pod, self.now + self.settings.lead_time));
            self.next_pod += 1;
        }
        // All pods take the same lead time, so the newest are also those still starting.
        for _ in wanted..before {
            let Some(removed) = self.pods.pop_back() else { break };
            self.queue.take_back(removed.into_running(), self.now);
        }
        self.totals.note_waiting(self.queue.waiting());
        wanted
    }

    /// Lets time pass while requests arrive, evenly over the step. Nothing happens if `dt` is zero
    /// and nothing arrives.
    pub fn step(&mut self, dt: Duration, arrivals: u64) {
        let ticks = self.ticks_of(dt);
        let tick = dt / ticks;
        let mut arrived = 0;
        for place in 1..=ticks {
            let due = share(arrivals, place, ticks);
            // The last tick takes what the division left over.
            let length = if place == ticks { dt - tick * (ticks - 1) } else { tick };
            self.tick(length, due - arrived);
            arrived = due;
        }
    }

    /// The simulated time, counted from the start of the run.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.now
    }

    /// Requests that wait for a slot.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.queue.waiting()
    }

    /// Requests that run.
    #[must_use]
    pub fn running(&self) -> u64 {
        self.pods.iter().map(Pod::running).sum()
    }

    /// Pods that exist, starting ones included.
    #[must_use]
    pub fn wanted(&self) -> u32 {
        u32::try_from(self.pods.len()).unwrap_or(u32::MAX)
    }

    /// Pods that serve.
    #[must_use]
    pub fn ready(&self) -> u32 {
        let ready = self.pods.iter().filter(|pod| pod.is_ready(self.now)).count();
        u32::try_from(ready).unwrap_or(u32::MAX)
    }

    /// Every pod, oldest first.
    pub fn pods(&self) -> impl Iterator<Item = PodView> + '_ {
        self.pods.iter().map(|pod| pod.view(self.now))
    }

    /// The totals since the start of the run.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let still_late = self.queue.late_but_not_counted(self.now);
        Totals { late: self.totals.late + still_late, elapsed: self.now, ..self.totals }
    }

    /// Free slots are filled, time passes, work that is done ends; then arrivals queue up and start
    /// if they can. Arrivals come last so that what is seen between two steps is what Little's law
    /// says: as many run as arrive within one service time.
    fn tick(&mut self, length: Duration, arrivals: u64) {
        self.fill();
        let seconds = length.as_secs_f64();
        self.totals.waited_seconds += self.queue.waiting() as f64 * seconds;
        self.totals.pod_seconds += f64::from(self.wanted()) * seconds;
        self.totals.ready_pod_seconds += f64::from(self.ready()) * seconds;
        for pod in &mut self.pods {
            self.totals.served += pod.work(length, self.settings.service_time);
        }
        self.now += length;

        self.totals.arrived += arrivals;
        self.queue.arrive(arrivals, self.now);
        // Slots that came free are taken at once: a full fleet with a queue stays full.
        self.fill();
        self.totals.note_waiting(self.queue.waiting());
    }

    /// Moves waiting requests to the ready pods so that they end up as even as can be.
    fn fill(&mut self) {
        let (now, concurrency) = (self.now, u64::from(self.settings.concurrency));
        let mut ready: Vec<&mut Pod> =
            self.pods.iter_mut().filter(|pod| pod.is_ready(now)).collect();
        let free: u64 = ready.iter().map(|pod| concurrency.saturating_sub(pod.running())).sum();
        let mut to_start = self.queue.waiting().min(free);
        if to_start == 0 {
            return;
        }
        let room_below = |level: u64, pods: &[&mut Pod]| -> u64 {
            pods.iter().map(|pod| level.saturating_sub(pod.running())).sum()
        };
        // The highest level to which every pod can be filled; what is left goes one to a pod.
        let (mut level, mut too_high) = (0, concurrency + 1);
        while too_high - level > 1 {
            let middle = level.midpoint(too_high);
            if room_below(middle, &ready) <= to_start {
                level = middle;
            } else {
                too_high = middle;
            }
        }
        for pod in &mut ready {
            let count = level.saturating_sub(pod.running());
            to_start -= count;
            start(&mut self.queue, pod, count, now, &mut self.totals);
        }
        for pod in &mut ready {
            if to_start > 0 && pod.running() == level {
                to_start -= 1;
                start(&mut self.queue, pod, 1, now, &mut self.totals);
            }
        }
    }

    fn ticks_of(&self, dt: Duration) -> u32 {
        let longest = TICK_MAX.min(self.settings.service_time / TICKS_PER_SERVICE);
        let ticks = dt.as_nanos().div_ceil(longest.as_nanos().max(1)).clamp(1, TICKS_PER_STEP_MAX);
        u32::try_from(ticks).unwrap_or(u32::MAX)
    }
}

fn start(queue: &mut Queue, pod: &mut Pod, count: u64, now: Duration, totals: &mut Totals) {
    let mut left = count;
    while left > 0 {
        let Some(cohort) = queue.leave(left, now) else { return };
        totals.late += u64::from(cohort.became_late) * cohort.started.count;
        left -= cohort.started.count;
        pod.start(cohort.started);
    }
}

/// How many of `arrivals` have come after `place` of `ticks` even parts.
fn share(arrivals: u64, place: u32, ticks: u32) -> u64 {
    let due = u128::from(arrivals) * u128::from(place) / u128::from(ticks.max(1));
    u64::try_from(due).unwrap_or(arrivals)
}
