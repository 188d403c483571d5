//! A vote of simple forecasters, with quantiles that adapt to the vote's own errors.

use crate::forecast::analog::{fit_ridge, predict};
use crate::forecast::features::{FIRST, RIDGE_FEATURES};
use crate::forecast::hedge::Hedge;
use crate::forecast::past::{Past, SEASON, nearest_rank};
use crate::forecast::peak::Peak;
use crate::forecast::point::Point;
use crate::forecast::point::day_ago::DayAgo;
use crate::forecast::point::ewma::Ewma;
use crate::forecast::point::holt::Holt;
use crate::forecast::point::naive::Naive;
use crate::forecast::point::profile::Profile;
use crate::forecast::quantile_tracker::QuantileTracker;
use crate::forecast::ridge::Ridge;
use crate::forecast::{Fitted, Model};
use std::collections::VecDeque;

/// The voters.
const EXPERTS: usize = 6;
const NAMES: [&str; EXPERTS] = ["naive", "ewma", "holt", "dayAgo", "profile", "ridge"];
/// The quantiles that are tracked: dense where they are bought.
const LEVELS: [f64; 14] =
    [0.02, 0.1, 0.25, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.94, 0.97, 0.985, 0.995];
/// The seasons that weights and quantiles are learnt from. Weights forget within hours, quantiles
/// within days.
const REPLAY: usize = 3 * SEASON;
/// The errors that the first estimates of the quantiles come from.
const FIRST_ERRORS: usize = SEASON / 3;
/// How far a quantile moves at a step, as a share of the errors' mean size: slow enough that a high
/// quantile survives the steps between two errors above it.
const RATE: f64 = 0.03;
/// What is left, after a step, of the weight of an error's size.
const SIZE_KEPT: f64 = 0.995;

/// The voters, their weights and the quantiles of the vote's errors.
#[derive(Debug)]
pub(crate) struct Ensemble {
    horizon: usize,
    experts: [Box<dyn Point>; EXPERTS],
    hedge: Hedge<EXPERTS>,
    /// For the last steps, oldest first: what was said then.
    issued: VecDeque<Option<Vote>>,
    bound: Bound,
}

/// The heights of the peak that the voters named, and what the vote made of them.
#[derive(Clone, Copy, Debug)]
struct Vote {
    named: [Option<f64>; EXPERTS],
    height: f64,
}

/// The quantiles of the errors.
#[derive(Debug)]
enum Bound {
    /// Not enough errors yet.
    Collecting(Vec<f64>),
    /// Followed from error to error, with the errors' mean size.
    Tracking(Box<[QuantileTracker; LEVELS.len()]>, f64),
}

/// The regression as a voter.
#[derive(Debug)]
struct RidgeExpert(Ridge);

impl Ensemble {
    /// Fits the regression, and replays the last seasons up to `at`; `None` when these leave too
    /// few errors.
    pub(crate) fn fit(past: &Past, at: usize, horizon: usize) -> Option<Self> {
        let ridge = RidgeExpert(fit_ridge(past, at, horizon)?);
        let experts: [Box<dyn Point>; EXPERTS] = [
            Box::new(Naive),
            Box::new(Ewma::new()),
            Box::new(Holt::new()),
            Box::new(DayAgo),
            Box::new(Profile),
            Box::new(ridge),
        ];
        let issued = VecDeque::with_capacity(horizon + 1);
        let bound = Bound::Collecting(Vec::with_capacity(FIRST_ERRORS));
        let mut fitted = Self { horizon, experts, hedge: Hedge::new(), issued, bound };
        let from = (at + 1).saturating_sub(REPLAY);
        let from = if from > FIRST { from } else { FIRST };
        (from..=at).for_each(|step| fitted.learn(past, step));
        matches!(fitted.bound, Bound::Tracking(..)).then_some(fitted)
    }

    fn vote(&self, past: &Past, at: usize) -> Option<Vote> {
        let named: [Option<f64>; EXPERTS] = std::array::from_fn(|place| {
            self.experts.get(place).and_then(|it| it.peak(past, at, self.horizon))
        });
        let weights = self.hedge.weights();
        let voted =
            named.iter().zip(weights).filter_map(|(height, weight)| Some(((*height)?, weight)));
        let (sum, total) = voted
            .fold((0.0, 0.0), |all, (height, weight)| (all.0 + weight * height, all.1 + weight));
        (total > 0.0).then(|| Vote { named, height: sum / total })
    }
}

impl Fitted for Ensemble {
    fn learn(&mut self, past: &Past, at: usize) {
        self.experts.iter_mut().for_each(|expert| expert.learn(past, at));
        let vote = self.vote(past, at);
        self.issued.push_back(vote);
        if self.issued.len() <= self.horizon {
            return;
        }
        let Some(vote) = self.issued.pop_front().flatten() else { return };
        let issued_at = at - self.horizon;
        let Some(peak) = past.peak(issued_at, self.horizon) else { return };
        let errors = vote.named.map(|height| height.map(|height| (peak - height).abs()));
        if let [Some(naive), ..] = errors {
            self.hedge.learn(errors, naive);
        }
        self.bound.learn(peak - vote.height);
    }

    fn forecast(&self, past: &Past, at: usize) -> Option<Peak> {
        let Bound::Tracking(trackers, _) = &self.bound else { return None };
        let vote = self.vote(past, at)?;
        let heights = trackers.iter().map(|it| vote.height + it.estimate()).collect();
        let mut peak = Peak::levels(Model::Ensemble, past, vote.height, &LEVELS, heights)?;
        peak.weights = NAMES.into_iter().zip(self.hedge.weights()).collect();
        Some(peak)
    }

    fn bytes(&self) -> usize {
        let issued = self.issued.capacity() * size_of::<Option<Vote>>();
        let experts: usize =
            self.experts.iter().map(|it| size_of_val(&**it) + it.heap_bytes()).sum();
        size_of::<Self>() + issued + experts
    }
}

impl Bound {
    fn learn(&mut self, error: f64) {
        match self {
            Self::Collecting(errors) => {
                errors.push(error);
                if errors.len() < FIRST_ERRORS {
                    return;
                }
                let size = errors.iter().map(|it| it.abs()).sum::<f64>() / errors.len() as f64;
                errors.sort_unstable_by(f64::total_cmp);
                let trackers = LEVELS.map(|level| {
                    let place = nearest_rank(errors.len(), level);
                    QuantileTracker::new(level, errors.get(place).copied().unwrap_or_default())
                });
                *self = Self::Tracking(Box::new(trackers), size);
            }
            Self::Tracking(trackers, size) => {
                *size = SIZE_KEPT * *size + (1.0 - SIZE_KEPT) * error.abs();
                trackers.iter_mut().for_each(|it| it.learn(error, RATE * *size));
            }
        }
    }
}

impl Point for RidgeExpert {
    fn learn(&mut self, _: &Past, _: usize) {}

    fn peak(&self, past: &Past, at: usize, horizon: usize) -> Option<f64> {
        let mut row = Vec::with_capacity(RIDGE_FEATURES);
        Some(past.height(at) + predict(past, at, horizon, &self.0, &mut row)?)
    }

    fn heap_bytes(&self) -> usize {
        self.0.bytes()
    }
}
