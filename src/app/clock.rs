//! The only place that asks what time it is; everything else is told.

use crate::auth::Now;
use jiff::Timestamp;
use std::time::Instant;

/// Now, by the wall clock.
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

/// Both clocks: the steady one for ages, the wall clock for dates.
pub(crate) fn both() -> Now {
    Now { instant: Instant::now(), time: now() }
}
