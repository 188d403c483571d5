//! Demand from what was recorded: samples on an even grid, and requests with their service times.
//!
//! Times are seconds from the start of the recording. The demand of requests is the number that
//! would be in service if every one were served on arrival (what a fleet without limits would hold),
//! which does not depend on how many pods there were.

use std::time::Duration;

use crate::simulate::SimulateError;
use crate::simulate::random::Random;

use super::greater;

#[cfg(test)]
mod tests;

/// Keeps the streams of the copies apart from all others of the same seed.
const JITTER: u64 = 0x6a69_7474_6572;

/// One request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Request {
    /// When it came, in seconds.
    pub arrival: f64,
    /// How long a slot of a pod serves it, in seconds.
    pub service: f64,
}

/// Samples brought to an even grid.
#[derive(Debug, Clone, PartialEq)]
pub struct Gridded {
    /// The time of the first step, in the samples' own count of seconds.
    pub start: f64,
    /// One value per step, the first sample's first.
    pub values: Vec<f64>,
    /// How many steps lie in gaps too long to draw a line across; they hold the value before.
    pub held: usize,
}

/// What requests would keep busy if every one were served on arrival, step by step.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Offered {
    /// Requests in service, in the mean over the step.
    pub mean: Vec<f64>,
    /// The most requests in service at one moment of the step.
    pub peak: Vec<u32>,
}

/// How late and how often a signal is known. In steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sampling {
    /// Over how many steps it is averaged, at least 1.
    pub window: usize,
    /// Every how many steps a new value comes, at least 1.
    pub interval: usize,
    /// How many steps pass from the end of its window until it is known.
    pub delay: usize,
}

/// Brings samples (time, value) to a grid, straight between neighbours; a gap longer than `gap_max`
/// holds the value before it. Times may come in any order; of equal ones the last counts, and
/// what is no number is no sample. None if there is no sample, or no length of a step.
#[must_use]
pub fn on_grid(samples: &[(f64, f64)], step: Duration, gap_max: Duration) -> Option<Gridded> {
    let (step, gap_max) = (step.as_secs_f64(), gap_max.as_secs_f64());
    let mut samples: Vec<(f64, f64)> = samples
        .iter()
        .copied()
        .filter(|(time, value)| time.is_finite() && value.is_finite())
        .collect();
    samples.sort_by(|a, b| a.0.total_cmp(&b.0));
    samples.dedup_by(|later, earlier| {
        let same = later.0.total_cmp(&earlier.0).is_eq();
        if same {
            earlier.1 = later.1;
        }
        same
    });
    let (start, first) = *samples.first()?;
    if step <= 0.0 {
        return None;
    }
    let mut gridded = Gridded { start, values: Vec::new(), held: 0 };
    let (mut left, mut rest) = ((start, first), samples.iter().copied().peekable());
    loop {
        let time = start + gridded.values.len() as f64 * step;
        while let Some(next) = rest.next_if(|(at, _)| *at <= time) {
            left = next;
        }
        let Some(right) = rest.peek() else {
            // Past the last sample only that itself is known.
            if left.0 >= time {
                gridded.values.push(left.1);
            }
            return Some(gridded);
        };
        let gap = right.0 - left.0;
        let value = if gap <= gap_max {
            left.1 + (right.1 - left.1) * (time - left.0) / gap
        } else {
            gridded.held += usize::from(time > left.0);
            left.1
        };
        gridded.values.push(value);
    }
}

/// The load of `copies` populations like the recorded one, each request moved by a draw from a
/// normal distribution with this standard deviation; sorted by arrival. What would come before the
/// start comes as long after it.
#[must_use]
pub fn superpose(trace: &[Request], copies: u32, deviation: Duration, seed: u64) -> Vec<Request> {
    let deviation = deviation.as_secs_f64();
    let mut requests: Vec<Request> = (0..copies)
        .flat_map(|copy| {
            let mut random = Random::keyed(seed, JITTER, u64::from(copy));
            trace.iter().map(move |request| {
                let arrival = (request.arrival + deviation * random.normal()).abs();
                Request { arrival, ..*request }
            })
        })
        .collect();
    requests.sort_unstable_by(|a, b| {
        a.arrival.total_cmp(&b.arrival).then(a.service.total_cmp(&b.service))
    });
    requests
}

