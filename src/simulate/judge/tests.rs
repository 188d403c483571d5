//! Runs whose numbers can be worked out by hand.

use std::ops::Range;
use std::time::Duration;

use super::fluid::{Fluid, FluidSettings};
use super::lead_time::LeadTime;
use super::oracle::{foresight, need, optimum, optimum_of_part};
use super::{Setting, held, run, watch};
use crate::simulate::hpa::behavior::Behavior;
use crate::simulate::hpa::metric::{MetricSpec, TotalTarget};
use crate::simulate::hpa::{ControllerSettings, HpaSpec};

const STEP: Duration = Duration::from_secs(15);

/// An autoscaler aimed at a value of 1 per pod, without a window for scaling down.
pub(super) fn setting(steps: Range<usize>, steps_per_day: usize) -> Setting {
    let mut behavior = Behavior::default();
    behavior.scale_down.stabilization_window = Some(Duration::ZERO);
    let hpa = HpaSpec {
        min_replicas: Some(1),
        max_replicas: 200,
        metrics: vec![MetricSpec::External { target: TotalTarget::AverageValue(1_000) }],
        behavior: Some(behavior),
    };
    Setting { hpa, controller: ControllerSettings::default(), step: STEP, steps_per_day, steps }
}

/// Pods that serve a demand of 1, 30 s after they were asked for.
pub(super) fn fluid_settings(slo: Duration) -> FluidSettings {
    FluidSettings {
        capacity: 1.0,
        lead_time: LeadTime::Fixed(2 * STEP),
        slo,
        backlog_max: Duration::from_secs(60),
        step: STEP,
    }
}

#[test]
fn the_optimum_is_that_of_appendix_b6() {
    let need = [1, 1, 2, 2, 1, 1, 1, 1, 1, 1, 2, 3, 3, 2, 1, 2, 1];
    let all = optimum(&need, 0..17, 4, 17);
    // Demand itself is 26; the ranks cost 21, 16 and 6.
    assert!((all.pod_steps - 43.0).abs() < 1e-9, "{all:?}");
    let days = optimum(&need, 0..17, 4, 10);
    assert!((days.pod_steps - 43.0).abs() < 1e-9, "{days:?}");
    // Until step 9: 12 of demand, one start of each of two ranks.
    assert_eq!(days.days, [20.0, 23.0]);
    // A part begins with nothing, in the middle of a day: 15 of demand, three starts, a gap of one.
    let part = optimum(&need, 9..17, 4, 10);
    assert_eq!(part.days, [5.0, 23.0]);
}

#[test]
fn what_stands_when_a_part_begins_was_paid_before_it() {
    let need = [1, 1, 3, 3, 1, 2, 1, 1, 1, 1, 1, 3];
    // Two ranks of four and one step: their starts at 2 are before the part.
    let part = optimum_of_part(&need, 2..12, 4, 12);
    // 17 of demand; the second rank is kept over a gap of one, and each of two starts again for 4.
    assert_eq!((part.pod_steps, part.days.len()), (17.0 + 1.0 + 4.0 + 4.0, 1));
    // One that is needed a step after the beginning is kept for that step.
    assert_eq!(optimum_of_part(&need, 4..6, 4, 12).days, [3.0 + 1.0]);
    // Who needs one pod all the time pays one pod.
    assert_eq!(optimum_of_part(&[1; 20], 10..20, 8, 20).days, [10.0]);
}

#[test]
fn foresight_is_the_peak_of_the_steps_ahead() {
    assert_eq!(foresight(&[1.0, 5.0, 2.0, 2.0, 3.0], 2), [5.0, 5.0, 3.0, 3.0, 3.0]);
    assert_eq!(foresight(&[1.0, 5.0, 2.0], 0), [1.0, 5.0, 2.0]);
}

#[test]
fn needs_are_whole_pods_without_rounding_noise() {
    assert_eq!(need(&[0.0, 2.0, 2.000_000_000_1, 2.1, 6.3], 1.0, 1), [1, 2, 2, 3, 7]);
    assert_eq!(need(&[6.3, 0.0], 2.1, 0), [3, 0]);
}

