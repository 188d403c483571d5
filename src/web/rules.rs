//! `/debug/rules`: how each rule is doing, and what is asked of it.

use crate::on_demand::board::{Board, Kept};
use crate::on_demand::rule::{Failed, Standing, shown};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;

/// What the page is made of.
#[derive(Clone, Debug)]
pub struct RulesPage {
    /// The rules and their answers.
    pub board: Arc<Board>,
    /// What time it is.
    pub now: fn() -> Timestamp,
}

/// `GET /debug/rules`: all rules, in the order of the file.
pub(super) async fn list(State(page): State<RulesPage>) -> Response {
    let (known, now) = (page.board.load(), (page.now)());
    let mut kept = known.kept();
    let rules = known.rules.iter().map(|it| {
        let kept = kept.remove(shown(it.kind, it.place).as_str()).unwrap_or_default();
        rule(it, &kept, now)
    });
    let body = json!({ "now": now.to_string(), "rules": rules.collect::<Vec<_>>() }).to_string();
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

fn rule(standing: &Standing, kept: &Kept, now: Timestamp) -> Value {
    let Standing { kind, place, listed_at, n_series, n_metrics, problem, named, .. } = standing;
    let Standing { n_covered, counts, good_at, failed, refused, .. } = standing;
    let age = |at: Timestamp| now.duration_since(at).as_secs();
    let failed = failed.as_ref().map(
        |Failed { at, why }| json!({ "at": at.to_string(), "ageSeconds": age(*at), "why": why }),
    );
    json!({
        "rule": shown(*kind, *place),
        "refused": refused,
        "problem": problem,
        "listedAt": listed_at.map(|it| it.to_string()),
        "listedAgeSeconds": listed_at.map(age),
        "listFailures": counts.list_failures(),
        "seriesNames": n_series,
        "metrics": n_metrics,
        "metricsOfLaterRules": n_covered,
        "namesObjectsBecause": named,
        "questions": kept.questions,
        "questionsWithoutAnswer": kept.refused,
        "lastRefusal": kept.why,
        "queriesWithNumbers": counts.queries(),
        "queriesWithout": counts.query_failures(),
        "lastGoodAt": good_at.map(|it| it.to_string()),
        "lastGoodAgeSeconds": good_at.map(age),
        "lastFailure": failed,
    })
}
