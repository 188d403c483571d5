//! Which pods belong to a scale target: the selector that its `/scale` tells, which every kind has
//! that an HPA can scale. Asked slowly, since selectors hardly ever change.

use crate::cluster::{Client, whole};
use crate::domain::object::{ObjectKind, ObjectRef};
use crate::domain::selector::Selector;
use futures::{StreamExt, stream};
use kube::Api;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use kube::discovery::pinned_kind;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, info, info_span, warn};

/// How long a selector is believed. In most kinds it cannot change while the object lives.
const REFRESH: Duration = Duration::from_secs(600);
/// How long after a first failure a target is asked again: it may not have been made yet. Each
/// further pause is twice as long, up to `REFRESH`, so that missing rights cost little.
const RETRY: Duration = Duration::from_secs(15);
/// One question; a dead connection must not hold up the others for ever.
const DEADLINE: Duration = Duration::from_secs(10);
/// Questions in flight at once: a thousand targets at the start are no storm.
const ASKED_AT_ONCE: usize = 4;

/// The selectors of the scale targets that are wanted.
#[derive(Debug, Default)]
pub struct TargetIndex {
    known: RwLock<BTreeMap<ObjectRef, Arc<Selector>>>,
    n_failing: AtomicU64,
    changes: AtomicU64,
}

/// When a target is to be asked again, and what went wrong last.
#[derive(Debug)]
struct Due {
    at: Instant,
    trouble: Option<Trouble>,
}

#[derive(Debug)]
struct Trouble {
    fault: String,
    /// How long it waits before it is asked again.
    pause: Duration,
}

type Answer = Result<Selector, String>;

impl TargetIndex {
    /// The selector of a target's pods; `None` while it is not known.
    #[must_use]
    pub fn selector(&self, target: &ObjectRef) -> Option<Arc<Selector>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(target).cloned()
    }

    /// How many of the wanted targets did not tell their selector when they were asked last.
    #[must_use]
    pub fn n_failing(&self) -> u64 {
        self.n_failing.load(Ordering::Relaxed)
    }

    /// Grows with every change of what is known.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Asks for the selectors of the `wanted` targets, whichever they are at any time, until `stop`
    /// is cancelled.
    pub async fn follow(
        self: Arc<Self>,
        client: Client,
        wanted: watch::Receiver<BTreeSet<ObjectRef>>,
        stop: CancellationToken,
    ) {
        let asking = self.ask_on(client, wanted).instrument(info_span!("scale-targets"));
        stop.run_until_cancelled(asking).await;
    }

    async fn ask_on(&self, client: Client, mut wanted: watch::Receiver<BTreeSet<ObjectRef>>) {
        let mut dues: BTreeMap<ObjectRef, Due> = BTreeMap::new();
        loop {
            let targets = wanted.borrow_and_update().clone();
            self.forget(&targets);
            dues.retain(|target, _| targets.contains(target));
            let now = Instant::now();
            let is_due = |target: &&ObjectRef| dues.get(*target).is_none_or(|it| it.at <= now);
            let asked: Vec<ObjectRef> = targets.iter().filter(is_due).cloned().collect();
            let kinds = kinds(&client, &asked).await;
            let answers = asked.into_iter().map(|target| ask(&client, &kinds, target));
            let mut answers = stream::iter(answers).buffer_unordered(ASKED_AT_ONCE);
            while let Some((target, answer)) = answers.next().await {
                let due = self.take(&target, answer, dues.remove(&target));
                dues.insert(target, due);
            }
            let n_failing = dues.values().filter(|it| it.trouble.is_some()).count();
            self.n_failing.store(u64::try_from(n_failing).unwrap_or(u64::MAX), Ordering::Relaxed);
            let next = dues.values().map(|it| it.at).min();
            let next = next.unwrap_or_else(|| Instant::now() + REFRESH);
            tokio::select! {
                () = sleep_until(next) => {}
                Ok(()) = wanted.changed() => {}
            }
        }
    }

    fn forget(&self, wanted: &BTreeSet<ObjectRef>) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.retain(|target, _| wanted.contains(target));
    }

    /// Takes an answer in. What was known stays when there is none; trouble is logged once.
    fn take(&self, target: &ObjectRef, answer: Answer, before: Option<Due>) -> Due {
        let before = before.and_then(|it| it.trouble);
        let (kind, name) = (&target.kind.kind, &target.name);
        let namespace = target.namespace.as_ref().map(tracing::field::display);
        let now = Instant::now();
        match answer {
            Ok(selector) => {
                if before.is_some() {
                    info!(%kind, %name, namespace, "the scale target tells its pods now");
                }
                self.put(target, selector);
                Due { at: now + REFRESH, trouble: None }
            }
            Err(fault) => {
                if before.as_ref().is_none_or(|it| it.fault != fault) {
                    warn!(
                        %kind, %name, namespace, error = %fault,
                        "the scale target does not tell its pods; how long they take to start is \
                         not measured"
                    );
                }
                let trouble = Trouble { fault, pause: pause(before.map(|it| it.pause)) };
                Due { at: now + trouble.pause, trouble: Some(trouble) }
            }
        }
    }

    fn put(&self, target: &ObjectRef, selector: Selector) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.get(target).is_none_or(|it| **it != selector) {
            known.insert(target.clone(), Arc::new(selector));
            self.changes.fetch_add(1, Ordering::Release);
        }
    }
}

