//! Answers about a part of the data, and answers that are no numbers.
#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use crate::support::adapter::{Adapter, config, external, prometheus, query_signal};
use crate::support::web::{Behaviour, Web};
use jiff::Timestamp;
use serde_json::{Value, json};

/// An answer with one member, and further keys beside the data.
fn answer(member: &Value, more: &Value) -> Behaviour {
    let data = json!({"resultType": "vector", "result": [member]});
    let mut body = json!({"status": "success", "data": data});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Behaviour::Answer(200, body.to_string().into_bytes())
}

/// One number of now.
fn number(value: &str, more: &Value) -> Behaviour {
    let at = Timestamp::now().as_duration().as_secs_f64();
    answer(&json!({"metric": {}, "value": [at, value]}), more)
}

/// A policy over all sources' one query for each way to take a part.
async fn adapter(web: &Web) -> Adapter {
    let ways = ["use", "scaleUpOnly", "refuse"];
    let sources = ways.map(|it| prometheus(&it.to_lowercase(), &web.url("/prom")));
    let policies = ways.map(|it| {
        let name = it.to_lowercase();
        let signal = query_signal(&name, "q");
        let signal = signal.replace("query:", &format!("onPartial: {it}, query:"));
        external(&name, "200ms", &signal)
    });
    Adapter::start(&config(&sources, &policies)).await
}

#[tokio::test]
async fn a_part_of_the_data_is_worth_what_the_policy_says() {
    let web = Web::start().await;
    web.set("/prom", number("6", &json!({})));
    let adapter = adapter(&web).await;
    for name in ["use", "scaleuponly", "refuse"] {
        adapter.serves(name, "6").await;
    }
    for partial in
        [json!({"isPartial": true}), json!({"warnings": ["No StoreAPIs matched for this query"]})]
    {
        web.set("/prom", number("3", &partial));
        adapter.serves("use", "3").await;
        adapter.serves("scaleuponly", "6").await;
        web.set("/prom", number("9", &partial));
        adapter.serves("use", "9").await;
        adapter.serves("scaleuponly", "9").await;
        adapter.serves("refuse", "6").await;
        web.set(
            "/prom",
            number("6", &json!({"infos": ["PromQL info: x"], "warnings": ["PromQL warning: y"]})),
        );
        for name in ["use", "scaleuponly", "refuse"] {
            adapter.serves(name, "6").await;
        }
    }
}

#[tokio::test]
async fn why_a_part_is_not_used_is_told() {
    let web = Web::start().await;
    web.set("/prom", number("3", &json!({"warnings": ["a store\nis away"]})));
    let adapter = adapter(&web).await;
    let part = "the answer is about a part of the data (a store is away); and ";
    adapter.serves("use", "3").await;
    let why = format!("{part}there is no earlier value to tell whether it grew");
    adapter.refuses("scaleuponly", &[&why]).await;
    adapter.refuses("refuse", &[&format!("{part}the policy refuses a part")]).await;
}

/// What explain says of a policy's newest evaluation, as text and as JSON.
async fn explained(adapter: &Adapter, name: &str) -> [String; 2] {
    let path = format!("/debug/explain/inference/{name}?last=1");
    let text = adapter.observe(&format!("{path}&format=text")).await.unwrap().body;
    [text, adapter.observe(&path).await.unwrap().body]
}

#[tokio::test]
async fn explain_notes_that_a_part_was_used_and_not_what_the_server_said() {
    let web = Web::start().await;
    web.set("/prom", number("6", &json!({})));
    let adapter = adapter(&web).await;
    let note = "made from a part of the data";
    for name in ["use", "scaleuponly"] {
        adapter.serves(name, "6").await;
        assert!(explained(&adapter, name).await.iter().all(|it| !it.contains(note)));
    }
    web.set("/prom", number("9", &json!({"warnings": ["a store is away"]})));
    for name in ["use", "scaleuponly"] {
        adapter.serves(name, "9").await;
    }
    let [text, json] = explained(&adapter, "use").await;
    assert!(text.contains(&format!("from source use ({note})")), "{text}");
    let json: Value = serde_json::from_str(&json).unwrap();
    let noted = &json["policies"][0]["traces"][0]["signals"][0]["note"];
    assert_eq!(noted, note, "{json}");
    assert!(!json.to_string().contains("a store is away"), "{json}");
    web.set("/prom", number("9", &json!({})));
    adapter.serves("refuse", "9").await;
    for name in ["use", "scaleuponly"] {
        let told = explained(&adapter, name).await;
        assert!(told.iter().all(|it| !it.contains(note)), "{told:?}");
    }
}

#[tokio::test]
async fn a_native_histogram_is_refused_with_what_to_do() {
    let web = Web::start().await;
    let histogram = json!({"count": "2", "sum": "3", "buckets": [[0, "1", "2", "2"]]});
    let at = Timestamp::now().as_second();
    web.set("/prom", answer(&json!({"metric": {}, "histogram": [at, histogram]}), &json!({})));
    let adapter = adapter(&web).await;
    let told = "the query answers native histograms, not numbers; wrap it in histogram_quantile(…)";
    adapter.refuses("use", &[told]).await;
}
