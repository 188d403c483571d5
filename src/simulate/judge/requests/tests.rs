//! Requests on slots: cases worked out by hand, and laws for any load.

#![expect(clippy::float_cmp, reason = "counts of requests are whole numbers, and no wait is 0")]

use std::time::Duration;

use proptest::prelude::*;

use super::{RequestSettings, Requests};
use crate::simulate::judge::lead_time::LeadTime;
use crate::simulate::judge::oracle::foresight;
use crate::simulate::judge::recorded::{Offered, Request};
use crate::simulate::judge::tests::setting;
use crate::simulate::judge::{Moment, Run, Seen, run, watch};

const STEP: Duration = Duration::from_secs(15);

fn settings(concurrency: u32) -> RequestSettings {
    let lead_time = LeadTime::Fixed(Duration::from_secs(40));
    RequestSettings { concurrency, lead_time, slo: Duration::from_secs(10), step: STEP }
}

fn requests(times: &[(f64, f64)]) -> Vec<Request> {
    times.iter().map(|&(arrival, service)| Request { arrival, service }).collect()
}

/// Plays requests with a published value per step.
fn play(
    requests: &[Request],
    settings: RequestSettings,
    steps: usize,
    publish: impl FnMut(usize, &Seen) -> Option<f64>,
) -> (Run, Vec<Moment>) {
    let offered = Offered::of(requests, STEP, steps).unwrap();
    let mut workload = Requests::new(requests, &offered, settings).unwrap();
    let mut moments = Vec::new();
    let tell = |moment: &Moment| moments.push(*moment);
    let run = watch(&setting(0..steps, 10), &mut workload, publish, tell).unwrap();
    (run, moments)
}

#[test]
fn a_new_pod_serves_from_the_moment_it_is_ready() {
    // One pod for the first step; three requests at 16 want three pods, ready 40 s after 30.
    let requests = requests(&[(0.0, 10.0), (16.0, 60.0), (16.0, 20.0), (16.0, 20.0)]);
    let values = [1.0, 1.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0];
    let (run, moments) = play(&requests, settings(1), 8, |step, _| Some(values[step]));
    let seen: Vec<(u32, f64, f64, f64)> = moments
        .iter()
        .map(|it| (it.seen.ready, it.seen.waiting, it.seen.backlog, it.seen.in_service))
        .collect();
    let expected = [
        (1, 0.0, 0.0, 0.0),
        (1, 0.0, 0.0, 0.0),
        (1, 2.0, 40.0, 1.0),
        (1, 2.0, 40.0, 1.0),
        (1, 2.0, 40.0, 1.0),
        (3, 0.0, 0.0, 3.0),
        (3, 0.0, 0.0, 0.0),
        (3, 0.0, 0.0, 0.0),
    ];
    // Two start at 70, in the step from 60 to 75, after a wait of 54 s; all end by 90.
    assert_eq!(seen, expected);
    assert_eq!((run.total().work, run.total().late), (4.0, 2.0));
    assert!((run.total().wait_seconds - 54.0).abs() < 1e-9);
    assert!((run.total().pod_seconds - 15.0 * 20.0).abs() < 1e-9);
}

#[test]
fn a_removed_pod_finishes_what_it_has_and_is_paid_until_then() {
    // Three busy pods; at 15 one is wanted. Of the two that go, the newest are busy until 32 and 25.
    let three = [(0.0, 20.0), (0.0, 25.0), (0.0, 32.0), (16.0, 15.0)];
    let (run, moments) =
        play(&requests(&three), settings(1), 4, |step, _| Some(if step == 0 { 3.0 } else { 1.0 }));
    assert_eq!(moments[1].seen.in_service, 3.0);
    assert_eq!((moments[2].seen.ready, moments[2].seen.in_service), (1, 1.0 + 1.0));
    // Only the pod that stays takes the fourth request: it waits from 16 to 20.
    assert!((moments[1].served.wait_seconds - 4.0).abs() < 1e-9);
    let paid = 15.0 * (3.0 + 1.0 + 1.0 + 1.0) + (25.0 - 15.0) + (32.0 - 15.0);
    assert!((run.total().pod_seconds - paid).abs() < 1e-9, "{run:?}");
    assert_eq!((run.unserved, run.total().late), (0.0, 0.0));
}

