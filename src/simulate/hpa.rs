//! The arithmetic of the Horizontal Pod Autoscaler's controller, sync by sync.
//!
//! In: a spec, and at every sync the time, the scale target's counts and one reading per metric.
//! Out: the replica count the controller would set, and why. The rules are those of Kubernetes 1.37
//! (`autoscaling/v2`), rounding included; values are whole milli units, times are counted from the
//! start of the run. Never: a wish of our own. Where the controller is odd, so is this.
//!
//! What only a cluster knows is left out: a selector that is invalid or shared makes every metric
//! fail, so hand in failed readings; an update of the scale target always succeeds.

use std::time::Duration;

use crate::simulate::SimulateError;

use self::behavior::Behavior;
use self::history::{Recommendation, Recommendations, ScaleEvents};
use self::metric::{MetricSpec, Reading};
use self::per_pod::Readiness;
use self::pod::Pod;
use self::tolerance::Tolerances;

pub mod behavior;
pub mod history;
pub mod lean;
pub mod metric;
pub mod normalize;
pub mod per_pod;
pub mod pod;
pub mod rate;
pub mod tolerance;
pub mod total;

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;

/// One autoscaler: its spec, and what the controller remembers about it.
#[derive(Debug, Clone)]
pub struct Hpa {
    spec: HpaSpec,
    settings: ControllerSettings,
    recommendations: Recommendations,
    events: ScaleEvents,
    seen: bool,
    scaled_to_zero: bool,
}

/// What an autoscaler was asked to do; the names are those of `autoscaling/v2`.
#[derive(Debug, Clone, PartialEq)]
pub struct HpaSpec {
    /// The fewest replicas; 1 if not given, and 0 lets the target scale to zero.
    pub min_replicas: Option<i32>,
    /// The most replicas.
    pub max_replicas: i32,
    /// The metrics; the one that asks for most replicas decides.
    pub metrics: Vec<MetricSpec>,
    /// How fast the count may move; without it the controller's older rules apply.
    pub behavior: Option<Behavior>,
}

/// The flags of kube-controller-manager that concern autoscaling.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ControllerSettings {
    /// `--horizontal-pod-autoscaler-tolerance`, a fraction.
    pub tolerance: f64,
    /// `--horizontal-pod-autoscaler-downscale-stabilization`.
    pub downscale_stabilization: Duration,
    /// `--horizontal-pod-autoscaler-cpu-initialization-period`.
    pub cpu_initialization_period: Duration,
    /// `--horizontal-pod-autoscaler-initial-readiness-delay`.
    pub initial_readiness_delay: Duration,
}

/// What the controller sees at one sync.
#[derive(Debug, Clone, Copy)]
pub struct Observation<'a> {
    /// The scale target's `spec.replicas`.
    pub spec_replicas: i32,
    /// The scale target's `status.replicas`.
    pub status_replicas: i32,
    /// The pods that match the target's selector. External and Object metrics with an AverageValue
    /// target do without.
    pub pods: &'a [Pod],
    /// One reading per metric of the spec, in its order; one that is not there counts as failed.
    pub readings: &'a [Reading],
}

/// What a metric asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proposal {
    /// The replica count.
    pub replicas: i32,
    /// The usage that the autoscaler's status reports: milli units, or percent for a utilization.
    pub current_usage: i64,
}

/// The outcome of one sync.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The target's replica count after this sync.
    pub replicas: i32,
    /// Why it is what it is.
    pub reason: Reason,
    /// What the metrics asked for before stabilisation and limits, if they were asked and one could
    /// say.
    pub recommendation: Option<i32>,
    /// What was left of that after stabilisation.
    pub stabilized: Option<i32>,
    /// The metrics that had no proposal, by their place in the spec.
    pub failures: Vec<(usize, SimulateError)>,
}

/// Why a sync ended as it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The target is at zero and the controller did not put it there: nothing is computed.
    ScalingDisabled,
    /// There were more replicas than the maximum: no metric was computed.
    AboveMaxReplicas,
    /// There were fewer replicas than the minimum: no metric was computed.
    BelowMinReplicas,
    /// No metric could say, or one could not and the others ask for fewer replicas: no change.
    MetricsFailed,
    /// The metrics decided, and this limit did or did not bind.
    Computed(Limit),
}

