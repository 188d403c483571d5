//! One trace as JSON.

use super::forecast::Forecast;
use super::seconds;
use crate::domain::hpa::{HpaUse, MetricTarget};
use crate::domain::sample::Sample;
use crate::domain::supply::{Supply, since};
use crate::pipeline::outcome::Standing;
use crate::pipeline::smooth::Answer;
use crate::pipeline::trace::{Path, Ruling, Trace};
use crate::policy::Policy;
use jiff::Timestamp;
use serde::Serialize;

/// One evaluation.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Evaluated<'a> {
    at: Timestamp,
    since: Timestamp,
    evaluations: u32,
    signals: Vec<Signal<'a>>,
    paths: Vec<Way<'a>>,
    published_values: usize,
    forecast: Option<Forecast<'a>>,
    absent: Option<String>,
    users: Option<Users<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Signal<'a> {
    name: &'a str,
    source: &'a str,
    objects: usize,
    oldest_age_seconds: Option<f64>,
    trouble: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'a str>,
}

/// The way of one number.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Way<'a> {
    object: Option<&'a str>,
    signals: Vec<Option<Number>>,
    combined: Option<Number>,
    smooth: Vec<Step>,
    observed: Option<Number>,
    emitted: Option<f64>,
    guard: Option<&'static str>,
    published: Option<f64>,
    standing: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Number {
    value: f64,
    at: Timestamp,
    age_seconds: f64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Step {
    kind: &'static str,
    value: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    window_seconds: Option<f64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Users<'a> {
    hpas: Option<Vec<Hpa<'a>>>,
    pods_ready: usize,
    pods_starting: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Hpa<'a> {
    name: &'a str,
    scales: String,
    min_replicas: u32,
    max_replicas: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    average_value: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<f64>,
}

impl<'a> Evaluated<'a> {
    pub(super) fn of(policy: &'a Policy, trace: &'a Trace) -> Self {
        let signals = policy.signals.iter().zip(&trace.signals).map(|(signal, reading)| Signal {
            name: signal.name.as_str(),
            source: signal.source.as_str(),
            objects: reading.n_objects,
            oldest_age_seconds: reading.oldest.map(|it| seconds(since(it, trace.at))),
            trouble: reading.trouble.as_deref(),
            note: reading.note.as_deref(),
        });
        Self {
            at: trace.at,
            since: trace.since,
            evaluations: trace.n_same,
            signals: signals.collect(),
            paths: trace.paths.iter().map(|it| way(trace, it)).collect(),
            published_values: trace.n_published,
            forecast: trace.forecast.as_deref().map(Forecast::of),
            absent: trace.absent.as_ref().map(|it| it.shown(trace.at)),
            users: trace.supply.as_deref().map(users),
        }
    }
}

fn way<'a>(trace: &Trace, path: &'a Path) -> Way<'a> {
    let number = |it: Sample| Number {
        value: it.value.get(),
        at: it.at,
        age_seconds: seconds(since(it.at, trace.at)),
    };
    let step = |Answer { kind, value, window }: &Answer| Step {
        kind,
        value: value.map(|it| it.get()),
        window_seconds: window.map(seconds),
    };
    Way {
        object: path.object.as_ref().map(|it| it.as_str()),
        signals: path.samples.iter().map(|it| it.map(number)).collect(),
        combined: path.combined.map(number),
        smooth: path.steps.iter().map(step).collect(),
        observed: path.observed.map(number),
        emitted: path.emitted.map(|it| it.get()),
        guard: Trace::ruling(path).map(Ruling::name),
        published: path.published.map(|(value, _)| value.get()),
        standing: path.published.map(|(_, standing)| match standing {
            Standing::Fresh => "fresh",
            Standing::Held => "held",
        }),
    }
}

fn users(supply: &Supply) -> Users<'_> {
    let hpas = supply.hpas.as_deref().map(|hpas| hpas.iter().map(hpa).collect());
    Users { hpas, pods_ready: supply.n_ready(), pods_starting: supply.n_starting() }
}

fn hpa(hpa: &HpaUse) -> Hpa<'_> {
    let (average_value, value) = match hpa.target {
        MetricTarget::AverageValue(it) => (Some(it.get()), None),
        MetricTarget::Value(it) => (None, Some(it.get())),
    };
    Hpa {
        name: hpa.name.as_str(),
        scales: format!("{}/{}", hpa.scales.kind.kind, hpa.scales.name),
        min_replicas: hpa.min_replicas,
        max_replicas: hpa.max_replicas,
        average_value,
        value,
    }
}
