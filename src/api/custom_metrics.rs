//! Custom metrics: the values of objects, joined with the pods that a selector selects.

use crate::api::negotiation::Form;
use crate::api::path::{CustomAsk, Scope, Wanted};
use crate::api::query::Query;
use crate::api::refusal::{Reason, Refusal};
use crate::api::wire::selector::LabelSelector;
use crate::api::wire::{self, Found};
use crate::api::world::{World, cut, joined, select, values};
use crate::domain::metric::{MetricKey, Subject};
use crate::domain::name::{MetricName, Namespace, ObjectName};
use crate::domain::object::GroupResource;
use crate::domain::ports::PodsUnknown;
use crate::domain::selector::Selector;
use crate::pipeline::outcome::Value;
use crate::published::Entry;
use std::sync::Arc;

/// The body that answers `ask`: the objects that have a value, sorted. An object without one is
/// left out, which the HPA takes carefully.
///
/// # Errors
/// `Refusal` if nothing is left, or if the selectors make no sense.
pub(crate) fn answer(
    ask: &CustomAsk,
    query: &Query<'_>,
    form: Form,
    world: &World<'_>,
) -> Result<Vec<u8>, Refusal> {
    let objects = parsed(query, "labelSelector")?;
    let metrics = parsed(query, "metricLabelSelector")?;
    let name = wanted_name(ask, query)?;
    let echo = echo(&metrics)?;
    let Some((key, entries)) = locate(ask, world) else { return Err(unknown(ask, world)) };
    let chosen = select(entries, &key, &metrics, world)?;
    let choice = Choice { name, pods: selected_pods(ask, &key, &objects, world)? };
    let found = find(&chosen, &key, &choice, world);
    if found.is_empty() {
        return Err(nothing(&chosen, &key, &choice, world));
    }
    wire::custom(ask.version, key.metric().as_str(), echo.as_ref(), &found, form)
}

/// Which objects are wanted; all, where nothing is said.
struct Choice {
    name: Option<String>,
    /// The names of the pods that a selector selects, sorted.
    pods: Option<Vec<ObjectName>>,
}

impl Choice {
    /// The objects of `entry` that are wanted, with their values.
    fn of<'a>(&self, entry: &'a Entry) -> impl Iterator<Item = (&'a str, &'a Value)> {
        let mut pods = self.pods.as_ref().map(|it| it.iter().map(ObjectName::as_str).peekable());
        let own_name = entry.subject.object_name();
        self.narrow(entry)
            .iter()
            .filter_map(move |(name, value)| Some((name.as_ref().or(own_name)?.as_str(), value)))
            .filter(|(name, _)| self.name.as_ref().is_none_or(|it| it == name))
            .filter(move |(name, _)| match &mut pods {
                // Both sides are sorted, so one walk along both joins them.
                Some(pods) => {
                    while pods.next_if(|it| it < name).is_some() {}
                    pods.peek() == Some(name)
                }
                None => true,
            })
    }

    /// The values among which the wanted one must be: all, or the one of the pod that is named.
    fn narrow<'a>(&self, entry: &'a Entry) -> &'a [(Option<ObjectName>, Value)] {
        let all = values(entry);
        let (Some(name), Subject::Pods) = (&self.name, &entry.subject) else { return all };
        let order = |(it, _): &(Option<ObjectName>, Value)| {
            it.as_ref().map(ObjectName::as_str).cmp(&Some(name.as_str()))
        };
        let found = all.binary_search_by(order).ok().and_then(|idx| all.get(idx..=idx));
        found.unwrap_or_default()
    }
}

/// `metricLabelSelector` as it stands in the answer.
///
/// # Errors
/// Where the answer's form of a selector has no such condition.
pub(super) fn echo(metrics: &Selector) -> Result<Option<LabelSelector<'_>>, Refusal> {
    if metrics.is_empty() {
        return Ok(None);
    }
    let refused = "metricLabelSelector: `<` and `>` cannot be repeated in the answer";
    LabelSelector::of(metrics).map(Some).ok_or_else(|| Refusal::bad_request(refused))
}

