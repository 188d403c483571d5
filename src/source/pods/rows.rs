//! From the pages of an exporter, whose rows are about other pods, to the numbers of the pods of one
//! namespace: the same numbers that `policy::profile::promql` has Prometheus work out.

use super::fold::{self, Answer, Part};
use super::reading::{joined, reduced};
use super::{Fetched, PodPlace};
use crate::domain::finite::Finite;
use crate::domain::limits;
use crate::domain::name::ObjectName;
use crate::domain::sample::Sample;
use crate::policy::pods::{
    Across, Exporter, PodCandidate, PodPart, PodReduce, PodSeries, PodsAsk, RowsOf,
};
use crate::series::Samples;
use crate::source::ReadError;
use crate::source::scrape::exposition::sieve::Page;
use crate::source::scrape::exposition::{Format, Line, line_of};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::OnceCell;

/// The pages of an exporter.
#[derive(Debug)]
pub(super) struct Pages<'p> {
    /// Of each pod that was asked.
    pub(super) pages: Vec<(ObjectName, Said<'p>)>,
    /// How many pods there are, asked or not.
    pub(super) n_pods: usize,
}

/// What was wanted of a page with its format, or why it did not come.
pub(super) type Said<'p> = Result<(&'p Page, Format), ReadError>;

/// The rows of all pages.
#[derive(Debug, Default)]
struct Rows {
    /// Those about pods of the namespace.
    own: Vec<Row>,
    /// Those of the wanted series, whosever they are.
    n_wanted: usize,
    /// Those of them that name a pod at all.
    n_named: usize,
    /// Those of the namespace whose sensor has nothing to say.
    n_blank: usize,
}

/// A row that is about a pod of the namespace.
#[derive(Debug)]
struct Row {
    /// The place of its series in what is asked.
    series: usize,
    pod: Box<str>,
    /// What tells its device.
    device: Box<str>,
    told: Told,
}

/// A number; `None` where what stands on the page is none.
#[derive(Clone, Copy, Debug)]
struct Told {
    value: Option<Finite>,
    at: Timestamp,
}

/// Numbers by pod, or by device where devices add up.
type Table = BTreeMap<Box<str>, Told>;

/// The same, each with the place of the candidate that told it.
type UsedTable = BTreeMap<Box<str>, (usize, Told)>;

/// What the exporter says about the pods of a policy; `last` is the last answer, which a partial one
/// is measured by.
pub(super) fn answer(
    ask: &PodsAsk,
    exporter: &Exporter,
    heard: Pages<'_>,
    at: Timestamp,
    last: &mut Option<Finite>,
) -> Result<Answer, ReadError> {
    let n_asked = heard.pages.len();
    let (mut rows, mut silent) = (Rows::default(), Vec::new());
    for (pod, page) in heard.pages {
        match page.and_then(|page| Reader { ask, exporter, at }.rows(page)) {
            Ok(more) => rows.add(more),
            Err(error) => silent.push((pod, error)),
        }
    }
    let by_device = matches!(ask.across, Across::One(PodReduce::Sum, _));
    let mut place = 0;
    let tables = ask.parts.iter().map(|part| rows.part(part, &mut place, by_device));
    let tables: Vec<UsedTable> = tables.collect();
    let missing = missing(&silent, n_asked, heard.n_pods);
    if tables.iter().any(BTreeMap::is_empty) {
        let is_mute = silent.len() == n_asked;
        let why = (!is_mute).then(|| rows.why_none(ask, exporter));
        let parts: Vec<String> = missing.into_iter().chain(why).collect();
        return Err(ReadError::Empty(parts.join("; ")));
    }
    let samples = match ask.across {
        Across::Each => each(ask, &tables)?,
        Across::One(reduce, on_partial) => {
            let sample = one(ask, &tables, reduce)?;
            if let Some(silence) = missing.clone() {
                let part = Part { n_good: n_asked - silent.len(), n_all: heard.n_pods };
                fold::judge(on_partial, sample.value, *last, part, silence)?;
            }
            *last = Some(sample.value);
            Samples::from([(None, sample)])
        }
        Across::Pooled(_) => return Err(ReadError::WrongKind),
    };
    let used = ask.profile.as_ref().map(|described| {
        let what = if by_device { "device" } else { "pod" };
        let count = |part: usize, candidate| {
            let told = tables.get(part).into_iter().flat_map(BTreeMap::values);
            told.filter(|(used, _)| *used == candidate).count()
        };
        fold::used(described, what, &count)
    });
    Ok(Answer { samples, note: missing, used, told: None })
}

