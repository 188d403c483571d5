//! Which form an explanation has, and what happens when the tick does not answer.

use super::{Asked, Format, desk};
use crate::domain::limits;
use crate::evaluation::Evaluation;
use crate::evaluation::explain::Question;
use axum::http::{HeaderMap, StatusCode, header};
use futures::FutureExt;

#[test]
fn the_query_names_the_form_or_else_the_accept_header() {
    for (query, accept, format, last) in [
        (None, "", Format::Json, 10),
        (None, "*/*", Format::Json, 10),
        (None, "text/html, */*;q=0.8", Format::Json, 10),
        (None, "text/plain", Format::Text, 10),
        (None, "text/html, text/plain;q=0.5", Format::Text, 10),
        (None, "application/json, text/plain", Format::Json, 10),
        (Some("format=text"), "application/json", Format::Text, 10),
        (Some("format=json&last=60"), "text/plain", Format::Json, 60),
        (Some("last=1"), "", Format::Json, 1),
    ] {
        let headers = HeaderMap::from_iter([(header::ACCEPT, accept.parse().unwrap())]);
        assert_eq!(Asked::parse(query, &headers), Ok(Asked { format, last }), "{query:?} {accept}");
    }
    for query in ["last=0", "last=61", "last=-1", "last=", "last", "format=xml", "lost=3"] {
        let refusal = Asked::parse(Some(query), &HeaderMap::new()).unwrap_err();
        assert_eq!(refusal.status, StatusCode::BAD_REQUEST, "{query}");
    }
}

#[tokio::test]
async fn a_full_queue_turns_away_at_once_and_answers_that_nobody_waits_for_break_nothing() {
    let (desk, mut inquiries) = desk();
    let ask = || desk.ask(Question::List);
    // Whoever gives up still stands in the queue.
    for _ in 0..limits::INQUIRIES_MAX {
        assert!(ask().now_or_never().is_none(), "waits");
    }
    let refused = ask().now_or_never().unwrap().unwrap_err();
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    for _ in 0..limits::INQUIRIES_MAX {
        inquiries.next().await.unwrap().answer(&Evaluation::default());
    }
    let (answer, ()) = tokio::join!(ask(), async {
        inquiries.next().await.unwrap().answer(&Evaluation::default());
    });
    assert!(answer.unwrap().known.is_empty());
}
