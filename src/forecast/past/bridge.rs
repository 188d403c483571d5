//! Short gaps of a history, filled.

use super::{BRIDGE_MAX, is_demand};

/// Each gap's first steps take the value before, and all that stays unknown is NaN. What is filled
/// does not depend on when the gap ends, so that looking back gives the answers that were given then.
#[derive(Debug)]
pub(super) struct Bridge {
    last: f64,
    gap: usize,
}

impl Default for Bridge {
    fn default() -> Self {
        Self { last: f64::NAN, gap: 0 }
    }
}

impl Bridge {
    /// What the next value is taken for.
    pub(super) fn over(&mut self, value: f64) -> f64 {
        if is_demand(value) {
            (self.last, self.gap) = (value, 0);
        } else {
            self.gap += 1;
        }
        if self.gap > BRIDGE_MAX { f64::NAN } else { self.last }
    }
}
