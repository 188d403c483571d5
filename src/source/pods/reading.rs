//! From the wanted lines of one pod's page to what a signal reads of them.

use crate::domain::finite::Finite;
use crate::domain::limits;
use crate::domain::name::ObjectName;
use crate::policy::pods::{Joint, PodCandidate, PodPart, PodReduce, PodSeries, PodValue, PodsAsk};
use crate::source::ReadError;
use crate::source::pods::ledger::{Count, Increase, Ledger, TooMany};
use crate::source::pods::quantile::{self, Buckets};
use crate::source::scrape::exposition::sieve::Page;
use crate::source::scrape::exposition::{Format, Line, line_of};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::time::Duration;

/// What one pod says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reading {
    /// When it was true.
    pub(super) at: Timestamp,
    pub(super) said: Said,
    /// Which candidate told each part.
    pub(super) used: Box<[usize]>,
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
    /// There is nothing to divide by: nothing was done lately of which a mean could be told.
    Idle,
}

/// The counters of one pod, by the place of their series in what is asked.
pub(super) type Ledgers = BTreeMap<usize, Ledger>;

/// A pod, with what it says.
pub(super) type PodReading = (ObjectName, Result<Reading, Silence>);

/// The lines of one series, or of the series of one histogram.
struct Lines<'p> {
    lines: Vec<Line<'p>>,
    at: Timestamp,
}

/// Reads the lines that `ask` is about; counters are remembered in `ledgers`.
pub(super) fn read(
    (page, format): (&Page, Format),
    ask: &PodsAsk,
    at: Timestamp,
    ledgers: &mut Ledgers,
) -> Result<Reading, Silence> {
    let mut reader = Reader { page, format, at, oldest: at, ledgers, place: 0 };
    // All of them are read before anything is told: counters begin at their first page.
    let parts: Vec<Result<(usize, Said), Silence>> =
        ask.parts.iter().map(|it| reader.part(it)).collect();
    let parts = parts.into_iter().collect::<Result<Vec<_>, Silence>>()?;
    let (used, mut said): (Vec<usize>, Vec<Said>) = parts.into_iter().unzip();
    let at = reader.oldest;
    let said = match (said.pop(), said.is_empty()) {
        (Some(only), true) => only,
        (last, _) => Said::Number(sum(said.into_iter().chain(last))?),
    };
    Ok(Reading { at, said, used: used.into() })
}

/// What the parts are together.
fn sum(parts: impl Iterator<Item = Said>) -> Result<Finite, Silence> {
    let mut sum = 0.0;
    for part in parts {
        sum += part.number()?.get();
    }
    made(sum)
}

fn made(value: f64) -> Result<Finite, Silence> {
    let problem = "what the page says makes no number";
    Finite::new(value).ok_or_else(|| Silence::Failed(ReadError::Empty(problem.to_owned())))
}

impl Said {
    fn number(&self) -> Result<Finite, Silence> {
        match self {
            Self::Number(number) => Ok(*number),
            // What is observed is never combined: a profile that would is refused.
            Self::Observed(_) => made(f64::NAN),
        }
    }

    fn scaled(self, scale: Finite) -> Result<Self, Silence> {
        let scale = scale.get();
        Ok(match self {
            Self::Number(number) => Self::Number(made(number.get() * scale)?),
            Self::Observed(Observed::Mean { sum, count }) => {
                Self::Observed(Observed::Mean { sum: sum * scale, count })
            }
            Self::Observed(Observed::Buckets(buckets)) => {
                Self::Observed(Observed::Buckets(buckets.scaled(scale)))
            }
        })
    }
}

/// Reads one page.
struct Reader<'p, 'l> {
    page: &'p Page,
    format: Format,
    at: Timestamp,
    /// The time of the oldest line that was used.
    oldest: Timestamp,
    ledgers: &'l mut Ledgers,
    /// How many series came before, by which their ledgers are told apart.
    place: usize,
}

