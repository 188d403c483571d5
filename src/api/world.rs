//! What one request may look at: a snapshot, the pods, and the time; none of it changes meanwhile.

use crate::api::refusal::Refusal;
use crate::domain::limits;
use crate::domain::metric::MetricKey;
use crate::domain::name::{MetricName, ObjectName};
use crate::domain::object::GroupResource;
use crate::domain::ports::Pods;
use crate::domain::selector::Selector;
use crate::on_demand::board::State as Rules;
use crate::pipeline::outcome::Value;
use crate::published::{Entry, Snapshot, State};
use jiff::Timestamp;
use std::fmt::Display;
use std::sync::Arc;

/// What one request may look at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct World<'a> {
    pub(crate) snapshot: &'a Snapshot,
    /// What rules make.
    pub(crate) rules: &'a Rules,
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

    /// That `asked` is not published, with the names that may have been meant. It is a metric of a
    /// `resource`, or an external one.
    pub(crate) fn unknown(
        &self,
        asked: &str,
        namespace: Option<&str>,
        (resource, metric): (Option<&str>, &str),
    ) -> Refusal {
        let near = self.near(namespace, resource, metric);
        let hint = if near.is_empty() {
            String::new()
        } else {
            format!("; near that: {}", joined(near.into_iter(), ", "))
        };
        let rules = if self.rules.rules.is_empty() { "" } else { ", and no rule makes it" };
        Refusal::not_found(format!("no policy publishes {}{rules}{hint}", cut(asked)))
    }

    /// What is published in the same place under the same or nearly the same name, and what rules make
    /// under such; only the nearest.
    fn near(&self, namespace: Option<&str>, resource: Option<&str>, metric: &str) -> Vec<String> {
        if metric.len() > NEAR_BYTES_MAX {
            return Vec::new();
        }
        let published = self.snapshot.keys().filter(|key| namespace_of(key) == namespace);
        let published = published.map(|key| (key.metric(), Near::Published(key)));
        let made = self.made(resource).take(limits::documents::METRICS_LISTED);
        let mut near: Vec<(usize, Near<'_>, &MetricName)> = published
            .take(limits::documents::METRICS_LISTED)
            .chain(made)
            .filter(|(name, _)| name.as_str().len() <= NEAR_BYTES_MAX)
            .map(|(name, near)| (strsim::osa_distance(metric, name.as_str()), near, name))
            .filter(|(distance, ..)| *distance <= (metric.len() / 4).max(2))
            .collect();
        near.sort();
        let nearest = near.first().map(|(distance, ..)| *distance);
        let as_near = near.into_iter().filter(|(distance, ..)| Some(*distance) == nearest);
        let shown = as_near.map(|(_, near, name)| match near {
            Near::Published(key) => key.to_string(),
            Near::Made { resource: Some(resource), .. } => format!("metric {name} of {resource}"),
            Near::Made { resource: None, .. } => format!("external metric {name}"),
        });
        shown.take(NEAR_NAMES_MAX).collect()
    }

    /// What rules make, of the resource that was asked for first; external metrics without one.
    fn made(&self, resource: Option<&str>) -> impl Iterator<Item = (&MetricName, Near<'_>)> {
        let sent = resource.map(GroupResource::parse);
        let asked =
            sent.map(|it| (GroupResource::guess(&it.resource, &it.group).resource, it.resource));
        let is_external = asked.is_none();
        let is_other = move |it: &GroupResource| {
            asked
                .as_ref()
                .is_none_or(|(plural, sent)| it.resource != *plural && it.resource != *sent)
        };
        let catalogue = &self.rules.catalogue;
        let customs =
            catalogue.customs().filter(move |_| !is_external).map(move |(it, metric, _)| {
                (metric, Near::Made { is_other: is_other(it), resource: Some(it) })
            });
        let (own, others): (Vec<_>, Vec<_>) =
            customs.partition(|(_, near)| matches!(near, Near::Made { is_other: false, .. }));
        let externals = catalogue.externals().filter(move |_| is_external);
        let externals =
            externals.map(|(metric, _)| (metric, Near::Made { is_other: false, resource: None }));
        own.into_iter().chain(others).chain(externals)
    }
}

/// Who has a metric whose name is near to the one asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Near<'a> {
    /// A policy, under this key.
    Published(&'a MetricKey),
    /// A rule.
    Made {
        /// Whether it is about other objects than were asked for.
        is_other: bool,
        /// Which objects; `None` for an external metric.
        resource: Option<&'a GroupResource>,
    },
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
