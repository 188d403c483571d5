//! The settings of a forecast, settled.

use crate::domain::limits;
use crate::domain::name::ObjectName;
use crate::domain::supply::{Startup, Supply};
use crate::forecast::Model;
use std::time::Duration;

/// A forecast of the peak over the lead time.
#[derive(Clone, Debug, PartialEq)]
pub struct Forecast {
    /// Whether it is published, or only shown.
    pub is_shadow: bool,
    /// How it is made.
    pub model: Choice<Model>,
    /// From raising the replica count to a pod that serves.
    pub lead_time: Choice<Duration>,
    /// Whose pods tell the lead time; those of the HPAs found when `None`.
    pub scale_target: Option<ScaleTarget>,
    /// The share of peaks to cover.
    pub quantile: Choice<f64>,
    /// How long the published value may not fall below its own recent maximum.
    pub down_window: Choice<Duration>,
    /// How long until the day repeats.
    pub season: Duration,
    /// Work that waits longer than this is late.
    pub max_wait: Duration,
    /// The share of the work that may be late.
    pub late_share: f64,
    /// Whether the forecast may be published where it is below the observed value.
    pub below_observed: bool,
    /// Bound on the forecast, as a multiple of the largest value of the history.
    pub over_history: f64,
    /// Bound on the forecast, as a multiple of the observed value.
    pub over_observed: f64,
}

impl Forecast {
    /// The step of the history: a minute where the season is a day.
    #[must_use]
    pub fn step(&self) -> Duration {
        let steps = u32::try_from(limits::HISTORY_STEPS_PER_SEASON).unwrap_or(u32::MAX);
        self.season / steps
    }

    /// How long a pod takes to start: as the policy says, or as it was measured, or the usual time.
    #[must_use]
    pub fn startup(&self, supply: Option<&Supply>) -> Startup {
        match self.lead_time {
            Choice::Given(time) => Startup::given(time),
            Choice::Auto => supply.and_then(Supply::startup).unwrap_or_else(Startup::assumed),
        }
    }
}

/// A value that the policy gives, or leaves to Foresail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice<T> {
    /// Foresail measures or chooses it.
    Auto,
    /// The policy gives it.
    Given(T),
}

impl<T> Choice<T> {
    /// The value that the policy gives.
    #[must_use]
    pub fn given(self) -> Option<T> {
        match self {
            Self::Given(value) => Some(value),
            Self::Auto => None,
        }
    }
}

/// A workload that an HPA scales, in the policy's namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ScaleTarget {
    /// E.g. `apps/v1`.
    pub api_version: Box<str>,
    /// E.g. `Deployment`.
    pub kind: Box<str>,
    /// Its name.
    pub name: ObjectName,
}
