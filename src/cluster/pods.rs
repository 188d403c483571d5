//! Which pods exist: a metadata-only watch of the namespaces that policies are about.

use crate::cluster::Client;
use crate::cluster::watching::{Progress, follow};
use crate::domain::labels::Labels;
use crate::domain::name::{Namespace, ObjectName};
use crate::domain::ports::{Pods, PodsUnknown};
use crate::domain::selector::Selector;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::{self, Event, ListSemantic, watcher};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::panic::resume_unwind;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, debug, info_span};

/// Above so many namespaces one watch of the whole cluster is cheaper than one for each.
const WATCHES_MAX: usize = 16;

type Metadata = PartialObjectMeta<Pod>;
type NamespacePods = BTreeMap<ObjectName, Labels>;

/// The pods that are known, by namespace and name. What was seen last stays while a watch fails.
#[derive(Debug, Default)]
pub struct PodIndex {
    state: RwLock<State>,
    progress: Progress,
}

#[derive(Debug, Default)]
struct State {
    wanted: BTreeSet<Namespace>,
    /// A namespace is in here once its first list is whole, and as long as it is wanted.
    known: BTreeMap<Namespace, NamespacePods>,
}

/// What one watch is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Scope {
    One(Namespace),
    /// The whole cluster, of which these are kept.
    All(BTreeSet<Namespace>),
}

impl PodIndex {
    /// Whether the first list of every wanted namespace is in.
    #[must_use]
    pub fn is_synced(&self) -> bool {
        let state = self.read();
        state.wanted.iter().all(|namespace| state.known.contains_key(namespace))
    }

    /// How many pods are known.
    #[must_use]
    pub fn n_pods(&self) -> usize {
        self.read().known.values().map(BTreeMap::len).sum()
    }

    /// How often pods were listed since the start; each list begins a watch anew.
    #[must_use]
    pub fn lists(&self) -> u64 {
        self.progress.lists()
    }

