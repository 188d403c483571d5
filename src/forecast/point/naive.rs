//! No change: what is now will be.

use crate::forecast::past::Past;
use crate::forecast::point::{Point, number};

/// The present value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Naive;

impl Point for Naive {
    fn learn(&mut self, _: &Past, _: usize) {}

    fn peak(&self, past: &Past, at: usize, _: usize) -> Option<f64> {
        number(past.height(at))
    }
}
