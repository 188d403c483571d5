//! The controller's own cases for CPU utilization (A, B) and for metrics of type Pods (C).

use std::time::Duration;

use super::{PerPod, Readiness};
use crate::simulate::SimulateError;
use crate::simulate::hpa::Proposal;
use crate::simulate::hpa::fixtures::checked;
use crate::simulate::hpa::pod::{Phase, Pod, PodValue, PodValues, ReadyCondition};
use crate::simulate::hpa::tolerance::Tolerances;

const NOW: Duration = Duration::from_secs(3_600);
/// The controller's own tests use two minutes and ten seconds.
const READINESS: Readiness = Readiness {
    now: NOW,
    cpu_initialization_period: Duration::from_secs(120),
    initial_readiness_delay: Duration::from_secs(10),
};

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Good,
    /// Runs, but is not ready and never was.
    Unready,
    /// Ready, within its initialisation, and its sample reaches back to before that.
    JustStarted,
    Pending,
    Failed,
    Succeeded,
    Deleting,
}
use State::{Deleting, Failed, Good, JustStarted, Pending, Succeeded, Unready};

fn pod(place: usize, state: State, request_milli: i64) -> Pod {
    let good = Pod { request_milli: Some(request_milli), ..Pod::running(format!("pod{place}")) };
    let start = Some(NOW - Duration::from_secs(60));
    let ready_since = |seconds| {
        let last_transition = NOW - Duration::from_secs(seconds);
        Some(ReadyCondition { ready: true, last_transition })
    };
    let never = ReadyCondition { ready: false, last_transition: Duration::from_secs(3) };
    match state {
        Good => good,
        Unready => Pod { ready: Some(never), ..good },
        JustStarted => Pod { start_time: start, ready: ready_since(30), ..good },
        Pending => Pod { phase: Phase::Pending, ready: None, start_time: None, ..good },
        Failed => Pod { phase: Phase::Failed, ..good },
        Succeeded => Pod { phase: Phase::Succeeded, ..good },
        Deleting => Pod { deleting: true, ..good },
    }
}

fn values(levels: &[i64], factor: i64) -> PodValues {
    let value = |level: i64| PodValue {
        value_milli: level * factor,
        at: NOW,
        window: Duration::from_secs(60),
    };
    levels.iter().enumerate().map(|(place, level)| (format!("pod{place}"), value(*level))).collect()
}

struct Cpu {
    number: &'static str,
    current: i32,
    pods: Vec<State>,
    requests: Vec<i64>,
    levels: Vec<i64>,
    percent: i32,
    tolerances: Tolerances,
}

impl Cpu {
    /// Each pod has two containers with the request and the level.
    fn propose(&self) -> Result<Proposal, SimulateError> {
        let request = |place: usize| 2 * self.requests.get(place).copied().unwrap_or(1_000);
        let pods: Vec<Pod> = self
            .pods
            .iter()
            .enumerate()
            .map(|(place, state)| pod(place, *state, request(place)))
            .collect();
        PerPod {
            current_replicas: self.current,
            pods: &pods,
            values: &values(&self.levels, 2),
            readiness: Some(READINESS),
            tolerances: self.tolerances,
        }
        .utilization(self.percent)
    }
}

fn cpu(number: &'static str, current: i32, pods: &[State], levels: &[i64], percent: i32) -> Cpu {
    let tolerances = Tolerances::both(0.1);
    let (pods, levels) = (pods.to_vec(), levels.to_vec());
    Cpu { number, current, pods, requests: Vec::new(), levels, percent, tolerances }
}

#[test]
pub(in crate::simulate::hpa) fn cpu_utilization_gives_the_controllers_counts() {
    let a1 = [300, 500, 700];
    let a6 = [100, 300, 500, 250, 250];
    let a8 = [4_000, 9_500, 3_000, 7_000, 3_200, 2_000];
    let a16 = Cpu {
        requests: vec![1_000, 1_000, 2_000, 2_000],
        ..cpu("A16", 4, &[Unready, Good, Good, Good], &[200, 100, 100], 300)
    };
    let five = [Good, Good, Good, Good, Good];
    // The count, and the utilization where the fixture states it.
    let cases = [
        (cpu("A1", 3, &[Good, Good, Good], &a1, 30), 5, Some(50)),
        (cpu("A2", 3, &[Unready, Good, Good], &a1, 30), 4, Some(60)),
        (cpu("A3", 3, &[JustStarted, Good, Good], &a1, 30), 4, None),
        (cpu("A4", 3, &[Good, Unready, Unready], &[400, 500, 700], 30), 3, Some(40)),
        (cpu("A5", 2, &[Good, Good, Failed, Succeeded, Deleting], &[500, 700], 30), 4, Some(60)),
        (cpu("A6", 5, &five, &a6, 50), 3, Some(28)),
        (cpu("A7", 5, &[Good, Good, Good, Unready, Unready], &a6, 50), 2, Some(30)),
        (cpu("A8", 4, &[Good, Good, Good, Good], &a8, 100), 24, Some(587)),
        (cpu("A9", 4, &[Good, Good, Good, Good], &[400, 95], 100), 3, Some(24)),
        (cpu("A10", 2, &[Good, Good], &[1_000], 100), 2, None),
        (cpu("A11", 2, &[Good, Good], &[1_900], 100), 2, None),
        (cpu("A12", 2, &[Good, Good], &[600], 100), 2, None),
        (cpu("A13", 3, &[Unready, Good, Good], &[100, 450], 50), 3, None),
        (cpu("A14", 3, &[Unready, Good, Good], &[100, 2_000], 50), 4, None),
        (cpu("A15", 4, &[Unready, Good, Good, Good], &[100, 100, 100], 50), 3, None),
        (a16, 2, None),
        (cpu("A17", 2, &[Good, Good, Good], &[100, 100], 50), 2, None),
        (cpu("A18", 1, &[Good, Pending, Pending, Pending, Pending], &[100], 50), 1, None),
        (cpu("A18", 5, &[Good, Pending, Pending, Pending, Pending], &[100], 50), 1, None),
    ];
    for (case, replicas, usage) in cases {
        let proposal = case.propose().unwrap();
        assert_eq!(proposal.replicas, replicas, "{}", case.number);
        if let Some(usage) = usage {
            assert_eq!(proposal.current_usage, usage, "{}", case.number);
        }
        checked(case.number);
    }
}

