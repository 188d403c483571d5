//! The history of a forecasting policy: read from the source chunk by chunk behind the live
//! values, which never wait for it, and read on after a failure.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails loudly")]

use crate::support::adapter::{
    Adapter, Setup, config, external, page_signal, prometheus, query_signal, scrape,
};
use crate::support::wait;
use crate::support::web::{Asked, Behaviour, Web};
use std::collections::BTreeSet;

const RANGE: &str = "/prom/api/v1/query_range";
/// Fourteen seasons of two minutes.
const SPAN: f64 = 28.0 * 60.0;
/// The step in which the adapter started, the last hour of a season, and fourteen seasons.
const CHUNKS: f64 = 16.0;

/// A policy whose day has two minutes.
fn forecasting(signal: &str) -> String {
    external("total", "1s", signal).replace("guard:", "forecast: {season: 2m}, guard:")
}

fn of_prometheus(web: &Web) -> String {
    let policy = forecasting(&query_signal("default", "q"));
    config(&[prometheus("default", &web.url("/prom"))], &[policy])
}

async fn chunks(adapter: &Adapter, result: &str) -> Result<f64, String> {
    adapter.metric(&format!("foresail_backfill_chunks_total{{result=\"{result}\"}}")).await
}

async fn pending(adapter: &Adapter) -> Result<f64, String> {
    adapter.metric("foresail_backfill_pending_chunks ").await
}

async fn all_is_read(adapter: &Adapter) {
    wait::until("the whole past", async || {
        let (pending, filled) = (pending(adapter).await?, chunks(adapter, "filled").await?);
        wait::seen(pending < 0.5 && filled > 0.5, format!("{pending} pending, {filled} filled"))
    })
    .await;
}

/// From when to when a chunk asked, and how far apart.
fn asked(it: &Asked) -> (f64, f64, f64) {
    let number = |name: &str| it.parameters[name].parse::<f64>().unwrap();
    (number("start"), number("end"), number("step"))
}

/// Every instant of the last fourteen seasons was asked about, newest chunk first.
fn covers_everything(asked: &[(f64, f64, f64)]) {
    let newest = asked.iter().map(|it| it.1).fold(f64::MIN, |a, b| if a > b { a } else { b });
    let mut covered = newest;
    let mut by_end = asked.to_vec();
    by_end.sort_by(|a, b| b.1.total_cmp(&a.1));
    for (start, end, step) in by_end {
        assert!(end >= covered - 1.001 * step, "a gap between {end} and {covered}: {asked:?}");
        assert!((end - start) / step < 8_000.0);
        let instants = start / step;
        assert!((instants - instants.round()).abs() < 1e-6, "not where live reads are: {start}");
        covered = if start < covered { start } else { covered };
    }
    assert!(newest - covered >= SPAN - 1.0, "{} s of {SPAN} s", newest - covered);
}

#[tokio::test]
async fn the_past_is_read_newest_first_once_for_each_start() {
    let web = Web::start().await;
    web.set("/prom", Behaviour::Swinging);
    let config = of_prometheus(&web);
    let adapter = Setup::new(&config).log_filter("foresail=debug").start().await;
    all_is_read(&adapter).await;
    adapter.logs(&["asking for the past", "policy=inference/total"]).await;
    adapter.logs(&["past read", "policy=inference/total", "chunks_done=", "chunks_total="]).await;
    adapter.logs(&["INFO", "the past of all policies is read"]).await;
    assert!(chunks(&adapter, "filled").await.unwrap() > CHUNKS - 0.5);
    let first: Vec<_> = web.asked(RANGE).iter().map(asked).collect();
    covers_everything(&first);
    // Apart from the step in which it started, the last hour, and what a busy machine missed.
    let days: Vec<_> = first.iter().filter(|it| it.1 - it.0 > 60.0).collect();
    assert!(
        days.len() >= 14 && days.windows(2).all(|it| it[0].0 > it[1].0),
        "newest first: {days:?}"
    );
    drop(adapter);
    let adapter = Adapter::start(&config).await;
    all_is_read(&adapter).await;
    let all: Vec<_> = web.asked(RANGE).iter().map(asked).collect();
    covers_everything(&all[first.len()..]);
}

