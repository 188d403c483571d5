//! The straight line through the last steps, by least squares.

use crate::forecast::past::{Past, larger};
use crate::forecast::point::{Point, number};

/// The steps that the line is laid through. Shorter lines follow noise: extrapolated, they are
/// worse than no change on almost every series.
const STEPS: usize = 30;

/// The line through the values (not their heights: a straight line of heights explodes).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Linear;

impl Point for Linear {
    fn learn(&mut self, _: &Past, _: usize) {}

    fn peak(&self, past: &Past, at: usize, horizon: usize) -> Option<f64> {
        let from = (at + 1).checked_sub(STEPS)?;
        if !past.is_known(from..at + 1) {
            return None;
        }
        let middle = (STEPS - 1) as f64 / 2.0;
        let (mut sum, mut moment, mut squares) = (0.0, 0.0, 0.0);
        for (place, step) in (from..=at).enumerate() {
            let value = past.value_of(past.height(step));
            let distance = place as f64 - middle;
            sum += value;
            moment += distance * value;
            squares += distance * distance;
        }
        let slope = moment / squares;
        let ahead = |steps: usize| sum / STEPS as f64 + slope * (middle + steps as f64);
        let peak = larger(ahead(1), ahead(horizon)).clamp(0.0, f64::MAX);
        number(past.height_of(peak))
    }
}
