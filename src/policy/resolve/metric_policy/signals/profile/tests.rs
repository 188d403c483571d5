//! What is asked of a profile, as it is written.

use super::*;
use crate::domain::name::{Namespace, PolicyName};
use crate::domain::policy_object::{PolicyKind, PolicyObject, PolicyObjectId};
use crate::policy::Config;
use crate::policy::pods::{PodPort, PodValue};
use crate::policy::profile::Canonical;
use crate::policy::resolve;
use crate::policy::resolve::objects::{Objects, Verdict};

/// A policy of this type with this signal, beside a Prometheus and a page.
pub(super) fn config(metric_type: &str, signal: &str) -> Config {
    let text = format!(
        "
apiVersion: foresail.dev/v1alpha1
kind: AdapterConfig
sources:
  - {{name: default, prometheus: {{url: 'http://prometheus:9090'}}}}
  - {{name: page, scrape: {{url: 'http://127.0.0.1:9400/metrics'}}}}
policies:
  - metadata: {{name: p, namespace: ml}}
    spec:
      metric: {{name: m, type: {metric_type}}}
      signals: {{x: {signal}}}
"
    );
    resolve::load(&text).unwrap()
}

pub(super) fn ask(metric_type: &str, signal: &str) -> Ask {
    let config = config(metric_type, signal);
    let [policy] = config.policies.as_slice() else { panic!("{signal}: {:?}", config.faults) };
    policy.signals[0].ask.clone()
}

fn pods(metric_type: &str, keys: &str) -> PodsAsk {
    let signal = format!("{{profile: {{selector: {{matchLabels: {{app: a}}}}, {keys}}}}}");
    let Ask::Pods(ask) = ask(metric_type, &signal) else { panic!("{keys}") };
    PodsAsk::clone(&ask)
}

#[test]
fn an_engine_and_a_signal_are_a_query_of_the_own_namespace() {
    let demand = r#"sum(sum by (pod) (vllm:num_requests_waiting_by_reason{namespace="ml",reason="capacity"}) or sum by (pod) (vllm:num_requests_waiting{namespace="ml"})) + sum(sum by (pod) (vllm:num_requests_running{namespace="ml"}))"#;
    let of_model = r#"sum by (workload) (vllm:num_requests_running{model_name="llama",namespace="ml",workload=~"llama-.*"})"#;
    let rate = r#"sum(sum by (pod) (rate(vllm:prompt_tokens_total{namespace="ml"}[60000ms])))"#;
    for (metric_type, keys, expected, label) in [
        ("External", "signal: demand", demand, None),
        (
            "Pods",
            "signal: running, where: {model_name: llama}, podPattern: llama-.*, podLabel: workload",
            of_model,
            Some("workload"),
        ),
        ("External", "signal: promptTokens, window: 1m", rate, None),
    ] {
        let signal = format!("{{source: default, profile: {{engine: vllm, {keys}}}}}");
        let Ask::Query { query, pod_label, profile, .. } = ask(metric_type, &signal) else {
            panic!("{keys}")
        };
        assert_eq!((query.as_str(), pod_label.as_deref()), (expected, label));
        assert_eq!(&*profile.unwrap().engine, "vllm");
    }
}

#[test]
fn a_policy_says_what_a_part_of_the_data_is_worth_of_a_query_too() {
    for (keys, expected) in [
        ("", OnPartial::ScaleUpOnly),
        (", onPartial: use", OnPartial::Use),
        (", onPartial: refuse", OnPartial::Refuse),
    ] {
        let signal =
            format!("{{source: default, profile: {{engine: vllm, signal: demand{keys}}}}}");
        let Ask::Query { on_partial, .. } = ask("External", &signal) else { panic!("{keys}") };
        assert_eq!(on_partial, expected, "{keys}");
    }
}

#[test]
fn what_a_profile_is_asked_for_is_described_with_its_candidates() {
    let described = Described::new(
        resolve::load("apiVersion: foresail.dev/v1alpha1\nkind: AdapterConfig")
            .unwrap()
            .profiles
            .get("vllm")
            .unwrap(),
        Canonical::Demand,
    );
    let expected = "demand of vllm: vllm:num_requests_waiting_by_reason{reason=\"capacity\"}, else \
                    vllm:num_requests_waiting + vllm:num_requests_running";
    assert_eq!(described.unwrap().to_string(), expected);
}

