//! What a simulation assumed, in sentences: nobody should have to guess what a figure stands for.

use super::{Simulation, Source};
use crate::domain::duration::Shown;
use crate::domain::finite::Finite;
use crate::domain::quantity;
use crate::pipeline::forecast::Chosen;
use crate::policy::forecast::{Choice, Forecast};
use crate::replay::auto::Dated;
use crate::replay::load::{Load, Work};
use crate::replay::scenario::{
    BACKLOG_MAX, CapacityFrom, DRAIN, Feedback, PODS_WANTED, Scenario, Spread,
};
use crate::simulate::judge::fluid::pods_for;
use std::time::Duration;

const DAY_SECONDS: i64 = 86_400;
/// So many changes of choice fit on a line that is read.
const CHOICES_SHOWN_MAX: usize = 8;

pub(super) fn of(simulation: &Simulation) -> Vec<(&'static str, String)> {
    let Simulation { scenario, comparison, source } = simulation;
    let choices = comparison.choices.as_deref();
    let facts = [
        ("demand", Some(demand(scenario, source))),
        ("policy", Some(policy(scenario))),
        ("auto", choices.and_then(|it| auto(scenario, it))),
        ("it sees", Some(sees(scenario))),
        ("pods", Some(pods(scenario, source))),
        ("hpa", Some(hpa(scenario, source))),
        ("scored", Some(scored(scenario))),
    ];
    facts.into_iter().filter_map(|(word, text)| Some((word, text?))).collect()
}

fn demand(scenario: &Scenario, source: &Source) -> String {
    let load = &scenario.load;
    let mut text = format!("{}: {} of ", source.demand, span(load, load.first, load.end));
    let copies = source.copies.count;
    match &load.work {
        Work::Requests { requests, .. } => {
            text.push_str(&format!("{} requests", requests.len()));
            if copies > 1 {
                let jitter = Shown(source.copies.jitter);
                let seed = source.copies.seed;
                text.push_str(&format!(
                    ", {copies} copies of the recorded ones, each moved by {jitter} or so (seed \
                     {seed})"
                ));
            }
        }
        Work::Samples { .. } => {
            let spacing = load.spacing.unwrap_or(load.step);
            text.push_str(&format!("samples every {}, in {}", Shown(spacing), load.unit));
            if copies > 1 {
                text.push_str(&format!(", times {copies}"));
            }
            if scenario.scaled_by > 1.0 {
                let factor = scenario.scaled_by;
                text.push_str(&format!(", times {factor} because the HPA reads thousandths"));
            }
        }
    }
    let gaps = load.gaps;
    if gaps.count > 0 {
        let noun = if gaps.count == 1 { "gap" } else { "gaps" };
        text.push_str(&format!(
            "; {} {noun}, {:.1} % of the time, the longest {}: the value before is held",
            gaps.count,
            gaps.share * 100.0,
            Shown(gaps.longest),
        ));
    }
    if source.without_value > 0 {
        text.push_str(&format!("; {} rows without a number left out", source.without_value));
    }
    text
}

fn policy(scenario: &Scenario) -> String {
    let policy = &scenario.policy;
    let mut text = format!("{} publishes {}", policy.key, policy.metric);
    text.push_str(&format!(", every {}", Shown(policy.interval)));
    match policy.smooth.len() {
        0 => text.push_str(", not smoothed"),
        1 => text.push_str(", smoothed in 1 step"),
        steps => text.push_str(&format!(", smoothed in {steps} steps")),
    }
    if scenario.had_rate {
        text.push_str(" (`rate` left out: the demand is one already)");
    }
    match &policy.forecast {
        None => text.push_str(", no forecast"),
        Some(forecast) => text.push_str(&forecast_of(forecast)),
    }
    text
}

fn forecast_of(forecast: &Forecast) -> String {
    let model = match forecast.model {
        Choice::Auto => "auto",
        Choice::Given(model) => model.name(),
    };
    let quantile = match forecast.quantile {
        Choice::Auto => "a chosen quantile".to_owned(),
        Choice::Given(quantile) => format!("quantile {quantile}"),
    };
    let shadow = if forecast.is_shadow { ", shown only" } else { "" };
    format!(", forecast {model} at {quantile}{shadow}")
}

/// What `auto` chose, where it changed: `day 8: blendedAnalog 0.92 ×1, window 15m; day 11: …`.
fn auto(scenario: &Scenario, choices: &[Dated]) -> Option<String> {
    let forecast = scenario.left_to_auto()?;
    let first = scenario.score.first_step();
    let shown = |chosen: Chosen| chosen.settled(forecast).to_string();
    let begins = shown(Chosen::default());
    let mut said = Vec::new();
    if choices.first().is_none_or(|it| it.step > first) {
        said.push(format!(
            "{}: {begins} (too little history to choose)",
            shown_day(scenario, first)
        ));
    }
    let mut last = String::new();
    for Dated { step, choice } in choices {
        let new = shown(choice.chosen);
        if new != last {
            said.push(format!("{}: {new}", shown_day(scenario, *step)));
            last = new;
        }
    }
    let more = said.len().saturating_sub(CHOICES_SHOWN_MAX);
    said.truncate(CHOICES_SHOWN_MAX);
    if more > 0 {
        said.push(format!("and {more} more, which --json has"));
    }
    Some(said.join("; "))
}

