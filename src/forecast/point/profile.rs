//! What is usual at this time, moved to the present level.

use crate::forecast::past::{Past, larger};
use crate::forecast::point::{Point, number};

/// The steps that the present level is the mean of.
const LEVEL_STEPS: usize = 3;
/// What is left, after a step, of the difference between the present level and what is usual.
const DIFFERENCE_KEPT: f64 = 0.99;

/// The profile of earlier seasons, corrected by how far the present is from it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Profile;

impl Point for Profile {
    fn learn(&mut self, _: &Past, _: usize) {}

    fn peak(&self, past: &Past, at: usize, horizon: usize) -> Option<f64> {
        number(past.height(at))?;
        let mut difference = past.height_of_mean(at, LEVEL_STEPS) - past.profile(at);
        let corrected = past.profiles(at + 1..at + 1 + horizon)?.iter().map(|usual| {
            difference *= DIFFERENCE_KEPT;
            usual + difference
        });
        number(corrected.reduce(larger)?)
    }
}
