//! Metrics with one value per pod: type Pods, and type Resource (CPU and memory).
//!
//! What is not known about a pod is assumed so that the replica count moves least: a missing pod
//! counts as on target when the others say "down" and as idle when they say "up".

use std::collections::BTreeMap;
use std::time::Duration;

use super::Proposal;
use super::pod::{Phase, Pod, PodValue, PodValues};
use super::tolerance::{Tolerances, round_up};
use crate::simulate::SimulateError;

#[cfg(test)]
pub(super) mod tests;

/// What the arithmetic over pods works on.
#[derive(Debug, Clone, Copy)]
pub struct PerPod<'a> {
    /// The scale target's `spec.replicas`.
    pub current_replicas: i32,
    /// The pods that match the selector.
    pub pods: &'a [Pod],
    /// The values read, by pod name. Names that are not among the pods are allowed.
    pub values: &'a PodValues,
    /// When to disbelieve a starting pod; only for the CPU resource.
    pub readiness: Option<Readiness>,
    /// The band in which nothing changes.
    pub tolerances: Tolerances,
}

/// The rules by which the CPU of a starting pod is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Readiness {
    /// The simulated time, counted from the start of the run.
    pub now: Duration,
    /// How long after its start a pod is taken for initialising.
    pub cpu_initialization_period: Duration,
    /// A pod that turned unready this soon after its start was never ready.
    pub initial_readiness_delay: Duration,
}

/// The values that count, in milli units by pod name.
type Counted<'a> = BTreeMap<&'a str, i64>;

/// The pods, sorted by how much their values may be trusted.
struct Groups<'a> {
    ready_count: usize,
    unready: Vec<&'a str>,
    missing: Vec<&'a str>,
    counted: Counted<'a>,
}

impl PerPod<'_> {
    /// The replica count at which the average over the pods is the target (milli units).
    ///
    /// # Errors
    /// When there is no pod, or no value is left to average.
    pub fn average_value(&self, target_milli: i64) -> Result<Proposal, SimulateError> {
        let usage = |values: &Counted<'_>| -> Result<i64, SimulateError> {
            let count = i64::try_from(values.len()).unwrap_or(i64::MAX);
            // Go's integers wrap; so that an absurd metric is judged alike, so do these.
            let sum = values.values().fold(0_i64, |sum, value| sum.wrapping_add(*value));
            sum.checked_div(count).ok_or(SimulateError::NoValues)
        };
        self.propose(&usage, target_milli, &|_| target_milli)
    }

    /// The replica count at which the pods use `target_percent` of what they request.
    ///
    /// # Errors
    /// When there is no pod, no value is left, a pod requests nothing, or no value belongs to a pod.
    pub fn utilization(&self, target_percent: i32) -> Result<Proposal, SimulateError> {
        if self.pods.is_empty() {
            return Err(SimulateError::NoPods);
        }
        if self.groups().counted.is_empty() {
            return Err(SimulateError::NoValues);
        }
        let mut requests = BTreeMap::new();
        for pod in self.pods {
            let request = pod
                .request_milli
                .ok_or_else(|| SimulateError::MissingRequest { pod: pod.name.clone() })?;
            requests.insert(pod.name.as_str(), request);
        }
        let usage = |values: &Counted<'_>| -> Result<i64, SimulateError> {
            let known =
                values.iter().filter_map(|(name, value)| Some((value, requests.get(name)?)));
            let (used, requested) =
                known.fold((0_i64, 0_i64), |(used, requested), (value, request)| {
                    (used.wrapping_add(*value), requested.wrapping_add(*request))
                });
            used.wrapping_mul(100).checked_div(requested).ok_or(SimulateError::NoMatchingRequests)
        };
        let assumed_percent = i64::from(target_percent.max(100));
        let assumed = |name: &str| {
            requests.get(name).map_or(0, |request| request.wrapping_mul(assumed_percent) / 100)
        };
        self.propose(&usage, i64::from(target_percent), &assumed)
    }

    /// The rule both kinds of target share: `usage` condenses the values to one number that is
    /// compared with `target`; `assumed` is what a missing pod counts for when the others say "down".
    fn propose(
        &self,
        usage: &dyn Fn(&Counted<'_>) -> Result<i64, SimulateError>,
        target: i64,
        assumed: &dyn Fn(&str) -> i64,
    ) -> Result<Proposal, SimulateError> {
        if self.pods.is_empty() {
            return Err(SimulateError::NoPods);
        }
        let Groups { ready_count, unready, missing, mut counted } = self.groups();
        if counted.is_empty() {
            return Err(SimulateError::NoValues);
        }
        let current_usage = usage(&counted)?;
        let ratio = current_usage as f64 / target as f64;
        let unchanged = Proposal { replicas: self.current_replicas, current_usage };
        let with_unready = !unready.is_empty() && ratio > 1.0;
        if !with_unready && missing.is_empty() {
            return Ok(if self.tolerances.contain(ratio) {
                unchanged
            } else {
                Proposal { replicas: round_up(ratio * ready_count as f64), current_usage }
            });
        }

        if ratio < 1.0 {
            counted.extend(missing.iter().map(|name| (*name, assumed(name))));
        } else if ratio > 1.0 {
            counted.extend(missing.iter().map(|name| (*name, 0)));
        }
        if with_unready {
            counted.extend(unready.iter().map(|name| (*name, 0)));
        }
        let cautious = usage(&counted)? as f64 / target as f64;
        if self.tolerances.contain(cautious) || turned(ratio, cautious) {
            return Ok(unchanged);
        }
        let replicas = round_up(cautious * counted.len() as f64);
        let against_the_ratio = (cautious < 1.0 && replicas > self.current_replicas)
            || (cautious > 1.0 && replicas < self.current_replicas);
        Ok(if against_the_ratio { unchanged } else { Proposal { replicas, current_usage } })
    }

    /// Sorts the pods; the order of the questions matters and is the controller's.
    fn groups(&self) -> Groups<'_> {
        let mut counted: Counted<'_> =
            self.values.iter().map(|(name, value)| (name.as_str(), value.value_milli)).collect();
        let (mut ready_count, mut unready, mut missing) = (0, Vec::new(), Vec::new());
        for pod in self.pods {
            let name = pod.name.as_str();
            if pod.deleting || matches!(pod.phase, Phase::Succeeded | Phase::Failed) {
                counted.remove(name);
            } else if pod.phase == Phase::Pending {
                counted.remove(name);
                unready.push(name);
            } else if let Some(value) = self.values.get(name) {
                if self.readiness.is_some_and(|rule| rule.disbelieves(pod, *value)) {
                    counted.remove(name);
                    unready.push(name);
                } else {
                    ready_count += 1;
                }
            } else {
                missing.push(name);
            }
        }
        Groups { ready_count, unready, missing, counted }
    }
}

impl Readiness {
    /// Whether the CPU of the pod is that of its start rather than of its work.
    fn disbelieves(self, pod: &Pod, value: PodValue) -> bool {
        let (Some(condition), Some(start)) = (pod.ready, pod.start_time) else { return true };
        if start + self.cpu_initialization_period > self.now {
            !condition.ready || value.at < condition.last_transition + value.window
        } else {
            !condition.ready && start + self.initial_readiness_delay > condition.last_transition
        }
    }
}

/// Whether two ratios ask for opposite directions.
fn turned(before: f64, after: f64) -> bool {
    (before < 1.0 && after > 1.0) || (before > 1.0 && after < 1.0)
}
