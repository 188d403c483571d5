//! The figures of a simulation for programs: the table, each period, and the sweeps.

use super::Simulation;
use super::table::{clairvoyant, gpu_hours, name, per_day};
use crate::pipeline::forecast::Chosen;
use crate::replay::auto::Dated;
use crate::replay::comparison::{LATE_SHARES, Scored, Swept};
use crate::simulate::auto::Choice;
use crate::simulate::judge::Totals;
use serde_json::{Map, Value, json};

pub(super) fn report(simulation: &Simulation) -> String {
    let Simulation { scenario, comparison, source } = simulation;
    let load = &scenario.load;
    let gpus = source.gpus_per_pod;
    let optimum = comparison.optimum_seconds;
    let facts: Map<String, Value> =
        simulation.facts().into_iter().map(|(word, text)| (word.to_owned(), text.into())).collect();
    let ways: Vec<Value> = comparison.scored.iter().map(|it| way(simulation, it)).collect();
    let periods: Vec<Value> = comparison
        .optimum_periods
        .iter()
        .zip(scenario.score.from..)
        .map(|(cost, period)| {
            json!({"start": start(simulation, period), "gpuHours": gpu_hours(*cost, gpus)})
        })
        .collect();
    let mut report = json!({
        "foresail": env!("CARGO_PKG_VERSION"),
        "assumptions": facts,
        "stepSeconds": load.step.as_secs_f64(),
        "leadTimeSeconds": scenario.lead_time.as_secs_f64(),
        "leadTimeVariation": scenario.spread.variation,
        "maxWaitSeconds": scenario.slo.as_secs_f64(),
        "podCapacity": scenario.capacity,
        "targetAverageValue": scenario.target_milli as f64 / 1e3,
        "gpusPerPod": gpus,
        "seed": source.copies.seed,
        "scored": {
            "from": load.time(scenario.score.first_step()).to_string(),
            "to": load.time(load.end).to_string(),
            "periodSeconds": scenario.score.period as f64 * load.step.as_secs_f64(),
        },
        "ways": ways,
        "offlineOptimum": {"gpuHours": gpu_hours(optimum, gpus), "periods": periods},
    });
    if let (false, Some(report)) = (comparison.swept.is_empty(), report.as_object_mut()) {
        let swept = comparison.swept.iter().map(|it| sweep(simulation, it));
        report.insert("frontier".to_owned(), swept.collect());
    }
    if let (Some(choices), Some(report)) = (&comparison.choices, report.as_object_mut()) {
        let choices = choices.iter().map(|it| choice(simulation, it));
        report.insert("auto".to_owned(), choices.collect());
    }
    // A value made of maps and finite numbers always has a text.
    serde_json::to_string_pretty(&report).unwrap_or_default() + "\n"
}

/// What `auto` chose at a midnight, and what speaks for it.
fn choice(simulation: &Simulation, dated: &Dated) -> Value {
    let Choice { chosen, late_share, cost_to_naive, seasons } = dated.choice;
    let forecast = simulation.scenario.left_to_auto();
    let Chosen { model, quantile, headroom, down_window } =
        forecast.map_or(chosen, |it| chosen.settled(it));
    json!({
        "from": time(simulation, dated.step),
        "model": model.name(),
        "quantile": quantile,
        "headroom": headroom,
        "downWindowSeconds": down_window.as_secs_f64(),
        "judgedLatePercent": late_share * 100.0,
        "judgedCostToNaive": cost_to_naive,
        "judgedSeasons": seasons,
    })
}

/// When a period begins: a date, or seconds since the recording's midnight where it has none.
fn start(simulation: &Simulation, period: usize) -> Value {
    let load = &simulation.scenario.load;
    let step = period * simulation.scenario.score.period;
    time(simulation, step.max(load.first))
}

/// When a step begins, in the same way.
fn time(simulation: &Simulation, step: usize) -> Value {
    let load = &simulation.scenario.load;
    if load.is_dated {
        load.time(step).to_string().into()
    } else {
        (step as f64 * load.step.as_secs_f64()).into()
    }
}

fn way(simulation: &Simulation, scored: &Scored) -> Value {
    let Simulation { scenario, comparison, .. } = simulation;
    let Scored { way, run, totals, .. } = scored;
    let mut value = figures(simulation, totals);
    let ratio = |base: f64| if base > 0.0 { json!(totals.pod_seconds / base) } else { Value::Null };
    let periods: Vec<Value> = run
        .days
        .iter()
        .zip(run.first_day..)
        .map(|(totals, period)| {
            let mut value = figures(simulation, totals);
            value.insert("start".to_owned(), start(simulation, period));
            value.insert("isScored".to_owned(), (period >= scenario.score.from).into());
            value.into()
        })
        .collect();
    value.insert("name".to_owned(), name(*way).into());
    value.insert("overClairvoyant".to_owned(), ratio(clairvoyant(comparison)));
    value.insert("overOptimum".to_owned(), ratio(comparison.optimum_seconds));
    let events = per_day(scenario, totals.scale_events);
    value.insert("scaleEventsPerDay".to_owned(), events.into());
    value.insert("periods".to_owned(), periods.into());
    value.into()
}

fn figures(simulation: &Simulation, totals: &Totals) -> Map<String, Value> {
    let gpus = simulation.source.gpus_per_pod;
    let Totals { work, late: _, lost, pod_seconds, wait_seconds, scale_events, flips, step_max } =
        *totals;
    let lost_share = if work > 0.0 { lost / work } else { 0.0 };
    let pairs = [
        ("latePercent", json!(totals.late_share() * 100.0)),
        ("lostPercent", json!(lost_share * 100.0)),
        ("gpuHours", json!(gpu_hours(pod_seconds, gpus))),
        ("scaleEvents", json!(scale_events)),
        ("directionFlips", json!(flips)),
        ("largestScaling", json!(step_max)),
        ("longestWaitSeconds", json!(wait_seconds)),
    ];
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn sweep(simulation: &Simulation, swept: &Swept) -> Value {
    let Simulation { comparison, source, .. } = simulation;
    let points: Vec<Value> = swept
        .frontier
        .points
        .iter()
        .map(|point| {
            json!({
                "headroom": point.knob,
                "latePercent": point.late_share * 100.0,
                "gpuHours": gpu_hours(point.cost, source.gpus_per_pod),
            })
        })
        .collect();
    let at: Vec<Value> = LATE_SHARES
        .into_iter()
        .map(|share| {
            let cost = swept.frontier.cost_at(share);
            json!({
                "latePercent": share * 100.0,
                "gpuHours": cost.map(|it| gpu_hours(it, source.gpus_per_pod)),
                "overClairvoyant": cost.map(|it| it / clairvoyant(comparison)),
                "overOptimum": cost.map(|it| it / comparison.optimum_seconds),
            })
        })
        .collect();
    json!({"name": name(swept.way), "points": points, "at": at})
}
