//! What the rooms count for themselves, put into one exposition page.

mod external;
mod forecasts;
mod objects;
mod pod_pages;
mod rules;
mod supply;

pub(super) use external::external;
pub(super) use forecasts::{OfForecasts, forecasts};
pub(super) use objects::of_rules;
pub(super) use pod_pages::{places, pod_pages};
pub(super) use rules::rules;
pub(super) use supply::supply;

use crate::auth::Door;
use crate::auth::counters::Reason;
use crate::cluster::Progress;
use crate::cluster::pods::PodIndex;
use crate::cluster::policies::PolicyIndex;
use crate::cluster::status::Writes;
use crate::domain::name::PolicyKey;
use crate::telemetry::process;
use crate::tls::certificates::Certificates;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::{Registry, Unit};
use std::sync::Arc;
use tokio::sync::watch;

/// The registry under construction.
pub(super) struct Registries {
    root: Registry,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BuildLabels {
    version: &'static str,
}

impl Registries {
    pub(super) fn new() -> Self {
        let mut root = Registry::default();
        process::register(&mut root);
        let mut this = Self { root };
        let build = Family::<BuildLabels, Gauge>::default();
        build.get_or_create(&BuildLabels { version: env!("CARGO_PKG_VERSION") }).set(1);
        this.own().register("build_info", "The version that runs; always 1", build);
        this
    }

    /// Where Foresail's own metrics go: with its prefix.
    pub(super) fn own(&mut self) -> &mut Registry {
        self.root.sub_registry_with_prefix("foresail")
    }

    /// Where metrics go that bring their full names.
    pub(super) fn root(&mut self) -> &mut Registry {
        &mut self.root
    }

    pub(super) fn finish(self) -> Arc<Registry> {
        Arc::new(self.root)
    }
}

/// Adds what the door counts.
pub(super) fn door(registry: &mut Registry, door: &Arc<Door>) {
    registry.register_collector(Box::new(OfDoor(Arc::clone(door))));
}

/// Adds what is known of the serving certificate.
pub(super) fn certificates(registry: &mut Registry, certificates: &Arc<Certificates>) {
    registry.register_collector(Box::new(OfCertificates(Arc::clone(certificates))));
}

/// Adds what is known of the pods.
pub(super) fn pods(registry: &mut Registry, pods: &Arc<PodIndex>) {
    registry.register_collector(Box::new(OfPods(Arc::clone(pods))));
}

/// Adds what is known of the cluster's policies.
pub(super) fn policies(registry: &mut Registry, policies: OfPolicies) {
    registry.register_collector(Box::new(policies));
}

/// Who knows about the cluster's policies.
#[derive(Debug)]
pub(super) struct OfPolicies {
    pub(super) index: Arc<PolicyIndex>,
    pub(super) leading: watch::Receiver<bool>,
    pub(super) writes: Arc<Writes>,
}

#[derive(Debug)]
struct OfDoor(Arc<Door>);

#[derive(Debug)]
struct OfCertificates(Arc<Certificates>);

#[derive(Debug)]
struct OfPods(Arc<PodIndex>);

impl std::fmt::Debug for Registries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registries").finish_non_exhaustive()
    }
}

