//! The forecasts that every model would have made at each step of a history.

use crate::Size;
use foresail::forecast::Model;
use foresail::forecast::forecaster::Forecaster;
use foresail::forecast::past::Steps;
use foresail::simulate::auto::WARM_UP;
use foresail::simulate::auto::candidates::MODELS;
use foresail::simulate::auto::foretold::{Foretold, QUANTILES};

/// The forecasts of the models that `auto` does not try; those that it does are its own.
#[derive(Debug, Default)]
pub(crate) struct Forecasts(Vec<(Model, Vec<Option<Row>>)>);

type Row = [f64; QUANTILES.len()];

impl Forecasts {
    /// Replays the steps after the warm-up.
    pub(crate) fn replay(steps: Steps<'_>, horizon: usize, size: Size) -> Self {
        if !size.others {
            return Self::default();
        }
        let others = Model::ALL.into_iter().filter(|it| !MODELS.contains(it));
        Self(others.map(|model| (model, rows(model, steps, horizon))).collect())
    }

    /// The quantile at this place of a model's forecast.
    pub(crate) fn peak(
        &self,
        foretold: &Foretold,
        model: Model,
        step: usize,
        quantile: usize,
    ) -> Option<f64> {
        let other = self.0.iter().find(|(it, _)| *it == model);
        let Some((_, rows)) = other else { return foretold.peak(model, step, quantile) };
        let row = rows.get(step.checked_sub(WARM_UP - 1)?)?;
        Some(row.as_ref()?[quantile])
    }

    /// The models there are forecasts of, the most promising first.
    pub(crate) fn models(&self) -> impl Iterator<Item = Model> {
        let is_there =
            |it: &Model| MODELS.contains(it) || self.0.iter().any(|(model, _)| model == it);
        Model::ALL.into_iter().filter(is_there)
    }
}

fn rows(model: Model, steps: Steps<'_>, horizon: usize) -> Vec<Option<Row>> {
    let mut forecaster = Forecaster::new(model, horizon, 0.9);
    let first = steps.oldest() + i64::try_from(WARM_UP - 1).unwrap();
    let mut rows = Vec::new();
    forecaster.replay(steps, first..=steps.newest(), |forecast| {
        let peak = forecast.peak.as_ref();
        rows.push(peak.map(|peak| QUANTILES.map(|quantile| peak.quantile(quantile))));
    });
    rows
}
