//! The controller's arithmetic for one External metric with an AverageValue target, made for runs
//! of many thousand syncs at even distances.
//!
//! In: the same spec and settings as the whole controller takes, the distance of two syncs, and at
//! every sync the metric's value. Out: the replica count. The target is assumed to have at once what
//! was asked for, so the counts are those of [`super::Hpa`], sync by sync; only the stabilisation
//! windows are kept so that a sync costs the same however long they are.

use std::time::Duration;

use crate::simulate::SimulateError;
use crate::simulate::window::SlidingMax;

use super::behavior::Behavior;
use super::history::ScaleEvents;
use super::metric::{MetricSpec, TotalTarget};
use super::tolerance::{Tolerances, round_up};
use super::{ControllerSettings, HpaSpec, normalize, rate};

#[cfg(test)]
mod tests;

/// One autoscaler on one External metric.
#[derive(Debug, Clone)]
pub struct Lean {
    min: i32,
    max: i32,
    target_milli: f64,
    tolerances: Tolerances,
    behavior: Option<Behavior>,
    sync: Duration,
    replicas: i32,
    syncs: u32,
    scaled_to_zero: bool,
    highest: SlidingMax<i32>,
    /// Of negated recommendations, so that the largest is the lowest.
    lowest_negated: SlidingMax<i32>,
    events: ScaleEvents,
}

impl Lean {
    /// An autoscaler that the controller has not seen yet, of a target with so many replicas.
    ///
    /// # Errors
    /// When the API server would refuse the spec's numbers, when the spec is not about one External
    /// metric with an AverageValue target, or when two syncs have no distance.
    pub fn new(
        spec: &HpaSpec,
        settings: ControllerSettings,
        sync: Duration,
        replicas: i32,
    ) -> Result<Self, SimulateError> {
        spec.check()?;
        let [MetricSpec::External { target: TotalTarget::AverageValue(target_milli) }] =
            *spec.metrics
        else {
            return Err(SimulateError::OutOfRange {
                setting: "metrics",
                value: format!("{:?}", spec.metrics),
                allowed: "one External metric with an AverageValue target",
            });
        };
        if sync.is_zero() {
            let (value, allowed) = (format!("{sync:?}"), "more than 0");
            return Err(SimulateError::OutOfRange { setting: "sync", value, allowed });
        }
        let default_window = settings.downscale_stabilization;
        // An entry exactly as old as the window counts without `behavior` and is out with it.
        let (up, down) = match &spec.behavior {
            None => (0, syncs_within(default_window + Duration::from_nanos(1), sync)),
            Some(Behavior { scale_up, scale_down }) => (
                syncs_within(scale_up.stabilization_window.unwrap_or_default(), sync),
                syncs_within(scale_down.stabilization_window.unwrap_or(default_window), sync),
            ),
        };
        Ok(Self {
            min: spec.min_replicas(),
            max: spec.max_replicas,
            target_milli: target_milli as f64,
            tolerances: spec.tolerances(settings.tolerance),
            behavior: spec.behavior.clone(),
            sync,
            replicas,
            syncs: 0,
            scaled_to_zero: false,
            highest: SlidingMax::new(down),
            lowest_negated: SlidingMax::new(up),
            events: ScaleEvents::default(),
        })
    }

    /// The target's replicas after the last sync.
    #[must_use]
    pub fn replicas(&self) -> i32 {
        self.replicas
    }

    /// One reconciliation on the metric's value, in the metric's own unit; none, NaN or an infinity
    /// is a failed reading. Gives the new replica count.
    pub fn sync(&mut self, value: Option<f64>) -> i32 {
        let current = self.replicas;
        if self.syncs == 0 {
            self.log(current);
        }
        let replicas = self.decide(value);
        if replicas != current {
            // One External metric is all there is, and it has a value while there are no pods.
            self.scaled_to_zero = current > 0 && replicas == 0;
            if let Some(behavior) = &self.behavior {
                let now = self.sync.saturating_mul(self.syncs);
                self.events.remember(behavior, now, current, replicas);
            }
        }
        self.syncs = self.syncs.saturating_add(1);
        self.replicas = replicas;
        replicas
    }

    fn decide(&mut self, value: Option<f64>) -> i32 {
        let current = self.replicas;
        if current == 0 {
            if !self.scaled_to_zero {
                return 0;
            }
        } else if current > self.max {
            return self.max;
        } else if current < self.min {
            return self.min;
        }
        let Some(value) = value.filter(|value| value.is_finite()) else { return current };
        let recommendation = self.recommend(current, usage_milli(value));
        let replicas = self.normalize(current, recommendation);
        if current == 0 { replicas.max(self.min) } else { replicas }
    }

    fn recommend(&self, current: i32, usage_milli: f64) -> i32 {
        let ratio = usage_milli / (self.target_milli * f64::from(current));
        let within = self.tolerances.contain(ratio);
        if within { current } else { round_up(usage_milli / self.target_milli) }
    }

    fn normalize(&mut self, current: i32, recommendation: i32) -> i32 {
        let highest = self.highest.max(self.syncs);
        let highest = highest.map_or(recommendation, |it| it.max(recommendation));
        let lowest = self.lowest_negated.max(self.syncs);
        let lowest = lowest.map_or(recommendation, |it| recommendation.min(-it));
        self.log(recommendation);
        let Some(behavior) = &self.behavior else {
            return normalize::limit(current, highest, self.min, self.max).0;
        };
        let desired = current.max(lowest).min(highest);
        if desired == current {
            return current;
        }
        let now = self.sync.saturating_mul(self.syncs);
        if desired > current {
            let rules = &behavior.scale_up;
            rate::limit_up(current, desired, self.max, rules, &self.events, now).0
        } else {
            let rules = &behavior.scale_down;
            rate::limit_down(current, desired, self.min, rules, &self.events, now).0
        }
    }

    fn log(&mut self, replicas: i32) {
        self.highest.push(self.syncs, replicas);
        self.lowest_negated.push(self.syncs, -replicas);
    }
}

/// How many syncs are younger than the window, that of the moment included.
fn syncs_within(window: Duration, sync: Duration) -> u32 {
    let syncs = window.as_nanos().div_ceil(sync.as_nanos().max(1));
    u32::try_from(syncs).unwrap_or(u32::MAX)
}

/// What the controller reads: micros, or nanos below one, rounded up to thousandths. It takes a
/// negative value for as much as can be.
fn usage_milli(value: f64) -> f64 {
    let (decimals, per_milli) = if value.abs() < 1.0 { (1e9, 1e6) } else { (1e6, 1e3) };
    let usage = ((value * decimals).round() / per_milli).ceil();
    let most = i64::MAX as f64;
    if usage < 0.0 || usage > most { most } else { usage }
}
