//! The ways of publishing among which `auto` chooses.

use std::time::Duration;

use crate::domain::limits;
use crate::forecast::Model;
use crate::pipeline::forecast::{Chosen, Given, rise};

use super::foretold::{Foretold, QUANTILES};

/// The models that are tried; their forecasts come from one replay.
pub const MODELS: [Model; 3] = [Model::BlendedAnalog, Model::ResidualAnalog, Model::Analog];
/// The down windows that are tried for observed values, beside the autoscaler's own stabilization:
/// none, a quarter and half an hour, in steps of a day's season.
pub const NAIVE_DOWN_WINDOWS: [u32; 3] = [0, 15, 30];
/// The down windows that are tried for forecasts. Whatever else is tried wins on some past by
/// chance: a quarter of an hour chose no better than these two.
pub const DOWN_WINDOWS: [u32; 2] = [0, 30];
/// The lowest quantile that is tried. The past seems to like a lower one where the observed value
/// does the work, and its forecast then fails when it is needed.
pub const QUANTILE_MIN: f64 = 0.7;
/// What forecasts are multiplied by. Not by less than one: a high quantile scaled down wins on some
/// pasts by chance, and a lower quantile serves better.
pub const HEADROOMS: [f64; 2] = [1.0, 1.12];
/// What the observed value is multiplied by where nothing is forecast: the targets of a utilization
/// from 100 % to 30 %.
pub const NAIVE_HEADROOMS: [f64; 20] = [
    1.0, 1.05, 1.1, 1.16, 1.22, 1.28, 1.35, 1.42, 1.5, 1.58, 1.67, 1.77, 1.88, 2.0, 2.13, 2.27,
    2.45, 2.7, 3.0, 3.33,
];

/// The share of the work that is expected to be late, relative to the share of peaks that the
/// quantile leaves uncovered, where pods take [`EXPECTED_LEAD`]. On recorded loads it is from a fiftieth
/// to an eighth; this is where `auto` chooses best on all of them, and a tenth more or less does
/// as well.
const LATE_OF_UNCOVERED: f64 = 1.0 / 12.0;
/// The lead time of which that holds.
const EXPECTED_LEAD: Duration = Duration::from_secs(300);
/// How steeply it grows with the lead time: the longer pods take, the longer a peak stays uncovered.
/// Found by simulation; anything from 0.7 to 1 does.
const LEAD_POWER: f64 = 0.8;
/// How steeply it falls with the headroom: with 1.12 a third as much is late. Measured it is two
/// thirds, but `auto` chooses best so.
const HEADROOM_POWER: f64 = 10.0;

/// One way of publishing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// How a policy would be told.
    pub chosen: Chosen,
    /// The place of its quantile among [`QUANTILES`], or behind them that of the given one.
    quantile: usize,
}

impl Candidate {
    /// Whether it publishes what is observed, times a headroom.
    #[must_use]
    pub fn is_naive(&self) -> bool {
        self.chosen.model == Model::Naive
    }

    /// The share of late work that is expected of it before any day was judged, if pods take so
    /// long; `None` where nothing is: of observed values, and where the policy gives the quantile.
    #[must_use]
    pub fn expected_late(&self, lead_time: Duration) -> Option<f64> {
        if self.is_naive() || self.quantile == QUANTILES.len() {
            return None;
        }
        let Chosen { quantile, headroom, .. } = self.chosen;
        let of_lead = lead_time.div_duration_f64(EXPECTED_LEAD).powf(LEAD_POWER);
        Some(LATE_OF_UNCOVERED * (1.0 - quantile) * of_lead * headroom.powf(-HEADROOM_POWER))
    }

    /// The value to publish at a step, in pods: never below the observed one.
    #[must_use]
    pub fn value(&self, foretold: &Foretold, step: usize, observed: f64) -> f64 {
        self.value_since(foretold, step, (observed, observed))
    }

    /// The value to publish some time after a step: `known` was observed in it, `observed` is now.
    #[must_use]
    pub fn value_since(
        &self,
        foretold: &Foretold,
        step: usize,
        (known, observed): (f64, f64),
    ) -> f64 {
        let forecast = if self.is_naive() {
            Some(observed)
        } else {
            let peak = foretold.peak(self.chosen.model, step, self.quantile);
            peak.map(|it| it + rise(known, observed))
        };
        let value = forecast.map_or(observed, |it| it * self.chosen.headroom);
        if value > observed { value } else { observed }
    }
}

/// All of them that have what is given, for a history of this step; those without a forecast first:
/// of equals the simplest is chosen.
#[must_use]
pub fn all(step: Duration, given: Given) -> Vec<Candidate> {
    let windows = |tried: &[u32]| match given.down_window {
        Some(window) => vec![window],
        None => tried.iter().map(|steps| step * *steps).collect(),
    };
    let quantiles: Vec<(usize, f64)> = match given.quantile {
        Some(quantile) => vec![(QUANTILES.len(), quantile)],
        None => QUANTILES.into_iter().enumerate().filter(|it| it.1 >= QUANTILE_MIN).collect(),
    };
    let mut all = Vec::new();
    for window in windows(&NAIVE_DOWN_WINDOWS) {
        let quantile = given.quantile.unwrap_or(limits::QUANTILE_DEFAULT);
        let of = |headroom| candidate(Model::Naive, quantile, headroom, window, 0);
        all.extend(NAIVE_HEADROOMS.map(of));
    }
    let windows = windows(&DOWN_WINDOWS);
    for model in MODELS {
        for window in &windows {
            for headroom in HEADROOMS {
                let of = |it: &(usize, f64)| candidate(model, it.1, headroom, *window, it.0);
                all.extend(quantiles.iter().map(of));
            }
        }
    }
    all
}

/// One of them.
#[must_use]
pub fn candidate(
    model: Model,
    quantile: f64,
    headroom: f64,
    down_window: Duration,
    place: usize,
) -> Candidate {
    Candidate { chosen: Chosen { model, quantile, headroom, down_window }, quantile: place }
}
