//! The controller's own cases for a whole reconciliation (F11 and G), and the memory between two.

use std::time::Duration;

use super::behavior::{Behavior, ScalingPolicy};
use super::fixtures::checked;
use super::history::Recommendations;
use super::metric::{MetricSpec, Reading, Resource, ResourceTarget, TotalTarget};
use super::pod::{Pod, PodValue};
use super::{Decision, Hpa, HpaSpec, Limit, Observation, Reason};
use crate::simulate::SimulateError;

const NOW: Duration = Duration::from_secs(12_000);

fn object(target: i64) -> MetricSpec {
    MetricSpec::Object { target: TotalTarget::Value(target) }
}

fn external(target: i64) -> MetricSpec {
    MetricSpec::External { target: TotalTarget::AverageValue(target) }
}

fn cpu() -> MetricSpec {
    MetricSpec::Resource { resource: Resource::Cpu, target: ResourceTarget::Utilization(90) }
}

fn spec(min: i32, max: i32, metrics: &[MetricSpec]) -> HpaSpec {
    let metrics = metrics.to_vec();
    HpaSpec { min_replicas: Some(min), max_replicas: max, metrics, behavior: None }
}

/// An autoscaler that the controller has known for long, without recommendations in its log.
fn known(spec: HpaSpec) -> Hpa {
    Hpa::new(spec).unwrap().known_with(Recommendations::default())
}

fn pods(count: i32) -> Vec<Pod> {
    let pod = |place| Pod { request_milli: Some(1_000), ..Pod::running(format!("pod{place}")) };
    (0..count).map(pod).collect()
}

fn sync(hpa: &mut Hpa, at: Duration, current: i32, readings: &[Reading]) -> Decision {
    let pods = pods(current);
    let (spec_replicas, status_replicas) = (current, current);
    hpa.sync(at, &Observation { spec_replicas, status_replicas, pods: &pods, readings })
}

fn levels(levels: &[i64]) -> Reading {
    let value = |level: &i64| PodValue { value_milli: *level, at: NOW, window: Duration::ZERO };
    let named = levels.iter().enumerate().map(|(place, it)| (format!("pod{place}"), value(it)));
    Reading::PerPod(named.collect())
}

fn failed() -> Reading {
    Reading::Failed("no sample for 3m".to_owned())
}

#[test]
pub(in crate::simulate::hpa) fn f11_the_first_sync_ever_does_not_scale_down() {
    let mut hpa = Hpa::new(spec(1, 10, &[external(1_000)])).unwrap();
    let ask = [Reading::External(vec![3_000])];
    let first = sync(&mut hpa, NOW, 5, &ask);
    assert_eq!((first.replicas, first.recommendation, first.stabilized), (5, Some(3), Some(5)));
    let window = Duration::from_secs(300);
    assert_eq!(sync(&mut hpa, NOW + window, 5, &ask).replicas, 5);
    let later = NOW + window + Duration::from_secs(1);
    assert_eq!(sync(&mut hpa, later, 5, &ask).replicas, 3);
    checked("F11");
}

#[test]
pub(in crate::simulate::hpa) fn the_replica_limits_hold_end_to_end() {
    let zero = [levels(&[0, 0, 0])];
    let cases = [
        ("G1", spec(2, 10, &[cpu()]), vec![levels(&[10, 95, 10])], 3, 2),
        ("G2", spec(0, 10, &[cpu()]), zero.to_vec(), 3, 0),
        ("G2", spec(2, 10, &[cpu()]), zero.to_vec(), 3, 2),
        ("G6", spec(1, 5, &[cpu()]), vec![levels(&[8_000, 9_500, 1_000])], 3, 5),
        ("G9", spec(1, 9, &[object(10), external(10)]), vec![failed(), reading(20)], 3, 3),
        ("G9", spec(1, 9, &[external(10), object(10)]), vec![reading(20), failed()], 3, 3),
        ("G10", spec(1, 9, &[object(10), external(10)]), vec![failed(), reading(50)], 3, 5),
    ];
    for (number, spec, readings, current, replicas) in cases {
        assert_eq!(sync(&mut known(spec), NOW, current, &readings).replicas, replicas, "{number}");
        checked(number);
    }
}

fn reading(value: i64) -> Reading {
    Reading::External(vec![value])
}

#[test]
pub(in crate::simulate::hpa) fn counts_outside_the_limits_are_set_without_reading_metrics() {
    let cases = [
        ("G3", spec(1, 10, &[external(10)]), 0, 0, Reason::ScalingDisabled),
        ("G3", spec(0, 10, &[external(10)]), 0, 0, Reason::ScalingDisabled),
        ("G4", spec(3, 10, &[external(10)]), 2, 3, Reason::BelowMinReplicas),
        ("G5", spec(1, 5, &[external(10)]), 10, 5, Reason::AboveMaxReplicas),
    ];
    for (number, spec, current, replicas, reason) in cases {
        let decision = sync(&mut known(spec), NOW, current, &[reading(90)]);
        assert_eq!((decision.replicas, decision.reason), (replicas, reason), "{number}");
        assert_eq!(decision.recommendation, None, "{number}");
        checked(number);
    }
}