#[test]
fn starting_and_idle_pods_go_first() {
    let two = requests(&[(0.0, 100.0), (0.0, 10.0)]);
    // Four are asked for at 0, and back to one at 15: two still start, one is idle, one is busy.
    let values = [4.0, 1.0, 1.0, 1.0, 1.0];
    let (run, moments) = play(&two, settings(1), 5, |step, _| Some(values[step]));
    assert_eq!((moments[0].seen.ready, moments[0].replicas), (2, 4));
    assert_eq!((moments[2].seen.ready, moments[2].seen.in_service), (1, 1.0));
    assert!((run.total().pod_seconds - 15.0 * 8.0).abs() < 1e-9, "nothing drained: {run:?}");
}

#[test]
fn a_pod_serves_as_many_at_once_as_it_has_slots() {
    let three = requests(&[(0.0, 12.0), (0.0, 12.0), (0.0, 12.0)]);
    let (run, moments) = play(&three, settings(2), 2, |_, _| Some(1.0));
    // Two pods are needed at first, and the run begins with them; one is wanted. The third request
    // finds two slots busy until 12.
    assert_eq!((moments[0].seen.ready, moments[0].replicas), (2, 1));
    assert!((moments[0].served.wait_seconds - 12.0).abs() < 1e-9);
    assert_eq!((run.total().late, run.unserved), (1.0, 0.0));
}

#[test]
fn what_still_waits_at_the_end_is_counted() {
    let many = requests(&[(0.0, 500.0), (31.0, 1.0), (36.0, 1.0)]);
    let (run, _) = play(&many, settings(1), 3, |_, _| Some(1.0));
    // At 45 one has waited 14 s and one 9 s.
    assert_eq!((run.total().late, run.unserved, run.total().work), (1.0, 2.0, 3.0));
    // It has waited as long as it has, though nobody knows yet how long it will.
    assert_eq!(run.total().wait_seconds, 45.0 - 31.0);
}

#[test]
fn lateness_belongs_to_the_day_on_which_the_request_came() {
    // One pod, days of two steps; requests of the first day start at 40 and 80 and never.
    let load = requests(&[(0.0, 40.0), (1.0, 40.0), (2.0, 40.0), (29.9, 40.0), (50.0, 1.0)]);
    let offered = Offered::of(&load, STEP, 6).unwrap();
    let mut workload = Requests::new(&load, &offered, settings(4)).unwrap();
    let mut setting = setting(0..6, 2);
    (setting.hpa.min_replicas, setting.hpa.max_replicas) = (Some(1), 1);
    workload.settings.concurrency = 1;
    let run = run(&setting, &mut workload, |_, _| Some(1.0)).unwrap();
    let days: Vec<(f64, f64)> = run.days.iter().map(|it| (it.work, it.late)).collect();
    assert_eq!(days, [(4.0, 3.0), (1.0, 1.0), (0.0, 0.0)]);
    assert_eq!(run.since(1).late_share(), 1.0);
}

#[test]
fn a_run_may_begin_in_the_middle() {
    let many = requests(&[(0.0, 500.0), (20.0, 1.0), (36.0, 1.0)]);
    let offered = Offered::of(&many, STEP, 4).unwrap();
    let mut workload = Requests::new(&many, &offered, settings(1)).unwrap();
    let part = run(&setting(1..4, 2), &mut workload, |_, _| Some(2.0)).unwrap();
    assert_eq!((part.first_day, part.days.len(), part.total().work), (0, 2, 2.0));
    assert_eq!(part.since(1).work, 1.0);
    // A workload can be run again and gives the same.
    assert_eq!(run(&setting(1..4, 2), &mut workload, |_, _| Some(2.0)).unwrap(), part);
}