/// Which limit bound the recommendation; the reasons of the ScalingLimited condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// None did.
    DesiredWithinRange,
    /// The maximum did.
    TooManyReplicas,
    /// The minimum did.
    TooFewReplicas,
    /// Replicas may not be added faster.
    ScaleUpLimit,
    /// Replicas may not be removed faster.
    ScaleDownLimit,
}

impl Default for ControllerSettings {
    /// kube-controller-manager's own defaults.
    fn default() -> Self {
        Self {
            tolerance: 0.1,
            downscale_stabilization: Duration::from_secs(300),
            cpu_initialization_period: Duration::from_secs(300),
            initial_readiness_delay: Duration::from_secs(30),
        }
    }
}

impl Hpa {
    /// An autoscaler that the controller has not seen yet, under the controller's default flags.
    ///
    /// # Errors
    /// When the API server would refuse the spec's numbers.
    pub fn new(spec: HpaSpec) -> Result<Self, SimulateError> {
        Self::with_settings(spec, ControllerSettings::default())
    }

    /// An autoscaler that the controller has not seen yet, under other flags.
    ///
    /// # Errors
    /// When the API server would refuse the spec's numbers.
    pub fn with_settings(
        spec: HpaSpec,
        settings: ControllerSettings,
    ) -> Result<Self, SimulateError> {
        spec.check()?;
        Ok(Self {
            spec,
            settings,
            recommendations: Recommendations::default(),
            events: ScaleEvents::default(),
            seen: false,
            scaled_to_zero: false,
        })
    }

    /// The same autoscaler, as if the controller had known it for long and logged these
    /// recommendations. Without this the first sync logs the current count, which keeps a restarted
    /// controller from scaling down for one window.
    #[must_use]
    pub fn known_with(mut self, recommendations: Recommendations) -> Self {
        self.recommendations = recommendations;
        self.seen = true;
        self
    }

    /// Changes the spec and keeps the memory, as an edit of the object does.
    ///
    /// # Errors
    /// When the API server would refuse the spec's numbers; the old spec then stays.
    pub fn set_spec(&mut self, spec: HpaSpec) -> Result<(), SimulateError> {
        spec.check()?;
        self.spec = spec;
        Ok(())
    }

    /// Whether the target is at zero because the controller put it there.
    #[must_use]
    pub fn scaled_to_zero(&self) -> bool {
        self.scaled_to_zero
    }

    /// One reconciliation. The caller applies the decision to the target.
    pub fn sync(&mut self, now: Duration, observation: &Observation<'_>) -> Decision {
        let current = observation.spec_replicas;
        if !self.seen {
            self.seen = true;
            let first = Recommendation { at: now, replicas: current };
            self.recommendations = Recommendations::of(vec![first]);
        }
        let decision = self.decide(now, observation);
        if decision.replicas != current {
            self.remember_change(now, current, decision.replicas);
        }
        decision
    }

    fn decide(&mut self, now: Duration, observation: &Observation<'_>) -> Decision {
        let current = observation.spec_replicas;
        let (min, max) = (self.spec.min_replicas(), self.spec.max_replicas);
        let without_metrics = |replicas, reason| Decision {
            replicas,
            reason,
            recommendation: None,
            stabilized: None,
            failures: Vec::new(),
        };
        if current == 0 {
            if !(self.scaled_to_zero && (min != 0 || self.spec.can_wake())) {
                return without_metrics(0, Reason::ScalingDisabled);
            }
        } else if current > max {
            return without_metrics(max, Reason::AboveMaxReplicas);
        } else if current < min {
            return without_metrics(min, Reason::BelowMinReplicas);
        }

        let (recommendation, failures) = self.recommend(now, observation);
        let Some(recommendation) = recommendation else {
            let failed = without_metrics(current, Reason::MetricsFailed);
            return Decision { failures, ..failed };
        };
        let (stabilized, replicas, limit) = self.normalize(now, current, recommendation);
        let replicas = if current == 0 { replicas.max(min) } else { replicas };
        Decision {
            replicas,
            reason: Reason::Computed(limit),
            recommendation: Some(recommendation),
            stabilized: Some(stabilized),
            failures,
        }
    }

