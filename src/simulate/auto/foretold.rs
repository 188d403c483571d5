//! The forecasts that would have been made at each step of a history.

use crate::domain::limits;
use crate::forecast::Model;
use crate::forecast::forecaster::Forecaster;
use crate::forecast::past::{Steps, single};
use crate::forecast::peak::Peak;

use super::Question;

/// The quantiles that are kept of each forecast.
pub const QUANTILES: [f64; 20] = [
    0.1, 0.2, 0.3, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.88, 0.9, 0.92, 0.94, 0.95, 0.96, 0.97, 0.98,
    0.985, 0.99, 0.995,
];

/// The quantiles of one forecast, in pods; the one that the policy gives is last.
type Row = [f32; QUANTILES.len() + 1];

/// The forecasts of the two analogues, which come from one replay; their mean follows.
#[derive(Debug)]
pub struct Foretold {
    first: usize,
    residual: Vec<Option<Row>>,
    plain: Vec<Option<Row>>,
}

impl Foretold {
    /// Replays the steps from the place `first` on, for peaks over the question's horizon, in units
    /// of `capacity`.
    #[must_use]
    pub fn replay(steps: Steps<'_>, first: usize, question: &Question<'_>, capacity: f64) -> Self {
        let mut forecaster = Forecaster::ungated(Model::BlendedAnalog, question.horizon);
        let given = question.given.quantile.unwrap_or(limits::QUANTILE_DEFAULT);
        let from = steps.oldest().saturating_add_unsigned(first as u64);
        let mut foretold = Self { first, residual: Vec::new(), plain: Vec::new() };
        forecaster.replay(steps, from..=steps.newest(), |forecast| {
            let row = |place: usize| {
                let part = forecast.peak.as_ref()?.parts().get(place)?;
                Some(row(part, given, capacity))
            };
            foretold.residual.push(row(0));
            foretold.plain.push(row(1));
        });
        foretold
    }

    /// The quantile at this place (that behind all [`QUANTILES`] is the policy's own) of a model's forecast at a step; `None` where there was none.
    #[must_use]
    pub fn peak(&self, model: Model, step: usize, quantile: usize) -> Option<f64> {
        let place = step.checked_sub(self.first)?;
        let of = |rows: &[Option<Row>]| -> Option<f64> {
            rows.get(place)?.as_ref()?.get(quantile).map(|it| f64::from(*it))
        };
        match model {
            Model::ResidualAnalog => of(&self.residual),
            Model::Analog => of(&self.plain),
            _ => Some(f64::midpoint(of(&self.residual)?, of(&self.plain)?)),
        }
    }
}

fn row(peak: &Peak, given: f64, capacity: f64) -> Row {
    let mut quantiles = QUANTILES.into_iter().chain([given]);
    // A row has a place for each of them.
    Row::default().map(|none| {
        quantiles.next().map_or(none, |quantile| single(peak.quantile(quantile) / capacity))
    })
}
