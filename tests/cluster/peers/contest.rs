//! One server after the other through the same contest.

use std::thread;
use std::time::Duration;

use crate::bed::Bed;
use crate::bed::wait::{poll, wait_until};

use super::fleet::Kind;
use super::load::Load;
use super::pace::{Pace, SYNC};
use super::row::{Mix, Row, Saturated};
use super::server::{Ask, Server};
use super::usage::{Behind, Resident, cpu};

/// Until a server has listed its metrics, and has met each External and Object metric once.
const READY_DEADLINE: Duration = Duration::from_secs(120);

/// Measures a server that has just been started.
pub(crate) fn held(bed: &Bed, server: &Server, pace: &Pace) -> Row {
    let load = |asks: &[Ask]| {
        wait_until(READY_DEADLINE, "the server takes connections", || {
            Load::new(&bed.certificates, server.port, asks)
        })
    };
    let mix = load(&server.asks);
    wait_answers(&mix, &server.asks);
    let saturated = Kind::ALL.map(|kind| {
        let of_kind: Vec<Ask> = server.asks.iter().filter(|it| it.kind == kind).cloned().collect();
        (!of_kind.is_empty()).then(|| saturate(&load(&of_kind), server, pace.saturated))
    });
    mix.steady(pace.warm_up);
    let mix = measure(bed, &mix, server, pace.mix);
    let begin = cpu(&server.pids);
    thread::sleep(pace.idle);
    let idle_cpu = per_second(cpu(&server.pids) - begin, pace.idle);
    Row { name: server.name, saturated, mix, idle_cpu, resident: Resident::of(&server.pids) }
}

/// Waits until each Object and External metric is answered, and one Pods metric: some servers need a LIST
/// for each request of these, of which they do five a second.
fn wait_answers(load: &Load, asks: &[Ask]) {
    let first_pods = asks.iter().position(|ask| ask.kind == Kind::Pods);
    let others = asks.iter().enumerate().filter(|(_, ask)| ask.kind != Kind::Pods);
    for idx in first_pods.into_iter().chain(others.map(|(idx, _)| idx)) {
        let answered = poll(READY_DEADLINE, || load.once(idx));
        if let Err(why) = answered {
            panic!("no answer within {READY_DEADLINE:?} to {}: {why}", asks[idx].path);
        }
    }
}

fn saturate(load: &Load, server: &Server, time: Duration) -> Saturated {
    let begin = cpu(&server.pids);
    let outcome = load.saturated(time);
    let spent = cpu(&server.pids) - begin;
    let cpu = spent.as_secs_f64() * 1e3 / outcome.answered.len() as f64;
    Saturated { outcome, cpu }
}

fn measure(bed: &Bed, load: &Load, server: &Server, time: Duration) -> Mix {
    let (behind, begin) = (Behind::read(bed), cpu(&server.pids));
    let outcome = load.steady(time);
    let spent = cpu(&server.pids) - begin;
    let since = Behind::read(bed);
    let intervals = outcome.elapsed.as_secs_f64() / SYNC.as_secs_f64();
    Mix {
        cpu: per_second(spent, outcome.elapsed),
        outcome,
        upstream: (since.queries - behind.queries) / intervals,
        lists: (since.lists - behind.lists) / intervals,
        reviews: (since.reviews - behind.reviews) / intervals,
    }
}

/// Milliseconds of processor time in each second.
fn per_second(spent: Duration, time: Duration) -> f64 {
    spent.as_secs_f64() * 1e3 / time.as_secs_f64()
}
