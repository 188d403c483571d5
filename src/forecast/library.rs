//! The moments that similar ones are found among, kept in few bytes.
//!
//! Two weeks of moments would take a megabyte as floating point numbers. One byte per feature,
//! spread over the range that the feature takes, is an error of at most 1/500 of that range: small
//! beside the distance to even the nearest of a few hundred neighbours, which a test shows.

use crate::forecast::features::ANALOG_FEATURES;
use crate::forecast::past::single;

/// Steps per unit of a height that predictions and changes are kept in: 16 bits then hold changes by a
/// factor of e^8, more than any history shows (see `CHANGE_MAX`), with an error of 0.01 %.
const CHANGE_STEPS: f64 = 4096.0;
/// The largest change of a height that is kept or predicted; larger ones are cut to it.
pub(crate) const CHANGE_MAX: f64 = 7.9;
/// The codes of a byte.
const CODES: f32 = 255.0;
/// Standard deviations below this are taken to be this, so that a feature that does not vary does
/// not tell moments apart by rounding.
const DEVIATION_MIN: f64 = 3e-5;

/// A moment with what came of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Moment {
    /// By what it is compared.
    pub(crate) features: [f64; ANALOG_FEATURES],
    /// The height of the peak relative to the moment's value, as predicted.
    pub(crate) prediction: f64,
    /// The height of the peak relative to the moment's value, as it came.
    pub(crate) change: f64,
}

/// Moments, column by column.
#[derive(Clone, Debug)]
pub(crate) struct Library {
    columns: [Column; ANALOG_FEATURES],
    predictions: Vec<i16>,
    changes: Vec<i16>,
    /// 1 / the standard deviation of the predictions.
    prediction_scale: f32,
}

/// One feature of all moments: `low + code * step`.
#[derive(Clone, Debug)]
struct Column {
    codes: Vec<u8>,
    low: f32,
    step: f32,
    /// 1 / the standard deviation.
    scale: f32,
}

/// What one similar moment says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Neighbour {
    pub(crate) prediction: f64,
    pub(crate) change: f64,
}

impl Library {
    /// Keeps these moments, and room for `more`.
    pub(crate) fn new(moments: &[Moment], more: usize) -> Self {
        let capacity = moments.len() + more;
        let columns = std::array::from_fn(|place| {
            let feature = |it: &Moment| it.features.get(place).copied().unwrap_or_default();
            Column::new(moments.iter().map(feature), capacity)
        });
        let deviation = deviation(moments.iter().map(|it| it.prediction));
        let mut library = Self {
            columns,
            predictions: Vec::with_capacity(capacity),
            changes: Vec::with_capacity(capacity),
            prediction_scale: single(1.0 / deviation),
        };
        moments.iter().for_each(|moment| library.add(moment));
        library
    }

    /// Adds a moment. Features outside the range of those that the library began with are kept as
    /// the end of that range.
    pub(crate) fn add(&mut self, moment: &Moment) {
        for (column, feature) in self.columns.iter_mut().zip(moment.features) {
            column.codes.push(column.code(feature));
        }
        self.predictions.push(change_code(moment.prediction));
        self.changes.push(change_code(moment.change));
    }

    pub(crate) fn len(&self) -> usize {
        self.changes.len()
    }

    /// Squared distances of all moments from one, each feature in its standard deviations.
    pub(crate) fn distances(&self, features: &[f64; ANALOG_FEATURES]) -> Vec<f32> {
        let mut distances = vec![0.0_f32; self.len()];
        for (column, feature) in self.columns.iter().zip(features) {
            let place = (single(*feature) - column.low) / column.step;
            let factor = column.step * column.scale;
            for (distance, code) in distances.iter_mut().zip(&column.codes) {
                let difference = (f32::from(*code) - place) * factor;
                *distance += difference * difference;
            }
        }
        distances
    }

    /// Adds the squared distance of the predictions, `weight` standard deviations to one.
    pub(crate) fn add_prediction(&self, distances: &mut [f32], prediction: f64, weight: f32) {
        let factor = self.prediction_scale * weight / single(CHANGE_STEPS);
        let place = single(prediction * CHANGE_STEPS);
        for (distance, code) in distances.iter_mut().zip(&self.predictions) {
            let difference = (f32::from(*code) - place) * factor;
            *distance += difference * difference;
        }
    }

    /// The nearest so many moments, in no order; among equally near ones the older.
    pub(crate) fn nearest(&self, distances: &[f32], count: usize) -> Vec<Neighbour> {
        // No distance is negative, so their bits are in their order; the place stands behind them.
        let key =
            |(place, distance): (usize, &f32)| (u64::from(distance.to_bits()) << 32) | place as u64;
        let mut order: Vec<u64> = distances.iter().enumerate().map(key).collect();
        if count < order.len() {
            order.select_nth_unstable(count);
        }
        let change = |codes: &[i16], place: usize| {
            f64::from(codes.get(place).copied().unwrap_or_default()) / CHANGE_STEPS
        };
        let neighbour = |key: &u64| {
            let place = usize::try_from(key & u64::from(u32::MAX)).unwrap_or(usize::MAX);
            Neighbour {
                prediction: change(&self.predictions, place),
                change: change(&self.changes, place),
            }
        };
        order.iter().take(count).map(neighbour).collect()
    }

    pub(crate) fn bytes(&self) -> usize {
        let codes: usize = self.columns.iter().map(|it| it.codes.capacity()).sum();
        codes + (self.predictions.capacity() + self.changes.capacity()) * size_of::<i16>()
    }
}

impl Column {
    fn new(features: impl Iterator<Item = f64> + Clone, capacity: usize) -> Self {
        let order = |one: &f64, other: &f64| one.total_cmp(other);
        let low = features.clone().min_by(order).unwrap_or(0.0);
        let high = features.clone().max_by(order).unwrap_or(0.0);
        let step = (single(high - low) / CODES).clamp(single(DEVIATION_MIN), f32::MAX);
        let scale = single(1.0 / deviation(features));
        Self { codes: Vec::with_capacity(capacity), low: single(low), step, scale }
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the conversion saturates at both ends of the range, as `Library::add` says"
    )]
    fn code(&self, feature: f64) -> u8 {
        ((single(feature) - self.low) / self.step).round() as u8
    }
}

#[expect(clippy::cast_possible_truncation, reason = "saturates, as `CHANGE_MAX` says")]
fn change_code(change: f64) -> i16 {
    (change.clamp(-CHANGE_MAX, CHANGE_MAX) * CHANGE_STEPS).round() as i16
}

fn deviation(numbers: impl Iterator<Item = f64> + Clone) -> f64 {
    let count = numbers.clone().count() as f64;
    let mean = numbers.clone().sum::<f64>() / count;
    let squares: f64 = numbers.map(|it| (it - mean) * (it - mean)).sum();
    (squares / count).sqrt().clamp(DEVIATION_MIN, f64::MAX)
}
