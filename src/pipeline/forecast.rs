//! The forecast stage: the peak ahead in the place of the observed value, while it earns its place.
//!
//! In come the history of the policy's one number and how far ahead to look; out comes the value to
//! publish and why it is that. What takes long (fitting a model, asking it) is a `Job`, which whoever
//! owns the memory runs where it likes; in between, the newest answer is used. Everything follows
//! from the history, so that a replica that starts late comes to say the same.

mod job;
mod lately;
mod verdict;

pub use job::{Done, Job};
pub use verdict::{Bound, Told, Verdict, rise};

use crate::domain::duration::Shown;
use crate::forecast::Model;
use crate::forecast::forecaster::{Forecast as Answer, Forecaster};
use crate::forecast::past::REFIT;
use crate::forecast::peak::Peak;
use crate::policy::forecast::Forecast;
use crate::series::history::History;
use jiff::Timestamp;
use lately::Lately;
use std::fmt;
use std::time::Duration;

/// Steps that a forecast looks further ahead than the lead time: pods that come are kept for some
/// minutes by the HPA's stabilization anyway, and the peak of a longer stretch is less noisy. Found
/// by simulation: the cost at equal lateness falls up to here.
const MARGIN_STEPS: usize = 4;
/// Steps without a newer forecast after which the last one is no longer used.
const STALE_STEPS: i64 = 3;
/// Steps of history below which no model is asked: it needs a season, and some of the next.
const STEPS_MIN: i64 = 1_440 + 120;

/// How the forecast is made and turned into a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chosen {
    /// The model; `Naive` publishes the observed value times the headroom.
    pub model: Model,
    /// The share of peaks to cover.
    pub quantile: f64,
    /// What the forecast is multiplied by.
    pub headroom: f64,
    /// How long the published value may not fall below its own recent maximum.
    pub down_window: Duration,
}

impl Default for Chosen {
    /// What `auto` begins with, before it had a history to choose by.
    fn default() -> Self {
        let quantile = crate::domain::limits::QUANTILE_DEFAULT;
        Self { model: Model::BlendedAnalog, quantile, headroom: 1.0, down_window: Duration::ZERO }
    }
}

impl Chosen {
    /// What the policy gives, and `choice` for what it leaves to Foresail.
    #[must_use]
    pub fn settled(self, forecast: &Forecast) -> Self {
        let given = Given::by(forecast);
        let (model, headroom) =
            forecast.model.given().map_or((self.model, self.headroom), |model| (model, 1.0));
        Self {
            model,
            quantile: given.quantile.unwrap_or(self.quantile),
            headroom,
            down_window: given.down_window.unwrap_or(self.down_window),
        }
    }
}

/// `blendedAnalog 0.92 ×1, window 15m`.
impl fmt::Display for Chosen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { model, quantile, headroom, down_window } = self;
        f.write_str(model.name())?;
        if *model != Model::Naive {
            write!(f, " {quantile}")?;
        }
        write!(f, " ×{headroom}")?;
        if !down_window.is_zero() {
            write!(f, ", window {}", Shown(*down_window))?;
        }
        Ok(())
    }
}

/// What a policy says itself of what `auto` would choose.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Given {
    /// The share of peaks to cover.
    pub quantile: Option<f64>,
    /// How long the published value may not fall below its own recent maximum.
    pub down_window: Option<Duration>,
}

impl Given {
    /// What this policy says.
    #[must_use]
    pub fn by(forecast: &Forecast) -> Self {
        Self { quantile: forecast.quantile.given(), down_window: forecast.down_window.given() }
    }
}

/// The forecast of one policy between evaluations.
#[derive(Debug, Default)]
pub struct Stage {
    choice: Chosen,
    forecaster: Held,
    /// Whether the history was whole when the forecaster began.
    is_whole: bool,
    /// What it answered last.
    answer: Option<Answer>,
    /// What it answered for the steps of late, for the down window.
    lately: Lately,
    /// The largest value of the history.
    highest: f64,
    /// Whether the history is long enough for a model.
    is_long: bool,
    keeps_past: bool,
}

