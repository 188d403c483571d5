//! One metric's forecaster: fitted anew at every refit boundary, learning in between, with the gate
//! that watches it.
//!
//! A gate remembers: an alarm, a bar passed long ago. So that a replica that restarts comes to the
//! same verdict, a new gate begins at every refit and serves once it has seen enough; what serves
//! then depends on the steps since a known one, and on nothing before it.

use crate::forecast::gate::{Gate, Verdict, WINDOW};
use crate::forecast::past::{FIT_STEPS, Past, REFIT, SEASON, SEASONS_MAX, Scale, Steps};
use crate::forecast::peak::Peak;
use crate::forecast::{Fitted, HORIZON_MAX, Model};
use std::collections::VecDeque;

/// The gates that are kept: the oldest serves, and has seen two refit periods at least, enough to
/// resolve a whole window of forecasts of the longest horizon.
const GATES: usize = 3;
const _: () = assert!((GATES - 1) * REFIT >= WINDOW + HORIZON_MAX);
const _: () = assert!(SEASONS_MAX * SEASON >= FIT_STEPS + GATES * REFIT);

/// A model with its gate, between two steps.
#[derive(Debug)]
pub struct Forecaster {
    model: Model,
    horizon: usize,
    fit: Option<Fit>,
    probability: f64,
    /// The oldest first.
    gates: VecDeque<Gate>,
    /// The step that was answered last.
    newest: Option<i64>,
    keeps_past: bool,
    is_gated: bool,
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
    /// The known steps that they were fitted to.
    n_known: usize,
    scale: Scale,
    model: Option<Box<dyn Fitted>>,
    naive: Option<Box<dyn Fitted>>,
    /// The last step that the models learnt.
    learnt: i64,
    /// Kept where memory is not dear.
    past: Option<Past>,
}

impl Forecaster {
    /// A forecaster that has seen nothing, for peaks over the next `horizon` steps, served at the
    /// quantile of this probability.
    #[must_use]
    pub fn new(model: Model, horizon: usize, probability: f64) -> Self {
        let gates = VecDeque::with_capacity(GATES + 1);
        let (fit, newest) = (None, None);
        let (keeps_past, is_gated) = (false, true);
        Self { model, horizon, fit, probability, gates, newest, keeps_past, is_gated }
    }

    /// The same without a gate, and without the forecast of "no change" that one compares with: for
    /// who looks at what a model says alone.
    #[must_use]
    pub fn ungated(model: Model, horizon: usize) -> Self {
        Self { is_gated: false, ..Self::new(model, horizon, 0.5) }
    }

    /// Keeps the prepared history from one step to the next, a megabyte of it, for who replays step by
    /// step a history that nobody fills in behind: the same forecasts in a fraction of the time.
    pub fn keep_past(&mut self) {
        self.keeps_past = true;
    }

    /// A forecaster as it would be had it seen these steps as they came: what a restarted replica
    /// begins with. It replays from the refit at which the gate that serves now began, for which
    /// [`SEASONS_MAX`] seasons are enough.
    #[must_use]
    pub fn resume(model: Model, horizon: usize, probability: f64, steps: Steps<'_>) -> Self {
        let mut forecaster = Self::new(model, horizon, probability);
        forecaster.replay(steps, Self::resumes_at(steps.newest())..=steps.newest(), |_| ());
        forecaster
    }

    /// The step from which one that begins anew at `newest` has to replay.
    #[must_use]
    pub fn resumes_at(newest: i64) -> i64 {
        let period = REFIT as i64;
        let boundary = newest.saturating_sub(newest.rem_euclid(period));
        boundary.saturating_sub((GATES as i64 - 1) * period)
    }

    /// The forecast at the newest of these steps, which should reach [`SEASONS_MAX`] seasons back
    /// (or as far as there is history, always to the same step). Asking again for a step that was
    /// answered changes nothing. History that was filled in since the last step is learnt at once,
    /// the score aside: call [`Forecaster::resume`] when a large part has come.
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
            fit.past = self.keeps_past.then_some(past);
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
        let gates = self.gates.iter().map(Gate::bytes).sum::<usize>();
        models.map(|it| it.bytes()).sum::<usize>() + gates + size_of::<Self>()
    }

    /// The models of this boundary, and the past up to `end` for them.
    fn fit_at(&mut self, steps: Steps<'_>, boundary: i64, end: i64) -> (Fit, Past) {
        let wanted = boundary + 1 - FIT_STEPS as i64;
        let seen = steps.between(wanted, end);
        let oldest = seen.oldest();
        let mut fit = self.fit.take().filter(|it| (it.boundary, it.oldest) == (boundary, oldest));
        if let Some(mut past) = fit.as_mut().and_then(|it| it.past.take())
            && let Some(fit) = fit
        {
            past.extend(steps.between(past.end(), end).values());
            return (fit, past);
        }
        let n_known = seen.between(wanted, boundary).n_known();
        // History may have been filled in since: then it is learnt at once.
        if let Some(fit) = fit.filter(|it| it.n_known == n_known) {
            let from = usize::try_from(fit.learnt + 1 - fit.oldest).unwrap_or(0);
            let past = Past::new(seen, fit.scale, from.saturating_sub(self.horizon));
            return (fit, past);
        }
        let scale = seen.between(wanted, boundary).scale();
        let past = Past::new(seen, scale, 0);
        let at = usize::try_from(boundary - oldest).ok();
        let fitted = |model: Model| model.fit(&past, at?, self.horizon);
        let naive = if self.is_gated { fitted(Model::Naive) } else { None };
        let model = fitted(self.model);
        (Fit { boundary, oldest, n_known, scale, model, naive, learnt: boundary, past: None }, past)
    }

    /// Lets the gates see the steps up to this one.
    fn watch(&mut self, steps: Steps<'_>, at: i64) {
        let first = self.newest.map_or(at, |newest| newest + 1);
        for index in first..=at {
            if self.gates.is_empty() || index.rem_euclid(REFIT as i64) == 0 {
                self.gates.push_back(Gate::new(self.horizon, self.probability));
            }
            if self.gates.len() > GATES {
                self.gates.pop_front();
            }
            self.gates.iter_mut().for_each(|it| it.learn(index, steps.value(index)));
        }
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
        if self.is_gated {
            self.watch(steps, at);
        }
        if self.newest.is_none_or(|newest| newest < at) {
            if let (Some(peak), Some(naive)) = (&peak, &naive) {
                self.gates.iter_mut().for_each(|it| it.issue(at, peak, naive));
            }
            self.newest = Some(at);
        }
        let verdict = self.gates.front().map_or_else(Verdict::unseen, |it| it.verdict(at));
        Forecast { at, peak, naive, verdict }
    }
}
