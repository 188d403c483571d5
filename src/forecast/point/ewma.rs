//! The exponentially weighted mean of the past, taken to go on.

use crate::forecast::past::Past;
use crate::forecast::point::{Point, number};

/// After so many steps a value counts half.
const HALF_LIFE: f64 = 2.0;

/// The mean of heights so far; NaN before the first known step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ewma {
    mean: f64,
}

impl Ewma {
    pub(crate) fn new() -> Self {
        Self { mean: f64::NAN }
    }
}

impl Point for Ewma {
    fn learn(&mut self, past: &Past, at: usize) {
        let height = past.height(at);
        if !height.is_finite() {
            return;
        }
        let share = 1.0 - (-1.0 / HALF_LIFE).exp2();
        self.mean =
            if self.mean.is_finite() { self.mean + share * (height - self.mean) } else { height };
    }

    fn peak(&self, past: &Past, at: usize, _: usize) -> Option<f64> {
        number(past.height(at))?;
        number(self.mean)
    }
}
