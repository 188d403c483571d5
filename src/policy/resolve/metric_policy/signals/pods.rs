//! From the written shape of a signal of pods to what is asked.

use super::{on_partial_of, take_query};
use crate::document::fault::Fault;
use crate::document::path::Path;
use crate::domain::duration;
use crate::domain::finite::Finite;
use crate::domain::limits;
use crate::domain::selector::{Condition, Requirement, Selector, checked_key, checked_value};
use crate::policy::pods::{
    Across, Lately, PodAuth, PodCandidate, PodPage, PodPort, PodReduce, PodSeries, PodTls,
    PodValue, PodsAsk,
};
use crate::policy::promql::SeriesSelector;
use crate::policy::resolve::Faults;
use crate::policy::resolve::source::access;
use crate::policy::wire::{self, pods as written};
use std::sync::Arc;
use std::time::Duration;

/// What stands for the source of such a signal.
pub(super) const SOURCE: &str = "pods";

/// The suffixes of a histogram's series.
const SUFFIXES: [&str; 3] = ["_bucket", "_sum", "_count"];

/// Settles what is asked of pods; `None` when something is wrong with it.
pub(super) fn ask(
    wire: &written::PodsSignal,
    is_per_pod: bool,
    path: &Path,
    faults: &mut Faults,
) -> Option<PodsAsk> {
    let selector = selector(&wire.selector, &path.key("selector"), faults);
    let page = page(wire, path, faults);
    let series = take_query(path.key("series"), SeriesSelector::parse(&wire.series), faults);
    let value = value(wire, path, faults);
    let within = reduce(wire.reduce.as_deref(), &path.key("reduce"), faults);
    let across = across(wire, value, is_per_pod, path, faults);
    let (series, value) = (series?, value?);
    if let PodValue::Mean(_) | PodValue::Quantile(..) = value {
        if wire.reduce.is_some() {
            let problem = "the histograms of one pod are added up, not reduced";
            faults.add(Fault::new(path.key("reduce"), problem).hint("leave `reduce` out"));
        }
        if let Some(suffix) = SUFFIXES.iter().find(|it| series.name().ends_with(**it)) {
            let problem = "a histogram is named without the suffix of its series";
            let hint = format!("leave `{suffix}` out");
            faults.add(Fault::new(path.key("series"), problem).hint(hint));
        }
    }
    let series = PodSeries { series, value, max_over: Box::default(), within: within? };
    let only = PodCandidate { series, other: None, scale: Finite::new(1.0)? };
    Some(PodsAsk {
        selector: selector?,
        includes_not_ready: wire.include_not_ready == Some(true),
        page: Arc::new(page?),
        parts: [[only].into()].into(),
        value,
        across: across?,
        profile: None,
        exporter: None,
    })
}

/// Refuses to take the rate of a number that is no counter of one pod: what several pods count falls
/// when one of them begins anew.
pub(super) fn check_counter(ask: &PodsAsk, path: &Path, faults: &mut Faults) {
    if ask.profile.is_some() {
        let fault = Fault::new(path.key("profile").key("signal"), "a rate of what is no counter");
        faults.add(fault.hint("what a profile counts is a rate already: take no rate of it"));
        return;
    }
    let (problem, hint) = match (ask.value, ask.across) {
        (PodValue::Gauge, Across::Each) => return,
        (PodValue::Gauge, _) => {
            let problem = "a rate of what several pods count: when one begins anew, the others count \
                           again";
            (problem, "write `value: rate` here, and take no rate of it")
        }
        _ => ("a rate of what is no counter", "`value` reads it already: take no rate of it"),
    };
    faults.add(Fault::new(path.key("pods").key("value"), problem).hint(hint));
}

/// Which pods.
pub(in crate::policy::resolve) fn selector(
    wire: &written::PodSelector,
    path: &Path,
    faults: &mut Faults,
) -> Option<Selector> {
    let written::PodSelector { match_labels, match_expressions } = wire;
    let before = faults.0.len();
    if match_labels.is_empty() && match_expressions.is_empty() {
        let fault = Fault::new(path.clone(), "a selector that selects every pod");
        faults.add(fault.hint("name labels, e.g. `{matchLabels: {app: llama}}`"));
    }
    let mut requirements = Vec::new();
    for (key, value) in match_labels {
        let path = path.key("matchLabels").key(key);
        let key = taken(checked_key(key), &path, faults);
        let value = taken(checked_value(value), &path, faults);
        let condition = value.map(|it| Condition::In([it].into()));
        requirements
            .extend(key.zip(condition).map(|(key, condition)| Requirement { key, condition }));
    }
    for (index, expression) in match_expressions.iter().enumerate() {
        let path = path.key("matchExpressions").index(index);
        let written::LabelCondition { key, operator, values } = expression;
        let key = taken(checked_key(key), &path.key("key"), faults);
        let checked = values.iter().map(|it| checked_value(it)).collect::<Result<_, _>>();
        let values_path = path.key("values");
        let set = taken(checked, &values_path, faults);
        let needs_values =
            matches!(operator, written::LabelOperator::In | written::LabelOperator::NotIn);
        if needs_values == values.is_empty() {
            let problem = "`In` and `NotIn` need values, `Exists` and `DoesNotExist` have none";
            faults.add(Fault::new(values_path, problem).hint("as in a Deployment's selector"));
        }
        let condition = set.map(|set| match operator {
            written::LabelOperator::In => Condition::In(set),
            written::LabelOperator::NotIn => Condition::NotIn(set),
            written::LabelOperator::Exists => Condition::Exists,
            written::LabelOperator::DoesNotExist => Condition::Absent,
        });
        requirements
            .extend(key.zip(condition).map(|(key, condition)| Requirement { key, condition }));
    }
    (faults.0.len() == before).then(|| Selector::of(requirements))
}

