//! Metrics of rules: which question a request is, its answer from the board, and the wait of whoever
//! asks first.

use crate::api::custom_metrics;
use crate::api::negotiation::Form;
use crate::api::path::{Ask, CustomAsk, ExternalAsk, Scope};
use crate::api::query::Query;
use crate::api::refusal::{Reason, Refusal};
use crate::api::wire::{self, Found, Item};
use crate::api::world::{World, cut};
use crate::domain::metric::MetricKey;
use crate::domain::name::{MetricName, Namespace, ObjectName};
use crate::domain::object::{Collection, GroupResource, ObjectKind};
use crate::domain::ports::{Objects, ObjectsUnknown, PodsUnknown};
use crate::domain::selector::Selector;
use crate::on_demand::Question;
use crate::on_demand::board::{Answer, Board, Numbers, State, Wants};
use crate::rules::catalogue::Entry;
use crate::rules::selector::SeriesSelector;
use jiff::Timestamp;
use std::sync::Arc;

/// Where metrics of rules are found, and who reads those that are not there yet.
#[derive(Clone, Debug, Default)]
pub struct OnDemand {
    /// What is known.
    pub board: Arc<Board>,
    /// `None` where nobody reads any.
    pub wants: Option<Arc<dyn Wants>>,
    /// Which objects there are apart from pods; `None` without a cluster.
    pub objects: Option<Arc<dyn Objects>>,
}

/// A request for a metric of a rule, with its answer.
#[derive(Debug)]
pub(crate) struct Demanded {
    question: Question,
    answer: Arc<Answer>,
    /// The objects that are wanted, sorted; `None` for all that have a value.
    names: Option<Vec<ObjectName>>,
    /// What they are; `None` for an external metric.
    kind: Option<Arc<ObjectKind>>,
}

impl OnDemand {
    /// The answer to `ask`, if it is for a metric of a rule: what is known, or what comes in while
    /// the request waits.
    ///
    /// # Errors
    /// `Refusal` where it cannot be asked for, or took too long.
    pub(crate) async fn find(
        &self,
        ask: &Ask,
        query: &Query<'_>,
        world: &World<'_>,
    ) -> Result<Option<Demanded>, Refusal> {
        let Some(wants) = &self.wants else { return Ok(None) };
        let state = world.rules;
        let asked = match ask {
            Ask::External(ask) => external_question(ask, query, world, state)?,
            Ask::Custom(ask) => {
                let objects = self.objects.as_deref();
                let asked = || custom_question(ask, query, world, state, objects);
                let asked = match (asked(), objects) {
                    (Err(Missing::Pods(namespace, _)), _) => {
                        wants.want_pods(namespace).await;
                        asked()
                    }
                    (Err(Missing::Objects(collection, _)), Some(objects)) => {
                        objects.want(&collection).await;
                        asked()
                    }
                    (at_once, _) => at_once,
                };
                asked.map_err(Missing::refusal)?
            }
            Ask::Document(_) | Ask::Malformed | Ask::Unmatched { .. } => None,
        };
        let Some((question, names)) = asked else { return Ok(None) };
        let kind = state.entry(&question).and_then(|it| it.kind.clone());
        if let Some(answer) = state.answer(&question, world.now) {
            return Ok(Some(Demanded { question, answer, names, kind }));
        }
        let late = |why: String| Refusal::not_found(format!("{}: {why}", question.key()));
        wants.want(question.clone()).await.map_err(late)?;
        // What a failure left is told, too, and that may be older than what serves.
        let answer = self.board.load().awaited(&question);
        let answer = answer.ok_or_else(|| late("its rule changed meanwhile".to_owned()))?;
        Ok(Some(Demanded { question, answer, names, kind }))
    }
}

impl Demanded {
    /// The body.
    ///
    /// # Errors
    /// `Refusal` if there is no value.
    pub(crate) fn body(
        &self,
        ask: &Ask,
        query: &Query<'_>,
        form: Form,
        now: Timestamp,
    ) -> Result<Vec<u8>, Refusal> {
        let Self { question, answer, .. } = self;
        let numbers = answer.said.as_ref().map_err(|refused| {
            let text = format!("{}: {}", answer.rule, refused.why);
            let reason = if refused.is_of_request { Reason::BadRequest } else { Reason::NotFound };
            Refusal::new(reason, text)
        })?;
        if now > answer.serve_until {
            let text = format!("{}: its last value is of {}", answer.rule, answer.at);
            return Err(Refusal::not_found(text));
        }
        match (ask, numbers) {
            (Ask::External(_), Numbers::Items(items)) => {
                let items = items.iter().map(|it| {
                    let (labels, value) = (&it.labels, it.value);
                    Item { labels, window: None, at: answer.at, value }
                });
                let items: Vec<Item<'_>> = items.collect();
                wire::external(question.key().metric().as_str(), &items, form)
            }
            (Ask::Custom(ask), Numbers::Objects(_)) => self.custom(ask, query, form),
            (_, Numbers::Items(_) | Numbers::Objects(_)) => Err(Refusal::unmatched()),
        }
    }

