//! What is known of HPAs, scale targets and starting pods, for the exposition page.

use crate::app::self_metrics::{by_policy, counter};
use crate::app::supply::SupplyIndex;
use crate::domain::name::PolicyKey;
use crate::domain::supply::{StartKind, Supply};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};
use std::fmt::Error;
use std::sync::Arc;

/// Adds what is known of the supply.
pub(in crate::app) fn supply(registry: &mut Registry, index: &Arc<SupplyIndex>) {
    registry.register_collector(Box::new(OfSupply(Arc::clone(index))));
}

#[derive(Debug)]
struct OfSupply(Arc<SupplyIndex>);

impl Collector for OfSupply {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let all = self.0.all();
        let help = "HPAs that use a policy's metric";
        let hpas = |it: &Supply| Some(real(it.hpas.as_ref()?.len()));
        of_each(&mut encoder, ("policy_hpas", help, None), &all, hpas)?;
        let help = "From a pod's creation to Ready, as measured";
        let startup =
            |it: &Supply| Some(it.startup().filter(|it| it.is_measured())?.time.as_secs_f64());
        let name = ("policy_pod_startup", help, Some(&Unit::Seconds));
        of_each(&mut encoder, name, &all, startup)?;
        let pods = |it: &Supply, count: fn(&Supply) -> usize| {
            (!it.targets.is_empty()).then(|| real(count(it)))
        };
        let help = "Pods of the measured scale targets that are ready";
        let ready = |it: &Supply| pods(it, Supply::n_ready);
        of_each(&mut encoder, ("policy_pods_ready", help, None), &all, ready)?;
        let help = "Pods of the measured scale targets that have not been ready yet";
        let starting = |it: &Supply| pods(it, Supply::n_starting);
        of_each(&mut encoder, ("policy_pods_starting", help, None), &all, starting)?;
        self.encode_totals(&mut encoder)
    }
}

impl OfSupply {
    fn encode_totals(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let (counts, feeds) = (&self.0.counts, &self.0.feeds);
        let none = ConstCounter::new(0_u64);
        let help = "Starts of pods that were measured";
        let mut family = encoder.encode_descriptor("pod_starts", help, None, none.metric_type())?;
        for kind in StartKind::ALL {
            let count = ConstCounter::new(counts.starts(kind));
            count.encode(family.encode_family(&[("kind", kind.name())])?)?;
        }
        let help = "HPAs known";
        gauge(encoder, "watched_hpas", help, real(feeds.hpas.n_hpas()))?;
        let help = "Watches of HPAs and of starting pods that fail now";
        let (hpas, starts) = (feeds.hpas.progress(), feeds.starts.progress());
        let failing = hpas.n_failing().saturating_add(starts.n_failing());
        gauge(encoder, "supply_watches_failing", help, whole(failing))?;
        let help = "Watches of HPAs and of starting pods that failed";
        let failures = hpas.failures().saturating_add(starts.failures());
        counter(encoder, "supply_watch_failures", help, failures)?;
        let help = "Scale targets that do not tell which pods are theirs";
        gauge(encoder, "scale_targets_failing", help, whole(feeds.targets.n_failing()))?;
        let help = "Scale targets that are not measured because there are too many";
        gauge(encoder, "scale_targets_left_out", help, whole(counts.left_out()))
    }
}

/// One gauge for each policy that has a number.
fn of_each(
    encoder: &mut DescriptorEncoder<'_>,
    described: (&str, &str, Option<&Unit>),
    all: &[(PolicyKey, Arc<Supply>)],
    number: impl Fn(&Supply) -> Option<f64>,
) -> Result<(), Error> {
    let numbers = all.iter().filter_map(|(key, supply)| Some((key, number(supply)?)));
    by_policy(encoder, described, numbers)
}

fn gauge(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    value: f64,
) -> Result<(), Error> {
    let gauge = ConstGauge::new(value);
    gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)
}

fn real(count: usize) -> f64 {
    whole(u64::try_from(count).unwrap_or(u64::MAX))
}

#[expect(clippy::cast_precision_loss, reason = "no count here comes near 2^52")]
fn whole(count: u64) -> f64 {
    count as f64
}
