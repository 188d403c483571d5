//! From the written shape of a signal that a profile describes to what is asked.

mod any;
mod exporter;
mod keys;

use super::{About, POD_LABEL, known_source, on_partial_of, pods};
use crate::document::fault::Fault;
use crate::document::path::Path;
use crate::domain::duration;
use crate::domain::finite::Finite;
use crate::domain::limits;
use crate::domain::name::SourceName;
use crate::policy::partial::OnPartial;
use crate::policy::pods::{Across, Lately, PodPage, PodPages, PodReduce, PodsAsk};
use crate::policy::profile::file::OverPods;
use crate::policy::profile::pages::{PageQuestion, Pages, pages};
use crate::policy::profile::promql::{Question, query};
use crate::policy::profile::{AUTO, Described, Profile, Profiles};
use crate::policy::promql::{self, confine};
use crate::policy::resolve::{Faults, Sources};
use crate::policy::wire::pods::{PodSelector, PodsSignal};
use crate::policy::wire::profile::ProfileSignal;
use crate::policy::wire::{IntOrText, MetricType};
use crate::policy::{Ask, SourceKind, SourceSettings};
use std::sync::Arc;
use std::time::Duration;

/// Settles a signal; `None` when something is wrong with it. `path` is that of the signal.
pub(super) fn resolve(
    wire: &ProfileSignal,
    source: Option<&str>,
    about: About<'_>,
    sources: &Sources<'_>,
    path: &Path,
    faults: &mut Faults,
) -> Option<(SourceName, Ask)> {
    let before = faults.0.len();
    let below = path.key("profile");
    let mut reader = Reader { wire, about, path: below.clone(), faults };
    let engine = if wire.engine == AUTO { Which::Any } else { Which::One(reader.profile(sources)) };
    let asked = match (source, &wire.selector) {
        (Some(source), None) => {
            let path = path.key("source");
            let source = known_source(source, sources, &path, reader.faults);
            reader.check_unused(&reader.of_pods(), "is for pods, which `selector` selects");
            source.and_then(|source| {
                let way = reader.way(source, path)?;
                Some((source.name.clone(), reader.ask(engine, sources.profiles, way)?))
            })
        }
        (None, Some(selector)) => {
            reader.check_unused(&reader.of_queries(), "is for a `source`");
            let ask = reader.ask(engine, sources.profiles, Way::Pods(selector));
            SourceName::new(pods::SOURCE).ok().zip(ask)
        }
        (None, None) => {
            let fault = Fault::new(below, "where is it to be read?");
            let hint = "name a `source` beside `profile`, or select pods with `selector` in it";
            reader.faults.add(fault.hint(hint));
            None
        }
        (Some(_), Some(_)) => {
            let fault = Fault::new(path.key("source"), "`selector` reads pods, not a source");
            reader.faults.add(fault.hint("leave either `source` or `selector` out"));
            None
        }
    };
    asked.filter(|_| faults.0.len() == before)
}

/// Which engine is asked.
#[derive(Clone, Copy)]
enum Which<'p> {
    /// This, where there is nothing wrong with it.
    One(Option<&'p Profile>),
    /// Whichever is there.
    Any,
}

/// How it is asked.
#[derive(Clone, Copy)]
enum Way<'w> {
    /// Of Prometheus, where this label names the namespace.
    Query(&'w str),
    /// Of the pages of an exporter.
    Pages(&'w PodPages),
    Pods(&'w PodSelector),
}

/// What a query is about beside the engine and the signal.
struct Narrow<'n> {
    namespace: &'n str,
    pod_label: &'n str,
    labels: Vec<(String, String)>,
    pattern: Option<&'n str>,
    window: Duration,
    quantile: f64,
    is_per_pod: bool,
}

impl Narrow<'_> {
    /// With the label that names the namespace.
    fn question<'q>(&'q self, label: &'q str) -> Question<'q> {
        Question {
            namespace: (label, self.namespace),
            pod_label: self.pod_label,
            labels: &self.labels,
            pods: self.pattern,
            window: self.window,
            quantile: self.quantile,
            is_per_pod: self.is_per_pod,
        }
    }
}

/// Reads one signal, and notes what is wrong with it.
struct Reader<'r> {
    wire: &'r ProfileSignal,
    about: About<'r>,
    path: Path,
    faults: &'r mut Faults,
}

