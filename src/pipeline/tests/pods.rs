//! Rates of counters, pods of the scale target, what is learned of them, and replicas.

use super::*;
use crate::domain::hpa::{HpaUse, MetricTarget};
use crate::domain::name::{Namespace, ObjectName};
use crate::domain::object::{ObjectKind, ObjectRef};
use crate::domain::supply::{Agreed, LearnedCapacity, Startup, TargetSupply};
use crate::pipeline::capacity::Origin;
use std::time::Duration;

/// A policy with a scraped counter and a gauge, these keys, and one to begin with.
fn policy_with(keys: &str) -> World {
    let text = format!(
        "apiVersion: foresail.dev/v1alpha1\nkind: AdapterConfig\n\
         sources: [{{name: page, scrape: {{url: 'http://127.0.0.1:1'}}}}]\n\
         policies:\n  - metadata: {{name: llama, namespace: inference}}\n    spec:\n      \
         metric: {{name: demand, type: External}}\n      \
         signals:\n        arrived: {{source: page, scrape: {{series: a}}}}\n        \
         waiting: {{source: page, scrape: {{series: b}}}}\n      \
         guard: {{maxAge: 60s, hold: 2m}}\n      {keys}\n"
    );
    let config = resolve::load(&text).unwrap();
    assert_eq!(config.faults, vec![], "{keys}");
    World::new(config.policies.first().unwrap().clone())
}

fn target(name: &str) -> ObjectRef {
    ObjectRef {
        kind: ObjectKind { api_version: "apps/v1".into(), kind: "Deployment".into() },
        namespace: Some(Namespace::new("inference").unwrap()),
        name: ObjectName::new(name).unwrap(),
    }
}

/// Pods of the target of the only HPA, whose AverageValue is this.
fn supply(n_ready: usize, n_starting: usize, average_value: f64) -> Arc<Supply> {
    let user = HpaUse {
        name: ObjectName::new("hpa").unwrap(),
        scales: target("llama"),
        target: MetricTarget::AverageValue(Finite::new(average_value).unwrap()),
        min_replicas: 1,
        max_replicas: 99,
        down_window: Duration::ZERO,
    };
    let pods = TargetSupply {
        target: target("llama"),
        n_ready,
        starting: vec![at(0); n_starting],
        n_troubled: 0,
        startup: Startup::assumed(),
    };
    Arc::new(Supply { hpas: Some(Arc::new([user])), targets: vec![pods], ..Supply::default() })
}

impl World {
    /// One sample of both signals at the same second, and what comes of it.
    fn step(&mut self, second: i64, arrived: f64, waiting: f64) -> Outcome {
        self.read(0, None, second, arrived);
        self.read(1, None, second, waiting);
        self.run(second)
    }
}

fn only(outcome: &Outcome) -> Option<f64> {
    outcome.values.first().map(|(_, it)| it.value.get())
}

fn capacity_of(outcome: &Outcome) -> Option<(f64, Origin)> {
    outcome.pod_capacity.map(|it| (it.value.get(), it.origin))
}

#[test]
fn a_rate_needs_two_samples_counts_restarts_from_zero_and_forgets_after_a_long_gap() {
    let mut world = policy_with("combine: perSecond(arrived) + 0 * waiting");
    let outcome = world.step(0, 1_000.0, 0.0);
    assert_eq!(only(&outcome), None);
    assert_eq!(outcome.absent.unwrap().why, "perSecond(arrived) needs a second sample");
    for (second, arrived, expected) in
        [(15, 1_030.0, 2.0), (30, 1_060.0, 2.0), (45, 30.0, 2.0), (60, 60.0, 2.0)]
    {
        assert_eq!(only(&world.step(second, arrived, 0.0)), Some(expected), "{second}");
        assert_eq!(only(&world.run(second)), Some(expected), "nothing new at {second}");
    }
    let outcome = world.step(600, 60.0, 0.0);
    assert_eq!(outcome.absent.unwrap().why, "perSecond(arrived) needs a second sample");
    assert_eq!(only(&world.step(615, 60.0, 0.0)), Some(0.0), "a constant counter");
}

