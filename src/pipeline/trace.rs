//! The trace of an evaluation: every stage's numbers, for whoever asks why a value is what it is.
//!
//! A trace holds numbers and names of objects. What is the same for all traces of a policy (names of
//! signals, bounds) is the policy's own, and both together are shown by `text`. Of what a source was
//! asked or answered nothing else can come into it but why it refused, in the words of the log, and in
//! words of our own what a good answer lacks.
//!
//! A thousand policies keep their last quarter of an hour, and hardly any of it is ever looked at: what
//! is kept is a record of few bytes (`ring`), and a `Trace` is made of it when somebody asks.

mod bytes;
mod record;
mod ring;
pub mod text;

pub(super) use record::Seen;
pub use ring::Traces;

use crate::domain::finite::Finite;
use crate::domain::name::ObjectName;
use crate::domain::sample::Sample;
use crate::domain::supply::{LeadTime, Supply};
use crate::forecast::{Model, gate};
use crate::pipeline::forecast::Told;
use crate::pipeline::outcome::{Absence, Standing};
use crate::pipeline::smooth::Answer;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// The probabilities whose quantiles of the peak a trace shows.
pub const BAND: [f64; 4] = [0.5, 0.8, 0.9, 0.95];

/// The record of every stage of one evaluation.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// The instant for which it was made; the last one where several came to the same.
    pub at: Timestamp,
    /// The first instant that came to the same: nothing but the age of the samples changed since.
    pub since: Timestamp,
    /// How many evaluations came to the same, this one included.
    pub n_same: u32,
    /// What was known of each signal, in the policy's order.
    pub signals: Box<[Reading]>,
    /// The way of the only number; of a metric per pod that of the pods with the largest values.
    pub paths: Box<[Path]>,
    /// How many values were published.
    pub n_published: usize,
    /// The forecast, where the policy wants one and there was a number to compare it with.
    pub forecast: Option<Box<Foreseen>>,
    /// Why nothing was published, or nothing newer than before.
    pub absent: Option<Box<Absence>>,
    /// Who uses the metric; `None` without a cluster, or before that is known.
    pub supply: Option<Arc<Supply>>,
}

/// What was known of one signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The objects of which there was a sample: one for a signal without objects.
    pub n_objects: usize,
    /// The time of the oldest of these samples.
    pub oldest: Option<Timestamp>,
    /// Why the last read brought nothing.
    pub trouble: Option<Box<str>>,
    /// What the last read lacks, although it brought something.
    pub note: Option<Box<str>>,
}

/// The way of one number through the stages.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    /// The object that it is about; `None` for the only number of a metric.
    pub object: Option<ObjectName>,
    /// One for each signal, in the policy's order.
    pub samples: Box<[Option<Sample>]>,
    /// What the signals were combined to.
    pub combined: Option<Sample>,
    /// What each smoothing step answered last, in the policy's order.
    pub steps: Box<[Answer]>,
    /// What came out of smoothing; an earlier one when nothing could be combined.
    pub observed: Option<Sample>,
    /// What went on to the guard: the observed value or what the forecast made of it, in the unit that
    /// the policy emits.
    pub emitted: Option<Finite>,
    /// What was published.
    pub published: Option<(Finite, Standing)>,
}

/// What became of the forecast.
#[derive(Clone, Debug, PartialEq)]
pub struct Foreseen {
    /// The value that went on to the guard, and why it was that one.
    pub told: Told,
    /// How far ahead it had to look, at least.
    pub lead_time: LeadTime,
    /// The newest forecast; `None` while there is none, and for "no change", which needs none.
    pub made: Option<Arc<Made>>,
}

/// A forecast that was made.
#[derive(Clone, Debug, PartialEq)]
pub struct Made {
    /// The end of the newest step of the history that it knew.
    pub at: Timestamp,
    /// How far it looks ahead from there.
    pub horizon: Duration,
    /// The peak ahead; `None` when the model has no answer.
    pub peak: Option<Peak>,
    /// What its gate says.
    pub verdict: gate::Verdict,
}

/// The distribution of the peak ahead, in a few numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Peak {
    /// The model that made it.
    pub model: Model,
    /// What the model takes to be most likely.
    pub point: f64,
    /// How many similar moments, or earlier errors, it rests on.
    pub n_similar: usize,
    /// The forecasters that voted with their weights; empty for models without a vote.
    pub weights: Box<[(&'static str, f64)]>,
    /// The quantiles at the probabilities of `BAND`.
    pub band: [f64; BAND.len()],
}

/// What the guard did to a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// Nothing.
    Passed,
    /// It was below `guard.min`, which was published.
    Raised,
    /// It was above `guard.max`, or above what the HPA can compute with.
    Cut,
}

impl Ruling {
    /// Its name, as explain spells it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Raised => "raised",
            Self::Cut => "cut",
        }
    }
}

impl Trace {
    /// What the guard did to the value of this path; `None` when it published none.
    #[must_use]
    pub fn ruling(path: &Path) -> Option<Ruling> {
        let (published, _) = path.published?;
        let before = path.emitted?;
        Some(match published.cmp(&before) {
            std::cmp::Ordering::Equal => Ruling::Passed,
            std::cmp::Ordering::Greater => Ruling::Raised,
            std::cmp::Ordering::Less => Ruling::Cut,
        })
    }
}

#[cfg(test)]
mod tests;
