//! The judge: a replay of 14 days at a sync every 15 s.
//!
//! `auto` runs hundreds of these per metric and day, so the fluid one is to take milliseconds; the
//! whole of `foresail simulate` is to take less than 5 s.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a bench fails loudly")]

use criterion::{Criterion, criterion_group, criterion_main};
use foresail::simulate::demand::{Demand, DemandSettings};
use foresail::simulate::hpa::metric::{MetricSpec, TotalTarget};
use foresail::simulate::hpa::{ControllerSettings, HpaSpec};
use foresail::simulate::judge::fluid::{Fluid, FluidSettings};
use foresail::simulate::judge::lead_time::LeadTime;
use foresail::simulate::judge::recorded::{Offered, Request, Sampling, superpose};
use foresail::simulate::judge::requests::{RequestSettings, Requests};
use foresail::simulate::judge::{Setting, Workload, run};
use foresail::simulate::random::Random;
use std::hint::black_box;
use std::time::Duration;

const STEP: Duration = Duration::from_secs(15);
const STEPS_PER_DAY: usize = 5_760;
const DAYS: usize = 14;
const LEAD: LeadTime = LeadTime::Fixed(Duration::from_secs(180));
const SLO: Duration = Duration::from_secs(10);
/// So many copies of a trace of 13,333 requests are 800,000.
const COPIES: u32 = 60;
const REQUESTS_PER_COPY: usize = 13_333;

fn setting() -> Setting {
    let hpa = HpaSpec {
        min_replicas: Some(1),
        max_replicas: 200,
        metrics: vec![MetricSpec::External { target: TotalTarget::AverageValue(1_000) }],
        behavior: None,
    };
    let controller = ControllerSettings::default();
    let steps = 0..DAYS * STEPS_PER_DAY;
    Setting { hpa, controller, step: STEP, steps_per_day: STEPS_PER_DAY, steps }
}

/// Fourteen days with a daily rhythm, noise and bursts, seeded; 20 pods in the mean.
fn demand() -> Vec<f64> {
    let demand = Demand::new(1, DemandSettings::default()).unwrap();
    let counts = (0..u32::try_from(DAYS * STEPS_PER_DAY).unwrap())
        .map(|step| demand.arrivals(STEP * step, STEP) as f64);
    let counts: Vec<f64> = counts.collect();
    let mean = counts.iter().sum::<f64>() / counts.len() as f64;
    counts.iter().map(|count| count * 20.0 / mean).collect()
}

fn fluid(criterion: &mut Criterion) {
    let (demand, setting) = (demand(), setting());
    let signal = Sampling { window: 4, interval: 4, delay: 4 }.of(&demand);
    let (capacity, backlog_max) = (1.0, Duration::from_secs(60));
    let settings = FluidSettings { capacity, lead_time: LEAD, slo: SLO, backlog_max, step: STEP };
    let mut fluid = Fluid::new(&demand, settings).unwrap();
    let publish = |step: usize| signal[step].map(|load| load / 0.7);
    let total = run(&setting, &mut fluid, |step, _| publish(step)).unwrap().total();
    assert!(total.scale_events > 100 && total.late > 0.0, "{total:?}");
    criterion.bench_function("14 fluid days", |bencher| {
        bencher.iter(|| black_box(run(&setting, &mut fluid, |step, _| publish(step))));
    });
}

/// A trace of requests of some 40 s each, spread as the demand is.
fn trace() -> Vec<Request> {
    let demand = demand();
    let mut random = Random::new(2);
    let peak =
        demand.iter().copied().fold(0.0, |peak, value| if value > peak { value } else { peak });
    let mut trace = Vec::new();
    while trace.len() < REQUESTS_PER_COPY {
        // By rejection: a step is kept as often as its demand is high.
        let step = random.next_u64() % demand.len() as u64;
        if random.uniform() * peak < demand[usize::try_from(step).unwrap()] {
            let arrival = (step as f64 + random.uniform()) * STEP.as_secs_f64();
            let service = 40.0 * (0.5 * random.normal()).exp();
            trace.push(Request { arrival, service });
        }
    }
    trace
}

fn requests(criterion: &mut Criterion) {
    let setting = setting();
    let trace = trace();
    let many = superpose(&trace, COPIES, Duration::from_secs(300), 3);
    let steps = setting.steps.end;
    let offered = Offered::of(&many, STEP, steps).unwrap();
    let settings = RequestSettings { concurrency: 1, lead_time: LEAD, slo: SLO, step: STEP };
    let mut workload = Requests::new(&many, &offered, settings).unwrap();
    assert!((0..steps).any(|step| workload.need(step) > 30));
    let signal = Sampling { window: 4, interval: 4, delay: 4 }.of(&offered.mean);
    let mut group = criterion.benchmark_group("requests");
    group.sample_size(10);
    group.bench_function("14 days of 800,000 requests", |bencher| {
        bencher.iter(|| {
            let publish = |step: usize, backlog: f64| Some((signal[step]? + backlog / 60.0) / 0.8);
            black_box(run(&setting, &mut workload, |step, seen| publish(step, seen.backlog)))
        });
    });
    group.bench_function("superposing 60 copies of 13,333", |bencher| {
        bencher.iter(|| superpose(black_box(&trace), COPIES, Duration::from_secs(300), 3));
    });
    group.bench_function("offered load of 800,000", |bencher| {
        bencher.iter(|| Offered::of(black_box(&many), STEP, steps));
    });
    group.finish();
}

criterion_group!(benches, fluid, requests);
criterion_main!(benches);
