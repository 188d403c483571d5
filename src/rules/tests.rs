//! The cases of prometheus-adapter's configuration, each by its number: P1 to P44. Where
//! prometheus-adapter is wrong, what is right is expected, and the test says so.

mod answers;
mod faults;
mod naming;
mod queries;
mod resources;
mod separable;

use super::*;
use crate::domain::object::{GroupResource, ObjectKind};
use crate::rules::catalogue::{Catalogue, SeriesShape};
use crate::rules::load::load;
use crate::rules::query::{Ask, CannotBuild, Objects};
use crate::rules::resources::KnownResource;
use crate::rules::selector::SeriesSelector;

/// `sum(…) by (…)`, as most configurations have it.
const M1: &str = "sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)";
/// The same of a rate.
const M2: &str = "sum(rate(<<.Series>>{<<.LabelMatchers>>}[1m])) by (<<.GroupBy>>)";
/// The usual labels.
const STD: &str = "overrides: {namespace: {resource: namespace}, pod: {resource: pod}}";

/// The resources of a cluster, in its order of preference.
fn mapping() -> RestMapping {
    let known = |(resource, singular, is_namespaced): (&str, &str, bool)| {
        let resource = GroupResource::parse(resource);
        let api_version = format!("{}/v1", resource.group).trim_start_matches('/').into();
        let kind = Arc::new(ObjectKind { api_version, kind: singular.into() });
        KnownResource { resource, singular: singular.into(), is_namespaced, kind }
    };
    let all = [
        ("namespaces", "namespace", false),
        ("nodes", "node", false),
        ("persistentvolumes", "persistentvolume", false),
        ("pods", "pod", true),
        ("services", "service", true),
        ("deployments.apps", "deployment", true),
        ("jobs.batch", "job", true),
        ("ingresses.networking.k8s.io", "ingress", true),
        ("pods.metrics.k8s.io", "pod", true),
        ("widgets.example.com", "widget", false),
    ];
    RestMapping::new(all.into_iter().map(known).collect())
}

/// A file with one rule; `rest` are its keys apart from `metricsQuery`, in flow style.
fn file(list: &str, resources: &str, rest: &str, query: &str) -> String {
    let query = query.replace('\'', "''");
    format!(
        "{list}:\n- {{seriesQuery: x, resources: {{{resources}}}, {rest} metricsQuery: '{query}'}}\n"
    )
}

fn rule_of(text: &str) -> Arc<Rule> {
    let rules = load(text).unwrap_or_else(|faults| panic!("{text}: {faults:?}"));
    assert_eq!(rules.faults, [], "{text}");
    rules.custom.into_iter().chain(rules.external).next().unwrap()
}

fn custom(resources: &str, query: &str) -> Bound {
    Bound::new(rule_of(&file("rules", resources, "", query)), &mapping()).unwrap()
}

fn external(resources: &str, query: &str) -> Bound {
    Bound::new(rule_of(&file("externalRules", resources, "", query)), &mapping()).unwrap()
}

/// Problem and hint of the only fault.
fn fault_of(text: &str) -> (String, String) {
    let rules = load(text).unwrap();
    let [fault] = rules.faults.as_slice() else { panic!("{text}: {:?}", rules.faults) };
    (fault.to_string(), fault.hint.clone().unwrap_or_default())
}

fn warnings_of(text: &str) -> Vec<String> {
    let rules = load(text).unwrap();
    assert_eq!(rules.faults, [], "{text}");
    rules.warnings.iter().map(ToString::to_string).collect()
}

fn shape(name: &str, labels: &[&str]) -> SeriesShape {
    SeriesShape { name: name.into(), labels: labels.iter().map(|it| Box::from(*it)).collect() }
}

/// The metrics of one rule's series, as `resource/name`, with `*` where objects live in no namespace.
fn metrics(bound: &Bound, series: &[SeriesShape]) -> Vec<String> {
    let mut catalogue = Catalogue::default();
    catalogue.add(bound, series);
    let custom = catalogue.customs().map(|(resource, metric, entry)| {
        format!("{resource}/{metric}{}", if entry.is_namespaced { "" } else { "*" })
    });
    custom.chain(catalogue.externals().map(|(metric, _)| metric.to_string())).collect()
}