/// That the labels of such objects are not known.
pub(super) fn unwatched(resource: &str) -> Refusal {
    Refusal::bad_request(format!(
        "labelSelector: the labels of {resource} are not watched, only those of pods; \
         ask without a selector, or for one object by its name"
    ))
}

/// Why it is not known which pods a selector selects.
pub(super) fn pods_unknown(what: &str, error: &PodsUnknown) -> Refusal {
    let reason = match error {
        // 503 is what kube-apiserver says when nobody answers; this is an answer.
        PodsUnknown::NotSynced => Reason::NotFound,
        PodsUnknown::NoCluster => Reason::BadRequest,
    };
    Refusal::new(reason, format!("{what}: {error}"))
}

pub(super) fn parsed(query: &Query<'_>, parameter: &str) -> Result<Selector, Refusal> {
    Selector::parse(query.first(parameter).unwrap_or_default())
        .map_err(|error| Refusal::bad_request(format!("{parameter}: {error}")))
}

/// The one object wanted, by the path or by `fieldSelector=metadata.name=…`.
pub(super) fn wanted_name(ask: &CustomAsk, query: &Query<'_>) -> Result<Option<String>, Refusal> {
    let field = query.first("fieldSelector").filter(|it| !it.is_empty());
    let by_field = field
        .map(|text| {
            let value = text.strip_prefix("metadata.name=").map(|it| it.trim_start_matches('='));
            let value = value.filter(|it| !it.is_empty() && !it.contains([',', '=', '!']));
            value.ok_or_else(|| {
                Refusal::bad_request("fieldSelector: only `metadata.name=NAME` is supported")
            })
        })
        .transpose()?;
    match (&ask.object, by_field) {
        (Wanted::All, by_field) => Ok(by_field.map(str::to_owned)),
        (Wanted::One(name), Some(other)) if name != other => {
            Err(Refusal::bad_request("fieldSelector: metadata.name is not the name in the path"))
        }
        (Wanted::One(name), _) => Ok(Some(name.clone())),
    }
}

/// The metric's address: by the resource as sent, by its plural, and by the only group that has
/// such a resource if none was sent.
pub(super) fn locate<'a>(
    ask: &CustomAsk,
    world: &World<'a>,
) -> Option<(MetricKey, &'a [Arc<Entry>])> {
    let metric = MetricName::new(&ask.metric).ok()?;
    let namespace = match &ask.scope {
        Scope::Namespace(namespace) => Some(Namespace::new(namespace).ok()?),
        Scope::Root | Scope::Namespaces => None,
    };
    let sent = GroupResource::parse(&ask.resource);
    let plural = GroupResource::guess(&sent.resource, &sent.group);
    let names = [sent.resource.clone(), plural.resource.clone()];
    let is_without_group = sent.group.is_empty();
    for resource in [sent, plural] {
        let (namespace, metric) = (namespace.clone(), metric.clone());
        let key = MetricKey::Custom { namespace, resource, metric };
        let entries = world.snapshot.find(&key);
        if !entries.is_empty() {
            return Some((key, entries));
        }
    }
    if !is_without_group {
        return None;
    }
    let mut keys = world.snapshot.keys().filter(|key| match key {
        MetricKey::External { .. } => false,
        MetricKey::Custom { namespace: ours, resource, metric: its } => {
            *its == metric && *ours == namespace && names.contains(&resource.resource)
        }
    });
    match (keys.next(), keys.next()) {
        (Some(key), None) => Some((key.clone(), world.snapshot.find(key))),
        _ => None,
    }
}

fn unknown(ask: &CustomAsk, world: &World<'_>) -> Refusal {
    let namespace = match &ask.scope {
        Scope::Namespace(namespace) => Some(namespace.as_str()),
        Scope::Root | Scope::Namespaces => None,
    };
    let object = match &ask.object {
        Wanted::All => String::new(),
        Wanted::One(name) => format!(" \"{name}\""),
    };
    let place = namespace.map(|it| format!(" in namespace {it}")).unwrap_or_default();
    let asked = format!("metric {} of {}{object}{place}", ask.metric, ask.resource);
    world.unknown(&asked, namespace, (Some(&ask.resource), &ask.metric))
}

