//! What a whole evaluation comes to, told as facts about one policy.

#![expect(clippy::float_cmp, reason = "these values are exact in binary")]

use super::*;
use crate::domain::finite::Finite;
use crate::domain::sample::Sample;
use crate::pipeline::outcome::Standing;
use crate::policy::resolve;
use std::sync::Arc;

mod pods;

/// A policy with two signals, or with one per pod, whose text a test may change.
fn policy(change: impl Fn(String) -> String) -> Arc<Policy> {
    let text = r#"
apiVersion: foresail.dev/v1alpha1
kind: AdapterConfig
sources: [{name: default, prometheus: {url: "http://127.0.0.1:1"}}]
policies:
  - metadata: {name: llama, namespace: inference}
    spec:
      metric: {name: demand, type: External}
      signals:
        running: {source: default, prometheus: {query: a}}
        waiting: {source: default, prometheus: {query: b}}
      combine: running + waiting
      guard: {maxAge: 60s, hold: 2m}
"#;
    let config = resolve::load(&change(text.to_owned())).unwrap();
    assert_eq!(config.faults, vec![]);
    config.policies.first().unwrap().clone()
}

struct World {
    supply: Option<Arc<Supply>>,
    policy: Arc<Policy>,
    window: Window,
    memory: Memory,
}

impl World {
    fn new(policy: Arc<Policy>) -> Self {
        let supply = None;
        Self {
            supply,
            window: Window::new(policy.signals.len()),
            policy,
            memory: Memory::default(),
        }
    }

    fn read(&mut self, signal: usize, pod: Option<&str>, second: i64, value: f64) {
        let sample = Sample { at: at(second), value: Finite::new(value).unwrap() };
        let object = pod.map(|it| ObjectName::new(it).unwrap());
        self.track(signal).extend([(object, sample)]);
    }

    fn track(&mut self, signal: usize) -> &mut crate::series::Track {
        &mut self.window.signals[signal]
    }

    fn run(&mut self, second: i64) -> Outcome {
        let surroundings = Surroundings { now: at(second), supply: self.supply.clone() };
        run(&self.policy, &self.window, &mut self.memory, &surroundings)
    }

    /// The only value, its second, and its standing.
    fn value(&mut self, second: i64) -> (f64, i64, Standing) {
        let outcome = self.run(second);
        let [(None, value)] = outcome.values.as_slice() else { panic!("{outcome:?}") };
        (value.value.get(), value.at.as_second(), value.standing)
    }

