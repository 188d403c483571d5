//! An explanation as JSON: the same numbers as the text, whole. Durations are seconds.

mod forecast;
mod trace;

use crate::domain::metric::Subject;
use crate::evaluation::explain::{Answer, Explained};
use crate::policy::Combine;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::time::Duration;
use trace::Evaluated;

pub(super) fn body(document: &impl Serialize) -> Response {
    match serde_json::to_vec_pretty(document) {
        Ok(mut body) => {
            body.push(b'\n');
            ([(header::CONTENT_TYPE, "application/json")], body).into_response()
        }
        // These documents have text keys and no fallible parts; if one fails it is a defect.
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Why there is no explanation.
#[derive(Serialize)]
pub(super) struct Refused<'a> {
    pub(super) error: &'a str,
    pub(super) hint: &'a str,
}

/// What can be explained.
#[derive(Serialize)]
pub(super) struct List<'a> {
    metrics: Vec<Address<'a>>,
}

#[derive(Serialize)]
struct Address<'a> {
    namespace: &'a str,
    metric: &'a str,
}

/// Everything about one metric.
#[derive(Serialize)]
pub(super) struct Metric<'a> {
    namespace: &'a str,
    metric: &'a str,
    policies: Vec<Explanation<'a>>,
    broken: Vec<Broken<'a>>,
}

#[derive(Serialize)]
struct Broken<'a> {
    policy: String,
    why: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Explanation<'a> {
    policy: String,
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    described_object: Option<String>,
    interval_seconds: f64,
    combine: Option<&'a str>,
    guard: Guard,
    history: Option<History>,
    traces: Vec<Evaluated<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Guard {
    max_age_seconds: f64,
    hold_seconds: f64,
    min: Option<f64>,
    max: Option<f64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct History {
    known_seconds: f64,
    chunks_done: Option<usize>,
    chunks_total: Option<usize>,
}

pub(super) fn list(answer: &Answer) -> List<'_> {
    let known = answer.known.iter();
    let address = known.map(|(it, metric)| (it.as_str(), metric.as_str()));
    List { metrics: address.map(|(namespace, metric)| Address { namespace, metric }).collect() }
}

pub(super) fn metric<'a>(namespace: &'a str, metric: &'a str, answer: &'a Answer) -> Metric<'a> {
    let broken = answer.broken.iter();
    let broken = broken.map(|it| Broken { policy: it.policy.to_string(), why: &it.why });
    Metric {
        namespace,
        metric,
        policies: answer.explained.iter().map(Explanation::of).collect(),
        broken: broken.collect(),
    }
}

impl<'a> Explanation<'a> {
    fn of(explained: &'a Explained) -> Self {
        let Explained { policy, traces, history } = explained;
        let (r#type, described_object) = match &policy.subject {
            Subject::External => ("External", None),
            Subject::Pods => ("Pods", None),
            Subject::Object { object, .. } => {
                ("Object", Some(format!("{}/{}", object.kind.kind, object.name)))
            }
        };
        Self {
            policy: policy.key.to_string(),
            r#type,
            described_object,
            interval_seconds: seconds(policy.interval),
            combine: match &policy.combine {
                Combine::Only => None,
                Combine::Expression(expression) => Some(expression.text()),
            },
            guard: Guard {
                max_age_seconds: seconds(policy.guard.max_age),
                hold_seconds: seconds(policy.guard.hold),
                min: policy.guard.min.map(|it| it.get()),
                max: policy.guard.max.map(|it| it.get()),
            },
            history: history.map(|it| History {
                known_seconds: seconds(it.span),
                chunks_done: it.progress.map(|it| it.chunks_done),
                chunks_total: it.progress.map(|it| it.chunks_total),
            }),
            traces: traces.iter().map(|it| Evaluated::of(policy, it)).collect(),
        }
    }
}

/// To the millisecond; what is finer is noise to whoever reads it.
fn seconds(duration: Duration) -> f64 {
    duration.as_millis() as f64 / 1_000.0
}
