//! How long and how fast servers are asked.

use std::time::Duration;

/// The time between two requests of 1,000 HPAs that sync every 15 s: 67 requests/s.
pub(crate) const PERIOD: Duration = Duration::from_millis(15);

/// The HPA controller's default, and what "per interval" means in the table.
pub(crate) const SYNC: Duration = Duration::from_secs(15);

/// An answer that takes longer than to the next sync is none.
pub(crate) const DEADLINE: Duration = SYNC;

/// Requests in flight when as many are sent as are answered.
pub(crate) const AT_ONCE: usize = 32;

/// How long each part takes.
#[derive(Debug)]
pub(crate) struct Pace {
    /// As fast as possible, for each kind of metric.
    pub(crate) saturated: Duration,
    /// The mix, before anything is counted: caches fill, metrics are asked for the first time.
    pub(crate) warm_up: Duration,
    /// The mix.
    pub(crate) mix: Duration,
    /// Without any request.
    pub(crate) idle: Duration,
}

impl Pace {
    /// What the table is from.
    pub(crate) const WHOLE: Self = Self {
        saturated: Duration::from_secs(10),
        warm_up: Duration::from_secs(15),
        mix: Duration::from_secs(45),
        idle: Duration::from_secs(15),
    };

    /// Enough to see that everything works; the interval of the policies is waited out once.
    pub(crate) const SHORT: Self = Self {
        saturated: Duration::from_millis(300),
        warm_up: Duration::from_millis(300),
        mix: Duration::from_secs(16),
        idle: Duration::from_millis(300),
    };
}
