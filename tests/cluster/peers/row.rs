//! What came of a contest, and the table of all of them.

use std::fmt::Write as _;

use super::fleet::Kind;
use super::load::Outcome;
use super::usage::Resident;

/// As fast as possible, one kind of metric.
#[derive(Debug)]
pub(crate) struct Saturated {
    pub(crate) outcome: Outcome,
    /// Processor time for each answer, in milliseconds.
    pub(crate) cpu: f64,
}

/// The mix at its pace.
#[derive(Debug)]
pub(crate) struct Mix {
    pub(crate) outcome: Outcome,
    /// Processor time for each second, in milliseconds.
    pub(crate) cpu: f64,
    /// Queries of Prometheus in an interval.
    pub(crate) upstream: f64,
    /// LISTs at kube-apiserver in an interval.
    pub(crate) lists: f64,
    /// SubjectAccessReviews in an interval.
    pub(crate) reviews: f64,
}

/// One server.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// One for each kind, where the server knows it.
    pub(crate) saturated: [Option<Saturated>; 3],
    pub(crate) mix: Mix,
    /// Processor time for each second without any request, in milliseconds.
    pub(crate) idle_cpu: f64,
    /// After everything.
    pub(crate) resident: Resident,
}

impl Row {
    /// Whether each request was answered.
    pub(crate) fn is_whole(&self) -> bool {
        let saturated = self.saturated.iter().flatten().map(|it| &it.outcome);
        let mut all = saturated.chain([&self.mix.outcome]);
        all.all(|it| it.refused.is_empty() && !it.answered.is_empty())
    }

    /// Everything that was seen, refusals too.
    pub(crate) fn details(&self) -> String {
        let mut text = String::new();
        for (kind, saturated) in Kind::ALL.iter().zip(&self.saturated) {
            let Some(Saturated { outcome, cpu }) = saturated else { continue };
            writeln!(
                text,
                "  {kind:?}: {:.0} requests/s, {cpu:.3} ms CPU each, p50 {}, p99 {}, refused {:?}",
                outcome.rate(),
                milliseconds(outcome.percentile(50)),
                milliseconds(outcome.percentile(99)),
                outcome.refused
            )
            .unwrap();
        }
        let Mix { outcome, cpu, upstream, lists, reviews } = &self.mix;
        write!(
            text,
            "  mix: {:.1} % of {} answered, p50 {}, p90 {}, p99 {}, refused {:?}\n  \
             CPU {cpu:.1} ms/s ({:.1} without requests), {:.0} MiB, {:.0} of them data; each interval {upstream:.0} queries, \
             {lists:.0} LISTs, {reviews:.0} reviews",
            outcome.share() * 100.0,
            outcome.answered.len() + outcome.refused.values().sum::<usize>(),
            milliseconds(outcome.percentile(50)),
            milliseconds(outcome.percentile(90)),
            milliseconds(outcome.percentile(99)),
            outcome.refused,
            self.idle_cpu,
            self.resident.whole,
            self.resident.data,
        )
        .unwrap();
        text
    }

    fn cells(&self) -> String {
        let each = |show: &dyn Fn(&Saturated) -> String| {
            let of_kind = |it: &Option<Saturated>| it.as_ref().map_or("–".to_owned(), show);
            self.saturated.each_ref().map(of_kind).join(" / ")
        };
        let Mix { outcome, cpu, upstream, lists, reviews } = &self.mix;
        [
            self.name.to_owned(),
            format!("{:.1} %", outcome.share() * 100.0),
            format!(
                "{} / {}",
                milliseconds(outcome.percentile(50)),
                milliseconds(outcome.percentile(99))
            ),
            each(&|it| format!("{:.0}", it.outcome.rate())),
            each(&|it| format!("{:.3}", it.cpu)),
            format!("{:.1} % ({:.1} %)", cpu / 10.0, self.idle_cpu / 10.0),
            format!("{:.0} MiB ({:.0} MiB)", self.resident.whole, self.resident.data),
            format!("{upstream:.0}"),
            format!("{lists:.0}"),
            format!("{reviews:.0}"),
        ]
        .join(" | ")
    }
}

/// All rows, in Markdown.
pub(crate) fn table(rows: &[Row]) -> String {
    let head = [
        "Server",
        "answered",
        "p50 / p99, ms",
        "requests/s at most: Pods / Object / External",
        "CPU ms a request there",
        "CPU at 67/s (without requests)",
        "resident (data)",
        "queries",
        "LISTs",
        "reviews",
    ];
    let mut text = format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(head.len()));
    for row in rows {
        writeln!(text, "| {} |", row.cells()).unwrap();
    }
    text
}

fn milliseconds(time: Option<f64>) -> String {
    time.map_or("–".to_owned(), |time| format!("{time:.1}"))
}
