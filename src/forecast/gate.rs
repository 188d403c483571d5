//! Whether a model has earned its place on a metric: its score of late against "no change".
//!
//! The score is the pinball loss at the quantile that is served, for peaks that have come since.
//! The gate opens when the model has clearly the smaller loss, closes when it has the larger one,
//! and closes at once when the metric goes silent or the errors have become one-sided: then the
//! past that the model knows is not the present's.

use crate::forecast::change_point::{ChangePoint, Standard};
use crate::forecast::past::{BRIDGE_MAX, larger, single};
use crate::forecast::peak::Peak;
use std::collections::VecDeque;

/// The resolved forecasts that the score is over: a quarter of a season, so that a model that is
/// only good at night is found out in the morning.
pub const WINDOW: usize = 360;
/// The resolved forecasts that a verdict needs.
pub const RESOLVED_MIN: usize = 60;
/// The skill that opens the gate: less could be chance.
const OPENING_SKILL: f64 = 0.03;
/// The skill below which the gate closes; lower than the one that opens it, so that it does not
/// swing with a score near either.
const CLOSING_SKILL: f64 = 0.0;
/// Steps for which an alarm keeps the gate closed.
pub const CLOSED_AFTER_CHANGE: i64 = 30;
/// Steps without a value after which a forecast has nothing to stand on.
const STALE_AFTER: i64 = BRIDGE_MAX as i64;
/// The least deviation, as a share of the median: on a calm metric the last per cent is no change.
const DEVIATION_MIN: f64 = 0.01;
/// The probabilities one standard deviation to each side of a normal distribution's median.
const ONE_DEVIATION: [f64; 3] = [0.159, 0.5, 0.841];

/// The score of one model on one metric.
#[derive(Clone, Debug)]
pub struct Gate {
    horizon: i64,
    probability: f64,
    issued: VecDeque<Issued>,
    scores: VecDeque<Score>,
    standard: Standard,
    change: ChangePoint,
    is_skilled: bool,
    closed_until: Option<i64>,
    newest_known: Option<i64>,
}

/// What the gate says, and why.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    /// Whether the forecast may be used.
    pub is_open: bool,
    /// Why.
    pub reason: Reason,
    /// The share of the loss of "no change" that the model saves, negative when it adds to it;
    /// `None` before any forecast was resolved.
    pub skill: Option<f64>,
    /// The share of peaks that stayed below the quantile served; `None` before any was resolved.
    pub coverage: Option<f64>,
    /// The resolved forecasts that these are over.
    pub n_resolved: usize,
}

/// Why a gate is open or closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Open: the model is better than "no change".
    Skilled,
    /// Closed: too few forecasts were resolved.
    WarmingUp,
    /// Closed: the model is not better than "no change".
    Unskilled,
    /// Closed: errors became one-sided a short while ago.
    ChangePoint,
    /// Closed: no value has come for a while.
    Stale,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 5] =
        [Self::Skilled, Self::WarmingUp, Self::Unskilled, Self::ChangePoint, Self::Stale];

    /// Its name, as status and metrics spell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Skilled => "Skilled",
            Self::WarmingUp => "WarmingUp",
            Self::Unskilled => "Unskilled",
            Self::ChangePoint => "ChangePoint",
            Self::Stale => "Stale",
        }
    }
}

/// A forecast whose peak is not known yet.
#[derive(Clone, Copy, Debug)]
struct Issued {
    at: i64,
    model: f64,
    naive: f64,
    /// The model's median and one deviation to both sides.
    spread: [f64; 3],
    /// The largest value since; `None` before the first.
    peak: Option<f64>,
    unknown: usize,
}

/// What became of a forecast: how far it was below the peak, negative when above.
#[derive(Clone, Copy, Debug)]
struct Score {
    model: f32,
    naive: f32,
}

impl Verdict {
    /// That of a gate that has seen nothing.
    pub(crate) fn unseen() -> Self {
        let reason = Reason::WarmingUp;
        Self { is_open: false, reason, skill: None, coverage: None, n_resolved: 0 }
    }
}

impl Gate {
    /// A gate that has seen nothing, for forecasts of the next `horizon` steps served at this
    /// quantile.
    #[must_use]
    pub fn new(horizon: usize, probability: f64) -> Self {
        Self {
            horizon: i64::try_from(horizon).unwrap_or(i64::MAX),
            probability,
            issued: VecDeque::with_capacity(horizon + 1),
            scores: VecDeque::with_capacity(WINDOW + 1),
            standard: Standard::new(),
            change: ChangePoint::default(),
            is_skilled: false,
            closed_until: None,
            newest_known: None,
        }
    }

