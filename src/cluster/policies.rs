//! The policies in the cluster: both kinds watched, and what people wrote passed on as it is.
//!
//! Whether an object is sound is for `policy` to say. A write of the status changes nothing that
//! is passed on, so it never causes a reload; what the status says that all replicas go by has a
//! way of its own.

use crate::cluster::Client;
use crate::cluster::watching::{Progress, follow_known};
use crate::domain::limits;
use crate::domain::name::{BadName, Namespace, PolicyName};
use crate::domain::policy_object::{PolicyKind, PolicyObject, PolicyObjectId};
use crate::policy::status::{CapacityStatus, ChoiceStatus, StartupStatus};
use crate::policy::wire::{API_GROUP, API_VERSION, VERSION};
use kube::Api;
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::runtime::watcher::{self, Event, ListSemantic, watcher};
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, debug, info_span};

/// Objects in one page of a list. Each may be as large as the API server takes, before it is looked
/// at here.
const PAGE: u32 = 50;

/// The objects at one moment.
#[derive(Clone, Debug, Default)]
pub struct PolicySet {
    /// All that are known.
    pub objects: Vec<Arc<PolicyObject>>,
    /// Whether the first list of each kind is in, or there is no such kind in the cluster.
    pub is_whole: bool,
}

/// What the status of an object says that all replicas go by.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Agreed {
    /// What `auto` chose.
    pub choice: Option<ChoiceStatus>,
    /// How long a pod takes to start.
    pub startup: Option<StartupStatus>,
    /// What one pod serves.
    pub capacity: Option<CapacityStatus>,
}

/// The same of each object whose status says any of it.
pub type AgreedByObject = BTreeMap<PolicyObjectId, Agreed>;

/// What is known about the objects. What was seen last stays while a watch fails.
#[derive(Debug)]
pub struct PolicyIndex {
    state: Mutex<State>,
    progress: Progress,
    seen: watch::Sender<PolicySet>,
    agreed: watch::Sender<AgreedByObject>,
}

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<PolicyObjectId, Known>,
    /// The kinds about which something is known.
    known: BTreeSet<PolicyKind>,
    /// Whether something that all go by has changed and was not passed on yet.
    has_newly_agreed: bool,
}

#[derive(Debug)]
struct Known {
    object: Arc<PolicyObject>,
    /// `status.conditions` as they were seen last.
    conditions: Json,
    /// What else it says, likewise.
    agreed: Agreed,
}

impl PolicyIndex {
    /// Nothing is known yet; what is seen goes to the receiver.
    #[must_use]
    pub fn new() -> (Arc<Self>, watch::Receiver<PolicySet>) {
        let (seen, receiver) = watch::channel(PolicySet::default());
        let (state, progress) = (Mutex::default(), Progress::default());
        let agreed = watch::Sender::default();
        (Arc::new(Self { state, progress, seen, agreed }), receiver)
    }

    /// How its watches are doing.
    #[must_use]
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// What all replicas go by, as the status of the objects says it.
    #[must_use]
    pub fn agreed(&self) -> watch::Receiver<AgreedByObject> {
        self.agreed.subscribe()
    }

    /// The conditions of an object as they were seen last, null when there are none, and its choice.
    pub(crate) fn said(&self, id: &PolicyObjectId) -> (Json, Option<ChoiceStatus>) {
        let state = self.lock();
        let known = state.objects.get(id);
        known.map(|it| (it.conditions.clone(), it.agreed.choice.clone())).unwrap_or_default()
    }

    /// Follows both kinds until `stop` is cancelled. Where the cluster does not know them (yet), it
    /// is asked again and again.
    pub async fn watch(self: Arc<Self>, client: Client, stop: CancellationToken) {
        let [namespaced, cluster] = PolicyKind::ALL.map(|kind| {
            let span = info_span!("policies", kind = kind.kind());
            Arc::clone(&self).follow(client.clone(), kind).instrument(span)
        });
        let both = futures::future::join(Box::pin(namespaced), Box::pin(cluster));
        stop.run_until_cancelled(both).await;
    }

    async fn follow(self: Arc<Self>, client: Client, kind: PolicyKind) {
        let api: Api<DynamicObject> = Api::all_with(client, &resource(kind));
        let config = watcher::Config {
            list_semantic: ListSemantic::Any,
            page_size: Some(PAGE),
            ..Default::default()
        };
        let mut listing = BTreeMap::new();
        let take = |event| self.take(event, kind, &mut listing);
        let unknown = || self.change(|state| state.known.insert(kind));
        follow_known(watcher(api, config), &self.progress, take, unknown).await;
    }

    fn take(
        &self,
        event: Event<DynamicObject>,
        kind: PolicyKind,
        listing: &mut BTreeMap<PolicyObjectId, Known>,
    ) {
        match event {
            Event::Init => listing.clear(),
            Event::InitApply(object) => listing.extend(read(kind, &object)),
            Event::InitDone => {
                let listed = std::mem::take(listing);
                self.change(|state| state.replace(kind, listed));
            }
            Event::Apply(object) => {
                if let Some((id, known)) = read(kind, &object) {
                    self.change(|state| state.put(id, known));
                }
            }
            Event::Delete(object) => {
                if let Some((id, _)) = read(kind, &object) {
                    self.change(|state| state.remove(&id));
                }
            }
        }
    }