#[test]
pub(in crate::simulate::hpa) fn what_failed_is_told_in_both_cases() {
    let metrics = [object(10), external(10)];
    let error = SimulateError::ReadingFailed { message: "no sample for 3m".to_owned() };
    let down = sync(&mut known(spec(1, 9, &metrics)), NOW, 3, &[failed(), reading(20)]);
    assert_eq!((down.reason, down.failures), (Reason::MetricsFailed, vec![(0, error.clone())]));
    let up = sync(&mut known(spec(1, 9, &metrics)), NOW, 3, &[failed(), reading(50)]);
    assert_eq!(up.reason, Reason::Computed(Limit::DesiredWithinRange));
    assert_eq!(up.failures, vec![(0, error)]);
    let none = sync(&mut known(spec(1, 9, &metrics)), NOW, 3, &[]);
    assert_eq!((none.replicas, none.reason), (3, Reason::MetricsFailed));
    assert_eq!(none.failures.len(), 2);
    // A list without items is no zero: with it the log alone could raise the count.
    let empty = Reading::External(Vec::new());
    let mut hpa = known(spec(1, 9, &[external(10)]));
    assert_eq!(sync(&mut hpa, NOW, 3, &[reading(90)]).replicas, 6);
    let unknown = sync(&mut hpa, NOW + Duration::from_secs(15), 6, &[empty]);
    assert_eq!((unknown.replicas, unknown.reason), (6, Reason::MetricsFailed));
    // A reading of another kind is a failure too, never a zero.
    let mixed = sync(&mut known(spec(1, 9, &[external(10)])), NOW, 3, &[Reading::Object(90)]);
    assert_eq!((mixed.replicas, mixed.reason), (3, Reason::MetricsFailed));
}

#[test]
pub(in crate::simulate::hpa) fn g7_g8_a_workload_at_zero_wakes_only_if_the_controller_put_it_there()
{
    let mut hpa = known(spec(0, 10, &[object(15_000)]));
    assert_eq!(sync(&mut hpa, NOW, 5, &[Reading::Object(0)]).replicas, 0, "G7");
    assert!(hpa.scaled_to_zero(), "G7");
    checked("G7");

    let later = NOW + Duration::from_secs(600);
    assert_eq!(sync(&mut hpa.clone(), later, 0, &[Reading::Object(0)]).replicas, 0);
    assert_eq!(sync(&mut hpa.clone(), later, 0, &[failed()]).replicas, 0);
    // From zero there is no tolerance: any load at all wakes it.
    let mut woken = hpa.clone();
    assert_eq!(sync(&mut woken, later, 0, &[Reading::Object(1)]).replicas, 1);
    assert!(!woken.scaled_to_zero());

    let raised = spec(2, 10, &[object(15_000)]);
    let mut with_behavior = hpa.clone();
    let behavior = Some(Behavior::default());
    with_behavior.set_spec(HpaSpec { behavior, ..raised.clone() }).unwrap();
    let decision = sync(&mut with_behavior, later, 0, &[Reading::Object(10_000)]);
    assert_eq!((decision.recommendation, decision.replicas), (Some(1), 2), "G8 with behavior");
    hpa.set_spec(raised).unwrap();
    assert_eq!(sync(&mut hpa, later, 0, &[Reading::Object(10_000)]).replicas, 2, "G8");
    checked("G8");
}

#[test]
fn a_pods_metric_cannot_wake_a_workload_but_an_external_one_beside_it_can() {
    let pods_metric = MetricSpec::Pods { average_value_milli: 10 };
    let mut hpa = known(spec(0, 10, &[pods_metric, external(10)]));
    let idle = [levels(&[0, 0]), reading(0)];
    assert_eq!(sync(&mut hpa, NOW, 2, &idle).replicas, 0);
    let later = NOW + Duration::from_secs(600);
    let woken = sync(&mut hpa, later, 0, &[levels(&[]), reading(25)]);
    assert_eq!((woken.replicas, woken.failures), (3, vec![(0, SimulateError::NoPods)]));
}

#[test]
fn rate_policies_count_the_changes_of_earlier_syncs() {
    let minute = Duration::from_secs(60);
    let mut behavior = Behavior::default();
    behavior.scale_up.policies = vec![ScalingPolicy::pods(2, minute)];
    let behavior = Some(behavior);
    let mut hpa = known(HpaSpec { behavior, ..spec(1, 100, &[external(1_000)]) });
    let mut replicas = 1;
    let mut seen = Vec::new();
    for step in 0..10_u32 {
        let at = NOW + Duration::from_secs(15) * step;
        replicas = sync(&mut hpa, at, replicas, &[reading(50_000)]).replicas;
        seen.push(replicas);
    }
    // Two pods at once, then none until that is a minute ago.
    assert_eq!(seen, [3, 3, 3, 3, 5, 5, 5, 5, 7, 7]);
    assert_eq!(hpa.events.up.len(), 2, "events that no policy looks back to are dropped");
}