    fn absence(&mut self, second: i64) -> String {
        let outcome = self.run(second);
        assert_eq!(outcome.values, vec![]);
        outcome.absent.unwrap().shown(at(second))
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

#[test]
fn two_signals_become_one_value_as_old_as_the_older_one() {
    let mut world = World::new(policy(|it| it));
    world.read(0, None, 100, 7.0);
    world.read(1, None, 90, 3.0);
    assert_eq!(world.value(100), (10.0, 90, Standing::Fresh));
}

#[test]
fn a_value_is_fresh_then_held_then_refused_with_its_age_and_cause() {
    let mut world = World::new(policy(|it| it));
    world.read(0, None, 100, 7.0);
    world.read(1, None, 100, 3.0);
    assert_eq!(world.value(160), (10.0, 100, Standing::Fresh));
    world.track(0).fail("connection refused".to_owned());
    assert_eq!(world.value(161), (10.0, 100, Standing::Held));
    assert_eq!(world.value(280), (10.0, 100, Standing::Held));
    // It may be refused before the next evaluation: then the reason is known already.
    let why = world.run(280).absent.unwrap().shown(at(281));
    assert_eq!(why, "no sample for 3m1s: source default: connection refused");
    assert_eq!(world.absence(290), "no sample for 3m10s: source default: connection refused");
}

#[test]
fn a_value_comes_back_with_the_next_good_sample() {
    let mut world = World::new(policy(|it| it));
    world.read(0, None, 100, 7.0);
    world.read(1, None, 100, 3.0);
    world.value(100);
    world.absence(1_000);
    world.read(0, None, 1_010, 1.0);
    world.read(1, None, 1_010, 1.0);
    assert_eq!(world.value(1_010), (2.0, 1_010, Standing::Fresh));
}

#[test]
fn a_missing_signal_is_not_zero() {
    let mut world = World::new(policy(|it| it));
    world.read(0, None, 100, 7.0);
    assert_eq!(world.absence(100), "no sample yet: signal waiting has no sample");
    world.track(1).fail("the query answered no series".to_owned());
    assert_eq!(world.absence(100), "no sample yet: source default: the query answered no series");
}

#[test]
fn what_is_negative_or_no_number_is_no_value() {
    for combine in ["running - waiting", "running / (waiting - 3)"] {
        let mut world = World::new(policy(|it| it.replace("running + waiting", combine)));
        world.read(0, None, 100, 1.0);
        world.read(1, None, 100, 3.0);
        let absence = world.absence(100);
        assert_eq!(absence, "no sample yet: combine: the result is negative or not a number");
    }
}

#[test]
fn bounds_raise_and_cut() {
    let bounded = |it: String| it.replace("hold: 2m", "hold: 2m, min: 5, max: \"20\"");
    for (running, expected) in [(1.0, 5.0), (7.0, 10.0), (90.0, 20.0)] {
        let mut world = World::new(policy(bounded));
        world.read(0, None, 100, running);
        world.read(1, None, 100, 3.0);
        assert_eq!(world.value(100).0, expected, "{running}");
    }
    let mut world = World::new(policy(|it| it));
    world.read(0, None, 100, 1e300);
    world.read(1, None, 100, 0.0);
    assert_eq!(world.value(100).0, crate::domain::limits::VALUE_MAX);
}

#[test]
fn smoothing_steps_once_for_each_new_sample() {
    let smooth =
        |it: String| it.replace("guard:", "smooth: [{ewma: {halfLife: 10s}}]\n      guard:");
    let mut world = World::new(policy(smooth));
    for signal in 0..2 {
        world.read(signal, None, 100, 5.0);
    }
    assert_eq!(world.value(100).0, 10.0);
    for signal in 0..2 {
        world.read(signal, None, 110, 10.0);
    }
    assert_eq!(world.value(110).0, 15.0);
    assert_eq!(world.value(115).0, 15.0, "nothing new came");
}

#[test]
fn a_rate_has_no_value_before_its_second_sample_and_after_a_long_gap() {
    let rate = |it: String| {
        let it = it.replace("running + waiting", "running");
        it.replace("guard:", "smooth: [{rate: {}}]\n      guard:")
    };
    let mut world = World::new(policy(rate));
    world.read(0, None, 100, 5_000.0);
    assert_eq!(world.absence(100), "no sample for 0s: a rate needs a second sample");
    world.read(0, None, 110, 5_070.0);
    assert_eq!(world.value(110), (7.0, 110, Standing::Fresh));
    world.read(0, None, 500, 9_000.0);
    assert_eq!(world.absence(500), "no sample for 0s: a rate needs a second sample");
}

#[test]
fn a_window_outlives_an_outage_that_is_longer_than_the_hold() {
    let largest = |it: String| {
        let it = it.replace("running + waiting", "running");
        it.replace("guard:", "smooth: [{windowMax: {window: 15m}}]\n      guard:")
    };
    let mut world = World::new(policy(largest));
    world.read(0, None, 100, 90.0);
    assert_eq!(world.value(100).0, 90.0);
    assert_eq!(world.absence(600), "no sample for 8m20s: no signal has a sample");
    world.read(0, None, 615, 5.0);
    assert_eq!(world.value(615), (90.0, 615, Standing::Fresh));
    world.read(0, None, 1_000, 5.0);
    assert_eq!(world.value(1_000).0, 5.0, "15 minutes after");
}

#[test]
fn a_trend_that_shoots_below_zero_is_published_as_zero() {
    let holt = |it: String| {
        let it = it.replace("running + waiting", "running");
        it.replace("guard:", "smooth: [{holt: {level: 0.9, trend: 0.9}}]\n      guard:")
    };
    let mut world = World::new(policy(holt));
    for (second, value) in [(100, 500.0), (115, 300.0), (130, 100.0), (145, 0.0)] {
        world.read(0, None, second, value);
        world.run(second);
    }
    assert_eq!(world.value(145).0, 0.0);
}

#[test]
fn pods_live_and_leave_on_their_own() {
    let pods = |it: String| {
        it.replace("type: External", "type: Pods")
            .replace("combine: running + waiting", "combine: running")
    };
    let mut world = World::new(policy(pods));
    world.read(0, Some("a"), 100, 1.0);
    world.read(0, Some("b"), 100, 2.0);
    world.run(100);
    world.read(0, Some("b"), 270, 4.0);
    let outcome = world.run(281);
    let shown: Vec<(String, f64)> = outcome
        .values
        .iter()
        .map(|(pod, value)| (pod.as_ref().unwrap().to_string(), value.value.get()))
        .collect();
    assert_eq!(shown, [("b".to_owned(), 4.0)], "a was last seen 181 s ago");
    assert_eq!(outcome.absent, None);
}