fn taken<T>(result: Result<T, String>, path: &Path, faults: &mut Faults) -> Option<T> {
    let hint = "use what a label of Kubernetes may hold";
    result.map_err(|problem| faults.add(Fault::new(path.clone(), problem).hint(hint))).ok()
}

/// The page of pods.
pub(in crate::policy::resolve) fn page(
    wire: &written::PodsSignal,
    path: &Path,
    faults: &mut Faults,
) -> Option<PodPage> {
    let port = port(&wire.port, &path.key("port"), faults);
    let written = wire.path.as_deref().unwrap_or("/metrics");
    let is_path = written.starts_with('/')
        && written.bytes().all(|it| it.is_ascii_graphic() && it != b'?' && it != b'#');
    if !is_path {
        let fault = Fault::new(path.key("path"), "not the path of a page");
        faults.add(fault.hint("begin with `/`, without blanks, `?` and `#`"));
    }
    let is_https = wire.scheme == Some(written::Scheme::Https);
    if wire.tls.is_some() && !is_https {
        let fault = Fault::new(path.key("tls"), "`tls` without `scheme: https`");
        faults.add(fault.hint("add `scheme: https`, or leave `tls` out"));
    }
    let tls = is_https.then(|| match &wire.tls {
        Some(wire) => tls(wire, &path.key("tls"), faults),
        None => PodTls::default(),
    });
    let auth = wire.auth.as_ref().map(|it| auth(it, &path.key("auth"), faults));
    let headers = access::headers(&wire.headers, wire.auth.is_some(), &path.key("headers"), faults);
    let timeout = timeout(wire.timeout.as_deref(), &path.key("timeout"), faults);
    let path = is_path.then(|| written.into());
    // Where something is wrong with what proves who asks, that is told.
    let auth = auth.map_or(Some(None), |it| it.map(Some));
    Some(PodPage { port: port?, path: path?, tls, auth: auth?, headers, timeout: timeout? })
}

fn tls(wire: &written::PodTls, path: &Path, faults: &mut Faults) -> PodTls {
    let written::PodTls { ca_file, cert_file, key_file, server_name, insecure_skip_verify } =
        wire.clone();
    let skips_verify = insecure_skip_verify == Some(true);
    if skips_verify && (ca_file.is_some() || server_name.is_some()) {
        let fault = Fault::new(path.key("insecureSkipVerify"), "any certificate will do");
        faults.add(fault.hint("leave it out, or `caFile` and `serverName`"));
    }
    let certificates = wire::access::Tls { ca_file, cert_file, key_file, server_name };
    // The scheme is https: pods have no URL of their own.
    let certificates = access::certificates(&certificates, "https:", path, faults);
    PodTls { certificates, skips_verify }
}

fn auth(wire: &written::PodAuth, path: &Path, faults: &mut Faults) -> Option<PodAuth> {
    match (&wire.basic, &wire.bearer) {
        (Some(wire), None) => {
            let (username, password_file) = access::basic(wire, &path.key("basic"), faults);
            Some(PodAuth::Basic { username, password_file })
        }
        (None, Some(wire)) => {
            let path = path.key("bearer").key("tokenFile");
            Some(PodAuth::Bearer { token_file: access::file(&wire.token_file, &path, faults) })
        }
        _ => {
            let fault = Fault::new(path.clone(), "expected exactly one way to prove who asks");
            faults.add(fault.hint("write one of `basic` and `bearer`"));
            None
        }
    }
}