#[test]
fn behavior_tolerances_and_windows_apply_to_a_sync() {
    let mut behavior = Behavior::default();
    behavior.scale_up.tolerance = Some(0.01);
    behavior.scale_down.stabilization_window = Some(Duration::from_secs(30));
    let with = HpaSpec { behavior: Some(behavior), ..spec(1, 100, &[external(1_000)]) };
    let mut hpa = known(with);
    assert_eq!(sync(&mut hpa, NOW, 20, &[reading(20_300)]).replicas, 21);
    let seconds = |count| NOW + Duration::from_secs(count);
    assert_eq!(sync(&mut hpa, seconds(15), 21, &[reading(5_000)]).replicas, 21);
    assert_eq!(sync(&mut hpa, seconds(31), 21, &[reading(5_000)]).replicas, 5);
}

#[test]
fn a_spec_that_the_api_server_refuses_is_refused() {
    let good = spec(1, 10, &[external(10)]);
    let behavior = |change: fn(&mut Behavior)| {
        let mut behavior = Behavior::default();
        change(&mut behavior);
        HpaSpec { behavior: Some(behavior), ..good.clone() }
    };
    let zero = Duration::ZERO;
    let cases = [
        ("min_replicas is -1, but must be 0 or more", spec(-1, 10, &[external(10)])),
        ("max_replicas is 2, but must be at least 1 and min_replicas", spec(3, 2, &[external(10)])),
        ("metrics is 0, but must be at least one metric", spec(1, 10, &[])),
        ("target is 0, but must be more than 0", spec(1, 10, &[external(0)])),
        (
            "stabilization_window is 3601s, but must be 0 to 3600 s",
            behavior(|it| {
                it.scale_up.stabilization_window = Some(Duration::from_secs(3_601));
            }),
        ),
        (
            "tolerance is -0.1, but must be a number, 0 or more",
            behavior(|it| it.scale_down.tolerance = Some(-0.1)),
        ),
        (
            "policies is empty, but must be at least one policy",
            behavior(|it| it.scale_down.policies.clear()),
        ),
        ("value is 0, but must be more than 0", behavior(|it| it.scale_up.policies[0].value = 0)),
    ];
    for (message, spec) in cases {
        assert_eq!(Hpa::new(spec).unwrap_err().to_string(), message);
    }
    let mut no_period = Behavior::default();
    no_period.scale_up.policies[0].period = zero;
    let refused = Hpa::new(HpaSpec { behavior: Some(no_period), ..good });
    assert_eq!(refused.unwrap_err().to_string(), "period is 0ns, but must be 1 to 1800 s");
}

/// Seen with a real controller: 34 replicas became 52, not 36.
#[test]
fn a_fall_counts_for_the_rise_as_long_as_the_rise_looks_back() {
    let seconds = Duration::from_secs;
    let mut behavior = Behavior::default();
    behavior.scale_down.stabilization_window = Some(Duration::ZERO);
    behavior.scale_down.policies = vec![ScalingPolicy::pods(100, seconds(5))];
    behavior.scale_up.policies = vec![ScalingPolicy::percent(100, seconds(15))];
    let with = HpaSpec { behavior: Some(behavior), ..spec(1, 100, &[external(1_000)]) };
    let mut hpa = known(with);
    let mut replicas = 40;
    let mut seen = Vec::new();
    // Two falls at once, then one that finds both expired for the policies of its own direction and
    // takes the place of the second: the first still counts for the rise, for 15 s.
    for (at, value) in [(0, 30_000), (1, 20_000), (8, 10_000), (9, 100_000)] {
        replicas = sync(&mut hpa, NOW + seconds(at), replicas, &[reading(value)]).replicas;
        seen.push(replicas);
    }
    // 10 now, 10 + 10 + 10 removed; of these the second is forgotten: (10 + 20) × 2.
    assert_eq!(seen, [30, 20, 10, 60]);
}

#[test]
fn a_wider_window_finds_what_no_slot_was_needed_for() {
    let window = |seconds| {
        let mut behavior = Behavior::default();
        behavior.scale_down.stabilization_window = Some(Duration::from_secs(seconds));
        HpaSpec { behavior: Some(behavior), ..spec(1, 100, &[external(1_000)]) }
    };
    let mut hpa = known(window(20));
    for (at, value) in [(0, 9_000), (15, 9_000), (60, 9_000)] {
        let at = NOW + Duration::from_secs(at);
        assert_eq!(sync(&mut hpa, at, 9, &[reading(value)]).replicas, 9);
    }
    // The entry of 60 took the place of that of 15; that of 0 is there for an hour's window.
    hpa.set_spec(window(3_600)).unwrap();
    let entries = hpa.recommendations.entries();
    let ages: Vec<_> = entries.iter().map(|entry| entry.at - NOW).collect();
    assert_eq!(ages, [Duration::ZERO, Duration::from_secs(60)]);
    let later = NOW + Duration::from_secs(3_601);
    assert_eq!(sync(&mut hpa, later, 9, &[reading(1_000)]).replicas, 9, "that of 60 counts");
}
