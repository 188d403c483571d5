//! What is kept of evaluations, and for how long.

use super::{Ruling, Trace, Traces};
use crate::domain::finite::Finite;
use crate::domain::limits;
use crate::domain::name::ObjectName;
use crate::domain::sample::Sample;
use crate::pipeline::{Memory, run};
use crate::policy::{Policy, resolve};
use crate::series::Window;
use jiff::Timestamp;
use std::sync::Arc;

const EXTERNAL: &str = "{name: demand, type: External}";

fn policy(metric: &str, spec: &str) -> Arc<Policy> {
    let text = format!(
        "apiVersion: foresail.dev/v1alpha1
kind: AdapterConfig
sources: [{{name: default, prometheus: {{url: \"http://127.0.0.1:1\"}}}}]
policies:
  - metadata: {{name: llama, namespace: inference}}
    spec:
      metric: {metric}
      signals: {{it: {{source: default, prometheus: {{query: a}}}}}}
      {spec}
"
    );
    let config = resolve::load(&text).unwrap();
    assert_eq!(config.faults, vec![]);
    Arc::clone(config.policies.first().unwrap())
}

struct World {
    policy: Arc<Policy>,
    window: Window,
    memory: Memory,
}

impl World {
    fn new(policy: Arc<Policy>) -> Self {
        Self { window: Window::new(1), memory: Memory::new(&policy), policy }
    }

    fn read(&mut self, pod: Option<&str>, second: i64, value: f64) {
        let sample = Sample { at: at(second), value: Finite::new(value).unwrap() };
        let object = pod.map(|it| ObjectName::new(it).unwrap());
        self.window.signals[0].extend([(object, sample)]);
    }

    fn run(&mut self, second: i64) -> Arc<Trace> {
        run(&self.policy, &self.window, &mut self.memory, &at(second).into());
        self.traces().newest().next().unwrap()
    }

    fn traces(&self) -> &Traces {
        self.memory.traces().unwrap()
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

#[test]
fn the_guard_that_changed_a_value_is_named() {
    for (value, published, ruling) in
        [(5.0, 5.0, Ruling::Passed), (0.5, 1.0, Ruling::Raised), (11.0, 10.0, Ruling::Cut)]
    {
        let mut world = World::new(policy(EXTERNAL, "guard: {min: \"1\", max: \"10\"}"));
        world.read(None, 100, value);
        let trace = world.run(101);
        let path = &trace.paths[0];
        assert_eq!(path.published.map(|(value, _)| value), Finite::new(published));
        assert_eq!(Trace::ruling(path), Some(ruling));
    }
}

#[test]
fn a_demand_that_is_emitted_as_replicas_shows_both() {
    let mut world =
        World::new(policy(EXTERNAL, "capacity: {perPod: 4}\n      emit: desiredReplicas"));
    world.read(None, 100, 9.0);
    let trace = world.run(101);
    let path = &trace.paths[0];
    assert_eq!(path.observed.map(|it| it.value), Finite::new(9.0));
    assert_eq!((path.emitted, Trace::ruling(path)), (Finite::new(3.0), Some(Ruling::Passed)));
    let shown = super::text::render(&world.policy, &trace);
    assert!(shown.contains("emit       desiredReplicas = 3"), "{shown}");
}

#[test]
fn evaluations_that_come_to_the_same_share_one_trace_so_that_an_outage_pushes_nothing_out() {
    let mut world = World::new(policy(EXTERNAL, "guard: {maxAge: 60s, hold: 60s}"));
    world.read(None, 100, 1.0);
    world.run(100);
    world.read(None, 115, 2.0);
    world.run(115);
    world.window.signals[0].fail("connection refused".to_owned());
    // Fresh, held, and nothing at all: three states, and in each of them some evaluations.
    let counts: Vec<u32> = (1..40).map(|n| world.run(115 + n * 15).n_same).collect();
    assert_eq!(counts[..6], [1, 2, 3, 4, 1, 2]);
    let traces: Vec<(i64, i64, u32)> = world
        .traces()
        .newest()
        .map(|it| (it.since.as_second(), it.at.as_second(), it.n_same))
        .collect();
    assert_eq!(
        traces,
        [(250, 700, 31), (190, 235, 4), (130, 175, 4), (115, 115, 1), (100, 100, 1)]
    );
}

#[test]
fn only_so_many_traces_are_kept_the_newest_first() {
    let mut world = World::new(policy(EXTERNAL, ""));
    for n in 0..3 * i64::try_from(limits::TRACES_MAX).unwrap() {
        world.read(None, n, n as f64);
        world.run(n);
    }
    let seconds: Vec<i64> = world.traces().newest().map(|it| it.at.as_second()).collect();
    assert_eq!(seconds, (120..180).rev().collect::<Vec<_>>());
}

#[test]
fn of_a_metric_per_pod_the_pods_with_the_largest_values_are_shown() {
    let mut world = World::new(policy("{name: queue, type: Pods}", ""));
    for (n, value) in [3.0, 9.0, 1.0, 7.0, 7.0, 8.0].into_iter().enumerate() {
        world.read(Some(&format!("pod-{n}")), 100, value);
    }
    let trace = world.run(100);
    let shown: Vec<&str> =
        trace.paths.iter().map(|it| it.object.as_ref().unwrap().as_str()).collect();
    assert_eq!(shown, ["pod-1", "pod-5", "pod-3"]);
    assert_eq!((trace.n_published, trace.signals[0].n_objects), (6, 6));
}

#[test]
fn a_memory_that_only_primes_keeps_no_traces() {
    let policy = policy(EXTERNAL, "");
    let mut memory = Memory::default();
    run(&policy, &Window::new(1), &mut memory, &at(100).into());
    assert!(memory.traces().is_none());
}
