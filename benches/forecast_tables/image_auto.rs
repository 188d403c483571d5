//! `auto` over requests one by one: chosen every midnight as the product does, by the simulation of
//! the minutes observed until then, and what it published multiplied by a headroom.

use crate::Size;
use crate::hindsight::{Row, UTILIZATIONS, row};
use crate::image::Load;
use crate::series::STEP;
use foresail::forecast::past::SEASON;
use foresail::pipeline::forecast::{Chosen, Given};
use foresail::simulate::auto::candidates::{self, Candidate};
use foresail::simulate::auto::foretold::QUANTILES;
use foresail::simulate::auto::{DECAY, Ground, SYNCS_PER_STEP, WARM_UP};
use foresail::simulate::judge::choose::{self, Rule};
use foresail::simulate::judge::requests::Requests;
use foresail::simulate::judge::{Run, Seen, Setting};

/// The shares of late work that a policy aims at: the default, and the table's own.
const OBJECTIVES: [(f64, &str); 2] = [(0.005, "auto"), (0.01, "auto, latePercent 1")];

/// In how many seconds what waits is published to be worked off.
const DRAIN_SECONDS: f64 = 60.0;

/// One row for each objective.
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
    let row = |(late_share_max, name): (f64, &str)| {
        let rule = Rule { late_share_max, decay: DECAY };
        let runs = UTILIZATIONS.into_iter().step_by(size.thinned).map(|utilization| {
            let way = |(candidate, alone)| choose::Candidate {
                publish: Box::new(publish(load, ground, candidate, utilization)),
                hold_steps: ground.hold_syncs(candidate),
                alone,
            };
            let mut ways: Vec<_> = all.iter().zip(&alone).map(way).collect();
            let run = choose::forward(setting, &mut workload.clone(), &mut ways, &rule);
            (utilization, run.unwrap().run)
        });
        row(name.to_owned(), runs, WARM_UP / SEASON, 1.0)
    };
    OBJECTIVES.into_iter().map(row).collect()
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
