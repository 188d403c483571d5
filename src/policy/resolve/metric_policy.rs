//! From the written shape of a policy to the policy.

mod capacity;
mod forecast;
mod home;
pub(in crate::policy::resolve) mod signals;
mod smoothing;

use super::{Faults, Sources};
use crate::document::fault::Fault;
use crate::document::path::Path;
use crate::domain::duration;
use crate::domain::finite::Finite;
use crate::domain::labels::Labels;
use crate::domain::limits;
use crate::domain::metric::{MetricKey, Subject};
use crate::domain::name::{MetricName, Namespace, ObjectName, PolicyKey, PolicyName};
use crate::domain::object::{GroupResource, ObjectKind, ObjectRef};
use crate::domain::quantity;
use crate::domain::selector;
use crate::policy::capacity::{Capacity, Learn};
use crate::policy::expression::{Expression, Used};
use crate::policy::wire;
use crate::policy::{Combine, Guard, Policy};
use std::time::Duration;

/// Settles one policy; `None` when something is wrong with it.
pub(super) fn resolve(
    wire: &wire::MetricPolicy,
    sources: &Sources<'_>,
    path: &Path,
    faults: &mut Faults,
) -> Option<Policy> {
    let wire::MetricPolicy { api_version, kind, metadata, spec } = wire;
    check_kind(api_version.as_deref(), kind.as_deref(), path, faults);
    let name = faults.take(path.key("metadata").key("name"), PolicyName::new(&metadata.name));
    let namespace = home::resolve(wire, path, faults);
    let wire::MetricPolicySpec {
        namespace: _,
        metric,
        interval,
        signals,
        combine,
        smooth,
        forecast,
        ..
    } = spec;
    let path = path.key("spec");
    let metric_name = faults.take(path.key("metric").key("name"), MetricName::new(&metric.name));
    let subject = subject(metric, namespace.as_ref(), &path.key("metric"), faults);
    let labels = labels(metric, &path.key("metric").key("labels"), faults);
    let interval = interval_of(interval.as_deref(), &path.key("interval"), faults);
    // The expression is checked against the names alone, whatever is wrong with the signals.
    let names: Vec<&str> = signals.keys().map(String::as_str).collect();
    let combine = combine_of(combine.as_deref(), &names, &path.key("combine"), faults);
    let guard = guard_of(spec.guard.as_ref(), interval, &path.key("guard"), faults);
    let lookback = guard.map_or(limits::MAX_AGE_DEFAULT, |it| it.max_age);
    let path_of_signals = path.key("signals");
    let metric_type = metric.metric_type;
    let about = signals::About {
        namespace: namespace.as_ref(),
        metric_type,
        lookback,
        interval: interval.unwrap_or(limits::INTERVAL_DEFAULT),
    };
    let signals = signals::resolve(signals, about, sources, &path_of_signals, faults);
    let smooth = smoothing::resolve(smooth, interval, &path.key("smooth"), faults);

    smoothing::check_counter(smooth.as_deref(), combine.as_ref(), &path.key("smooth"), faults);
    let forecast =
        forecast::resolve(forecast.as_ref(), metric_type, interval, &path.key("forecast"), faults);
    let capacity = capacity::resolve(spec, &path, faults);
    let (capacity, emit) = capacity.unzip();
    let used = expressions(combine.as_ref(), capacity.as_ref());
    signals::check_counters(signals.as_deref(), &used, &path_of_signals, faults);
    if let (Some(signals), Some(smooth)) = (&signals, &smooth) {
        signals::check_rate_step(signals, smooth, &path_of_signals, faults);
    }
    Some(Policy {
        key: PolicyKey { namespace: namespace?, name: name? },
        metric: metric_name?,
        subject: subject?,
        labels: labels?,
        interval: interval?,
        signals: signals?,
        combine: combine?,
        smooth: smooth?,
        forecast: forecast?,
        capacity: capacity?,
        emit: emit?,
        guard: guard?,
    })
}

/// What each expression of a policy needs to know.
fn expressions<'p>(combine: Option<&'p Combine>, capacity: Option<&'p Capacity>) -> Vec<&'p Used> {
    let mut all = Vec::new();
    if let Some(Combine::Expression(expression)) = combine {
        all.push(expression.used());
    }
    if let Some(Learn { saturated, load }) = capacity.and_then(|it| it.learn.as_ref()) {
        all.extend([saturated.used(), load.used()]);
    }
    all
}