/// Where the forecaster is.
#[derive(Debug, Default)]
enum Held {
    #[default]
    Nowhere,
    Here(Box<Forecaster>, Key),
    /// With a job.
    Away(Key),
}

/// What a forecaster is made for; another needs another one.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Key {
    model: Model,
    horizon: usize,
    quantile: f64,
}

/// How long the work takes that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// A thousandth of a second: the models are fitted.
    Step,
    /// A good part of a second: they have to be.
    Fit,
}

/// What is to be done.
enum Wanted {
    Nothing,
    /// There is too little history for any model, or none is wanted.
    NoForecast,
    Work {
        due: Due,
        key: Key,
        newest: i64,
    },
}

/// What was forecast at one step of late.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Recent {
    at: i64,
    /// The quantile of the peak; `None` when there was no forecast, or its gate was closed.
    usable: Option<f64>,
}

impl Stage {
    /// What `auto` chose, the default before.
    #[must_use]
    pub fn choice(&self) -> Chosen {
        self.choice
    }

    /// Takes over what `auto` chose.
    pub fn choose(&mut self, choice: Chosen) {
        self.choice = choice;
    }

    /// The newest forecast.
    #[must_use]
    pub fn answer(&self) -> Option<&Answer> {
        self.answer.as_ref()
    }

    /// How many steps ahead the newest forecast looks; 0 before there was any.
    #[must_use]
    pub fn horizon(&self) -> usize {
        match &self.forecaster {
            Held::Nowhere => 0,
            Held::Here(_, key) | Held::Away(key) => key.horizon,
        }
    }

    /// What is due at `now`; see `job`.
    #[must_use]
    pub fn due(
        &self,
        settings: &Forecast,
        history: &History,
        lead: Duration,
        is_whole: bool,
        now: Timestamp,
    ) -> Option<Due> {
        match self.wanted(settings, history, lead, is_whole, now) {
            Wanted::Work { due, .. } => Some(due),
            // The last answer has to be dropped.
            Wanted::NoForecast if self.answer.is_some() => Some(Due::Step),
            Wanted::NoForecast | Wanted::Nothing => None,
        }
    }

    /// The work that is due at `now`: a step is over that was not answered yet. `lead` is how far
    /// ahead to look, `is_whole` whether the history holds all that its source knows. `None` while
    /// another job is away, or when there is too little history for any model.
    pub fn job(
        &mut self,
        settings: &Forecast,
        history: &History,
        lead: Duration,
        is_whole: bool,
        now: Timestamp,
    ) -> Option<Job> {
        match self.wanted(settings, history, lead, is_whole, now) {
            Wanted::Nothing => None,
            Wanted::NoForecast => {
                (self.answer, self.forecaster) = (None, Held::Nowhere);
                None
            }
            Wanted::Work { due, key, newest } => {
                let before = std::mem::replace(&mut self.forecaster, Held::Away(key));
                let is_replay = is_whole && !self.is_whole;
                let forecaster = match (before, due) {
                    (Held::Here(forecaster, made_for), Due::Step) if made_for == key => {
                        self.is_whole &= is_whole;
                        Some(forecaster)
                    }
                    (Held::Here(forecaster, made_for), Due::Fit) if made_for == key => {
                        self.is_whole = is_whole;
                        Some(forecaster).filter(|_| !is_replay)
                    }
                    _ => {
                        self.is_whole = is_whole;
                        None
                    }
                };
                // A history that was long enough stays so: it is looked through only until then.
                self.is_long = true;
                let forecaster =
                    forecaster.unwrap_or_else(|| Box::new(key.forecaster(self.keeps_past)));
                Some(Job::new(forecaster, key, history, newest))
            }
        }
    }

