//! A signal that is read straight from pods, already proved sound.

use crate::domain::finite::Finite;
use crate::domain::selector::Selector;
use crate::policy::partial::OnPartial;
use crate::policy::promql::SeriesSelector;
use std::sync::Arc;
use std::time::Duration;

/// What a signal asks of pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodsAsk {
    /// Which pods of the policy's namespace.
    pub selector: Selector,
    /// Whether those are read, too, that are not ready.
    pub includes_not_ready: bool,
    /// Which page of theirs.
    pub page: Arc<PodPage>,
    /// Which series of the page; for a histogram its name without suffix.
    pub series: SeriesSelector,
    /// What is read of the series.
    pub value: PodValue,
    /// How the series of one pod become one number. Histograms are added up instead.
    pub within: PodReduce,
    /// What the pods' numbers become.
    pub across: Across,
}

/// A page, as every pod has it. Whoever asks for the same page of a pod shares one request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PodPage {
    /// Its port.
    pub port: PodPort,
    /// Its path, with the slash.
    pub path: Box<str>,
    /// `None` for http.
    pub tls: Option<PodTls>,
    /// The file with the token that is shown.
    pub token_file: Option<Box<str>>,
    /// How long reading it may take.
    pub timeout: Duration,
}

/// A port of a pod.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PodPort {
    /// By number.
    Number(u16),
    /// By the name that a container gives it.
    Name(Box<str>),
}

/// How a pod's certificate is checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PodTls {
    /// The file with the authorities to trust; those of the machine without it.
    pub ca_file: Option<Box<str>>,
    /// Whether any certificate will do.
    pub skips_verify: bool,
}

/// What is read of a pod's series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PodValue {
    /// The number as it stands.
    Gauge,
    /// How fast a counter grows, per second.
    Rate(Lately),
    /// The mean of what a histogram observed.
    Mean(Lately),
    /// A quantile of what a histogram observed.
    Quantile(Finite, Lately),
}

/// How far back is looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lately {
    /// How long.
    pub window: Duration,
    /// Fewer observations than these say nothing.
    pub least: u32,
}

/// How several numbers become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PodReduce {
    /// Their sum.
    Sum,
    /// Their mean.
    Avg,
    /// The largest.
    Max,
    /// The smallest.
    Min,
    /// A quantile, between neighbours in proportion, as in PromQL.
    Quantile(Finite),
}

/// What the pods' numbers become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Across {
    /// One number for each pod: a Pods metric.
    Each,
    /// One number.
    One(PodReduce, OnPartial),
    /// One number from the observations of all pods together.
    Pooled(OnPartial),
}

impl PodsAsk {
    /// The names of the series that are read on a page.
    pub fn names(&self) -> impl Iterator<Item = String> {
        let suffixes: &[&str] = match self.value {
            PodValue::Gauge | PodValue::Rate(_) => &[""],
            PodValue::Mean(_) => &["_sum", "_count"],
            PodValue::Quantile(..) => &["_bucket"],
        };
        suffixes.iter().map(|suffix| format!("{}{suffix}", self.series.name()))
    }

    /// Whether it names a file, which only those may do who run Foresail.
    #[must_use]
    pub fn names_files(&self) -> bool {
        let ca_file = self.page.tls.as_ref().and_then(|it| it.ca_file.as_ref());
        ca_file.is_some() || self.page.token_file.is_some()
    }
}
