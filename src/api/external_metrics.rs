//! External metrics: one number, or one for each policy whose labels are selected.

use crate::api::negotiation::Form;
use crate::api::path::ExternalAsk;
use crate::api::query::Query;
use crate::api::refusal::Refusal;
use crate::api::wire::{self, Item};
use crate::api::world::{World, select, values};
use crate::domain::metric::MetricKey;
use crate::domain::name::{MetricName, Namespace};
use crate::domain::selector::Selector;
use crate::published::Entry;

/// The body that answers `ask`.
///
/// The HPA adds up all items, so a list with one missing would say too little, like a zero in its
/// place: if one selected policy has no value, there is no answer.
///
/// # Errors
/// `Refusal` if there is nothing to serve.
pub(crate) fn answer(
    ask: &ExternalAsk,
    query: &Query<'_>,
    form: Form,
    world: &World<'_>,
) -> Result<Vec<u8>, Refusal> {
    if query.is_set("watch") {
        return Err(Refusal::method("GET"));
    }
    let selector = Selector::parse(query.first("labelSelector").unwrap_or_default())
        .map_err(|error| Refusal::bad_request(error.to_string()))?;
    let Some((key, entries)) = locate(ask, world) else {
        let asked = format!("external metric {} in namespace {}", ask.metric, ask.namespace);
        let wanted = (None, &*ask.metric);
        return Err(world.unknown(&asked, Some(&ask.namespace), wanted));
    };
    let mut served: Vec<Item<'_>> = Vec::new();
    let mut without: Vec<&Entry> = Vec::new();
    for entry in select(entries, &key, &selector, world)? {
        match values(entry).first().filter(|(_, value)| world.serves(value)) {
            Some((_, value)) => served.push(Item::of(entry, value)),
            None => without.push(entry),
        }
    }
    if !without.is_empty() {
        return Err(Refusal::not_found(world.refusals(without.into_iter())));
    }
    wire::external(key.metric().as_str(), &served, form)
}

pub(crate) fn locate<'a>(
    ask: &ExternalAsk,
    world: &World<'a>,
) -> Option<(MetricKey, &'a [std::sync::Arc<Entry>])> {
    let namespace = Namespace::new(&ask.namespace).ok()?;
    let key = MetricKey::External { namespace, metric: MetricName::new(&ask.metric).ok()? };
    let entries = world.snapshot.find(&key);
    (!entries.is_empty()).then_some((key, entries))
}
