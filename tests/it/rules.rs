//! Rules of prometheus-adapter, served by the real binary: what is asked of Prometheus, how often, and
//! what comes of it.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails loudly")]

mod edits;

use crate::support::adapter::{Adapter, Setup, config, prometheus};
use crate::support::wait;
use crate::support::web::{Answered, Behaviour, Web};
use serde_json::Value;

const PROM: &str = "/prom/api/v1";
const SHOP: &str = "/apis/external.metrics.k8s.io/v1beta1/namespaces/shop";
const PODS: &str = "/apis/custom.metrics.k8s.io/v1beta2/namespaces/shop/pods";

/// An adapter with these lines of rules and a Prometheus that answers `answers`, the first that fits.
async fn adapter(rules: &str, answers: Vec<Answered>) -> (Adapter, Web) {
    let web = Web::start().await;
    web.set("/prom", Behaviour::Engines(answers));
    web.show(
        "/prom/api/v1/labels",
        r#"{"status": "success", "data": ["__name__", "namespace", "pod", "job"]}"#,
    );
    let config = config(&[prometheus("prom", &web.url("/prom"))], &[]);
    (Adapter::start(&format!("{config}{rules}")).await, web)
}

/// The queries for values, without those for lists of series.
fn queries(web: &Web) -> Vec<String> {
    let asked = web.asked(&format!("{PROM}/query"));
    let asked = asked.into_iter().map(|it| it.parameters["query"].clone());
    asked.filter(|it| !it.starts_with("group by (__name__)")).collect()
}

/// The names in a list of resources.
async fn listed(adapter: &Adapter, version: &str) -> Vec<String> {
    let list = adapter.get(&format!("/apis/{version}")).await.unwrap().body;
    let list: Value = serde_json::from_str(&list).unwrap();
    let names = list["resources"].as_array().unwrap().iter();
    names.map(|it| it["name"].as_str().unwrap().to_owned()).collect()
}

const EXTERNAL: &str = "
externalRules:
  - seriesQuery: 'queue_depth'
    resources: {overrides: {k8s_ns: {resource: namespace}}}
    name: {as: 'depth'}
    metricsQuery: 'sum(<<.Series>>{<<.LabelMatchers>>}) by (queue)'
  - seriesQuery: 'world_queue'
    resources: {namespaced: false}
    metricsQuery: 'sum(<<.Series>>{<<.LabelMatchers>>})'
  - seriesQuery: 'gone_depth'
    resources: {namespaced: false}
    metricsQuery: 'sum(<<.Series>>{<<.LabelMatchers>>})'
";