impl<'p> Reader<'p, '_> {
    /// The first candidate that is on the page, and what it says.
    fn part(&mut self, part: &PodPart) -> Result<(usize, Said), Silence> {
        let mut first = self.place;
        self.place += part.iter().map(|it| it.series().count()).sum::<usize>();
        for (index, candidate) in part.iter().enumerate() {
            let found = candidate.series().map(|it| self.lines(it));
            let found = found.collect::<Result<Option<Vec<Lines<'p>>>, ReadError>>();
            if let Some(lines) = found.map_err(Silence::Failed)? {
                return Ok((index, self.candidate(candidate, &lines, first)?));
            }
            first += candidate.series().count();
        }
        Err(Silence::Failed(absent(part)))
    }

    fn candidate(
        &mut self,
        candidate: &PodCandidate,
        lines: &[Lines<'_>],
        place: usize,
    ) -> Result<Said, Silence> {
        let mut said = Vec::with_capacity(lines.len());
        for (index, (series, lines)) in candidate.series().zip(lines).enumerate() {
            self.oldest = self.oldest.min(lines.at);
            let ledger = self.ledgers.entry(place + index).or_default();
            said.push(lines.read(series, self.at, ledger));
        }
        let mut said = said.into_iter().collect::<Result<Vec<Said>, Silence>>()?;
        let joint = candidate.other.as_ref().map(|(joint, _)| *joint);
        let said = match (joint, said.as_slice()) {
            (Some(joint), [first, second]) => {
                Said::Number(joined(joint, first.number()?.get(), second.number()?.get())?)
            }
            _ => said.pop().ok_or(Silence::New)?,
        };
        said.scaled(candidate.scale)
    }

    /// The lines of a series; `None` where the page has none.
    fn lines(&self, series: &PodSeries) -> Result<Option<Lines<'p>>, ReadError> {
        let page: &'p Page = self.page;
        let names: Vec<String> = series.names().collect();
        let selector = &series.series;
        let mut found = Lines { lines: Vec::new(), at: self.at };
        for written in page.lines.split(|byte| *byte == b'\n') {
            match line_of(written, self.format) {
                Some(Ok(line)) if names.iter().any(|it| *it == line.name) => {
                    if selector.matches_by(|name| line.label(name)) {
                        let own = line.millis.and_then(|it| Timestamp::from_millisecond(it).ok());
                        found.at = own.unwrap_or(self.at).min(found.at);
                        found.lines.push(line);
                    }
                }
                // A part of a sum that cannot be read makes the whole unknown.
                Some(Err(_)) if names.iter().any(|it| written.starts_with(it.as_bytes())) => {
                    let problem = format!("a line of {} is malformed", selector.name());
                    return Err(ReadError::NotUnderstood(problem));
                }
                Some(_) | None => {}
            }
        }
        Ok(Some(found).filter(|it| !it.lines.is_empty()))
    }
}

/// What is made of two numbers.
pub(super) fn joined(joint: Joint, first: f64, second: f64) -> Result<Finite, Silence> {
    made(match joint {
        Joint::Ratio if second <= 0.0 => return Err(Silence::Idle),
        Joint::Ratio => first / second,
        Joint::Product => first * second,
        Joint::Excess if first < second => 0.0,
        Joint::Excess => first - second,
    })
}

