//! Which objects other than pods exist: a metadata-only watch of one kind in one place, begun when
//! somebody asks for all of them and given up when nobody does any more.

use crate::cluster::namespaces::shared;
use crate::cluster::watching::{Progress, follow_known};
use crate::cluster::{Client, whole};
use crate::domain::labels::Labels;
use crate::domain::limits::on_demand::{
    COLLECTION_IDLE_MAX, COLLECTIONS_MAX, OBJECTS_MAX, OBJECTS_WAIT_MAX,
};
use crate::domain::name::ObjectName;
use crate::domain::object::Collection;
use crate::domain::ports::{Objects, ObjectsUnknown};
use crate::domain::selector::Selector;
use futures::TryStreamExt;
use kube::api::{ApiResource, DynamicObject};
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, ResourceExt};
use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, info_span};

/// How often it is looked what nobody asks for any more.
const LOOK: Duration = Duration::from_secs(30);

/// The objects that are known.
#[derive(Debug)]
pub struct ObjectIndex {
    followed: RwLock<BTreeMap<Collection, Followed>>,
    /// Somebody asks for what is not followed yet.
    is_wanted: Notify,
    progress: Progress,
    turned_away: AtomicU64,
    begun: Instant,
}

#[derive(Debug)]
struct Followed {
    /// When somebody asked last, in seconds since the index was made.
    asked: AtomicU64,
    known: Result<BTreeMap<ObjectName, Labels>, ObjectsUnknown>,
}

/// What is asked of an object.
type Metadata = PartialObjectMeta<DynamicObject>;

impl Default for ObjectIndex {
    fn default() -> Self {
        Self {
            followed: RwLock::default(),
            is_wanted: Notify::new(),
            progress: Progress::default(),
            turned_away: AtomicU64::new(0),
            begun: Instant::now(),
        }
    }
}

impl Objects for ObjectIndex {
    fn matching(
        &self,
        collection: &Collection,
        selector: &Selector,
    ) -> Result<Vec<ObjectName>, ObjectsUnknown> {
        let followed = self.read();
        let Some(followed) = followed.get(collection) else {
            return Err(self.untaken(followed.len()));
        };
        followed.asked.fetch_max(self.seconds(), Ordering::Relaxed);
        let objects = followed.known.as_ref().map_err(ObjectsUnknown::clone)?;
        let matching = objects.iter().filter(|(_, labels)| selector.matches(labels));
        Ok(matching.map(|(name, _)| name.clone()).collect())
    }

    fn want<'a>(
        &'a self,
        collection: &'a Collection,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        /// How often it is looked whether they are known.
        const LOOK: Duration = Duration::from_millis(25);
        Box::pin(async move {
            self.take_up(collection);
            let is_open = || {
                let is_open = |it: &Followed| it.known == Err(ObjectsUnknown::NotSynced);
                self.read().get(collection).is_some_and(is_open)
            };
            let known = async {
                while is_open() {
                    tokio::time::sleep(LOOK).await;
                }
            };
            // Whoever asked learns by the next look whether that was in time.
            tokio::time::timeout(OBJECTS_WAIT_MAX, known).await.ok();
        })
    }
}

impl ObjectIndex {
    /// How many kinds and places are followed.
    #[must_use]
    pub fn n_collections(&self) -> usize {
        self.read().len()
    }

    /// How many objects are known.
    #[must_use]
    pub fn n_objects(&self) -> usize {
        self.read().values().filter_map(|it| it.known.as_ref().ok()).map(BTreeMap::len).sum()
    }

    /// How many requests found that too many kinds and places are followed.
    #[must_use]
    pub fn turned_away(&self) -> u64 {
        self.turned_away.load(Ordering::Relaxed)
    }

    /// How its watches are doing.
    #[must_use]
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Follows what is asked for until `stop` is cancelled.
    pub async fn watch(self: Arc<Self>, client: Client, stop: CancellationToken) {
        stop.run_until_cancelled(self.keep_watches(client)).await;
    }

    async fn keep_watches(self: Arc<Self>, client: Client) {
        // Dropping the set ends all watches.
        let mut tasks = JoinSet::new();
        let mut running: BTreeMap<Collection, AbortHandle> = BTreeMap::new();
        loop {
            let wanted = self.still_wanted(self.seconds());
            running.retain(|collection, task| {
                let stays = wanted.contains(collection);
                if !stays {
                    task.abort();
                }
                stays
            });
            for collection in wanted {
                running.entry(collection).or_insert_with_key(|collection| {
                    let this = Arc::clone(&self);
                    let span = info_span!("objects", of = %collection);
                    tasks.spawn(this.follow(client.clone(), collection.clone()).instrument(span))
                });
            }
            tokio::select! {
                () = self.is_wanted.notified() => {}
                () = tokio::time::sleep(LOOK) => {}
                Some(ended) = tasks.join_next() => {
                    // An ended watch was aborted because nobody asks any more, or there is a bug to
                    // show.
                    if let Err(error) = ended && error.is_panic() {
                        std::panic::resume_unwind(error.into_panic());
                    }
                }
            }
        }
    }

    /// What somebody asked for lately; the rest is let go.
    fn still_wanted(&self, now: u64) -> Vec<Collection> {
        let since = now.saturating_sub(COLLECTION_IDLE_MAX.as_secs());
        let mut followed = self.write();
        followed.retain(|_, it| it.asked.load(Ordering::Relaxed) >= since);
        followed.keys().cloned().collect()
    }

