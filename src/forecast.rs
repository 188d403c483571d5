//! Forecasts of demand: from a history on a regular grid to the distribution of the peak over the
//! next steps, and whether that distribution has earned its place.
//!
//! In: values on a regular grid, [`past::SEASON`] steps to a season (a day, mostly), unknown ones
//! as NaN, and how many steps ahead the peak is wanted. Out: a [`peak::Peak`] that answers any
//! quantile and says what it rests on, and the [`gate::Verdict`] on its model.
//!
//! Never: no I/O, no clock, no chance, no other room. Everything depends on the values and on the
//! index of the newest step alone, refits happen at the same indices everywhere, and so all
//! replicas give the same answer.
//!
//! `past` prepares the history, `features` describes a moment of it, each model turns it into a
//! [`Fitted`], `gate` keeps the score against "no change", and `forecaster` holds these together
//! for one metric.

mod analog;
mod change_point;
mod ensemble;
mod features;
pub mod forecaster;
pub mod gate;
mod hedge;
mod library;
pub mod past;
pub mod peak;
mod point;
mod pointwise;
mod quantile_tracker;
mod ridge;

#[cfg(test)]
mod tests;

use crate::forecast::analog::Analogs;
use crate::forecast::ensemble::Ensemble;
use crate::forecast::past::Past;
use crate::forecast::peak::Peak;
use crate::forecast::point::Point;
use crate::forecast::point::holt_winters::HoltWinters;
use crate::forecast::point::linear::Linear;
use crate::forecast::point::naive::Naive;
use crate::forecast::point::profile::Profile;
use crate::forecast::pointwise::Pointwise;

/// The most steps ahead: a quarter of a season. The profile at the end of the horizon then still
/// rests on values of the season before.
pub const HORIZON_MAX: usize = past::SEASON / 4;

/// The models there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Model {
    /// A ridge regression for the peak, and the residuals of similar moments around it.
    ResidualAnalog,
    /// The peaks that followed similar moments.
    Analog,
    /// The mean of the two, quantile by quantile.
    BlendedAnalog,
    /// A weighted vote of simple forecasters, with a bound that adapts to their errors.
    Ensemble,
    /// The same time of earlier seasons, moved to the present level.
    Profile,
    /// Level, trend and a season, each smoothed exponentially.
    HoltWinters,
    /// The line through the last steps.
    Linear,
    /// No change.
    Naive,
}

impl Model {
    /// Every model, the most promising first.
    pub const ALL: [Self; 8] = [
        Self::ResidualAnalog,
        Self::BlendedAnalog,
        Self::Analog,
        Self::Ensemble,
        Self::Profile,
        Self::HoltWinters,
        Self::Linear,
        Self::Naive,
    ];

    /// Its name, as policies, metrics and status spell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ResidualAnalog => "residualAnalog",
            Self::Analog => "analog",
            Self::BlendedAnalog => "blendedAnalog",
            Self::Ensemble => "ensemble",
            Self::Profile => "profile",
            Self::HoltWinters => "holtWinters",
            Self::Linear => "linear",
            Self::Naive => "naive",
        }
    }

    /// Fits the model to the past up to and including `at`, for peaks over the next `horizon` steps.
    /// `None` when that past is too short or too full of holes, or the horizon is 0 or more than
    /// [`HORIZON_MAX`].
    #[must_use]
    pub fn fit(self, past: &Past, at: usize, horizon: usize) -> Option<Box<dyn Fitted>> {
        if horizon == 0 || horizon > HORIZON_MAX {
            return None;
        }
        match self {
            Self::ResidualAnalog | Self::Analog | Self::BlendedAnalog => {
                Some(Box::new(Analogs::fit(self, past, at, horizon)?))
            }
            Self::Ensemble => Some(Box::new(Ensemble::fit(past, at, horizon)?)),
            Self::Profile => pointwise(self, Profile, past, at, horizon),
            Self::HoltWinters => {
                pointwise(self, HoltWinters::fit(past, at, horizon)?, past, at, horizon)
            }
            Self::Linear => pointwise(self, Linear, past, at, horizon),
            Self::Naive => pointwise(self, Naive, past, at, horizon),
        }
    }
}

fn pointwise<P: Point + 'static>(
    model: Model,
    point: P,
    past: &Past,
    at: usize,
    horizon: usize,
) -> Option<Box<dyn Fitted>> {
    let fitted = Pointwise::fit(model, point, past, at, horizon)?;
    Some(Box::new(fitted))
}

/// A model fitted to a history, for one horizon.
///
/// Steps are counted from the beginning of the `Past` that it was fitted to; later ones that it is
/// shown begin at the same step and have the same scale.
pub trait Fitted: std::fmt::Debug + Send {
    /// Takes in that the step `at` is known now. Called once for each step after the one that it
    /// was fitted at, in their order.
    fn learn(&mut self, past: &Past, at: usize);

    /// The distribution of the peak over the next steps, seen from `at`, the step learnt last.
    /// `None` when too little is known around it.
    fn forecast(&self, past: &Past, at: usize) -> Option<Peak>;

    /// What it keeps between two forecasts.
    fn bytes(&self) -> usize;
}
