//! What is asked of an exporter's pages.

use crate::domain::name::{Namespace, PolicyName};
use crate::domain::policy_object::{PolicyKind, PolicyObject, PolicyObjectId};
use crate::policy::partial::OnPartial;
use crate::policy::pods::{Across, PodReduce};
use crate::policy::resolve::objects::{Objects, Verdict};
use crate::policy::{Ask, Config, resolve};
use std::sync::Arc;

/// Pods that are shown a token of the operator's, beside a Prometheus and a page.
const SOURCES: &str = "
apiVersion: foresail.dev/v1alpha1
kind: AdapterConfig
sources:
  - {name: default, prometheus: {url: 'http://prometheus:9090'}}
  - {name: page, scrape: {url: 'http://127.0.0.1:9400/metrics'}}
  - name: gpus
    scrape: {pods: {namespace: gpu-operator, selector: {matchLabels: {app: dcgm}}, port: 9400, auth: {bearer: {tokenFile: /t}}}}
";

fn config(metric_type: &str, signal: &str) -> Config {
    let policies = format!(
        "policies:\n  - {{metadata: {{name: p, namespace: ml}}, spec: {{metric: {{name: m, type: \
         {metric_type}}}, signals: {{x: {signal}}}}}}}\n"
    );
    resolve::load(&format!("{SOURCES}{policies}")).unwrap()
}

#[test]
fn the_name_of_the_source_is_all_that_differs_from_prometheus() {
    for (metric_type, keys, across) in [
        ("External", "signal: gpuUtilization", Across::One(PodReduce::Avg, OnPartial::ScaleUpOnly)),
        (
            "External",
            "signal: memoryUsed, where: {modelName: T4}, podPattern: llama-.*, onPartial: use",
            Across::One(PodReduce::Sum, OnPartial::Use),
        ),
        ("Pods", "signal: dramActive, podLabel: exported_pod, window: 1m", Across::Each),
    ] {
        let signal =
            |source: &str| format!("{{source: {source}, profile: {{engine: dcgm, {keys}}}}}");
        let queried = config(metric_type, &signal("default"));
        assert!(matches!(queried.policies[0].signals[0].ask, Ask::Query { .. }), "{keys}");
        let config = config(metric_type, &signal("gpus"));
        assert!(config.faults.is_empty(), "{:?}", config.faults);
        let signal = &config.policies[0].signals[0];
        let Ask::Pods(ask) = &signal.ask else { panic!("{keys}") };
        let exporter = ask.exporter.as_ref().unwrap();
        assert_eq!((signal.source.as_str(), ask.across), ("gpus", across), "{keys}");
        assert_eq!(exporter.namespace.as_str(), "gpu-operator");
        assert_eq!(exporter.workloads.as_str(), "ml");
        assert_eq!((ask.key(), ask.names_files()), ("profile", false));
    }
    let rows = |ask: &Ask| {
        let Ask::Pods(ask) = ask else { panic!("{ask:?}") };
        let rows = ask.exporter.as_ref().unwrap().rows.iter();
        rows.map(|it| it.labels.text().to_owned()).collect::<Vec<_>>()
    };
    let signal = "{source: gpus, profile: {engine: dcgm, signal: power, podPattern: a.*}}";
    let expected = [
        r#"row{exported_namespace="ml",exported_pod!="",exported_pod=~"a.*"}"#,
        r#"row{exported_pod="",pod_name!="",pod_name=~"a.*",pod_namespace="ml"}"#,
        r#"row{exported_pod="",namespace="ml",pod!="",pod=~"a.*",pod_name=""}"#,
    ];
    assert_eq!(rows(&config("External", signal).policies[0].signals[0].ask), expected);
}

