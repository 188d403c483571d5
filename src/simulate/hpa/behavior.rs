//! The `behavior` part of an autoscaler's spec: windows, rate policies and tolerances per direction.

use std::time::Duration;

use crate::simulate::SimulateError;

/// The longest stabilisation window the API accepts.
const STABILIZATION_WINDOW_MAX: Duration = Duration::from_secs(3_600);
/// The longest period of a rate policy the API accepts.
const PERIOD_MAX: Duration = Duration::from_secs(1_800);
/// The shortest period of a rate policy the API accepts.
const PERIOD_MIN: Duration = Duration::from_secs(1);

/// How fast the replica count may move. Start from [`Behavior::default`] and change what differs:
/// the API server fills in both halves as soon as one field is given.
#[derive(Debug, Clone, PartialEq)]
pub struct Behavior {
    /// The rules for adding pods.
    pub scale_up: ScalingRules,
    /// The rules for removing pods.
    pub scale_down: ScalingRules,
}

/// The rules for one direction.
#[derive(Debug, Clone, PartialEq)]
pub struct ScalingRules {
    /// How far back recommendations are looked at; none means the controller's own setting, which
    /// exists for scaling down only (scaling up has none: 0).
    pub stabilization_window: Option<Duration>,
    /// Which of the policies decides.
    pub select_policy: SelectPolicy,
    /// The limits on change per period.
    pub policies: Vec<ScalingPolicy>,
    /// How far a usage ratio may be from 1 in this direction (0.1 is ten percent); none means the
    /// controller's own setting.
    pub tolerance: Option<f64>,
}

/// Which of several policies decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SelectPolicy {
    /// The one that allows the largest change.
    Max,
    /// The one that allows the smallest change.
    Min,
    /// None: no change in this direction.
    Disabled,
}

/// At most so much change in so much time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScalingPolicy {
    /// What the value counts.
    pub unit: PolicyUnit,
    /// The change allowed within the period: pods, or percent of the pods at its start.
    pub value: i32,
    /// How far back changes are counted.
    pub period: Duration,
}

/// What a policy's value counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyUnit {
    /// Pods.
    Pods,
    /// Percent of the pods there were when the period began.
    Percent,
}

impl ScalingPolicy {
    /// At most so many pods per period.
    #[must_use]
    pub fn pods(value: i32, period: Duration) -> Self {
        Self { unit: PolicyUnit::Pods, value, period }
    }

    /// At most so many percent per period.
    #[must_use]
    pub fn percent(value: i32, period: Duration) -> Self {
        Self { unit: PolicyUnit::Percent, value, period }
    }
}

impl Default for Behavior {
    /// What the API server fills in where nothing is said.
    fn default() -> Self {
        let quarter_minute = Duration::from_secs(15);
        let all = ScalingPolicy::percent(100, quarter_minute);
        Self {
            scale_up: ScalingRules {
                stabilization_window: Some(Duration::ZERO),
                select_policy: SelectPolicy::Max,
                policies: vec![ScalingPolicy::pods(4, quarter_minute), all],
                tolerance: None,
            },
            scale_down: ScalingRules {
                stabilization_window: None,
                select_policy: SelectPolicy::Max,
                policies: vec![all],
                tolerance: None,
            },
        }
    }
}

impl Behavior {
    /// Checks what the API server checks.
    pub(super) fn check(&self) -> Result<(), SimulateError> {
        self.scale_up.check()?;
        self.scale_down.check()
    }
}

impl ScalingRules {
    fn check(&self) -> Result<(), SimulateError> {
        let Self { stabilization_window, select_policy: _, policies, tolerance } = self;
        if let Some(window) = stabilization_window
            && *window > STABILIZATION_WINDOW_MAX
        {
            return Err(out_of_range(
                "stabilization_window",
                &format!("{window:?}"),
                "0 to 3600 s",
            ));
        }
        if let Some(tolerance) = tolerance
            && !(tolerance.is_finite() && *tolerance >= 0.0)
        {
            return Err(out_of_range("tolerance", &tolerance.to_string(), "a number, 0 or more"));
        }
        if policies.is_empty() {
            return Err(out_of_range("policies", "empty", "at least one policy"));
        }
        for policy in policies {
            if policy.value <= 0 {
                return Err(out_of_range("value", &policy.value.to_string(), "more than 0"));
            }
            if !(PERIOD_MIN..=PERIOD_MAX).contains(&policy.period) {
                return Err(out_of_range("period", &format!("{:?}", policy.period), "1 to 1800 s"));
            }
        }
        Ok(())
    }
}

fn out_of_range(setting: &'static str, value: &str, allowed: &'static str) -> SimulateError {
    SimulateError::OutOfRange { setting, value: value.to_owned(), allowed }
}
