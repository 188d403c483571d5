//! Series of known kinds, made from a seed: what a forecast can and cannot foresee.

use crate::series::Series;
use foresail::forecast::past::SEASON;
use foresail::simulate::judge::recorded::Request;
use foresail::simulate::random::Random;
use std::f64::consts::TAU;

/// How many days each series has.
pub(crate) const DAYS: usize = 8;
const SEED: u64 = 11;
/// Requests a minute in the mean, where counts are drawn.
const COUNT: f64 = 600.0;

/// All of them.
pub(crate) fn all(days: usize) -> Vec<Series> {
    let minutes = days * SEASON;
    let half = minutes / 2;
    let shapes: [(&str, &dyn Fn(usize) -> f64); 9] = [
        ("constant", &|_| 1.0),
        ("daily", &|minute| daily(minute, 0.6)),
        ("hourly pulse", &|minute| if minute % 60 < 5 { 2.0 } else { 1.0 }),
        ("step x2", &|minute| if minute % SEASON >= SEASON / 2 { 2.0 } else { 1.0 }),
        ("ramp 10 %/min", &ramp),
        ("spikes x4", &|minute| if is_spike(minute) { 4.0 } else { 1.0 }),
        ("phase shift", &|minute| daily(minute + if minute > half { 60 } else { 0 }, 0.6)),
        ("weekend", &|minute| {
            daily(minute, 0.6) * if minute / SEASON % 7 >= 5 { 0.5 } else { 1.0 }
        }),
        ("level shift", &|minute| daily(minute, 0.6) * if minute > half { 1.8 } else { 1.0 }),
    ];
    let mut all: Vec<Series> = shapes
        .iter()
        .zip(0_u64..)
        .map(|((name, shape), place)| Series::recorded(name, counted(minutes, place, *shape)))
        .collect();
    all.push(dead_scrape(minutes));
    all
}

/// Requests over so many days with a daily rhythm, as a trace would record them.
pub(crate) fn requests(days: u32) -> Vec<Request> {
    let mut random = Random::keyed(SEED, 1, 0);
    let mut requests = Vec::new();
    for minute in 0..days * 1_440 {
        let rate = 0.3 * daily(usize::try_from(minute).unwrap(), 0.6);
        for _ in 0..random.poisson(rate) {
            let arrival = (f64::from(minute) + random.uniform()) * 60.0;
            requests.push(Request { arrival, service: 30.0 * (0.5 * random.normal()).exp() });
        }
    }
    requests.sort_by(|a, b| a.arrival.total_cmp(&b.arrival));
    requests
}

/// Counts with this rate, with some noise of the rate itself.
fn counted(minutes: usize, place: u64, shape: &dyn Fn(usize) -> f64) -> Vec<f64> {
    let mut random = Random::keyed(SEED, 0, place);
    let mut wander = 0.0;
    let count = |minute| {
        wander = 0.95 * wander + 0.01 * random.normal();
        random.poisson(COUNT * shape(minute) * f64::exp(wander)) as f64
    };
    (0..minutes).map(count).collect()
}

fn daily(minute: usize, amplitude: f64) -> f64 {
    1.0 - amplitude * ((minute % SEASON) as f64 / SEASON as f64 * TAU).cos()
}

/// Every eight hours at 10 % a minute to twice as much, and back.
fn ramp(minute: usize) -> f64 {
    match minute % 480 {
        into @ 0..10 => 1.0 + 0.1 * into as f64,
        10..120 => 2.0,
        into @ 120..130 => 2.0 - 0.1 * (into - 120) as f64,
        _ => 1.0,
    }
}

/// Five minutes at a time that cannot be foreseen, some four times a day.
fn is_spike(minute: usize) -> bool {
    let place = (minute / 5) as u64;
    Random::keyed(SEED, 2, place).uniform() < 4.0 / 288.0
}

/// A daily rhythm of which ten minutes in a row are not read, four times a day.
fn dead_scrape(minutes: usize) -> Series {
    let values = counted(minutes, 100, &|minute| daily(minute, 0.6));
    let is_dead = |minute: usize| (300..310).contains(&(minute % 360));
    let read = |(minute, value): (usize, &f64)| if is_dead(minute) { f64::NAN } else { *value };
    let known = values.iter().enumerate().map(read).collect();
    Series::with_gaps("dead scrape", values, known)
}
