//! What each way of publishing costs if its headroom, or quantile, is picked in hindsight.

use crate::series::{Bed, DAY, DRAIN, SYNC};
use foresail::forecast::Model;
use foresail::simulate::auto::foretold::QUANTILES;
use foresail::simulate::hpa::behavior::Behavior;
use foresail::simulate::judge::frontier::{Frontier, Point};
use foresail::simulate::judge::oracle::{foresight, need, optimum};
use foresail::simulate::judge::{Run, Setting, run};
use serde::Serialize;
use std::time::Duration;

/// The autoscaler's stabilization windows for scaling down that are tried, in seconds.
const WINDOWS: [u64; 3] = [300, 900, 1_800];
/// What observed values are divided by: utilizations of 30 % to 120 %.
pub(crate) const UTILIZATIONS: [f64; 26] = [
    0.3, 0.33, 0.36, 0.4, 0.43, 0.46, 0.5, 0.53, 0.56, 0.6, 0.63, 0.66, 0.7, 0.73, 0.76, 0.8, 0.83,
    0.86, 0.9, 0.93, 0.96, 1.0, 1.03, 1.06, 1.1, 1.2,
];

/// A way of publishing, its knob turned to where it is cheapest.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) method: String,
    /// The cost relative to the optimum at 1 % of late work; none if no knob keeps it.
    pub(crate) at_one: Option<f64>,
    /// The same at 0.5 %.
    pub(crate) at_half: Option<f64>,
    /// Changes of the replica count per day at the cheapest knob that keeps 1 %.
    pub(crate) events: Option<f64>,
}

/// All rows.
pub(crate) fn rows(bed: &Bed<'_>) -> Vec<Row> {
    let syncs_ahead = bed.lead.as_nanos().div_ceil(SYNC.as_nanos());
    let lead_syncs = u32::try_from(syncs_ahead).unwrap();
    let demand = &bed.series.demand;
    let from = bed.series.scored_from * DAY;
    let lead_steps = usize::try_from(lead_syncs).unwrap();
    let best = optimum(&need(demand, 1.0, 1), from..demand.len(), lead_steps, DAY).pod_steps;
    let best = best * SYNC.as_secs_f64();
    let mut rows = vec![clairvoyant(bed, lead_syncs + 2, best)];
    for drain in [None, Some(Duration::from_secs(60))] {
        rows.extend(WINDOWS.map(|window| reactive(bed, window, drain, best)));
    }
    for model in bed.forecasts.models() {
        rows.push(forecast(bed, model, (None, WINDOWS[0]), best));
        rows.extend(WINDOWS.map(|window| forecast(bed, model, (Some(DRAIN), window), best)));
    }
    rows
}

fn forecast(
    bed: &Bed<'_>,
    model: Model,
    (drain, window): (Option<Duration>, u64),
    best: f64,
) -> Row {
    let setting = with_window(bed.ground.setting(), window);
    let foretold = bed.ground.foretold();
    let runs = (0..QUANTILES.len()).step_by(bed.size.thinned).map(|quantile| {
        let publish = bed.ground.unheld(drain, |place, (observed, _)| {
            let peak = bed.forecasts.peak(foretold, model, place, quantile);
            peak.filter(|it| *it > observed).unwrap_or(observed)
        });
        (QUANTILES[quantile], run(&setting, &mut workload(bed), publish).unwrap())
    });
    let backlog = if drain.is_some() { " + backlog" } else { "" };
    row(format!("{}{backlog}, {window} s", model.name()), runs, bed.series.scored_from, best)
}

/// The knob turned to where it is cheapest, relative to `best` pod-seconds.
pub(crate) fn row(
    method: String,
    runs: impl Iterator<Item = (f64, Run)>,
    since: usize,
    best: f64,
) -> Row {
    let runs: Vec<(f64, Run)> = runs.collect();
    let points = runs.iter().map(|(knob, run)| Point::of(*knob, &run.since(since))).collect();
    let frontier = Frontier { points };
    let cost = |late: f64| frontier.cost_at(late).map(|it| it / best);
    let kept = frontier.points.iter().zip(&runs).filter(|(point, _)| point.late_share <= 0.01);
    let cheapest = kept.min_by(|a, b| a.0.cost.total_cmp(&b.0.cost));
    let events = cheapest.map(|(_, (_, run))| run.scale_events_per_day());
    Row { method, at_one: cost(0.01), at_half: cost(0.005), events }
}

/// This setting with another stabilization window.
pub(crate) fn with_window(setting: &Setting, seconds: u64) -> Setting {
    let mut behavior = Behavior::default();
    behavior.scale_down.stabilization_window = Some(Duration::from_secs(seconds));
    let mut setting = setting.clone();
    setting.hpa.behavior = Some(behavior);
    setting
}

fn clairvoyant(bed: &Bed<'_>, ahead: u32, best: f64) -> Row {
    let known = foresight(&bed.series.demand, ahead);
    let setting = bed.ground.setting().without_tolerance();
    let knobs = UTILIZATIONS.iter().skip(10).step_by(bed.size.thinned);
    let runs = knobs.map(|utilization| {
        let publish = |sync: usize, _: &_| Some(known[sync] / utilization);
        (*utilization, run(&setting, &mut workload(bed), publish).unwrap())
    });
    row("clairvoyant".to_owned(), runs, bed.series.scored_from, best)
}

fn reactive(bed: &Bed<'_>, window: u64, drain: Option<Duration>, best: f64) -> Row {
    let setting = with_window(bed.ground.setting(), window);
    let runs = UTILIZATIONS.iter().step_by(bed.size.thinned).map(|utilization| {
        // The target is that of the whole value, what waits included.
        let mut value = bed.ground.unheld(drain, |_, (observed, _)| observed);
        let publish = |sync: usize, seen: &_| value(sync, seen).map(|it| it / utilization);
        (*utilization, run(&setting, &mut workload(bed), publish).unwrap())
    });
    let backlog = if drain.is_some() { " + backlog" } else { "" };
    row(format!("reactive{backlog}, {window} s"), runs, bed.series.scored_from, best)
}

fn workload<'a>(bed: &Bed<'a>) -> foresail::simulate::judge::fluid::Fluid<'a> {
    bed.ground.workload(&bed.series.demand).unwrap()
}