    fn custom(&self, ask: &CustomAsk, query: &Query<'_>, form: Form) -> Result<Vec<u8>, Refusal> {
        let Self { question, answer, names, kind } = self;
        let (Question::Custom { namespace, metric, .. }, Ok(Numbers::Objects(values)), Some(kind)) =
            (question, &answer.said, kind)
        else {
            return Err(Refusal::unmatched());
        };
        let object = (&*kind.kind, &*kind.api_version);
        let metrics = custom_metrics::parsed(query, "metricLabelSelector")?;
        let echo = custom_metrics::echo(&metrics)?;
        let namespace = namespace.as_ref().map(Namespace::as_str);
        let is_wanted = |name: &str| {
            let at = |it: &ObjectName| it.as_str().cmp(name);
            names.as_ref().is_none_or(|it| it.binary_search_by(at).is_ok())
        };
        let wanted = || values.iter().filter(|(name, _)| is_wanted(name));
        let found: Vec<Found<'_>> = wanted()
            .filter_map(|(name, value)| {
                let value = *value.as_ref().ok()?;
                Some(Found { namespace, name, object, window: None, at: answer.at, value })
            })
            .collect();
        if found.is_empty() {
            let why = wanted()
                .find_map(|(name, value)| value.as_ref().err().map(|why| format!("{name}: {why}")));
            let why = why.unwrap_or_else(|| {
                let n_wanted = names.as_ref().map(|it| format!("; asked for: {}", it.len()));
                let n_wanted = n_wanted.unwrap_or_default();
                format!("its query has no value{n_wanted}, objects with a value: {}", values.len())
            });
            return Err(Refusal::not_found(format!("{} ({}): {why}", answer.rule, question.key())));
        }
        wire::custom(ask.version, metric.as_str(), echo.as_ref(), &found, form)
    }
}

/// Why a request is no question, yet or at all.
#[derive(Debug)]
enum Missing {
    /// It is not known which pods the namespace has; what to say if that stays so.
    Pods(Namespace, Box<Refusal>),
    /// It is not known which other objects there are; likewise.
    Objects(Collection, Box<Refusal>),
    /// It cannot be answered.
    Refused(Refusal),
}

impl Missing {
    fn refusal(self) -> Refusal {
        match self {
            Self::Pods(_, refusal) | Self::Objects(_, refusal) => *refusal,
            Self::Refused(refusal) => refusal,
        }
    }
}

