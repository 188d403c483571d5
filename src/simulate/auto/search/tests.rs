//! The search against trying all, and one day's choice against another's.

use super::*;
use crate::forecast::Model;
use crate::forecast::past::{SEASON, Steps};
use crate::pipeline::forecast::Given;
use crate::simulate::auto::tests::{question, rhythm};
use crate::simulate::auto::{Question, candidates};
use crate::simulate::random::Random;
use std::time::Duration;

/// Load that comes in bursts of an hour at any time, each twice the usual.
fn bursts(seasons: usize) -> Vec<f64> {
    let mut random = Random::new(11);
    let mut left = 0;
    (0..seasons * SEASON)
        .map(|_| {
            left = if left == 0 && random.uniform() < 0.004 { 60 } else { left - left.min(1) };
            let level = if left > 0 { 36.0 } else { 18.0 };
            level * (0.08 * random.normal()).exp()
        })
        .collect()
}

/// A part of the candidates: enough for several ladders of each kind.
fn some(step: Duration) -> Vec<Candidate> {
    let all = candidates::all(step, Given::default()).into_iter();
    all.filter(|it| {
        let has_model = it.is_naive() || it.chosen.model != Model::ResidualAnalog;
        has_model && it.chosen.down_window < step * 30
    })
    .collect()
}

#[test]
fn it_finds_what_trying_all_finds_and_runs_a_third() {
    for (values, late_share) in [(rhythm(3), 0.005), (bursts(3), 0.01), (bursts(3), 0.000_1)] {
        let ground = Ground::new(&question(&values)).unwrap();
        let candidates = some(ground.step);
        let runs: Vec<Run> = candidates.iter().map(|it| ground.judge(it).unwrap()).collect();
        let mut search = Search::among(&candidates, &ground, late_share);
        let records = candidates.iter().zip(&runs).map(|(it, run)| ground.record(it, run));
        let best = search.rule.choose(records, usize::MAX).unwrap();
        let found = search.choose(usize::MAX).unwrap().unwrap();
        assert_eq!(found.chosen, candidates[best].chosen, "{late_share}");
        assert!(search.n_runs() * 3 < candidates.len(), "{} of {}", search.n_runs(), runs.len());
    }
}

#[test]
fn a_day_is_chosen_for_by_the_days_before_it_alone_whatever_was_asked_before() {
    let values = rhythm(4);
    let (whole, days) = (question(&values), 3 * SEASON);
    let newest = whole.steps.newest() - SEASON as i64;
    let known = Question { steps: Steps::new(&values[..days], newest), ..whole };
    let ground = Ground::new(&whole).unwrap();
    let mut search = Search::new(&ground, whole.late_share);
    assert_eq!((search.choose(0).unwrap(), search.choose(2).unwrap()), (None, None));
    let last = search.choose(4).unwrap().unwrap();
    let day = search.choose(3).unwrap().unwrap();
    assert_eq!((last.seasons, day.seasons), (2, 1));
    let n_runs = search.n_runs();
    assert_eq!(search.choose(4).unwrap(), Some(last));
    assert_eq!(search.n_runs(), n_runs, "known by now");
    let alone = Ground::new(&known).unwrap();
    let alone = Search::new(&alone, known.late_share).choose(usize::MAX).unwrap().unwrap();
    assert_eq!(alone.chosen, day.chosen);
    // In its last minute demand is on the way to the next day's first.
    assert!((alone.late_share - day.late_share).abs() < 1e-5, "{alone:?} {day:?}");
}
