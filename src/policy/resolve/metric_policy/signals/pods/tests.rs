//! What is asked of pods, as it is written.

use super::*;
use crate::policy::access::{HeaderText, Tls};
use crate::policy::partial::OnPartial;
use crate::policy::resolve;
use crate::policy::{Ask, Config};
use std::collections::BTreeMap;

fn config(metric_type: &str, signal: &str) -> Config {
    written(metric_type, &format!("{{x: {signal}}}"))
}

/// A policy with these signals, and what may follow them.
fn written(metric_type: &str, signals: &str) -> Config {
    let text = format!(
        "
apiVersion: foresail.dev/v1alpha1
kind: AdapterConfig
policies:
  - metadata: {{name: p, namespace: a}}
    spec:
      metric: {{name: m, type: {metric_type}}}
      signals: {signals}
"
    );
    resolve::load(&text).unwrap()
}

fn taken_as(metric_type: &str, keys: &str) -> PodsAsk {
    let pods = format!("{{pods: {{selector: {{matchLabels: {{app: a}}}}, port: 8000, {keys}}}}}");
    let config = config(metric_type, &pods);
    let [policy] = config.policies.as_slice() else { panic!("{keys}: {:?}", config.faults) };
    assert_eq!(policy.signals[0].source.as_str(), SOURCE);
    let Ask::Pods(ask) = &policy.signals[0].ask else { panic!("{keys}") };
    PodsAsk::clone(ask)
}

fn finite(value: f64) -> Finite {
    Finite::new(value).unwrap()
}

#[test]
fn what_is_left_out_is_the_usual() {
    let ask = taken_as("External", "series: q");
    let page = PodPage {
        port: PodPort::Number(8000),
        path: "/metrics".into(),
        tls: None,
        auth: None,
        headers: BTreeMap::new(),
        timeout: Duration::from_secs(1),
    };
    assert_eq!(*ask.page, page);
    assert_eq!((ask.value, ask.parts[0][0].series.within), (PodValue::Gauge, PodReduce::Sum));
    assert_eq!(ask.across, Across::One(PodReduce::Sum, OnPartial::ScaleUpOnly));
    assert!(!ask.includes_not_ready && !ask.names_files());
    assert_eq!(ask.names().collect::<Vec<_>>(), ["q"]);
}

#[test]
fn everything_that_can_be_written_is_taken() {
    let lately = Lately { window: Duration::from_secs(120), least: 5 };
    let usual = Lately { window: Duration::from_secs(60), least: 20 };
    let pooled = Across::Pooled(OnPartial::ScaleUpOnly);
    for (keys, value, within, across) in [
        (
            "series: c, value: rate, window: 2m, reduce: max, reducePods: avg, onPartial: use",
            PodValue::Rate(Lately { least: 20, ..lately }),
            PodReduce::Max,
            Across::One(PodReduce::Avg, OnPartial::Use),
        ),
        (
            "series: g, reduce: quantile(0.5), reducePods: 'quantile(1)', onPartial: refuse",
            PodValue::Gauge,
            PodReduce::Quantile(finite(0.5)),
            Across::One(PodReduce::Quantile(finite(1.0)), OnPartial::Refuse),
        ),
        (
            "series: h, value: 'quantile(0.95)', window: 2m, minObservations: 5",
            PodValue::Quantile(finite(0.95), lately),
            PodReduce::Sum,
            pooled,
        ),
        ("series: h, value: mean", PodValue::Mean(usual), PodReduce::Sum, pooled),
        (
            "series: h, value: mean, reducePods: max",
            PodValue::Mean(usual),
            PodReduce::Sum,
            Across::One(PodReduce::Max, OnPartial::ScaleUpOnly),
        ),
    ] {
        let ask = taken_as("External", keys);
        assert_eq!(
            (ask.value, ask.parts[0][0].series.within, ask.across),
            (value, within, across),
            "{keys}"
        );
    }
    assert_eq!(taken_as("Pods", "series: q").across, Across::Each);
    let ask = taken_as(
        "External",
        "series: q, scheme: https, path: /p, includeNotReady: true, timeout: 500ms, \
         tls: {caFile: /ca, certFile: /crt, keyFile: /key, serverName: pods.ml}, \
         auth: {bearer: {tokenFile: /token}}, headers: {X-Team: {valueFile: /team}}",
    );
    assert!(ask.includes_not_ready && ask.names_files());
    let certificates = Tls {
        ca_file: Some("/ca".into()),
        own: Some(("/crt".into(), "/key".into())),
        server_name: Some("pods.ml".into()),
    };
    assert_eq!(ask.page.tls, Some(PodTls { certificates, skips_verify: false }));
    assert_eq!(ask.page.auth, Some(PodAuth::Bearer { token_file: "/token".into() }));
    let headers = BTreeMap::from([("x-team".into(), HeaderText::File("/team".into()))]);
    assert_eq!(ask.page.headers, headers);
    assert_eq!(ask.page.timeout, Duration::from_millis(500));
}

#[test]
fn a_selector_is_that_of_a_deployment() {
    let labels = [("app", "a"), ("tier", "gpu")].into_iter().collect();
    for (selector, expected) in [
        ("{matchLabels: {app: a}}", true),
        ("{matchLabels: {app: a, tier: cpu}}", false),
        ("{matchExpressions: [{key: tier, operator: In, values: [gpu, cpu]}]}", true),
        ("{matchExpressions: [{key: tier, operator: NotIn, values: [gpu]}]}", false),
        ("{matchExpressions: [{key: tier, operator: Exists}]}", true),
        ("{matchLabels: {app: a}, matchExpressions: [{key: tier, operator: DoesNotExist}]}", false),
    ] {
        let config =
            config("External", &format!("{{pods: {{selector: {selector}, port: m, series: q}}}}"));
        let [policy] = config.policies.as_slice() else { panic!("{:?}", config.faults) };
        let Ask::Pods(ask) = &policy.signals[0].ask else { panic!() };
        assert_eq!(ask.selector.matches(&labels), expected, "{selector}");
        assert_eq!(ask.page.port, PodPort::Name("m".into()));
    }
}