/// A demand that jumps from 2 to 4 and falls back, published as it is.
#[test]
fn a_jump_waits_for_the_lead_time_and_is_paid_from_creation() {
    let demand = [2.0, 2.0, 4.0, 4.0, 4.0, 4.0, 2.0, 2.0];
    let mut fluid = Fluid::new(&demand, fluid_settings(Duration::from_secs(10))).unwrap();
    let mut moments = Vec::new();
    let run = watch(
        &setting(0..8, 4),
        &mut fluid,
        |step, _| Some(demand[step]),
        |moment| {
            moments.push(*moment);
        },
    )
    .unwrap();
    let shown: Vec<(u32, u32, f64, f64)> = moments
        .iter()
        .map(|it| (it.seen.ready, it.replicas, it.seen.backlog, it.served.late))
        .collect();
    // Two pods short for 30 s leave a backlog of 60. It exceeds 10 s of two pods (20) after a third
    // of the second short step... and then two pods more serve just what comes. When demand falls,
    // the surplus pods go at once, and the wait of the 60 doubles.
    let expected = [
        (2, 2, 0.0, 0.0),
        (2, 2, 0.0, 0.0),
        (2, 4, 0.0, 20.0),
        (2, 4, 30.0, 60.0),
        (4, 4, 60.0, 60.0),
        (4, 4, 60.0, 60.0),
        (4, 2, 60.0, 30.0),
        (2, 2, 60.0, 30.0),
    ];
    assert_eq!(shown, expected);
    assert_eq!(run.days.len(), 2);
    assert!((run.days[0].pod_seconds - 15.0 * 12.0).abs() < 1e-9);
    assert!((run.days[1].pod_seconds - 15.0 * 12.0).abs() < 1e-9);
    let total = run.total();
    assert_eq!((total.scale_events, total.flips, total.step_max), (2, 1, 2));
    assert!((total.work - 15.0 * 24.0).abs() < 1e-9 && (run.unserved - 60.0).abs() < 1e-9);
    assert!((run.scale_events_per_day() - 1.0).abs() < 1e-9);
    assert!((total.wait_seconds - 30.0).abs() < 1e-9);
}

#[test]
fn more_waiting_work_than_the_cap_is_lost_and_late() {
    let demand = [1.0, 6.0, 6.0];
    let settings = FluidSettings {
        lead_time: LeadTime::Fixed(Duration::from_secs(600)),
        ..fluid_settings(Duration::from_secs(10))
    };
    let mut fluid = Fluid::new(&demand, settings).unwrap();
    let run = run(&setting(0..3, 3), &mut fluid, |_, _| Some(1.0)).unwrap().total();
    // 75 too many in each of two steps and room for 60: 15 and 75 are lost.
    assert!((run.lost - 90.0).abs() < 1e-9, "{run:?}");
    // The backlog passes 10 after 2 s of the first of them.
    assert!((run.late - (90.0 * 13.0 / 15.0 + 90.0)).abs() < 1e-9, "{run:?}");
}

#[test]
fn a_held_value_does_not_fall_below_its_recent_maximum() {
    let values = [Some(3.0), Some(1.0), None, Some(2.0), Some(1.0), Some(f64::NAN), Some(1.0)];
    let seen = super::Seen::default();
    let published = |steps| -> Vec<Option<f64>> {
        let mut publish = held(steps, |step, _| values[step]);
        (0..values.len()).map(|step| publish(step, &seen)).collect()
    };
    let expected = [Some(3.0), Some(3.0), None, Some(2.0), Some(2.0), None, Some(1.0)];
    assert_eq!(published(3), expected);
    let as_it_is = [Some(3.0), Some(1.0), None, Some(2.0), Some(1.0), None, Some(1.0)];
    assert_eq!((published(0), published(1)), (as_it_is.to_vec(), as_it_is.to_vec()));
}

#[test]
fn settings_outside_their_range_are_refused() {
    let demand = [1.0; 4];
    let settings = fluid_settings(Duration::ZERO);
    let refused = |setting: &Setting| {
        let mut fluid = Fluid::new(&demand, settings).unwrap();
        run(setting, &mut fluid, |_, _| Some(1.0)).is_err()
    };
    assert!(!refused(&setting(0..4, 4)));
    assert!(refused(&setting(0..4, 0)));
    assert!(refused(&Setting { step: Duration::ZERO, ..setting(0..4, 4) }));
    assert!(refused(&setting(0..usize::MAX, 4)));
    let mut many = setting(0..4, 4);
    many.hpa.max_replicas = 10_001;
    assert!(refused(&many));

    for capacity in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(Fluid::new(&demand, FluidSettings { capacity, ..settings }).is_err());
    }
    assert!(Fluid::new(&demand, FluidSettings { step: Duration::ZERO, ..settings }).is_err());
    for bad in [f64::NAN, f64::INFINITY, -1.0] {
        assert!(Fluid::new(&[1.0, bad], settings).is_err(), "{bad}");
    }
}