fn external_answers() -> Vec<Answered> {
    vec![
        (r#"{__name__="#, vec![], 0.0),
        ("last_over_time(queue_depth", vec![("__name__", "queue_depth")], 1.0),
        ("last_over_time(world_queue", vec![("__name__", "world_queue")], 1.0),
        ("last_over_time(gone_depth", vec![("__name__", "gone_depth")], 1.0),
        ("sum(queue_depth", vec![("queue", "a"), ("queue", "b")], 7.5),
        ("sum(world_queue", vec![], 3.0),
    ]
}

#[tokio::test]
async fn an_external_rule_is_listed_and_read_once_for_all_who_ask_first() {
    let (adapter, web) = adapter(EXTERNAL, external_answers()).await;
    let names = listed(&adapter, "external.metrics.k8s.io/v1beta1").await;
    assert_eq!(names, ["depth", "gone_depth", "world_queue"]);
    assert_eq!(queries(&web), Vec::<String>::new(), "nobody has asked yet");
    let labels = web.asked(&format!("{PROM}/labels"));
    assert!(labels.is_empty(), "names are enough for external rules: {labels:?}");

    let path = format!("{SHOP}/depth?labelSelector=team%3Dcore,tier%20in%20(x,y)");
    let asks = std::iter::repeat_with(|| adapter.get(&path)).take(8);
    for answer in futures::future::join_all(asks).await {
        let answer = answer.unwrap();
        assert_eq!(answer.values(), Ok(vec!["7500m".to_owned(), "7500m".to_owned()]));
        let list: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(list["items"][1]["metricLabels"], serde_json::json!({"queue": "b"}));
    }
    let query = r#"sum(queue_depth{team="core",tier=~"x|y",k8s_ns="shop"}) by (queue)"#;
    assert_eq!(queries(&web), [query]);

    let world = adapter.get(&format!("{SHOP}/world_queue")).await.unwrap();
    assert_eq!(world.values(), Ok(vec!["3".to_owned()]));
    assert_eq!(queries(&web)[1], "sum(world_queue{})", "not confined to a namespace");
}

#[tokio::test]
async fn an_external_metric_without_a_number_says_which_rule_and_why() {
    let (adapter, _web) = adapter(EXTERNAL, external_answers()).await;
    for (metric, code, expected) in [
        ("gone_depth", 404, "externalRules[2]: the rule's query answers no series"),
        ("depth?labelSelector=tier%3E5", 400, "series cannot be selected by `tier`"),
        ("depth?labelSelector=tier%20in", 400, "is not a label selector"),
        ("dept", 404, "no policy publishes external metric dept in namespace shop"),
    ] {
        let answer = adapter.get(&format!("{SHOP}/{metric}")).await.unwrap();
        assert_eq!(answer.code, code, "{}", answer.body);
        assert!(answer.message().contains(expected), "{}", answer.message());
    }
}

#[tokio::test]
async fn a_rule_whose_series_cannot_be_listed_takes_no_other_with_it() {
    let rules = format!(
        "{EXTERNAL}  - seriesQuery: 'lost'
    source: nobody
    resources: {{namespaced: false}}
    metricsQuery: 'sum(<<.Series>>)'
"
    );
    let (adapter, _web) = adapter(&rules, external_answers()).await;
    adapter.logs(&["externalRules[3]", "there is no source `nobody`"]).await;
    let answer = adapter.get(&format!("{SHOP}/world_queue")).await.unwrap();
    assert_eq!(answer.values(), Ok(vec!["3".to_owned()]));
    let rules = adapter.observe("/debug/rules").await.unwrap().body;
    let rules: Value = serde_json::from_str(&rules).unwrap();
    let (world, lost) = (&rules["rules"][1], &rules["rules"][3]);
    assert_eq!((&world["metrics"], &world["questions"]), (&1.into(), &1.into()), "{world}");
    let why = "source: there is no source `nobody`";
    assert_eq!((&lost["metrics"], &lost["refused"]), (&0.into(), &why.into()));
}

const CUSTOM: &str = "
rules:
  - seriesQuery: 'queue_len{namespace!=\"\",pod!=\"\"}'
    resources: {template: '<<.Resource>>'}
    metricsQuery: 'sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)'
  - seriesQuery: 'busy'
    resources: {template: '<<.Resource>>'}
    metricsQuery: 'topk(5, <<.Series>>{<<.LabelMatchers>>})'
";

fn custom_answers() -> Vec<Answered> {
    vec![
        ("last_over_time(queue_len", vec![("__name__", "queue_len")], 1.0),
        ("last_over_time(busy", vec![("__name__", "busy")], 1.0),
        ("by (pod)", vec![("pod", "web-0"), ("pod", "web-1")], 4.0),
        ("by (namespace)", vec![("namespace", "shop")], 8.0),
        ("topk", vec![("pod", "web-0")], 2.0),
    ]
}

#[tokio::test]
async fn one_query_answers_for_all_pods_where_that_says_the_same() {
    let (adapter, web) = adapter(CUSTOM, custom_answers()).await;
    let names = listed(&adapter, "custom.metrics.k8s.io/v1beta2").await;
    assert_eq!(
        names,
        [
            "jobs.batch/busy",
            "jobs.batch/queue_len",
            "namespaces/busy",
            "namespaces/queue_len",
            "pods/busy",
            "pods/queue_len"
        ]
    );
    for (path, values) in [
        ("web-1/queue_len", vec!["4"]),
        ("*/queue_len", vec!["4", "4"]),
        ("web-0/queue_len", vec!["4"]),
    ] {
        let answer = adapter.get(&format!("{PODS}/{path}")).await.unwrap();
        let values: Vec<String> = values.into_iter().map(str::to_owned).collect();
        assert_eq!(answer.values(), Ok(values), "{path}");
    }
    let all = r#"sum(queue_len{namespace="shop",pod!=""}) by (pod)"#;
    assert_eq!(queries(&web), [all]);
    let list: Value =
        serde_json::from_str(&adapter.get(&format!("{PODS}/*/queue_len")).await.unwrap().body)
            .unwrap();
    let object = &list["items"][0]["describedObject"];
    assert_eq!(object["name"], "web-0");
    assert_eq!((&object["kind"], &object["namespace"]), (&"Pod".into(), &"shop".into()));

    let missing = adapter.get(&format!("{PODS}/web-9/queue_len")).await.unwrap();
    assert_eq!(missing.code, 404);
    assert!(
        missing.message().starts_with("rules[0] (metric queue_len of pods"),
        "{}",
        missing.message()
    );
    let own = "/apis/custom.metrics.k8s.io/v1beta2/namespaces/shop/metrics/queue_len";
    assert_eq!(adapter.get(own).await.unwrap().values(), Ok(vec!["8".to_owned()]));
    assert_eq!(queries(&web)[1], r#"sum(queue_len{namespace!=""}) by (namespace)"#);
}

#[tokio::test]
async fn a_query_that_puts_objects_together_names_them() {
    let (adapter, web) = adapter(CUSTOM, custom_answers()).await;
    let one = adapter.get(&format!("{PODS}/web-0/busy")).await.unwrap();
    assert_eq!(one.values(), Ok(vec!["2".to_owned()]));
    assert_eq!(queries(&web), [r#"topk(5, busy{namespace="shop",pod="web-0"})"#]);
    let rules = adapter.observe("/debug/rules").await.unwrap().body;
    assert!(rules.contains(r#""namesObjectsBecause":"`topk` puts objects together"#), "{rules}");
    let all = adapter.get(&format!("{PODS}/*/busy")).await.unwrap();
    assert_eq!(all.code, 400, "{}", all.body);
    assert!(all.message().contains("`topk` puts objects together"), "{}", all.message());
}

/// Slow, by the interval at which what is asked for is read.
#[tokio::test]
async fn what_is_asked_for_is_read_again_without_waiting() {
    let (adapter, web) = adapter(EXTERNAL, external_answers()).await;
    let path = format!("{SHOP}/world_queue");
    assert_eq!(adapter.get(&path).await.unwrap().values(), Ok(vec!["3".to_owned()]));
    let mut answers = external_answers();
    answers.last_mut().unwrap().2 = 5.0;
    web.set("/prom", Behaviour::Engines(answers));
    wait::until("the newer value", async || {
        let values = adapter.get(&path).await?.values()?;
        wait::seen(values == ["5"], format!("{values:?}"))
    })
    .await;
    let n_queries = queries(&web).len();
    assert!((2..=3).contains(&n_queries), "{n_queries} queries, whoever asked how often");
}

/// Its file as it is, and the command line of its Deployment.
#[tokio::test]
async fn a_configuration_of_prometheus_adapter_is_served_with_its_own_flags() {
    let web = Web::start().await;
    web.set("/prom", Behaviour::Engines(external_answers()));
    let adapter = Setup::new(EXTERNAL)
        .argument(format!("--prometheus-url={}", web.url("/prom")))
        .argument("--prometheus-header=X-Scope-OrgID=team-a")
        .argument("--prometheus-verb=GET")
        .argument("--metrics-relist-interval=1m")
        .argument("--metrics-max-age=3m")
        .argument("--cert-dir=/var/run/serving-cert")
        .argument("--logtostderr=true")
        .argument("--v=6")
        .start()
        .await;
    adapter.logs(&["have no effect", "--cert-dir --logtostderr --v"]).await;
    let answer = adapter.get(&format!("{SHOP}/world_queue")).await.unwrap();
    assert_eq!(answer.values(), Ok(vec!["3".to_owned()]));
    let asked = web.asked(&format!("{PROM}/query"));
    assert!(asked.iter().all(|it| it.method == "GET"), "{asked:?}");
    assert!(asked.iter().all(|it| it.headers["x-scope-orgid"] == "team-a"), "{asked:?}");
    let list = "group by (__name__) (last_over_time(queue_depth[180s]))";
    assert!(asked.iter().any(|it| it.parameters["query"] == list), "{asked:?}");
}

#[tokio::test]
async fn a_configuration_of_prometheus_adapter_needs_to_be_told_where_prometheus_is() {
    let output = Setup::new(EXTERNAL).command().output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr.contains("this is a configuration of prometheus-adapter"), "{stderr}");
    assert!(stderr.contains("--prometheus-url"), "{stderr}");
}
