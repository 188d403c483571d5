//! What is chosen from which past, and that the choice is carried out.

use std::time::Duration;

use super::{Candidate, Record, Rule, forward};
use crate::simulate::judge::fluid::Fluid;
use crate::simulate::judge::tests::{fluid_settings, setting};
use crate::simulate::judge::{Run, Totals, Workload, run};

fn alone(days: &[(f64, f64)]) -> Run {
    let mut run = Run::new(0, 10);
    let day = |&(late, pod_seconds)| Totals { work: 100.0, late, pod_seconds, ..Totals::default() };
    run.days = days.iter().map(day).collect();
    run
}

#[test]
fn the_cheapest_that_keeps_the_target_over_all_earlier_days_is_chosen() {
    let cheap_then_late = alone(&[(0.0, 50.0), (9.0, 50.0), (0.0, 50.0)]);
    let dear = alone(&[(0.0, 90.0), (0.0, 90.0), (0.0, 90.0)]);
    let middle = alone(&[(1.0, 70.0), (0.0, 70.0), (0.0, 70.0)]);
    let runs = [&cheap_then_late, &dear, &middle];
    let target = |late_share_max, decay| Rule { late_share_max, decay, expected_days: 0.0 };
    for (rule, day, chosen) in [
        (target(0.005, 1.0), 0, 0), // Nothing is known yet: all are equal.
        (target(0.005, 1.0), 1, 0),
        (target(0.005, 1.0), 2, 2), // Late: 4.5, 0 and 0.5 %.
        (target(0.004, 1.0), 2, 1),
        (target(0.0, 0.1), 3, 1),
        // The bad day counts a tenth: 0.9 of 111, which is 0.8 %.
        (target(0.005, 0.1), 3, 2),
        (target(0.009, 0.1), 3, 0),
        (target(0.05, 1.0), 3, 0),
    ] {
        assert_eq!(rule.choose(runs.map(Record::from), day), Some(chosen), "{rule:?} on day {day}");
    }
    assert_eq!(Rule::default().choose([], 1), None);
}

#[test]
fn what_was_expected_counts_as_so_many_days_before_those_that_were_judged() {
    // Nothing was late on the first day, 2 % on the second; expected: 0.25 %.
    let run = alone(&[(0.0, 50.0), (2.0, 50.0)]);
    let record = Record { alone: &run, expected_late: Some(0.0025) };
    for (decay, expected_days, day, late_share) in [
        (1.0, 3.0, 0, 0.002_5), // Nothing else is known.
        (1.0, 0.0, 0, 0.0),     // Nothing at all is known.
        (1.0, 3.0, 1, 0.007_5 / 4.0),
        (1.0, 3.0, 2, 0.027_5 / 5.0),
        // The first day counts half, and those before it a quarter.
        (0.5, 4.0, 2, (0.02 + 0.002_5) / 2.5),
        (1.0, 0.0, 2, 0.01),
        (1.0, 3.0, 9, 0.027_5 / 5.0),
    ] {
        let rule = Rule { decay, expected_days, ..Rule::default() };
        let found = rule.late_share(record, day);
        assert!((found - late_share).abs() < 1e-12, "{rule:?} on day {day}: {found}");
        // Of whom nothing was expected, the judged days alone decide.
        let known = rule.past(&run, day).late_share();
        assert!((rule.late_share(Record::from(&run), day) - known).abs() < 1e-12);
    }
}

#[test]
fn whose_past_was_kinder_than_expected_is_not_believed_at_once() {
    let cheap = alone(&[(0.0, 10.0), (0.0, 10.0), (0.0, 10.0)]);
    let dear = alone(&[(0.0, 30.0), (0.0, 30.0), (0.0, 30.0)]);
    let records = [(&cheap, 0.008), (&dear, 0.001)]
        .map(|(alone, late)| Record { alone, expected_late: Some(late) });
    let rule = Rule { expected_days: 3.0, ..Rule::default() };
    for (day, chosen) in [(1, 1), (2, 0), (3, 0)] {
        assert_eq!(rule.choose(records, day), Some(chosen), "day {day}");
    }
}

