//! What to measure, how, and for whom: the configuration, already proved sound.
//!
//! In comes the text of a file or of objects of the cluster, out come `Policy` values that
//! cannot be wrong, and the faults of those that were. Never does I/O; one broken policy or
//! source never hides the good ones beside it.

pub mod access;
pub mod capacity;
pub mod crd;
pub mod expression;
pub mod external;
pub mod forecast;
mod keep_good;
pub mod partial;
pub mod pods;
pub mod profile;
pub mod promql;
pub mod queue;
pub mod resolve;
pub mod schedule;
pub mod smoothing;
pub mod status;
pub mod wire;

use crate::document::fault::Fault;
use crate::domain::finite::Finite;
use crate::domain::labels::Labels;
use crate::domain::limits;
use crate::domain::metric::{MetricKey, Subject};
use crate::domain::name::{MetricName, PolicyKey, SignalName, SourceName};
use crate::domain::supply::{LeadTime, Startup, Supply};
use crate::policy::access::Access;
use crate::policy::capacity::{Capacity, Emit};
use crate::policy::expression::Expression;
use crate::policy::external::ExternalMetrics;
use crate::policy::forecast::Forecast;
use crate::policy::partial::OnPartial;
use crate::policy::pods::{PodPages, PodsAsk};
use crate::policy::profile::{AnyEngine, Described, Profiles};
use crate::policy::promql::SeriesSelector;
use crate::policy::queue::QueueAsk;
use crate::policy::queue::lending::Lending;
use crate::policy::queue::reach::AllowedHost;
use crate::policy::schedule::Schedule;
use crate::policy::smoothing::Smoothing;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// A whole configuration, with what is wrong in it.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// What the engines are that signals may name.
    pub profiles: Arc<Profiles>,
    /// The sources that can be read.
    pub sources: Vec<SourceSettings>,
    /// The policies that can be evaluated, in the order of the file.
    pub policies: Vec<Arc<Policy>>,
    /// The policies that cannot.
    pub broken: Vec<BrokenPolicy>,
    /// The names of the sources that cannot be read, as they are written.
    pub broken_sources: BTreeSet<String>,
    /// What MetricPolicy objects may ask beside the Services of their own namespace.
    pub allowed_hosts: Arc<[AllowedHost]>,
    /// Whose MetricPolicy objects may ask AWS as Foresail.
    pub aws_lending: Lending,
    /// How many metrics the list of each API group names, if the file says.
    pub discovery_metrics_max: Option<usize>,
    /// What holds for external metrics beside another server of them.
    pub external: ExternalMetrics,
    /// Everything that is wrong, each with its line, in the order of the file.
    pub faults: Vec<Fault>,
    /// What is not wrong and may mislead, likewise.
    pub warnings: Vec<Fault>,
}

/// A place to read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceSettings {
    /// How signals refer to it.
    pub name: SourceName,
    /// What it is.
    pub kind: SourceKind,
    /// How long one read may take.
    pub timeout: Duration,
}

/// The kinds of source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceKind {
    /// The HTTP API of Prometheus or of something compatible with it.
    Prometheus {
        /// The base URL, without `/api/v1`.
        url: String,
        /// How queries are sent.
        method: QueryMethod,
        /// The label that names the namespace of a series.
        namespace_label: Box<str>,
        /// Who asks.
        access: Box<Access>,
        /// What is sent with every query, by name.
        parameters: BTreeMap<Box<str>, Box<str>>,
    },
    /// One page in exposition format.
    Scrape {
        /// The page.
        url: String,
        /// Who asks.
        access: Box<Access>,
    },
    /// The pages of the pods of an exporter, whose rows are about other pods.
    Pods(Box<PodPages>),
}

/// How a query travels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QueryMethod {
    /// In the body of a POST: no limit on its length, and not in access logs.
    #[default]
    Post,
    /// In the URL of a GET, for backends that take nothing else.
    Get,
}

/// The recipe of one published metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Which policy.
    pub key: PolicyKey,
    /// The metric's name.
    pub metric: MetricName,
    /// What it describes.
    pub subject: Subject,
    /// Labels under which it is published, for selectors.
    pub labels: Labels,
    /// How often it is evaluated, on a grid of wall-clock time.
    pub interval: Duration,
    /// What it is made from, by name.
    pub signals: Vec<Signal>,
    /// How the signals become one number.
    pub combine: Combine,
    /// Smoothing, in order.
    pub smooth: Vec<Smoothing>,
    /// The forecast, where one is wanted.
    pub forecast: Option<Forecast>,
    /// What one pod serves.
    pub capacity: Capacity,
    /// In which unit it is published.
    pub emit: Emit,
    /// What may be published.
    pub guard: Guard,
}

impl Policy {
    /// The address under which the metric is published.
    #[must_use]
    pub fn metric_key(&self) -> MetricKey {
        self.subject.key(&self.key.namespace, &self.metric)
    }

