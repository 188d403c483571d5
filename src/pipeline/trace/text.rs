//! A trace as a person reads it, stage by stage: the same live, in a terminal and in a simulation.
//!
//! Ages count from the evaluation, not from the moment at which somebody looks, so that a text says
//! the same whenever it is made.

mod forecast;

use super::{Path, Ruling, Trace};
use crate::domain::duration::{Shown, shown_age};
use crate::domain::hpa::{HpaUse, MetricTarget};
use crate::domain::limits;
use crate::domain::sample::Sample;
use crate::domain::supply::{Supply, since};
use crate::pipeline::outcome::Standing;
use crate::pipeline::smooth::Answer;
use crate::policy::capacity::Emit;
use crate::policy::{Combine, Policy};
use jiff::Timestamp;
use std::fmt::Write;
use std::sync::Arc;

/// Every stage of one evaluation of `policy`, in a block of aligned lines.
#[must_use]
pub fn render(policy: &Policy, trace: &Trace) -> String {
    let mut text = Text::default();
    text.stage("evaluated", instant(trace.at));
    if trace.n_same > 1 {
        let (n_same, since) = (trace.n_same, instant(trace.since));
        text.more(format_args!("the same since {since}, {n_same} evaluations"));
    }
    signals(&mut text, policy, trace);
    for path in &trace.paths {
        way(&mut text, policy, trace, path);
    }
    if policy.subject == crate::domain::metric::Subject::Pods {
        let n_shown = trace.paths.len();
        text.stage(
            "published",
            format_args!("{} pods, the largest {n_shown} above", trace.n_published),
        );
    }
    if let Some(absent) = &trace.absent {
        let what = if trace.n_published == 0 { "nothing" } else { "nothing newer" };
        text.stage("because", format_args!("{what} came: {}", absent.shown(trace.at)));
    }
    if let Some(supply) = &trace.supply {
        users(&mut text, supply);
    }
    text.0
}

