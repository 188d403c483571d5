//! A good file, and every way in which a file can be wrong.

use super::*;
use crate::domain::finite::Finite;
use crate::policy::smoothing::Smoothing;
use crate::policy::{Ask, Combine, QueryMethod, Reduce, SourceKind};
use std::collections::BTreeMap;
use std::time::Duration;

/// The example of the README, plus one policy each of the other types.
const GOOD: &str = r#"apiVersion: foresail.dev/v1alpha1
kind: AdapterConfig
sources:
  - name: default
    prometheus: {url: "http://prometheus:9090/", timeout: 5s}
  - name: engine
    scrape: {url: "http://127.0.0.1:9400/metrics", timeout: 1s}
policies:
  - metadata: {name: llama, namespace: inference}
    spec:
      metric: {name: llama_demand, type: External}
      interval: 15s
      signals:
        running: {source: default, prometheus: {query: 'sum(vllm:num_requests_running)'}}
        waiting: {source: engine, scrape: {series: 'vllm:num_requests_waiting', reduce: sum}}
      combine: running + waiting
      smooth: [{ewma: {halfLife: 30s}}]
      guard: {maxAge: 60s, hold: 2m, min: "0", max: 1000}
  - metadata: {name: pods, namespace: inference}
    spec:
      metric: {name: running, type: Pods}
      signals: {running: {source: default, prometheus: {query: 'x', podLabel: exported_pod}}}
  - metadata: {name: object, namespace: inference}
    spec:
      metric:
        name: rps
        type: Object
        describedObject: {apiVersion: apps/v1, kind: Deployment, name: llama}
      signals: {rps: {source: default, prometheus: {query: 'sum(rate(x[1m]))'}}}
"#;

#[test]
fn a_good_file_becomes_sources_and_policies() {
    let config = load(GOOD).unwrap();
    assert_eq!(config.faults, vec![]);
    let kinds: Vec<_> = config.sources.iter().map(|it| it.kind.clone()).collect();
    assert_eq!(
        kinds,
        [
            SourceKind::Prometheus {
                url: "http://prometheus:9090".into(),
                method: QueryMethod::Post,
                namespace_label: "namespace".into(),
                access: Box::default(),
                parameters: BTreeMap::new(),
            },
            SourceKind::Scrape {
                url: "http://127.0.0.1:9400/metrics".into(),
                access: Box::default(),
            },
        ]
    );
    let [llama, pods, object] = config.policies.as_slice() else { panic!("three policies") };
    assert_eq!(llama.key.to_string(), "inference/llama");
    assert_eq!(llama.interval, Duration::from_secs(15));
    assert_eq!(llama.smooth, [Smoothing::Ewma { half_life: Duration::from_secs(30) }]);
    assert_eq!(llama.guard.max, Finite::new(1000.0));
    assert_eq!(llama.guard.hold, Duration::from_secs(120));
    assert!(matches!(&llama.combine, Combine::Expression(it) if it.text() == "running + waiting"));
    assert!(matches!(&llama.signals[1].ask, Ask::Series { reduce: Reduce::Sum, .. }));
    assert!(matches!(&pods.combine, Combine::Only));
    assert!(
        matches!(&pods.signals[0].ask, Ask::Query { pod_label: Some(label), .. } if &**label == "exported_pod")
    );
    assert_eq!(
        object.metric_key().to_string(),
        "metric rps of deployments.apps in namespace inference"
    );
}

/// Replaces one text of the good file and expects exactly these faults, as
/// `line:column path: problem (hint)`.
fn check(replace: &str, with: &str, expected: &[&str]) {
    assert!(GOOD.contains(replace), "the good file does not contain `{replace}`");
    let faults = match load(&GOOD.replacen(replace, with, 1)) {
        Ok(config) => config.faults,
        Err(faults) => faults,
    };
    assert!(faults.iter().all(|it| it.hint.is_some()), "a fault has no hint: {faults:?}");
    let shown: Vec<String> = faults
        .iter()
        .map(|fault| {
            let hint = fault.hint.as_deref().map(|it| format!(" ({it})")).unwrap_or_default();
            format!("{} {fault}{hint}", fault.position.unwrap())
        })
        .collect();
    assert_eq!(shown, expected, "with `{with}`");
}