    /// How far ahead a forecast has to look, as its pods start: a forecast is of samples as old as
    /// the interval, and is used until the next step is over.
    #[must_use]
    pub fn lead_time(&self, supply: Option<&Supply>) -> LeadTime {
        let forecast = self.forecast.as_ref();
        let startup = forecast.map_or_else(Startup::assumed, |it| it.startup(supply));
        let step = forecast.map_or(Duration::ZERO, Forecast::step);
        let data_age = self.interval.saturating_add(step);
        // Nothing in the API tells the HPA's sync; who evaluates more often than its default has one
        // that syncs as often.
        let sync = limits::HPA_SYNC_DEFAULT.min(self.interval);
        LeadTime { startup, data_age, sync }
    }

    /// Whether it matters which pods of the scale target are ready and which are on their way.
    #[must_use]
    pub fn counts_pods(&self) -> bool {
        let learns = self.capacity.learn.is_some();
        self.combines_pods() || learns || self.emit == Emit::DesiredReplicas
    }

    /// Whether the combined value depends on them. Then it cannot be told for the past.
    #[must_use]
    pub fn combines_pods(&self) -> bool {
        match &self.combine {
            Combine::Only => false,
            Combine::Expression(expression) => expression.used().pods,
        }
    }

    /// What `combine` and `smooth` do to a sample over time, one after the other.
    pub fn filters(&self) -> impl Iterator<Item = Smoothing> {
        let counts = match &self.combine {
            Combine::Only => false,
            Combine::Expression(expression) => !expression.used().counters.is_empty(),
        };
        let rate = counts.then(|| Smoothing::automatic_rate(self.interval));
        rate.into_iter().chain(self.smooth.iter().copied())
    }
}

/// One number, or one number per pod, read from a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    /// Its name in `combine`.
    pub name: SignalName,
    /// Where it is read; `pods` for what is read straight from pods, `schedule` for what is planned,
    /// and a name of its own making for a queue's server, which are no sources of the file.
    pub source: SourceName,
    /// What is asked.
    pub ask: Ask,
}

/// What a signal asks its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// A PromQL query.
    Query {
        /// The query, proved to parse.
        query: String,
        /// The label that names the pod of each series, for a Pods metric; without it the query
        /// must answer one number.
        pod_label: Option<Box<str>>,
        /// Samples older than this do not count: the policy's `maxAge`.
        lookback: Duration,
        /// What an answer is worth that is about a part of the data only.
        on_partial: OnPartial,
        /// The profile that the query was made from, if it was. Such a query is confined to the
        /// policy's namespace by itself.
        profile: Option<Arc<Described>>,
    },
    /// Series of a scraped page.
    Series {
        /// Which series.
        selector: SeriesSelector,
        /// How several become one number.
        reduce: Reduce,
    },
    /// Series of the pages of pods.
    Pods(Arc<PodsAsk>),
    /// A signal of whichever engine is there.
    Engine(Arc<AnyEngine>),
    /// What waits in a queue.
    Queue(Arc<QueueAsk>),
    /// What is planned, which is asked of nobody.
    Schedule(Arc<Schedule>),
}

impl Ask {
    /// What is asked, of whichever engine there is: those that may be there differ in their series
    /// only.
    #[must_use]
    pub fn plain(&self) -> &Self {
        match self {
            Self::Engine(any) => any.example().unwrap_or(self),
            _ => self,
        }
    }

    /// What is asked of pods.
    #[must_use]
    pub fn of_pods(&self) -> Option<&PodsAsk> {
        match self.plain() {
            Self::Pods(ask) => Some(ask),
            _ => None,
        }
    }
}

/// How the values of several series become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reduce {
    /// Their sum.
    #[default]
    Sum,
    /// Their mean.
    Avg,
    /// The largest.
    Max,
    /// The smallest.
    Min,
}

/// How the signals become one number.
#[derive(Clone, Debug, PartialEq)]
pub enum Combine {
    /// The only signal is the number.
    Only,
    /// By an expression over the signals, in their order.
    Expression(Expression),
}

/// What may be published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guard {
    /// Up to this age of its oldest part a value is fresh.
    pub max_age: Duration,
    /// Past `max_age`, the last good value is kept this long; then it is refused.
    pub hold: Duration,
    /// Smaller values are raised to this.
    pub min: Option<Finite>,
    /// Larger values are cut to this.
    pub max: Option<Finite>,
}

impl Guard {
    /// How long after its sample's time a value may be served.
    #[must_use]
    pub fn lifetime(&self) -> Duration {
        self.max_age.saturating_add(self.hold)
    }
}

/// A policy that cannot be evaluated.
#[derive(Clone, Debug)]
pub struct BrokenPolicy {
    /// Which, as far as it can be told.
    pub key: Option<PolicyKey>,
    /// The address that it would have published under, as far as it can be told.
    pub metric: Option<MetricKey>,
    /// What it would have described; External where that cannot be told.
    pub subject: Subject,
    /// What is wrong with it.
    pub faults: Vec<Fault>,
}

impl BrokenPolicy {
    /// What is wrong, on one line.
    #[must_use]
    pub fn reason(&self) -> String {
        let faults: BTreeSet<String> = self.faults.iter().map(ToString::to_string).collect();
        faults.into_iter().collect::<Vec<_>>().join("; ")
    }
}
