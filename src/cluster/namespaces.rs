//! Following the objects of one kind in the namespaces that are wanted, whichever they are at any
//! time; what is kept of each object is up to the kind.

use crate::cluster::Client;
use crate::cluster::watching::{Progress, follow};
use crate::domain::labels::Labels;
use crate::domain::name::{Namespace, ObjectName};
use k8s_openapi::NamespaceResourceScope;
use kube::runtime::watcher::{self, Event, ListSemantic, watcher};
use kube::{Api, Resource};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::ops::Bound;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, debug, info_span};

/// Above so many namespaces one watch of the whole cluster is cheaper than one for each.
const WATCHES_MAX: usize = 16;

/// A kind of object, and what is kept of it.
pub(crate) trait Kind: Debug + Send + Sync + 'static {
    /// The object.
    type Object: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + serde::de::DeserializeOwned
        + Send
        + 'static;
    /// What is kept of it.
    type Kept: Debug + Send + Sync + 'static;

    /// How the objects are called in logs.
    const NAME: &'static str;

    /// How they are listed: in pages from the store, or at once from the API server's memory.
    fn list() -> ListSemantic;

    /// Puts an object in its place; answers whether anything that is kept has changed.
    fn put(
        kept: &mut BTreeMap<ObjectName, Self::Kept>,
        name: ObjectName,
        object: Self::Object,
    ) -> bool;
}

/// The objects that are known, by namespace and name. What was seen last stays while a watch fails.
#[derive(Debug)]
pub(crate) struct Namespaces<K: Kind> {
    state: RwLock<State<K::Kept>>,
    progress: Progress,
    changes: AtomicU64,
}

#[derive(Debug)]
struct State<T> {
    wanted: BTreeSet<Namespace>,
    /// A namespace is in here once its first list is whole, and as long as it is wanted.
    known: Known<T>,
}

/// What is kept of each object, by namespace.
pub(crate) type Known<T> = BTreeMap<Namespace, BTreeMap<ObjectName, T>>;

/// What one watch is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scope {
    One(Namespace),
    /// The whole cluster, of which these are kept.
    All(BTreeSet<Namespace>),
}

impl<K: Kind> Default for Namespaces<K> {
    fn default() -> Self {
        let state = State { wanted: BTreeSet::new(), known: BTreeMap::new() };
        let (state, progress) = (RwLock::new(state), Progress::default());
        Self { state, progress, changes: AtomicU64::new(0) }
    }
}

impl<K: Kind> Namespaces<K> {
    /// Whether the first list of every wanted namespace is in.
    pub(crate) fn is_synced(&self) -> bool {
        let state = self.read();
        state.wanted.iter().all(|namespace| state.known.contains_key(namespace))
    }

    /// How many objects are known.
    pub(crate) fn count(&self) -> usize {
        self.read().known.values().map(BTreeMap::len).sum()
    }

    /// Grows with every change of what is known. Read it before what it is about.
    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// How the watches are doing.
    pub(crate) fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Lets `look` see what is known of one namespace; `None` while its first list is not in.
    pub(crate) fn look<R>(
        &self,
        namespace: &Namespace,
        look: impl FnOnce(&BTreeMap<ObjectName, K::Kept>) -> R,
    ) -> Option<R> {
        self.read().known.get(namespace).map(look)
    }