#[test]
fn if_none_keeps_the_target_the_least_late_is_chosen() {
    let (late, later) = (alone(&[(4.0, 90.0)]), alone(&[(5.0, 10.0)]));
    assert_eq!(Rule::default().choose([&later, &late].map(Record::from), 1), Some(1));
}

/// Four days of ten steps; the first three quiet, the last with a peak.
fn demand() -> Vec<f64> {
    (0..40).map(|step| if step % 10 == 5 && step > 20 { 30.0 } else { 5.0 }).collect()
}

#[test]
fn a_forward_run_switches_at_midnight_inside_one_run() {
    let demand = demand();
    let setting = setting(0..40, 10);
    let mut fluid = Fluid::new(&demand, fluid_settings(Duration::ZERO)).unwrap();
    let exact = run(&setting, &mut fluid, |step, _| Some(demand[step])).unwrap();
    let ample = run(&setting, &mut fluid, |_, _| Some(30.0)).unwrap();
    assert!(exact.days[2].late > 0.0 && ample.days[2].late == 0.0);

    let asked = std::cell::RefCell::new(Vec::new());
    let tell = |who: usize, step| asked.borrow_mut().push((who, step));
    let mut candidates = [
        Candidate {
            publish: Box::new(|step, _| {
                tell(0, step);
                Some(demand[step])
            }),
            hold_steps: 1,
            record: Record::from(&exact),
        },
        Candidate {
            publish: Box::new(|step, _| {
                tell(1, step);
                Some(30.0)
            }),
            hold_steps: 1,
            record: Record::from(&ample),
        },
    ];
    let rule = Rule { late_share_max: 0.0, ..Rule::default() };
    let forward = forward(&setting, &mut fluid, &mut candidates, &rule).unwrap();
    assert_eq!(forward.choices, [(0, 0), (3, 1)]);
    assert_eq!(*asked.borrow(), (0..40).map(|step| (step / 30, step)).collect::<Vec<_>>());
    // One run: until the switch it is the first candidate's, and nothing is started anew at it.
    assert_eq!(forward.run.days[..3], exact.days[..3]);
    assert!(forward.run.days[3].pod_seconds < ample.days[3].pod_seconds);
}

#[test]
fn a_hold_counts_what_was_published_before_the_switch() {
    let demand = demand();
    let setting = setting(0..40, 10);
    let mut fluid = Fluid::new(&demand, fluid_settings(Duration::ZERO)).unwrap();
    let first = alone(&[(0.0, 1.0), (0.0, 1.0), (0.0, 9.0), (0.0, 9.0)]);
    let second = alone(&[(0.0, 2.0), (0.0, 2.0), (0.0, 2.0), (0.0, 2.0)]);
    let constant = |value: f64, hold_steps, alone| Candidate {
        publish: Box::new(move |_, _| Some(value)),
        hold_steps,
        record: Record::from(alone),
    };
    let mut candidates = [constant(20.0, 1, &first), constant(2.0, 4, &second)];
    let forward = forward(&setting, &mut fluid, &mut candidates, &Rule::default()).unwrap();
    assert_eq!(forward.choices, [(0, 0), (3, 1)]);
    // The autoscaler has no window of its own here: 20 pods until the hold of four steps ends, in
    // which the last value of the first candidate counts for three more.
    let pods: f64 = forward.run.days[3].pod_seconds / 15.0;
    assert!((pods - (3.0 * 20.0 + 7.0 * 2.0)).abs() < 1e-9, "{pods}");
    assert_eq!(fluid.need(0), 5);
}

#[test]
fn without_candidates_there_is_no_run() {
    let demand = demand();
    let mut fluid = Fluid::new(&demand, fluid_settings(Duration::ZERO)).unwrap();
    assert!(forward(&setting(0..40, 10), &mut fluid, &mut [], &Rule::default()).is_err());
}
