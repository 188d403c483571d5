//! What a profile stands for on the pages of the pods themselves.

use super::file::{OverPods, Within};
use super::{Candidate, Canonical, Form, Profile, SignalProfile};
use crate::domain::finite::Finite;
use crate::domain::name::Namespace;
use crate::policy::pods::{
    Exporter, Joint, Lately, PodCandidate, PodPart, PodReduce, PodSeries, PodValue, RowsOf,
};
use crate::policy::promql::{LabelMatch, SeriesSelector};

/// What is asked of a profile.
#[derive(Clone, Copy, Debug)]
pub struct PageQuestion<'a> {
    /// Labels that series have to have.
    pub labels: &'a [(String, String)],
    /// How far back rates and quantiles look.
    pub lately: Lately,
    /// The quantile of a histogram.
    pub quantile: Finite,
}

/// What is read of each page, and how pods come together.
#[derive(Clone, Debug)]
pub struct Pages {
    /// What adds up.
    pub parts: Box<[PodPart]>,
    /// What is read; of histograms the same in all parts.
    pub value: PodValue,
    /// How the numbers of pods come together.
    pub over: OverPods,
}

/// What is read for a signal; `None` when the profile has no such signal, or its parts come together
/// over pods in different ways.
#[must_use]
pub fn pages(profile: &Profile, signal: Canonical, question: &PageQuestion<'_>) -> Option<Pages> {
    let signals = profile.parts(signal)?;
    let over = signals.first()?.pods;
    if signals.iter().any(|it| it.pods != over) {
        return None;
    }
    let parts = signals.into_iter().map(|it| question.part(it)).collect::<Option<Box<_>>>()?;
    let value = parts.first()?.first()?.series.value;
    Some(Pages { parts, value, over })
}

/// The rows of an exporter's pages that are about the pods of a namespace whose names match `pattern`;
/// `None` when its series are about the pods that have the page, or are other than gauges, of which no
/// row remembers another.
#[must_use]
pub fn exporter(
    profile: &Profile,
    parts: &[PodPart],
    (pages, workloads): (&Namespace, &Namespace),
    pattern: Option<&str>,
) -> Option<Exporter> {
    let about = profile.about_pods.as_ref()?;
    let series = || parts.iter().flatten().flat_map(PodCandidate::series);
    if series().any(|it| it.value != PodValue::Gauge) {
        return None;
    }
    // The name is of no row: only what labels have to be is asked of it.
    let any = SeriesSelector::parse("row").ok()?;
    let rows = about.rows(workloads.as_str()).map(|(pod, mut matches)| {
        matches.extend(pattern.map(|it| LabelMatch::Like(pod, it)));
        let labels = SeriesSelector::parse(&any.narrowed("", &matches)).ok()?;
        Some(RowsOf { pod: pod.into(), labels })
    });
    Some(Exporter {
        namespace: pages.clone(),
        workloads: workloads.clone(),
        rows: rows.collect::<Option<_>>()?,
        device: about.device.iter().map(|it| it.as_str().into()).collect(),
        blank: about.blank.and_then(Finite::new),
    })
}

impl PageQuestion<'_> {
    fn part(&self, signal: &SignalProfile) -> Option<PodPart> {
        signal.from.iter().map(|it| self.candidate(it)).collect()
    }

    fn candidate(&self, candidate: &Candidate) -> Option<PodCandidate> {
        let series = |selector: &SeriesSelector, value| {
            let within = match candidate.within {
                Within::Sum => PodReduce::Sum,
                Within::Max => PodReduce::Max,
                Within::Avg => PodReduce::Avg,
            };
            let max_over = candidate.max_over.iter().map(|it| it.as_str().into()).collect();
            Some(PodSeries { series: self.narrowed(selector)?, value, max_over, within })
        };
        let gauge = |it| series(it, PodValue::Gauge);
        let rate = |it| series(it, PodValue::Rate(self.lately));
        let (first, other) = match &candidate.form {
            Form::Gauge(it) => (gauge(it)?, None),
            Form::Counter(it) => (rate(it)?, None),
            Form::Histogram(it) => {
                (series(it, PodValue::Quantile(self.quantile, self.lately))?, None)
            }
            Form::Ratio(of, by) => (gauge(of)?, Some((Joint::Ratio, gauge(by)?))),
            Form::Product(of, by) => (gauge(of)?, Some((Joint::Product, gauge(by)?))),
            Form::Excess(of, over) => (gauge(of)?, Some((Joint::Excess, gauge(over)?))),
            Form::Mean(of, by) => (rate(of)?, Some((Joint::Ratio, rate(by)?))),
        };
        Some(PodCandidate { series: first, other, scale: Finite::new(candidate.scale)? })
    }

    fn narrowed(&self, selector: &SeriesSelector) -> Option<SeriesSelector> {
        if self.labels.is_empty() {
            return Some(selector.clone());
        }
        let labels = self.labels.iter();
        let matches: Vec<_> =
            labels.map(|(label, value)| LabelMatch::Equal(label, value)).collect();
        SeriesSelector::parse(&selector.narrowed("", &matches)).ok()
    }
}