/// The day that begins with a step, or the moment within one.
fn shown_day(scenario: &Scenario, step: usize) -> String {
    let load = &scenario.load;
    let time = load.time(step);
    let is_midnight = time.as_second().rem_euclid(DAY_SECONDS) == 0;
    match (load.is_dated, is_midnight) {
        (true, true) => time.strftime("%Y-%m-%d").to_string(),
        (true, false) => format!("{time:.0}"),
        (false, true) => {
            let days = time.duration_since(load.midnight).as_secs() / DAY_SECONDS;
            format!("day {}", days + 1)
        }
        (false, false) => {
            let since = time.duration_since(load.midnight).unsigned_abs();
            format!("{} after the recording's midnight", Shown(since))
        }
    }
}

fn sees(scenario: &Scenario) -> String {
    let what = match (&scenario.load.work, scenario.feedback) {
        (Work::Requests { .. }, Feedback::Queue) => "requests in flight and waiting".to_owned(),
        (Work::Requests { .. }, Feedback::None) => {
            "the requests that would be in service if none waited".to_owned()
        }
        (Work::Samples { .. }, Feedback::Queue) => {
            format!("the newest sample + what waits / {}", Shown(DRAIN))
        }
        (Work::Samples { .. }, Feedback::None) => "the newest sample".to_owned(),
    };
    let delay = match scenario.metric_delay {
        Duration::ZERO => "at once".to_owned(),
        delay => format!("{} late", Shown(delay)),
    };
    format!("{what}, {delay}, in place of its signals; plain HPAs read the same")
}

fn pods(scenario: &Scenario, source: &Source) -> String {
    let why = match scenario.capacity_from {
        CapacityFrom::Given => "as given".to_owned(),
        CapacityFrom::Policy => "as the policy says".to_owned(),
        CapacityFrom::Hpa => "the HPA's target".to_owned(),
        CapacityFrom::OneRequest => "one request at once".to_owned(),
        CapacityFrom::Demand => {
            format!("so that the busiest 0.5 % of the time needs {PODS_WANTED} of them")
        }
    };
    let gpus = match source.gpus_per_pod {
        1 => "1 GPU".to_owned(),
        gpus => format!("{gpus} GPUs"),
    };
    let lost = match scenario.load.work {
        Work::Requests { .. } => String::new(),
        Work::Samples { .. } => {
            format!(", and lost beyond a backlog of {}", Shown(BACKLOG_MAX))
        }
    };
    let Spread { variation, seed } = scenario.spread;
    let spread = match variation {
        it if it > 0.0 => format!(" in the mean (drawn: deviation {} %, seed {seed})", it * 100.0),
        _ => String::new(),
    };
    format!(
        "each serves {} ({why}), {}{spread} after it was asked for, with {gpus}; work is late \
         after {}{lost}",
        shown(scenario.capacity),
        Shown(scenario.lead_time),
        Shown(scenario.slo),
    )
}

fn hpa(scenario: &Scenario, source: &Source) -> String {
    let spec = &scenario.hpa;
    let name = match &source.hpa {
        Some(file) => file.as_str(),
        None => "the API server's defaults",
    };
    let most = peak_need(scenario);
    let short = if i64::from(most) > i64::from(spec.max_replicas) {
        format!("; the demand would need up to {most}")
    } else {
        String::new()
    };
    format!(
        "{name}: AverageValue {}, {} to {} replicas, a sync every {}{short}",
        shown(scenario.target_milli as f64 / 1e3),
        spec.min_replicas(),
        spec.max_replicas,
        Shown(scenario.load.step),
    )
}

/// The most pods that the demand keeps busy.
fn peak_need(scenario: &Scenario) -> u32 {
    let load = &scenario.load;
    match &load.work {
        Work::Requests { offered, .. } => {
            let peak = offered.peak.iter().copied().max().unwrap_or_default();
            peak.div_ceil(scenario.concurrency().max(1))
        }
        Work::Samples { .. } => pods_for(load.quantile(1.0), scenario.capacity),
    }
}

fn scored(scenario: &Scenario) -> String {
    let load = &scenario.load;
    let first = scenario.score.first_step();
    let before = span(load, load.first, first);
    let from = match load.is_dated {
        true => format!("{:.0}", load.time(first)),
        false => shown_day(scenario, first),
    };
    format!("{} from {from}; the {before} before them are history", span(load, first, load.end))
}

/// `14.0 days`, `57 min`.
fn span(load: &Load, from: usize, to: usize) -> String {
    let steps = to.saturating_sub(from);
    let seconds = load.step.as_secs_f64() * steps as f64;
    match seconds {
        it if it >= 1.95 * 86_400.0 => format!("{:.1} days", it / 86_400.0),
        it if it >= 2.0 * 3_600.0 => format!("{:.1} hours", it / 3_600.0),
        it => format!("{:.0} min", it / 60.0),
    }
}

/// A number of the metric, as Kubernetes writes it where that is short.
fn shown(value: f64) -> String {
    Finite::new(value).map_or_else(|| value.to_string(), quantity::to_text)
}

/// `1m10s`; whole seconds.
pub(super) fn shown_wait(seconds: f64) -> String {
    let wait = Duration::try_from_secs_f64(seconds.round()).unwrap_or(Duration::MAX);
    Shown(wait).to_string()
}
