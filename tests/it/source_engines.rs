//! An engine that nobody named, told by a Prometheus: by one query for all engines, which is asked
//! once, and again when what is asked of the engine brings nothing.
#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use crate::support::adapter::{Adapter, config, external, foresail, prometheus};
use crate::support::wait;
use crate::support::web::{Behaviour, Web};
use serde_json::{Value, json};

const ENGINE: &str = "foresail_engine";

/// Series of these engines, of which this query has this value.
fn engines(there: &[&'static str], query: &'static str, value: f64) -> Behaviour {
    let told = there.iter().map(|it| (ENGINE, *it)).collect::<Vec<_>>();
    let mut answers = vec![(query, Vec::new(), value)];
    if !told.is_empty() {
        answers.insert(0, (ENGINE, told, 1.0));
    }
    Behaviour::Engines(answers)
}

fn signal(keys: &str) -> String {
    format!("{{source: p, profile: {{engine: auto, {keys}}}}}")
}

/// How often it was asked which engines there are.
fn looks(web: &Web) -> usize {
    let asked = web.asked("/p");
    asked
        .iter()
        .filter(|it| it.parameters.get("query").is_some_and(|it| it.contains(ENGINE)))
        .count()
}

/// The explanation of the metric `w` as JSON, and as a person sees it.
async fn explained(adapter: &Adapter) -> (Value, String) {
    let body = adapter.observe("/debug/explain/inference/w").await.unwrap().body;
    let server = adapter.observability.to_string();
    let arguments = ["explain", "inference", "w", "--server", &server];
    let shown = foresail().args(arguments).output().unwrap();
    (serde_json::from_str(&body).unwrap(), String::from_utf8(shown.stdout).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_is_found_once_and_again_when_it_is_gone() {
    let web = Web::start().await;
    web.set("/p", engines(&["vllm"], "vllm:num_requests_running{", 7.0));
    let source = prometheus("p", &web.url("/p"));
    let policies =
        ["w", "v"].map(|it| external(it, "200ms", &signal("signal: running, window: 3m")));
    let adapter = Adapter::start(&config(&[source], &policies)).await;
    adapter.serves("w", "7").await;
    adapter.serves("v", "7").await;
    adapter.logs(&["engine vllm, told by its series", "namespace=inference"]).await;
    assert_eq!(looks(&web), 1, "one query for both policies");
    let (json, shown) = explained(&adapter).await;
    let told = "engine vllm, told by its series";
    assert!(json.to_string().contains(told), "{json}");
    assert!(shown.contains(told), "{shown}");
    assert!(shown.contains("read as vllm:num_requests_running"), "{shown}");

    web.set("/p", engines(&["sglang"], "sglang:num_running_reqs{", 9.0));
    adapter.serves("w", "9").await;
    adapter.logs(&["engine sglang, told by its series"]).await;
    assert_eq!(looks(&web), 2);
}

#[tokio::test]
async fn the_candidates_that_count_are_told_where_the_server_tells_them() {
    let web = Web::start().await;
    let number = |candidates: &[&str]| {
        let at = jiff::Timestamp::now().as_duration().as_secs_f64();
        let told = candidates.iter().map(|it| json!({"foresail_candidate": it}));
        let series = told.chain([json!({})]).map(|it| json!({"metric": it, "value": [at, "7"]}));
        let data = json!({"resultType": "vector", "result": series.collect::<Vec<_>>()});
        let body = json!({"status": "success", "data": data});
        Behaviour::Answer(200, body.to_string().into_bytes())
    };
    web.set("/p", number(&["0.1"]));
    let source = prometheus("p", &web.url("/p"));
    let signal = "{source: p, profile: {engine: vllm, signal: demand}}";
    let adapter = Adapter::start(&config(&[source], &[external("w", "200ms", signal)])).await;
    adapter.serves("w", "7").await;
    let explains = async |told: &str| {
        wait::until(told, async || {
            let said = adapter.observe("/debug/explain/inference/w?last=1").await?.body;
            wait::seen(said.contains(told), said)
        })
        .await;
    };
    explains("read as vllm:num_requests_waiting + vllm:num_requests_running").await;
    web.set("/p", number(&["0.0", "0.1"]));
    explains("and vllm:num_requests_waiting + vllm:num_requests_running").await;
    // A server that takes the query and nothing beside it.
    web.set("/p", Behaviour::Ageless(9.0));
    adapter.serves("w", "9").await;
    explains("demand of vllm: vllm:num_requests_waiting_by_reason").await;
}

#[tokio::test]
async fn what_is_not_told_is_refused_with_what_to_do() {
    let web = Web::start().await;
    web.set("/p", engines(&[], "vllm:", 7.0));
    let source = prometheus("p", &web.url("/p"));
    let adapter =
        Adapter::start(&config(&[source], &[external("w", "200ms", &signal("signal: demand"))]))
            .await;
    adapter
        .refuses("w", &["no series of a known engine was found (dynamo", "name it with `engine`"])
        .await;
    web.set("/p", engines(&["vllm", "tgi"], "vllm:", 7.0));
    adapter.refuses("w", &["there are series of tgi and vllm; select the pods of one"]).await;
    web.set("/p", engines(&["triton"], "nv_", 7.0));
    adapter.refuses("w", &["engine triton, told by its series, has no signal `demand`"]).await;
    wait::until("few looks", async || wait::seen(looks(&web) < 9, looks(&web))).await;
    web.set("/p", Behaviour::Answer(503, b"busy".to_vec()));
    adapter.refuses("w", &["503"]).await;
}
