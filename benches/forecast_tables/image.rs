//! Requests one by one: sixty populations like the recorded one, in hindsight.
//!
//! The published value is the greater of the requests in service over the last sync and the
//! forecast of the last whole minute, raised by what they rose since, plus the work that waits as
//! it is worked off in a minute or half of one.

use crate::hindsight::{Row, UTILIZATIONS, row, with_window};
use crate::medians::{against, distinct, figure, print_head, print_row};
use crate::replay::Forecasts;
use crate::series::{DAY, MAX_WAIT, STEP, SYNC, TARGET, newest, steps_ahead};
use crate::{Size, image_auto, work};
use foresail::forecast::past::{SEASON, Steps};
use foresail::pipeline::forecast::{Given, rise};
use foresail::simulate::auto::foretold::QUANTILES;
use foresail::simulate::auto::{Ground, Question, SYNCS_PER_STEP, WARM_UP};
use foresail::simulate::hpa::metric::{MetricSpec, TotalTarget};
use foresail::simulate::hpa::{ControllerSettings, HpaSpec};
use foresail::simulate::judge::lead_time::LeadTime;
use foresail::simulate::judge::oracle::foresight;
use foresail::simulate::judge::recorded::{Offered, Request, superpose};
use foresail::simulate::judge::requests::{RequestSettings, Requests};
use foresail::simulate::judge::{Run, Seen, Setting, run};
use serde::Serialize;
use std::time::Duration;

const COPIES: u32 = 60;
const DEVIATION: Duration = Duration::from_secs(300);
const SEED: u64 = 1;
const MAX_REPLICAS: i32 = 500;
/// In how many seconds the waiting work is to be worked off.
const DRAIN_SECONDS: [f64; 2] = [60.0, 30.0];
/// What `auto` should reach, by lead time in seconds.
const TARGETS: [(u64, f64); 3] = [(60, 1.12), (180, 1.27), (300, 1.43)];
/// The methods that are compared with that.
const HEADLINES: [&str; 4] =
    ["auto", "auto, latePercent 1", "auto, latePercent swept", "residualAnalog + backlog / 60 s"];
/// How many more scale events than plain reactive.
const EVENTS_MAX: f64 = 1.1;

/// A method at a lead time.
#[derive(Debug, Serialize)]
pub(crate) struct Result {
    pub(crate) lead_seconds: u64,
    pub(crate) row: Row,
}

/// The load, and what is known of it.
#[derive(Debug)]
pub(crate) struct Load {
    requests: Vec<Request>,
    offered: Offered,
    /// Requests in service, in the mean over each minute.
    pub(crate) minutes: Vec<f64>,
}

impl Load {
    /// Requests in service over the sync before this one.
    pub(crate) fn newest(&self, sync: usize) -> f64 {
        self.offered.mean[sync - 1]
    }
}

/// Judges every method at every lead time.
pub(crate) fn judge(trace: &[Request], leads: &[Duration], size: Size) -> Vec<Result> {
    let requests = superpose(trace, COPIES, DEVIATION, SEED);
    let last = requests.iter().map(|it| it.arrival).fold(0.0, |a, b| if b > a { b } else { a });
    let days = (1..).find(|days| f64::from(*days) * 86_400.0 > last).unwrap_or(1);
    let syncs = usize::try_from(days).unwrap() * DAY;
    let offered = Offered::of(&requests, SYNC, syncs).unwrap();
    let minutes = offered.mean.chunks(SYNCS_PER_STEP).map(|it| it.iter().sum::<f64>() / 4.0);
    let load = Load { minutes: minutes.collect(), requests, offered };
    let forecasts = work::each("image forecasts", leads, |lead| {
        let steps = Steps::new(&load.minutes, newest(load.minutes.len()));
        let ground = Ground::new(&question(steps, *lead)).unwrap();
        (ground, Forecasts::replay(steps, steps_ahead(*lead), size))
    });
    let items: Vec<_> = leads.iter().zip(&forecasts).collect();
    let rows = work::each("image", &items, |(lead, (ground, forecasts))| {
        rows(&load, **lead, ground, forecasts, size)
    });
    let leads = leads.iter().map(Duration::as_secs);
    let all = leads.zip(rows).flat_map(|(lead_seconds, rows)| {
        rows.into_iter().map(move |row| Result { lead_seconds, row })
    });
    all.collect()
}