/// What a policy claims to publish, read leniently: for one that is broken.
pub(super) fn claimed<'n>(
    text: impl Fn(&[&str]) -> Option<&'n str>,
) -> (Option<PolicyKey>, Option<MetricKey>, Subject) {
    let written = text(home::place(text(&["kind"])));
    let namespace = written.and_then(|it| Namespace::new(it).ok());
    let name = text(&["metadata", "name"]).and_then(|it| PolicyName::new(it).ok());
    let metric = text(&["spec", "metric", "name"]).and_then(|it| MetricName::new(it).ok());
    let object = |key| text(&["spec", "metric", "describedObject", key]);
    let subject = match text(&["spec", "metric", "type"]) {
        Some("External") => Some(Subject::External),
        Some("Pods") => Some(Subject::Pods),
        Some("Object") => (|| {
            let kind = ObjectKind {
                api_version: object("apiVersion")?.into(),
                kind: object("kind")?.into(),
            };
            let name = ObjectName::new(object("name")?).ok()?;
            Some(described(kind, name, object("resource"), namespace.as_ref()?))
        })(),
        _ => None,
    };
    let key = namespace.clone().zip(name).map(|(namespace, name)| PolicyKey { namespace, name });
    let address = (|| Some(subject.as_ref()?.key(namespace.as_ref()?, metric.as_ref()?)))();
    (key, address, subject.unwrap_or(Subject::External))
}

fn check_kind(version: Option<&str>, kind: Option<&str>, path: &Path, faults: &mut Faults) {
    let kind = kind.filter(|it| *it != wire::CLUSTER_METRIC_POLICY);
    let written = [("apiVersion", version, wire::API_VERSION), ("kind", kind, wire::METRIC_POLICY)];
    for (key, found, expected) in written {
        if let Some(found) = found.filter(|it| *it != expected) {
            let problem = format!("expected `{expected}`, found `{found}`");
            let hint = format!("write `{key}: {expected}`, or leave it out");
            faults.add(Fault::new(path.key(key), problem).hint(hint));
        }
    }
}

/// Labels that a selector can select.
fn labels(metric: &wire::Metric, path: &Path, faults: &mut Faults) -> Option<Labels> {
    let before = faults.0.len();
    for (key, value) in &metric.labels {
        let hint = "use what a label of Kubernetes may hold; a selector could not select this";
        if let Err(problem) = selector::checked_key(key).and(selector::checked_value(value)) {
            faults.add(Fault::new(path.key(key), problem).hint(hint));
        }
    }
    let pairs = metric.labels.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    (faults.0.len() == before).then(|| pairs.collect())
}

fn subject(
    metric: &wire::Metric,
    namespace: Option<&Namespace>,
    path: &Path,
    faults: &mut Faults,
) -> Option<Subject> {
    let below = path.key("describedObject");
    match (metric.metric_type, &metric.described_object) {
        (wire::MetricType::External, None) => Some(Subject::External),
        (wire::MetricType::Pods, None) => Some(Subject::Pods),
        (wire::MetricType::Object, Some(object)) => {
            let wire::DescribedObject { api_version, kind, name, resource } = object;
            let name = faults.take(below.key("name"), ObjectName::new(name))?;
            let kind =
                ObjectKind { api_version: api_version.as_str().into(), kind: kind.as_str().into() };
            let namespace = namespace?;
            check_kind_names(object, &below, faults)?;
            if &*kind.kind == "Namespace" && name.as_str() != namespace.as_str() {
                let problem = "a policy can describe only the namespace that it is in";
                let hint = format!("describe `{namespace}`, or move the policy");
                faults.add(Fault::new(below.key("name"), problem).hint(hint));
                return None;
            }
            Some(described(kind, name, resource.as_deref(), namespace))
        }
        (wire::MetricType::Object, None) => {
            let fault = Fault::new(path.clone(), "an Object metric needs a `describedObject`");
            faults.add(fault.hint("name the object as the HPA does: apiVersion, kind, name"));
            None
        }
        (wire::MetricType::External | wire::MetricType::Pods, Some(_)) => {
            let fault = Fault::new(below, "only an Object metric describes an object");
            faults.add(fault.hint("leave it out, or say `type: Object`"));
            None
        }
    }
}

/// Names that can stand in the path of a request.
fn check_kind_names(
    object: &wire::DescribedObject,
    path: &Path,
    faults: &mut Faults,
) -> Option<()> {
    let is_word = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    let is_lower = |text: &str| is_word(text) && !text.contains(|c: char| c.is_ascii_uppercase());
    let (group, version) =
        object.api_version.split_once('/').unwrap_or(("core", &object.api_version));
    for (key, fits, hint) in [
        ("apiVersion", group.split('.').all(is_lower) && is_lower(version), "such as `apps/v1`"),
        ("kind", is_word(&object.kind), "such as `Deployment`"),
        ("resource", object.resource.as_deref().is_none_or(is_lower), "such as `deployments`"),
    ] {
        if !fits {
            let problem = format!("not an {key} of Kubernetes");
            faults.add(Fault::new(path.key(key), problem).hint(hint));
            return None;
        }
    }
    Some(())
}