#[test]
fn every_pod_has_a_rate_of_its_own() {
    let text = "combine: perSecond(running)\n      guard";
    let mut world = World::new(policy(|it| {
        it.replace("type: External", "type: Pods")
            .replace("combine: running + waiting\n      guard", text)
    }));
    for (second, a, b) in [(0, 0.0, 7.0), (15, 15.0, 67.0)] {
        world.read(0, Some("a"), second, a);
        world.read(0, Some("b"), second, b);
        world.run(second);
    }
    world.read(0, Some("c"), 15, 9.0);
    let outcome = world.run(15);
    let values: Vec<f64> = outcome.values.iter().map(|(_, it)| it.value.get()).collect();
    assert_eq!(values, [1.0, 4.0], "the third has one sample");
    assert_eq!(outcome.absent.unwrap().why, "perSecond(running) needs a second sample");
}

#[test]
fn a_drain_counts_pods_on_their_way_and_is_unknown_where_they_are() {
    let keys = "combine: perSecond(arrived) + drain(waiting, '60s', 30 * startingPods)";
    let mut world = policy_with(keys);
    world.step(0, 0.0, 120.0);
    let outcome = world.step(15, 30.0, 120.0);
    let why = outcome.absent.unwrap().why;
    assert!(why.starts_with("the pods of the scale target are not known"), "{why}");
    for (starting, expected) in [(0, 4.0), (2, 3.0), (4, 2.0), (9, 2.0)] {
        world.supply = Some(supply(3, starting, 8.0));
        let second = 30 + i64::try_from(starting).unwrap();
        let found =
            only(&world.step(second, f64::from(i32::try_from(second).unwrap()) * 2.0, 120.0));
        assert_eq!(found, Some(expected), "{starting} starting");
    }
    // Another target whose pods are not known makes the count one of a part.
    let known = world.supply.clone().unwrap();
    let mut users = known.hpas.clone().unwrap().to_vec();
    users.push(HpaUse { scales: target("mistral"), ..users[0].clone() });
    world.supply = Some(Arc::new(Supply { hpas: Some(users.into()), ..(*known).clone() }));
    let outcome = world.step(60, 120.0, 120.0);
    assert!(outcome.absent.unwrap().why.starts_with("the pods of the scale target"));
}

const REPLICAS: &str = "combine: arrived\n      emit: desiredReplicas\n      \
                        capacity: {learn: {saturated: waiting > 0, load: arrived}}";

#[test]
fn a_capacity_is_learned_from_what_a_saturated_fleet_does_and_never_guessed() {
    let mut world = policy_with(REPLICAS);
    world.supply = Some(supply(4, 0, 1.0));
    let outcome = world.step(0, 40.0, 0.0);
    assert_eq!((only(&outcome), outcome.pod_capacity), (None, None));
    let why = outcome.absent.unwrap().why;
    assert!(why.starts_with("it is not known what one pod serves"), "{why}");
    // Saturated from 15 s on: 40, 44 and 48 requests by four pods are 11 each.
    world.step(15, 40.0, 5.0);
    world.step(30, 44.0, 5.0);
    assert_eq!(world.run(30).pod_capacity, None, "15 s are not 30 s, however often one looks");
    let outcome = world.step(45, 48.0, 5.0);
    assert_eq!(capacity_of(&outcome), Some((11.0, Origin::Learned { samples: 1 })));
    assert_eq!(only(&outcome), Some(5.0), "48 by 11, rounded up");
    // It stays known when the fleet is not saturated any more.
    assert_eq!(only(&world.step(60, 22.0, 0.0)), Some(2.0));
    let learned = std::mem::take(&mut world.memory);
    world.memory = Memory::default().with_history_of(learned);
    assert_eq!(only(&world.step(75, 22.0, 0.0)), Some(2.0), "a memory that begins anew");
}

#[test]
fn a_replica_that_has_just_started_goes_by_what_all_agreed() {
    let mut world = policy_with(REPLICAS);
    let per_pod = Finite::new(11.0).unwrap();
    let agreed =
        Agreed { capacity: Some(LearnedCapacity { per_pod, samples: 7 }), ..Agreed::default() };
    world.supply = Some(Arc::new(Supply { agreed, ..(*supply(4, 0, 1.0)).clone() }));
    let outcome = world.step(0, 40.0, 0.0);
    assert_eq!(capacity_of(&outcome), Some((11.0, Origin::Learned { samples: 7 })));
    assert_eq!((only(&outcome), outcome.learned_here), (Some(4.0), None));
    // What it learns itself counts when all have agreed on it.
    for second in [15, 30, 45] {
        world.step(second, 80.0, 5.0);
    }
    let outcome = world.step(60, 80.0, 0.0);
    assert_eq!(capacity_of(&outcome), Some((11.0, Origin::Learned { samples: 7 })));
    assert_eq!(outcome.learned_here.map(|it| it.per_pod.get()), Some(20.0));
}

