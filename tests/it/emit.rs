//! What the HPA makes of published replicas: the README's table of steps that are within its reach.
#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use crate::support::adapter::repository;
use foresail::domain::finite::Finite;
use foresail::domain::limits;
use foresail::pipeline::emit::replicas;
use foresail::simulate::hpa::tolerance::Tolerances;
use foresail::simulate::hpa::total::Total;
use std::fs;
use std::ops::RangeInclusive;

/// How many replicas the HPA wants where there are `now` and `wanted` are asked for.
fn reached(now: i32, wanted: i32, is_known: bool) -> i32 {
    let known = is_known.then(|| u32::try_from(now).unwrap());
    let one = Finite::new(1.0).unwrap();
    let published = replicas(Finite::new(f64::from(wanted)).unwrap(), one, known).unwrap();
    #[expect(clippy::cast_possible_truncation, reason = "a few thousand")]
    let milli = (published.get() * 1_000.0).round() as i64;
    let total = Total {
        spec_replicas: now,
        status_replicas: now,
        pods: &[],
        tolerances: Tolerances::both(limits::HPA_TOLERANCE_DEFAULT),
    };
    total.average_value(milli, 1_000).replicas
}

/// The smallest step in this direction that the HPA takes; every larger one is taken as well.
fn smallest(now: i32, direction: i32, is_known: bool) -> i32 {
    let takes =
        |step: i32| reached(now, now + direction * step, is_known) == now + direction * step;
    let most = if direction < 0 { now } else { 2 * now };
    let first = (1..=most).find(|step| takes(*step)).unwrap();
    assert!((first..=most).all(takes), "{now} replicas, {direction}");
    assert!((0..first).all(|it| reached(now, now + direction * it, is_known) == now));
    direction * first
}

/// The README's table: replicas, and the smallest steps up, down, and down unknown.
fn promised() -> Vec<(RangeInclusive<i32>, [i32; 3])> {
    let readme = fs::read_to_string(repository("README.md")).unwrap();
    let (_, rest) = readme.split_once("<!-- reach -->").unwrap();
    let (table, _) = rest.split_once("<!-- /reach -->").unwrap();
    let rows = table.lines().filter_map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [_, replicas, up, down, unknown, _] = cells.as_slice() else { return None };
        let (from, to) = replicas.split_once(" to ")?;
        let step = |text: &str| text.replace('−', "-").parse::<i32>().unwrap();
        let range = from.parse().unwrap()..=to.parse().unwrap();
        Some((range, [step(up), step(down), step(unknown)]))
    });
    rows.collect()
}

#[test]
fn the_readmes_table_says_which_steps_the_hpa_takes() {
    let promised = promised();
    assert!(promised.len() >= 4, "{promised:?}");
    for (range, steps) in promised {
        for now in range {
            let found = [smallest(now, 1, true), smallest(now, -1, true), smallest(now, -1, false)];
            assert_eq!(found, steps, "{now} replicas");
        }
    }
}

#[test]
fn a_demand_is_overlooked_within_ten_percent_of_what_the_replicas_serve() {
    // Target 8: 20 replicas serve 160.
    for (demand, expected) in [(145, 20), (143, 18), (175, 20), (177, 23), (80, 10)] {
        let total = Total {
            spec_replicas: 20,
            status_replicas: 20,
            pods: &[],
            tolerances: Tolerances::both(limits::HPA_TOLERANCE_DEFAULT),
        };
        let found = total.average_value(demand * 1_000, 8_000).replicas;
        assert_eq!(found, expected, "{demand}");
    }
}
