//! How good the forecasts are by themselves, at one horizon.

use crate::series::Bed;
use foresail::forecast::Model;
use foresail::forecast::gate::pinball;
use foresail::forecast::past::SEASON;
use foresail::simulate::auto::foretold::QUANTILES;
use serde::Serialize;

/// The probabilities that are scored.
pub(crate) const PROBABILITIES: [f64; 4] = [0.5, 0.8, 0.9, 0.95];
/// Over how many steps a slope is taken.
const SLOPE_STEPS: usize = 5;
/// The share of steps that count as rising edges: those with the steepest slopes.
const EDGE_SHARE: f64 = 0.1;

/// The score of a model's forecasts of the peak.
#[derive(Debug, Serialize)]
pub(crate) struct Score {
    pub(crate) model: String,
    pub(crate) horizon_minutes: usize,
    /// The mean error of the median relative to that of "the peak is what is now".
    pub(crate) relative_error: f64,
    /// Pinball losses as a share of the mean demand.
    pub(crate) pinball: [f64; 4],
    /// The shares of peaks below the quantiles.
    pub(crate) coverage: [f64; 4],
    /// The same on rising edges.
    pub(crate) edge_coverage: [f64; 4],
    pub(crate) forecasts: usize,
}

/// The score of every model.
pub(crate) fn scores(bed: &Bed<'_>) -> Vec<Score> {
    bed.forecasts.models().map(|model| score(bed, model)).collect()
}

fn score(bed: &Bed<'_>, model: Model) -> Score {
    let known = &bed.series.known;
    let from = bed.series.scored_from * SEASON;
    let places: Vec<usize> = PROBABILITIES
        .iter()
        .filter_map(|it| QUANTILES.iter().position(|q| q.total_cmp(it).is_eq()))
        .collect();
    let slope = |step: usize| known[step] - known[step - SLOPE_STEPS];
    let steep = steep(known, from);
    let mut sums = Sums::default();
    for step in from..known.len().saturating_sub(bed.horizon) {
        let ahead = &known[step + 1..=step + bed.horizon];
        if ahead.iter().any(|it| !it.is_finite()) || !known[step].is_finite() {
            continue;
        }
        let foretold = bed.ground.foretold();
        let said: Option<Vec<f64>> =
            places.iter().map(|it| bed.forecasts.peak(foretold, model, step, *it)).collect();
        let Some(said) = said else { continue };
        let actual = ahead.iter().copied().fold(0.0, |peak, it| if it > peak { it } else { peak });
        sums.add(&said, actual, known[step], slope(step) >= steep);
    }
    sums.score(model, bed.horizon)
}

/// The slope above which an edge is a rising one.
fn steep(known: &[f64], from: usize) -> f64 {
    let pairs = known[from..].iter().zip(&known[from - SLOPE_STEPS..]);
    let mut slopes: Vec<f64> = pairs.map(|(b, a)| b - a).filter(|it| it.is_finite()).collect();
    slopes.sort_unstable_by(f64::total_cmp);
    let edges = slopes.len() as f64 * EDGE_SHARE;
    let place = slopes.iter().rev().zip(0_u32..).find(|(_, rank)| f64::from(*rank) >= edges);
    place.map_or(f64::INFINITY, |(slope, _)| *slope)
}

#[derive(Debug, Default)]
struct Sums {
    forecasts: usize,
    edges: usize,
    demand: f64,
    error: f64,
    naive_error: f64,
    pinball: [f64; 4],
    covered: [usize; 4],
    edges_covered: [usize; 4],
}

impl Sums {
    fn add(&mut self, said: &[f64], actual: f64, now: f64, is_edge: bool) {
        self.forecasts += 1;
        self.edges += usize::from(is_edge);
        self.demand += now;
        self.error += (said[0] - actual).abs();
        self.naive_error += (now - actual).abs();
        for (place, (said, probability)) in said.iter().zip(PROBABILITIES).enumerate() {
            self.pinball[place] += pinball(probability, *said, actual);
            let covered = usize::from(actual <= *said);
            self.covered[place] += covered;
            self.edges_covered[place] += covered * usize::from(is_edge);
        }
    }

    fn score(&self, model: Model, horizon: usize) -> Score {
        let share = |count: usize, of: usize| count as f64 / of as f64;
        Score {
            model: model.name().to_owned(),
            horizon_minutes: horizon,
            relative_error: self.error / self.naive_error,
            pinball: self.pinball.map(|it| it / self.demand),
            coverage: self.covered.map(|it| share(it, self.forecasts)),
            edge_coverage: self.edges_covered.map(|it| share(it, self.edges)),
            forecasts: self.forecasts,
        }
    }
}
