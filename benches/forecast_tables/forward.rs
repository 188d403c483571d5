//! What one gets who chooses every midnight by the days before: `auto`, and plain reactive treated
//! the same way.

use crate::series::{Bed, DAY, DRAIN, TARGET};
use foresail::forecast::past::SEASON;
use foresail::pipeline::forecast::Given;
use foresail::simulate::auto::candidates::{self, Candidate};
use foresail::simulate::auto::{self, WARM_UP};
use foresail::simulate::judge::choose::{self, Rule};
use foresail::simulate::judge::{Run, Setting, held, run};
use serde::Serialize;
use std::time::Duration;

/// One who chooses, over the second half of a series.
#[derive(Debug, Serialize)]
pub(crate) struct Line {
    pub(crate) method: String,
    pub(crate) pod_seconds: f64,
    pub(crate) late_share: f64,
    pub(crate) events_per_day: f64,
    /// The days on which the choice changed, and what to; the first day's included.
    pub(crate) choices: Vec<(usize, String)>,
}

/// Reactive first: the others are compared with it.
pub(crate) fn lines(bed: &Bed<'_>) -> Vec<Line> {
    let all: Vec<Candidate> = candidates::all(std::time::Duration::from_secs(60), Given::default())
        .into_iter()
        .step_by(bed.size.thinned)
        .collect();
    let naive: Vec<Candidate> = all.iter().copied().filter(Candidate::is_naive).collect();
    let rule = auto::rule(TARGET);
    let alike = Rule { decay: 1.0, ..rule };
    let mut lines = Vec::new();
    for (drain, note) in [(None, ""), (Some(DRAIN), " + backlog")] {
        let runs: Vec<Run> = all.iter().map(|it| alone(bed, it, drain)).collect();
        let of_naive: Vec<Run> =
            all.iter().zip(&runs).filter(|it| it.0.is_naive()).map(|it| it.1.clone()).collect();
        let mut add = |name: &str, candidates: &[Candidate], runs: &[Run], rule: &Rule| {
            let line = line(bed, candidates, drain, runs, rule);
            lines.push(Line { method: format!("{name}{note}"), ..line });
        };
        add("reactive", &naive, &of_naive, &rule);
        add("reactive, days alike", &naive, &of_naive, &alike);
        add("auto", &all, &runs, &rule);
    }
    lines
}

fn alone(bed: &Bed<'_>, candidate: &Candidate, drain: Option<Duration>) -> Run {
    let mut workload = bed.ground.workload(&bed.series.demand).unwrap();
    let hold = bed.ground.hold_syncs(candidate);
    let publish = held(hold, unheld(bed, candidate, drain));
    run(bed.ground.setting(), &mut workload, publish).unwrap()
}

fn line(
    bed: &Bed<'_>,
    candidates: &[Candidate],
    drain: Option<Duration>,
    runs: &[Run],
    rule: &Rule,
) -> Line {
    let mut ways: Vec<choose::Candidate<'_>> = candidates
        .iter()
        .zip(runs)
        .map(|(candidate, alone)| choose::Candidate {
            publish: Box::new(unheld(bed, candidate, drain)),
            hold_steps: bed.ground.hold_syncs(candidate),
            record: bed.ground.record(candidate, alone),
        })
        .collect();
    let days = bed.series.demand.len() / DAY;
    // The first day's choice needs a day that was judged.
    let half = (days / 2).max(WARM_UP / SEASON + 1);
    let begin = (half - 1).max(WARM_UP / SEASON + 1);
    let steps = begin * DAY..days * DAY;
    let setting = Setting { steps, ..bed.ground.setting().clone() };
    let mut workload = bed.ground.workload(&bed.series.demand).unwrap();
    let forward = choose::forward(&setting, &mut workload, &mut ways, rule).unwrap();
    let total = forward.run.since(half);
    let label = |(day, place): &(usize, usize)| (*day, label(&candidates[*place]));
    Line {
        method: String::new(),
        pod_seconds: total.pod_seconds,
        late_share: total.late_share(),
        events_per_day: f64::from(total.scale_events) / (days - half) as f64,
        choices: forward.choices.iter().map(label).collect(),
    }
}

fn unheld<'b>(
    bed: &'b Bed<'_>,
    candidate: &Candidate,
    drain: Option<Duration>,
) -> impl FnMut(usize, &foresail::simulate::judge::Seen) -> Option<f64> + 'b {
    let (candidate, foretold) = (*candidate, bed.ground.foretold());
    bed.ground.unheld(drain, move |place, (known, _)| candidate.value(foretold, place, known))
}

fn label(candidate: &Candidate) -> String {
    let chosen = candidate.chosen;
    let quantile =
        if candidate.is_naive() { String::new() } else { format!(" q{}", chosen.quantile) };
    let window = chosen.down_window.as_secs();
    format!("{}{quantile} x{} {window} s", chosen.model.name(), chosen.headroom)
}
