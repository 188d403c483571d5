//! An explanation as plain text.

use crate::domain::duration::Shown;
use crate::domain::metric::Subject;
use crate::evaluation::explain::{Answer, Broken, Explained, Known};
use crate::pipeline::trace::text::{render, table};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use std::fmt::Write;
use std::time::Duration;

pub(super) fn body(text: String) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
}

/// The metrics that can be explained, one to a line as they are asked for.
pub(super) fn list(answer: &Answer) -> String {
    let mut text = String::new();
    for (namespace, metric) in &answer.known {
        // Writing into a String cannot fail, here and below.
        writeln!(text, "{namespace} {metric}").ok();
    }
    text
}

/// Each policy with its newest evaluation stage by stage, and the last ones in a table.
pub(super) fn metric(answer: &Answer) -> String {
    let explained = answer.explained.iter().map(policy);
    let broken = answer.broken.iter().map(|Broken { policy, why }| {
        format!("policy {policy} is not valid, so it publishes nothing: {why}\n")
    });
    explained.chain(broken).collect::<Vec<_>>().join("\n")
}

fn policy(explained: &Explained) -> String {
    let Explained { policy, traces, history } = explained;
    let (key, metric, interval) = (&policy.key, policy.metric_key(), Shown(policy.interval));
    let about = match &policy.subject {
        Subject::Object { object, .. } => format!(" about {}/{}", object.kind.kind, object.name),
        Subject::External | Subject::Pods => String::new(),
    };
    let mut text = format!("policy {key} publishes {metric}{about}, every {interval}\n");
    if let Some(Known { span, progress }) = history {
        let progress = progress.map_or_else(String::new, |it| {
            let (done, total) = (it.chunks_done, it.chunks_total);
            format!(", {done} of {total} chunks of the past were answered")
        });
        writeln!(text, "history: {} known{progress}", days(*span)).ok();
    }
    let Some(newest) = traces.first() else {
        text.push_str("not evaluated yet; it was loaded a moment ago\n");
        return text;
    };
    write!(text, "\n{}", render(policy, newest)).ok();
    if traces.len() > 1 {
        write!(text, "\nthe last evaluations, newest first:\n{}", table(traces)).ok();
    }
    text
}

/// A long time for a person: days, from two of them on.
fn days(span: Duration) -> String {
    let seconds = span.as_secs();
    if seconds < 2 * DAY { Shown(span).to_string() } else { format!("{} days", seconds / DAY) }
}

const DAY: u64 = 24 * 3600;
