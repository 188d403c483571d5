//! The metrics of an autoscaler's spec, what was read for them, and which arithmetic each takes.

use super::per_pod::{PerPod, Readiness};
use super::pod::PodValues;
use super::tolerance::Tolerances;
use super::total::{Total, sum_for_average_value, sum_for_value};
use super::{Observation, Proposal};
use crate::simulate::SimulateError;

/// One metric of the spec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricSpec {
    /// What the pods use of a resource.
    Resource {
        /// Which resource.
        resource: Resource,
        /// What to aim at.
        target: ResourceTarget,
    },
    /// A custom metric with one value per pod.
    Pods {
        /// The average to aim at, in milli units.
        average_value_milli: i64,
    },
    /// A custom metric of one object.
    Object {
        /// What to aim at.
        target: TotalTarget,
    },
    /// An external metric.
    External {
        /// What to aim at.
        target: TotalTarget,
    },
}

/// A resource with a metric per pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// CPU, for which starting pods are disbelieved.
    Cpu,
    /// Memory.
    Memory,
}

/// What to aim at for a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResourceTarget {
    /// Percent of what the pods request.
    Utilization(i32),
    /// The average over the pods, in milli units.
    AverageValue(i64),
}

/// What to aim at for a value that is one for the whole target. Milli units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TotalTarget {
    /// The value itself; it is taken to fall in proportion to the ready pods.
    Value(i64),
    /// The value divided by the number of replicas.
    AverageValue(i64),
}

/// What the metrics API answered for one metric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// One value per pod (types Resource and Pods).
    PerPod(PodValues),
    /// The object's value, in milli units.
    Object(i64),
    /// The items of an external metric, in milli units; without items it counts as failed.
    External(Vec<i64>),
    /// Nothing, and why.
    Failed(String),
}

/// What all metrics of one sync share.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) observation: &'a Observation<'a>,
    pub(super) tolerances: Tolerances,
    pub(super) readiness: Readiness,
}

impl View<'_> {
    /// What the metric asks for, given its reading.
    pub(super) fn propose(
        &self,
        spec: &MetricSpec,
        reading: Option<&Reading>,
    ) -> Result<Proposal, SimulateError> {
        match (spec, reading) {
            (MetricSpec::Resource { resource, target }, Some(Reading::PerPod(values))) => {
                let readiness = (*resource == Resource::Cpu).then_some(self.readiness);
                let pods = self.per_pod(values, readiness);
                match target {
                    ResourceTarget::Utilization(percent) => pods.utilization(*percent),
                    ResourceTarget::AverageValue(target) => pods.average_value(*target),
                }
            }
            (MetricSpec::Pods { average_value_milli }, Some(Reading::PerPod(values))) => {
                self.per_pod(values, None).average_value(*average_value_milli)
            }
            (MetricSpec::Object { target }, Some(Reading::Object(usage))) => match target {
                TotalTarget::Value(target) => self.total().value(*usage, *target),
                TotalTarget::AverageValue(target) => {
                    Ok(self.total().average_value(*usage, *target))
                }
            },
            (MetricSpec::External { .. }, Some(Reading::External(items))) if items.is_empty() => {
                let message = "the metrics API answered with an empty list".to_owned();
                Err(SimulateError::ReadingFailed { message })
            }
            (MetricSpec::External { target }, Some(Reading::External(items))) => match target {
                TotalTarget::Value(target) => self.total().value(sum_for_value(items), *target),
                TotalTarget::AverageValue(target) => {
                    Ok(self.total().average_value(sum_for_average_value(items), *target))
                }
            },
            (_, Some(Reading::Failed(message))) => {
                Err(SimulateError::ReadingFailed { message: message.clone() })
            }
            (_, None) => Err(SimulateError::ReadingFailed { message: "no reading".to_owned() }),
            (
                MetricSpec::Resource { .. }
                | MetricSpec::Pods { .. }
                | MetricSpec::Object { .. }
                | MetricSpec::External { .. },
                Some(Reading::PerPod(_) | Reading::Object(_) | Reading::External(_)),
            ) => {
                let message = "the reading is of another metric type".to_owned();
                Err(SimulateError::ReadingFailed { message })
            }
        }
    }

    fn per_pod<'b>(&'b self, values: &'b PodValues, readiness: Option<Readiness>) -> PerPod<'b> {
        PerPod {
            current_replicas: self.observation.spec_replicas,
            pods: self.observation.pods,
            values,
            readiness,
            tolerances: self.tolerances,
        }
    }

    fn total(&self) -> Total<'_> {
        Total {
            spec_replicas: self.observation.spec_replicas,
            status_replicas: self.observation.status_replicas,
            pods: self.observation.pods,
            tolerances: self.tolerances,
        }
    }
}

impl MetricSpec {
    /// Checks what the API server checks: a target is more than 0.
    pub(super) fn check(&self) -> Result<(), SimulateError> {
        let target = match self {
            Self::Resource { target: ResourceTarget::Utilization(percent), .. } => {
                i64::from(*percent)
            }
            Self::Resource { target: ResourceTarget::AverageValue(target), .. }
            | Self::Pods { average_value_milli: target }
            | Self::Object {
                target: TotalTarget::Value(target) | TotalTarget::AverageValue(target),
            }
            | Self::External {
                target: TotalTarget::Value(target) | TotalTarget::AverageValue(target),
            } => *target,
        };
        if target > 0 {
            return Ok(());
        }
        let (setting, allowed) = ("target", "more than 0");
        Err(SimulateError::OutOfRange { setting, value: target.to_string(), allowed })
    }
}