    /// Has a collection followed, if there is room.
    fn take_up(&self, collection: &Collection) {
        let mut followed = self.write();
        if followed.contains_key(collection) {
            return;
        }
        if followed.len() >= COLLECTIONS_MAX {
            return;
        }
        let asked = AtomicU64::new(self.seconds());
        let known = Err(ObjectsUnknown::NotSynced);
        followed.insert(collection.clone(), Followed { asked, known });
        self.is_wanted.notify_one();
    }

    /// Why nothing is known of what is not followed, when so many others are.
    fn untaken(&self, n_followed: usize) -> ObjectsUnknown {
        if n_followed < COLLECTIONS_MAX {
            return ObjectsUnknown::NotSynced;
        }
        self.turned_away.fetch_add(1, Ordering::Relaxed);
        ObjectsUnknown::Unlisted(format!(
            "Foresail follows {n_followed} kinds and namespaces already, each for some minutes after \
             somebody asked; ask for one object by its name"
        ))
    }

    async fn follow(self: Arc<Self>, client: Client, collection: Collection) {
        let Collection { resource, kind, namespace } = &collection;
        let version = kind.api_version.rsplit_once('/').map_or(&*kind.api_version, |(_, it)| it);
        let resource = ApiResource {
            group: resource.group.to_string(),
            version: version.to_owned(),
            api_version: kind.api_version.to_string(),
            kind: kind.kind.to_string(),
            plural: resource.resource.to_string(),
        };
        let api: Api<Metadata> = match namespace {
            Some(namespace) => Api::namespaced_with(client, namespace.as_str(), &resource),
            None => Api::all_with(client, &resource),
        };
        let events = watcher(api, watcher::Config::default());
        let events = events.inspect_err(|error| self.note_trouble(&collection, error));
        let mut listing = BTreeMap::new();
        let take = |event| self.take(event, &collection, &mut listing);
        follow_known(events, &self.progress, take, || {}).await;
    }

    /// Takes in one event; a list is collected in `listing` and put in place as a whole.
    fn take(
        &self,
        event: Event<Metadata>,
        collection: &Collection,
        listing: &mut BTreeMap<ObjectName, Labels>,
    ) {
        match event {
            Event::Init => listing.clear(),
            Event::InitApply(object) => {
                // One above the limit shows that there are too many.
                if listing.len() <= OBJECTS_MAX {
                    put(listing, object);
                }
            }
            Event::InitDone => {
                let listed = std::mem::take(listing);
                self.change(collection, |known| *known = bounded(listed));
            }
            Event::Apply(object) => self.change(collection, |known| {
                if let Ok(objects) = known {
                    put(objects, object);
                    if objects.len() > OBJECTS_MAX {
                        *known = Err(too_many());
                    }
                }
            }),
            Event::Delete(object) => self.change(collection, |known| {
                if let (Ok(objects), Ok(name)) = (known, ObjectName::new(&object.name_any())) {
                    objects.remove(&name);
                }
            }),
        }
    }

    fn change(
        &self,
        collection: &Collection,
        change: impl FnOnce(&mut Result<BTreeMap<ObjectName, Labels>, ObjectsUnknown>),
    ) {
        // A watch that is being ended must not bring its objects back.
        if let Some(followed) = self.write().get_mut(collection) {
            change(&mut followed.known);
        }
    }

    /// Says why nothing is known. What was seen last stays in force.
    fn note_trouble(&self, collection: &Collection, error: &watcher::Error) {
        let watcher::Error::InitialListFailed(error) = error else { return };
        let why = ObjectsUnknown::Unlisted(advice(collection, error));
        self.change(collection, |known| {
            if known.is_err() {
                *known = Err(why);
            }
        });
    }

    fn seconds(&self) -> u64 {
        self.begun.elapsed().as_secs()
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<Collection, Followed>> {
        self.followed.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<Collection, Followed>> {
        self.followed.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn put(objects: &mut BTreeMap<ObjectName, Labels>, mut object: Metadata) {
    let Ok(name) = ObjectName::new(&object.name_any()) else { return };
    let labels = object.metadata.labels.take().unwrap_or_default().into_iter().collect();
    let labels = shared(objects, &name, labels, |it| it);
    objects.insert(name, labels);
}

fn bounded(
    listed: BTreeMap<ObjectName, Labels>,
) -> Result<BTreeMap<ObjectName, Labels>, ObjectsUnknown> {
    if listed.len() > OBJECTS_MAX { Err(too_many()) } else { Ok(listed) }
}

fn too_many() -> ObjectsUnknown {
    ObjectsUnknown::Unlisted(format!(
        "there are more than {OBJECTS_MAX}, which is more than Foresail follows; ask for one by its \
         name"
    ))
}

/// Why they cannot be listed, and what to do about it.
fn advice(collection: &Collection, error: &kube::Error) -> String {
    let code = if let kube::Error::Api(status) = error { status.code } else { 0 };
    let resource = &collection.resource;
    match code {
        403 => format!(
            "Foresail may not list them; give its ServiceAccount a ClusterRole with the rule \
             {{apiGroups: [{:?}], resources: [{}], verbs: [list, watch]}}, or ask for one by its name",
            resource.group, resource.resource
        ),
        404 => "the cluster has no such resource any more".to_owned(),
        405 => "they cannot be listed or watched; ask for one by its name".to_owned(),
        _ => format!("listing them failed: {}", whole(error)),
    }
}

#[cfg(test)]
mod tests;