#[test]
fn a_misspelt_key_names_its_line_and_its_neighbour() {
    check(
        "interval: 15s",
        "intervall: 15s",
        &["12:7 policies[0].spec.intervall: unknown key `intervall` (did you mean `interval`?)"],
    );
    check(
        "policies:",
        "polices:",
        &["8:1 polices: unknown key `polices` (did you mean `policies`?)"],
    );
    check(
        "type: External",
        "type: external",
        &[
            "11:36 policies[0].spec.metric.type: expected one of External, Pods, Object, found `external` (did you mean `External`?)",
        ],
    );
}

#[test]
fn every_kind_of_fault_is_told_with_its_place() {
    for (replace, with, expected) in [
        (
            "halfLife: 30s",
            "halfLife: 30",
            "17:24 policies[0].spec.smooth[0].ewma.halfLife: expected a text, found `30` (put it in quotes)",
        ),
        (
            "halfLife: 30s",
            "halfLife: soon",
            "17:24 policies[0].spec.smooth[0].ewma.halfLife: `soon` is not a duration (write it like `15s`, `2m` or `1h30m`)",
        ),
        (
            "sum(vllm:num_requests_running)",
            "sum(vllm:num_requests_running",
            "14:49 policies[0].spec.signals.running.prometheus.query: not PromQL: line 1, column 30, at the end: unclosed left parenthesis (try it in the source's own expression browser)",
        ),
        (
            "combine: running + waiting",
            "combine: running + wating",
            "16:7 policies[0].spec.combine: line 1, column 11: there is no signal `wating` (did you mean `waiting`?)",
        ),
        (
            "running: {source: default",
            "running: {source: defualt",
            "14:19 policies[0].spec.signals.running.source: there is no source `defualt` (did you mean `default`?)",
        ),
        (
            "      combine: running + waiting\n",
            "",
            "10:5 policies[0].spec.combine: needed with more than one signal (write for example `running + waiting`)",
        ),
        (
            "maxAge: 60s",
            "maxAge: 5s",
            "18:15 policies[0].spec.guard.maxAge: shorter than `interval` (every value would be stale before the next one comes)",
        ),
        (
            "min: \"0\"",
            "min: 2k",
            "18:38 policies[0].spec.guard.min: `min` is above `max` (swap them)",
        ),
        (
            "min: \"0\"",
            "min: lots",
            "18:38 policies[0].spec.guard.min: `lots` is not a quantity (write it like `100`, `1500m`, `2k` or `512Mi`)",
        ),
        (
            "type: Pods",
            "type: Pods, describedObject: {apiVersion: v1, kind: Pod, name: a}",
            "21:43 policies[1].spec.metric.describedObject: only an Object metric describes an object (leave it out, or say `type: Object`)",
        ),
        (
            "        describedObject: {apiVersion: apps/v1, kind: Deployment, name: llama}\n",
            "",
            "25:7 policies[2].spec.metric: an Object metric needs a `describedObject` (name the object as the HPA does: apiVersion, kind, name)",
        ),
        (
            "name: pods, namespace",
            "name: llama, namespace",
            "19:16 policies[1].metadata.name: there are two policies `inference/llama` (rename one of them)",
        ),
        (
            "kind: AdapterConfig",
            "kind: MetricPolicy",
            "2:1 kind: expected `AdapterConfig`, found `MetricPolicy` (`kubectl apply` takes it; in this file policies are entries of `policies`)",
        ),
    ] {
        check(replace, with, &[expected]);
    }
}

