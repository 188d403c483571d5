//! From the written shape of signals to the signals.

pub(in crate::policy::resolve) mod pods;
mod profile;
mod queue;
mod schedule;

use crate::document::fault::Fault;
use crate::document::path::Path;
use crate::domain::limits;
use crate::domain::name::{Namespace, SignalName, SourceName};
use crate::policy::expression::{PODS, Used};
use crate::policy::partial::OnPartial;
use crate::policy::promql::{self, Answer, BadQuery, SeriesSelector};
use crate::policy::resolve::{Faults, Sources};
use crate::policy::smoothing::Smoothing;
use crate::policy::wire;
use crate::policy::{Ask, Reduce, Signal, SourceKind, SourceSettings};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// The label that names the pod when a policy names none.
const POD_LABEL: &str = "pod";

/// What signals have to know of their policy.
#[derive(Clone, Copy)]
pub(super) struct About<'p> {
    /// `None` when something is wrong with it.
    pub(super) namespace: Option<&'p Namespace>,
    pub(super) metric_type: wire::MetricType,
    pub(super) lookback: Duration,
    pub(super) interval: Duration,
}

/// Settles all signals of a policy; `None` when something is wrong with one.
pub(super) fn resolve(
    signals: &BTreeMap<String, wire::Signal>,
    about: About<'_>,
    sources: &Sources<'_>,
    path: &Path,
    faults: &mut Faults,
) -> Option<Vec<Signal>> {
    if signals.is_empty() || signals.len() > limits::SIGNALS_MAX {
        let problem = format!("a policy has 1 to {} signals", limits::SIGNALS_MAX);
        let fault = Fault::new(path.clone(), problem);
        faults.add(fault.hint(if signals.is_empty() {
            "write `NAME: {source: …, prometheus: {query: …}}`"
        } else {
            "split the policy, or let one query add up several"
        }));
        return None;
    }
    let resolved: Vec<Option<Signal>> = signals
        .iter()
        .map(|(name, wire)| {
            let path = path.key(name);
            let name = faults.take(path.clone(), SignalName::new(name));
            if name.as_ref().is_some_and(|it| PODS.contains(&it.as_str())) {
                let fault = Fault::new(path.clone(), "`combine` has a variable of this name");
                faults.add(fault.hint("name the signal otherwise"));
            }
            let given = wire.source.as_deref();
            let is_other = !asks_otherwise(wire);
            let (source, ask) = match (queue::given(wire).as_slice(), &wire.profile) {
                ([only], None) if is_other => {
                    queue::resolve(*only, given, about, &path, faults).unzip()
                }
                ([], Some(wire)) if is_other => {
                    profile::resolve(wire, given, about, sources, &path, faults).unzip()
                }
                ([], None) => {
                    let ask = ask(wire, about, &path, faults);
                    (source(wire, sources, ask.as_ref(), &path.key("source"), faults), ask)
                }
                _ => {
                    faults.add(not_one(&path));
                    (None, None)
                }
            };
            Some(Signal { name: name?, source: source?, ask: ask? })
        })
        .collect();
    resolved.into_iter().collect()
}

/// Refuses `perSecond` of a query that is no counter of one series.
pub(super) fn check_counters(
    signals: Option<&[Signal]>,
    used: &[&Used],
    path: &Path,
    faults: &mut Faults,
) {
    let counters: BTreeSet<usize> =
        used.iter().flat_map(|it| it.counters.iter().copied()).collect();
    let signals = signals.unwrap_or_default();
    for signal in counters.into_iter().filter_map(|idx| signals.get(idx)) {
        let (query, keys) = match signal.ask.plain() {
            Ask::Query { query, profile: None, .. } => (query, ["prometheus", "query"]),
            Ask::Query { query, profile: Some(_), .. } => (query, ["profile", "signal"]),
            Ask::Pods(ask) => {
                pods::check_counter(ask, &path.key(signal.name.as_str()), faults);
                continue;
            }
            Ask::Series { .. } | Ask::Engine(_) | Ask::Queue(_) | Ask::Schedule(_) => continue,
        };
        let (problem, hint) = match promql::answer(query) {
            Answer::Rate => ("`perSecond` of a query that answers a rate", "leave `perSecond` out"),
            Answer::Aggregate => (
                "`perSecond` of several counters in one: when one begins anew, the others count again",
                "write `sum(rate(…[1m]))` here and leave `perSecond` out",
            ),
            Answer::Other => continue,
        };
        let path = keys.into_iter().fold(path.key(signal.name.as_str()), |path, it| path.key(it));
        faults.add(Fault::new(path, problem).hint(hint));
    }
}

