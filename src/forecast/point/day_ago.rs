//! What the peak was at this time of the last season.

use crate::forecast::features;
use crate::forecast::past::Past;
use crate::forecast::point::{Point, number};

/// The peak of the same window of the last known season.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DayAgo;

impl Point for DayAgo {
    fn learn(&mut self, _: &Past, _: usize) {}

    fn peak(&self, past: &Past, at: usize, horizon: usize) -> Option<f64> {
        number(past.height(at))?;
        features::last_known_peak(past, at, horizon).map(|(_, peak)| peak)
    }
}