#[test]
fn all_faults_come_in_one_pass_in_the_order_of_the_file() {
    let text = GOOD
        .replacen("timeout: 1s", "timeout: 1h", 1)
        .replacen("interval: 15s", "interval: 1ms", 1)
        .replacen("query: 'x'", "query: 'x['", 1)
        .replacen("combine: running", "combin: runing", 1)
        .replacen("smooth:", "smoothing:", 1);
    let faults = load(&text).unwrap().faults;
    let lines: Vec<usize> = faults.iter().filter_map(|it| it.position).map(|it| it.line).collect();
    assert_eq!(lines, [7, 10, 12, 15, 16, 17, 22], "{faults:#?}");
}

#[test]
fn one_broken_policy_leaves_the_good_ones_alone_and_says_why() {
    let config = load(&GOOD.replacen("running + waiting", "running +", 1)).unwrap();
    let good: Vec<String> = config.policies.iter().map(|it| it.key.to_string()).collect();
    assert_eq!(good, ["inference/pods", "inference/object"]);
    let [broken] = config.broken.as_slice() else { panic!("one is broken") };
    assert_eq!(broken.key.as_ref().unwrap().to_string(), "inference/llama");
    assert_eq!(
        broken.metric.as_ref().unwrap().to_string(),
        "external metric llama_demand in namespace inference"
    );
    assert!(broken.reason().starts_with("spec.combine: line 1"), "{}", broken.reason());
}

#[test]
fn a_broken_source_breaks_only_what_reads_it() {
    let config = load(&GOOD.replacen("http://127.0.0.1:9400/metrics", "nowhere", 1)).unwrap();
    assert_eq!(config.policies.len(), 2);
    let reason = config.broken.first().unwrap().reason();
    assert!(reason.contains("source `engine` cannot be used"), "{reason}");
}

#[test]
fn a_url_with_a_password_is_refused_and_not_repeated() {
    let text = GOOD.replacen("http://prometheus:9090/", "http://user:hunter2@prometheus:9090", 1);
    let config = load(&text).unwrap();
    let shown = format!("{:?}", config.faults);
    assert!(shown.contains("must not carry a password"), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn what_is_no_yaml_or_another_file_is_refused_whole() {
    for (text, problem) in [
        ("a: [1", "not YAML"),
        ("", "expected a mapping, found nothing"),
        ("- a", "expected a mapping, found a list"),
        ("rules: []", "`apiVersion` is missing"),
    ] {
        let faults = load(text).unwrap_err();
        let found = faults.iter().any(|it| it.problem.contains(problem));
        assert!(found, "{text:?}: {faults:?}");
    }
    let large = "#".repeat(limits::CONFIG_BYTES_MAX + 1);
    assert!(load(&large).unwrap_err()[0].problem.contains("larger than"));
}

#[test]
fn a_policy_of_the_cluster_stands_in_the_file_too() {
    let from = "  - metadata: {name: pods, namespace: inference}\n    spec:\n";
    let to = "  - kind: ClusterMetricPolicy\n    metadata: {name: pods}\n    spec:\n      namespace: other\n";
    let config = load(&GOOD.replace(from, to)).unwrap();
    assert_eq!(config.faults, vec![]);
    assert_eq!(config.policies[1].key.to_string(), "other/pods");
    for (from, to, problem) in [
        (
            from,
            "  - metadata: {name: pods}\n    spec:\n",
            "policies[1].metadata: `namespace` is missing",
        ),
        (
            from,
            "  - metadata: {name: pods, namespace: inference}\n    spec:\n      namespace: other\n",
            "policies[1].spec.namespace: a MetricPolicy publishes in the namespace that it is in",
        ),
        (
            from,
            "  - kind: ClusterMetricPolicy\n    metadata: {name: pods, namespace: a}\n    spec:\n      namespace: other\n",
            "policies[1].metadata.namespace: a ClusterMetricPolicy is in no namespace",
        ),
    ] {
        let config = load(&GOOD.replace(from, to)).unwrap();
        let faults: Vec<String> = config.faults.iter().map(ToString::to_string).collect();
        assert_eq!(faults, [problem]);
        assert_eq!(config.policies.len(), 2);
    }
}