#[test]
fn settings_of_zero_are_refused() {
    let offered = Offered::default();
    assert!(Requests::new(&[], &offered, settings(0)).is_err());
    let step = Duration::ZERO;
    assert!(Requests::new(&[], &offered, RequestSettings { step, ..settings(1) }).is_err());
    let bad = requests(&[(1.0, 1.0), (0.0, 1.0)]);
    assert!(Requests::new(&bad, &offered, settings(1)).is_err());
}

fn load() -> impl Strategy<Value = Vec<Request>> {
    prop::collection::vec((0.0..900.0_f64, 0.1..60.0_f64), 1..150).prop_map(|mut times| {
        times.sort_by(|a, b| a.0.total_cmp(&b.0));
        requests(&times)
    })
}

proptest! {
    #[test]
    fn no_request_is_lost_whatever_is_published(
        load in load(),
        values in prop::collection::vec(0.0..30.0_f64, 80),
        concurrency in 1..4_u32,
        variation in 0.0..0.6_f64,
    ) {
        let mean = Duration::from_secs(40);
        let lead_time = LeadTime::Lognormal { mean, variation, seed: 9 };
        let settings = RequestSettings { lead_time, ..settings(concurrency) };
        let (run, moments) = play(&load, settings, 80, |step, _| Some(values[step]));
        let mut in_system = 0.0;
        let mut come = 0.0;
        for it in &moments {
            // What is there is at most what was there and what came; it runs, or it waits.
            let there = it.seen.waiting + it.seen.in_service;
            prop_assert!(there <= in_system + come);
            (in_system, come) = (there, it.served.work);
            prop_assert_eq!(it.seen.waiting > 0.0, it.seen.backlog > 0.0);
        }
        let total = run.total();
        prop_assert_eq!(total.work, load.len() as f64);
        prop_assert!(total.late <= total.work && run.unserved <= total.work);
        prop_assert!(run.days.iter().all(|day| day.late <= day.work), "{:?}", run.days);
        let replicas: f64 = moments.iter().map(|it| 15.0 * f64::from(it.replicas)).sum();
        prop_assert!(total.pod_seconds >= replicas - 1e-6);
    }

    #[test]
    fn more_slots_are_never_later(load in load(), pods in 1..20_i32, more in 0..20_i32) {
        let late = |pods: i32| {
            let offered = Offered::of(&load, STEP, 80).unwrap();
            let mut workload = Requests::new(&load, &offered, settings(1)).unwrap();
            let mut setting = setting(0..80, 100);
            (setting.hpa.min_replicas, setting.hpa.max_replicas) = (Some(pods), pods);
            run(&setting, &mut workload, |_, _| Some(1.0)).unwrap().total().late
        };
        prop_assert!(late(pods + more) <= late(pods));
    }

    #[test]
    fn who_knows_the_peaks_ahead_lets_no_request_wait(load in load()) {
        // From 1 pod to the 150 there can be at most takes six syncs, a start three, and the peak of
        // the step in which the pods are ready counts, too. Nothing comes until then.
        let ahead = 10;
        let later = |request: Request| Request { arrival: request.arrival + 165.0, ..request };
        let load: Vec<Request> = load.into_iter().map(later).collect();
        let offered = Offered::of(&load, STEP, 80).unwrap();
        let peaks: Vec<f64> = offered.peak.iter().copied().map(f64::from).collect();
        let peaks = foresight(&peaks, ahead);
        let mut workload = Requests::new(&load, &offered, settings(1)).unwrap();
        let setting = setting(0..80, 100).without_tolerance();
        let ideal = run(&setting, &mut workload, |step, _| Some(peaks[step])).unwrap();
        prop_assert_eq!(ideal.total().wait_seconds, 0.0);
        prop_assert_eq!(ideal.total().work, load.len() as f64);
    }
}
