//! How old a value is: as old as its oldest sample, whatever time an instant query's answer bears.
#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use crate::support::adapter::{Adapter, config, external, prometheus, query_signal};
use crate::support::wait;
use crate::support::web::{Behaviour, Web};
use jiff::Timestamp;
use serde_json::Value;
use std::time::Duration;

/// A second some time ago.
fn ago(seconds: u64) -> Timestamp {
    let second = Timestamp::now().as_second();
    Timestamp::from_second(second).unwrap() - Duration::from_secs(seconds)
}

fn shown(at: Timestamp) -> f64 {
    at.as_duration().as_secs_f64()
}

/// An adapter with policies over one source, by name and query.
async fn adapter(web: &Web, policies: &[(&str, &str)]) -> Adapter {
    let policies = policies.iter().map(|(name, query)| {
        let policy = external(name, "200ms", &query_signal("default", query));
        policy.replace("maxAge: 10s, hold: 1m", "maxAge: 10s, hold: 2s")
    });
    let policies: Vec<String> = policies.collect();
    // What is said of an old sample may not be taken for a busy machine that answers late.
    let source = prometheus("default", &web.url("/prom")).replace("500ms", "10s");
    Adapter::start(&config(&[source], &policies)).await
}

#[tokio::test]
async fn a_value_is_as_old_as_its_oldest_sample() {
    let web = Web::start().await;
    let taken = ago(3);
    web.set("/prom", Behaviour::Taken(7.0, shown(taken)));
    let adapter = adapter(&web, &[("total", "sum(q)")]).await;
    adapter.serves("total", "7").await;
    let list: Value = serde_json::from_str(&adapter.external("total").await.unwrap().body).unwrap();
    let served: Timestamp = list["items"][0]["timestamp"].as_str().unwrap().parse().unwrap();
    assert_eq!(served, taken);
    let line = "foresail_policy_sample_timestamp_seconds{";
    assert_eq!(adapter.metric(line).await, Ok(shown(taken)));
    // While the sample stays the same, what is shown grows old, and then nothing is served.
    wait::until("an age in the explanation", async || {
        let body = adapter.observe("/debug/explain/inference/total?last=1").await?.body;
        let told: Value = serde_json::from_str(&body).map_err(|it| it.to_string())?;
        let trace = &told["policies"][0]["traces"][0];
        let ages = [
            &trace["signals"][0]["oldestAgeSeconds"],
            &trace["paths"][0]["observed"]["ageSeconds"],
        ];
        let are_old = ages.iter().all(|it| it.as_f64().is_some_and(|it| (4.0..10.0).contains(&it)));
        wait::seen(are_old, body)
    })
    .await;
    let why = "source default: the newest answer has a sample older than 10s";
    adapter.logs(&["WARN", "holding the last good values", "sample", "older than"]).await;
    adapter.refuses("total", &[why]).await;
    // Each instant is one request.
    let asked = web.asked("/prom");
    let instants = asked.iter().map(|it| it.parameters["time"].clone());
    let instants: std::collections::BTreeSet<String> = instants.collect();
    assert_eq!(instants.len(), asked.len());
    let expected = "min (timestamp(q)) or vector(0)";
    assert!(asked.iter().all(|it| it.parameters["query"].contains(expected)), "{asked:?}");
    web.set("/prom", Behaviour::Taken(8.0, shown(ago(0))));
    adapter.serves("total", "8").await;
}

#[tokio::test]
async fn where_no_sample_is_of_late_only_what_answers_by_itself_is_good() {
    let web = Web::start().await;
    web.set("/prom", Behaviour::Taken(0.0, 0.0));
    let queries = [
        ("rate", "sum(rate(q[5m]))"),
        ("fallback", "sum(rate(q[5m])) or vector(0)"),
        ("shifted", "sum(q offset 1h)"),
    ];
    let adapter = adapter(&web, &queries).await;
    adapter.serves("fallback", "0").await;
    adapter.serves("shifted", "0").await;
    adapter.refuses("rate", &["the newest answer has a sample older than 10s"]).await;
}

#[tokio::test]
async fn a_server_that_tells_no_ages_is_still_asked_for_values() {
    let web = Web::start().await;
    web.set("/prom", Behaviour::Ageless(5.0));
    let adapter = adapter(&web, &[("total", "sum(q)")]).await;
    adapter.serves("total", "5").await;
    web.set("/prom", Behaviour::Ageless(6.0));
    adapter.serves("total", "6").await;
    let with_ages = |it: &&crate::support::web::Asked| it.parameters["query"] != "sum(q)";
    assert_eq!(web.asked("/prom").iter().filter(with_ages).count(), 1);
    let untold = adapter.metric("foresail_source_untold_ages_total{").await.unwrap();
    assert!(untold >= 2.0, "{untold}");
}