#[tokio::test]
async fn a_killed_chunk_is_read_again_and_live_values_never_wait() {
    let web = Web::start().await;
    web.set("/prom", Behaviour::Prometheus(42.0));
    web.set(RANGE, Behaviour::Answer(500, b"out of memory".to_vec()));
    let adapter = Adapter::start(&of_prometheus(&web)).await;
    adapter.serves("total", "42").await;
    wait::until("three failures", async || {
        let failed = chunks(&adapter, "failed").await?;
        wait::seen(failed > 2.5, failed)
    })
    .await;
    assert!(pending(&adapter).await.unwrap() > CHUNKS - 0.5, "nothing is given up");
    let killed = web.asked(RANGE).len();
    web.set(RANGE, Behaviour::Prometheus(42.0));
    all_is_read(&adapter).await;
    let read: Vec<_> = web.asked(RANGE)[killed..].iter().map(asked).collect();
    covers_everything(&read);
    adapter.serves("total", "42").await;
}

#[tokio::test]
async fn a_chunk_that_takes_too_long_is_asked_for_in_halves() {
    let web = Web::start().await;
    web.set("/prom", Behaviour::Prometheus(42.0));
    web.set(RANGE, Behaviour::Hang);
    let adapter = Adapter::start(&of_prometheus(&web)).await;
    adapter.serves("total", "42").await;
    wait::until("a chunk in halves", async || {
        let pending = pending(&adapter).await?;
        wait::seen(pending > CHUNKS + 0.5, pending)
    })
    .await;
    adapter.serves("total", "42").await;
    web.set(RANGE, Behaviour::Prometheus(42.0));
    all_is_read(&adapter).await;
    assert!(chunks(&adapter, "filled").await.unwrap() > CHUNKS + 0.5);
}

#[tokio::test]
async fn a_source_that_forgets_everything_is_asked_once() {
    let web = Web::start().await;
    web.set("/prom", Behaviour::Prometheus(42.0));
    let nothing = br#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#;
    web.set(RANGE, Behaviour::Answer(200, nothing.to_vec()));
    let adapter = Adapter::start(&of_prometheus(&web)).await;
    wait::until("the whole past", async || {
        let empty = chunks(&adapter, "empty").await?;
        wait::seen(empty > CHUNKS - 0.5 && pending(&adapter).await? < 0.5, empty)
    })
    .await;
    let asked: BTreeSet<String> =
        web.asked(RANGE).iter().map(|it| it.parameters["end"].clone()).collect();
    assert_eq!(web.asked(RANGE).len(), asked.len(), "each once");
}

#[tokio::test]
async fn a_page_has_no_past() {
    let web = Web::start().await;
    web.show("/page", "q 6\n");
    let policy = forecasting(&page_signal("page"));
    let config = config(&[scrape("page", &web.url("/page"))], &[policy]);
    let adapter = Setup::new(&config).log_filter("foresail=debug").start().await;
    adapter.serves("total", "6").await;
    adapter.logs(&["the history grows live", "policy=inference/total"]).await;
    assert!(pending(&adapter).await.unwrap() < 0.5);
    assert!(web.asked("/page").iter().all(|it| it.parameters.is_empty()));
}

#[tokio::test]
async fn what_an_outage_hid_is_read_when_it_is_over() {
    let web = Web::start().await;
    web.set("/prom", Behaviour::Prometheus(42.0));
    let adapter = Adapter::start(&of_prometheus(&web)).await;
    all_is_read(&adapter).await;
    let before = web.asked(RANGE).len();
    web.set("/prom", Behaviour::Answer(503, Vec::new()));
    wait::until("some failed reads", async || {
        let name = "foresail_source_reads_total{source=\"default\",result=\"refused\"}";
        let refused = adapter.metric(name).await?;
        wait::seen(refused > 2.5, refused)
    })
    .await;
    assert_eq!(web.asked(RANGE).len(), before, "a source that is away is asked for one thing");
    web.set("/prom", Behaviour::Prometheus(42.0));
    wait::until("the gap", async || {
        let asked = web.asked(RANGE).len();
        wait::seen(asked > before && pending(&adapter).await? < 0.5, asked)
    })
    .await;
    let (start, end, _) = asked(&web.asked(RANGE)[before]);
    assert!((2.0..60.0).contains(&(end - start)), "from {start} to {end}");
}
