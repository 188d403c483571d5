//! Pages that are no pages: each is told in words, and a good page beside them stays fresh.
#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use crate::support::adapter::{Adapter, config, external, page_signal, scrape};
use crate::support::web::{Asked, Behaviour, Web, refusing};

/// Runs an adapter on two pages, a good one and one at `url`: the bad one is refused with
/// `message` and counted as `result`, and the good one is served as it changes meanwhile.
async fn stays_alone(web: &Web, url: &str, message: &str, result: &str) {
    web.show("/good", "q 7\n");
    let sources = [scrape("good", &web.url("/good")), scrape("bad", url)];
    let policies = [
        external("good", "200ms", &page_signal("good")),
        external("bad", "200ms", &page_signal("bad")),
    ];
    let adapter = Adapter::start(&config(&sources, &policies)).await;
    let sentence = format!("policy inference/bad: no sample yet: source bad: {message}");
    adapter.refuses("bad", &[&sentence]).await;
    adapter.serves("good", "7").await;
    web.show("/good", "q 9\n");
    adapter.serves("good", "9").await;
    adapter.refuses("bad", &[&sentence]).await;
    adapter.logs(&["WARN", "no value", "policy=inference/bad", message]).await;
    let reads = format!(r#"foresail_source_reads_total{{source="bad",result="{result}"}}"#);
    assert!(adapter.metric(&reads).await.unwrap() >= 1.0);
    let ready = r#"foresail_policy_ready{namespace="inference",policy="bad"}"#;
    assert_eq!(adapter.metric(ready).await, Ok(0.0));
    assert_eq!(adapter.metric(&ready.replace("bad", "good")).await, Ok(1.0));
}

async fn page_stays_alone(behaviour: Behaviour, message: &str, result: &str) {
    let web = Web::start().await;
    web.set("/bad", behaviour);
    stays_alone(&web, &web.url("/bad"), message, result).await;
    let accept = Some("text/plain;version=0.0.4");
    let is_for_a_page = |it: &Asked| it.headers.get("accept").map(String::as_str) == accept;
    assert!(web.asked("/bad").iter().all(|it| it.method == "GET" && is_for_a_page(it)));
}

fn page(status: u16, text: impl Into<Vec<u8>>) -> Behaviour {
    Behaviour::Answer(status, text.into())
}

#[tokio::test]
async fn a_page_of_100_mb_is_cut_off() {
    let line = "q{engine=\"0\",model=\"llama\"} 6\n";
    let page = Behaviour::Stream("", line, 100_000_000 / line.len());
    page_stays_alone(page, "the answer is larger than 16777216 bytes", "too_large").await;
}

#[tokio::test]
async fn a_page_without_end_is_cut_off() {
    let page = Behaviour::Stream("q ", "6", usize::MAX);
    page_stays_alone(page, "the answer is larger than 16777216 bytes", "too_large").await;
}

#[tokio::test]
async fn a_page_of_html_or_of_bytes_is_told_from_a_page() {
    let message = "the answer was not understood: the page is not in exposition format";
    let html = "<!DOCTYPE html>\n<html><body>\n<h1>It works!</h1>\n</body></html>\n";
    page_stays_alone(page(200, html), message, "not_understood").await;
    let bytes: Vec<u8> = (0..400).flat_map(|_| 0..=u8::MAX).collect();
    page_stays_alone(page(200, bytes), message, "not_understood").await;
}

#[tokio::test]
async fn a_page_that_drips_or_hangs_is_given_up_in_time() {
    let message = "no answer within 500ms";
    page_stays_alone(Behaviour::Drip, message, "timed_out").await;
    page_stays_alone(Behaviour::Hang, message, "timed_out").await;
}

#[tokio::test]
async fn a_page_that_ends_too_early_is_no_page() {
    let message = "connection closed before message completed";
    page_stays_alone(Behaviour::CloseMidBody, message, "unreachable").await;
}

#[tokio::test]
async fn a_refused_connection_is_told_so() {
    let web = Web::start().await;
    let refusing = refusing();
    let url = format!("http://{}/metrics", refusing.address);
    stays_alone(&web, &url, "connection refused", "unreachable").await;
}

#[tokio::test]
async fn an_error_is_no_page_and_a_redirect_is_not_followed() {
    let message = "answered 500: expected a page in exposition format";
    page_stays_alone(page(500, "q 6\n"), message, "refused").await;
    let web = Web::start().await;
    web.show("/elsewhere", "q 6\n");
    web.set("/bad", Behaviour::Redirect(web.url("/elsewhere")));
    stays_alone(&web, &web.url("/bad"), "answered 302: redirects are not followed", "refused")
        .await;
    assert_eq!(web.asked("/elsewhere").len(), 0);
}

#[tokio::test]
async fn what_is_not_on_the_page_or_no_number_is_unknown() {
    page_stays_alone(page(200, ""), "q is not on the page", "empty").await;
    page_stays_alone(page(200, "other 1\n"), "q is not on the page", "empty").await;
    for number in ["NaN", "+Inf", "-1"] {
        let text = format!("q{{engine=\"0\"}} 6\nq{{engine=\"1\"}} {number}\n");
        let message = "q is NaN, an infinity or a negative number on the page";
        page_stays_alone(page(200, text), message, "empty").await;
    }
}

#[tokio::test]
async fn a_bad_line_does_not_spoil_its_neighbours() {
    let web = Web::start().await;
    let long = "x".repeat(200_000);
    web.show("/good", &format!("<html>\n{long} 1\nq{{engine=\"0\"}} 6\nq{{ 1\n\u{0}\nq 2 ha\n"));
    let sources = [scrape("good", &web.url("/good"))];
    let policies = [external("good", "200ms", &page_signal("good"))];
    let adapter = Adapter::start(&config(&sources, &policies)).await;
    adapter.serves("good", "6").await;
}

#[tokio::test]
async fn policies_that_share_a_page_share_its_fetch() {
    let web = Web::start().await;
    web.show("/page", "q 6\n");
    let sources = [scrape("page", &web.url("/page"))];
    let policies: Vec<String> = (0..5)
        .map(|idx| external(&format!("share-{idx}"), "500ms", &page_signal("page")))
        .collect();
    let adapter = Adapter::start(&config(&sources, &policies)).await;
    for idx in 0..5 {
        adapter.serves(&format!("share-{idx}"), "6").await;
    }
    let evaluations = "foresail_evaluations_total{result=\"fresh\"}";
    let evaluated = crate::support::wait::until("four rounds", async || {
        let evaluated = adapter.metric(evaluations).await?;
        crate::support::wait::seen(evaluated >= 20.0, evaluated).map(|()| evaluated)
    })
    .await;
    let fetches = web.asked("/page").len() as f64;
    assert!(fetches <= evaluated / 5.0 + 1.0, "{fetches} fetches for {evaluated} evaluations");
}
