//! `/debug/explain`: why a metric has the value that it has, for on-call.
//!
//! The traces are the tick's. A request leaves its question in a short queue, which the tick looks
//! at between two turns; what the answer looks like is worked out here, so that nobody who asks can
//! hold an evaluation back.

mod json;
mod text;

use crate::document::fault::nearest;
use crate::domain::limits;
use crate::domain::name::{MetricName, Namespace};
use crate::evaluation::Evaluation;
use crate::evaluation::explain::{Answer, LAST_DEFAULT, Question};
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::sync::{mpsc, oneshot};

/// Where questions are left.
#[derive(Clone, Debug)]
pub struct Desk(mpsc::Sender<Inquiry>);

/// Where they are found.
#[derive(Debug)]
pub struct Inquiries(mpsc::Receiver<Inquiry>);

/// A question, and whom to tell.
#[derive(Debug)]
pub struct Inquiry {
    question: Question,
    asker: oneshot::Sender<Answer>,
}

/// A desk and the other side of it.
#[must_use]
pub fn desk() -> (Desk, Inquiries) {
    let (sender, receiver) = mpsc::channel(limits::INQUIRIES_MAX);
    (Desk(sender), Inquiries(receiver))
}

impl Inquiries {
    /// The next question; nothing is lost when the wait is broken off. `None` when nobody can ask
    /// any more.
    pub async fn next(&mut self) -> Option<Inquiry> {
        self.0.recv().await
    }
}

impl Inquiry {
    /// Answers it from what is known.
    pub fn answer(self, evaluation: &Evaluation) {
        // Who asked may have gone away.
        self.asker.send(evaluation.explain(&self.question)).ok();
    }
}

impl Desk {
    async fn ask(&self, question: Question) -> Result<Answer, Refusal> {
        let busy = || Refusal {
            status: StatusCode::SERVICE_UNAVAILABLE,
            problem: "the evaluation did not answer in time".to_owned(),
            hint: "try again; /livez says whether it turns".to_owned(),
        };
        let (asker, answer) = oneshot::channel();
        self.0.try_send(Inquiry { question, asker }).map_err(|_| busy())?;
        let answer = tokio::time::timeout(limits::INQUIRY_TIMEOUT, answer).await;
        answer.ok().and_then(Result::ok).ok_or_else(busy)
    }
}

/// Why there is no explanation, and what to do.
#[derive(Debug, PartialEq, Eq)]
struct Refusal {
    status: StatusCode,
    problem: String,
    hint: String,
}

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Json,
    Text,
}

/// `GET /debug/explain`: what can be explained.
pub(super) async fn list(
    State(desk): State<Desk>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let asked = match Asked::parse(query.as_deref(), &headers) {
        Ok(asked) => asked,
        Err(refusal) => return refusal.response(wanted(query.as_deref(), &headers)),
    };
    match desk.ask(Question::List).await {
        Ok(answer) => match asked.format {
            Format::Json => json::body(&json::list(&answer)),
            Format::Text => text::body(text::list(&answer)),
        },
        Err(refusal) => refusal.response(asked.format),
    }
}

