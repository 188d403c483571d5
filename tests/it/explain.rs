//! Why a metric has its value: the trace of an evaluation, live and replayed, over HTTP and in the
//! terminal.
#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use crate::support::adapter::{Adapter, config, external, foresail, page_signal, scrape};
use crate::support::wait;
use crate::support::web::{Behaviour, Web};
use foresail::domain::finite::Finite;
use foresail::domain::hpa::{HpaUse, MetricTarget};
use foresail::domain::limits;
use foresail::domain::name::{Namespace, ObjectName};
use foresail::domain::object::{ObjectKind, ObjectRef};
use foresail::domain::sample::Sample;
use foresail::domain::supply::{Basis, Startup, Supply, TargetSupply};
use foresail::evaluation::Evaluation;
use foresail::evaluation::explain::Question;
use foresail::evaluation::forecasts::lead_time;
use foresail::pipeline::trace::Trace;
use foresail::pipeline::trace::text::{render, table};
use foresail::pipeline::{self, Memory, Surroundings};
use foresail::policy::{Policy, resolve};
use foresail::series::{Samples, Window};
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;
use std::f64::consts::TAU;
use std::sync::Arc;
use std::time::Duration;

const FORECASTING: &str = r#"
apiVersion: foresail.dev/v1alpha1
kind: AdapterConfig
sources: [{name: default, prometheus: {url: "http://127.0.0.1:1"}}]
policies:
  - metadata: {name: llama, namespace: inference}
    spec:
      metric: {name: llama_demand, type: External}
      interval: 60s
      signals:
        running: {source: default, prometheus: {query: 'sum(running{key="hidden"})'}}
        waiting: {source: default, prometheus: {query: 'sum(waiting{key="hidden"})'}}
      combine: running + waiting
      smooth: [{hampel: {}}, {ewma: {halfLife: 30s}}]
      forecast: {model: residualAnalog, leadTime: auto, quantile: 0.9, downWindow: 5m}
      guard: {maxAge: 2m, hold: 2m, min: "1", max: "44"}
"#;

const MINUTE: i64 = 60;
const DAY: i64 = 1_440;
/// A midnight, and a noon three days later.
const BEGIN: i64 = 20_000 * 86_400;
const NOON: i64 = 3 * DAY + 12 * 60;

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(BEGIN + minute * MINUTE).unwrap()
}

/// What both signals answer: a daily rhythm with a jump every hour, and a queue at its beginning.
fn signals(minute: i64) -> Vec<Samples> {
    let phase = minute.rem_euclid(DAY) as f64 / DAY as f64 * TAU;
    let jump = if minute.rem_euclid(60) < 12 { 12.0 } else { 0.0 };
    let running = 20.0 - 10.0 * phase.cos() + jump + ((minute * 7_919) % 13) as f64 / 13.0;
    let waiting = if minute.rem_euclid(60) < 2 { 3.0 } else { 0.0 };
    let sample = |value| Sample { at: at(minute), value: Finite::new(value).unwrap() };
    [running, waiting].map(|it| BTreeMap::from([(None, sample(it))])).into()
}

/// One HPA, three pods that serve and one that starts.
fn supply() -> Arc<Supply> {
    let deployment = ObjectRef {
        kind: ObjectKind { api_version: "apps/v1".into(), kind: "Deployment".into() },
        namespace: Some(Namespace::new("inference").unwrap()),
        name: ObjectName::new("llama").unwrap(),
    };
    let hpa = HpaUse {
        name: ObjectName::new("llama").unwrap(),
        scales: deployment.clone(),
        target: MetricTarget::AverageValue(Finite::new(10.0).unwrap()),
        min_replicas: 1,
        max_replicas: 20,
        down_window: Duration::from_secs(300),
    };
    let basis = Basis::Measured { starts: 12, is_cold: true };
    let target = TargetSupply {
        target: deployment,
        n_ready: 3,
        starting: vec![at(NOON - 1)],
        n_troubled: 0,
        startup: Startup { time: Duration::from_secs(95), basis },
    };
    Arc::new(Supply { hpas: Some(Arc::from([hpa])), targets: vec![target], ..Supply::default() })
}

fn surroundings(minute: i64) -> Surroundings {
    let now = at(minute).checked_add(Duration::from_secs(2)).unwrap();
    Surroundings { now, supply: Some(supply()) }
}

/// The forecast is asked for once the past is there, so that the test is not one of models.
const FORECAST_FROM: i64 = NOON - 2;

