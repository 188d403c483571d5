//! What the API face counts about itself.

use crate::api::path::{Ask, Document, Group, Wanted};
use http::StatusCode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::fmt;
use std::time::Instant;

/// From a tenth of the budget of a request to what nobody should ever see, in seconds.
const DURATION_BUCKETS: [f64; 13] =
    [50e-6, 100e-6, 200e-6, 500e-6, 1e-3, 2e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 250e-3, 1.0];

/// The metrics, shared by all requests.
#[derive(Clone, Debug)]
pub struct Metrics {
    requests: Family<RequestLabels, Counter>,
    durations: Family<RouteLabels, Histogram, fn() -> Histogram>,
    left_out: Family<GroupLabels, Gauge>,
    passed_on: Family<PassedOnLabels, Counter>,
}

/// Registers the metrics under their full names; the registry adds the endings of their types.
pub fn register(registry: &mut Registry) -> Metrics {
    let metrics = Metrics {
        requests: Family::default(),
        durations: Family::new_with_constructor(|| Histogram::new(DURATION_BUCKETS)),
        left_out: Family::default(),
        passed_on: Family::default(),
    };
    registry.register(
        "foresail_api_requests",
        "Requests to the Kubernetes API face; code 499: the client did not wait for the answer",
        metrics.requests.clone(),
    );
    registry.register(
        "foresail_api_request_duration_seconds",
        "Time from a request's headers to its answer",
        metrics.durations.clone(),
    );
    registry.register(
        "foresail_api_discovery_left_out_metrics",
        "Metrics that are served but not listed, because there are too many",
        metrics.left_out.clone(),
    );
    // Each from the start: whoever looks at a rate needs the zero before the first one.
    for result in PassedOn::ALL {
        drop(metrics.passed_on.get_or_create(&PassedOnLabels { result }));
    }
    registry.register(
        "foresail_api_passed_on_requests",
        "Requests for external metrics that are not known here, passed on to the other server, by result",
        metrics.passed_on.clone(),
    );
    metrics
}

impl Metrics {
    /// Starts to time a request.
    pub(crate) fn begin(&self, ask: &Ask) -> Timer<'_> {
        let (route, group) = label(ask);
        Timer { metrics: self, route, group, started: Instant::now(), code: ABANDONED }
    }

    /// Counts a request that was passed on, or should have been.
    pub(crate) fn pass_on(&self, result: PassedOn) {
        self.passed_on.get_or_create(&PassedOnLabels { result }).inc();
    }

    /// Notes how many metrics a discovery document leaves out; true if that changed.
    pub(crate) fn leave_out(&self, group: Group, count: usize) -> bool {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let labels = GroupLabels { group: group.into() };
        self.left_out.get_or_create(&labels).set(count) != count
    }
}

/// The code of a request that was dropped before it had an answer.
const ABANDONED: u16 = 499;

/// Counts and times one request when it is dropped, even if nobody waits for its answer any more.
#[derive(Debug)]
pub(crate) struct Timer<'a> {
    metrics: &'a Metrics,
    route: Route,
    group: GroupLabel,
    started: Instant,
    code: u16,
}

impl Timer<'_> {
    /// The request has its answer.
    pub(crate) fn end(mut self, status: StatusCode) {
        self.code = status.as_u16();
    }
}

impl Drop for Timer<'_> {
    fn drop(&mut self) {
        let labels = RequestLabels { group: self.group, route: self.route, code: self.code };
        self.metrics.requests.get_or_create(&labels).inc();
        let labels = RouteLabels { route: self.route };
        let seconds = self.started.elapsed().as_secs_f64();
        self.metrics.durations.get_or_create(&labels).observe(seconds);
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    group: GroupLabel,
    route: Route,
    code: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: Route,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PassedOnLabels {
    result: PassedOn,
}

/// What became of a request that was passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum PassedOn {
    /// It has its answer.
    Answered,
    /// The other server has no such metric.
    Absent,
    /// The other server refused it.
    Refused,
    /// The other server could not answer.
    Failed,
    /// The other server was too slow.
    TimedOut,
    /// Too many were open.
    TooMany,
    /// It had been passed on before.
    Looped,
}

impl PassedOn {
    const ALL: [Self; 7] = [
        Self::Answered,
        Self::Absent,
        Self::Refused,
        Self::Failed,
        Self::TimedOut,
        Self::TooMany,
        Self::Looped,
    ];
}

impl EncodeLabelValue for PassedOn {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
        match self {
            Self::Answered => "answered",
            Self::Absent => "absent",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::TooMany => "too_many",
            Self::Looped => "looped",
        }
        .encode(encoder)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct GroupLabels {
    group: GroupLabel,
}

/// The API group of a request, as a label: empty for requests of none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct GroupLabel(Option<Group>);

impl From<Group> for GroupLabel {
    fn from(group: Group) -> Self {
        Self(Some(group))
    }
}

impl EncodeLabelValue for GroupLabel {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
        self.0.map(Group::as_str).unwrap_or_default().encode(encoder)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Route {
    Object,
    Objects,
    External,
    Discovery,
    Health,
    OpenApi,
    Version,
    Other,
}

impl EncodeLabelValue for Route {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
        match self {
            Self::Object => "object",
            Self::Objects => "objects",
            Self::External => "external",
            Self::Discovery => "discovery",
            Self::Health => "health",
            Self::OpenApi => "openapi",
            Self::Version => "version",
            Self::Other => "other",
        }
        .encode(encoder)
    }
}

fn label(ask: &Ask) -> (Route, GroupLabel) {
    let none = GroupLabel(None);
    match ask {
        Ask::Custom(ask) => match ask.object {
            Wanted::All => (Route::Objects, Group::Custom.into()),
            Wanted::One(_) => (Route::Object, Group::Custom.into()),
        },
        Ask::External(_) => (Route::External, Group::External.into()),
        Ask::Document(document) => match document {
            Document::Root | Document::Groups => (Route::Discovery, none),
            Document::OpenApiV2 | Document::OpenApiV3 => (Route::OpenApi, none),
            Document::OpenApiV3Of(version) => (Route::OpenApi, version.group().into()),
            Document::Group(group) => (Route::Discovery, (*group).into()),
            Document::Resources(version) => (Route::Discovery, version.group().into()),
            Document::Build => (Route::Version, none),
            Document::Health { .. } => (Route::Health, none),
        },
        Ask::Malformed | Ask::Unmatched { .. } => (Route::Other, none),
    }
}
