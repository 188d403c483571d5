//! One series at one lead time: everything that the tables say of it.

use crate::forward::{self, Line};
use crate::hindsight::{self, Row};
use crate::replay::Forecasts;
use crate::score::{self, Score};
use crate::{Size, work};
use foresail::forecast::past::{SEASON, Steps};
use foresail::pipeline::forecast::{Given, horizon};
use foresail::simulate::auto::{Ground, Question, SYNCS_PER_STEP};
use serde::Serialize;
use std::time::Duration;

/// The length of a step of the history.
pub(crate) const STEP: Duration = Duration::from_secs(60);
/// The length of a sync of the autoscaler.
pub(crate) const SYNC: Duration = Duration::from_secs(15);
/// Syncs in a day.
pub(crate) const DAY: usize = 5_760;
/// A minute's mean is a minute old at the most, and the autoscaler asks every 15 s.
const AGE_AND_SYNC: Duration = Duration::from_secs(75);
/// The 99.5th percentile of every series, in pods.
const PODS: f64 = 40.0;
/// A request that waits longer is late.
pub(crate) const MAX_WAIT: Duration = Duration::from_secs(10);
/// In which time the published value asks for what waits to be worked off.
pub(crate) const DRAIN: Duration = Duration::from_secs(30);
/// The share of late work that one who chooses every day aims at.
pub(crate) const TARGET: f64 = 0.005;

/// A series in pods.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) name: String,
    /// What was read each minute, NaN where the read failed.
    pub(crate) known: Vec<f64>,
    /// What there was to serve at each sync.
    pub(crate) demand: Vec<f64>,
    /// The first day of the tables in hindsight; those before are history.
    pub(crate) scored_from: usize,
}

/// What the tables say of a series at a lead time.
#[derive(Debug, Serialize)]
pub(crate) struct Judged {
    pub(crate) series: String,
    pub(crate) lead_seconds: u64,
    pub(crate) hindsight: Vec<Row>,
    pub(crate) forward: Vec<Line>,
    pub(crate) scores: Vec<Score>,
}

/// A series on its ground.
#[derive(Debug)]
pub(crate) struct Bed<'a> {
    pub(crate) series: &'a Series,
    pub(crate) ground: Ground,
    pub(crate) forecasts: Forecasts,
    pub(crate) lead: Duration,
    pub(crate) horizon: usize,
    pub(crate) size: Size,
}

impl Series {
    /// A series that was read without a gap.
    pub(crate) fn recorded(name: &str, values: Vec<f64>) -> Self {
        let known = values.clone();
        Self::with_gaps(name, values, known)
    }

    /// A series of which only a part was read.
    pub(crate) fn with_gaps(name: &str, values: Vec<f64>, known: Vec<f64>) -> Self {
        let whole = values.len() / SEASON * SEASON;
        let unit = Steps::new(&values[..whole], newest(whole)).scale().level() / PODS;
        let pods = |values: &[f64]| values[..whole].iter().map(|it| it / unit).collect::<Vec<_>>();
        let demand = finer(&pods(&values));
        let days = whole / SEASON;
        let scored_from = match days {
            0..=6 => days - 1,
            7..=8 => 5,
            _ => 7,
        };
        Self { name: name.to_owned(), known: pods(&known), demand, scored_from }
    }
}

/// Demand at each sync: a recorded value is that of the moment, and straight to the next. It is
/// known a minute later.
fn finer(values: &[f64]) -> Vec<f64> {
    let next = values.iter().skip(1).chain(values.last());
    let pairs = values.iter().zip(next);
    let between = |(one, other): (&f64, &f64), part: usize| {
        one + (other - one) * part as f64 / SYNCS_PER_STEP as f64
    };
    pairs.flat_map(|pair| (0..SYNCS_PER_STEP).map(move |part| between(pair, part))).collect()
}

/// How far a forecast looks for pods that take so long.
pub(crate) fn steps_ahead(lead: Duration) -> usize {
    horizon(lead + AGE_AND_SYNC, STEP)
}

/// The index of the last of so many steps, the first of which begins a day.
pub(crate) fn newest(steps: usize) -> i64 {
    20_000 * SEASON as i64 + i64::try_from(steps).unwrap() - 1
}

/// Judges every series at every lead time.
pub(crate) fn judge_all(series: &[Series], leads: &[Duration], size: Size) -> Vec<Judged> {
    let items: Vec<(&Series, Duration)> =
        leads.iter().flat_map(|lead| series.iter().map(move |it| (it, *lead))).collect();
    work::each("series", &items, |(series, lead)| judge(series, *lead, size))
}

fn judge(series: &Series, lead: Duration, size: Size) -> Judged {
    let steps = Steps::new(&series.known, newest(series.known.len()));
    let horizon = steps_ahead(lead);
    let question = Question {
        steps,
        step: STEP,
        horizon,
        lead_time: lead,
        pod_capacity: Some(1.0),
        max_wait: MAX_WAIT,
        late_share: TARGET,
        drain: None,
        down_stabilization: None,
        given: Given::default(),
    };
    let ground = Ground::new(&question).unwrap();
    let forecasts = Forecasts::replay(steps, horizon, size);
    let bed = Bed { series, ground, forecasts, lead, horizon, size };
    Judged {
        series: series.name.clone(),
        lead_seconds: lead.as_secs(),
        hindsight: if size.hindsight { hindsight::rows(&bed) } else { Vec::new() },
        forward: if size.forward { forward::lines(&bed) } else { Vec::new() },
        scores: if size.scores { score::scores(&bed) } else { Vec::new() },
    }
}