/// Refuses a smoothing step `rate` of what several pods count.
pub(super) fn check_rate_step(
    signals: &[Signal],
    smooth: &[Smoothing],
    path: &Path,
    faults: &mut Faults,
) {
    if let ([signal], [Smoothing::Rate { .. }, ..]) = (signals, smooth)
        && let Some(ask) = signal.ask.of_pods()
    {
        pods::check_counter(ask, &path.key(signal.name.as_str()), faults);
    }
}

fn ask(
    wire: &wire::Signal,
    About { metric_type, lookback, .. }: About<'_>,
    path: &Path,
    faults: &mut Faults,
) -> Option<Ask> {
    let is_per_pod = matches!(metric_type, wire::MetricType::Pods);
    match (&wire.prometheus, &wire.scrape, &wire.pods, &wire.schedule) {
        (None, None, None, Some(_)) if is_per_pod => {
            let problem = "a calendar gives one number, a Pods metric needs one for each pod";
            faults.add(Fault::new(path.key("schedule"), problem).hint("publish it as External"));
            None
        }
        (None, None, None, Some(wire)) => {
            let schedule = schedule::resolve(wire, &path.key("schedule"), faults)?;
            Some(Ask::Schedule(Arc::new(schedule)))
        }
        (None, None, Some(wire), None) => {
            let ask = pods::ask(wire, is_per_pod, &path.key("pods"), faults)?;
            Some(Ask::Pods(Arc::new(ask)))
        }
        (Some(wire::PrometheusSignal { query, pod_label, on_partial }), None, None, None) => {
            let path = path.key("prometheus");
            if pod_label.is_some() && !is_per_pod {
                let fault = Fault::new(path.key("podLabel"), "only a Pods metric has a pod label");
                faults.add(fault.hint("leave it out, or say `type: Pods`"));
                return None;
            }
            take_query(path.key("query"), promql::check(query), faults)?;
            let pod_label = is_per_pod.then(|| pod_label.as_deref().unwrap_or(POD_LABEL).into());
            let on_partial = on_partial_of(*on_partial);
            Some(Ask::Query {
                query: query.clone(),
                pod_label,
                lookback,
                on_partial,
                profile: None,
            })
        }
        (None, Some(_), None, None) if is_per_pod => {
            let problem = "a page gives one number, a Pods metric needs one for each pod";
            let hint = "ask `pods`, or a prometheus source for one series per pod, or publish the page as \
                 External";
            faults.add(Fault::new(path.key("scrape"), problem).hint(hint));
            None
        }
        (None, Some(wire::ScrapeSignal { series, reduce }), None, None) => {
            let path = path.key("scrape").key("series");
            let selector = take_query(path, SeriesSelector::parse(series), faults)?;
            let reduce = match reduce {
                Some(wire::ReduceBy::Avg) => Reduce::Avg,
                Some(wire::ReduceBy::Max) => Reduce::Max,
                Some(wire::ReduceBy::Min) => Reduce::Min,
                Some(wire::ReduceBy::Sum) | None => Reduce::Sum,
            };
            Some(Ask::Series { selector, reduce })
        }
        _ => {
            faults.add(not_one(path));
            None
        }
    }
}

/// Whether a signal asks something that is neither a queue's nor a profile's.
fn asks_otherwise(wire: &wire::Signal) -> bool {
    let wire::Signal { prometheus, scrape, pods, schedule, .. } = wire;
    prometheus.is_some() || scrape.is_some() || pods.is_some() || schedule.is_some()
}