fn described(
    kind: ObjectKind,
    name: ObjectName,
    resource: Option<&str>,
    namespace: &Namespace,
) -> Subject {
    let resource = match resource {
        Some(plural) => GroupResource { resource: plural.into(), group: kind.group().into() },
        None => GroupResource::guess(&kind.kind, kind.group()),
    };
    let namespace = (!kind.is_root_scoped()).then(|| namespace.clone());
    Subject::Object { object: ObjectRef { kind, namespace, name }, resource }
}

fn interval_of(text: Option<&str>, path: &Path, faults: &mut Faults) -> Option<Duration> {
    let Some(text) = text else { return Some(limits::INTERVAL_DEFAULT) };
    let interval = faults.take(path.clone(), duration::parse(text))?;
    if interval < limits::INTERVAL_MIN || interval > limits::INTERVAL_MAX {
        let least = duration::Shown(limits::INTERVAL_MIN);
        let most = duration::Shown(limits::INTERVAL_MAX);
        let fault = Fault::new(path.clone(), format!("an interval is {least} to {most}"));
        faults.add(fault.hint("15s is how often the HPA asks"));
        return None;
    }
    Some(interval)
}

fn combine_of(
    text: Option<&str>,
    names: &[&str],
    path: &Path,
    faults: &mut Faults,
) -> Option<Combine> {
    let Some(text) = text else {
        if names.len() <= 1 {
            return Some(Combine::Only);
        }
        let fault = Fault::new(path.clone(), "needed with more than one signal");
        faults.add(fault.hint(format!("write for example `{}`", names.join(" + "))));
        return None;
    };
    match Expression::parse(text, names) {
        Ok(expression) => Some(Combine::Expression(expression)),
        Err(error) => {
            let fault = Fault::new(path.clone(), error.problem);
            faults.add(fault.hint(error.hint.unwrap_or_else(|| COMBINE_HINT.to_owned())));
            None
        }
    }
}

/// What `combine` knows, for faults that have no better hint.
const COMBINE_HINT: &str = "use numbers, signals, + - * / %, comparisons with ?:, and max, min, \
                            abs, ceil, floor, sqrt";

fn guard_of(
    guard: Option<&wire::Guard>,
    interval: Option<Duration>,
    path: &Path,
    faults: &mut Faults,
) -> Option<Guard> {
    let default = wire::Guard::default();
    let wire::Guard { max_age, hold, min, max } = guard.unwrap_or(&default);
    let max_age = limited(max_age.as_deref(), limits::MAX_AGE_DEFAULT, &path.key("maxAge"), faults);
    let hold = limited(hold.as_deref(), limits::HOLD_DEFAULT, &path.key("hold"), faults);
    let min = bound(min.as_ref(), &path.key("min"), faults);
    let max = bound(max.as_ref(), &path.key("max"), faults);
    if let (Some(Some(low)), Some(Some(high))) = (min, max)
        && low > high
    {
        faults.add(Fault::new(path.key("min"), "`min` is above `max`").hint("swap them"));
        return None;
    }
    let (max_age, interval) = (max_age?, interval?);
    let is_written = guard.is_some_and(|it| it.max_age.is_some());
    if is_written && max_age < interval {
        let fault = Fault::new(path.key("maxAge"), "shorter than `interval`");
        faults.add(fault.hint("every value would be stale before the next one comes"));
        return None;
    }
    // Someone who sets a long interval and no maxAge wants values that live until the next one.
    let at_least = if is_written { max_age } else { interval.saturating_mul(2) };
    let max_age = max_age.max(at_least);
    Some(Guard { max_age, hold: hold?, min: min?, max: max? })
}

fn limited(
    text: Option<&str>,
    default: Duration,
    path: &Path,
    faults: &mut Faults,
) -> Option<Duration> {
    let Some(text) = text else { return Some(default) };
    let duration = faults.take(path.clone(), duration::parse(text))?;
    if duration > limits::DURATION_MAX {
        let most = duration::Shown(limits::DURATION_MAX);
        let fault = Fault::new(path.clone(), format!("longer than {most}"));
        faults.add(fault.hint("a value this old says nothing about now"));
        return None;
    }
    Some(duration)
}

fn bound(
    quantity: Option<&wire::IntOrText>,
    path: &Path,
    faults: &mut Faults,
) -> Option<Option<Finite>> {
    let Some(quantity) = quantity else { return Some(None) };
    let value = faults.take(path.clone(), quantity::parse(&quantity.text()))?;
    if value.is_negative() {
        let fault = Fault::new(path.clone(), "a bound cannot be negative");
        faults.add(fault.hint("no value below zero is ever published"));
        return None;
    }
    Some(Some(value))
}