impl Lines<'_> {
    fn read(
        &self,
        series: &PodSeries,
        at: Timestamp,
        ledger: &mut Ledger,
    ) -> Result<Said, Silence> {
        let failed = || Silence::Failed(absent_series(series));
        Ok(match series.value {
            PodValue::Gauge => Said::Number(self.gauge(series).map_err(Silence::Failed)?),
            PodValue::Rate(lately) => {
                let adds_up = series.within == PodReduce::Sum && series.max_over.is_empty();
                let group = |line: &Line<'_>| if adds_up { 0 } else { series_of(line) };
                let increase = self.increase(series, (at, lately.window), ledger, group)?;
                let rates = increase.by_group.iter();
                let rates =
                    rates.map(|(group, it)| Some((*group, Finite::new(it / increase.seconds)?)));
                let rates = rates.collect::<Option<Vec<_>>>().ok_or_else(failed)?;
                let rates =
                    if series.max_over.is_empty() { rates } else { self.ranked(series, &rates) };
                Said::Number(of_groups(series, rates).ok_or_else(failed)?)
            }
            PodValue::Mean(lately) => {
                let is_count = |line: &Line<'_>| u64::from(line.name.ends_with("_count"));
                let increase = self.increase(series, (at, lately.window), ledger, is_count)?;
                let of = |group| increase.by_group.iter().find(|(it, _)| *it == group);
                let (Some((_, sum)), Some((_, count))) = (of(0), of(1)) else {
                    return Err(failed());
                };
                Said::Observed(Observed::Mean { sum: *sum, count: *count })
            }
            PodValue::Quantile(_, lately) => {
                let bound = |line: &Line<'_>| bound(line).to_bits();
                let increase = self.increase(series, (at, lately.window), ledger, bound)?;
                let counted = increase.by_group.iter();
                let buckets =
                    counted.map(|(bits, count)| (f64::from_bits(*bits), *count)).collect();
                let buckets = Buckets::new(buckets).ok_or_else(|| {
                    let problem = format!("{} has no bucket without bound", series.series.name());
                    Silence::Failed(ReadError::Empty(problem))
                })?;
                Said::Observed(Observed::Buckets(buckets))
            }
        })
    }

    fn gauge(&self, series: &PodSeries) -> Result<Finite, ReadError> {
        let values = self.lines.iter().map(|line| {
            let rank = if series.max_over.is_empty() { 0 } else { rank(line, series) };
            Ok((rank, number(line, series)?))
        });
        let values = values.collect::<Result<Vec<(u64, Finite)>, ReadError>>()?;
        of_groups(series, values).ok_or_else(|| absent_series(series))
    }

    /// What the series of the page rate, under what they have in common apart from their ranks.
    fn ranked(&self, series: &PodSeries, rates: &[(u64, Finite)]) -> Vec<(u64, Finite)> {
        let of = |line| rates.iter().find(|(it, _)| *it == series_of(line)).map(|(_, rate)| *rate);
        self.lines.iter().filter_map(|line| Some((rank(line, series), of(line)?))).collect()
    }

    fn increase(
        &self,
        series: &PodSeries,
        (at, window): (Timestamp, Duration),
        ledger: &mut Ledger,
        group: impl Fn(&Line<'_>) -> u64,
    ) -> Result<Increase, Silence> {
        let counts = self.lines.iter().map(|line| {
            let value = number(line, series)?.get();
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

/// One number: the largest of each group where ranks show the same, and these reduced.
fn of_groups(series: &PodSeries, values: Vec<(u64, Finite)>) -> Option<Finite> {
    if series.max_over.is_empty() {
        let values: Vec<Finite> = values.into_iter().map(|(_, value)| value).collect();
        return reduced(series.within, &values);
    }
    let mut largest: BTreeMap<u64, Finite> = BTreeMap::new();
    for (group, value) in values {
        let known = largest.entry(group).or_insert(value);
        *known = value.max(*known);
    }
    let largest: Vec<Finite> = largest.into_values().collect();
    reduced(series.within, &largest)
}

/// Tells what a series is about, whatever its rank.
fn rank(line: &Line<'_>, series: &PodSeries) -> u64 {
    let mut hasher = DefaultHasher::new();
    let labels = line.labels();
    for (label, value) in
        labels.iter().filter(|(it, _)| series.max_over.iter().all(|rank| **rank != **it))
    {
        (label, value).hash(&mut hasher);
    }
    hasher.finish()
}

/// The value of a line that is a measurement.
fn number(line: &Line<'_>, series: &PodSeries) -> Result<Finite, ReadError> {
    let measured = Finite::new(line.value)
        .filter(|it| !it.is_negative() && it.get() < limits::pods::BLANK_VALUE_MIN);
    measured.ok_or_else(|| {
        let problem = "is NaN, an infinity, a negative number or a blank on the page";
        ReadError::Empty(format!("{} {problem}", series.series.text()))
    })
}

fn absent_series(series: &PodSeries) -> ReadError {
    ReadError::Empty(format!("{} is not on the page", series.series.text()))
}

fn absent(part: &PodPart) -> ReadError {
    let names: Vec<&str> =
        part.iter().flat_map(PodCandidate::series).map(|it| it.series.text()).collect();
    ReadError::Empty(match names.as_slice() {
        [only] => format!("{only} is not on the page"),
        several => format!("none of {} is on the page", several.join(", ")),
    })
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
