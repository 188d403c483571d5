//! The lean arithmetic against the whole controller's, over random histories and specs.

use std::time::Duration;

use proptest::prelude::*;

use super::Lean;
use crate::simulate::hpa::behavior::{Behavior, ScalingPolicy, SelectPolicy};
use crate::simulate::hpa::metric::{MetricSpec, Reading, TotalTarget};
use crate::simulate::hpa::{ControllerSettings, Hpa, HpaSpec, Observation};
fn spec(target_milli: i64) -> HpaSpec {
    HpaSpec {
        min_replicas: Some(1),
        max_replicas: 200,
        metrics: vec![MetricSpec::External { target: TotalTarget::AverageValue(target_milli) }],
        behavior: None,
    }
}

#[test]
fn the_controllers_cases_give_its_counts() {
    // Appendix B7's vectors, without a stabilisation window: sum, target, count, next count.
    let cases = [
        (850.0, 100_000, 8, 8),
        (1_090.0, 100_000, 10, 10),
        (1_110.0, 100_000, 10, 12),
        (1_000.0, 100_000, 12, 10),
        (12.0, 1_000, 11, 11),
        (13.0, 1_000, 11, 13),
        (18.0, 1_000, 19, 19),
        (17.001, 1_000, 19, 18),
    ];
    let mut behavior = Behavior::default();
    behavior.scale_down.stabilization_window = Some(Duration::ZERO);
    for (sum, target, current, next) in cases {
        let spec = HpaSpec { behavior: Some(behavior.clone()), ..spec(target) };
        let sync = Duration::from_secs(15);
        let mut lean = Lean::new(&spec, ControllerSettings::default(), sync, current).unwrap();
        assert_eq!(lean.sync(Some(sum)), next, "{sum} at {target} with {current}");
    }
}

#[test]
fn a_value_is_read_as_the_controller_reads_it() {
    let cases = [
        (1.1, 1_100.0),
        (0.1 + 0.2, 300.0),
        (0.000_000_1, 1.0),
        (1.000_000_1, 1_000.0),
        (1.000_001, 1_001.0),
        (0.0, 0.0),
        (-1.0, i64::MAX as f64),
        (1e300, i64::MAX as f64),
    ];
    for (value, milli) in cases {
        assert!((super::usage_milli(value) - milli).abs() < 1e-9, "{value}");
    }
}

#[test]
fn other_metrics_and_syncs_without_distance_are_refused() {
    let settings = ControllerSettings::default();
    let pods = HpaSpec { metrics: vec![MetricSpec::Pods { average_value_milli: 1 }], ..spec(1) };
    let value = MetricSpec::External { target: TotalTarget::Value(1) };
    let value = HpaSpec { metrics: vec![value], ..spec(1) };
    let both = HpaSpec { metrics: [spec(1).metrics, spec(1).metrics].concat(), ..spec(1) };
    for spec in [pods, value, both, HpaSpec { max_replicas: 0, ..spec(1) }] {
        assert!(Lean::new(&spec, settings, Duration::from_secs(15), 1).is_err(), "{spec:?}");
    }
    assert!(Lean::new(&spec(1), settings, Duration::ZERO, 1).is_err());
}

fn behavior() -> impl Strategy<Value = Behavior> {
    let select =
        prop_oneof![Just(SelectPolicy::Max), Just(SelectPolicy::Min), Just(SelectPolicy::Disabled)];
    let policy = (any::<bool>(), 1..150_i32, 1..200_u64).prop_map(|(pods, value, period)| {
        let period = Duration::from_secs(period);
        let of = if pods { ScalingPolicy::pods } else { ScalingPolicy::percent };
        of(value, period)
    });
    let window = prop::option::of(0..200_u64);
    let policies = prop::collection::vec(policy, 1..3);
    let half = (window, select, policies, prop::option::of(0.0..0.5_f64));
    (half.clone(), half).prop_map(|halves| {
        let mut behavior = Behavior::default();
        for (rules, half) in
            [(&mut behavior.scale_up, halves.0), (&mut behavior.scale_down, halves.1)]
        {
            rules.stabilization_window = half.0.map(Duration::from_secs);
            rules.select_policy = half.1;
            rules.policies = half.2;
            rules.tolerance = half.3;
        }
        behavior
    })
}

/// Values that wander, jump, vanish and turn negative, in milli units.
fn readings() -> impl Strategy<Value = Vec<Option<i64>>> {
    let reading = prop_oneof![
        8 => (0..400_000_i64).prop_map(Some),
        4 => (0..20_000_i64).prop_map(Some),
        2 => Just(Some(0)),
        2 => Just(None),
        1 => (-9_i64..0).prop_map(Some),
    ];
    // The same value for a while, as real metrics have it.
    prop::collection::vec((reading, 1..6_usize), 1..40).prop_map(|runs| {
        runs.into_iter().flat_map(|(reading, times)| vec![reading; times]).collect()
    })
}

proptest! {
    #[test]
    fn every_sync_gives_the_count_of_the_whole_controller(
        readings in readings(),
        behavior in prop::option::of(behavior()),
        target in 1..30_000_i64,
        counts in (0..5_i32, 1..80_i32, 0..90_i32),
        sync in 1..40_u64,
        settings in (0.0..0.3_f64, 0..300_u64),
    ) {
        let (min, above, first) = counts;
        let spec = HpaSpec {
            min_replicas: Some(min),
            max_replicas: min + above,
            behavior,
            ..spec(target)
        };
        let settings = ControllerSettings {
            tolerance: settings.0,
            downscale_stabilization: Duration::from_secs(settings.1),
            ..ControllerSettings::default()
        };
        let sync = Duration::from_secs(sync);
        let mut lean = Lean::new(&spec, settings, sync, first).unwrap();
        let mut whole = Hpa::with_settings(spec, settings).unwrap();
        let mut replicas = first;
        for (place, reading) in readings.iter().enumerate() {
            let now = sync * u32::try_from(place).unwrap();
            let observation = Observation {
                spec_replicas: replicas,
                status_replicas: replicas,
                pods: &[],
                readings: &[reading.map_or_else(
                    || Reading::Failed("gone".to_owned()),
                    |milli| Reading::External(vec![milli]),
                )],
            };
            replicas = whole.sync(now, &observation).replicas;
            let value = reading.map(|milli| milli as f64 / 1_000.0);
            prop_assert_eq!(lean.sync(value), replicas, "sync {} of {:?}", place, readings);
        }
    }
}
