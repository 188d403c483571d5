//! From the wanted lines of one pod's page to what a signal reads of them.

use crate::domain::finite::Finite;
use crate::domain::limits;
use crate::domain::name::ObjectName;
use crate::policy::pods::{PodReduce, PodValue, PodsAsk};
use crate::source::ReadError;
use crate::source::pods::ledger::{Count, Increase, Ledger, TooMany};
use crate::source::pods::quantile::{self, Buckets};
use crate::source::scrape::exposition::sieve::Page;
use crate::source::scrape::exposition::{Format, Line, line_of};
use jiff::Timestamp;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::time::Duration;

/// What one pod says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reading {
    /// When it was true.
    pub(super) at: Timestamp,
    pub(super) said: Said,
}

/// What a signal reads of one pod.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Said {
    /// A number.
    Number(Finite),
    /// What its histogram observed lately.
    Observed(Observed),
}

/// What a histogram observed lately.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Observed {
    /// The sum of the observations, and how many there were.
    Mean { sum: f64, count: f64 },
    /// By bucket.
    Buckets(Buckets),
}

/// Why a pod says nothing.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Silence {
    /// It could not be read, or what was read is no number.
    Failed(ReadError),
    /// It was read for the first time, and what it counts has no beginning yet.
    New,
}

/// A pod, with what it says.
pub(super) type PodReading = (ObjectName, Result<Reading, Silence>);

/// The lines of one series, or of the series of one histogram.
struct Lines<'p> {
    lines: Vec<Line<'p>>,
    at: Timestamp,
}

/// Reads the lines that `ask` is about; counters are remembered in `ledger`.
pub(super) fn read(
    (page, format): (&Page, Format),
    ask: &PodsAsk,
    at: Timestamp,
    ledger: &mut Ledger,
) -> Result<Reading, Silence> {
    let lines = Lines::of(page, format, ask, at).map_err(Silence::Failed)?;
    let said = match ask.value {
        PodValue::Gauge => Said::Number(lines.gauge(ask).map_err(Silence::Failed)?),
        PodValue::Rate(lately) => {
            let is_sum = ask.within == PodReduce::Sum;
            let group = |line: &Line<'_>| if is_sum { 0 } else { series_of(line) };
            let increase = lines.increase(ask, at, ledger, lately.window, group)?;
            let rates = increase.by_group.iter().map(|(_, it)| Finite::new(it / increase.seconds));
            let rates: Option<Vec<Finite>> = rates.collect();
            let number = rates.and_then(|it| reduced(ask.within, &it));
            Said::Number(number.ok_or_else(|| Silence::Failed(absent(ask)))?)
        }
        PodValue::Mean(lately) => {
            let is_count = |line: &Line<'_>| u64::from(line.name.ends_with("_count"));
            let increase = lines.increase(ask, at, ledger, lately.window, is_count)?;
            let of = |group| increase.by_group.iter().find(|(it, _)| *it == group);
            let (Some((_, sum)), Some((_, count))) = (of(0), of(1)) else {
                return Err(Silence::Failed(absent(ask)));
            };
            Said::Observed(Observed::Mean { sum: *sum, count: *count })
        }
        PodValue::Quantile(_, lately) => {
            let bound = |line: &Line<'_>| bound(line).to_bits();
            let increase = lines.increase(ask, at, ledger, lately.window, bound)?;
            let counted = increase.by_group.iter();
            let buckets = counted.map(|(bits, count)| (f64::from_bits(*bits), *count)).collect();
            let buckets = Buckets::new(buckets).ok_or_else(|| {
                let problem = format!("{} has no bucket without bound", ask.series.name());
                Silence::Failed(ReadError::Empty(problem))
            })?;
            Said::Observed(Observed::Buckets(buckets))
        }
    };
    Ok(Reading { at: lines.at, said })
}