/// As the tick does it: evaluate what was read, make the forecast that is due, take it.
fn live(policy: &Arc<Policy>, minutes: i64) -> Vec<Arc<Trace>> {
    let mut evaluation = Evaluation::default();
    evaluation.configure(&resolve::load(FORECASTING).unwrap());
    for minute in 0..=minutes {
        let surroundings = surroundings(minute);
        let readings = signals(minute).into_iter().map(Ok).collect();
        evaluation.evaluate(policy, readings, None, surroundings.clone()).unwrap();
        evaluation.skip_backfill(policy);
        let lead = |it: &Policy| lead_time(it, surroundings.supply.as_deref());
        if minute >= FORECAST_FROM {
            let (_, job) = evaluation.next_forecast(surroundings.now, lead).unwrap();
            evaluation.take_forecast(policy, job.run(), &surroundings);
        }
    }
    let namespace = policy.key.namespace.clone();
    let question = Question::Metric { namespace, metric: policy.metric.clone(), last: 60 };
    evaluation.explain(&question).explained.remove(0).traces
}

/// As a simulation does it: the pipeline alone.
fn replayed(policy: &Policy, minutes: i64) -> Vec<Arc<Trace>> {
    let mut window = Window::new(policy.signals.len());
    let mut memory = Memory::new(policy);
    for minute in 0..=minutes {
        let surroundings = surroundings(minute);
        for (track, samples) in window.signals.iter_mut().zip(signals(minute)) {
            track.extend(samples);
        }
        pipeline::run(policy, &window, &mut memory, &surroundings);
        if minute >= FORECAST_FROM {
            let lead = policy.lead_time(surroundings.supply.as_deref()).total();
            let job = memory.forecast_job(policy, lead, true, surroundings.now).unwrap();
            memory.take_forecast(job.run());
            pipeline::run(policy, &window, &mut memory, &surroundings);
        }
    }
    let traces = memory.traces().unwrap();
    let bytes = traces.bytes();
    assert!(bytes < limits::TRACES_BYTES_MAX, "{bytes}");
    traces.newest().collect()
}

#[test]
fn the_same_demand_leaves_the_same_trace_live_and_replayed() {
    let config = resolve::load(FORECASTING).unwrap();
    assert_eq!(config.faults, vec![]);
    let policy = config.policies.first().unwrap();
    let (live, replayed) = (live(policy, NOON), replayed(policy, NOON));
    assert_eq!(live.len(), 60);
    for (live, replayed) in live.iter().zip(&replayed) {
        assert_eq!(render(policy, live), render(policy, replayed));
    }
    assert_eq!(table(&live), table(&replayed));
    assert_eq!(live, replayed);
    let text = format!("{}\n{}", render(policy, &live[0]), table(&live[..8]));
    assert!(!text.contains("hidden"), "{text}");
    insta::assert_snapshot!(text);
}

/// An adapter with a page that is there, one that is not, and a broken policy; two policies publish
/// one metric about two objects.
async fn adapter(web: &Web) -> Adapter {
    web.show("/page", "q 6\n");
    web.set("/away", Behaviour::Answer(503, Vec::new()));
    let sources = [scrape("page", &web.url("/page")), scrape("away", &web.url("/away"))];
    let object = |name: &str, describes: &str, source: &str| {
        let described = format!("{{apiVersion: apps/v1, kind: Deployment, name: {describes}}}");
        let metric = format!("type: Object, describedObject: {described}");
        external(name, "200ms", &page_signal(source))
            .replace(&format!("name: {name}, type: External"), &format!("name: rps, {metric}"))
    };
    let policies = [
        external("demand", "200ms", &page_signal("page")),
        external("broken", "200ms", &page_signal("nowhere")),
        object("good", "gateway", "page"),
        object("bad", "cache", "away"),
    ];
    let adapter = Adapter::start(&config(&sources, &policies)).await;
    adapter.serves("demand", "6").await;
    adapter
}

/// `text` without what is another time or place in every run.
fn steady(text: &str, adapter: &Adapter) -> String {
    let mut steady = String::new();
    let text = text.replace(&adapter.observability.to_string(), "ADDRESS");
    // A source that is away may have been so for several evaluations.
    for line in text.lines().filter(|it| !it.contains("the same since ")) {
        let words: Vec<&str> = line.split(' ').collect();
        let follows = |idx: usize| words.get(idx + 1).is_some_and(|it| it.starts_with("old"));
        let last = |idx: usize| idx.checked_sub(1).and_then(|it| words.get(it)).copied();
        let shown = words.iter().enumerate().map(|(idx, word)| {
            let bare = word.trim_matches([',', '"']);
            let is_age = matches!(last(idx), Some("\"ageSeconds\":" | "\"oldestAgeSeconds\":"));
            if follows(idx) || is_age {
                word.replace(bare, "AGE")
            } else if bare.parse::<Timestamp>().is_ok() {
                word.replace(bare, "INSTANT")
            } else {
                (*word).to_owned()
            }
        });
        steady.push_str(&shown.collect::<Vec<_>>().join(" "));
        steady.push('\n');
    }
    steady
}