    /// Follows the objects of the `wanted` namespaces until `stop` is cancelled.
    pub(crate) async fn watch(
        self: Arc<Self>,
        client: Client,
        wanted: watch::Receiver<BTreeSet<Namespace>>,
        stop: CancellationToken,
    ) {
        let span = info_span!("objects", kind = K::NAME);
        stop.run_until_cancelled(self.keep_watches(client, wanted).instrument(span)).await;
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
                    let this = Arc::clone(&self);
                    let span = info_span!("watch", scope = scope.name());
                    tasks.spawn(this.follow(client.clone(), scope.clone()).instrument(span))
                });
            }
            if !changed(&mut wanted, &mut tasks).await {
                // Nobody can change the wish any more; the watches go on.
                std::future::pending::<()>().await;
            }
        }
    }

    async fn follow(self: Arc<Self>, client: Client, scope: Scope) {
        let api: Api<K::Object> = match &scope {
            Scope::One(namespace) => Api::namespaced(client, namespace.as_str()),
            Scope::All(_) => Api::all(client),
        };
        let config = watcher::Config { list_semantic: K::list(), ..Default::default() };
        let mut listing = BTreeMap::new();
        follow(watcher(api, config), &self.progress, |event| {
            self.take(event, &scope, &mut listing);
        })
        .await;
    }

    pub(crate) fn want(&self, namespaces: BTreeSet<Namespace>) {
        let mut state = self.write();
        self.note_change();
        state.known.retain(|namespace, _| namespaces.contains(namespace));
        state.wanted = namespaces;
    }

    /// Takes in one event; a list is collected in `listing` and put in place as a whole.
    pub(crate) fn take(
        &self,
        event: Event<K::Object>,
        scope: &Scope,
        listing: &mut Known<K::Kept>,
    ) {
        match event {
            Event::Init => listing.clear(),
            Event::InitApply(object) => {
                if let Some((namespace, name)) = self.wanted(&object) {
                    _ = K::put(listing.entry(namespace).or_default(), name, object);
                }
            }
            Event::InitDone => self.replace(scope, std::mem::take(listing)),
            Event::Apply(object) => {
                if let Some((namespace, name)) = self.wanted(&object)
                    && let Some(kept) = self.write().known.get_mut(&namespace)
                    && K::put(kept, name, object)
                {
                    self.note_change();
                }
            }
            Event::Delete(object) => {
                if let Some((namespace, name)) = self.wanted(&object)
                    && let Some(kept) = self.write().known.get_mut(&namespace)
                    && kept.remove(&name).is_some()
                {
                    self.note_change();
                }
            }
        }
    }

    fn replace(&self, scope: &Scope, mut listed: Known<K::Kept>) {
        let namespaces = match scope {
            Scope::One(namespace) => BTreeSet::from([namespace.clone()]),
            Scope::All(namespaces) => namespaces.clone(),
        };
        let mut state = self.write();
        self.note_change();
        for namespace in namespaces {
            // A watch that is being ended must not bring its namespace back.
            if state.wanted.contains(&namespace) {
                let kept = listed.remove(&namespace).unwrap_or_default();
                state.known.insert(namespace, kept);
            }
        }
    }

    /// Where an object belongs, if anywhere.
    fn wanted(&self, object: &K::Object) -> Option<(Namespace, ObjectName)> {
        let metadata = object.meta();
        let namespace = self.read().wanted.get(metadata.namespace.as_deref()?).cloned()?;
        match ObjectName::new(metadata.name.as_deref()?) {
            Ok(name) => Some((namespace, name)),
            Err(error) => {
                debug!(%error, "an object without a usable name is left out");
                None
            }
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, State<K::Kept>> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State<K::Kept>> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Called while the state is locked: whoever reads the number and then the state has seen all
    /// changes up to that number.
    fn note_change(&self) {
        self.changes.fetch_add(1, Ordering::Release);
    }
}

/// Pods of one workload stand side by side and mostly carry the same labels: they share them.
pub(crate) fn shared<T>(
    kept: &BTreeMap<ObjectName, T>,
    name: &ObjectName,
    labels: Labels,
    of: fn(&T) -> &Labels,
) -> Labels {
    let before = (Bound::Unbounded, Bound::Excluded(name.as_str()));
    let neighbour = kept.range::<str, _>(before).next_back().map(|(_, it)| of(it));
    neighbour.filter(|it| **it == labels).cloned().unwrap_or(labels)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_namespaces_are_watched_as_one() {
        let names = |n: usize| -> BTreeSet<Namespace> {
            (0..n).map(|number| Namespace::new(&format!("ns-{number}")).unwrap()).collect()
        };
        assert_eq!(plan(&names(0)).len(), 0);
        assert_eq!(plan(&names(WATCHES_MAX)).len(), WATCHES_MAX);
        assert_eq!(plan(&names(17)), BTreeSet::from([Scope::All(names(17))]));
    }
}
