//! A value with the time at which it was true.

use crate::domain::finite::Finite;
use jiff::Timestamp;

/// One value of a series. A value without a time does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// When the value was true at its source; not when it was read.
    pub at: Timestamp,
    /// The value.
    pub value: Finite,
}