fn port(wire: &wire::IntOrText, path: &Path, faults: &mut Faults) -> Option<PodPort> {
    let text = wire.text();
    if let Ok(number) = text.parse::<u16>()
        && number > 0
    {
        return Some(PodPort::Number(number));
    }
    let is_name = (1..=15).contains(&text.len())
        && text.contains(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if !is_name {
        let fault = Fault::new(path.clone(), format!("`{text}` is no port"));
        faults.add(fault.hint("write a number from 1 to 65535, or the name of a container's port"));
    }
    is_name.then(|| PodPort::Name(text.into()))
}

fn timeout(text: Option<&str>, path: &Path, faults: &mut Faults) -> Option<Duration> {
    let Some(text) = text else { return Some(limits::pods::TIMEOUT_DEFAULT) };
    let timeout = faults.take(path.clone(), duration::parse(text))?;
    let most = limits::pods::TIMEOUT_MAX;
    if timeout.is_zero() || timeout > most {
        let problem = format!("one pod gets more than 0s and at most {}", duration::Shown(most));
        faults.add(Fault::new(path.clone(), problem).hint("1s is plenty for a page"));
        return None;
    }
    Some(timeout)
}

fn value(wire: &written::PodsSignal, path: &Path, faults: &mut Faults) -> Option<PodValue> {
    let lately = lately(wire, path, faults)?;
    let unused = |keys: &[(&str, bool)], of: &str, faults: &mut Faults| {
        for (key, _) in keys.iter().filter(|(_, is_written)| *is_written) {
            let fault = Fault::new(path.key(key), format!("{of} has no `{key}`"));
            faults.add(fault.hint("leave it out, or say what `value` is read"));
        }
    };
    let window = ("window", wire.window.is_some());
    let least = ("minObservations", wire.min_observations.is_some());
    let text = wire.value.as_deref().unwrap_or("gauge").trim();
    match text {
        "gauge" => {
            unused(&[window, least], "a gauge", faults);
            Some(PodValue::Gauge)
        }
        "rate" => {
            unused(&[least], "a rate", faults);
            Some(PodValue::Rate(lately))
        }
        "mean" => Some(PodValue::Mean(lately)),
        _ => match quantile(text) {
            Some(quantile) => Some(PodValue::Quantile(quantile, lately)),
            None => {
                let fault = Fault::new(path.key("value"), format!("`{text}` is no value"));
                faults.add(fault.hint("write `gauge`, `rate`, `mean` or `quantile(0.95)`"));
                None
            }
        },
    }
}

fn lately(wire: &written::PodsSignal, path: &Path, faults: &mut Faults) -> Option<Lately> {
    let least = wire.min_observations.unwrap_or(limits::pods::OBSERVATIONS_MIN_DEFAULT);
    let window = match wire.window.as_deref() {
        None => limits::pods::WINDOW_DEFAULT,
        Some(text) => faults.take(path.key("window"), duration::parse(text))?,
    };
    let most = limits::pods::WINDOW_MAX;
    if window.is_zero() || window > most {
        let problem = format!("a window is above 0s and at most {}", duration::Shown(most));
        faults.add(Fault::new(path.key("window"), problem).hint("1m suits an interval of 15s"));
        return None;
    }
    Some(Lately { window, least })
}

fn reduce(text: Option<&str>, path: &Path, faults: &mut Faults) -> Option<PodReduce> {
    let text = text.unwrap_or("sum").trim();
    Some(match text {
        "sum" => PodReduce::Sum,
        "avg" => PodReduce::Avg,
        "max" => PodReduce::Max,
        "min" => PodReduce::Min,
        _ => match quantile(text) {
            Some(quantile) => PodReduce::Quantile(quantile),
            None => {
                let fault = Fault::new(path.clone(), format!("`{text}` makes no one number"));
                faults.add(fault.hint("write `sum`, `avg`, `max`, `min` or `quantile(0.9)`"));
                return None;
            }
        },
    })
}

/// The number in `quantile(0.95)`, from 0 to 1.
fn quantile(text: &str) -> Option<Finite> {
    let number = text.strip_prefix("quantile(")?.strip_suffix(')')?.trim();
    let quantile: f64 = number.parse().ok()?;
    Finite::new(quantile).filter(|it| (0.0..=1.0).contains(&it.get()))
}

fn across(
    wire: &written::PodsSignal,
    value: Option<PodValue>,
    is_per_pod: bool,
    path: &Path,
    faults: &mut Faults,
) -> Option<Across> {
    let on_partial = on_partial_of(wire.on_partial);
    if is_per_pod {
        let written =
            [("reducePods", wire.reduce_pods.is_some()), ("onPartial", wire.on_partial.is_some())];
        for (key, _) in written.into_iter().filter(|(_, is_written)| *is_written) {
            let problem = format!("a Pods metric has a number for each pod, and no `{key}`");
            faults.add(Fault::new(path.key(key), problem).hint("leave it out"));
        }
        return Some(Across::Each);
    }
    let observes = matches!(value, Some(PodValue::Mean(_) | PodValue::Quantile(..)));
    if observes && wire.reduce_pods.is_none() {
        return Some(Across::Pooled(on_partial));
    }
    let across = reduce(wire.reduce_pods.as_deref(), &path.key("reducePods"), faults)?;
    Some(Across::One(across, on_partial))
}

#[cfg(test)]
mod tests;