/// What is missing: pods that say nothing, and those that were not asked. What is on their pages is
/// not told by the others'.
fn missing(silent: &[(ObjectName, ReadError)], n_asked: usize, n_pods: usize) -> Option<String> {
    let sampled = (n_asked < n_pods).then(|| format!("{n_asked} of {n_pods} pods asked"));
    let silence = silent.first().map(|(pod, error)| {
        format!("{} of {n_asked} pods say nothing: {pod}: {error}", silent.len())
    });
    let parts: Vec<String> = sampled.into_iter().chain(silence).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// A number for each pod of which every part is told.
fn each(ask: &PodsAsk, tables: &[UsedTable]) -> Result<Samples, ReadError> {
    let Some((first, others)) = tables.split_first() else { return Err(ReadError::WrongKind) };
    let mut samples = Samples::new();
    for (pod, (_, told)) in first {
        let others = others.iter().map(|it| it.get(pod).map(|(_, told)| *told));
        let told: Option<Vec<Told>> = std::iter::once(Some(*told)).chain(others).collect();
        let Told { value, at } = match told {
            Some(told) => together(PodReduce::Sum, &told),
            None => continue,
        };
        // A name that is none of a pod is of nobody whom the HPA knows.
        if let (Some(value), Ok(pod)) = (value, ObjectName::new(pod)) {
            samples.insert(Some(pod), Sample { at, value });
        }
    }
    if samples.is_empty() { Err(no_number(ask)) } else { Ok(samples) }
}

/// One number for all: the parts, each over its pods or devices, add up.
fn one(ask: &PodsAsk, tables: &[UsedTable], reduce: PodReduce) -> Result<Sample, ReadError> {
    let parts = tables.iter().map(|table| {
        let told: Vec<Told> = table.values().map(|(_, told)| *told).collect();
        together(reduce, &told)
    });
    let Told { value, at } = together(PodReduce::Sum, &parts.collect::<Vec<Told>>());
    Ok(Sample { at, value: value.ok_or_else(|| no_number(ask))? })
}

fn no_number(ask: &PodsAsk) -> ReadError {
    let names = names(ask);
    ReadError::Empty(format!("a row of {names} is NaN, an infinity or a negative number"))
}

/// The series that may tell it, in words.
fn names(ask: &PodsAsk) -> String {
    let series = ask.parts.iter().flatten().flat_map(PodCandidate::series);
    series.map(|it| it.series.text()).collect::<Vec<_>>().join(", ")
}

/// One number from several, as old as the oldest; none where one of them is none.
fn together(reduce: PodReduce, told: &[Told]) -> Told {
    let values: Option<Vec<Finite>> = told.iter().map(|it| it.value).collect();
    let at = told.iter().map(|it| it.at).min().unwrap_or(Timestamp::MIN);
    Told { value: values.and_then(|it| reduced(reduce, &it)), at }
}

impl<'p> Pages<'p> {
    /// Those that were fetched, in the order of their pods' names, so that replicas tell the same.
    pub(super) fn of(pages: &'p [(PodPlace, Arc<OnceCell<Fetched>>)], n_pods: usize) -> Self {
        let said = pages.iter().map(|(pod, page)| {
            let page = match page.get() {
                Some(Ok((page, format))) => Ok((page, *format)),
                Some(Err(error)) => Err(error.clone()),
                None => Err(ReadError::WrongKind),
            };
            (pod.name.clone(), page)
        });
        let mut pages: Vec<_> = said.collect();
        pages.sort_by(|(a, _), (b, _)| a.cmp(b));
        Self { pages, n_pods }
    }
}

/// Reads one page.
struct Reader<'a> {
    ask: &'a PodsAsk,
    exporter: &'a Exporter,
    at: Timestamp,
}