#[test]
pub(in crate::simulate::hpa) fn a19_cpu_without_values_pods_or_requests_has_no_proposal() {
    let three = [Good, Good, Good];
    assert_eq!(cpu("A19", 3, &three, &[], 100).propose(), Err(SimulateError::NoValues));
    assert_eq!(cpu("A19", 3, &[], &[100], 100).propose(), Err(SimulateError::NoPods));

    let mut pods: Vec<Pod> = (0..3).map(|place| pod(place, Good, 2_000)).collect();
    let ask = |pods: &[Pod], values: &PodValues| {
        let tolerances = Tolerances::both(0.1);
        let readiness = Some(READINESS);
        PerPod { current_replicas: 3, pods, values, readiness, tolerances }.utilization(100)
    };
    let strangers: PodValues = [("other".to_owned(), PodValue::of(100))].into_iter().collect();
    assert_eq!(ask(&pods, &strangers), Err(SimulateError::NoMatchingRequests));
    pods[1].request_milli = None;
    let missing = SimulateError::MissingRequest { pod: "pod1".to_owned() };
    assert_eq!(ask(&pods, &values(&[100, 100, 100], 2)), Err(missing));
    checked("A19");
}

#[test]
pub(in crate::simulate::hpa) fn the_tolerance_is_per_direction() {
    let case = |number, levels: &[i64], scale_up, scale_down| Cpu {
        requests: vec![900, 1_000, 1_100],
        tolerances: Tolerances { scale_up, scale_down },
        ..cpu(number, 3, &[Good, Good, Good], levels, 100)
    };
    let cases = [
        (case("B1", &[1_010, 1_030, 1_020], 0.1, 0.1), 3),
        (case("B2", &[909, 1_010, 1_111], 0.0, 0.0), 4),
        (case("B3", &[1_890, 1_910, 1_900], 2.0, 0.1), 3),
        (case("B4", &[1_100, 1_080, 1_090], 0.08, 2.0), 4),
        (case("B5", &[660, 640, 650], 0.1, 0.36), 3),
        (case("B6", &[660, 640, 650], 0.1, 0.34), 2),
    ];
    for (case, replicas) in cases {
        assert_eq!(case.propose().unwrap().replicas, replicas, "{}", case.number);
        checked(case.number);
    }
}

#[test]
pub(in crate::simulate::hpa) fn a_pods_metric_gives_the_controllers_counts() {
    let case = |current: i32, states: &[State], levels: &[i64], target: i64, up: f64| {
        let pods: Vec<Pod> =
            states.iter().enumerate().map(|(place, state)| pod(place, *state, 0)).collect();
        let tolerances = Tolerances { scale_up: up, scale_down: 0.1 };
        let values = values(levels, 1);
        PerPod {
            current_replicas: current,
            pods: &pods,
            values: &values,
            readiness: None,
            tolerances,
        }
        .average_value(target)
    };
    let c5 = [20_000, 21_000, 21_000];
    let cases = [
        ("C1", case(3, &[Good; 3], &[20_000, 10_000, 30_000], 15_000, 0.1), 4),
        ("C2", case(3, &[Good, Good, Unready], &[50_000, 10_000, 30_000], 15_000, 0.1), 6),
        ("C3", case(3, &[Good, Unready, Unready], &[50_000, 15_000, 30_000], 15_000, 0.1), 7),
        ("C4", case(5, &[Good; 5], &[12_000; 5], 20_000, 0.1), 3),
        ("C5", case(3, &[Good; 3], &c5, 20_000, 0.1), 3),
        ("C6", case(3, &[Good; 3], &c5, 20_000, 0.01), 4),
        ("C7", case(5, &[Good; 5], &[20_000, 19_000, 21_000], 20_000, 0.1), 5),
        ("C8", case(2, &[Good; 3], &[10_000, 10_000], 17_000, 0.1), 2),
        // With a pending pod at 0 the average asks for 3, but "up" never gives fewer than there are.
        ("up, not down", case(10, &[Good, Pending], &[30_000], 10_000, 0.1), 10),
    ];
    for (number, proposal, replicas) in cases {
        assert_eq!(proposal.unwrap().replicas, replicas, "{number}");
        checked(number);
    }
    assert_eq!(case(3, &[], &[100], 100, 0.1), Err(SimulateError::NoPods));
    assert_eq!(case(3, &[Pending], &[100], 100, 0.1), Err(SimulateError::NoValues));
}

#[test]
fn an_unknown_pod_moves_the_count_less_than_a_zero_does() {
    let pods: Vec<Pod> = (0..4).map(|place| pod(place, Good, 0)).collect();
    let ask = |levels: &[i64]| {
        let values = values(levels, 1);
        let tolerances = Tolerances::both(0.1);
        PerPod { current_replicas: 4, pods: &pods, values: &values, readiness: None, tolerances }
            .average_value(10_000)
            .unwrap()
            .replicas
    };
    // Three pods at half of the target: with the fourth missing it counts as on target.
    assert_eq!(ask(&[5_000, 5_000, 5_000]), 3);
    assert_eq!(ask(&[5_000, 5_000, 5_000, 0]), 2);
}
