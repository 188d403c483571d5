//! What reading the pages of pods counts, for the exposition page.

use crate::app::self_metrics::{counter, watches};
use crate::cluster::places::PlaceIndex;
use crate::source::pods::Counts;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::registry::{Registry, Unit};
use std::fmt::Error;
use std::sync::Arc;

/// Adds what was read of pods.
pub(in crate::app) fn pod_pages(registry: &mut Registry, counts: Arc<Counts>) {
    registry.register_collector(Box::new(OfPages(counts)));
}

/// Adds how the watches of the pods' addresses are doing.
pub(in crate::app) fn places(registry: &mut Registry, places: &Arc<PlaceIndex>) {
    registry.register_collector(Box::new(OfPlaces(Arc::clone(places))));
}

#[derive(Debug)]
struct OfPages(Arc<Counts>);

#[derive(Debug)]
struct OfPlaces(Arc<PlaceIndex>);

impl Collector for OfPages {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let none = ConstCounter::new(0_u64);
        let (name, help) = ("pod_page_reads", "Pages of pods read, by result");
        let mut family = encoder.encode_descriptor(name, help, None, none.metric_type())?;
        for (result, count) in self.0.fetches() {
            let count = ConstCounter::new(count);
            count.encode(family.encode_family(&[("result", result)])?)?;
        }
        let bytes = ConstCounter::new(self.0.n_bytes());
        let (name, help) = ("pod_page_read", "Bytes of the pages of pods that arrived");
        let kind = bytes.metric_type();
        bytes.encode(encoder.encode_descriptor(name, help, Some(&Unit::Bytes), kind)?)?;
        let help = "Pods that were not asked because a signal selects too many";
        counter(&mut encoder, "pods_left_out", help, self.0.n_left_out())?;
        let help = "Numbers used although pods were not asked or said nothing";
        counter(&mut encoder, "pod_numbers_in_part", help, self.0.n_used_in_part())
    }
}

impl Collector for OfPlaces {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        watches(&mut encoder, ("place", "Watches of pods' addresses"), self.0.progress())
    }
}
