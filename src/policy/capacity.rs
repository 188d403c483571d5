//! What one pod serves, and in which unit a metric is published.

use crate::domain::finite::Finite;
use crate::policy::expression::{Condition, Expression};

/// What one pod serves when it is full, in the unit of the combined signals.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Capacity {
    /// As the policy says; beside `learn`, until something is learned.
    pub per_pod: Option<Finite>,
    /// How it is learned from the fleet.
    pub learn: Option<Learn>,
}

/// How the capacity of a pod is learned: whenever the fleet is saturated for a while, what it does
/// divided by its ready pods is a sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Learn {
    /// When no pod could do more.
    pub saturated: Condition,
    /// What the fleet does.
    pub load: Expression,
}

/// In which unit a metric is published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Emit {
    /// That of the signals: the HPA divides it by its target.
    #[default]
    Demand,
    /// Pods: the HPA's target is an AverageValue of 1.
    DesiredReplicas,
}