impl Reader<'_> {
    fn rows(&self, (page, format): (&Page, Format)) -> Result<Rows, ReadError> {
        let series = self.ask.parts.iter().flatten().flat_map(PodCandidate::series);
        let series: Vec<&PodSeries> = series.collect();
        let mut rows = Rows::default();
        for written in page.lines.split(|byte| *byte == b'\n') {
            let may_be = |it: &&&PodSeries| {
                written.starts_with(it.series.name().as_bytes()) || written.starts_with(b"{")
            };
            // Most lines are of series that others read: those are not taken apart.
            let Some(first) = series.iter().find(may_be) else { continue };
            match line_of(written, format) {
                Some(Ok(line)) => {
                    for (place, series) in series.iter().enumerate() {
                        self.row(&line, (place, series), &mut rows);
                    }
                }
                // Whose it is cannot be told: the page is worth nothing.
                Some(Err(_)) if !written.starts_with(b"{") => {
                    let problem = format!("a line of {} is malformed", first.series.name());
                    return Err(ReadError::NotUnderstood(problem));
                }
                Some(Err(_)) | None => {}
            }
        }
        Ok(rows)
    }

    fn row(&self, line: &Line<'_>, (place, series): (usize, &PodSeries), rows: &mut Rows) {
        let label = |name: &str| line.label(name);
        if line.name != series.series.name() || !series.series.matches_by(label) {
            return;
        }
        rows.n_wanted += 1;
        let names_pod = |it: &RowsOf| label(&it.pod).is_some_and(|it| !it.is_empty());
        rows.n_named += usize::from(self.exporter.rows.iter().any(names_pod));
        let mut own = self.exporter.rows.iter();
        let pod = own.find(|it| it.labels.matches_by(label)).and_then(|it| label(&it.pod));
        let Some(pod) = pod else { return };
        let is_measured = |blank: &Finite| line.value < blank.get();
        if !self.exporter.blank.as_ref().is_none_or(is_measured) {
            rows.n_blank += 1;
            return;
        }
        let value = Finite::new(line.value)
            .filter(|it| !it.is_negative() && it.get() < limits::pods::BLANK_VALUE_MIN);
        let own_time = line.millis.and_then(|it| Timestamp::from_millisecond(it).ok());
        let device = self.exporter.device.iter().map(|it| label(it).unwrap_or_default());
        rows.own.push(Row {
            series: place,
            pod: pod.into(),
            device: device.collect::<Vec<_>>().join("\0").into(),
            told: Told { value, at: own_time.unwrap_or(self.at).min(self.at) },
        });
    }
}

impl Rows {
    fn add(&mut self, mut more: Self) {
        self.own.append(&mut more.own);
        self.n_wanted += more.n_wanted;
        self.n_named += more.n_named;
        self.n_blank += more.n_blank;
    }

    /// Of each pod or device the first candidate that tells it; `place` counts the series.
    fn part(&self, part: &PodPart, place: &mut usize, by_device: bool) -> UsedTable {
        let mut used = UsedTable::new();
        for (index, candidate) in part.iter().enumerate() {
            for (key, told) in self.candidate(candidate, *place, by_device) {
                used.entry(key).or_insert((index, told));
            }
            *place += candidate.series().count();
        }
        used
    }

    fn candidate(&self, candidate: &PodCandidate, place: usize, by_device: bool) -> Table {
        let mut table = self.series(&candidate.series, place, by_device);
        if let Some((joint, other)) = &candidate.other {
            let others = self.series(other, place + 1, by_device);
            let joint = |(key, told): (Box<str>, Told)| {
                let other = others.get(&key)?;
                let at = told.at.min(other.at);
                let (Some(first), Some(second)) = (told.value, other.value) else {
                    return Some((key, Told { value: None, at }));
                };
                // Where there is nothing to divide by, nothing is told.
                let value = joined(*joint, first.get(), second.get()).ok()?;
                Some((key, Told { value: Some(value), at }))
            };
            table = table.into_iter().filter_map(joint).collect();
        }
        for told in table.values_mut() {
            told.value = told.value.and_then(|it| Finite::new(it.get() * candidate.scale.get()));
        }
        table
    }

    /// The numbers of one series: of what is told several times about a device the largest.
    fn series(&self, series: &PodSeries, place: usize, by_device: bool) -> Table {
        let mut devices: BTreeMap<(&str, &str), Told> = BTreeMap::new();
        for row in self.own.iter().filter(|it| it.series == place) {
            let pod = if by_device { "" } else { &*row.pod };
            let known = devices.entry((pod, &row.device)).or_insert(row.told);
            let Told { value, at } = row.told;
            *known = Told { value: value.max(known.value), at: at.min(known.at) };
        }
        if by_device {
            return devices.into_iter().map(|((_, device), it)| (device.into(), it)).collect();
        }
        let mut pods: BTreeMap<&str, Vec<Told>> = BTreeMap::new();
        for ((pod, _), told) in devices {
            pods.entry(pod).or_default().push(told);
        }
        pods.into_iter().map(|(pod, told)| (pod.into(), together(series.within, &told))).collect()
    }

    /// Why no pod of the namespace is told, for a person. Nothing is said of other namespaces.
    fn why_none(&self, ask: &PodsAsk, exporter: &Exporter) -> String {
        let (names, namespace) = (names(ask), &exporter.workloads);
        if self.n_wanted == 0 {
            return format!("{names}: not on the exporter's pages");
        }
        if self.n_named == 0 {
            let hint = "has it been told to (dcgm-exporter: `DCGM_EXPORTER_KUBERNETES`)?";
            return format!("no row of {names} names a pod: {hint}");
        }
        if self.own.is_empty() && self.n_blank > 0 {
            return format!("{names}: the sensors of the pods of {namespace} have nothing to say");
        }
        let hint = "does one of them have a device, and does `podPattern` match its name?";
        format!("no row of {names} is about a pod of {namespace}: {hint}")
    }
}

#[cfg(test)]
mod tests;