impl Collector for OfDoor {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let counters = self.0.counters();
        let (reviews, tokens) = (counters.reviews(), counters.tokens());
        for (name, help, count) in [
            (
                "review_cache_hits",
                "Requests answered by a remembered decision",
                reviews.cache_hits(),
            ),
            (
                "review_cache_misses",
                "Requests whose decision had to be asked for",
                reviews.cache_misses(),
            ),
            (
                "review_cache_evictions",
                "Decisions forgotten because there were too many",
                reviews.evicted(),
            ),
            ("reviews", "SubjectAccessReviews made", reviews.reviews_made()),
            ("review_failures", "SubjectAccessReviews that failed", reviews.reviews_failed()),
            (
                "token_cache_hits",
                "Requests with a bearer token whose owner was remembered",
                tokens.cache_hits(),
            ),
            (
                "token_cache_misses",
                "Requests with a bearer token whose owner had to be asked for",
                tokens.cache_misses(),
            ),
            (
                "token_cache_evictions",
                "Owners of bearer tokens forgotten because there were too many",
                tokens.evicted(),
            ),
            ("token_reviews", "TokenReviews made", tokens.reviews_made()),
            ("token_review_failures", "TokenReviews that failed", tokens.reviews_failed()),
        ] {
            counter(&mut encoder, name, help, count)?;
        }
        let refused = ConstCounter::new(0_u64);
        let help = "Requests refused at the door";
        let mut family =
            encoder.encode_descriptor("refused_requests", help, None, refused.metric_type())?;
        for reason in Reason::ALL {
            let labels = [("reason", reason.as_str())];
            let count = ConstCounter::new(counters.refused(reason));
            count.encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

impl Collector for OfCertificates {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let expires = ConstGauge::new(self.0.expires().as_second());
        let (name, help) = ("certificate_expiry_timestamp", "When the certificate expires");
        let unit = Some(&Unit::Seconds);
        let kind = expires.metric_type();
        expires.encode(encoder.encode_descriptor(name, help, unit, kind)?)?;
        let help = "New certificates taken";
        counter(&mut encoder, "certificate_reloads", help, self.0.reloads())?;
        let help = "Looks at the certificate files that found something unfit";
        counter(&mut encoder, "certificate_failures", help, self.0.failures())
    }
}

impl Collector for OfPods {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let known = ConstGauge::new(i64::try_from(self.0.n_pods()).unwrap_or(i64::MAX));
        let kind = known.metric_type();
        known.encode(encoder.encode_descriptor("watched_pods", "Pods known", None, kind)?)?;
        let progress = self.0.progress();
        counter(&mut encoder, "pod_lists", "Times that pods were listed", progress.lists())?;
        watches(&mut encoder, ("pod", "Pod watches"), progress)
    }
}

impl Collector for OfPolicies {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let Self { index, leading, writes } = self;
        watches(&mut encoder, ("policy", "Policy watches"), index.progress())?;
        let leads = ConstGauge::new(i64::from(*leading.borrow()));
        let (name, help) = ("is_leader", "Whether this replica writes the status of policies");
        leads.encode(encoder.encode_descriptor(name, help, None, leads.metric_type())?)?;
        let help = "Statuses of policies written";
        counter(&mut encoder, "status_writes", help, writes.written())?;
        let help = "Statuses of policies that could not be written";
        counter(&mut encoder, "status_write_failures", help, writes.failed())
    }
}

pub(super) fn counter(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    value: u64,
) -> Result<(), std::fmt::Error> {
    let counter = ConstCounter::new(value);
    counter.encode(encoder.encode_descriptor(name, help, None, counter.metric_type())?)
}

/// How watches are doing, called so in names and in descriptions.
pub(super) fn watches(
    encoder: &mut DescriptorEncoder<'_>,
    (name, described): (&str, &str),
    progress: &Progress,
) -> Result<(), std::fmt::Error> {
    let failing = ConstGauge::new(i64::try_from(progress.n_failing()).unwrap_or(i64::MAX));
    let (gauge, help) = (format!("{name}_watches_failing"), format!("{described} that fail now"));
    failing.encode(encoder.encode_descriptor(&gauge, &help, None, failing.metric_type())?)?;
    let (total, help) = (format!("{name}_watch_failures"), format!("{described} that failed"));
    counter(encoder, &total, &help, progress.failures())
}

/// One gauge for each of these policies; nothing at all without any.
fn by_policy<'a>(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help, unit): (&str, &str, Option<&Unit>),
    numbers: impl IntoIterator<Item = (&'a PolicyKey, f64)>,
) -> Result<(), std::fmt::Error> {
    let mut numbers = numbers.into_iter().peekable();
    if numbers.peek().is_none() {
        return Ok(());
    }
    let none = ConstGauge::new(0.0_f64);
    let mut family = encoder.encode_descriptor(name, help, unit, none.metric_type())?;
    for (key, number) in numbers {
        let labels = [("namespace", key.namespace.as_str()), ("policy", key.name.as_str())];
        ConstGauge::new(number).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}
