//! Who owns the APIService of external metrics, for the exposition page.

use crate::cluster::external_api::Owner;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use std::fmt::Error;
use tokio::sync::watch;

/// Adds who owns it.
pub(in crate::app) fn external(registry: &mut Registry, owner: watch::Receiver<Owner>) {
    registry.register_collector(Box::new(OfExternal(owner)));
}

#[derive(Debug)]
struct OfExternal(watch::Receiver<Owner>);

impl Collector for OfExternal {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let owner = match &*self.0.borrow() {
            Owner::Unknown => "unknown",
            Owner::Nobody => "nobody",
            Owner::Foresail => "foresail",
            Owner::Other(_) => "other",
        };
        let (name, help) =
            ("external_api_owner", "Who owns the APIService of external metrics; 1 for who does");
        let kind = ConstGauge::new(0_i64).metric_type();
        let mut family = encoder.encode_descriptor(name, help, None, kind)?;
        for each in ["foresail", "nobody", "other", "unknown"] {
            let is_it = ConstGauge::new(i64::from(each == owner));
            is_it.encode(family.encode_family(&[("owner", each)])?)?;
        }
        Ok(())
    }
}