/// How long to wait after a failure, by how long it was after the one before.
fn pause(before: Option<Duration>) -> Duration {
    before.map_or(RETRY, |it| REFRESH.min(it * 2))
}

/// The selector of one target's pods, asked for now.
///
/// # Errors
/// Why it does not tell one.
pub(super) async fn selector_of(client: &Client, target: ObjectRef) -> Result<Selector, String> {
    let kinds = kinds(client, std::slice::from_ref(&target)).await;
    ask(client, &kinds, target).await.1
}

type Kinds = BTreeMap<ObjectKind, Result<ApiResource, String>>;

/// Where the API server keeps objects of these kinds; asked each time, because a kind may come and
/// go with its definition, and the targets of one turn share a handful of kinds.
async fn kinds(client: &Client, targets: &[ObjectRef]) -> Kinds {
    let wanted: BTreeSet<&ObjectKind> = targets.iter().map(|it| &it.kind).collect();
    let mut kinds = BTreeMap::new();
    for kind in wanted {
        let (group, version) = kind.api_version.split_once('/').unwrap_or(("", &kind.api_version));
        let wanted = GroupVersionKind::gvk(group, version, &kind.kind);
        let found = in_time(pinned_kind(client, &wanted)).await.map(|(resource, _)| resource);
        kinds.insert(kind.clone(), found);
    }
    kinds
}

async fn ask(client: &Client, kinds: &Kinds, target: ObjectRef) -> (ObjectRef, Answer) {
    let answer = match (kinds.get(&target.kind), &target.namespace) {
        (Some(Ok(resource)), Some(namespace)) => {
            let api: Api<DynamicObject> =
                Api::namespaced_with(client.clone(), namespace.as_str(), resource);
            let scale = in_time(api.get_scale(target.name.as_str())).await;
            scale.and_then(|scale| selector(scale.status.and_then(|it| it.selector)))
        }
        (Some(Err(fault)), _) => Err(fault.clone()),
        (None, _) | (_, None) => Err("an HPA cannot scale it".to_owned()),
    };
    (target, answer)
}

/// A selector that selects everything would take the pods of the whole namespace for the target's.
fn selector(text: Option<String>) -> Answer {
    match text.as_deref() {
        None | Some("") => Err("its scale tells no selector".to_owned()),
        Some(text) => Selector::parse(text).map_err(|error| error.to_string()),
    }
}

async fn in_time<T>(asking: impl Future<Output = kube::Result<T>>) -> Result<T, String> {
    match tokio::time::timeout(DEADLINE, asking).await {
        Ok(answer) => answer.map_err(|error| whole(&error)),
        Err(_) => Err("no answer in time".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_from_the_first_failure_up_to_the_refresh() {
        let pauses = std::iter::successors(Some(pause(None)), |before| Some(pause(Some(*before))));
        let seconds: Vec<u64> = pauses.take(8).map(|it| it.as_secs()).collect();
        assert_eq!(seconds, [15, 30, 60, 120, 240, 480, 600, 600]);
    }
}
