//! Which metrics the rules make of their series, and which of them have to name objects.
//!
//! With ten thousands of names that takes part of a second, so it can be done apart from the task
//! that serves (`Material`); what was judged before is not judged again.

use super::Ledger;
use crate::domain::limits::on_demand::NAMES_MAX;
use crate::domain::object::GroupResource;
use crate::on_demand::board::Named;
use crate::on_demand::rule::Relist;
use crate::rules::catalogue::{Catalogue, Entry, SeriesShape};
use crate::rules::query::{Ask, Objects};
use crate::rules::selector::SeriesSelector;
use crate::rules::{Bound, Kind, Rule};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Rules with their series, from which metrics are made.
#[derive(Debug)]
pub struct Material {
    configured: u64,
    rules: Vec<(Arc<Bound>, Arc<[SeriesShape]>)>,
    before: Listed,
}

/// The metrics that there are.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    configured: u64,
    pub(super) catalogue: Arc<Catalogue>,
    pub(super) named: Arc<Named>,
    /// By which rules custom metrics were judged, by place.
    judges: Arc<BTreeMap<usize, Arc<Bound>>>,
    tallies: Arc<BTreeMap<(Kind, usize), Tally>>,
}

/// What one rule makes.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    /// Metrics that it answers for.
    pub(super) n_metrics: usize,
    /// Metrics that a later rule answers.
    pub(super) n_covered: usize,
    /// Why some of its queries name objects.
    pub(super) named: Option<String>,
    /// A name that it makes and that no metric can have.
    pub(super) unnamed: Option<String>,
}

impl Material {
    /// Puts the metrics together.
    #[must_use]
    pub fn listed(self) -> Listed {
        let Self { configured, rules, before } = self;
        let mut catalogue = Catalogue::default();
        for (bound, series) in &rules {
            catalogue.add(bound, series);
        }
        let is_custom = |it: &&(Arc<Bound>, _)| it.0.rule().kind == Kind::Custom;
        let customs = rules.iter().filter(is_custom);
        let judges: BTreeMap<usize, Arc<Bound>> =
            customs.map(|(bound, _)| (bound.rule().place, Arc::clone(bound))).collect();
        let is_same_judge = |place: &usize| {
            let pair = judges.get(place).zip(before.judges.get(place));
            pair.is_some_and(|(now, then)| Arc::ptr_eq(now, then))
        };
        if catalogue == *before.catalogue && judges.keys().all(is_same_judge) {
            return Self::unchanged(configured, before, judges);
        }
        let mut named = Named::new();
        for (resource, metric, entry) in catalogue.customs() {
            let Some(bound) = judges.get(&entry.rule) else { continue };
            let key = (resource.clone(), metric.clone());
            let is_known = before.catalogue.custom(resource, metric.as_str()) == Some(entry);
            let why = if is_known && is_same_judge(&entry.rule) {
                before.named.get(&key).cloned()
            } else {
                judged(bound, resource, entry)
            };
            named.extend(why.map(|why| (key, why)));
        }
        let tallies = Arc::new(tallies(&catalogue, &named));
        Listed {
            configured,
            catalogue: Arc::new(catalogue),
            named: Arc::new(named),
            judges: Arc::new(judges),
            tallies,
        }
    }

    /// The same object, so that whoever made something of it sees that nothing is new.
    fn unchanged(configured: u64, before: Listed, judges: BTreeMap<usize, Arc<Bound>>) -> Listed {
        Listed { configured, judges: Arc::new(judges), ..before }
    }
}

/// Why the query of a metric has to name the objects, if it has to.
fn judged(bound: &Bound, resource: &GroupResource, entry: &Entry) -> Option<String> {
    let ask = Ask {
        series: &entry.series,
        resource,
        namespace: entry.is_namespaced.then_some("default"),
        objects: Objects::All,
        selector: &SeriesSelector::default(),
    };
    bound.judge(&ask).separable.err().map(|reason| reason.to_string())
}

fn tallies(catalogue: &Catalogue, named: &Named) -> BTreeMap<(Kind, usize), Tally> {
    let mut tallies: BTreeMap<(Kind, usize), Tally> = BTreeMap::new();
    for (resource, metric, entry) in catalogue.customs() {
        let tally = tallies.entry((Kind::Custom, entry.rule)).or_default();
        tally.n_metrics += 1;
        if tally.named.is_none() {
            tally.named = named.get(&(resource.clone(), metric.clone())).cloned();
        }
    }
    for (_, entry) in catalogue.externals() {
        tallies.entry((Kind::External, entry.rule)).or_default().n_metrics += 1;
    }
    for covered in catalogue.covered() {
        let kind = if covered.resource.is_some() { Kind::Custom } else { Kind::External };
        tallies.entry((kind, covered.rule)).or_default().n_covered += 1;
    }
    for ((kind, place), bad) in catalogue.unnamed() {
        let tally = tallies.entry((*kind, *place)).or_default();
        tally.unnamed = Some(bad.to_string());
    }
    tallies
}

impl<W> Ledger<W> {
    /// What to ask to learn each rule's series.
    #[must_use]
    pub fn relists(&self) -> Vec<Relist> {
        self.rules().filter_map(|it| it.relist()).collect()
    }

    /// Takes in the series of one rule; when they could not be had, the last good ones stay. Whether
    /// they are others than before, so that metrics are to be listed anew.
    pub fn relisted(
        &mut self,
        rule: &Rule,
        series: Result<Vec<SeriesShape>, String>,
        at: Timestamp,
    ) -> bool {
        let others = self.rules().filter(|it| *it.rule != *rule).map(|it| it.series.len());
        let room = NAMES_MAX.saturating_sub(others.sum());
        let fitting = |it: Vec<SeriesShape>| {
            let why = format!("{} names of series, with room for {room}", it.len());
            if it.len() > room { Err(why) } else { Ok(it) }
        };
        let list = match rule.kind {
            Kind::Custom => &mut self.custom,
            Kind::External => &mut self.external,
        };
        // What is about a rule that changed meanwhile is nobody's.
        let Some(known) = list.iter_mut().find(|it| *it.rule == *rule) else { return false };
        match series.and_then(fitting) {
            Ok(series) => {
                known.listed_at = Some(at);
                known.problem = None;
                let is_new = *known.series != *series;
                if is_new {
                    known.series = series.into();
                }
                is_new
            }
            Err(why) => {
                known.counts.note_list_failure();
                known.problem = Some(why);
                false
            }
        }
    }

    /// What metrics are to be made of.
    #[must_use]
    pub fn material(&self) -> Material {
        let usable = self.rules().filter_map(|it| {
            let bound = it.bound.as_ref().ok()?;
            Some((Arc::clone(bound), Arc::clone(&it.series)))
        });
        Material {
            configured: self.configured,
            rules: usable.collect(),
            before: self.listed.clone(),
        }
    }

    /// Takes over the metrics that were made; what is of rules that changed meanwhile is nobody's.
    pub fn take(&mut self, listed: Listed) {
        if listed.configured == self.configured {
            self.listed = listed;
        }
    }

    /// Puts the metrics together of which the rules' series are made.
    pub fn list(&mut self) {
        self.take(self.material().listed());
    }

    pub(super) fn tally(&self, kind: Kind, place: usize) -> Tally {
        self.listed.tallies.get(&(kind, place)).cloned().unwrap_or_default()
    }
}