impl<'p> Lines<'p> {
    fn of(page: &'p Page, format: Format, ask: &PodsAsk, at: Timestamp) -> Result<Self, ReadError> {
        let names: Vec<String> = ask.names().collect();
        let mut found = Self { lines: Vec::new(), at };
        for written in page.lines.split(|byte| *byte == b'\n') {
            match line_of(written, format) {
                Some(Ok(line)) if names.iter().any(|it| *it == line.name) => {
                    if ask.series.matches_by(|name| line.label(name)) {
                        let own = line.millis.and_then(|it| Timestamp::from_millisecond(it).ok());
                        found.at = own.unwrap_or(at).min(found.at);
                        found.lines.push(line);
                    }
                }
                // A part of a sum that cannot be read makes the whole unknown.
                Some(Err(_)) if names.iter().any(|it| written.starts_with(it.as_bytes())) => {
                    let problem = format!("a line of {} is malformed", ask.series.name());
                    return Err(ReadError::NotUnderstood(problem));
                }
                Some(_) | None => {}
            }
        }
        if found.lines.is_empty() { Err(absent(ask)) } else { Ok(found) }
    }

    fn gauge(&self, ask: &PodsAsk) -> Result<Finite, ReadError> {
        let values = self.lines.iter().map(|line| number(line, ask));
        let values = values.collect::<Result<Vec<Finite>, ReadError>>()?;
        reduced(ask.within, &values).ok_or_else(|| absent(ask))
    }

    fn increase(
        &self,
        ask: &PodsAsk,
        at: Timestamp,
        ledger: &mut Ledger,
        window: Duration,
        group: impl Fn(&Line<'_>) -> u64,
    ) -> Result<Increase, Silence> {
        let counts = self.lines.iter().map(|line| {
            let value = number(line, ask)?.get();
            Ok(Count { series: series_of(line), group: group(line), value })
        });
        let counts = counts.collect::<Result<Vec<Count>, ReadError>>().map_err(Silence::Failed)?;
        ledger.take(at, &counts, window).map_err(|TooMany| {
            let most = limits::pods::COUNTERS_MAX;
            Silence::Failed(ReadError::TooLarge(most, "counters of one pod"))
        })?;
        ledger.increase().ok_or(Silence::New)
    }
}

/// The value of a line that is a measurement.
fn number(line: &Line<'_>, ask: &PodsAsk) -> Result<Finite, ReadError> {
    let measured = Finite::new(line.value)
        .filter(|it| !it.is_negative() && it.get() < limits::pods::BLANK_VALUE_MIN);
    measured.ok_or_else(|| {
        let problem = "is NaN, an infinity, a negative number or a blank on the page";
        ReadError::Empty(format!("{} {problem}", ask.series.text()))
    })
}

fn absent(ask: &PodsAsk) -> ReadError {
    ReadError::Empty(format!("{} is not on the page", ask.series.text()))
}

/// Tells the series of one page apart. Two with the same number are as likely as a broken disk,
/// and then two counters of one pod are mixed up.
fn series_of(line: &Line<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    line.name.hash(&mut hasher);
    line.written_labels().hash(&mut hasher);
    hasher.finish()
}

/// The upper bound of a bucket; one that cannot be read is as good as none.
fn bound(line: &Line<'_>) -> f64 {
    line.label("le").and_then(|it| it.parse().ok()).unwrap_or(f64::INFINITY)
}

/// One number from several; `None` from none.
pub(super) fn reduced(reduce: PodReduce, values: &[Finite]) -> Option<Finite> {
    let sum = || values.iter().map(|it| it.get()).sum::<f64>();
    #[expect(clippy::cast_precision_loss, reason = "there are fewer values than 2^52")]
    let count = values.len() as f64;
    match reduce {
        _ if values.is_empty() => None,
        PodReduce::Sum => Finite::new(sum()),
        PodReduce::Avg => Finite::new(sum() / count),
        PodReduce::Max => values.iter().max().copied(),
        PodReduce::Min => values.iter().min().copied(),
        PodReduce::Quantile(at) => quantile::of_values(at, values),
    }
}

#[cfg(test)]
mod tests;
