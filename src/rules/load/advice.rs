//! What is no fault and costs something: said when a configuration is read, not when an HPA waits.

use crate::document::fault::Fault;
use crate::document::path::Path;
use crate::domain::object::{GroupResource, ObjectKind};
use crate::rules::query::{Ask, Objects};
use crate::rules::resources::{KnownResource, Resources, RestMapping};
use crate::rules::selector::SeriesSelector;
use crate::rules::separable::{Inseparable, Judgement};
use crate::rules::wire::OnDuplicate;
use crate::rules::{Bound, Kind, Rule};
use std::sync::Arc;

/// Warnings of a rule of custom metrics, which is judged by the first resource that it names apart from
/// namespaces.
pub(super) fn of(rule: &Arc<Rule>, path: &Path) -> Vec<Fault> {
    let mapping = assumed(&rule.resources);
    let mut resources = mapping.resources().iter().map(|it| &it.resource);
    let (Kind::Custom, Ok(bound), Some(resource)) =
        (rule.kind, Bound::new(Arc::clone(rule), &mapping), resources.next())
    else {
        return Vec::new();
    };
    let ask = Ask {
        series: "series",
        resource,
        namespace: rule.resources.names_namespaces().then_some("shop"),
        objects: Objects::All,
        selector: &SeriesSelector::default(),
    };
    let Judgement { separable, is_one_per_object } = bound.judge(&ask);
    let at = path.key("metricsQuery");
    let mut notes = Vec::new();
    match separable {
        // These were told as what they are.
        Err(Inseparable::NotPromql(_) | Inseparable::NotWritten(_)) => return notes,
        Err(reason) => {
            let problem = format!("asked for each request by itself, not once for all: {reason}");
            let hint = "aggregate `by (<<.GroupBy>>)` where that says the same";
            notes.push(Fault::new(at.clone(), problem).hint(hint));
        }
        Ok(()) => {}
    }
    if !is_one_per_object && rule.on_duplicate == OnDuplicate::Refuse {
        let problem = "may answer several values for one object, which then has none; \
                       prometheus-adapter serves the last";
        let hint = "aggregate `by (<<.GroupBy>>)`, or add `onDuplicate: last`";
        notes.push(Fault::new(at, problem).hint(hint));
    }
    notes
}

/// A cluster that has what the rule names. The first resource is the one to judge by: pods, where a
/// template may name anything.
fn assumed(resources: &Resources) -> RestMapping {
    const ROOT: [&str; 3] = ["namespace", "node", "persistentvolume"];
    let known = |group: &str, name: &str| {
        let resource = GroupResource { resource: name.to_lowercase().into(), group: group.into() };
        let singular: Box<str> = resource.resource.trim_end_matches('s').into();
        let is_namespaced = !(group.is_empty() && ROOT.contains(&&*singular));
        let kind = ObjectKind { api_version: group.into(), kind: singular.clone() };
        KnownResource { resource, singular, is_namespaced, kind: Arc::new(kind) }
    };
    let named = resources.overrides.values().map(|(group, name)| known(group, name));
    let is_namespace = |it: &KnownResource| &*it.singular == "namespace";
    let (namespaces, mut all): (Vec<_>, Vec<_>) = named.partition(is_namespace);
    if resources.template.is_some() {
        all.push(known("", "pods"));
        all.push(known("", "namespaces"));
    }
    // The name under which queries look for it.
    all.extend(namespaces.into_iter().map(|_| known("", "namespaces")));
    RestMapping::new(all)
}
