//! A signal that is read straight from pods, and a source whose pages pods have, already proved
//! sound.

use crate::domain::finite::Finite;
use crate::domain::name::Namespace;
use crate::domain::selector::Selector;
use crate::policy::access::{HeaderText, Tls};
use crate::policy::partial::OnPartial;
use crate::policy::profile::Described;
use crate::policy::promql::SeriesSelector;
use std::collections::BTreeMap;
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
    /// What is read of the page: parts that add up.
    pub parts: Box<[PodPart]>,
    /// What is read of the series; of histograms the same in all parts.
    pub value: PodValue,
    /// What the pods' numbers become.
    pub across: Across,
    /// The profile that this was made from, if it was.
    pub profile: Option<Arc<Described>>,
    /// Where the pages are those of an exporter, whose rows are about the pods of this policy.
    pub exporter: Option<Arc<Exporter>>,
}

/// Pods that an operator names as a source: those of an exporter, one on each node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodPages {
    /// Their namespace.
    pub namespace: Namespace,
    /// Which of its pods.
    pub selector: Selector,
    /// Whether those are read, too, that are not ready.
    pub includes_not_ready: bool,
    /// Which page of theirs.
    pub page: Arc<PodPage>,
}

/// Pages whose rows are about other pods, those of any namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exporter {
    /// The namespace of the pods that have the pages.
    pub namespace: Namespace,
    /// The namespace whose rows are read: that of the policy.
    pub workloads: Namespace,
    /// Which rows these are, by the labels that may name a pod. A row fits one of them at most.
    pub rows: Box<[RowsOf]>,
    /// The labels that together tell a device from any other.
    pub device: Box<[Box<str>]>,
    /// From this value on a sensor says that it has none.
    pub blank: Option<Finite>,
}

/// Rows that name their pod by one label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowsOf {
    /// The label.
    pub pod: Box<str>,
    /// What other labels have to be, whatever the name of the series.
    pub labels: SeriesSelector,
}

/// A number of one pod: the first candidate counts of which its page has series.
pub type PodPart = Box<[PodCandidate]>;

/// Series that may tell a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodCandidate {
    /// The series.
    pub series: PodSeries,
    /// What is done with others to get the number.
    pub other: Option<(Joint, PodSeries)>,
    /// What the number is multiplied by.
    pub scale: Finite,
}

/// How two numbers become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joint {
    /// The first divided by the second.
    Ratio,
    /// The first times the second.
    Product,
    /// What the first is above the second, never below zero.
    Excess,
}

/// Series of one page that make one number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodSeries {
    /// Which series of the page; for a histogram its name without suffix.
    pub series: SeriesSelector,
    /// What is read of the series.
    pub value: PodValue,
    /// Labels over which the largest is taken first.
    pub max_over: Box<[Box<str>]>,
    /// How the series of one pod become one number. Histograms are added up instead.
    pub within: PodReduce,
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
    /// What is shown in `Authorization`.
    pub auth: Option<PodAuth>,
    /// Further headers of the request, by name.
    pub headers: BTreeMap<Box<str>, HeaderText>,
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
    /// The files with certificates, and the name that those of the pods have.
    pub certificates: Tls,
    /// Whether any certificate will do.
    pub skips_verify: bool,
}

/// What proves to a pod who asks. All pods of a signal are shown the same, and whoever may run a pod
/// that the selector selects sees it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PodAuth {
    /// A name and a password.
    Basic {
        /// The name.
        username: Box<str>,
        /// The file with the password.
        password_file: Box<str>,
    },
    /// A token.
    Bearer {
        /// The file with the token.
        token_file: Box<str>,
    },
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
        self.parts.iter().flatten().flat_map(PodCandidate::series).flat_map(PodSeries::names)
    }

    /// The key under which a policy wrote this.
    #[must_use]
    pub fn key(&self) -> &'static str {
        if self.profile.is_some() { "profile" } else { "pods" }
    }

    /// The namespace of the pods that are read for a policy of this namespace.
    #[must_use]
    pub fn namespace<'a>(&'a self, own: &'a Namespace) -> &'a Namespace {
        self.exporter.as_ref().map_or(own, |it| &it.namespace)
    }

    /// Whether it names a file, which only those may do who run Foresail. What a source names, they
    /// named.
    #[must_use]
    pub fn names_files(&self) -> bool {
        if self.exporter.is_some() {
            return false;
        }
        let PodPage { tls, auth, headers, .. } = &*self.page;
        let certificates = tls.as_ref().map(|it| &it.certificates);
        certificates.is_some_and(|it| it.ca_file.is_some() || it.own.is_some())
            || auth.is_some()
            || headers.values().any(|it| matches!(it, HeaderText::File(_)))
    }
}

impl PodPages {
    /// Whether these are the pages that a signal asks for.
    #[must_use]
    pub fn has(&self, ask: &PodsAsk) -> bool {
        let Self { namespace, selector, includes_not_ready, page } = self;
        ask.exporter.as_ref().is_some_and(|it| it.namespace == *namespace)
            && ask.selector == *selector
            && ask.includes_not_ready == *includes_not_ready
            && ask.page == *page
    }
}

impl PodCandidate {
    /// The series that it needs.
    pub fn series(&self) -> impl Iterator<Item = &PodSeries> {
        std::iter::once(&self.series).chain(self.other.as_ref().map(|(_, it)| it))
    }
}

impl PodSeries {
    /// The names of the series on a page.
    pub fn names(&self) -> impl Iterator<Item = String> {
        let suffixes: &[&str] = match self.value {
            PodValue::Gauge | PodValue::Rate(_) => &[""],
            PodValue::Mean(_) => &["_sum", "_count"],
            PodValue::Quantile(..) => &["_bucket"],
        };
        suffixes.iter().map(|suffix| format!("{}{suffix}", self.series.name()))
    }
}