    /// Makes a change, and passes on what is known then if the change was one of what people wrote.
    fn change(&self, change: impl FnOnce(&mut State) -> bool) {
        let mut state = self.lock();
        if change(&mut state) {
            let objects = state.objects.values().map(|known| Arc::clone(&known.object)).collect();
            let is_whole = PolicyKind::ALL.iter().all(|kind| state.known.contains(kind));
            self.seen.send_replace(PolicySet { objects, is_whole });
        }
        if std::mem::take(&mut state.has_newly_agreed) {
            let known = state.objects.iter().filter(|(_, it)| it.agreed != Agreed::default());
            let agreed = known.map(|(id, it)| (id.clone(), it.agreed.clone()));
            self.agreed.send_replace(agreed.collect());
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Answers whether what people wrote has changed.
    fn put(&mut self, id: PolicyObjectId, known: Known) -> bool {
        let before = self.objects.get(&id).map(|it| (&it.object.uid, it.object.generation));
        let is_new = before != Some((&known.object.uid, known.object.generation));
        let nothing = Agreed::default();
        let agreed = self.objects.get(&id).map_or(&nothing, |it| &it.agreed);
        self.has_newly_agreed |= *agreed != known.agreed;
        self.objects.insert(id, known);
        is_new
    }

    /// Answers whether there was such an object.
    fn remove(&mut self, id: &PolicyObjectId) -> bool {
        let removed = self.objects.remove(id);
        self.has_newly_agreed |= removed.as_ref().is_some_and(|it| it.agreed != Agreed::default());
        removed.is_some()
    }

    fn replace(&mut self, kind: PolicyKind, listed: BTreeMap<PolicyObjectId, Known>) -> bool {
        let mut is_new = self.known.insert(kind);
        let own = self.objects.keys().filter(|id| id.kind == kind && !listed.contains_key(id));
        for id in own.cloned().collect::<Vec<_>>() {
            is_new |= self.remove(&id);
        }
        for (id, known) in listed {
            is_new |= self.put(id, known);
        }
        is_new
    }
}

/// How the API calls a kind.
pub(super) fn resource(kind: PolicyKind) -> ApiResource {
    let kind_of = GroupVersionKind::gvk(API_GROUP, VERSION, kind.kind());
    ApiResource::from_gvk_with_plural(&kind_of, kind.plural())
}

/// `None` for an object whose names no API server would take.
fn read(kind: PolicyKind, object: &DynamicObject) -> Option<(PolicyObjectId, Known)> {
    let id = id(kind, object)
        .inspect_err(|error| debug!(%error, "a policy without a usable name is left out"))
        .ok()?;
    let metadata = &object.metadata;
    let mut names = json!({"name": id.name.as_str()});
    if let (Some(namespace), Some(names)) = (&id.namespace, names.as_object_mut()) {
        names.insert("namespace".to_owned(), namespace.as_str().into());
    }
    let written = json!({
        "apiVersion": API_VERSION,
        "kind": kind.kind(),
        "metadata": names,
        "spec": object.data.get("spec"),
    });
    let conditions = object.data.pointer("/status/conditions").cloned().unwrap_or_default();
    let agreed = Agreed {
        choice: said(&id, object, "choice"),
        startup: said(&id, object, "startup"),
        capacity: said(&id, object, "capacity"),
    };
    let object = PolicyObject {
        id: id.clone(),
        uid: metadata.uid.as_deref().unwrap_or_default().into(),
        generation: metadata.generation.unwrap_or_default(),
        created: metadata.creation_timestamp.as_ref().map(|it| it.0).unwrap_or_default(),
        text: Some(written.to_string())
            .filter(|it| it.len() <= limits::POLICY_BYTES_MAX)
            .map(Into::into),
    };
    Some((id, Known { object: Arc::new(object), conditions, agreed }))
}

/// One part of a status; what cannot be read is left out, and leaves the other parts alone.
fn said<T: DeserializeOwned>(id: &PolicyObjectId, object: &DynamicObject, part: &str) -> Option<T> {
    T::deserialize(object.data.get("status")?.get(part).filter(|it| !it.is_null())?)
        .inspect_err(|error| debug!(%id, part, %error, "a part of a status cannot be read"))
        .ok()
}

fn id(kind: PolicyKind, object: &DynamicObject) -> Result<PolicyObjectId, BadName> {
    let name = PolicyName::new(object.metadata.name.as_deref().unwrap_or_default())?;
    let namespace = match kind {
        PolicyKind::Cluster => None,
        PolicyKind::Namespaced => {
            Some(Namespace::new(object.metadata.namespace.as_deref().unwrap_or_default())?)
        }
    };
    Ok(PolicyObjectId { namespace, name, kind })
}