    /// The highest proposal, unless it would scale down on partial knowledge; and what failed.
    fn recommend(
        &self,
        now: Duration,
        observation: &Observation<'_>,
    ) -> (Option<i32>, Vec<(usize, SimulateError)>) {
        let view = metric::View {
            observation,
            tolerances: self.spec.tolerances(self.settings.tolerance),
            readiness: Readiness {
                now,
                cpu_initialization_period: self.settings.cpu_initialization_period,
                initial_readiness_delay: self.settings.initial_readiness_delay,
            },
        };
        let mut highest: Option<i32> = None;
        let mut failures = Vec::new();
        for (place, spec) in self.spec.metrics.iter().enumerate() {
            match view.propose(spec, observation.readings.get(place)) {
                Ok(Proposal { replicas, .. }) => {
                    highest = Some(highest.map_or(replicas, |highest| highest.max(replicas)));
                }
                Err(failure) => failures.push((place, failure)),
            }
        }
        // Negative values give negative proposals, which the controller takes for none at all.
        let highest = highest.map(|replicas| replicas.max(0));
        let partial_and_down = !failures.is_empty()
            && highest.is_some_and(|replicas| replicas < observation.spec_replicas);
        (if partial_and_down { None } else { highest }, failures)
    }

    /// Stabilises and limits; gives the stabilised count, the allowed one and what bound it.
    fn normalize(&mut self, now: Duration, current: i32, desired: i32) -> (i32, i32, Limit) {
        let (min, max) = (self.spec.min_replicas(), self.spec.max_replicas);
        let default_window = self.settings.downscale_stabilization;
        let Some(Behavior { scale_up, scale_down }) = &self.spec.behavior else {
            let log = &mut self.recommendations;
            let stabilized = normalize::stabilize(log, desired, default_window, now);
            let (replicas, limit) = normalize::limit(current, stabilized, min, max);
            return (stabilized, replicas, limit);
        };
        let windows = rate::Windows {
            up: scale_up.stabilization_window.unwrap_or_default(),
            down: scale_down.stabilization_window.unwrap_or(default_window),
        };
        let log = &mut self.recommendations;
        let stabilized = rate::stabilize(log, current, desired, windows, now);
        let (replicas, limit) = if stabilized > current {
            rate::limit_up(current, stabilized, max, scale_up, &self.events, now)
        } else if stabilized < current {
            rate::limit_down(current, stabilized, min, scale_down, &self.events, now)
        } else {
            (stabilized, Limit::DesiredWithinRange)
        };
        (stabilized, replicas, limit)
    }

    /// Logs a change for the rate policies, and whether it was the controller's own step to zero.
    fn remember_change(&mut self, now: Duration, from: i32, to: i32) {
        self.scaled_to_zero =
            from > 0 && to == 0 && self.spec.min_replicas() == 0 && self.spec.can_wake();
        if let Some(behavior) = &self.spec.behavior {
            self.events.remember(behavior, now, from, to);
        }
    }
}

impl HpaSpec {
    /// The fewest replicas, 1 if not given.
    #[must_use]
    pub fn min_replicas(&self) -> i32 {
        self.min_replicas.unwrap_or(1)
    }

    /// The tolerance per direction: the spec's own, or else the controller's.
    fn tolerances(&self, default: f64) -> Tolerances {
        let mut tolerances = Tolerances::both(default);
        if let Some(Behavior { scale_up, scale_down }) = &self.behavior {
            tolerances.scale_up = scale_up.tolerance.unwrap_or(default);
            tolerances.scale_down = scale_down.tolerance.unwrap_or(default);
        }
        tolerances
    }

    /// Whether a metric exists that has a value while there are no pods.
    fn can_wake(&self) -> bool {
        self.metrics
            .iter()
            .any(|metric| matches!(metric, MetricSpec::Object { .. } | MetricSpec::External { .. }))
    }

    fn check(&self) -> Result<(), SimulateError> {
        let Self { min_replicas: _, max_replicas, metrics, behavior } = self;
        let out_of_range = |setting, value: i32, allowed| {
            Err(SimulateError::OutOfRange { setting, value: value.to_string(), allowed })
        };
        if self.min_replicas() < 0 {
            return out_of_range("min_replicas", self.min_replicas(), "0 or more");
        }
        if *max_replicas < self.min_replicas().max(1) {
            return out_of_range("max_replicas", *max_replicas, "at least 1 and min_replicas");
        }
        if metrics.is_empty() {
            return out_of_range("metrics", 0, "at least one metric");
        }
        for metric in metrics {
            metric.check()?;
        }
        behavior.as_ref().map_or(Ok(()), Behavior::check)
    }
}