/// `GET /debug/explain/NAMESPACE/METRIC`: the last evaluations of one metric.
pub(super) async fn metric(
    State(desk): State<Desk>,
    Path((namespace, metric)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let asked = match Asked::parse(query.as_deref(), &headers) {
        Ok(asked) => asked,
        Err(refusal) => return refusal.response(wanted(query.as_deref(), &headers)),
    };
    match explain(&desk, &namespace, &metric, asked.last).await {
        Ok(answer) => match asked.format {
            Format::Json => json::body(&json::metric(&namespace, &metric, &answer)),
            Format::Text => text::body(text::metric(&answer)),
        },
        Err(refusal) => refusal.response(asked.format),
    }
}

async fn explain(
    desk: &Desk,
    namespace: &str,
    metric: &str,
    last: usize,
) -> Result<Answer, Refusal> {
    let bad = |error: crate::domain::name::BadName| Refusal {
        status: StatusCode::BAD_REQUEST,
        problem: error.problem(),
        hint: error.rule().to_owned(),
    };
    let question = Question::Metric {
        namespace: Namespace::new(namespace).map_err(bad)?,
        metric: MetricName::new(metric).map_err(bad)?,
        last,
    };
    let answer = desk.ask(question).await?;
    if answer.explained.is_empty() && answer.broken.is_empty() {
        return Err(unknown(namespace, metric, &answer));
    }
    Ok(answer)
}

fn unknown(namespace: &str, metric: &str, answer: &Answer) -> Refusal {
    let known = &answer.known;
    let here = known.iter().filter(|(of, _)| of.as_str() == namespace).map(|(_, it)| it.as_str());
    let near = nearest(metric, here).map(|it| format!("{namespace}/{it}"));
    let elsewhere = known.iter().find(|(_, it)| it.as_str() == metric);
    let near = near.or_else(|| elsewhere.map(|(of, it)| format!("{of}/{it}")));
    let hint = match near {
        Some(near) => format!("did you mean {near}?"),
        None if known.is_empty() => "there is no policy at all; is the configuration right?".into(),
        None => {
            let some: Vec<String> =
                known.iter().take(NAMES_MAX).map(|(of, it)| format!("{of}/{it}")).collect();
            let all =
                if known.len() > NAMES_MAX { ", … (GET /debug/explain lists all)" } else { "" };
            format!("there are {}{all}", some.join(", "))
        }
    };
    let problem = format!("no policy publishes {namespace}/{metric}");
    Refusal { status: StatusCode::NOT_FOUND, problem, hint }
}

/// Names in a hint; more help nobody.
const NAMES_MAX: usize = 5;

/// What a request says beside its path.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    format: Format,
    last: usize,
}

impl Asked {
    fn parse(query: Option<&str>, headers: &HeaderMap) -> Result<Self, Refusal> {
        let bad = |problem: String, hint: String| Refusal {
            status: StatusCode::BAD_REQUEST,
            problem,
            hint,
        };
        let mut asked = Self { format: wanted(query, headers), last: LAST_DEFAULT };
        let pairs = query.unwrap_or_default().split('&').filter(|it| !it.is_empty());
        for pair in pairs {
            match pair.split_once('=').unwrap_or((pair, "")) {
                ("format", "json" | "text") => {}
                ("format", _) => {
                    return Err(bad("there is no such format".into(), "json or text".into()));
                }
                ("last", last) => {
                    let last = last.parse().ok().filter(|it| (1..=limits::TRACES_MAX).contains(it));
                    let hint = || format!("a whole number from 1 to {}", limits::TRACES_MAX);
                    let problem = || "last is not a number of evaluations that are kept".to_owned();
                    asked.last = last.ok_or_else(|| bad(problem(), hint()))?;
                }
                _ => {
                    return Err(bad(
                        "unknown parameter".into(),
                        "there are format and last".into(),
                    ));
                }
            }
        }
        Ok(asked)
    }
}

/// JSON, unless plain text is asked for by name: in the query, or else as a media type.
fn wanted(query: Option<&str>, headers: &HeaderMap) -> Format {
    let accept = headers.get(header::ACCEPT).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let media = accept.split(',').map(|it| it.split(';').next().unwrap_or_default().trim());
    let pairs = query.unwrap_or_default().split('&');
    let named = pairs.chain(media).find_map(|it| match it {
        "format=text" | "text/plain" => Some(Format::Text),
        "format=json" | "application/json" => Some(Format::Json),
        _ => None,
    });
    named.unwrap_or(Format::Json)
}

impl Refusal {
    fn response(&self, format: Format) -> Response {
        let body = match format {
            Format::Json => json::body(&json::Refused { error: &self.problem, hint: &self.hint }),
            Format::Text => text::body(format!("error: {}\n  hint: {}\n", self.problem, self.hint)),
        };
        (self.status, body).into_response()
    }
}

#[cfg(test)]
mod tests;
