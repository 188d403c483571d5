//! Recordings on steps: what demand is, what of it can be known when, and what is missing.

use super::{Copies, Load, Work};
use crate::replay::trace::{Content, Trace};
use crate::simulate::judge::recorded::Request;
use std::time::Duration;

const STEP: Duration = Duration::from_secs(15);
const ONE: Copies = Copies { count: 1, jitter: Duration::from_secs(300), seed: 1 };

fn of_samples(samples: &[(f64, f64)], copies: Copies) -> Load {
    let content = Content::Samples { samples: samples.to_vec(), unit: "x" };
    Load::new(
        Trace { midnight: None, content, without_value: 0, is_utc_assumed: false },
        STEP,
        copies,
    )
    .unwrap()
}

fn known(load: &Load) -> &[f64] {
    match &load.work {
        Work::Samples { newest, .. } => newest,
        Work::Requests { .. } => panic!("requests"),
    }
}

#[test]
fn demand_is_straight_between_samples_but_nobody_knows_the_next_one() {
    let load = of_samples(&[(0.0, 0.0), (60.0, 4.0), (120.0, 0.0)], ONE);
    assert_eq!((load.first, load.end), (0, 9));
    assert_eq!(load.demand(), [0.0, 1.0, 2.0, 3.0, 4.0, 3.0, 2.0, 1.0, 0.0]);
    assert_eq!(known(&load), [0.0, 0.0, 0.0, 0.0, 4.0, 4.0, 4.0, 4.0, 0.0]);
}

#[test]
fn steps_are_counted_from_midnight() {
    let load = of_samples(&[(30.0, 1.0), (90.0, 5.0), (150.0, 1.0)], ONE);
    assert_eq!((load.first, load.end), (2, 11));
    assert_eq!(load.demand()[..5], [0.0, 0.0, 1.0, 2.0, 3.0]);
    assert_eq!(load.time(4), load.midnight + Duration::from_secs(60));
}

#[test]
fn samples_closer_than_a_step_become_their_mean() {
    let samples: Vec<(f64, f64)> = (0..240).map(|at| (f64::from(at), f64::from(at % 15))).collect();
    let load = of_samples(&samples, ONE);
    assert!(load.demand().iter().all(|it| (it - 7.0).abs() < 1e-9), "{:?}", load.demand());
}

#[test]
fn a_long_gap_is_told_and_holds_the_value_before() {
    let samples = [(0.0, 2.0), (60.0, 2.0), (120.0, 2.0), (720.0, 8.0), (780.0, 8.0)];
    let load = of_samples(&samples, ONE);
    assert_eq!((load.gaps.count, load.gaps.longest), (1, Duration::from_secs(600)));
    assert!((load.gaps.share - 600.0 / 780.0).abs() < 1e-9);
    assert_eq!(load.demand()[47..50], [2.0, 8.0, 8.0]);
}

#[test]
fn copies_multiply_samples_and_superpose_requests() {
    let three = Copies { count: 3, ..ONE };
    let load = of_samples(&[(0.0, 1.0), (120.0, 1.0)], three);
    assert!(load.demand().iter().all(|it| (it - 3.0).abs() < 1e-9));
    let requests: Vec<Request> =
        (0..50).map(|at| Request { arrival: f64::from(at) * 60.0, service: 30.0 }).collect();
    let of = |copies| {
        let content = Content::Requests(requests.clone());
        let trace = Trace { midnight: None, content, without_value: 0, is_utc_assumed: false };
        match Load::new(trace, STEP, copies).unwrap().work {
            Work::Requests { requests, .. } => requests,
            Work::Samples { .. } => panic!("samples"),
        }
    };
    assert_eq!(of(ONE), requests, "one copy is the recording itself");
    assert_eq!(of(three).len(), 150);
    assert_eq!(of(three), of(three));
    assert_ne!(of(three), of(Copies { seed: 2, ..three }));
}

#[test]
fn too_little_and_too_much_are_refused() {
    for (samples, problem) in [
        (vec![(0.0, 1.0), (60.0, 1.0)], "5 steps"),
        (vec![(0.0, 1.0), (1e9 - 1.0, 1.0)], "at most 2200000 steps"),
    ] {
        let content = Content::Samples { samples, unit: "x" };
        let trace = Trace { midnight: None, content, without_value: 0, is_utc_assumed: false };
        let error = Load::new(trace, STEP, ONE).unwrap_err();
        assert!(error.to_string().contains(problem), "{error}");
    }
}
