//! Laws of a sync that hold for any numbers.

use std::time::Duration;

use proptest::prelude::*;

use super::behavior::{Behavior, ScalingPolicy, SelectPolicy};
use super::history::{Recommendation, Recommendations};
use super::metric::{MetricSpec, Reading, TotalTarget};
use super::pod::Pod;
use super::tolerance::round_up_usage;
use super::{Hpa, HpaSpec, Observation};

const NOW: Duration = Duration::from_secs(12_000);

/// An autoscaler on one external metric, its history, and the count it finds.
#[derive(Debug, Clone)]
struct World {
    spec: HpaSpec,
    history: Vec<Recommendation>,
    current: i32,
}

impl World {
    fn sync(&self, value_milli: i64) -> i32 {
        let history = Recommendations::of(self.history.clone());
        let mut hpa = Hpa::new(self.spec.clone()).unwrap().known_with(history);
        let pods: Vec<Pod> =
            (0..self.current).map(|place| Pod::running(format!("pod{place}"))).collect();
        let observation = Observation {
            spec_replicas: self.current,
            status_replicas: self.current,
            pods: &pods,
            readings: &[Reading::External(vec![value_milli])],
        };
        hpa.sync(NOW, &observation).replicas
    }
}

fn behavior() -> impl Strategy<Value = Behavior> {
    let select =
        prop_oneof![Just(SelectPolicy::Max), Just(SelectPolicy::Min), Just(SelectPolicy::Disabled)];
    let half = (0..600_u64, select, 1..20_i32, 1..150_i32, 0.0..0.5_f64);
    (half.clone(), half).prop_map(|halves| {
        let mut behavior = Behavior::default();
        for (rules, half) in
            [(&mut behavior.scale_up, halves.0), (&mut behavior.scale_down, halves.1)]
        {
            let (window, select, pods, percent, tolerance) = half;
            let period = Duration::from_secs(60);
            rules.stabilization_window = Some(Duration::from_secs(window));
            rules.select_policy = select;
            rules.policies =
                vec![ScalingPolicy::pods(pods, period), ScalingPolicy::percent(percent, period)];
            rules.tolerance = Some(tolerance);
        }
        behavior
    })
}

fn world() -> impl Strategy<Value = World> {
    let history = prop::collection::vec((0..900_u64, 0..300_i32), 0..6);
    let target = prop_oneof![
        (1..100_000_i64).prop_map(TotalTarget::Value),
        (1..100_000_i64).prop_map(TotalTarget::AverageValue)
    ];
    let counts = (0..20_i32, 1..200_i32, 0..200_i32);
    (counts, target, history, prop::option::of(behavior())).prop_map(
        |((min, above, place), target, history, behavior)| {
            let max_replicas = min + above;
            let entry =
                |(age, replicas)| Recommendation { at: NOW - Duration::from_secs(age), replicas };
            let metrics = vec![MetricSpec::External { target }];
            let fewest = min.max(1);
            let current = fewest + place % (max_replicas - fewest + 1);
            let spec = HpaSpec { min_replicas: Some(min), max_replicas, metrics, behavior };
            World { spec, history: history.into_iter().map(entry).collect(), current }
        },
    )
}

proptest! {
    #[test]
    fn the_count_stays_between_minimum_and_maximum(world in world(), value in any::<i64>()) {
        let replicas = world.sync(value);
        prop_assert!(world.spec.min_replicas() <= replicas, "{replicas}");
        prop_assert!(replicas <= world.spec.max_replicas, "{replicas}");
    }

    #[test]
    fn a_higher_value_never_gives_fewer_replicas(
        world in world(),
        value in 0..10_000_000_i64,
        more in 0..10_000_000_i64,
    ) {
        prop_assert!(world.sync(value) <= world.sync(value + more));
    }

    #[test]
    fn inside_the_tolerance_nothing_changes(mut world in world(), share in 0.0..=1.0_f64) {
        // Without a history there is nothing to stabilise towards.
        world.history.clear();
        let MetricSpec::External { target } = world.spec.metrics[0] else { unreachable!() };
        let (up, down) = world.spec.behavior.as_ref().map_or((0.1, 0.1), |behavior| {
            let tolerance = |rules: &super::behavior::ScalingRules| rules.tolerance.unwrap_or(0.1);
            (tolerance(&behavior.scale_up), tolerance(&behavior.scale_down))
        });
        let full = match target {
            TotalTarget::Value(target) => target as f64,
            TotalTarget::AverageValue(target) => target as f64 * f64::from(world.current),
        };
        let (lowest, highest) = ((full * (1.0 - down)).ceil(), (full * (1.0 + up)).floor());
        let value = (lowest + share * (highest - lowest)).round();
        prop_assume!(full * (1.0 - down) < value && value < full * (1.0 + up));
        prop_assert_eq!(world.sync(round_up_usage(value)), world.current);
    }
}