impl<'r> Reader<'r> {
    /// How a source is asked.
    fn way<'s: 'r>(&mut self, source: &'s SourceSettings, path: Path) -> Option<Way<'r>> {
        match &source.kind {
            SourceKind::Prometheus { namespace_label, .. } => Some(Way::Query(namespace_label)),
            SourceKind::Pods(pages) => Some(Way::Pages(pages)),
            SourceKind::Scrape { .. } => {
                let problem = format!("source `{}` is one page", source.name);
                let hint = "name a prometheus source or one of an exporter's pods (`scrape: {pods: \
                            …}`), or select the engine's pods with `selector`";
                self.faults.add(Fault::new(path, problem).hint(hint));
                None
            }
        }
    }

    fn ask(&mut self, engine: Which<'_>, profiles: &Profiles, way: Way<'r>) -> Option<Ask> {
        match (engine, way) {
            (Which::One(profile), _) => self.one(profile?, way),
            (Which::Any, Way::Pages(_)) => {
                let problem = "the source has the pages of an exporter, not of an engine";
                self.fault("engine", problem, "name the exporter, e.g. `dcgm`");
                None
            }
            (Which::Any, _) => self.any(profiles, way),
        }
    }

    /// What is asked of one engine.
    fn one(&mut self, profile: &Profile, way: Way<'r>) -> Option<Ask> {
        match way {
            Way::Query(label) => self.query(profile, label),
            Way::Pages(pages) => self.exporter(profile, pages),
            Way::Pods(selector) => self.pods(profile, selector),
        }
    }

    fn fault(&mut self, key: &str, problem: impl Into<String>, hint: impl Into<String>) {
        self.faults.add(Fault::new(self.path.key(key), problem.into()).hint(hint.into()));
    }

    /// The profile of the engine, if it has the signal.
    fn profile<'p>(&mut self, sources: &Sources<'p>) -> Option<&'p Profile> {
        let ProfileSignal { engine, signal, .. } = self.wire;
        let profiles = sources.profiles;
        let Some(profile) = profiles.get(engine) else {
            let fault = Fault::new(self.path.key("engine"), format!("no profile of `{engine}`"));
            let fault = fault.hint("`foresail profiles` lists those that there are");
            self.faults.add(fault.suggest(engine, profiles.iter().map(|it| &*it.engine)));
            return None;
        };
        if profile.parts(*signal).is_none() {
            let has: Vec<&str> = profile.has().map(|it| it.name()).collect();
            let problem = format!("{engine} has no signal `{}`", signal.name());
            self.fault("signal", problem, format!("it has {}", has.join(", ")));
            return None;
        }
        Some(profile)
    }

    /// What a query is about.
    fn narrow(&mut self) -> Option<Narrow<'r>> {
        let before = self.faults.0.len();
        let is_per_pod = self.about.metric_type == MetricType::Pods;
        let wire = self.wire;
        let pod_label = wire.pod_label.as_deref();
        if pod_label.is_some() && !is_per_pod {
            self.fault("podLabel", "only a Pods metric has a pod label", "leave it out");
        } else if pod_label.is_some_and(|it| !promql::is_label(it)) {
            self.fault("podLabel", "not a label", "use letters, digits and `_`");
        }
        let pattern = wire.pod_pattern.as_deref();
        if pattern.is_some_and(|it| !promql::is_pattern(it)) {
            self.fault("podPattern", "not a regular expression", "such as `llama-.*`");
        }
        let labels = self.labels();
        let window = self.window(limits::profile::WINDOW_DEFAULT)?;
        let quantile = self.quantile()?;
        let namespace = self.about.namespace?.as_str();
        if self.faults.0.len() > before {
            return None;
        }
        Some(Narrow {
            namespace,
            pod_label: pod_label.unwrap_or(POD_LABEL),
            labels: labels?,
            pattern,
            window,
            quantile,
            is_per_pod,
        })
    }

    /// What is asked of Prometheus.
    fn query(&mut self, profile: &Profile, namespace_label: &str) -> Option<Ask> {
        let narrow = self.narrow()?;
        let signal = self.wire.signal;
        let made = query(profile, signal, &narrow.question(namespace_label))?;
        // Whatever stands in a profile or in a policy, this shows the policy's own namespace alone.
        let about_pods = profile.about_pods.iter().flat_map(|it| &it.namespace);
        let confining: Vec<&str> =
            about_pods.map(String::as_str).chain([namespace_label]).collect();
        let is_sound = |text: &String| {
            promql::check(text).is_ok() && confine::demands(text, &confining, narrow.namespace)
        };
        if !is_sound(&made.text) || !made.candidates.as_ref().is_none_or(is_sound) {
            let problem = format!("no query can be made of this: {}", made.text);
            self.fault(
                "signal",
                problem,
                "correct the profile, or write the query as `prometheus`",
            );
            return None;
        }
        let described = Described { query: made.candidates, ..Described::new(profile, signal)? };
        Some(Ask::Query {
            query: made.text,
            pod_label: narrow.is_per_pod.then(|| made.pod_label.into()),
            lookback: self.about.lookback,
            on_partial: on_partial_of(self.wire.on_partial),
            profile: Some(Arc::new(described)),
        })
    }

    /// The labels that series must have.
    fn labels(&mut self) -> Option<Vec<(String, String)>> {
        let mut labels = Vec::new();
        for (label, value) in &self.wire.labels {
            if !promql::is_label(label) {
                let path = self.path.key("where").key(label);
                let fault = Fault::new(path, format!("`{label}` is not a label"));
                self.faults.add(fault.hint("use letters, digits and `_`"));
                return None;
            }
            labels.push((label.clone(), value.clone()));
        }
        Some(labels)
    }

    fn window(&mut self, default: Duration) -> Option<Duration> {
        let Some(text) = self.wire.window.as_deref() else { return Some(default) };
        let window = self.faults.take(self.path.key("window"), duration::parse(text))?;
        let most = limits::pods::WINDOW_MAX;
        if window.is_zero() || window > most {
            let problem = format!("a window is above 0s and at most {}", duration::Shown(most));
            self.fault("window", problem, "a few times as long as series are scraped");
            return None;
        }
        Some(window)
    }

    fn quantile(&mut self) -> Option<f64> {
        let quantile = self.wire.quantile.unwrap_or(limits::profile::QUANTILE_DEFAULT);
        if !(0.0..=1.0).contains(&quantile) {
            self.fault("quantile", "a quantile is from 0 to 1", "such as 0.95");
            return None;
        }
        Some(quantile)
    }

    /// The page of the engine's pods.
    fn page(&mut self, profile: &Profile, selector: &PodSelector) -> Option<PodPage> {
        let ProfileSignal { path, scheme, timeout, include_not_ready, .. } = self.wire;
        let Some(port) = self.port(profile) else {
            self.fault("port", "the profile knows no usual port", "write the port of the page");
            return None;
        };
        let page = PodsSignal {
            selector: selector.clone(),
            port,
            scheme: *scheme,
            path: Some(path.clone().unwrap_or_else(|| profile.path.clone())),
            timeout: timeout.clone(),
            include_not_ready: *include_not_ready,
            tls: self.wire.tls.clone(),
            auth: self.wire.auth.clone(),
            headers: self.wire.headers.clone(),
            series: String::new(),
            value: None,
            window: None,
            min_observations: None,
            reduce: None,
            reduce_pods: None,
            on_partial: self.wire.on_partial,
        };
        pods::page(&page, &self.path, self.faults)
    }

    fn port(&self, profile: &Profile) -> Option<IntOrText> {
        self.wire.port.clone().or(profile.port.map(|it| IntOrText::Number(it.into())))
    }

    /// What is asked of pods.
    fn pods(&mut self, profile: &Profile, selector: &PodSelector) -> Option<Ask> {
        let ProfileSignal { signal, include_not_ready, .. } = self.wire;
        if profile.about_pods.is_some() {
            let problem = format!("the series of {} are about other pods", profile.engine);
            let hint = "leave it out, and name the `source` that has them: prometheus, or the \
                        exporter's pods";
            self.fault("selector", problem, hint);
            return None;
        }
        let page = self.page(profile, selector);
        let selector = pods::selector(selector, &self.path.key("selector"), self.faults);
        let (labels, window) = (self.labels(), self.window(limits::pods::WINDOW_DEFAULT));
        let quantile = self.quantile().and_then(Finite::new);
        let least = limits::QUANTILE_OBSERVATIONS_MIN;
        let lately = Lately { window: window?, least };
        let labels = labels?;
        let question = PageQuestion { labels: &labels, lately, quantile: quantile? };
        let Some(Pages { parts, value, over }) = pages(profile, *signal, &question) else {
            let problem = "its parts do not come together over pods in the same way";
            self.fault("signal", problem, "ask a prometheus `source` instead");
            return None;
        };
        let on_partial = self.on_partial()?;
        let across = match over {
            _ if self.about.metric_type == MetricType::Pods => Across::Each,
            OverPods::Sum => Across::One(PodReduce::Sum, on_partial),
            OverPods::Avg => Across::One(PodReduce::Avg, on_partial),
            OverPods::Merge => Across::Pooled(on_partial),
        };
        Some(Ask::Pods(Arc::new(PodsAsk {
            selector: selector?,
            includes_not_ready: *include_not_ready == Some(true),
            page: Arc::new(page?),
            parts,
            value,
            across,
            profile: Some(Arc::new(Described::new(profile, *signal)?)),
            exporter: None,
        })))
    }

    fn on_partial(&mut self) -> Option<OnPartial> {
        if self.about.metric_type == MetricType::Pods && self.wire.on_partial.is_some() {
            let problem = "a Pods metric has a number for each pod, and no `onPartial`";
            self.fault("onPartial", problem, "leave it out");
            return None;
        }
        Some(on_partial_of(self.wire.on_partial))
    }
}

#[cfg(test)]
mod tests;
