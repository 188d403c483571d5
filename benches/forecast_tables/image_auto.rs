//! `auto` over requests one by one: chosen every midnight as the product does, by the simulation of
//! the minutes observed until then. Its knob is a headroom that multiplies what it publishes, or,
//! as a quantile is that of a model, the policy's own: the share of late work that it aims at.

use crate::Size;
use crate::hindsight::{Row, UTILIZATIONS, row};
use crate::image::Load;
use crate::series::STEP;
use foresail::forecast::past::SEASON;
use foresail::pipeline::forecast::{Chosen, Given};
use foresail::simulate::auto::candidates::{self, Candidate};
use foresail::simulate::auto::foretold::QUANTILES;
use foresail::simulate::auto::{self, Ground, SYNCS_PER_STEP, WARM_UP};
use foresail::simulate::judge::choose;
use foresail::simulate::judge::requests::Requests;
use foresail::simulate::judge::{Run, Seen, Setting};

/// The shares of late work that a policy aims at: the default, and the table's own.
const OBJECTIVES: [(f64, &str); 2] = [(0.005, "auto"), (0.01, "auto, latePercent 1")];

/// The shares that are tried where the objective is the knob.
const SWEPT: [f64; 10] = [0.0025, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.04, 0.06, 0.1];

/// In how many seconds what waits is published to be worked off.
const DRAIN_SECONDS: f64 = 60.0;

/// One row for each objective, and one for all of them without a headroom.
pub(crate) fn rows(
    load: &Load,
    setting: &Setting,
    workload: &Requests<'_>,
    ground: &Ground,
    size: Size,
) -> Vec<Row> {
    // What `auto` begins with comes first: the rule takes it while there is no past.
    let all = candidates::all(STEP, Given::default()).into_iter().step_by(size.thinned);
    let all: Vec<Candidate> = std::iter::once(first()).chain(all).collect();
    let alone: Vec<Run> = all.iter().map(|it| ground.judge(it).unwrap()).collect();
    let forward = |late_share_max: f64, utilization: f64| {
        let rule = auto::rule(late_share_max);
        let way = |(candidate, alone)| choose::Candidate {
            publish: Box::new(publish(load, ground, candidate, utilization)),
            hold_steps: ground.hold_syncs(candidate),
            record: ground.record(candidate, alone),
        };
        let mut ways: Vec<_> = all.iter().zip(&alone).map(way).collect();
        choose::forward(setting, &mut workload.clone(), &mut ways, &rule).unwrap().run
    };
    let since = WARM_UP / SEASON;
    let scaled = |(objective, name): (f64, &str)| {
        let utilizations = UTILIZATIONS.into_iter().step_by(size.thinned);
        row(name.to_owned(), utilizations.map(|it| (it, forward(objective, it))), since, 1.0)
    };
    let mut rows: Vec<Row> = OBJECTIVES.into_iter().map(scaled).collect();
    let swept = SWEPT.into_iter().step_by(size.thinned).map(|it| (it, forward(it, 1.0)));
    rows.push(row("auto, latePercent swept".to_owned(), swept, since, 1.0));
    rows
}

fn first() -> Candidate {
    let Chosen { model, quantile, headroom, down_window } = Chosen::default();
    let place = QUANTILES.iter().position(|it| it.total_cmp(&quantile).is_eq()).unwrap();
    candidates::candidate(model, quantile, headroom, down_window, place)
}

/// What the product publishes: the newest sample raises the forecast of the last whole minute.
fn publish<'l>(
    load: &'l Load,
    ground: &'l Ground,
    candidate: &'l Candidate,
    utilization: f64,
) -> impl FnMut(usize, &Seen) -> Option<f64> + 'l {
    move |sync, seen| {
        let minute = (sync / SYNCS_PER_STEP).checked_sub(1)?;
        let observed = (load.minutes[minute], load.newest(sync));
        let value = candidate.value_since(ground.foretold(), minute, observed);
        Some((value + seen.backlog / DRAIN_SECONDS) / utilization)
    }
}
