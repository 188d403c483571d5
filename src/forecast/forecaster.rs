//! One metric's forecaster: fitted anew at every refit boundary, learning in between, with the gate
//! that watches it.

use crate::forecast::gate::{Gate, Verdict, WINDOW};
use crate::forecast::past::{FIT_STEPS, Past, REFIT, Steps};
use crate::forecast::peak::Peak;
use crate::forecast::{Fitted, Model};

/// A model with its gate, between two steps.
#[derive(Debug)]
pub struct Forecaster {
    model: Model,
    horizon: usize,
    fit: Option<Fit>,
    gate: Gate,
    /// The step that was answered last.
    newest: Option<i64>,
}

/// The forecast of one step.
#[derive(Clone, Debug, PartialEq)]
pub struct Forecast {
    /// The step's index.
    pub at: i64,
    /// The model's; `None` when there is too little history, or the history has a hole where the
    /// model looks.
    pub peak: Option<Peak>,
    /// That of "no change", with its own errors around it.
    pub naive: Option<Peak>,
    /// Whether the model's may be used.
    pub verdict: Verdict,
}

/// The models fitted at one boundary.
#[derive(Debug)]
struct Fit {
    boundary: i64,
    oldest: i64,
    offset: f64,
    model: Option<Box<dyn Fitted>>,
    naive: Option<Box<dyn Fitted>>,
    /// The last step that the models learnt.
    learnt: i64,
}

impl Forecaster {
    /// A forecaster that has seen nothing, for peaks over the next `horizon` steps, served at the
    /// quantile of this probability.
    #[must_use]
    pub fn new(model: Model, horizon: usize, probability: f64) -> Self {
        Self { model, horizon, fit: None, gate: Gate::new(horizon, probability), newest: None }
    }

    /// A forecaster as it would be had it seen these steps as they came: what a restarted replica
    /// begins with. It replays as much as the gate's score is over.
    #[must_use]
    pub fn resume(model: Model, horizon: usize, probability: f64, steps: Steps<'_>) -> Self {
        let mut forecaster = Self::new(model, horizon, probability);
        let replayed = i64::try_from(WINDOW + horizon).unwrap_or(i64::MAX);
        let from = steps.newest().saturating_sub(replayed);
        forecaster.replay(steps, from..=steps.newest(), |_| ());
        forecaster
    }

    /// The forecast at the newest of these steps, from which [`FIT_STEPS`] and a refit back are
    /// looked at. Asking again for a step that was answered changes nothing.
    pub fn step(&mut self, steps: Steps<'_>) -> Option<Forecast> {
        let mut newest = None;
        self.replay(steps, steps.newest()..=steps.newest(), |forecast| newest = Some(forecast));
        newest
    }

    /// The forecasts that would have been made at each of these steps, had the later ones not been
    /// known. Steps between the last one answered and the first of these are learnt unanswered.
    pub fn replay(
        &mut self,
        steps: Steps<'_>,
        range: std::ops::RangeInclusive<i64>,
        mut each: impl FnMut(Forecast),
    ) {
        let period = REFIT as i64;
        let (mut at, last) = range.into_inner();
        while at <= last {
            let boundary = at - at.rem_euclid(period);
            let next = boundary.saturating_add(period);
            let end = if last < next { last } else { next - 1 };
            let (mut fit, past) = self.fit_at(steps, boundary, end);
            for step in at..=end {
                each(self.answer(&mut fit, &past, steps, step));
            }
            self.fit = Some(fit);
            at = next;
        }
    }

    /// The step that was answered last.
    #[must_use]
    pub fn newest(&self) -> Option<i64> {
        self.newest
    }

    /// What it keeps between two steps.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let models = self.fit.iter().flat_map(|fit| [&fit.model, &fit.naive]).flatten();
        models.map(|it| it.bytes()).sum::<usize>() + self.gate.bytes() + size_of::<Self>()
    }

    /// The models of this boundary, and the past up to `end` for them.
    fn fit_at(&mut self, steps: Steps<'_>, boundary: i64, end: i64) -> (Fit, Past) {
        let wanted = boundary + 1 - FIT_STEPS as i64;
        let seen = steps.between(wanted, end);
        if let Some(fit) = self.fit.take()
            && fit.boundary == boundary
            // Steps before those known so far may have been filled in since.
            && fit.oldest == seen.oldest()
        {
            let from = usize::try_from(fit.learnt + 1 - fit.oldest).unwrap_or(0);
            let past = Past::new(seen, fit.offset, from.saturating_sub(self.horizon));
            return (fit, past);
        }
        let offset = seen.between(wanted, boundary).offset();
        let past = Past::new(seen, offset, 0);
        let at = usize::try_from(boundary - seen.oldest()).ok();
        let fitted = |model: Model| model.fit(&past, at?, self.horizon);
        let (model, naive) = (fitted(self.model), fitted(Model::Naive));
        let oldest = seen.oldest();
        (Fit { boundary, oldest, offset, model, naive, learnt: boundary }, past)
    }

    fn answer(&mut self, fit: &mut Fit, past: &Past, steps: Steps<'_>, at: i64) -> Forecast {
        let place = |index: i64| usize::try_from(index - fit.oldest).ok();
        for index in fit.learnt + 1..=at {
            for model in [&mut fit.model, &mut fit.naive].into_iter().flatten() {
                if let Some(place) = place(index) {
                    model.learn(past, place);
                }
            }
        }
        fit.learnt = if fit.learnt > at { fit.learnt } else { at };
        let forecast = |model: &Option<Box<dyn Fitted>>| {
            let place = place(at)?;
            model.as_ref()?.forecast(past, place)
        };
        let (peak, naive) = (forecast(&fit.model), forecast(&fit.naive));
        let first = self.newest.map_or(at, |newest| newest + 1);
        for index in first..=at {
            self.gate.learn(index, steps.value(index));
        }
        if first <= at {
            if let (Some(peak), Some(naive)) = (&peak, &naive) {
                self.gate.issue(at, peak, naive);
            }
            self.newest = Some(at);
        }
        Forecast { at, peak, naive, verdict: self.gate.verdict(at) }
    }
}