fn not_one(path: &Path) -> Fault {
    let kinds =
        ["prometheus", "scrape", "pods", "profile", "schedule"].into_iter().chain(queue::KINDS);
    let kinds: Vec<String> = kinds.map(|it| format!("`{it}`")).collect();
    let problem = format!("expected exactly one of {}", kinds.join(", "));
    Fault::new(path.clone(), problem).hint("a second read needs a second signal")
}

fn on_partial_of(written: Option<wire::OnPartial>) -> OnPartial {
    match written {
        Some(wire::OnPartial::Use) => OnPartial::Use,
        Some(wire::OnPartial::Refuse) => OnPartial::Refuse,
        Some(wire::OnPartial::ScaleUpOnly) | None => OnPartial::ScaleUpOnly,
    }
}

fn take_query<T>(path: Path, result: Result<T, BadQuery>, faults: &mut Faults) -> Option<T> {
    result
        .map_err(|error| {
            let fault = Fault::new(path, error.problem);
            let usual = "try it in the source's own expression browser";
            faults.add(fault.hint(error.hint.unwrap_or_else(|| usual.to_owned())));
        })
        .ok()
}

fn source(
    wire: &wire::Signal,
    sources: &Sources<'_>,
    ask: Option<&Ask>,
    path: &Path,
    faults: &mut Faults,
) -> Option<SourceName> {
    let own = match ask {
        Some(Ask::Pods(_)) => Some((pods::SOURCE, "`pods` is read from pods")),
        Some(Ask::Schedule(_)) => Some((schedule::SOURCE, "`schedule` is worked out")),
        _ => None,
    };
    if let Some((name, origin)) = own {
        if wire.source.is_some() {
            let fault = Fault::new(path.clone(), format!("{origin}, not from a source"));
            faults.add(fault.hint("leave `source` out"));
        }
        return SourceName::new(name).ok();
    }
    let Some(name) = wire.source.as_deref() else {
        // What is asked of pods or planned, and wrong, needs no source either.
        if wire.pods.is_none() && wire.schedule.is_none() {
            let fault = Fault::new(path.clone(), "which source is to be asked?");
            faults.add(fault.hint("name one of those under `sources`"));
        }
        return None;
    };
    let settings = known_source(name, sources, path, faults)?;
    let (is, asked) = match (&settings.kind, ask?) {
        (SourceKind::Prometheus { .. }, Ask::Query { .. })
        | (SourceKind::Scrape { .. }, Ask::Series { .. }) => return Some(settings.name.clone()),
        (SourceKind::Pods(_), _) => {
            let problem = format!("source `{name}` is the pods of an exporter");
            let hint = "ask a signal of the exporter with `profile`, or name another source";
            faults.add(Fault::new(path.clone(), problem).hint(hint));
            return None;
        }
        (SourceKind::Prometheus { .. }, Ask::Series { .. }) => ("prometheus", "scrape"),
        (SourceKind::Scrape { .. }, Ask::Query { .. }) => ("scrape", "prometheus"),
        // Pods and a calendar are no source, and a queue names its server itself.
        (_, Ask::Pods(_) | Ask::Engine(_) | Ask::Queue(_) | Ask::Schedule(_)) => return None,
    };
    let problem = format!("source `{name}` is a {is} source, the signal asks a {asked} source");
    faults.add(Fault::new(path.clone(), problem).hint("name another source, or ask another way"));
    None
}

/// The source of this name, whatever it is.
fn known_source<'a>(
    name: &str,
    sources: &Sources<'a>,
    path: &Path,
    faults: &mut Faults,
) -> Option<&'a SourceSettings> {
    if let Some(settings) = sources.known.get(name) {
        return Some(settings);
    }
    if sources.unusable.contains(name) {
        let problem = format!("source `{name}` cannot be used: something is wrong with it");
        faults.add(Fault::new(path.clone(), problem).hint("correct the source first"));
    } else {
        let fault = Fault::new(path.clone(), format!("there is no source `{name}`"));
        let fault = fault.hint("add it under `sources`");
        faults.add(fault.suggest(name, sources.known.keys().map(SourceName::as_str)));
    }
    None
}