    fn wanted(
        &self,
        settings: &Forecast,
        history: &History,
        lead: Duration,
        is_whole: bool,
        now: Timestamp,
    ) -> Wanted {
        let Some(newest) = history.last_complete(now) else { return Wanted::Nothing };
        let chosen = self.choice.settled(settings);
        let horizon = horizon(lead, history.step());
        let key = Key { model: chosen.model, horizon, quantile: chosen.quantile };
        let is_answered = self.answer.as_ref().is_some_and(|it| it.at >= newest);
        let due = match &self.forecaster {
            Held::Away(_) => return Wanted::Nothing,
            Held::Here(forecaster, made_for) if *made_for == key => {
                // The gate's score is replayed once all is known that the other replicas know; until
                // there is time for that, what is there serves.
                let is_replayed = self.is_whole || !is_whole;
                match is_answered {
                    true if is_replayed => return Wanted::Nothing,
                    false if is_fitted(forecaster, newest) => Due::Step,
                    _ => Due::Fit,
                }
            }
            Held::Here(..) | Held::Nowhere => Due::Fit,
        };
        if chosen.model == Model::Naive || !(self.is_long || is_long(history, newest)) {
            return Wanted::NoForecast;
        }
        Wanted::Work { due, key, newest }
    }

    /// Takes what a job came to. One that was made for something else is dropped.
    pub fn take(&mut self, done: Done) {
        let Done { forecaster, key, answers, answer, highest } = done;
        if !matches!(self.forecaster, Held::Away(away) if away == key) {
            return;
        }
        self.forecaster = Held::Here(forecaster, key);
        self.highest = highest;
        self.lately.extend(answers);
        self.answer = answer;
    }

    /// What it takes: the forecaster, and what that answered.
    #[must_use]
    pub fn bytes(&self) -> [usize; 2] {
        let forecaster = match &self.forecaster {
            Held::Here(forecaster, _) => forecaster.bytes(),
            Held::Nowhere | Held::Away(_) => 0,
        };
        let peaks = self.answer.iter().flat_map(|it| [&it.peak, &it.naive]).flatten();
        let answers = peaks.map(Peak::heap_bytes).sum::<usize>() + self.lately.heap_bytes();
        [forecaster, answers]
    }

    /// Forgets all but the choice, after the history was changed behind it.
    pub fn begin_anew(&mut self) {
        let Self { choice, keeps_past, .. } = *self;
        *self = Self { choice, keeps_past, ..Self::default() };
    }

    /// Forecasts faster, for a megabyte: see [`Forecaster::keep_past`].
    pub fn keep_past(&mut self) {
        self.keeps_past = true;
    }
}

impl Key {
    fn forecaster(self, keeps_past: bool) -> Forecaster {
        let mut forecaster = Forecaster::new(self.model, self.horizon, self.quantile);
        if keeps_past {
            forecaster.keep_past();
        }
        forecaster
    }
}

/// Whether a history has a season, and some of the next.
fn is_long(history: &History, newest: i64) -> bool {
    history.known_span().is_some_and(|(oldest, _)| newest - oldest >= STEPS_MIN)
}

/// Whether a forecaster that answered a step before can answer this one without a fit.
fn is_fitted(forecaster: &Forecaster, newest: i64) -> bool {
    let period = |step: i64| step.div_euclid(REFIT as i64);
    forecaster.newest().is_some_and(|it| period(it) == period(newest))
}

/// How many steps ahead to look: `lead` is the lead time, the age of the data and a sync.
#[must_use]
pub fn horizon(lead: Duration, step: Duration) -> usize {
    let steps = lead.as_nanos().div_ceil(step.as_nanos().max(1));
    let steps = usize::try_from(steps).unwrap_or(usize::MAX).saturating_add(MARGIN_STEPS);
    steps.min(crate::forecast::HORIZON_MAX)
}

#[cfg(test)]
mod tests;