#[tokio::test]
async fn the_observability_port_explains_every_policy_that_publishes_a_metric() {
    let web = Web::start().await;
    let adapter = adapter(&web).await;
    let mut said = String::new();
    for path in [
        "",
        "?format=text",
        "/inference/demand?last=1",
        "/inference/demand?last=1&format=text",
        "/inference/rps?last=1&format=text",
        "/inference/broken?format=text",
        "/inference/broken",
        "/inference/demnad",
        "/inference/zzz?format=text",
        "/inference/Not%20a%20name:",
        "/Inference/demand",
        "/inference/demand?last=0",
        "/inference/demand?last=61&format=text",
        "/inference/demand?format=xml",
        "/inference/demand?lats=3",
    ] {
        let answer = adapter.observe(&format!("/debug/explain{path}")).await.unwrap();
        let body = steady(&answer.body, &adapter);
        said.push_str(&format!("GET /debug/explain{path}\n{}\n{body}\n", answer.code));
    }
    insta::assert_snapshot!(said);
}

/// Exit code, stdout and stderr of `foresail explain`.
fn explain(arguments: &[&str]) -> String {
    let output = foresail().arg("explain").args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    format!(
        "$ foresail explain {}\nexit code {}\n--- stdout\n{}--- stderr\n{}\n",
        arguments.join(" "),
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn the_terminal_shows_what_the_port_answers_and_says_what_to_do_when_it_does_not() {
    let web = Web::start().await;
    let adapter = adapter(&web).await;
    let server = adapter.observability.to_string();
    let elsewhere = web.url("/nothing");
    let mut said = String::new();
    for arguments in [
        &["inference", "demand", "--server", &server, "--last", "1"][..],
        &["inference", "demnad", "--server", &format!("http://{server}/")],
        &["inference", "demand", "--server", &server, "--last", "61"],
        &["Inference", "demand", "--server", &server],
        &["inference", "demand", "--server", "ftp://127.0.0.1"],
        &["inference", "demand", "--server", "http://me:hidden@127.0.0.1"],
        &["inference", "demand", "--server", "http://127.0.0.1:9"],
        &["inference", "demand", "--server", &elsewhere],
    ] {
        said.push_str(&steady(&explain(arguments), &adapter));
    }
    let origin = elsewhere.trim_end_matches("/nothing");
    insta::assert_snapshot!(said.replace(origin, "ELSEWHERE"));
    let json = explain(&["inference", "demand", "--server", &server, "--json", "--last", "2"]);
    let json = json.split_once("--- stdout\n").unwrap().1.split_once("--- stderr").unwrap().0;
    let json: Value = serde_json::from_str(json).unwrap();
    // Evaluations that came to the same share one trace, so there may be fewer than were asked for.
    let traces = json["policies"][0]["traces"].as_array().unwrap();
    assert!((1..=2).contains(&traces.len()), "{json}");
    assert_eq!(traces[0]["signals"][0]["name"], "it", "{json}");
}

#[tokio::test]
async fn a_value_that_is_held_says_so_and_one_trace_stands_for_the_whole_outage() {
    let web = Web::start().await;
    let adapter = adapter(&web).await;
    web.set("/page", Behaviour::Answer(503, Vec::new()));
    wait::until("an outage of some evaluations", async || {
        let path = "/debug/explain/inference/demand?last=2";
        let body = adapter.observe(path).await?.body;
        let said: Value = serde_json::from_str(&body).map_err(|error| error.to_string())?;
        let traces = &said["policies"][0]["traces"];
        let trouble = &traces[0]["signals"][0]["trouble"];
        let is_outage = trouble.as_str().is_some_and(|it| it.contains("503"));
        let is_one = traces[0]["evaluations"].as_u64() >= Some(3);
        let was_well = traces[1]["signals"][0]["trouble"].is_null();
        wait::seen(is_outage && is_one && was_well, &body)
    })
    .await;
}
