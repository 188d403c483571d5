//! Laws of a run that hold for any demand.

use std::time::Duration;

use proptest::prelude::*;

use super::fluid::{Fluid, FluidSettings};
use super::lead_time::LeadTime;
use super::oracle::{foresight, need, optimum, optimum_of_part};
use super::tests::{fluid_settings, setting};
use super::{Run, run};

const STEPS: usize = 240;

/// Demand that wanders and jumps, up to 40 pods.
fn demand() -> impl Strategy<Value = Vec<f64>> {
    let level = prop_oneof![0.0..40.0_f64, 0.0..3.0_f64];
    let spans = prop::collection::vec((level, 1..20_usize, -0.3..0.3_f64), 40);
    spans.prop_map(|spans| {
        let values = spans.into_iter().flat_map(|(level, length, slope)| {
            (0..length).map(move |place| (level + slope * place as f64).abs())
        });
        let mut values: Vec<f64> = values.take(STEPS).collect();
        let last = values.last().copied().unwrap_or_default();
        values.resize(STEPS, last);
        values
    })
}

fn play(demand: &[f64], settings: FluidSettings, factor: f64) -> Run {
    let mut fluid = Fluid::new(demand, settings).unwrap();
    run(&setting(0..STEPS, 100), &mut fluid, |step, _| Some(factor * demand[step])).unwrap()
}

proptest! {
    #[test]
    fn work_is_conserved_and_no_more_than_all_of_it_is_late(
        demand in demand(),
        factor in 0.2..1.5_f64,
        variation in 0.0..0.6_f64,
    ) {
        let lead_time = LeadTime::Lognormal { mean: Duration::from_secs(90), variation, seed: 3 };
        let settings = FluidSettings { lead_time, ..fluid_settings(Duration::from_secs(10)) };
        let mut fluid = Fluid::new(&demand, settings).unwrap();
        let setting = setting(0..STEPS, 100);
        let (mut served, mut late, mut before) = (0.0, 0.0, 0.0);
        let mut capacity_kept = true;
        let mut last = None;
        let run = super::watch(&setting, &mut fluid, |step, _| Some(factor * demand[step]), |it| {
            if let Some((work, lost, ready)) = last {
                let through: f64 = before + work - lost - it.seen.backlog;
                capacity_kept &= (-1e-9..=15.0 * ready + 1e-9).contains(&through);
                served += through;
            }
            before = it.seen.backlog;
            late += it.served.late;
            let ready = f64::from(it.seen.ready.min(it.replicas));
            last = Some((it.served.work, it.served.lost, ready));
        })
        .unwrap();
        let total = run.total();
        let (work, lost, _) = last.unwrap();
        served += before + work - lost - run.unserved;
        prop_assert!(capacity_kept);
        prop_assert!((served + total.lost + run.unserved - total.work).abs() < 1e-6);
        prop_assert!((late - total.late).abs() < 1e-6);
        prop_assert!(total.late <= total.work + 1e-6 && total.lost <= total.late + 1e-6);
        let expected: f64 = demand.iter().map(|demand| 15.0 * demand).sum();
        prop_assert!((total.work - expected).abs() < 1e-6);
    }

    #[test]
    fn more_pods_are_never_later(demand in demand(), pods in 1..40_i32, more in 0..20_i32) {
        let fixed = |pods: i32| {
            let mut setting = setting(0..STEPS, 100);
            setting.hpa.min_replicas = Some(pods);
            setting.hpa.max_replicas = pods;
            let settings = fluid_settings(Duration::from_secs(10));
            let mut fluid = Fluid::new(&demand, settings).unwrap();
            run(&setting, &mut fluid, |_, _| Some(1.0)).unwrap().total().late
        };
        prop_assert!(fixed(pods + more) <= fixed(pods) + 1e-6);
    }

    #[test]
    fn who_never_lets_work_wait_pays_at_least_the_optimum(
        demand in demand(),
        factor in 1.0..3.0_f64,
    ) {
        // Without an SLO any wait is late, so that no late work means enough pods at every step.
        let needs = need(&demand, 1.0, 1);
        let best = optimum(&needs, 0..STEPS, 2, 100);
        let runs = [
            play(&demand, fluid_settings(Duration::ZERO), factor),
            ideal(&demand, Duration::ZERO, 4),
        ];
        for run in runs {
            // The run finds its first pods ready; the optimum pays their start.
            let given = 2.0 * f64::from(needs[0]) * 15.0;
            if run.total().late <= 0.0 {
                prop_assert!(run.total().pod_seconds + given >= 15.0 * best.pod_steps - 1e-6);
                let part = optimum_of_part(&needs, 0..STEPS, 2, 100).pod_steps;
                prop_assert!(run.total().pod_seconds >= 15.0 * part - 1e-6);
            }
        }
    }

    #[test]
    fn who_knows_the_future_is_never_late(demand in demand()) {
        // From a first step of 20 pods the count may double at each sync, and the peak is seen four
        // syncs ahead: two for the pods to start, two to ask for them.
        let mut demand: Vec<f64> = demand.into_iter().map(|demand| 20.0 + demand).collect();
        // What comes before the first pod asked for can be ready is nobody's merit.
        demand[..4].fill(20.0);
        let total = ideal(&demand, Duration::ZERO, 4).total();
        prop_assert!(total.late <= 1e-9, "{total:?}");
    }
}

fn ideal(demand: &[f64], slo: Duration, ahead: u32) -> Run {
    let peaks = foresight(demand, ahead);
    let mut fluid = Fluid::new(demand, fluid_settings(slo)).unwrap();
    let setting = setting(0..STEPS, 100).without_tolerance();
    run(&setting, &mut fluid, |step, _| Some(peaks[step])).unwrap()
}
