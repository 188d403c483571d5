//! The only place that asks what time it is; everything else is told.

use jiff::Timestamp;

/// Now, by the wall clock.
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}
