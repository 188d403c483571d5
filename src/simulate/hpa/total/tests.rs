//! The controller's own cases for metrics of type Object (D) and External (E).

use super::{Total, sum_for_average_value, sum_for_value};
use crate::simulate::SimulateError;
use crate::simulate::hpa::fixtures::checked;
use crate::simulate::hpa::pod::{Pod, ReadyCondition};
use crate::simulate::hpa::tolerance::Tolerances;

fn pods(ready: usize, unready: usize) -> Vec<Pod> {
    let mut pods: Vec<Pod> =
        (0..ready + unready).map(|place| Pod::running(format!("pod{place}"))).collect();
    for pod in pods.iter_mut().skip(ready) {
        pod.ready = Some(ReadyCondition { ready: false, ..pod.ready.unwrap() });
    }
    pods
}

struct Case {
    number: &'static str,
    current: i32,
    unready: usize,
    usage: i64,
    target: i64,
    up: f64,
}

impl Case {
    fn total<T>(&self, ask: impl FnOnce(Total<'_>) -> T) -> T {
        let ready = usize::try_from(self.current).unwrap().saturating_sub(self.unready);
        ask(Total {
            spec_replicas: self.current,
            status_replicas: self.current,
            pods: &pods(ready, self.unready),
            tolerances: Tolerances { scale_up: self.up, scale_down: 0.1 },
        })
    }
}

fn case(number: &'static str, current: i32, usage: i64, target: i64) -> Case {
    Case { number, current, unready: 0, usage, target, up: 0.1 }
}

#[test]
pub(in crate::simulate::hpa) fn a_value_target_gives_the_controllers_counts() {
    let overflowed = sum_for_value(&[i64::MAX, i64::MAX]);
    let cases = [
        (case("D1", 3, 20_000, 15_000), 4),
        (Case { unready: 2, ..case("D2", 3, 50_000, 10_000) }, 5),
        (case("D3", 5, 12_000, 20_000), 3),
        (case("D4", 3, 20_666, 20_000), 3),
        (Case { up: 0.01, ..case("D4", 3, 20_666, 20_000) }, 4),
        (case("D5", 3, i64::MAX, 1), i32::MAX),
        (Case { unready: 2, ..case("E1", 3, 8_600, 4_400) }, 2),
        (case("E2", 5, 8_600, 14_334), 3),
        (case("E3", 3, 8_600, 8_888), 3),
        (Case { up: 0.01, ..case("E4", 3, 8_900, 8_800) }, 4),
        (case("E5", 3, overflowed, i64::MAX), 3),
        (case("from zero", 0, 10_000, 15_000), 1),
        (case("from zero", 0, 0, 15_000), 0),
        (case("from zero", 0, 15_001, 15_000), 2),
    ];
    for (case, replicas) in cases {
        let proposal = case.total(|total| total.value(case.usage, case.target)).unwrap();
        assert_eq!(proposal.replicas, replicas, "{}", case.number);
        assert_eq!(proposal.current_usage, case.usage, "{}", case.number);
        checked(case.number);
    }
}

#[test]
fn a_value_target_needs_pods_only_for_a_change() {
    let tolerances = Tolerances::both(0.1);
    let total = Total { spec_replicas: 3, status_replicas: 3, pods: &[], tolerances };
    assert_eq!(total.value(20_000, 20_000).unwrap().replicas, 3);
    assert_eq!(total.value(30_000, 20_000), Err(SimulateError::NoPods));
}

#[test]
pub(in crate::simulate::hpa) fn an_average_value_target_gives_the_controllers_counts() {
    // The count, and the average that the status reports where the fixture states it.
    let cases = [
        (case("D6", 3, 20_000, 5_000), 4, Some(6_667)),
        (case("D7", 5, 6_000, 2_000), 3, None),
        (case("D8", 4, 20_166, 5_000), 4, None),
        (Case { up: 0.01, ..case("D8", 4, 20_208, 5_000) }, 5, None),
        (case("D9", 0, 20_000, 5_000), 4, Some(0)),
        (case("D10", 0, 0, 5_000), 0, Some(0)),
        (case("E6", 3, 8_600, 2_150), 4, Some(2_867)),
        (case("E7", 5, 8_600, 2_867), 3, None),
        (case("E8", 3, 8_600, 2_900), 3, None),
        (Case { up: 0.01, ..case("E9", 3, 8_600, 2_800) }, 4, None),
        (case("E10", 1, i64::MAX, 1), i32::MAX, Some(i64::MAX)),
        (case("E11", 0, 20_000, 5_000), 4, None),
        (case("E11", 0, 0, 5_000), 0, None),
    ];
    for (case, replicas, usage) in cases {
        let proposal = case.total(|total| total.average_value(case.usage, case.target));
        assert_eq!(proposal.replicas, replicas, "{}", case.number);
        if let Some(usage) = usage {
            assert_eq!(proposal.current_usage, usage, "{}", case.number);
        }
        checked(case.number);
    }
}

#[test]
fn sums_overflow_as_the_controllers_do() {
    // Items, the sum under Value, the sum under AverageValue.
    let cases: [(&[i64], i64, i64); 6] = [
        (&[], 0, 0),
        (&[5_000, 3_600], 8_600, 8_600),
        (&[i64::MAX, 1], i64::MAX, i64::MAX),
        (&[-1], -1, i64::MAX),
        (&[10, -3], 7, 7),
        (&[3, -10, 20], 13, i64::MAX),
    ];
    for (items, value, average) in cases {
        assert_eq!(sum_for_value(items), value, "{items:?}");
        assert_eq!(sum_for_average_value(items), average, "{items:?}");
    }
}
