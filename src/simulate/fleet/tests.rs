//! What a fleet does with its requests, in numbers worked out by hand, and the law that none is lost.

#![expect(clippy::float_cmp, reason = "whole seconds add up exactly")]

use std::time::Duration;

use proptest::prelude::*;

use super::{Fleet, FleetSettings, PODS_MAX};

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn settings(replicas: u32) -> FleetSettings {
    FleetSettings {
        lead_time: seconds(180),
        concurrency: 10,
        service_time: seconds(8),
        slo: seconds(10),
        replicas,
    }
}

fn fleet(replicas: u32) -> Fleet {
    Fleet::new(settings(replicas)).unwrap()
}

fn counts(fleet: &Fleet) -> (u64, u64, u64) {
    (fleet.waiting(), fleet.running(), fleet.totals().served)
}

fn per_pod(fleet: &Fleet) -> Vec<u64> {
    fleet.pods().map(|pod| pod.running).collect()
}

#[test]
fn a_request_alone_takes_the_service_time() {
    let mut fleet = fleet(1);
    fleet.step(Duration::ZERO, 1);
    fleet.step(seconds(7), 0);
    assert_eq!(counts(&fleet), (0, 1, 0));
    fleet.step(seconds(1), 0);
    assert_eq!(counts(&fleet), (0, 0, 1));
    assert_eq!(fleet.totals().mean_wait_seconds(), 0.0);
}

#[test]
fn an_idle_pod_saves_up_no_work() {
    // Steps of 1 s pass in halves: 3.2 s of service end after 3.5 s, and the 0.3 s are nobody's.
    let service_time = Duration::from_millis(3_200);
    let mut fleet = Fleet::new(FleetSettings { service_time, ..settings(1) }).unwrap();
    for served in 0..3 {
        fleet.step(Duration::ZERO, 1);
        for _ in 0..3 {
            fleet.step(seconds(1), 0);
        }
        assert_eq!(counts(&fleet), (0, 1, served));
        fleet.step(seconds(1), 0);
        assert_eq!(counts(&fleet), (0, 0, served + 1));
    }
}

#[test]
fn a_full_pod_serves_concurrency_by_service_time_however_time_is_cut() {
    // 10 at once, 8 s each: 1.25 a second. Offered are more than that can serve in 16 minutes.
    for step in [1, 3, 15, 60, 320] {
        let mut fleet = fleet(1);
        fleet.step(Duration::ZERO, 5_000);
        for _ in 0..960 / step {
            fleet.step(seconds(step), 0);
        }
        assert_eq!(counts(&fleet), (5_000 - 1_200 - 10, 10, 1_200), "steps of {step} s");
    }
}

#[test]
fn requests_go_where_fewest_run() {
    let mut fleet = fleet(3);
    fleet.step(Duration::ZERO, 7);
    assert_eq!(per_pod(&fleet), [3, 2, 2]);
    fleet.step(Duration::ZERO, 5);
    assert_eq!(per_pod(&fleet), [4, 4, 4]);
    fleet.step(Duration::ZERO, 100);
    assert_eq!(per_pod(&fleet), [10, 10, 10]);
    assert_eq!(fleet.waiting(), 82);
    assert_eq!(fleet.totals().waiting_max, 82);
}

#[test]
fn a_pod_serves_after_its_lead_time_and_is_paid_for_from_the_start() {
    let mut fleet = fleet(1);
    assert_eq!(fleet.scale_to(3), 3);
    fleet.step(seconds(179), 0);
    assert_eq!((fleet.wanted(), fleet.ready()), (3, 1));
    fleet.step(seconds(1), 0);
    assert_eq!((fleet.wanted(), fleet.ready()), (3, 3));
    fleet.step(seconds(20), 0);
    let totals = fleet.totals();
    assert_eq!((totals.pod_seconds, totals.ready_pod_seconds), (600.0, 240.0));
    assert_eq!((totals.elapsed, totals.scale_ups, totals.scale_downs), (seconds(200), 1, 0));
}

#[test]
fn starting_pods_go_before_ready_ones_and_newer_before_older() {
    let mut fleet = fleet(2);
    fleet.scale_to(4);
    fleet.step(seconds(15), 0);
    let ids = |fleet: &Fleet| fleet.pods().map(|pod| pod.id).collect::<Vec<_>>();
    fleet.scale_to(3);
    assert_eq!((ids(&fleet), fleet.ready()), (vec![0, 1, 2], 2));
    fleet.scale_to(1);
    assert_eq!((ids(&fleet), fleet.ready()), (vec![0], 1));
    fleet.scale_to(2);
    assert_eq!(ids(&fleet), [0, 4], "a number is never used again");
    assert_eq!(fleet.totals().scale_events(), 4);
    // Asking for what there is, is no event.
    fleet.scale_to(2);
    assert_eq!(fleet.totals().scale_events(), 4);
}