    /// How often a list or a watch failed since the start.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.progress.failures()
    }

    /// How many watches fail now, so that what is known may be old.
    #[must_use]
    pub fn n_failing(&self) -> u64 {
        self.progress.n_failing()
    }

    /// Follows the pods of the `wanted` namespaces, whichever they are at any time, until `stop`
    /// is cancelled.
    pub async fn watch(
        self: Arc<Self>,
        client: Client,
        wanted: watch::Receiver<BTreeSet<Namespace>>,
        stop: CancellationToken,
    ) {
        let watches = self.keep_watches(client, wanted).instrument(info_span!("pods"));
        stop.run_until_cancelled(watches).await;
    }

    async fn keep_watches(
        self: Arc<Self>,
        client: Client,
        mut wanted: watch::Receiver<BTreeSet<Namespace>>,
    ) {
        // Dropping the set ends all watches.
        let mut tasks = JoinSet::new();
        let mut running: BTreeMap<Scope, AbortHandle> = BTreeMap::new();
        loop {
            let namespaces = wanted.borrow_and_update().clone();
            let plan = plan(&namespaces);
            self.want(namespaces);
            running.retain(|scope, task| {
                let stays = plan.contains(scope);
                if !stays {
                    task.abort();
                }
                stays
            });
            for scope in plan {
                running.entry(scope).or_insert_with_key(|scope| {
                    let index = Arc::clone(&self);
                    let span = info_span!("watch", scope = scope.name());
                    tasks.spawn(index.follow(client.clone(), scope.clone()).instrument(span))
                });
            }
            if !changed(&mut wanted, &mut tasks).await {
                // Nobody can change the wish any more; the watches go on.
                std::future::pending::<()>().await;
            }
        }
    }

    async fn follow(self: Arc<Self>, client: Client, scope: Scope) {
        let api: Api<Metadata> = match &scope {
            Scope::One(namespace) => Api::namespaced(client, namespace.as_str()),
            Scope::All(_) => Api::all(client),
        };
        // Lists come from the API server's memory, as with the reflectors of client-go.
        let config = watcher::Config { list_semantic: ListSemantic::Any, ..Default::default() };
        let mut listing = BTreeMap::new();
        follow(watcher(api, config), &self.progress, |event| {
            self.take(event, &scope, &mut listing);
        })
        .await;
    }

    fn want(&self, namespaces: BTreeSet<Namespace>) {
        let mut state = self.write();
        state.known.retain(|namespace, _| namespaces.contains(namespace));
        state.wanted = namespaces;
    }

    /// Takes in one event; a list is collected in `listing` and put in place as a whole.
    fn take(
        &self,
        event: Event<Metadata>,
        scope: &Scope,
        listing: &mut BTreeMap<Namespace, NamespacePods>,
    ) {
        match event {
            Event::Init => listing.clear(),
            Event::InitApply(pod) => {
                if let Some((namespace, name)) = self.wanted(&pod) {
                    insert(listing.entry(namespace).or_default(), name, pod);
                }
            }
            Event::InitDone => self.replace(scope, std::mem::take(listing)),
            Event::Apply(pod) => {
                if let Some((namespace, name)) = self.wanted(&pod)
                    && let Some(pods) = self.write().known.get_mut(&namespace)
                {
                    insert(pods, name, pod);
                }
            }
            Event::Delete(pod) => {
                if let Some((namespace, name)) = self.wanted(&pod)
                    && let Some(pods) = self.write().known.get_mut(&namespace)
                {
                    pods.remove(&name);
                }
            }
        }
    }

    fn replace(&self, scope: &Scope, mut listed: BTreeMap<Namespace, NamespacePods>) {
        let namespaces = match scope {
            Scope::One(namespace) => BTreeSet::from([namespace.clone()]),
            Scope::All(namespaces) => namespaces.clone(),
        };
        let mut state = self.write();
        for namespace in namespaces {
            // A watch that is being ended must not bring its namespace back.
            if state.wanted.contains(&namespace) {
                let pods = listed.remove(&namespace).unwrap_or_default();
                state.known.insert(namespace, pods);
            }
        }
    }

    /// Where a pod belongs, if anywhere.
    fn wanted(&self, pod: &Metadata) -> Option<(Namespace, ObjectName)> {
        let namespace = pod.metadata.namespace.as_deref()?;
        let namespace = self.read().wanted.get(namespace).cloned()?;
        let name = pod.metadata.name.as_deref()?;
        match ObjectName::new(name) {
            Ok(name) => Some((namespace, name)),
            Err(error) => {
                debug!(%error, "a pod without a usable name is left out");
                None
            }
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pods for PodIndex {
    fn matching(
        &self,
        namespace: &Namespace,
        selector: &Selector,
    ) -> Result<Vec<ObjectName>, PodsUnknown> {
        let state = self.read();
        let pods = state.known.get(namespace).ok_or(PodsUnknown::NotSynced)?;
        let matching = pods.iter().filter(|(_, labels)| selector.matches(labels));
        Ok(matching.map(|(name, _)| name.clone()).collect())
    }
}

fn plan(namespaces: &BTreeSet<Namespace>) -> BTreeSet<Scope> {
    if namespaces.len() > WATCHES_MAX {
        BTreeSet::from([Scope::All(namespaces.clone())])
    } else {
        namespaces.iter().cloned().map(Scope::One).collect()
    }
}

impl Scope {
    fn name(&self) -> &str {
        match self {
            Self::One(namespace) => namespace.as_str(),
            Self::All(_) => "*",
        }
    }
}

/// Waits until other namespaces are wanted; false if that cannot happen any more.
async fn changed(
    wanted: &mut watch::Receiver<BTreeSet<Namespace>>,
    tasks: &mut JoinSet<()>,
) -> bool {
    loop {
        tokio::select! {
            changed = wanted.changed() => return changed.is_ok(),
            Some(ended) = tasks.join_next() => {
                // An ended watch was aborted because nobody wants it, or there is a bug to show.
                if let Err(error) = ended && error.is_panic() {
                    resume_unwind(error.into_panic());
                }
            }
        }
    }
}

/// Pods of one workload stand side by side and mostly carry the same labels: they share them.
fn insert(pods: &mut NamespacePods, name: ObjectName, pod: Metadata) {
    let labels: Labels = pod.metadata.labels.unwrap_or_default().into_iter().collect();
    let before = (Bound::Unbounded, Bound::Excluded(name.as_str()));
    let neighbour = pods.range::<str, _>(before).next_back().map(|(_, labels)| labels);
    let labels = neighbour.filter(|it| **it == labels).cloned().unwrap_or(labels);
    pods.insert(name, labels);
}

#[cfg(test)]
mod tests;
