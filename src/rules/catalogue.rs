//! Which metrics the rules make of the series that are there.
//!
//! prometheus-adapter's order holds, so that a configuration means what it meant: of two rules that
//! make one metric the later answers, and of two series of one rule the last by name. What is
//! covered by that is told.

use crate::domain::name::{BadName, MetricName};
use crate::domain::object::{GroupResource, ObjectKind};
use crate::rules::resources::KnownResource;
use crate::rules::{Bound, Kind};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A series as far as rules look at it: its name, and which of the rule's labels it has. Its other
/// labels, and the values of all, need not be known.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct SeriesShape {
    /// `__name__`.
    pub name: Box<str>,
    /// The names of its labels.
    pub labels: BTreeSet<Box<str>>,
}

/// All metrics of all rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalogue {
    custom: BTreeMap<GroupResource, BTreeMap<MetricName, Entry>>,
    external: BTreeMap<MetricName, Entry>,
    covered: Vec<Covered>,
    unnamed: BTreeMap<(Kind, usize), BadName>,
}

/// What answers for a metric.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The place of the rule among those of its kind, from zero.
    pub rule: usize,
    /// The series that it asks for.
    pub series: Box<str>,
    /// Whether the metric's objects live in namespaces, as the cluster says; true for external ones.
    pub is_namespaced: bool,
    /// What the metric's objects are; `None` for external ones.
    pub kind: Option<Arc<ObjectKind>>,
}

/// A metric that two rules make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Covered {
    /// Its name.
    pub metric: MetricName,
    /// The objects' resource; `None` for an external metric.
    pub resource: Option<GroupResource>,
    /// The rule that does not answer.
    pub rule: usize,
    /// The one that does.
    pub by: usize,
}

impl Catalogue {
    /// Adds what a rule makes of its series. Rules come in the order of the file.
    pub fn add(&mut self, bound: &Bound, series: &[SeriesShape]) {
        // In one order on every replica, whatever order the server answers in.
        let mut sorted: Vec<&SeriesShape> = series.iter().collect();
        sorted.sort();
        for shape in sorted {
            let metric = match bound.rule().naming.metric(&shape.name) {
                Ok(Some(metric)) => metric,
                Ok(None) => continue,
                Err(bad) => {
                    self.unnamed.insert((bound.rule().kind, bound.rule().place), bad);
                    continue;
                }
            };
            match bound.rule().kind {
                Kind::Custom => {
                    for known in bound.resources_of(shape) {
                        self.add_custom(bound.rule().place, shape, &metric, known);
                    }
                }
                Kind::External => {
                    let entry = entry(bound.rule().place, shape, None);
                    let old = self.external.insert(metric.clone(), entry);
                    self.cover(old, bound.rule().place, metric, None);
                }
            }
        }
    }

    fn add_custom(
        &mut self,
        rule: usize,
        shape: &SeriesShape,
        metric: &MetricName,
        known: &KnownResource,
    ) {
        let resource = known.resource.clone();
        let metrics = self.custom.entry(resource.clone()).or_default();
        let old = metrics.insert(metric.clone(), entry(rule, shape, Some(known)));
        self.cover(old, rule, metric.clone(), Some(resource));
    }

    fn cover(
        &mut self,
        old: Option<Entry>,
        by: usize,
        metric: MetricName,
        resource: Option<GroupResource>,
    ) {
        if let Some(Entry { rule, .. }) = old.filter(|it| it.rule != by) {
            let covered = Covered { metric, resource, rule, by };
            if !self.covered.contains(&covered) {
                self.covered.push(covered);
            }
        }
    }

    /// What answers for a custom metric.
    #[must_use]
    pub fn custom(&self, resource: &GroupResource, metric: &str) -> Option<&Entry> {
        self.custom.get(resource)?.get(metric)
    }

    /// What answers for an external metric.
    #[must_use]
    pub fn external(&self, metric: &str) -> Option<&Entry> {
        self.external.get(metric)
    }

    /// All custom metrics, by resource and name.
    pub fn customs(&self) -> impl Iterator<Item = (&GroupResource, &MetricName, &Entry)> {
        self.custom.iter().flat_map(|(resource, metrics)| {
            metrics.iter().map(move |(metric, entry)| (resource, metric, entry))
        })
    }

    /// All external metrics, by name.
    pub fn externals(&self) -> impl Iterator<Item = (&MetricName, &Entry)> {
        self.external.iter()
    }

    /// The metrics that two rules make.
    #[must_use]
    pub fn covered(&self) -> &[Covered] {
        &self.covered
    }

    /// By rule, a name that it made of a series and that no metric can have.
    #[must_use]
    pub fn unnamed(&self) -> &BTreeMap<(Kind, usize), BadName> {
        &self.unnamed
    }
}

impl Bound {
    /// The resources that the labels of a series name.
    pub fn resources_of(&self, shape: &SeriesShape) -> impl Iterator<Item = &KnownResource> {
        shape.labels.iter().filter_map(|label| self.labels().resource(label))
    }
}

fn entry(rule: usize, shape: &SeriesShape, known: Option<&KnownResource>) -> Entry {
    let is_namespaced = known.is_none_or(|it| it.is_namespaced);
    let kind = known.map(|it| Arc::clone(&it.kind));
    Entry { rule, series: shape.name.clone(), is_namespaced, kind }
}
