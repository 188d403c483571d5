//! Which pods exist: a metadata-only watch of the namespaces that policies are about.

use crate::cluster::Client;
use crate::cluster::namespaces::{Kind, Namespaces, shared};
use crate::cluster::watching::Progress;
use crate::domain::labels::Labels;
use crate::domain::name::{Namespace, ObjectName};
use crate::domain::ports::{Pods, PodsUnknown};
use crate::domain::selector::Selector;
use k8s_openapi::api::core::v1::Pod;
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::ListSemantic;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The pods that are known, by namespace and name.
#[derive(Debug, Default)]
pub struct PodIndex(Arc<Namespaces<PodLabels>>);

/// Of a pod its labels are kept.
#[derive(Debug)]
struct PodLabels;

impl PodIndex {
    /// Whether the first list of every wanted namespace is in.
    #[must_use]
    pub fn is_synced(&self) -> bool {
        self.0.is_synced()
    }

    /// How many pods are known.
    #[must_use]
    pub fn n_pods(&self) -> usize {
        self.0.count()
    }

    /// How its watches are doing.
    #[must_use]
    pub fn progress(&self) -> &Progress {
        self.0.progress()
    }

    /// Follows the pods of the `wanted` namespaces, whichever they are at any time, until `stop`
    /// is cancelled.
    pub async fn watch(
        self: Arc<Self>,
        client: Client,
        wanted: watch::Receiver<BTreeSet<Namespace>>,
        stop: CancellationToken,
    ) {
        Arc::clone(&self.0).watch(client, wanted, stop).await;
    }
}

impl Pods for PodIndex {
    fn matching(
        &self,
        namespace: &Namespace,
        selector: &Selector,
    ) -> Result<Vec<ObjectName>, PodsUnknown> {
        let matching = self.0.look(namespace, |pods| {
            let matching = pods.iter().filter(|(_, labels)| selector.matches(labels));
            matching.map(|(name, _)| name.clone()).collect()
        });
        matching.ok_or(PodsUnknown::NotSynced)
    }
}

impl Kind for PodLabels {
    type Object = PartialObjectMeta<Pod>;
    type Kept = Labels;

    const NAME: &'static str = "pods";

    /// As the reflectors of client-go do it.
    fn list() -> ListSemantic {
        ListSemantic::Any
    }

    fn put(pods: &mut BTreeMap<ObjectName, Labels>, name: ObjectName, pod: Self::Object) -> bool {
        let labels = pod.metadata.labels.unwrap_or_default().into_iter().collect();
        let labels = shared(pods, &name, labels, |labels| labels);
        pods.insert(name, labels.clone()) != Some(labels)
    }
}

#[cfg(test)]
mod tests;
