//! A smoothed value after a start: made from the source's history, so that a replica that starts
//! anew says what the others say.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails loudly")]

use crate::support::adapter::{Adapter, config, external, prometheus, query_signal};
use crate::support::wait;
use crate::support::web::{Behaviour, Web};
use serde_json::Value;
use std::collections::BTreeMap;

/// A policy with a half-life of a second on a grid of a second.
fn smoothed(web: &Web) -> String {
    let policy = external("total", "1s", &query_signal("default", "q"));
    let policy = policy.replace("guard:", "smooth: [{ewma: {halfLife: 1s}}], guard:");
    config(&[prometheus("default", &web.url("/prom"))], &[policy])
}

/// The value that is served in millionths, by the time of its sample.
async fn served(adapter: &Adapter) -> Result<(String, i64), String> {
    let answer = adapter.external("total").await?;
    let list: Value = serde_json::from_str(&answer.body).unwrap();
    let item = list["items"].get(0).ok_or_else(|| answer.message())?;
    let text = |field: &str| item[field].as_str().unwrap().to_owned();
    let value = text("value");
    let (digits, factor) = match value.strip_suffix('m') {
        Some(digits) => (digits, 1_000),
        None => value.strip_suffix('u').map_or((value.as_str(), 1_000_000), |it| (it, 1)),
    };
    Ok((text("timestamp"), digits.parse::<i64>().unwrap() * factor))
}

/// Whether two values are the same but for the rounding of the last digit.
fn agree(a: i64, b: i64) -> bool {
    a.abs_diff(b) <= 1
}

#[tokio::test]
async fn replicas_agree_whenever_they_were_started() {
    let web = Web::start().await;
    web.set("/prom", Behaviour::Swinging);
    let config = smoothed(&web);
    let first = Adapter::start(&config).await;
    let mut said: BTreeMap<String, i64> = BTreeMap::new();
    wait::until("three values of the first", async || {
        said.extend([served(&first).await?]);
        wait::seen(said.len() >= 3, format!("{said:?}"))
    })
    .await;
    let second = Adapter::start(&config).await;
    let mut agreed = 0;
    let mut last = String::new();
    wait::until("three values of both", async || {
        said.extend([served(&first).await?]);
        let (at, value) = served(&second).await?;
        if let Some(expected) = said.get(&at).filter(|_| at != last) {
            assert!(agree(value, *expected), "{value} at {at}: {said:?}");
            agreed += 1;
            last = at;
        }
        wait::seen(agreed >= 3, agreed)
    })
    .await;
    let values: Vec<&i64> = said.values().collect();
    assert!(values.windows(2).any(|it| it[0] != it[1]), "the value does not swing: {said:?}");
    let asked = web.asked("/prom/api/v1/query_range");
    assert_eq!(asked.len(), 2, "once for each start: {asked:?}");
    assert_eq!(asked[0].parameters["step"], "1.000");
}

#[tokio::test]
async fn a_start_while_the_source_is_away_asks_for_history_when_it_is_back() {
    let web = Web::start().await;
    web.set("/prom", Behaviour::Answer(503, Vec::new()));
    let late = Adapter::start(&smoothed(&web)).await;
    late.refuses("total", &["answered 503"]).await;
    wait::until("two rounds without an answer", async || {
        let rounds = web.asked("/prom/api/v1/query").len();
        wait::seen(rounds >= 2, rounds)
    })
    .await;
    let range = "/prom/api/v1/query_range";
    assert_eq!(web.asked(range).len(), 0, "a source that is away is asked for one thing");
    web.set("/prom", Behaviour::Swinging);
    let early = Adapter::start(&smoothed(&web)).await;
    let mut said: BTreeMap<String, i64> = BTreeMap::new();
    wait::until("a value of both at one time", async || {
        said.extend([served(&early).await?]);
        let (at, value) = served(&late).await?;
        let expected = said.get(&at).ok_or("not yet")?;
        assert!(agree(value, *expected), "{value} at {at}: {said:?}");
        Ok(())
    })
    .await;
    assert_eq!(web.asked(range).len(), 2, "once for each");
}
