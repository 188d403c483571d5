//! A pod as the autoscaler sees it, and the value a metric has for it.

use std::collections::BTreeMap;
use std::time::Duration;

/// One pod that matches the scale target's selector. Times are counted from the start of the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pod {
    /// The pod's name, unique among the target's pods.
    pub name: String,
    /// Where the pod is in its life.
    pub phase: Phase,
    /// Whether its deletion was asked for.
    pub deleting: bool,
    /// The pod's Ready condition, if it has one.
    pub ready: Option<ReadyCondition>,
    /// When the kubelet first saw it.
    pub start_time: Option<Duration>,
    /// What all its containers request of the resource, in milli units; none if one of them
    /// requests nothing. Only utilization targets ask for it.
    pub request_milli: Option<i64>,
}

impl Pod {
    /// A pod that runs and is ready, and has been so from the start of the run.
    #[must_use]
    pub fn running(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            phase: Phase::Running,
            deleting: false,
            ready: Some(ReadyCondition { ready: true, last_transition: Duration::ZERO }),
            start_time: Some(Duration::ZERO),
            request_milli: None,
        }
    }

    /// Whether the pod counts where only ready pods count: it runs and its Ready condition holds.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.phase == Phase::Running && self.ready.is_some_and(|condition| condition.ready)
    }
}

/// A pod's phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Accepted, but not all containers have started.
    Pending,
    /// Bound to a node and started.
    Running,
    /// All containers ended well.
    Succeeded,
    /// At least one container ended badly.
    Failed,
}

/// A pod's Ready condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadyCondition {
    /// Whether the pod is ready.
    pub ready: bool,
    /// When that last changed, counted from the start of the run.
    pub last_transition: Duration,
}

/// What a metric says about one pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PodValue {
    /// The value, in milli units.
    pub value_milli: i64,
    /// When it was measured, counted from the start of the run. Only the CPU resource asks for it.
    pub at: Duration,
    /// Over how long it was measured. Only the CPU resource asks for it.
    pub window: Duration,
}

impl PodValue {
    /// A value of a custom metric, whose time the controller does not look at.
    #[must_use]
    pub fn of(value_milli: i64) -> Self {
        Self { value_milli, at: Duration::ZERO, window: Duration::ZERO }
    }
}

/// What a metric says, by pod name.
pub type PodValues = BTreeMap<String, PodValue>;
