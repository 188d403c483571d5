//! Which metrics the documents of discovery name: those of a snapshot, up to a limit.

use crate::api::path::Group;
use crate::domain::metric::MetricKey;
use crate::domain::name::MetricName;
use crate::domain::object::GroupResource;
use crate::published::Snapshot;
use crate::rules::catalogue::{Catalogue, Entry};
use std::collections::BTreeSet;

/// Which metrics the documents of discovery name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Listed {
    custom: Lines,
    external: Lines,
}

/// The metrics of one group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lines {
    pub(crate) lines: Vec<Line>,
    /// Metrics that are served and not named, because there are too many.
    pub(crate) left_out: usize,
}

/// A metric by its name; several namespaces publish metrics of one name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Line {
    /// The resource that it is about, e.g. `deployments.apps`; a metric of no object has none.
    pub(crate) resource: Option<String>,
    pub(crate) metric: String,
    pub(crate) namespaced: bool,
}

impl Listed {
    /// What `snapshot` publishes and `rules` make, at most `lines_max` metrics of each group.
    pub(crate) fn of(snapshot: &Snapshot, rules: &Catalogue, lines_max: usize) -> Self {
        let lines = |group| {
            let mut all: BTreeSet<Line> =
                snapshot.keys().filter_map(|key| Line::of(group, key)).collect();
            all.extend(Line::of_rules(group, rules));
            let left_out = all.len().saturating_sub(lines_max);
            let mut lines: Vec<Line> = all.into_iter().take(lines_max).collect();
            if lines.is_empty() {
                lines.push(Line::placeholder(group));
            }
            Lines { lines, left_out }
        };
        Self { custom: lines(Group::Custom), external: lines(Group::External) }
    }

    pub(crate) fn group(&self, group: Group) -> &Lines {
        match group {
            Group::Custom => &self.custom,
            Group::External => &self.external,
        }
    }
}

impl Line {
    fn of(group: Group, key: &MetricKey) -> Option<Self> {
        match (group, key) {
            (Group::Custom, MetricKey::Custom { namespace, resource, metric }) => Some(Self {
                resource: Some(resource.to_string()),
                metric: metric.to_string(),
                namespaced: namespace.is_some(),
            }),
            (Group::External, MetricKey::External { metric, .. }) => {
                Some(Self { resource: None, metric: metric.to_string(), namespaced: true })
            }
            (Group::Custom, MetricKey::External { .. })
            | (Group::External, MetricKey::Custom { .. }) => None,
        }
    }

    fn of_rules(group: Group, rules: &Catalogue) -> Vec<Self> {
        match group {
            Group::Custom => {
                let line =
                    |(resource, metric, entry): (&GroupResource, &MetricName, &Entry)| Self {
                        resource: Some(resource.to_string()),
                        metric: metric.to_string(),
                        namespaced: entry.is_namespaced,
                    };
                rules.customs().map(line).collect()
            }
            Group::External => {
                let line = |(metric, _): (&MetricName, _)| Self {
                    resource: None,
                    metric: metric.to_string(),
                    namespaced: true,
                };
                rules.externals().map(line).collect()
            }
        }
    }

    /// What stands in an otherwise empty list, which older clients warn about on every call.
    fn placeholder(group: Group) -> Self {
        let (resource, metric) = match group {
            Group::Custom => (Some("pods".to_owned()), "custommetrics"),
            Group::External => (None, "externalmetrics"),
        };
        Self { resource, metric: metric.to_owned(), namespaced: true }
    }

    /// As a list of resources names it.
    pub(crate) fn name(&self) -> String {
        match &self.resource {
            Some(resource) => format!("{resource}/{}", self.metric),
            None => self.metric.clone(),
        }
    }
}