/// The work that arrives in each step, per second: requests in service, in the long run.
#[must_use]
pub fn arriving(requests: &[Request], step: Duration, steps: usize) -> Vec<f64> {
    let step = step.as_secs_f64();
    let mut work = vec![0.0; steps];
    for Request { arrival, service } in requests {
        if let Some(sum) = work.get_mut(step_of(*arrival, step)) {
            *sum += service / step;
        }
    }
    work
}

impl Offered {
    /// Counts over so many steps.
    ///
    /// # Errors
    /// When requests are not in order of arrival, or a time is not a number or negative.
    pub fn of(requests: &[Request], step: Duration, steps: usize) -> Result<Self, SimulateError> {
        check(requests)?;
        let step = step.as_secs_f64();
        let mut ends: Vec<f64> = requests.iter().map(|it| it.arrival + it.service).collect();
        ends.sort_unstable_by(f64::total_cmp);
        let mut arrivals = requests.iter().map(|request| request.arrival).peekable();
        let mut ends = ends.into_iter().peekable();
        let mut offered = Self::default();
        let (mut now, mut running) = (0.0, 0_u32);
        for place in 0..steps {
            let step_end = (place + 1) as f64 * step;
            let (mut busy, mut peak) = (0.0, running);
            loop {
                // Of a moment's events ends come first: the slot that came free is used again.
                let arrives = arrivals.peek().copied().unwrap_or(f64::INFINITY);
                let ends_at = ends.peek().copied().unwrap_or(f64::INFINITY);
                let next = if ends_at <= arrives { ends_at } else { arrives };
                if next >= step_end {
                    break;
                }
                busy += f64::from(running) * (next - now);
                now = next;
                if ends_at <= arrives {
                    ends.next();
                    running = running.saturating_sub(1);
                } else {
                    arrivals.next();
                    running = running.saturating_add(1);
                    peak = peak.max(running);
                }
            }
            busy += f64::from(running) * (step_end - now);
            now = step_end;
            offered.mean.push(greater(busy / step, 0.0));
            offered.peak.push(peak);
        }
        Ok(offered)
    }
}

impl Sampling {
    /// What is known of a per-step series at the beginning of each step: the mean over the newest
    /// window that is complete, sampled and delayed. None where nothing is known yet.
    #[must_use]
    pub fn of(self, per_step: &[f64]) -> Vec<Option<f64>> {
        let Self { window, interval, delay } = self;
        let known = |step: usize| {
            let sampled = step - step % interval.max(1);
            let end = sampled.checked_sub(delay)?;
            let part = per_step.get(end.saturating_sub(window.max(1))..end)?;
            (!part.is_empty()).then(|| part.iter().sum::<f64>() / part.len() as f64)
        };
        (0..per_step.len()).map(known).collect()
    }
}

/// Checks that requests come in order of arrival and have times that are numbers, 0 or more.
pub(super) fn check(requests: &[Request]) -> Result<(), SimulateError> {
    let is_time = |time: f64| time.is_finite() && time >= 0.0;
    let bad = requests.iter().find(|it| !(is_time(it.arrival) && is_time(it.service)));
    let (found, allowed) = match bad {
        Some(bad) => (format!("{bad:?}"), "times of 0 or more"),
        None => match requests.windows(2).find(|pair| match pair {
            [before, after] => before.arrival > after.arrival,
            _ => false,
        }) {
            Some(pair) => (format!("{pair:?}"), "in order of arrival"),
            None => return Ok(()),
        },
    };
    Err(SimulateError::OutOfRange { setting: "requests", value: found, allowed })
}

/// The step in which a time lies.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the conversion saturates at both ends, and beyond them there is no step"
)]
fn step_of(time: f64, step: f64) -> usize {
    (time / step) as usize
}
