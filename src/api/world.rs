//! What one request may look at: a snapshot, the pods, and the time; none of it changes meanwhile.

use crate::api::refusal::Refusal;
use crate::domain::limits;
use crate::domain::metric::MetricKey;
use crate::domain::name::ObjectName;
use crate::domain::ports::Pods;
use crate::domain::selector::Selector;
use crate::pipeline::outcome::Value;
use crate::published::{Entry, Snapshot, State};
use jiff::Timestamp;
use std::fmt::Display;
use std::sync::Arc;

/// What one request may look at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct World<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) pods: &'a dyn Pods,
    pub(crate) now: Timestamp,
}

impl World<'_> {
    /// Whether `value` may be served. The snapshot may be old, if the tick has died.
    pub(crate) fn serves(&self, value: &Value) -> bool {
        self.now <= value.serve_until
    }

    /// Why nothing of `entries` can be served.
    pub(crate) fn refusals<'e>(&self, entries: impl Iterator<Item = &'e Entry>) -> String {
        joined(entries.map(|it| it.refusal(self.now)), "; ")
    }

    /// That `asked` is not published, with the names that may have been meant.
    pub(crate) fn unknown(&self, asked: &str, namespace: Option<&str>, metric: &str) -> Refusal {
        let near = self.near(namespace, metric);
        let hint = if near.is_empty() {
            String::new()
        } else {
            format!("; near that: {}", joined(near.into_iter(), ", "))
        };
        Refusal::not_found(format!("no policy publishes {}{hint}", cut(asked)))
    }

    /// What is published in the same place under the same or nearly the same name; only the nearest.
    fn near(&self, namespace: Option<&str>, metric: &str) -> Vec<&MetricKey> {
        if metric.len() > NEAR_BYTES_MAX {
            return Vec::new();
        }
        let mut near: Vec<(usize, &MetricKey)> = self
            .snapshot
            .keys()
            .filter(|key| namespace_of(key) == namespace)
            .filter(|key| key.metric().as_str().len() <= NEAR_BYTES_MAX)
            .take(limits::documents::METRICS_LISTED)
            .map(|key| (strsim::osa_distance(metric, key.metric().as_str()), key))
            .filter(|(distance, _)| *distance <= (metric.len() / 4).max(2))
            .collect();
        near.sort();
        let nearest = near.first().map(|(distance, _)| *distance);
        let as_near = near.into_iter().filter(|(distance, _)| Some(*distance) == nearest);
        as_near.map(|(_, key)| key).take(NEAR_NAMES_MAX).collect()
    }
}

/// Longer names are not compared: the work grows with the square, and the client chooses.
const NEAR_BYTES_MAX: usize = 64;
/// More names help nobody.
const NEAR_NAMES_MAX: usize = 3;
/// How much of what the client wrote is repeated in a message.
const SHOWN_CHARS_MAX: usize = 400;

fn namespace_of(key: &MetricKey) -> Option<&str> {
    match key {
        MetricKey::External { namespace, .. } => Some(namespace.as_str()),
        MetricKey::Custom { namespace, .. } => namespace.as_ref().map(|it| it.as_str()),
    }
}

/// The beginning of a text that a client wrote.
pub(crate) fn cut(text: &str) -> String {
    text.chars().take(SHOWN_CHARS_MAX).collect()
}

/// `a, b, c`.
pub(crate) fn joined(parts: impl Iterator<Item = impl Display>, separator: &str) -> String {
    parts.map(|it| it.to_string()).collect::<Vec<_>>().join(separator)
}

/// The values of `entry`, servable or not, sorted by object.
pub(crate) fn values(entry: &Entry) -> &[(Option<ObjectName>, Value)] {
    match &entry.state {
        State::Evaluated(outcome) => &outcome.values,
        State::Waiting | State::Broken(_) => &[],
    }
}

/// The entries whose labels `selector` selects, by policy, so that every replica has them in one
/// order.
///
/// # Errors
/// When there are none, the reason. The labels of a broken policy may be unknown, so it is named
/// there rather than passed over.
pub(crate) fn select<'a>(
    entries: &'a [Arc<Entry>],
    key: &MetricKey,
    selector: &Selector,
    world: &World<'_>,
) -> Result<Vec<&'a Entry>, Refusal> {
    let mut chosen: Vec<&Entry> =
        entries.iter().map(AsRef::as_ref).filter(|it| selector.matches(&it.labels)).collect();
    chosen.sort_by(|a, b| a.policy.cmp(&b.policy));
    if !chosen.is_empty() {
        return Ok(chosen);
    }
    let broken: Vec<&Entry> = entries
        .iter()
        .map(AsRef::as_ref)
        .filter(|it| matches!(it.state, State::Broken(_)))
        .collect();
    if broken.is_empty() {
        let policies = joined(entries.iter().map(|it| &it.policy), ", ");
        let text = format!("{key}: its labels do not match the selector (policy {policies})");
        return Err(Refusal::not_found(text));
    }
    Err(Refusal::not_found(world.refusals(broken.into_iter())))
}
