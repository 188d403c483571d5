//! One forecast and one refit of every model, on two weeks of minutes.
//!
//! The design's budget is 15 % of a core for 1,000 policies; forecasts take two thirds of it. At a
//! forecast a minute and a refit every six hours that is 4 ms for a forecast with all that it needs,
//! and 500 ms for a refit.

#![expect(clippy::unwrap_used, reason = "a bench fails loudly")]

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use foresail::forecast::Model;
use foresail::forecast::forecaster::Forecaster;
use foresail::forecast::past::{FIT_STEPS, Past, SEASON, SEASONS_MAX, Steps};
use foresail::simulate::random::Random;
use std::f64::consts::TAU;
use std::hint::black_box;

/// A lead time of three minutes, the age of the data and a sync.
const HORIZON: usize = 5;
const PROBABILITY: f64 = 0.9;
/// The middle of a refit period, at some minute of the present.
const NEWEST: i64 = 20_000 * SEASON as i64 + 180;

/// Two weeks of a daily rhythm with noise that wanders.
fn history() -> Vec<f64> {
    let mut random = Random::new(1);
    let mut wander = 0.0;
    let value = |step: usize| {
        let phase = (step % SEASON) as f64 / SEASON as f64;
        wander = 0.98 * wander + 0.05 * random.normal();
        (20.0 - 12.0 * (phase * TAU).cos()) * f64::exp(wander)
    };
    (0..SEASONS_MAX * SEASON).map(value).collect()
}

fn refit(criterion: &mut Criterion) {
    let values = history();
    let steps = Steps::new(&values, NEWEST);
    let mut group = criterion.benchmark_group("refit");
    group.sample_size(10);
    for model in Model::ALL {
        group.bench_function(BenchmarkId::from_parameter(model.name()), |bencher| {
            bencher.iter(|| {
                let seen = steps.between(NEWEST + 1 - FIT_STEPS as i64, NEWEST);
                let past = Past::new(seen, seen.scale(), 0);
                black_box(model.fit(&past, past.len() - 1, HORIZON).unwrap())
            });
        });
    }
    group.finish();
}

fn forecast(criterion: &mut Criterion) {
    let values = history();
    let steps = Steps::new(&values, NEWEST);
    let mut group = criterion.benchmark_group("forecast");
    for model in Model::ALL {
        let mut forecaster = Forecaster::resume(model, HORIZON, PROBABILITY, steps);
        assert!(forecaster.step(steps).unwrap().peak.is_some());
        group.bench_function(BenchmarkId::from_parameter(model.name()), |bencher| {
            bencher.iter(|| black_box(forecaster.step(steps)));
        });
    }
    group.finish();
}

criterion_group!(benches, forecast, refit);
criterion_main!(benches);