/// What the product asks itself.
fn question(steps: Steps<'_>, lead: Duration) -> Question<'_> {
    Question {
        steps,
        step: STEP,
        horizon: steps_ahead(lead),
        lead_time: lead,
        pod_capacity: Some(1.0),
        max_wait: MAX_WAIT,
        late_share: TARGET,
        drain: Some(STEP),
        down_stabilization: None,
        given: Given::default(),
    }
}

fn rows(
    load: &Load,
    lead: Duration,
    ground: &Ground,
    forecasts: &Forecasts,
    size: Size,
) -> Vec<Row> {
    let setting = setting(load.offered.mean.len());
    let settings = RequestSettings {
        concurrency: 1,
        lead_time: LeadTime::Fixed(lead),
        slo: MAX_WAIT,
        step: SYNC,
    };
    let workload = Requests::new(&load.requests, &load.offered, settings).unwrap();
    let since = WARM_UP / SEASON;
    let ahead = u32::try_from(lead.as_nanos().div_ceil(SYNC.as_nanos())).unwrap() + 2;
    let known = foresight(&load.offered.mean, ahead);
    let sharp = setting.without_tolerance();
    let utilizations = || UTILIZATIONS.into_iter().step_by(size.thinned);
    let swept = |method: &str, setting: &Setting, value: &dyn Fn(usize, &Seen) -> f64| {
        let runs = utilizations().map(|utilization| {
            let publish = |sync: usize, seen: &Seen| Some(value(sync, seen) / utilization);
            (utilization, run(setting, &mut workload.clone(), publish).unwrap())
        });
        row(method.to_owned(), runs, since, 1.0)
    };
    let minute = |sync: usize| load.offered.mean[sync - 4..sync].iter().sum::<f64>() / 4.0;
    let longer = with_window(&setting, 1_800);
    let mut rows = vec![
        swept("clairvoyant", &sharp, &|sync, _| known[sync]),
        swept("reactive", &setting, &|sync, _| minute(sync)),
        swept("reactive, 1800 s", &longer, &|sync, _| minute(sync)),
    ];
    for drain in DRAIN_SECONDS {
        rows.push(swept(&format!("reactive + backlog / {drain} s"), &setting, &|sync, seen| {
            minute(sync) + seen.backlog / drain
        }));
    }
    let models = forecasts.models().flat_map(|model| DRAIN_SECONDS.map(|drain| (model, drain)));
    for (model, drain) in models {
        let runs = (0..QUANTILES.len()).step_by(size.thinned).map(|quantile| {
            let publish = |sync: usize, seen: &Seen| {
                let observed = load.newest(sync);
                let place = (sync / SYNCS_PER_STEP).checked_sub(1)?;
                let peak = forecasts.peak(ground.foretold(), model, place, quantile);
                let peak = peak.map(|it| it + rise(load.minutes[place], observed));
                let value = peak.filter(|it| *it > observed).unwrap_or(observed);
                Some(value + seen.backlog / drain)
            };
            let run: Run = run(&setting, &mut workload.clone(), publish).unwrap();
            (QUANTILES[quantile], run)
        });
        rows.push(row(format!("{} + backlog / {drain} s", model.name()), runs, since, 1.0));
    }
    rows.extend(image_auto::rows(load, &setting, &workload, ground, size));
    let clairvoyant = rows[0].at_one.unwrap_or(f64::NAN);
    for row in &mut rows {
        row.at_one = row.at_one.map(|it| it / clairvoyant);
        row.at_half = row.at_half.map(|it| it / clairvoyant);
    }
    rows
}

fn setting(syncs: usize) -> Setting {
    Setting {
        hpa: HpaSpec {
            min_replicas: Some(1),
            max_replicas: MAX_REPLICAS,
            metrics: vec![MetricSpec::External { target: TotalTarget::AverageValue(1_000) }],
            behavior: None,
        },
        controller: ControllerSettings::default(),
        step: SYNC,
        steps_per_day: DAY,
        steps: WARM_UP * SYNCS_PER_STEP..syncs,
    }
}

/// Prints the table.
pub(crate) fn report(results: &[Result]) {
    println!("\n## Image requests x60, in hindsight: GPU-hours relative to the clairvoyant\n");
    println!("At most 1 % of the requests late (in brackets 0.5 %), then scale events per day.\n");
    let leads = distinct(results.iter().map(|it| it.lead_seconds));
    let columns = leads.iter().map(|lead| format!("{lead} s"));
    print_head(&std::iter::once("method".to_owned()).chain(columns).collect::<Vec<_>>());
    let of = |lead: u64, method: &str| {
        let is_it = |it: &&Result| it.lead_seconds == lead && it.row.method == method;
        results.iter().find(is_it).map(|it| &it.row)
    };
    for method in distinct(results.iter().map(|it| it.row.method.as_str())) {
        let cells = leads.iter().filter_map(|lead| of(*lead, method)).map(|row| {
            let or_none = |value: Option<f64>| figure(value.unwrap_or(f64::NAN));
            let events = row.events.unwrap_or(f64::NAN);
            format!("{} ({}) {events:.0}", or_none(row.at_one), or_none(row.at_half))
        });
        print_row(std::iter::once(method.to_owned()).chain(cells));
    }
    println!();
    for lead in leads {
        let target = TARGETS.iter().find(|it| it.0 == lead).map(|it| it.1);
        let Some(reactive) = of(lead, "reactive").and_then(|it| it.events) else { continue };
        for method in HEADLINES {
            let Some(row) = of(lead, method) else { continue };
            let events = row.events.map_or(f64::NAN, |it| it / reactive);
            println!(
                "- {lead} s: {method} {}; scale events relative to reactive's {}",
                against(row.at_one.unwrap_or(f64::INFINITY), target),
                against(events, Some(EVENTS_MAX))
            );
        }
    }
}
