//! What `engine: auto` comes to, as it is written.

use super::*;
use crate::policy::pods::PodPort;
use crate::policy::resolve::metric_policy::signals::profile::tests::{ask, config};

fn asked(signal: &str) -> Arc<AnyEngine> {
    let Ask::Engine(any) = ask("External", signal) else { panic!("{signal}") };
    any
}

fn of<'a>(any: &'a AnyEngine, engine: &str) -> &'a Engine {
    any.engines.iter().find(|it| &*it.name == engine).unwrap()
}

#[test]
fn one_query_of_the_own_namespace_tells_all_engines() {
    let keys = "engine: auto, signal: demand, podPattern: llama-.*, where: {team: a}";
    let any = asked(&format!("{{source: default, profile: {{{keys}}}}}"));
    let Place::Query { query, namespace } = &any.place else { panic!("{:?}", any.place) };
    assert_eq!(namespace.as_str(), "ml");
    assert_eq!(query.matches("label_replace(count(").count(), any.engines.len());
    for part in [
        r#"label_replace(count(sglang:num_running_reqs{namespace="ml",pod=~"llama-.*",team="a"}), "foresail_engine", "sglang", "__name__", ".*")"#,
        r#"count(vllm:num_incoming_requests_total{namespace="ml",pod=~"llama-.*",team="a"} or vllm:num_requests_running{namespace="ml",pod=~"llama-.*",server!="",team="a"})"#,
    ] {
        assert!(query.contains(part), "{part}: {query}");
    }
    // What is asked then is what is asked when the engine is named.
    let named = ask(
        "External",
        &format!("{{source: default, profile: {{{}}}}}", keys.replace("auto", "sglang")),
    );
    assert_eq!(of(&any, "sglang").ask, Ok(named));
    let why = of(&any, "triton").ask.clone().unwrap_err();
    assert!(why.starts_with("has no signal `demand`; it has waiting, requestRate"), "{why}");
    assert!(any.engines.iter().all(|it| &*it.name != "dcgm"), "an exporter is no engine");
}

#[test]
fn pods_are_asked_on_the_page_of_each_engine() {
    let keys = "engine: auto, signal: demand, selector: {matchLabels: {app: a}}";
    let any = asked(&format!("{{profile: {{{keys}}}}}"));
    assert!(matches!(any.place, Place::Pods { includes_not_ready: false, .. }));
    for (engine, port, path) in [
        ("vllm", 8000, "/metrics"),
        ("trtllm-serve", 8000, "/prometheus/metrics"),
        ("sglang", 30000, "/metrics"),
        // It has no demand and is told all the same.
        ("triton", 8002, "/metrics"),
    ] {
        let page = of(&any, engine).page.as_ref().unwrap();
        assert_eq!((&page.port, &*page.path), (&PodPort::Number(port), path), "{engine}");
    }
    let router = of(&any, "vllm-router");
    assert_eq!(router.ask, Err("has no usual port: write `port`".into()));
    let named = asked(&format!("{{profile: {{{keys}, port: http}}}}"));
    assert!(of(&named, "vllm-router").ask.is_ok());
    assert!(named.engines.iter().all(|it| {
        it.page.as_ref().is_some_and(|page| page.port == PodPort::Name("http".into()))
    }));
}

#[test]
fn what_is_wrong_is_told_once() {
    let read = "selector: {matchLabels: {app: a}}";
    for (source, keys, place, told) in [
        ("default", "signal: dramActive", "engine", "name what has it: amd-gpu, dcgm, intel-gpu"),
        ("default", "signal: ttft, quantile: 2", "quantile", "from 0 to 1"),
        ("default", "signal: demand, port: 80", "port", "`port` is for pods, which"),
        ("", &format!("signal: demand, port: 0, {read}"), "port", "`0` is no port"),
        ("", &format!("signal: demand, window: 2h, {read}"), "window", "at most 10m"),
        ("", "signal: demand, selector: {}", "selector", "selects every pod"),
    ] {
        let source = if source.is_empty() { String::new() } else { format!("source: {source}, ") };
        let signal = format!("{{{source}profile: {{engine: auto, {keys}}}}}");
        let config = config("External", &signal);
        let [fault] = config.faults.as_slice() else { panic!("{keys}: {:?}", config.faults) };
        let shown = format!("{fault}; {}", fault.hint.as_deref().unwrap_or_default());
        let place = format!("signals.x.profile.{place}");
        assert!(shown.contains(&place) && shown.contains(told), "{keys}: {shown}");
    }
}