#[test]
fn requests_of_a_removed_pod_start_over_before_those_that_waited() {
    let mut fleet = fleet(2);
    fleet.step(seconds(4), 20);
    fleet.step(Duration::ZERO, 5);
    let before = (fleet.waiting(), fleet.running());
    let running_on_second = per_pod(&fleet)[1];
    fleet.scale_to(1);
    assert_eq!(fleet.waiting(), before.0 + running_on_second);
    assert_eq!(fleet.running(), before.1 - running_on_second);
    let totals = fleet.totals();
    assert_eq!(totals.arrived, totals.served + fleet.running() + fleet.waiting());
}

#[test]
fn a_request_is_late_once_however_often_it_starts_over() {
    // Nobody serves for a minute; then the ten run, lose their pod, and wait another minute.
    let mut fleet = Fleet::new(FleetSettings { lead_time: Duration::ZERO, ..settings(0) }).unwrap();
    fleet.step(seconds(10), 0);
    fleet.step(Duration::ZERO, 10);
    fleet.step(seconds(10), 0);
    assert_eq!(fleet.totals().late, 0, "ten seconds are not more than ten");
    fleet.step(seconds(50), 0);
    assert_eq!(fleet.totals().late, 10, "those still waiting count");
    fleet.scale_to(1);
    fleet.step(seconds(1), 0);
    assert_eq!((fleet.running(), fleet.totals().late), (9, 10));
    fleet.scale_to(0);
    fleet.step(seconds(60), 0);
    assert_eq!((fleet.waiting(), fleet.totals().late), (9, 10));
    assert_eq!(fleet.totals().late_share(), 1.0);
    assert_eq!(fleet.totals().waited_seconds, 600.0 + 540.0);
}

#[test]
fn waits_add_up_over_losses_of_the_pod() {
    // Six seconds of waiting before the pod is lost and six after it make a late request.
    let mut fleet = Fleet::new(FleetSettings { lead_time: Duration::ZERO, ..settings(0) }).unwrap();
    fleet.step(Duration::ZERO, 1);
    fleet.step(seconds(6), 0);
    fleet.scale_to(1);
    fleet.step(seconds(2), 0);
    fleet.scale_to(0);
    fleet.step(seconds(4), 0);
    assert_eq!(fleet.totals().late, 0);
    fleet.step(seconds(2), 0);
    assert_eq!(fleet.totals().late, 1);
    fleet.scale_to(1);
    fleet.step(seconds(8), 0);
    assert_eq!((fleet.totals().served, fleet.totals().late), (1, 1), "also once it was served");
}

#[test]
fn absurd_wishes_and_settings_are_bounded() {
    let mut one = fleet(1);
    assert_eq!(one.scale_to(u32::MAX), PODS_MAX);
    assert_eq!(one.wanted(), PODS_MAX);
    let cases = [
        (FleetSettings { concurrency: 0, ..settings(1) }, "concurrency is 0"),
        (FleetSettings { service_time: Duration::ZERO, ..settings(1) }, "service_time is 0ns"),
        (settings(PODS_MAX + 1), "replicas is 10001"),
    ];
    for (settings, begins) in cases {
        let message = Fleet::new(settings).unwrap_err().to_string();
        assert!(message.starts_with(begins), "{message}");
    }
    assert_eq!(fleet(0).totals().late_share(), 0.0, "no request, none late");
}

#[derive(Debug, Clone)]
enum Happening {
    Step(u64, u64),
    Scale(u32),
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let step =
        (1..40_000_u64, 0..400_u64).prop_map(|(millis, count)| Happening::Step(millis, count));
    prop::collection::vec(
        prop_oneof![4 => step, 1 => (0..12_u32).prop_map(Happening::Scale)],
        1..60,
    )
}

proptest! {
    #[test]
    fn no_request_is_lost_and_no_pod_runs_too_many(
        happenings in happenings(),
        concurrency in 1..20_u32,
        service_millis in 1..20_000_u64,
        lead in 0..200_u64,
    ) {
        let mut fleet = Fleet::new(FleetSettings {
            lead_time: seconds(lead),
            concurrency,
            service_time: Duration::from_millis(service_millis),
            slo: seconds(5),
            replicas: 3,
        }).unwrap();
        let mut elapsed = Duration::ZERO;
        for happening in happenings {
            match happening {
                Happening::Step(millis, arrivals) => {
                    fleet.step(Duration::from_millis(millis), arrivals);
                    elapsed += Duration::from_millis(millis);
                }
                Happening::Scale(wanted) => {
                    fleet.scale_to(wanted);
                    prop_assert_eq!(fleet.wanted(), wanted);
                }
            }
            let totals = fleet.totals();
            prop_assert_eq!(totals.arrived, totals.served + fleet.running() + fleet.waiting());
            prop_assert!(fleet.running() <= u64::from(fleet.ready()) * u64::from(concurrency));
            prop_assert_eq!(fleet.pods().map(|pod| pod.running).sum::<u64>(), fleet.running());
            for pod in fleet.pods() {
                prop_assert!(pod.running <= u64::from(pod.ready) * u64::from(concurrency));
            }
            prop_assert!(totals.late <= totals.arrived);
            prop_assert!(totals.ready_pod_seconds <= totals.pod_seconds + 1e-6);
            prop_assert_eq!(fleet.now(), elapsed);
        }
    }
}