#[test]
fn the_profile_knows_the_page_of_pods() {
    let ask = pods("External", "engine: trtllm-serve, signal: demand");
    assert_eq!((&ask.page.port, &*ask.page.path), (&PodPort::Number(8000), "/prometheus/metrics"));
    assert_eq!(ask.across, Across::One(PodReduce::Sum, OnPartial::ScaleUpOnly));
    assert_eq!(ask.parts.len(), 2, "what waits and what runs");
    let ask = pods("External", "engine: vllm, signal: kvCacheUsage, onPartial: use, port: http");
    assert_eq!(ask.page.port, PodPort::Name("http".into()));
    assert_eq!(ask.across, Across::One(PodReduce::Avg, OnPartial::Use));
    assert_eq!(ask.parts[0].len(), 2, "the new name and the old one");
    let ask = pods("External", "engine: vllm, signal: ttft, quantile: 0.5, where: {engine: '0'}");
    assert_eq!(ask.across, Across::Pooled(OnPartial::ScaleUpOnly));
    let lately = Lately { window: Duration::from_secs(60), least: 20 };
    assert_eq!(ask.value, PodValue::Quantile(Finite::new(0.5).unwrap(), lately));
    let series = ask.parts[0][0].series.series.text();
    assert_eq!(series, "vllm:time_to_first_token_seconds{engine=\"0\"}");
    let ask = pods("Pods", "engine: vllm, signal: demand");
    assert_eq!((ask.across, ask.key()), (Across::Each, "profile"));
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_what_to_do() {
    let read = "selector: {matchLabels: {app: a}}";
    for (source, keys, place, told) in [
        (
            "default",
            "engine: vlm, signal: demand",
            "engine",
            "no profile of `vlm`; did you mean `vllm`?",
        ),
        (
            "default",
            "engine: spaceship, signal: demand",
            "engine",
            "no profile of `spaceship`; `foresail profiles` lists those that there are",
        ),
        (
            "default",
            "engine: tgi, signal: ttft",
            "signal",
            "tgi has no signal `ttft`; it has waiting, running, demand, kvCacheUsage, requestRate, \
             promptTokens, generationTokens, interTokenLatency, queueTime",
        ),
        ("default", "engine: tgi, signal: demand, port: 80", "port", "`port` is for pods, which"),
        ("default", "engine: tgi, signal: demand, podPattern: '('", "podPattern", "not a regular"),
        ("default", "engine: tgi, signal: demand, podLabel: p", "podLabel", "only a Pods metric"),
        ("default", "engine: tgi, signal: demand, window: 2h", "window", "at most 10m"),
        ("default", "engine: vllm, signal: ttft, quantile: 2", "quantile", "from 0 to 1"),
        ("default", "engine: tgi, signal: demand, where: {'a\"}': b}", "where", "is not a label"),
        ("page", "engine: tgi, signal: demand", "source", "source `page` is one page"),
        ("defalt", "engine: tgi, signal: demand", "source", "did you mean `default`?"),
        ("", "engine: tgi, signal: demand", "profile", "where is it to be read?"),
        (
            "",
            &format!("engine: tgi, signal: demand, podLabel: a, {read}"),
            "podLabel",
            "is for a `source`",
        ),
        ("", &format!("engine: dcgm, signal: power, {read}"), "selector", "are about other pods"),
        ("", &format!("engine: knative, signal: queueTime, {read}"), "signal", "has no signal"),
        ("default", &format!("engine: tgi, signal: demand, {read}"), "source", "not a source"),
        ("", "engine: tgi, signal: demand, selector: {}", "selector", "selects every pod"),
    ] {
        let source = if source.is_empty() { String::new() } else { format!("source: {source}, ") };
        let config = config("External", &format!("{{{source}profile: {{{keys}}}}}"));
        let shown = config.faults.iter().map(|it| {
            assert!(it.position.is_some());
            format!("{it}; {}", it.hint.as_deref().unwrap_or_default())
        });
        let shown: Vec<String> = shown.collect();
        assert!(config.policies.is_empty(), "{keys}");
        let first = shown.first().unwrap_or_else(|| panic!("{keys}"));
        assert!(first.contains(told) && first.contains(place), "{keys}: {shown:?}");
    }
}

#[test]
fn a_label_of_a_policy_cannot_lead_out_of_its_namespace() {
    let signal = "{source: default, profile: {engine: vllm, signal: running, \
                  where: {namespace: other, model_name: 'a\"} or vllm:x{b=\"'}}}";
    let Ask::Query { query, .. } = ask("External", signal) else { panic!() };
    let expected = "sum(sum by (pod) (vllm:num_requests_running{model_name=\"a\\\"} or vllm:x{b=\\\"\",\
                    namespace=\"ml\",namespace=\"other\"}))";
    assert_eq!(query, expected);
    assert!(confine::demands(&query, &["namespace"], "ml"));
}

/// What becomes of an object in the cluster, which is confined to its namespace.
fn object(signal: &str) -> Verdict {
    let file = config("External", "{source: default, prometheus: {query: 'up'}}");
    let spec = format!(
        r#"{{"apiVersion": "foresail.dev/v1alpha1", "kind": "MetricPolicy",
            "metadata": {{"name": "o", "namespace": "ml"}},
            "spec": {{"metric": {{"name": "o", "type": "External"}}, "signals": {{"x": {signal}}}}}}}"#
    );
    let id = PolicyObjectId {
        kind: PolicyKind::Namespaced,
        namespace: Namespace::new("ml").ok(),
        name: PolicyName::new("o").unwrap(),
    };
    let object = PolicyObject {
        id: id.clone(),
        uid: "u".into(),
        generation: 1,
        created: jiff::Timestamp::UNIX_EPOCH,
        text: Some(spec.into()),
    };
    let mut joined = Objects::default().join(&file, &[Arc::new(object)]);
    joined.verdicts.remove(&id).unwrap()
}

#[test]
fn the_query_of_an_object_is_the_one_that_the_profile_makes() {
    let signal = |engine: &str, keys: &str| {
        format!(r#"{{"source": "default", "profile": {{"engine": "{engine}", {keys}}}}}"#)
    };
    let policy = object(&signal("dcgm", r#""signal": "dramActive""#)).running.unwrap();
    let Ask::Query { query, .. } = &policy.signals[0].ask else { panic!() };
    // The general confinement would demand the namespace of the exporter, too.
    assert!(query.contains("{exported_namespace=\"ml\",exported_pod!=\"\"}"), "{query}");
    let files = r#"{"profile": {"engine": "vllm", "signal": "demand",
        "selector": {"matchLabels": {"app": "a"}}, "auth": {"bearer": {"tokenFile": "/t"}}}}"#;
    let refused = object(files).refused.unwrap().message;
    assert!(refused.contains("x.profile: a MetricPolicy must not name files"), "{refused}");
}