#[test]
fn a_rate_is_taken_of_each_pod_and_not_of_their_sum() {
    let app = "{pods: {selector: {matchLabels: {app: a}}, port: 1, series: c";
    for (metric_type, signal, problem) in [
        ("External", format!("{app}}}}}\n      combine: perSecond(x)"), Some("several pods count")),
        (
            "External",
            format!("{app}}}}}\n      smooth: [{{rate: {{}}}}]"),
            Some("several pods count"),
        ),
        (
            "External",
            format!("{app}, value: rate}}}}\n      combine: perSecond(x)"),
            Some("no counter"),
        ),
        ("External", format!("{app}, value: rate}}}}\n      combine: x * 2.0"), None),
        ("Pods", format!("{app}}}}}\n      combine: perSecond(x)"), None),
    ] {
        let faults = written(metric_type, &format!("\n        x: {signal}")).faults;
        let problems: Vec<&str> = faults.iter().map(|it| it.problem.as_str()).collect();
        match (problem, problems.as_slice()) {
            (None, []) => {}
            (Some(problem), [only]) => assert!(only.contains(problem), "{signal}: {only}"),
            (expected, found) => panic!("{signal}: {expected:?}, {found:?}"),
        }
    }
}

/// A signal with these keys has one fault, at this place.
fn refused(metric_type: &str, keys: &str, place: &str, problem: &str) {
    let config = config(metric_type, &format!("{{pods: {{{keys}}}}}"));
    let faults: Vec<String> = config.faults.iter().map(ToString::to_string).collect();
    let [fault] = faults.as_slice() else { panic!("{keys}: {faults:?}") };
    assert!(fault.contains(&format!("{place}: ")) && fault.contains(problem), "{keys}: {fault}");
}

#[test]
fn what_proves_who_asks_is_checked_at_its_place() {
    for (keys, place, problem) in [
        ("tls: {}", "tls", "without `scheme"),
        ("scheme: https, tls: {certFile: /c}", "tls", "belong together"),
        (
            "scheme: https, tls: {caFile: /c, insecureSkipVerify: true}",
            "tls.insecureSkipVerify",
            "any certificate will do",
        ),
        ("scheme: https, tls: {serverName: 'a:9090'}", "tls.serverName", "name of the DNS"),
        ("auth: {}", "auth", "exactly one way"),
        ("auth: {bearer: {tokenFile: ' '}}", "auth.bearer.tokenFile", "the path of a file"),
        ("auth: {basic: {username: 'a:b', passwordFile: /p}}", "auth.basic.username", "`:`"),
        ("headers: {Host: {value: a}}", "headers.Host", "itself"),
        ("headers: {X: {}}", "headers.X", "exactly one"),
    ] {
        let keys = format!("selector: {{matchLabels: {{app: a}}}}, port: 1, series: q, {keys}");
        refused("External", &keys, place, problem);
    }
}

#[test]
fn what_makes_no_sense_is_refused_at_its_place() {
    let app = "selector: {matchLabels: {app: a}}";
    for (metric_type, keys, place, problem) in [
        ("External", "selector: {}, port: 1, series: q", "selector", "every pod"),
        (
            "External",
            "selector: {matchExpressions: [{key: a, operator: In}]}, port: 1, series: q",
            "matchExpressions[0].values",
            "need values",
        ),
        ("External", &format!("{app}, port: 0, series: q"), "port", "`0` is no port"),
        ("External", &format!("{app}, port: Web, series: q"), "port", "`Web` is no port"),
        ("External", &format!("{app}, port: 1, path: metrics, series: q"), "path", "not the path"),
        ("External", &format!("{app}, port: 1, path: '/m?x', series: q"), "path", "not the path"),
        ("External", &format!("{app}, port: 1, series: 'sum(q)'"), "series", "not a selector"),
        ("External", &format!("{app}, port: 1, series: q, timeout: 4s"), "timeout", "at most 3s"),
        ("External", &format!("{app}, port: 1, series: q, value: p95"), "value", "`p95` is no"),
        (
            "External",
            &format!("{app}, port: 1, series: q, value: quantile(95)"),
            "value",
            "`quantile(95)` is no value",
        ),
        ("External", &format!("{app}, port: 1, series: q, window: 1m"), "window", "a gauge has no"),
        ("External", &format!("{app}, port: 1, series: q, reduce: any"), "reduce", "no one number"),
        (
            "External",
            &format!("{app}, port: 1, series: q_bucket, value: mean"),
            "series",
            "without the suffix",
        ),
        (
            "External",
            &format!("{app}, port: 1, series: q, value: mean, reduce: max"),
            "reduce",
            "added up",
        ),
        ("Pods", &format!("{app}, port: 1, series: q, onPartial: use"), "onPartial", "each pod"),
    ] {
        refused(metric_type, keys, place, problem);
    }
    for (signal, problem) in [
        (
            "{source: s, pods: {selector: {matchLabels: {a: b}}, port: 1, series: q}}",
            "not from a source",
        ),
        ("{prometheus: {query: q}}", "which source"),
        ("{source: s}", "exactly one of"),
    ] {
        let faults = config("External", signal).faults;
        assert!(faults.iter().any(|it| it.problem.contains(problem)), "{signal}: {faults:?}");
    }
}