#[test]
fn what_is_interrupted_is_no_sample_of_a_capacity() {
    for (what, change) in [
        ("the queue was empty once", (4, 0.0, 30)),
        ("a pod became ready", (5, 5.0, 30)),
        ("nobody knows the pods", (0, 5.0, 30)),
        ("too long a gap", (4, 5.0, 100)),
    ] {
        let (ready, waiting, second) = change;
        let mut world = policy_with(REPLICAS);
        world.supply = Some(supply(4, 0, 1.0));
        world.step(0, 40.0, 5.0);
        world.step(15, 40.0, 5.0);
        world.supply = (ready > 0).then(|| supply(ready, 0, 1.0));
        world.step(second, 40.0, waiting);
        world.supply = Some(supply(ready.max(4), 0, 1.0));
        assert_eq!(world.step(second + 15, 40.0, 5.0).pod_capacity, None, "{what}");
    }
}

#[test]
fn the_median_of_the_last_ten_samples_counts() {
    let mut world = policy_with(REPLICAS);
    world.supply = Some(supply(1, 0, 1.0));
    let mut outcome = Outcome::default();
    // A new stretch begins with the sample that ends one, so a constant load is what is learned.
    for (n, load) in (0..14).map(|n| (n, if n % 5 == 4 { 90.0 } else { 10.0 })) {
        world.step(n * 100, load, 0.0);
        world.step(n * 100 + 30, load, 1.0);
        outcome = world.step(n * 100 + 60, load, 1.0);
    }
    assert_eq!(capacity_of(&outcome), Some((10.0, Origin::Learned { samples: 10 })));
}

#[test]
fn what_the_policy_says_counts_until_something_is_learned_and_then_the_hpa_for_demand() {
    let given = REPLICAS.replace("{learn", "{perPod: 8, learn");
    let learn = REPLICAS.replace("emit: desiredReplicas\n      ", "");
    for (keys, at_first, once_learned) in [
        (given.as_str(), Some((8.0, Origin::Given)), Some((10.0, Origin::Learned { samples: 1 }))),
        (&learn, Some((6.0, Origin::Hpa)), Some((10.0, Origin::Learned { samples: 1 }))),
        ("combine: arrived", Some((6.0, Origin::Hpa)), Some((6.0, Origin::Hpa))),
        (
            "combine: arrived\n      capacity: {perPod: 8}",
            Some((8.0, Origin::Given)),
            Some((8.0, Origin::Given)),
        ),
    ] {
        let mut world = policy_with(keys);
        world.supply = Some(supply(4, 0, 6.0));
        assert_eq!(capacity_of(&world.step(0, 40.0, 5.0)), at_first, "{keys}");
        world.step(15, 40.0, 5.0);
        let outcome = world.step(30, 40.0, 5.0);
        assert_eq!(capacity_of(&outcome), once_learned, "{keys}");
        let replicas = keys.contains("emit").then_some(4.0);
        assert_eq!(only(&outcome), Some(replicas.unwrap_or(40.0)), "{keys}");
    }
}

#[test]
fn replicas_are_published_within_the_guard_and_as_old_as_the_demand() {
    let mut world = policy_with(
        "combine: arrived\n      emit: desiredReplicas\n      capacity: {perPod: 8}\n      \
         smooth: [{windowMax: {window: 60s}}]",
    );
    world.read(0, None, 0, 150.0);
    assert_eq!(world.value(30), (19.0, 0, Standing::Fresh), "nobody knows how many there are");
    world.supply = Some(supply(18, 2, 1.0));
    assert_eq!(world.value(30), (18.001, 0, Standing::Fresh), "one fewer than twenty");
    assert_eq!(world.value(90), (18.001, 0, Standing::Held));
}
