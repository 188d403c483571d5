//! Forecasters of the peak that give one number; what surrounds it is learnt from their errors.

pub(crate) mod day_ago;
pub(crate) mod ewma;
pub(crate) mod holt;
pub(crate) mod holt_winters;
pub(crate) mod linear;
pub(crate) mod naive;
pub(crate) mod profile;

use crate::forecast::past::Past;
use std::fmt::Debug;

/// A forecaster of the height of the peak. What it knows of the past it takes in step by step.
pub(crate) trait Point: Debug + Send {
    /// Takes in the step `at`, which may be unknown.
    fn learn(&mut self, past: &Past, at: usize);

    /// The height of the peak over the next `horizon` steps, seen from `at`, the step learnt last.
    fn peak(&self, past: &Past, at: usize, horizon: usize) -> Option<f64>;

    /// What it keeps on the heap.
    fn heap_bytes(&self) -> usize {
        0
    }
}

/// The number, if it is one.
pub(crate) fn number(height: f64) -> Option<f64> {
    height.is_finite().then_some(height)
}
