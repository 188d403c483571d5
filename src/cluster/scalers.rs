//! Which HorizontalPodAutoscalers there are, what they scale and what they ask for.

use crate::cluster::Client;
use crate::cluster::watching::{Progress, follow};
use crate::domain::limits;
use crate::domain::name::{BadName, MetricName, Namespace, ObjectName};
use crate::domain::object::ObjectKind;
use crate::domain::scaler::{Asked, Described, Scaler};
use k8s_openapi::api::autoscaling::v2::{
    CrossVersionObjectReference, HorizontalPodAutoscaler, MetricSpec,
};
use kube::Api;
use kube::runtime::watcher::{self, Event, ListSemantic, watcher};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, debug, info_span};

type Key = (Namespace, ObjectName);

/// The HPAs that ask for custom or external metrics. What was seen last stays while a watch fails.
#[derive(Debug, Default)]
pub struct ScalerIndex {
    /// `None` until the first list is in.
    known: Mutex<Option<BTreeMap<Key, Arc<Scaler>>>>,
    progress: Progress,
}

impl ScalerIndex {
    /// All of them; `None` while nothing is known.
    #[must_use]
    pub fn all(&self) -> Option<Vec<Arc<Scaler>>> {
        Some(self.lock().as_ref()?.values().cloned().collect())
    }

    /// Follows all HPAs until `stop` is cancelled.
    pub async fn watch(self: Arc<Self>, client: Client, stop: CancellationToken) {
        let api: Api<HorizontalPodAutoscaler> = Api::all(client);
        let config = watcher::Config { list_semantic: ListSemantic::Any, ..Default::default() };
        let mut listing = BTreeMap::new();
        let events = follow(watcher(api, config), &self.progress, |event| {
            self.take(event, &mut listing);
        });
        stop.run_until_cancelled(events.instrument(info_span!("hpas"))).await;
    }

    fn take(
        &self,
        event: Event<HorizontalPodAutoscaler>,
        listing: &mut BTreeMap<Key, Arc<Scaler>>,
    ) {
        match event {
            Event::Init => listing.clear(),
            Event::InitApply(hpa) => put(listing, &hpa),
            Event::InitDone => *self.lock() = Some(std::mem::take(listing)),
            Event::Apply(hpa) => {
                if let Some(known) = self.lock().as_mut() {
                    put(known, &hpa);
                }
            }
            Event::Delete(hpa) => {
                if let (Some(known), Ok(key)) = (self.lock().as_mut(), key(&hpa)) {
                    known.remove(&key);
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<BTreeMap<Key, Arc<Scaler>>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One that asks for nothing of ours is not kept; an edit may have made it so.
fn put(known: &mut BTreeMap<Key, Arc<Scaler>>, hpa: &HorizontalPodAutoscaler) {
    let Ok(key) = key(hpa) else { return };
    known.remove(&key);
    match read(hpa) {
        Ok(scaler) if !scaler.asks.is_empty() && known.len() < limits::SCALERS_MAX => {
            known.insert(key, Arc::new(scaler));
        }
        Ok(_) => {}
        Err(error) => debug!(%error, "an HPA that names what cannot be is left out"),
    }
}

fn key(hpa: &HorizontalPodAutoscaler) -> Result<Key, BadName> {
    let metadata = &hpa.metadata;
    let namespace = Namespace::new(metadata.namespace.as_deref().unwrap_or_default())?;
    Ok((namespace, ObjectName::new(metadata.name.as_deref().unwrap_or_default())?))
}

fn read(hpa: &HorizontalPodAutoscaler) -> Result<Scaler, BadName> {
    let (namespace, name) = key(hpa)?;
    let target = described(&hpa.spec.scale_target_ref)?;
    let metrics = hpa.spec.metrics.iter().flatten();
    // A metric that is no name of ours is none that we publish.
    let asks = metrics.filter_map(|it| asked(it).transpose()?.ok()).collect();
    Ok(Scaler { namespace, name, target, asks })
}

fn asked(metric: &MetricSpec) -> Result<Option<Asked>, BadName> {
    let MetricSpec { external, object, pods, .. } = metric;
    Ok(if let Some(external) = external {
        Some(Asked::External(MetricName::new(&external.metric.name)?))
    } else if let Some(pods) = pods {
        Some(Asked::Pods(MetricName::new(&pods.metric.name)?))
    } else if let Some(object) = object {
        let about = described(&object.described_object)?;
        Some(Asked::Object(MetricName::new(&object.metric.name)?, about))
    } else {
        None
    })
}

fn described(reference: &CrossVersionObjectReference) -> Result<Described, BadName> {
    let kind = ObjectKind {
        api_version: reference.api_version.as_deref().unwrap_or("v1").into(),
        kind: reference.kind.as_str().into(),
    };
    Ok(Described { kind, name: ObjectName::new(&reference.name)? })
}
