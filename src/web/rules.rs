//! `/debug/rules`: how each rule is doing, and what is asked of it.

use crate::on_demand::board::{Board, State as Known};
use crate::on_demand::rule::{Standing, shown};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::sync::Arc;

/// `GET /debug/rules`: all rules, in the order of the file.
pub(super) async fn list(State(board): State<Arc<Board>>) -> Response {
    let known = board.load();
    let rules: Vec<Value> = known.rules.iter().map(|it| rule(it, &known)).collect();
    let body = json!({ "rules": rules }).to_string();
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

fn rule(standing: &Standing, known: &Known) -> Value {
    let Standing { kind, place, listed_at, n_series, n_metrics, problem, named, n_covered } =
        standing;
    let rule = shown(*kind, *place);
    let answers = || known.answers.values().filter(|it| it.rule == rule);
    json!({
        "rule": rule,
        "listedAt": listed_at.map(|it| it.to_string()),
        "seriesNames": n_series,
        "metrics": n_metrics,
        "metricsOfLaterRules": n_covered,
        "problem": problem,
        "namesObjectsBecause": named,
        "questions": answers().count(),
        "questionsWithoutAnswer": answers().filter(|it| it.said.is_err()).count(),
        "lastRefusal": answers().find_map(|it| it.said.as_ref().err()).map(|it| it.why.clone()),
    })
}
