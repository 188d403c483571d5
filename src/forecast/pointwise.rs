//! A distribution around a forecaster that gives one number: what its own errors were of late.

use crate::forecast::past::{Past, SEASON, single};
use crate::forecast::peak::Peak;
use crate::forecast::point::Point;
use crate::forecast::{Fitted, Model};
use std::collections::VecDeque;

/// The errors that are kept: those of a season, so that each time of day has its share.
const ERRORS_MAX: usize = SEASON;
/// The errors that a distribution needs: with fewer, its high quantiles are one error.
const ERRORS_MIN: usize = 60;

/// The forecaster, what it said that is not resolved yet, and its errors.
#[derive(Debug)]
pub(crate) struct Pointwise<P> {
    model: Model,
    point: P,
    horizon: usize,
    /// For the last steps, oldest first: the height that was forecast then.
    issued: VecDeque<Option<f64>>,
    /// Log of the peak less the forecast, oldest first.
    errors: VecDeque<f32>,
    /// The same, ascending.
    sorted: Vec<f32>,
}

impl<P: Point> Pointwise<P> {
    /// Learns the past up to `at`; `None` when that leaves too few errors to make a distribution.
    pub(crate) fn fit(
        model: Model,
        point: P,
        past: &Past,
        at: usize,
        horizon: usize,
    ) -> Option<Self> {
        let issued = VecDeque::with_capacity(horizon + 1);
        let errors = VecDeque::with_capacity(ERRORS_MAX + 1);
        let sorted = Vec::with_capacity(ERRORS_MAX + 1);
        let mut fitted = Self { model, point, horizon, issued, errors, sorted };
        // Errors before these would be dropped again.
        let from = (at + 1).saturating_sub(ERRORS_MAX + horizon);
        (0..from).for_each(|step| fitted.point.learn(past, step));
        (from..=at).for_each(|step| fitted.learn(past, step));
        (fitted.errors.len() >= ERRORS_MIN).then_some(fitted)
    }
}

impl<P> Pointwise<P> {
    /// How many of the errors are less.
    fn rank(&self, error: f32) -> usize {
        self.sorted.partition_point(|it| it.total_cmp(&error).is_lt())
    }
}

impl<P: Point> Fitted for Pointwise<P> {
    fn learn(&mut self, past: &Past, at: usize) {
        self.point.learn(past, at);
        self.issued.push_back(self.point.peak(past, at, self.horizon));
        if self.issued.len() <= self.horizon {
            return;
        }
        let forecast = self.issued.pop_front().flatten();
        if let Some(forecast) = forecast
            && let Some(peak) = past.peak(at - self.horizon, self.horizon)
        {
            let error = single(peak - forecast);
            self.errors.push_back(error);
            self.sorted.insert(self.rank(error), error);
            if self.errors.len() > ERRORS_MAX
                && let Some(oldest) = self.errors.pop_front()
            {
                self.sorted.remove(self.rank(oldest));
            }
        }
    }

    fn forecast(&self, past: &Past, at: usize) -> Option<Peak> {
        let point = self.point.peak(past, at, self.horizon)?;
        let heights = self.sorted.iter().map(|error| point + f64::from(*error)).collect();
        Peak::sample(self.model, past, point, heights)
    }

    fn bytes(&self) -> usize {
        let issued = self.issued.capacity() * size_of::<Option<f64>>();
        let errors = (self.errors.capacity() + self.sorted.capacity()) * size_of::<f32>();
        size_of::<Self>() + self.point.heap_bytes() + issued + errors
    }
}
