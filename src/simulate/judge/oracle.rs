//! The best there could be, for one who knows the future: the bounds to compare runs with.

use std::ops::Range;

use crate::simulate::window::SlidingMax;

use super::fluid::pods_for;
use super::greater;

/// The cheapest plan under which no work ever waits.
#[derive(Debug, Clone, PartialEq)]
pub struct Optimum {
    /// Pods that exist, starting ones included, times steps.
    pub pod_steps: f64,
    /// The same for each day, the day of the first step first. A start is paid on the day on which
    /// the pod is needed.
    pub days: Vec<f64>,
}

/// The pods each step needs, at least `min`.
#[must_use]
pub fn need(demand: &[f64], capacity: f64, min: u32) -> Vec<u32> {
    demand.iter().map(|demand| pods_for(*demand, capacity).max(min)).collect()
}

/// The offline optimum: the pods of each rank exist while they are needed, stay over gaps shorter
/// than the lead time, and pay one lead time for every start, those at the beginning included.
///
/// Exact, because ranks do not depend on each other: a gap costs the lesser of its length and a
/// start. A lower bound for runs in which nothing waits; who lets work wait can be cheaper.
#[must_use]
pub fn optimum(
    need: &[u32],
    steps: Range<usize>,
    lead_steps: usize,
    steps_per_day: usize,
) -> Optimum {
    cheapest(need, steps, steps_per_day, |since, step| {
        since.map_or(lead_steps, |since| (step - since).min(lead_steps))
    })
}

/// The offline optimum of a part of a longer run: what stands when the part begins was paid before,
/// so that a pod's first start costs no more than to have kept it since then. A lower bound for that
/// part of any run in which nothing waits.
#[must_use]
pub fn optimum_of_part(
    need: &[u32],
    steps: Range<usize>,
    lead_steps: usize,
    steps_per_day: usize,
) -> Optimum {
    let begin = steps.start;
    cheapest(need, steps, steps_per_day, |since, step| {
        (step - since.unwrap_or(begin)).min(lead_steps)
    })
}

/// The plan in which the pod of a rank costs so many steps more when it is needed again: given since
/// when it was not, none if it never was, and the step in which it is.
fn cheapest(
    need: &[u32],
    steps: Range<usize>,
    steps_per_day: usize,
    again: impl Fn(Option<usize>, usize) -> usize,
) -> Optimum {
    let steps_per_day = steps_per_day.max(1);
    let first_day = steps.start / steps_per_day;
    // Since when the pod of each rank is not needed; none if it never was.
    let mut idle_since: Vec<Option<usize>> = Vec::new();
    let mut days: Vec<f64> = Vec::new();
    let mut before = 0_u32;
    for (step, &now) in need.iter().enumerate().take(steps.end).skip(steps.start) {
        let mut cost = f64::from(now);
        let (low, high) = (place(before.min(now)), place(before.max(now)));
        if idle_since.len() < high {
            idle_since.resize(high, None);
        }
        for idle_since in idle_since.iter_mut().take(high).skip(low) {
            if now > before {
                cost += again(*idle_since, step) as f64;
            } else {
                *idle_since = Some(step);
            }
        }
        before = now;
        if (step / steps_per_day).saturating_sub(first_day) >= days.len() {
            days.push(0.0);
        }
        if let Some(day) = days.last_mut() {
            *day += cost;
        }
    }
    Optimum { pod_steps: days.iter().sum(), days }
}

/// The largest demand of each step and the `ahead` steps after it: what one would publish who knows
/// the future. For pods to be ready in time, `ahead` is the lead time and two syncs.
#[must_use]
pub fn foresight(demand: &[f64], ahead: u32) -> Vec<f64> {
    let mut window = SlidingMax::new(ahead.saturating_add(1));
    let backwards = demand.iter().rev().zip(0_u32..);
    let mut peaks: Vec<f64> = backwards
        .map(|(demand, step)| {
            window.push(step, *demand);
            window.max(step).map_or(*demand, |peak| greater(peak, *demand))
        })
        .collect();
    peaks.reverse();
    peaks
}

fn place(pods: u32) -> usize {
    usize::try_from(pods).unwrap_or(usize::MAX)
}
