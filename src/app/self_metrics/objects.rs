//! What is known of the cluster's resources and of the objects that rules are about, for the
//! exposition page.

use crate::app::self_metrics::{counter, watches};
use crate::cluster::objects::ObjectIndex;
use crate::cluster::resources::Counts;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use std::fmt::Error;
use std::sync::Arc;

/// Adds what rules know of the cluster.
pub(in crate::app) fn of_rules(
    registry: &mut Registry,
    resources: Arc<Counts>,
    objects: &Arc<ObjectIndex>,
) {
    registry.register_collector(Box::new(OfRules { resources, objects: Arc::clone(objects) }));
}

#[derive(Debug)]
struct OfRules {
    resources: Arc<Counts>,
    objects: Arc<ObjectIndex>,
}

impl Collector for OfRules {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let Self { resources, objects } = self;
        let number = |it: usize| u64::try_from(it).unwrap_or(u64::MAX);
        for (name, help, value) in [
            (
                "cluster_resources",
                "Resources of the cluster that rules know",
                resources.resources(),
            ),
            (
                "cluster_resources_left_out",
                "Resources of the cluster that are too many",
                resources.left_out(),
            ),
            (
                "watched_collections",
                "Kinds in one place whose objects are followed for rules",
                number(objects.n_collections()),
            ),
            ("watched_objects", "Objects known, apart from pods", number(objects.n_objects())),
        ] {
            let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        let help = "Looks at the cluster's resources that failed";
        counter(&mut encoder, "discovery_failures", help, resources.failures())?;
        let help = "Requests for all objects of a kind refused because too many kinds are followed";
        counter(&mut encoder, "collections_turned_away", help, objects.turned_away())?;
        watches(&mut encoder, ("object", "Watches of objects"), objects.progress())
    }
}
