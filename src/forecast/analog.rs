//! Peaks after similar moments, and a regression with the residuals of similar moments around it.
//!
//! A ridge regression predicts the height of the peak relative to now. Similar moments of the past are
//! then those with similar features and a similar prediction, and how far their peaks were from
//! their own predictions is how far this one may be. Without the regression, their peaks relative
//! to their own values are the answer.

use crate::forecast::features::{self, FIRST, RIDGE_FEATURES};
use crate::forecast::library::{CHANGE_MAX, Library, Moment};
use crate::forecast::past::{FIT_STEPS, Past, REFIT};
use crate::forecast::peak::Peak;
use crate::forecast::ridge::{NormalEquations, Ridge};
use crate::forecast::{Fitted, Model};

/// How many similar moments make a distribution: enough that one in twenty of them is a dozen, few
/// enough that they are similar.
const NEIGHBOURS: usize = 250;
/// Every how many steps a moment is kept: neighbours in time say almost the same.
const LIBRARY_STRIDE: usize = 2;
/// Every how many steps a moment is an example for the regression.
const RIDGE_STRIDE: usize = 3;
/// The price on the regression's weights; see `NormalEquations::solve`.
const RIDGE_PRICE: f64 = 0.01;
/// Added to each feature's mean square; see `NormalEquations::solve`.
const RIDGE_FLOOR: f64 = 1e-6;
/// How much more the prediction counts than any other feature when moments are compared: it is what
/// the answer turns on.
const PREDICTION_WEIGHT: f32 = 2.0;
/// Examples that a regression needs, for each of its weights.
const EXAMPLES_PER_WEIGHT: usize = 5;

/// The regression with the moments of the past.
#[derive(Debug)]
pub(crate) struct Analogs {
    model: Model,
    horizon: usize,
    ridge: Ridge,
    library: Library,
    row: Vec<f64>,
}

impl Analogs {
    /// Learns from the moments up to `at` whose peaks are known by then.
    pub(crate) fn fit(model: Model, past: &Past, at: usize, horizon: usize) -> Option<Self> {
        let ridge = fit_ridge(past, at, horizon)?;
        let mut row = Vec::with_capacity(RIDGE_FEATURES);
        let moments: Vec<Moment> = resolved(at, horizon)
            .filter(|it| is_kept(past, *it))
            .filter_map(|it| moment(past, it, horizon, &ridge, &mut row))
            .collect();
        if moments.len() < NEIGHBOURS {
            return None;
        }
        let library = Library::new(&moments, REFIT / LIBRARY_STRIDE + 1);
        Some(Self { model, horizon, ridge, library, row })
    }
}

impl Fitted for Analogs {
    fn learn(&mut self, past: &Past, at: usize) {
        let Some(resolved) = at.checked_sub(self.horizon) else { return };
        if is_kept(past, resolved)
            && let Some(moment) = moment(past, resolved, self.horizon, &self.ridge, &mut self.row)
        {
            self.library.add(&moment);
        }
    }

    fn forecast(&self, past: &Past, at: usize) -> Option<Peak> {
        let features = features::analog(past, at, self.horizon)?;
        let mut row = Vec::with_capacity(RIDGE_FEATURES);
        let prediction = predict(past, at, self.horizon, &self.ridge, &mut row)?;
        let now = past.height(at);
        let mut distances = self.library.distances(&features);
        let plain = |distances: &[f32]| {
            let neighbours = self.library.nearest(distances, NEIGHBOURS);
            let heights: Vec<f64> = neighbours.iter().map(|it| now + it.change).collect();
            let point = heights.iter().sum::<f64>() / heights.len() as f64;
            Peak::sample(Model::Analog, past, point, heights)
        };
        let residual = |distances: &mut [f32]| {
            self.library.add_prediction(distances, prediction, PREDICTION_WEIGHT);
            let neighbours = self.library.nearest(distances, NEIGHBOURS);
            let point = now + prediction;
            let heights = neighbours.iter().map(|it| point + it.change - it.prediction).collect();
            Peak::sample(Model::ResidualAnalog, past, point, heights)
        };
        match self.model {
            Model::Analog => plain(&distances),
            Model::BlendedAnalog => {
                let plain = plain(&distances)?;
                Some(Peak::mean(self.model, residual(&mut distances)?, plain))
            }
            _ => residual(&mut distances),
        }
    }

    fn bytes(&self) -> usize {
        let row = self.row.capacity() * size_of::<f64>();
        size_of::<Self>() + self.ridge.bytes() + self.library.bytes() + row
    }
}

/// The regression for the height of the peak relative to now, from the moments up to `at` whose peaks
/// are known by then; `None` when they are too few.
pub(crate) fn fit_ridge(past: &Past, at: usize, horizon: usize) -> Option<Ridge> {
    let mut equations = NormalEquations::new(RIDGE_FEATURES);
    let mut row = Vec::with_capacity(RIDGE_FEATURES);
    for moment in resolved(at, horizon).step_by(RIDGE_STRIDE) {
        if let Some(peak) = past.peak(moment, horizon)
            && features::ridge(past, moment, horizon, &mut row)
        {
            equations.add(&row, peak - past.height(moment));
        }
    }
    let enough = (EXAMPLES_PER_WEIGHT * RIDGE_FEATURES) as f64;
    if equations.examples() < enough {
        return None;
    }
    equations.solve(RIDGE_PRICE, RIDGE_FLOOR)
}

/// What the regression says of a moment, within what a height can change.
pub(crate) fn predict(
    past: &Past,
    at: usize,
    horizon: usize,
    ridge: &Ridge,
    row: &mut Vec<f64>,
) -> Option<f64> {
    if !features::ridge(past, at, horizon, row) {
        return None;
    }
    Some(ridge.predict(row).clamp(-CHANGE_MAX, CHANGE_MAX))
}

fn moment(
    past: &Past,
    at: usize,
    horizon: usize,
    ridge: &Ridge,
    row: &mut Vec<f64>,
) -> Option<Moment> {
    let change = past.peak(at, horizon)? - past.height(at);
    let features = features::analog(past, at, horizon)?;
    let prediction = predict(past, at, horizon, ridge, row)?;
    Some(Moment { features, prediction, change })
}

/// The moments whose peaks are known at `at`, as far back as a fit looks.
fn resolved(at: usize, horizon: usize) -> std::ops::Range<usize> {
    let end = (at + 1).saturating_sub(horizon);
    let from = end.saturating_sub(FIT_STEPS);
    (if from > FIRST { from } else { FIRST })..end
}

/// Told by the index, so that every replica keeps the same moments.
fn is_kept(past: &Past, at: usize) -> bool {
    past.index(at).rem_euclid(LIBRARY_STRIDE as i64) == 0
}

#[cfg(test)]
mod tests;
