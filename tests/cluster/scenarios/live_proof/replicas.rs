//! One of two replicas is killed in the middle, and comes to answer what the other one answers.

use std::collections::BTreeMap;
use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::service::Service;
use super::{AUTO, METRIC};
use crate::bed::Bed;
use crate::bed::adapter::Adapter;
use crate::bed::wait::{seen, wait_until};
use crate::stage::{foresail, metric};

/// Before the kill, after it, and how long both are compared.
const BEFORE: Duration = Duration::from_secs(60);
const ALONE: Duration = Duration::from_secs(10);
const COMPARED: Duration = Duration::from_secs(20);
const DEADLINE: Duration = Duration::from_secs(60);
/// Evaluations that have to be seen of both.
const COMPARED_MIN: usize = 15;
/// Evaluations of the restarted one that may differ: that before its history is whole, and the next.
const MAY_DIFFER: usize = 2;

/// What was seen.
#[derive(Debug)]
pub(super) struct Told {
    backfill: Duration,
    compared: usize,
    differing: usize,
}

impl fmt::Display for Told {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { backfill, compared, differing } = self;
        let seconds = backfill.as_secs_f64();
        write!(
            formatter,
            "one of two replicas was killed: started again it had its history after {seconds:.1} s and \
             then differed from the other at {differing} of the next {compared} evaluations"
        )
    }
}

/// Kills the first, lets the second serve alone, and starts another in its place.
#[track_caller]
pub(super) fn kill_and_restart(
    bed: &Bed,
    service: &Service,
    mut first: Adapter,
    second: &Adapter,
    text: &str,
) -> (Told, Adapter) {
    thread::sleep(BEFORE);
    first.process().kill();
    service.set(vec![second.secure_port()]);
    thread::sleep(ALONE);
    let begun = Instant::now();
    let again = bed.start_adapter(foresail(), text);
    wait_until(DEADLINE, "the history of the restarted replica is whole", || {
        let done = metric(&again, "foresail_backfill_chunks_total", &[]);
        let pending = metric(&again, "foresail_backfill_pending_chunks", &[]);
        seen(done > 0.0 && pending <= 0.0, format!("{done} done, {pending} pending"))
    });
    let backfill = begun.elapsed();
    service.set(vec![second.secure_port(), again.secure_port()]);
    let (compared, differing) = compare(second, &again);
    (Told { backfill, compared, differing }, again)
}

/// How many evaluations of both are known, and at how many they differ.
#[track_caller]
fn compare(one: &Adapter, other: &Adapter) -> (usize, usize) {
    thread::sleep(COMPARED);
    let [one, other] = [one, other].map(evaluations);
    // The last one is still under way.
    let last = one.keys().chain(other.keys()).max();
    let both = one.keys().filter(|at| other.contains_key(*at) && Some(*at) != last);
    let common: Vec<_> = both.collect();
    assert!(common.len() >= COMPARED_MIN, "{} evaluations seen of both", common.len());
    let differing: Vec<_> =
        common.iter().filter(|at| one[**at]["published"] != other[**at]["published"]).collect();
    for at in &differing {
        super::say(&format!("  at {at}: {}\n  and {}", one[**at], other[**at]));
    }
    let late: Vec<_> = differing.iter().filter(|at| !common[..MAY_DIFFER].contains(at)).collect();
    assert!(late.is_empty(), "after one interval both answer the same, but at {late:?}");
    (common.len(), differing.len())
}

/// What an adapter explains of its last evaluations, by the second that each belongs to.
#[track_caller]
fn evaluations(adapter: &Adapter) -> BTreeMap<i64, Value> {
    let path = format!("/debug/explain/{AUTO}/{METRIC}?last=60");
    let page = adapter.observe(&path).unwrap().json();
    let traces = page["policies"][0]["traces"].as_array().unwrap();
    let instant = |trace: &Value| trace["at"].as_str().unwrap().parse::<Timestamp>().unwrap();
    let mut traces: Vec<_> = traces.iter().map(|it| (instant(it), it)).collect();
    // A forecast that is made a moment after the evaluation belongs to it: the later trace counts.
    traces.sort_by_key(|(at, _)| *at);
    let known = traces.into_iter().map(|(at, trace)| {
        let path = &trace["paths"][0];
        let forecast = &trace["forecast"];
        let told = json!({
            "published": path["published"],
            "combined": path["combined"],
            "made": forecast["made"]["at"],
            "point": forecast["made"]["peak"]["point"],
            "rise": forecast["rise"],
            "verdict": forecast["verdict"],
            "decidedBy": forecast["decidedBy"],
        });
        (at.as_second(), told)
    });
    known.collect()
}