/// The last evaluations in one line each, in the order given.
#[must_use]
pub fn table(traces: &[Arc<Trace>]) -> String {
    let rows: Vec<[String; COLUMNS]> =
        std::iter::once(HEADS.map(str::to_owned)).chain(traces.iter().map(|it| row(it))).collect();
    let column = |idx: usize| rows.iter().filter_map(move |it| it.get(idx));
    let width = |idx: usize| column(idx).map(String::len).max().unwrap_or(0);
    // A column that says nothing on any line, as those of a forecast without one, is left out.
    let is_empty =
        |idx: usize| column(idx).skip(1).all(|it| it == "-" || (idx == TIMES && it == "1"));
    let shown: Vec<usize> = (0..COLUMNS).filter(|idx| !is_empty(*idx)).collect();
    let mut text = String::new();
    for cells in &rows {
        let cells = shown.iter().filter_map(|idx| Some((*idx, cells.get(*idx)?)));
        let cells = cells.map(|(idx, cell)| match width(idx) {
            width if NUMBERS.contains(&idx) => format!("{cell:>width$}"),
            width => format!("{cell:width$}"),
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// The heads of the table.
const HEADS: [&str; COLUMNS] = [
    "evaluated",
    "times",
    "combined",
    "observed",
    "forecast",
    "verdict",
    "decided by",
    "published",
    "",
];
const COLUMNS: usize = 9;
/// Which column counts the evaluations that came to the same.
const TIMES: usize = 1;
/// The columns that are aligned to the right.
const NUMBERS: [usize; 5] = [TIMES, 2, 3, 4, 7];

fn row(trace: &Trace) -> [String; COLUMNS] {
    let path = trace.paths.first();
    let or_dash = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    let of_sample = |it: Option<Sample>| or_dash(it.map(|it| number(it.value.get())));
    let told = trace.forecast.as_ref().map(|it| &it.told);
    let published = path.and_then(|it| it.published);
    [
        instant(trace.at),
        trace.n_same.to_string(),
        of_sample(path.and_then(|it| it.combined)),
        of_sample(path.and_then(|it| it.observed)),
        or_dash(told.and_then(|it| it.forecast).map(number)),
        or_dash(told.map(|it| it.verdict.name().to_owned())),
        or_dash(told.map(|it| it.bound.name().to_owned())),
        or_dash(published.map(|(value, _)| number(value.get()))),
        published.map_or("nothing published", |(_, standing)| shown_standing(standing)).to_owned(),
    ]
}

fn signals(text: &mut Text, policy: &Policy, trace: &Trace) {
    let only = trace.paths.first().filter(|it| it.object.is_none());
    let width = policy.signals.iter().map(|it| it.name.as_str().len()).max().unwrap_or(0);
    for (idx, (signal, reading)) in policy.signals.iter().zip(&trace.signals).enumerate() {
        let (name, source) = (signal.name.as_str(), &signal.source);
        let sample = only.and_then(|it| it.samples.get(idx).copied().flatten());
        let known = match (only, sample, reading.oldest) {
            (Some(_), Some(sample), _) => {
                format!("{}, {} old", number(sample.value.get()), age(sample.at, trace.at))
            }
            (None, _, Some(oldest)) => {
                let (n_objects, age) = (reading.n_objects, age(oldest, trace.at));
                format!("{n_objects} pods, {age} old at most")
            }
            _ => "unknown".to_owned(),
        };
        let trouble = reading.trouble.as_ref().map_or(String::new(), |why| format!(": {why}"));
        let note = reading.note.as_ref().map_or(String::new(), |note| format!(" ({note})"));
        let line = format!("{name:width$} = {known}, from source {source}{note}{trouble}");
        if idx == 0 { text.stage("signals", line) } else { text.more(line) }
    }
}

fn way(text: &mut Text, policy: &Policy, trace: &Trace, path: &Path) {
    if let Some(object) = &path.object {
        text.stage("pod", object);
        if policy.signals.len() > 1 || path.combined.is_none() {
            for (signal, sample) in policy.signals.iter().zip(&path.samples) {
                text.more(format_args!("{} = {}", signal.name, told(*sample, trace.at)));
            }
        }
    }
    match &policy.combine {
        Combine::Only if path.object.is_none() => {}
        Combine::Only => text.stage("signal", told(path.combined, trace.at)),
        Combine::Expression(expression) => {
            let combined = told(path.combined, trace.at);
            text.stage("combine", format_args!("{} = {combined}", expression.text()));
        }
    }
    for (idx, Answer { kind, value, window }) in path.steps.iter().enumerate() {
        let value = value.map_or_else(|| "no answer yet".to_owned(), |it| number(it.get()));
        let window = window.map_or(String::new(), |it| format!(", over {}", Shown(it)));
        let line = format!("{kind} = {value}{window}");
        if idx == 0 { text.stage("smooth", line) } else { text.more(line) }
    }
    text.stage("observed", told(path.observed, trace.at));
    if let Some(foreseen) = trace.forecast.as_ref().filter(|_| path.object.is_none()) {
        forecast::lines(text, policy, foreseen, trace.at);
    }
    if policy.emit == Emit::DesiredReplicas {
        let replicas = path.emitted.map_or_else(|| "unknown".to_owned(), |it| number(it.get()));
        text.stage("emit", format_args!("desiredReplicas = {replicas}"));
    }
    guard(text, policy, trace, path);
}

fn guard(text: &mut Text, policy: &Policy, trace: &Trace, path: &Path) {
    let Some((value, standing)) = path.published else {
        text.stage("guard", "there is nothing to publish");
        return;
    };
    let (min, max) = (policy.guard.min, policy.guard.max);
    let of = |it: Option<crate::domain::finite::Finite>| it.map(|it| number(it.get()));
    let bounds = match (of(min), of(max)) {
        (Some(min), Some(max)) => format!("between {min} and {max}"),
        (Some(min), None) => format!("at least {min}"),
        (None, Some(max)) => format!("at most {max}"),
        (None, None) => "no bounds".to_owned(),
    };
    let ruling = match Trace::ruling(path) {
        Some(Ruling::Raised) => "raised to guard.min",
        Some(Ruling::Cut) if max.is_some_and(|it| it == value) => "cut to guard.max",
        Some(Ruling::Cut) => "cut to what the HPA can compute with",
        Some(Ruling::Passed) | None => "passed",
    };
    text.stage("guard", format_args!("{ruling} ({bounds})"));
    let old = path.observed.map(|it| age(it.at, trace.at));
    let old = old.map_or(String::new(), |it| format!(", {it} old"));
    let (fresh, hold) = (Shown(policy.guard.max_age), Shown(policy.guard.hold));
    let standing = match standing {
        Standing::Fresh => format!("fresh{old} (fresh up to {fresh})"),
        Standing::Held => format!("held{old} (fresh up to {fresh}, then held for {hold})"),
    };
    let value = number(value.get());
    let stage = if path.object.is_none() { "published" } else { "value" };
    text.stage(stage, format_args!("{value}, {standing}"));
}

fn users(text: &mut Text, supply: &Supply) {
    match supply.hpas.as_deref() {
        None => text.stage("HPAs", "not known yet"),
        Some([]) => text.stage("HPAs", "none uses this metric"),
        Some(hpas) => {
            let (shown, rest) =
                hpas.split_at_checked(limits::TRACE_HPAS_MAX).unwrap_or((hpas, &[]));
            for (idx, hpa) in shown.iter().enumerate() {
                let line = user(hpa);
                if idx == 0 { text.stage("HPAs", line) } else { text.more(line) }
            }
            if !rest.is_empty() {
                text.more(format_args!("and {} more", rest.len()));
            }
        }
    }
    if !supply.targets.is_empty() {
        let n_troubled: usize = supply.targets.iter().map(|it| it.n_troubled).sum();
        let (n_ready, n_starting) = (supply.n_ready(), supply.n_starting());
        let line = format!("{n_ready} ready, {n_starting} starting, {n_troubled} in trouble");
        text.stage("pods", line);
    }
}

fn user(hpa: &HpaUse) -> String {
    let HpaUse { name, scales, target, min_replicas, max_replicas, .. } = hpa;
    let (kind, scaled) = (&scales.kind.kind, &scales.name);
    let target = match target {
        MetricTarget::AverageValue(it) => format!("averageValue {}", number(it.get())),
        MetricTarget::Value(it) => format!("value {}", number(it.get())),
    };
    format!("{name} scales {kind}/{scaled} from {min_replicas} to {max_replicas} at {target}")
}

fn told(sample: Option<Sample>, now: Timestamp) -> String {
    sample.map_or_else(
        || "unknown".to_owned(),
        |it| format!("{}, {} old", number(it.value.get()), age(it.at, now)),
    )
}

/// An instant in milliseconds, always as long.
fn instant(at: Timestamp) -> String {
    format!("{at:.3}")
}

fn age(then: Timestamp, now: Timestamp) -> Shown {
    shown_age(since(then, now))
}

fn shown_standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Fresh => "fresh",
        Standing::Held => "held",
    }
}

/// A number for a person: three digits behind the point at most, where it is not tiny or huge.
fn number(value: f64) -> String {
    let size = value.abs();
    if size > 0.0 && !(0.001..1e12).contains(&size) {
        return format!("{value:.3e}");
    }
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Lines with the stage's name before its first one.
#[derive(Debug, Default)]
struct Text(String);

/// As wide as the longest name of a stage.
const STAGE_WIDTH: usize = 11;

impl Text {
    fn stage(&mut self, name: &str, line: impl std::fmt::Display) {
        // Writing into a String cannot fail.
        writeln!(self.0, "{name:STAGE_WIDTH$}{line}").ok();
    }

    fn more(&mut self, line: impl std::fmt::Display) {
        self.stage("", line);
    }
}