    /// Takes in the value of the step `at`, `None` when it is unknown. Called once for each step in
    /// their order, before [`Gate::issue`] for the same step.
    pub fn learn(&mut self, at: i64, value: Option<f64>) {
        if value.is_some() {
            self.newest_known = Some(at);
        }
        for issued in &mut self.issued {
            match (value, issued.peak) {
                (Some(value), Some(peak)) => issued.peak = Some(larger(peak, value)),
                (Some(value), None) => issued.peak = Some(value),
                (None, _) => issued.unknown += 1,
            }
        }
        while let Some(issued) = self.issued.pop_front_if(|it| it.at + self.horizon <= at) {
            if let Some(peak) = issued.peak.filter(|_| issued.unknown <= BRIDGE_MAX) {
                self.resolve(issued, peak, at);
            }
        }
    }

    /// Takes in the forecasts that the model and "no change" made at the step `at`.
    pub fn issue(&mut self, at: i64, model: &Peak, naive: &Peak) {
        self.issued.push_back(Issued {
            at,
            model: model.quantile(self.probability),
            naive: naive.quantile(self.probability),
            spread: ONE_DEVIATION.map(|it| model.quantile(it)),
            peak: None,
            unknown: 0,
        });
    }

    /// The verdict at the step `at`.
    #[must_use]
    pub fn verdict(&self, at: i64) -> Verdict {
        let n_resolved = self.scores.len();
        let is_stale = self.newest_known.is_none_or(|newest| at - newest > STALE_AFTER);
        let reason = if is_stale {
            Reason::Stale
        } else if self.closed_until.is_some_and(|until| at < until) {
            Reason::ChangePoint
        } else if n_resolved < RESOLVED_MIN {
            Reason::WarmingUp
        } else if self.is_skilled {
            Reason::Skilled
        } else {
            Reason::Unskilled
        };
        let covered = self.scores.iter().filter(|it| it.model <= 0.0).count();
        Verdict {
            is_open: reason == Reason::Skilled,
            reason,
            skill: self.skill(),
            coverage: (n_resolved > 0).then(|| covered as f64 / n_resolved as f64),
            n_resolved,
        }
    }

    /// What it keeps between two steps.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let issued = self.issued.capacity() * size_of::<Issued>();
        size_of::<Self>() + issued + self.scores.capacity() * size_of::<Score>()
    }

    fn resolve(&mut self, issued: Issued, peak: f64, at: i64) {
        self.scores.push_back(Score {
            model: single(peak - issued.model),
            naive: single(peak - issued.naive),
        });
        if self.scores.len() > WINDOW {
            self.scores.pop_front();
        }
        if let Some(skill) = self.skill().filter(|_| self.scores.len() >= RESOLVED_MIN) {
            let bar = if self.is_skilled { CLOSING_SKILL } else { OPENING_SKILL };
            self.is_skilled = skill > bar;
        }
        // Forecasts whose windows overlap err alike: only those that share no step are counted.
        let is_apart = issued.at.rem_euclid(self.horizon) == 0;
        if is_apart {
            let error = self.standard.measure(deviations(issued.spread, peak));
            if self.change.learn(error) {
                self.closed_until = Some(at + CLOSED_AFTER_CHANGE);
            }
        }
    }

    fn skill(&self) -> Option<f64> {
        let sum = |shortfall: fn(&Score) -> f32| -> f64 {
            let shortfalls = self.scores.iter().map(shortfall).map(f64::from);
            shortfalls.map(|it| pinball(self.probability, 0.0, it)).sum()
        };
        let (model, naive) = (sum(|it| it.model), sum(|it| it.naive));
        if self.scores.is_empty() {
            None
        } else if naive > 0.0 {
            Some(1.0 - model / naive)
        } else {
            // "No change" was right all the time; the model can only be as good.
            Some(0.0)
        }
    }
}

/// The loss whose expectation is smallest for the quantile of this probability: a unit too little
/// costs the probability, a unit too much the rest.
#[must_use]
pub fn pinball(probability: f64, forecast: f64, actual: f64) -> f64 {
    let short = actual - forecast;
    if short > 0.0 { probability * short } else { (probability - 1.0) * short }
}

/// How far a peak lies from the median, in the deviations of its side.
fn deviations([low, median, high]: [f64; 3], peak: f64) -> f64 {
    let side = if peak > median { high - median } else { median - low };
    let deviations = (peak - median) / larger(side, DEVIATION_MIN * median);
    // 0 / 0: a peak of zero where nothing else was ever seen.
    if deviations.is_nan() { 0.0 } else { deviations }
}

#[cfg(test)]
mod tests;