impl From<Refusal> for Missing {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// A question, and the objects wanted of its answer.
type Asked = (Question, Option<Vec<ObjectName>>);

fn external_question(
    ask: &ExternalAsk,
    query: &Query<'_>,
    world: &World<'_>,
    state: &State,
) -> Result<Option<Asked>, Refusal> {
    let names = (Namespace::new(&ask.namespace), MetricName::new(&ask.metric));
    let (Ok(namespace), Ok(metric)) = names else { return Ok(None) };
    let key = MetricKey::External { namespace: namespace.clone(), metric: metric.clone() };
    let is_published = !world.snapshot.find(&key).is_empty();
    if is_published || state.catalogue.external(metric.as_str()).is_none() || query.is_set("watch")
    {
        return Ok(None);
    }
    let selector = series_selector(query, "labelSelector")?;
    Ok(Some((Question::External { namespace, metric, selector }, None)))
}

fn custom_question(
    ask: &CustomAsk,
    query: &Query<'_>,
    world: &World<'_>,
    state: &State,
    objects: Option<&dyn Objects>,
) -> Result<Option<Asked>, Missing> {
    if custom_metrics::locate(ask, world).is_some() {
        return Ok(None);
    }
    let Ok(metric) = MetricName::new(&ask.metric) else { return Ok(None) };
    let Some((resource, entry)) = resource(ask, state) else { return Ok(None) };
    let namespace = match &ask.scope {
        Scope::Namespace(namespace) => Namespace::new(namespace).ok(),
        Scope::Root | Scope::Namespaces => None,
    };
    let (Some(kind), true) = (&entry.kind, namespace.is_some() == entry.is_namespaced) else {
        return Ok(None);
    };
    let selector = series_selector(query, "metricLabelSelector")?;
    let kind = Arc::clone(kind);
    let of = Collection { resource: resource.clone(), kind, namespace: namespace.clone() };
    let names = wanted_names(ask, query, &of, world, objects)?;
    let why = state.named.get(&(resource.clone(), metric.clone()));
    let objects = match (why, &names) {
        (None, _) => None,
        (Some(_), Some(names)) if !names.is_empty() => Some(names.clone()),
        (Some(_), Some(_)) => {
            let text = format!("no {resource} match the selector ({})", cut(&ask.metric));
            return Err(Refusal::not_found(text).into());
        }
        (Some(why), None) => {
            return Err(Refusal::bad_request(format!(
                "the rule of {metric} can be asked for named objects only ({why}), and it is not \
                 known which {resource} there are; ask for one by its name"
            ))
            .into());
        }
    };
    Ok(Some((Question::Custom { namespace, resource, metric, selector, objects }, names)))
}

/// The resource that is meant, as the catalogue has it, and what makes its metric.
fn resource<'a>(ask: &CustomAsk, state: &'a State) -> Option<(GroupResource, &'a Entry)> {
    let sent = GroupResource::parse(&ask.resource);
    let plural = GroupResource::guess(&sent.resource, &sent.group);
    let names = [sent.resource.clone(), plural.resource.clone()];
    let is_without_group = sent.group.is_empty();
    for resource in [sent, plural] {
        if let Some(entry) = state.catalogue.custom(&resource, &ask.metric) {
            return Some((resource, entry));
        }
    }
    let mut others = state.catalogue.customs().filter(|(resource, metric, _)| {
        is_without_group && names.contains(&resource.resource) && metric.as_str() == ask.metric
    });
    match (others.next(), others.next()) {
        (Some((resource, _, entry)), None) => Some((resource.clone(), entry)),
        _ => None,
    }
}

/// The objects that are wanted by name or by label; `None` for all that have a value.
fn wanted_names(
    ask: &CustomAsk,
    query: &Query<'_>,
    of: &Collection,
    world: &World<'_>,
    objects: Option<&dyn Objects>,
) -> Result<Option<Vec<ObjectName>>, Missing> {
    // As with prometheus-adapter, nobody looks whether an object that is named exists: it has a
    // value or it has none.
    if let Some(name) = custom_metrics::wanted_name(ask, query)? {
        let name = ObjectName::new(&name);
        let name = name.map_err(|error| Refusal::bad_request(error.to_string()))?;
        return Ok(Some(vec![name]));
    }
    let labels = custom_metrics::parsed(query, "labelSelector")?;
    if let Some(namespace) = of.namespace.as_ref().filter(|_| of.resource.is_pods()) {
        return pods(ask, (namespace, &labels), world);
    }
    let Some(objects) = objects else {
        if labels.is_empty() {
            // Whatever has a value is there, as far as anybody can tell.
            return Ok(None);
        }
        return Err(custom_metrics::unwatched(&of.resource.to_string()).into());
    };
    objects.matching(of, &labels).map(Some).map_err(|error| {
        let text = format!("metric {} of {of}: {error}", cut(&ask.metric));
        match error {
            ObjectsUnknown::NotSynced => {
                Missing::Objects(of.clone(), Box::new(Refusal::not_found(text)))
            }
            ObjectsUnknown::Unlisted(_) => Refusal::new(Reason::InternalError, text).into(),
        }
    })
}

/// The pods that are wanted; `None` for all that have a value.
fn pods(
    ask: &CustomAsk,
    (namespace, labels): (&Namespace, &Selector),
    world: &World<'_>,
) -> Result<Option<Vec<ObjectName>>, Missing> {
    match world.pods.matching(namespace, labels) {
        Ok(pods) => Ok(Some(pods)),
        // Whatever has a value is there, as far as anybody can tell.
        Err(PodsUnknown::NoCluster) if labels.is_empty() => Ok(None),
        Err(error) => {
            let what = format!("metric {} of pods in namespace {namespace}", cut(&ask.metric));
            let refusal = custom_metrics::pods_unknown(&what, &error);
            Err(match error {
                PodsUnknown::NotSynced => Missing::Pods(namespace.clone(), Box::new(refusal)),
                PodsUnknown::NoCluster => Missing::Refused(refusal),
            })
        }
    }
}

fn series_selector(query: &Query<'_>, parameter: &str) -> Result<SeriesSelector, Refusal> {
    SeriesSelector::parse(query.first(parameter).unwrap_or_default())
        .map_err(|error| Refusal::bad_request(format!("{parameter}: {error}")))
}
