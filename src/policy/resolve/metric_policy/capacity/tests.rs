//! What policies may say about the capacity of a pod, the unit of the metric, and counters.

use crate::domain::finite::Finite;
use crate::policy::capacity::Emit;
use crate::policy::{Config, resolve};

/// A policy with a gauge, a counter, a sum of counters and a rate, and these keys beside them.
fn load(metric_type: &str, keys: &str) -> Config {
    let text = format!(
        "apiVersion: foresail.dev/v1alpha1\nkind: AdapterConfig\n\
         sources: [{{name: p, prometheus: {{url: 'http://p:9090'}}}}]\n\
         policies:\n  - metadata: {{name: a, namespace: n}}\n    spec:\n      \
         metric: {{name: a, type: {metric_type}}}\n      \
         signals:\n        running: {{source: p, prometheus: {{query: 'x'}}}}\n        \
         arrived: {{source: p, prometheus: {{query: '(arrived_total)'}}}}\n        \
         all: {{source: p, prometheus: {{query: 'sum(arrived_total)'}}}}\n        \
         speed: {{source: p, prometheus: {{query: 'sum(rate(x[1m]))'}}}}\n      {keys}\n"
    );
    resolve::load(&text).unwrap()
}

#[test]
fn a_capacity_is_given_or_learned_or_left_out() {
    const LEARN: &str = "learn: {saturated: running > 3, load: perSecond(arrived)}";
    for (keys, per_pod, learn, emit, counts_pods) in [
        ("emit: demand", None, None, Emit::Demand, false),
        ("capacity: {perPod: '8'}", Some(8.0), None, Emit::Demand, false),
        ("capacity: {perPod: 500m}", Some(0.5), None, Emit::Demand, false),
        (
            "emit: desiredReplicas\n      capacity: {perPod: 8}",
            Some(8.0),
            None,
            Emit::DesiredReplicas,
            true,
        ),
        (
            &format!("emit: desiredReplicas\n      capacity: {{{LEARN}}}"),
            None,
            Some("running > 3 | perSecond(arrived)"),
            Emit::DesiredReplicas,
            true,
        ),
        (
            &format!("capacity: {{perPod: 8, {LEARN}}}"),
            Some(8.0),
            Some("running > 3 | perSecond(arrived)"),
            Emit::Demand,
            true,
        ),
    ] {
        let config = load("External", &format!("combine: running\n      {keys}"));
        let [policy] = config.policies.as_slice() else { panic!("{keys}: {:?}", config.faults) };
        let found = policy.capacity.learn.as_ref();
        let found = found.map(|it| format!("{} | {}", it.saturated.text(), it.load.text()));
        assert_eq!(policy.capacity.per_pod, per_pod.and_then(Finite::new), "{keys}");
        assert_eq!(found.as_deref(), learn, "{keys}");
        assert_eq!((policy.emit, policy.counts_pods()), (emit, counts_pods), "{keys}");
    }
}

#[test]
fn what_cannot_be_meant_is_refused_with_a_hint() {
    const LEARN: &str = "capacity: {learn: {saturated: running > 3, load: running}}";
    for (metric_type, keys, path, problem, hint) in [
        ("External", "capacity: {}", "spec.capacity", "it says nothing", "perPod: 8"),
        ("External", "capacity: {perPod: 0}", "perPod", "serves nothing", "e.g. 8"),
        ("External", "capacity: {perPod: -8}", "perPod", "serves nothing", "e.g. 8"),
        ("External", "capacity: {perPod: lots}", "perPod", "lots", ""),
        ("External", "capacity: {learn: {load: running}}", "learn", "saturated", ""),
        (
            "External",
            "capacity: {learn: {saturated: runing > 3, load: running}}",
            "learn.saturated",
            "there is no signal `runing`",
            "did you mean `running`?",
        ),
        (
            "External",
            "capacity: {learn: {saturated: running, load: running}}",
            "learn.saturated",
            "expected a condition",
            "",
        ),
        (
            "External",
            "capacity: {learn: {saturated: running > 3, load: running > 3}}",
            "learn.load",
            "expected a number, found a condition",
            "",
        ),
        ("Pods", LEARN, "capacity.learn", "no number for the fleet", "as an External metric"),
        ("External", "emit: desiredReplicas", "spec.emit", "`capacity` is left out", "perPod: 8"),
        (
            "Pods",
            "emit: desiredReplicas\n      capacity: {perPod: 8}",
            "spec.emit",
            "the mean of a Pods metric",
            "say `type: External`",
        ),
        ("External", "emit: replicas", "spec.emit", "replicas", "desiredReplicas"),
        ("External", "forecast: {podCapacity: 8}", "forecast.podCapacity", "podCapacity", ""),
    ] {
        check(metric_type, &format!("combine: running\n      {keys}"), [path, problem, hint]);
    }
}

#[test]
fn a_counter_is_one_series_and_has_a_rate_once() {
    for (keys, path, problem, hint) in [
        (
            "combine: perSecond(speed)",
            "signals.speed.prometheus.query",
            "answers a rate",
            "leave `perSecond` out",
        ),
        (
            "combine: perSecond(all)",
            "signals.all.prometheus.query",
            "several counters in one",
            "sum(rate(…[1m]))",
        ),
        (
            "combine: perSecond(arrived)\n      smooth: [{rate: {}}]",
            "smooth[0]",
            "answers a rate already",
            "leave this step out",
        ),
        (
            "combine: running\n      capacity: {learn: {saturated: running > 3, load: perSecond(all)}}",
            "signals.all.prometheus.query",
            "several counters in one",
            "",
        ),
    ] {
        check("External", keys, [path, problem, hint]);
    }
    assert_eq!(load("External", "combine: perSecond(arrived) + running").faults, vec![]);
}

#[test]
fn a_signal_cannot_be_called_like_a_variable() {
    let text = "apiVersion: foresail.dev/v1alpha1\nkind: AdapterConfig\n\
         sources: [{name: p, prometheus: {url: 'http://p:9090'}}]\n\
         policies:\n  - metadata: {name: a, namespace: n}\n    spec:\n      \
         metric: {name: a, type: External}\n      \
         signals: {readyPods: {source: p, prometheus: {query: x}}}\n";
    let config = resolve::load(text).unwrap();
    let fault = config.faults.first().map(ToString::to_string).unwrap_or_default();
    assert!(fault.contains("signals.readyPods: `combine` has a variable"), "{fault}");
}

#[track_caller]
fn check(metric_type: &str, keys: &str, parts: [&str; 3]) {
    let config = load(metric_type, keys);
    let fault = config.faults.first().map(|it| format!("{it} {:?}", it.hint)).unwrap_or_default();
    assert!(config.policies.is_empty(), "{keys}");
    for part in parts {
        assert!(fault.contains(part), "{keys}: {part} in {fault}");
    }
}
