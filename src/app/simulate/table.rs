//! The figures of a simulation as rows of text, for a terminal and for a page.

use super::facts::shown_wait;
use crate::replay::comparison::{Comparison, LATE_SHARES, Way};
use crate::replay::scenario::Scenario;
use crate::simulate::judge::Totals;

/// A table whose first column holds names and whose others hold figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// The heads of the columns.
    pub heads: Vec<String>,
    /// The rows, as long as the heads.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// The lines of the table: names to the left, figures to the right.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let widths: Vec<usize> = (0..self.heads.len())
            .map(|column| {
                let cells = std::iter::once(&self.heads).chain(&self.rows);
                let lengths = cells.filter_map(|it| it.get(column)).map(|it| it.chars().count());
                lengths.fold(0, usize::max)
            })
            .collect();
        std::iter::once(&self.heads).chain(&self.rows).map(|row| line(row, &widths)).collect()
    }
}

fn line(row: &[String], widths: &[usize]) -> String {
    let mut line = String::new();
    for (place, (cell, width)) in row.iter().zip(widths).enumerate() {
        if place == 0 {
            line.push_str(&format!("{cell:<width$}"));
        } else {
            line.push_str(&format!("   {cell:>width$}"));
        }
    }
    line.trim_end().to_owned()
}

/// How a way is called.
pub(super) fn name(way: Way) -> String {
    match way {
        Way::Policy => "policy".to_owned(),
        Way::Reactive(seconds) => format!("plain HPA, {seconds} s window"),
        Way::Clairvoyant => "clairvoyant".to_owned(),
    }
}

pub(super) fn scores(scenario: &Scenario, comparison: &Comparison, gpus: u32) -> Table {
    let heads =
        ["", "late %", "GPU-hours", "vs clairvoyant", "vs optimum", "scalings/day", "longest wait"];
    let ratio = |cost: f64, base: f64| {
        if base > 0.0 { format!("{:.3}", cost / base) } else { "-".to_owned() }
    };
    let clairvoyant = clairvoyant(comparison);
    let optimum = comparison.optimum_seconds;
    let row = |name: String, totals: &Totals| {
        vec![
            name,
            format!("{:.2}", totals.late_share() * 100.0),
            hours(totals.pod_seconds, gpus),
            ratio(totals.pod_seconds, clairvoyant),
            ratio(totals.pod_seconds, optimum),
            format!("{:.0}", per_day(scenario, totals.scale_events)),
            shown_wait(totals.wait_seconds),
        ]
    };
    let mut rows: Vec<Vec<String>> =
        comparison.scored.iter().map(|it| row(name(it.way), &it.totals)).collect();
    let best = Totals { pod_seconds: optimum, ..Totals::default() };
    let mut best = row("offline optimum".to_owned(), &best);
    best.truncate(5);
    best.extend(["-".to_owned(), "-".to_owned()]);
    rows.push(best);
    Table { heads: heads.map(str::to_owned).to_vec(), rows }
}

pub(super) fn frontier(comparison: &Comparison, gpus: u32) -> Option<Table> {
    if comparison.swept.is_empty() {
        return None;
    }
    let mut heads = vec![String::new()];
    for share in LATE_SHARES {
        heads.push(format!("GPU-hours at {} % late", share * 100.0));
        heads.extend(["vs clairvoyant".to_owned(), "vs optimum".to_owned()]);
    }
    let (clairvoyant, optimum) = (clairvoyant(comparison), comparison.optimum_seconds);
    let rows = comparison.swept.iter().map(|swept| {
        let mut row = vec![name(swept.way)];
        for share in LATE_SHARES {
            row.extend(match swept.frontier.cost_at(share) {
                Some(cost) => [
                    hours(cost, gpus),
                    format!("{:.3}", cost / clairvoyant),
                    format!("{:.3}", cost / optimum),
                ],
                None => ["not reached".to_owned(), "-".to_owned(), "-".to_owned()],
            });
        }
        row
    });
    Some(Table { rows: rows.collect(), heads })
}

/// The pod-seconds of the clairvoyant.
pub(super) fn clairvoyant(comparison: &Comparison) -> f64 {
    let found = comparison.scored.iter().find(|it| it.way == Way::Clairvoyant);
    found.map_or(0.0, |it| it.totals.pod_seconds)
}

/// Changes of the replica count per day of the score.
pub(super) fn per_day(scenario: &Scenario, events: u32) -> f64 {
    let steps = scenario.load.end.saturating_sub(scenario.score.first_step());
    let days = steps as f64 * scenario.load.step.as_secs_f64() / 86_400.0;
    if days > 0.0 { f64::from(events) / days } else { 0.0 }
}

pub(super) fn gpu_hours(pod_seconds: f64, gpus: u32) -> f64 {
    pod_seconds / 3_600.0 * f64::from(gpus)
}

fn hours(pod_seconds: f64, gpus: u32) -> String {
    format!("{:.1}", gpu_hours(pod_seconds, gpus))
}