/// The pods that the selector selects, if it has to be applied at all: a single object is named
/// already, and an empty selector selects whatever has a value.
fn selected_pods(
    ask: &CustomAsk,
    key: &MetricKey,
    selector: &Selector,
    world: &World<'_>,
) -> Result<Option<Vec<ObjectName>>, Refusal> {
    if selector.is_empty() || ask.object != Wanted::All {
        return Ok(None);
    }
    let (namespace, resource) = match key {
        MetricKey::Custom { namespace, resource, .. } => (namespace.as_ref(), resource),
        MetricKey::External { .. } => return Ok(None),
    };
    match namespace.filter(|_| resource.is_pods()) {
        Some(namespace) => {
            let pods = world.pods.matching(namespace, selector);
            pods.map(Some).map_err(|error| pods_unknown(&key.to_string(), &error))
        }
        None => Err(unwatched(&resource.to_string())),
    }
}

/// The values wanted, sorted by object, one for each: the policies are in a fixed order, and the
/// first one wins.
fn find<'a>(
    entries: &[&'a Entry],
    key: &'a MetricKey,
    choice: &Choice,
    world: &World<'_>,
) -> Vec<Found<'a>> {
    let namespace = match key {
        MetricKey::Custom { namespace, .. } => namespace.as_ref().map(Namespace::as_str),
        MetricKey::External { .. } => None,
    };
    let mut found = Vec::new();
    for entry in entries {
        let served = choice.of(entry).filter(|(_, value)| world.serves(value));
        found.extend(served.map(|(name, value)| Found::of(namespace, name, entry, value)));
    }
    if entries.len() > 1 {
        found.sort_by_key(|it| it.name);
        found.dedup_by_key(|it| it.name);
    }
    found
}

/// Why nothing wanted can be served, for the person who reads `kubectl describe hpa`.
fn nothing(entries: &[&Entry], key: &MetricKey, choice: &Choice, world: &World<'_>) -> Refusal {
    let is_concerned = |entry: &&Entry| match (&choice.name, entry.subject.object_name()) {
        (Some(wanted), Some(own)) => wanted == own.as_str(),
        _ => true,
    };
    let concerned: Vec<&Entry> = entries.iter().copied().filter(is_concerned).collect();
    let wanted = choice.name.as_deref().unwrap_or_default();
    if concerned.is_empty() {
        let others = entries.iter().filter_map(|it| it.subject.object_name());
        let others = joined(others.take(OBJECTS_SHOWN_MAX), ", ");
        let text = format!("no policy publishes {key} for \"{}\", but for {others}", cut(wanted));
        return Refusal::not_found(text);
    }
    let n_others =
        concerned.iter().flat_map(|it| values(it)).filter(|(_, value)| world.serves(value)).count();
    let policies = joined(concerned.iter().map(|it| &it.policy), ", ");
    let n_pods = choice.pods.as_ref().map_or(0, Vec::len);
    let text = match (n_others, &choice.name, &choice.pods) {
        (0, _, None) => world.refusals(concerned.into_iter()),
        (0, _, Some(_)) => {
            let why = world.refusals(concerned.into_iter());
            format!("{why}; pods that match the selector: {n_pods}")
        }
        (_, Some(_), None) => format!(
            "policy {policies}: no value for \"{}\" ({key}); objects with a value: {n_others}",
            cut(wanted)
        ),
        (_, _, _) => format!(
            "policy {policies}: no value for the pods asked for ({key}); pods that match the \
             selector: {n_pods}, of these with a value: 0, other pods with a value: {n_others}"
        ),
    };
    Refusal::not_found(text)
}

/// More names help nobody.
const OBJECTS_SHOWN_MAX: usize = 5;
