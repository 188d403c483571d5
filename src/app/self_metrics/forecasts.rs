//! How well each policy's forecast does, and how far it looks, for the exposition page.

use crate::app::configuration::Loaded;
use crate::app::self_metrics::by_policy;
use crate::app::supply::SupplyIndex;
use crate::domain::name::PolicyKey;
use crate::evaluation::forecasts::lead_time;
use crate::pipeline::forecast::Verdict;
use crate::pipeline::outcome::Foreseen;
use crate::policy::Policy;
use crate::published::{Published, Snapshot, State};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};
use std::fmt::Error;
use std::sync::Arc;
use tokio::sync::watch;

/// Adds what is known of the forecasts.
pub(in crate::app) fn forecasts(registry: &mut Registry, forecasts: OfForecasts) {
    registry.register_collector(Box::new(forecasts));
}

/// Who knows about forecasts.
#[derive(Debug)]
pub(in crate::app) struct OfForecasts {
    loaded: watch::Receiver<Arc<Loaded>>,
    published: Arc<Published>,
    /// `None` without a cluster.
    supply: Option<Arc<SupplyIndex>>,
}

impl OfForecasts {
    pub(in crate::app) fn new(
        loaded: &watch::Receiver<Arc<Loaded>>,
        published: &Arc<Published>,
        supply: Option<&Arc<SupplyIndex>>,
    ) -> Self {
        let (loaded, published) = (loaded.clone(), Arc::clone(published));
        Self { loaded, published, supply: supply.cloned() }
    }
}

impl Collector for OfForecasts {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let loaded = Arc::clone(&self.loaded.borrow());
        let policies = loaded.config.policies.iter();
        let foreseeing: Vec<&Policy> =
            policies.map(AsRef::as_ref).filter(|it| it.forecast.is_some()).collect();
        let help = "How far a policy's forecast looks ahead";
        let leads = foreseeing.iter().map(|policy| {
            let supply = self.supply.as_ref().and_then(|it| it.for_policy(policy));
            (&policy.key, lead_time(policy, supply.as_deref()).total().as_secs_f64())
        });
        by_policy(&mut encoder, ("lead_time", help, Some(&Unit::Seconds)), leads)?;
        let snapshot = self.published.load();
        let all = foreseeing.iter().filter_map(|it| Some((&it.key, foreseen(it, &snapshot)?)));
        encode_foreseen(&mut encoder, &all.collect::<Vec<_>>())
    }
}

fn foreseen(policy: &Policy, snapshot: &Snapshot) -> Option<Foreseen> {
    let entries = snapshot.find(&policy.metric_key());
    match &entries.iter().find(|it| it.policy == policy.key)?.state {
        State::Evaluated(outcome) => outcome.foreseen,
        State::Waiting | State::Broken(_) => None,
    }
}

fn encode_foreseen(
    encoder: &mut DescriptorEncoder<'_>,
    all: &[(&PolicyKey, Foreseen)],
) -> Result<(), Error> {
    let scores = |of: fn(&Foreseen) -> Option<f64>| {
        all.iter().filter_map(move |(key, it)| Some((*key, of(it)?)))
    };
    let help = "The share of the loss of no change that a policy's forecast saves of late";
    by_policy(encoder, ("forecast_skill", help, None), scores(|it| it.score?.skill))?;
    let help = "The share of peaks of late that stayed below a policy's forecast";
    by_policy(encoder, ("forecast_coverage", help, None), scores(|it| it.score?.coverage))?;
    let help = "Whether a policy's forecast may be published (1) or has to earn its place (0)";
    let gates = scores(|it| {
        let is_open = matches!(it.told.verdict, Verdict::Active | Verdict::Shadow);
        Some(if is_open { 1.0 } else { 0.0 })
    });
    by_policy(encoder, ("forecast_gate_open", help, None), gates)?;
    if all.is_empty() {
        return Ok(());
    }
    let (name, help) = ("forecast_model_info", "The model of a policy's forecast; always 1");
    let one = ConstGauge::new(1_i64);
    let mut family = encoder.encode_descriptor(name, help, None, one.metric_type())?;
    for (key, it) in all {
        let model = it.told.chosen.model.name();
        let (namespace, policy) = (key.namespace.as_str(), key.name.as_str());
        let labels = [("namespace", namespace), ("policy", policy), ("model", model)];
        one.encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}
