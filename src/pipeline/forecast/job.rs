//! The part of a forecast that takes long, by itself: it can run on another thread.

use crate::forecast::forecaster::{Forecast as Answer, Forecaster};
use crate::forecast::past::{SEASON, SEASONS_MAX, Steps};
use crate::pipeline::forecast::{Key, Recent};
use crate::series::history::History;

/// A forecast to be made.
#[derive(Debug)]
pub struct Job {
    forecaster: Box<Forecaster>,
    key: Key,
    values: Vec<f64>,
    newest: i64,
}

/// A forecast that was made.
#[derive(Debug)]
pub struct Done {
    pub(super) forecaster: Box<Forecaster>,
    pub(super) key: Key,
    /// For each step since the last one answered.
    pub(super) answers: Vec<Recent>,
    /// For the newest step.
    pub(super) answer: Option<Answer>,
    pub(super) highest: f64,
}

impl Job {
    /// Copies what it needs of the history up to the step `newest`.
    pub(super) fn new(
        forecaster: Box<Forecaster>,
        key: Key,
        history: &History,
        newest: i64,
    ) -> Self {
        let span = i64::try_from(SEASONS_MAX * SEASON).unwrap_or(i64::MAX);
        let mut values = Vec::with_capacity(SEASONS_MAX * SEASON);
        history.copy(newest - span + 1, newest + 1, &mut values);
        let values = values.into_iter().map(f64::from).collect();
        Self { forecaster, key, values, newest }
    }

    /// Makes the forecast; a fit takes a good part of a second, one of the steps in between a
    /// thousandth.
    #[must_use]
    pub fn run(self) -> Done {
        let Self { mut forecaster, key, values, newest } = self;
        let steps = Steps::new(&values, newest);
        let oldest = Forecaster::resumes_at(newest);
        let first = forecaster.newest().map_or(oldest, |it| it + 1).clamp(oldest, newest);
        let mut answers = Vec::new();
        let mut answer = None;
        forecaster.replay(steps, first..=newest, |it| {
            let open = it.peak.as_ref().filter(|_| it.verdict.is_open);
            let usable = open.map(|peak| peak.quantile(key.quantile));
            answers.push(Recent { at: it.at, usable });
            // Nobody asks for the naive distribution, and it is larger than the model's.
            answer = Some(Answer { naive: None, ..it });
        });
        Done { forecaster, key, answers, answer, highest: highest(&values) }
    }
}

/// The highest of the values that are known; in lanes, because this is done for every step.
fn highest(values: &[f64]) -> f64 {
    let higher = |one: f64, other: f64| if other > one { other } else { one };
    let mut lanes = [0.0; 8];
    for chunk in values.chunks(lanes.len()) {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane = higher(*lane, *value);
        }
    }
    lanes.into_iter().fold(0.0, higher)
}