#[test]
fn what_is_wrong_is_told_with_what_to_do() {
    for (metric_type, signal, told) in [
        (
            "External",
            "{source: gpus, profile: {engine: vllm, signal: demand}}",
            "engine: the series of vllm are about its own pods",
        ),
        (
            "External",
            "{source: gpus, profile: {engine: auto, signal: demand}}",
            "engine: the source has the pages of an exporter",
        ),
        (
            "External",
            "{source: gpus, profile: {engine: dcgm, signal: demand}}",
            "signal: dcgm has no signal `demand`",
        ),
        (
            "External",
            "{source: gpus, profile: {engine: dcgm, signal: power, port: 1}}",
            "port: `port` is for pods",
        ),
        (
            "External",
            "{source: gpus, profile: {engine: dcgm, signal: power, podPattern: '('}}",
            "podPattern: not a regular",
        ),
        (
            "External",
            "{source: gpus, profile: {engine: dcgm, signal: power, podLabel: p}}",
            "podLabel: only a Pods metric",
        ),
        (
            "Pods",
            "{source: gpus, profile: {engine: dcgm, signal: power, onPartial: use}}",
            "onPartial: a Pods metric",
        ),
        (
            "External",
            "{source: page, profile: {engine: dcgm, signal: power}}",
            "source: source `page` is one page",
        ),
        (
            "External",
            "{source: gpus, scrape: {series: x}}",
            "source: source `gpus` is the pods of an exporter",
        ),
        (
            "External",
            "{source: gpus, prometheus: {query: x}}",
            "source: source `gpus` is the pods of an exporter",
        ),
        (
            "External",
            "{profile: {engine: dcgm, signal: power, selector: {matchLabels: {a: b}}}}",
            "selector: the series of dcgm are about other pods",
        ),
    ] {
        let config = config(metric_type, signal);
        let [fault] = config.faults.as_slice() else { panic!("{signal}: {:?}", config.faults) };
        let is_whole = fault.position.is_some() && fault.hint.is_some();
        assert!(is_whole && fault.to_string().contains(told), "{signal}: {fault}");
    }
}

/// What becomes of an object in the cluster.
fn object(kind: PolicyKind, signal: &str) -> Verdict {
    let namespace = Namespace::new("ml").ok();
    let (own, publishes) = match kind {
        PolicyKind::Namespaced => (namespace, ""),
        PolicyKind::Cluster => (None, r#""namespace": "ml", "#),
    };
    let within = own.as_ref().map_or(String::new(), |it| format!(r#", "namespace": "{it}""#));
    let spec = format!(
        r#"{{"apiVersion": "foresail.dev/v1alpha1", "kind": "{}", "metadata": {{"name": "o"{within}}},
            "spec": {{{publishes}"metric": {{"name": "o", "type": "External"}}, "signals": {{"x": {signal}}}}}}}"#,
        kind.kind()
    );
    let id = PolicyObjectId { kind, namespace: own, name: PolicyName::new("o").unwrap() };
    let object = PolicyObject {
        id: id.clone(),
        uid: "u".into(),
        generation: 1,
        created: jiff::Timestamp::UNIX_EPOCH,
        text: Some(spec.into()),
    };
    let file = config("External", "{source: default, prometheus: {query: 'up'}}");
    let mut joined = Objects::default().join(&file, &[Arc::new(object)]);
    joined.verdicts.remove(&id).unwrap()
}

#[test]
fn an_object_of_the_cluster_reads_the_rows_of_the_namespace_in_which_it_publishes() {
    let signal = r#"{"source": "gpus", "profile": {"engine": "dcgm", "signal": "power",
                     "where": {"namespace": "bank"}}}"#;
    for kind in PolicyKind::ALL {
        let verdict = object(kind, signal);
        // The operator's token is shown to the operator's pods alone, whoever writes the policy.
        let policy = verdict.running.unwrap_or_else(|| panic!("{:?}", verdict.refused));
        let Ask::Pods(ask) = &policy.signals[0].ask else { panic!("{kind:?}") };
        assert_eq!(ask.exporter.as_ref().unwrap().workloads.as_str(), "ml", "{kind:?}");
        assert!(ask.page.auth.is_some());
    }
}

#[test]
fn a_policy_that_was_good_goes_on_while_its_source_is_the_same() {
    let good = "{source: gpus, profile: {engine: dcgm, signal: power}}";
    let before = config("External", good);
    for (from, to, keeps) in [
        ("x", "x", true),
        ("port: 9400, ", "port: 9401, ", false),
        ("namespace: gpu-operator", "namespace: other", false),
        (", auth: {bearer: {tokenFile: /t}}", "", false),
        ("name: gpus", "name: cards", false),
    ] {
        let text = SOURCES.replace(from, to);
        let now = resolve::load(&text).unwrap();
        assert_eq!(now.can_read(&before.policies[0]), keeps, "{to}");
    }
}
