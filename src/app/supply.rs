//! Who uses each policy's metric, which of their pods serve or are on their way, and how long a pod
//! takes to start: what the cluster room knows, put together for each policy once a second.

mod book;

use crate::app::choices::Shared;
use crate::app::clock;
use crate::app::configuration::Loaded;
use crate::app::tasks::Tasks;
use crate::cluster::Client;
use crate::cluster::hpas::HpaIndex;
use crate::cluster::starts::StartIndex;
use crate::cluster::targets::TargetIndex;
use crate::domain::hpa::HpaUse;
use crate::domain::limits;
use crate::domain::name::{Namespace, PolicyKey};
use crate::domain::object::{ObjectKind, ObjectRef};
use crate::domain::supply::{StartKind, Supply, TargetSupply};
use crate::policy::Policy;
use crate::policy::forecast::Choice;
use book::Book;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// What is known of each policy's supply; shared by those who read it.
#[derive(Debug, Default)]
pub(crate) struct SupplyIndex {
    known: RwLock<BTreeMap<PolicyKey, Arc<Supply>>>,
    pub(super) counts: Counts,
    pub(super) feeds: Feeds,
}

/// What the cluster room follows for it.
#[derive(Debug, Default)]
pub(super) struct Feeds {
    pub(super) hpas: Arc<HpaIndex>,
    pub(super) starts: Arc<StartIndex>,
    pub(super) targets: Arc<TargetIndex>,
}

/// What was counted since the start.
#[derive(Debug, Default)]
pub(super) struct Counts {
    cold: AtomicU64,
    cached: AtomicU64,
    untold: AtomicU64,
    left_out: AtomicU64,
}

impl SupplyIndex {
    /// Starts everything that keeps an index up to date.
    pub(super) fn start(
        client: &Client,
        loaded: &watch::Receiver<Arc<Loaded>>,
        shared: watch::Receiver<Arc<Shared>>,
        tasks: &mut Tasks,
        stop: &CancellationToken,
    ) -> Arc<Self> {
        let index = Arc::new(Self::default());
        let Feeds { hpas, starts, targets } = &index.feeds;
        let (hpa_namespaces, wanted) = watch::channel(BTreeSet::new());
        tasks.spawn("hpas", Arc::clone(hpas).watch(client.clone(), wanted, stop.clone()));
        let (pod_namespaces, wanted) = watch::channel(BTreeSet::new());
        tasks.spawn("pod-starts", Arc::clone(starts).watch(client.clone(), wanted, stop.clone()));
        let (wish, wanted) = watch::channel(BTreeSet::new());
        let run = Arc::clone(targets).follow(client.clone(), wanted, stop.clone());
        tasks.spawn("scale-targets", run);
        let keeper = Keeper {
            index: Arc::clone(&index),
            loaded: loaded.clone(),
            shared,
            hpa_namespaces,
            pod_namespaces,
            targets: wish,
            book: Book::default(),
            seen: None,
        };
        tasks.spawn("supply", keeper.run(stop.clone()));
        index
    }

    /// What is known of the supply for a policy; `None` until it was looked at for the first time.
    pub(crate) fn for_policy(&self, policy: &Policy) -> Option<Arc<Supply>> {
        self.known().get(&policy.key).cloned()
    }

    /// All that is known, by policy.
    pub(super) fn all(&self) -> Vec<(PolicyKey, Arc<Supply>)> {
        self.known().iter().map(|(key, supply)| (key.clone(), Arc::clone(supply))).collect()
    }

    fn known(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<PolicyKey, Arc<Supply>>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    /// How many starts of this kind were measured.
    pub(super) fn starts(&self, kind: StartKind) -> u64 {
        self.of(kind).load(Ordering::Relaxed)
    }

    /// How many scale targets are not measured now because there are too many.
    pub(super) fn left_out(&self) -> u64 {
        self.left_out.load(Ordering::Relaxed)
    }

    fn of(&self, kind: StartKind) -> &AtomicU64 {
        match kind {
            StartKind::Cold => &self.cold,
            StartKind::Cached => &self.cached,
            StartKind::Untold => &self.untold,
        }
    }
}

/// The only writer of the index.
struct Keeper {
    index: Arc<SupplyIndex>,
    loaded: watch::Receiver<Arc<Loaded>>,
    /// What all replicas go by.
    shared: watch::Receiver<Arc<Shared>>,
    hpa_namespaces: watch::Sender<BTreeSet<Namespace>>,
    pod_namespaces: watch::Sender<BTreeSet<Namespace>>,
    targets: watch::Sender<BTreeSet<ObjectRef>>,
    book: Book,
    seen: Option<State>,
}

/// What the index was made from; made from the same, it would be the same.
struct State {
    /// Before what they are about, so that a change in between is seen the next time.
    changes: Changes,
    uses: Vec<Use>,
    /// Pods that are starting grow older without any change.
    is_starting: bool,
}

/// How far each input had changed.
struct Changes {
    loaded: Arc<Loaded>,
    shared: Arc<Shared>,
    hpas: u64,
    starts: u64,
    targets: u64,
}

/// Who uses one policy's metric, and whose pods tell its lead time.
struct Use {
    policy: PolicyKey,
    hpas: Option<Arc<[HpaUse]>>,
    measured: BTreeSet<ObjectRef>,
}

impl Keeper {
    async fn run(mut self, stop: CancellationToken) {
        let mut looks = tokio::time::interval(limits::SUPPLY_LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(looks.tick()).await.is_some() {
            self.look(clock::now());
        }
    }

    fn look(&mut self, now: Timestamp) {
        let changes = self.changes();
        let uses = match self.seen.take() {
            Some(seen) if !seen.is_starting && seen.changes.is_same(&changes) => {
                self.seen = Some(seen);
                return;
            }
            Some(seen) if seen.changes.is_same_use(&changes) => seen.uses,
            Some(_) | None => self.find_uses(&changes.loaded.config.policies),
        };
        let measured = self.measure(now);
        let is_starting = measured.values().any(|it| !it.starting.is_empty());
        let supplies = uses.iter().map(|it| {
            let targets = it.measured.iter().filter_map(|it| measured.get(it).cloned()).collect();
            let agreed = changes.shared.get(&it.policy).map(|it| it.supply).unwrap_or_default();
            (it.policy.clone(), Arc::new(Supply { hpas: it.hpas.clone(), targets, agreed }))
        });
        let supplies = supplies.collect();
        *self.index.known.write().unwrap_or_else(PoisonError::into_inner) = supplies;
        self.seen = Some(State { changes, uses, is_starting });
    }

    fn changes(&self) -> Changes {
        let Feeds { hpas, starts, targets } = &self.index.feeds;
        let loaded = Arc::clone(&self.loaded.borrow());
        let (hpas, starts, targets) = (hpas.changes(), starts.changes(), targets.changes());
        let shared = Arc::clone(&self.shared.borrow());
        Changes { loaded, shared, hpas, starts, targets }
    }

    fn find_uses(&self, policies: &[Arc<Policy>]) -> Vec<Use> {
        let uses = policies.iter().map(|policy| {
            let Policy { key, metric, subject, labels, .. } = &**policy;
            let hpas = self.index.feeds.hpas.users_of(&key.namespace, metric, subject, labels);
            let measured = measured(policy, hpas.as_deref().unwrap_or_default());
            Use { policy: key.clone(), hpas, measured }
        });
        let uses: Vec<Use> = uses.collect();
        self.wish(&uses);
        uses
    }

    /// Says what is to be followed: the HPAs of all policies, the targets that are measured, and
    /// their pods.
    fn wish(&self, uses: &[Use]) {
        send(&self.hpa_namespaces, uses.iter().map(|it| it.policy.namespace.clone()).collect());
        let mut targets: BTreeSet<ObjectRef> =
            uses.iter().flat_map(|it| &it.measured).cloned().collect();
        let left_out = targets.len().saturating_sub(limits::SCALE_TARGETS_MAX);
        for _ in 0..left_out {
            targets.pop_last();
        }
        let left_out = u64::try_from(left_out).unwrap_or(u64::MAX);
        if self.index.counts.left_out.swap(left_out, Ordering::Relaxed) < left_out {
            tracing::warn!(left_out, "too many scale targets; the last ones are not measured");
        }
        send(&self.pod_namespaces, targets.iter().filter_map(|it| it.namespace.clone()).collect());
        send(&self.targets, targets);
    }

    fn measure(&mut self, now: Timestamp) -> BTreeMap<ObjectRef, TargetSupply> {
        let targets = self.targets.borrow().clone();
        self.book.keep(&targets);
        let mut by_namespace: BTreeMap<&Namespace, Vec<_>> = BTreeMap::new();
        for target in &targets {
            if let Some(namespace) = &target.namespace
                && let Some(selector) = self.index.feeds.targets.selector(target)
            {
                by_namespace.entry(namespace).or_default().push((target, selector));
            }
        }
        let mut measured = BTreeMap::new();
        for (namespace, targets) in by_namespace {
            let book = &mut self.book;
            let looked = self
                .index
                .feeds
                .starts
                .look(namespace, |pods| book.look(&targets, pods.values(), now));
            for (supply, added) in looked.into_iter().flatten() {
                for kind in added {
                    self.index.counts.of(kind).fetch_add(1, Ordering::Relaxed);
                }
                measured.insert(supply.target.clone(), supply);
            }
        }
        measured
    }
}

impl Changes {
    fn is_same(&self, now: &Self) -> bool {
        let of_pods = self.starts == now.starts && self.targets == now.targets;
        of_pods && Arc::ptr_eq(&self.shared, &now.shared) && self.is_same_use(now)
    }

    fn is_same_use(&self, now: &Self) -> bool {
        Arc::ptr_eq(&self.loaded, &now.loaded) && self.hpas == now.hpas
    }
}

/// Whose pods are followed for a policy: it leaves the lead time to Foresail, or counts them.
fn measured(policy: &Policy, users: &[HpaUse]) -> BTreeSet<ObjectRef> {
    let forecast = policy.forecast.as_ref();
    let is_timed = forecast.is_some_and(|it| it.lead_time == Choice::Auto);
    if !is_timed && !policy.counts_pods() {
        return BTreeSet::new();
    }
    let Some(target) = forecast.and_then(|it| it.scale_target.as_ref()) else {
        return users.iter().map(|it| it.scales.clone()).collect();
    };
    let kind = ObjectKind { api_version: target.api_version.clone(), kind: target.kind.clone() };
    let namespace = Some(policy.key.namespace.clone());
    [ObjectRef { kind, namespace, name: target.name.clone() }].into()
}

fn send<T: PartialEq>(wish: &watch::Sender<T>, wanted: T) {
    wish.send_if_modified(|wished| {
        let is_new = *wished != wanted;
        *wished = wanted;
        is_new
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::finite::Finite;
    use crate::domain::hpa::MetricTarget;
    use crate::domain::name::ObjectName;
    use crate::policy::resolve;
    use std::time::Duration;

    fn user(scales: &str) -> HpaUse {
        HpaUse {
            name: ObjectName::new("hpa").unwrap(),
            scales: ObjectRef {
                kind: ObjectKind { api_version: "apps/v1".into(), kind: "Deployment".into() },
                namespace: Some(Namespace::new("a").unwrap()),
                name: ObjectName::new(scales).unwrap(),
            },
            target: MetricTarget::AverageValue(Finite::new(8.0).unwrap()),
            min_replicas: 1,
            max_replicas: 9,
            down_window: Duration::ZERO,
        }
    }

    /// `KIND/name` of the targets measured for a policy with this key, used by two HPAs.
    fn shown(key: &str) -> String {
        let text = format!(
            "
apiVersion: foresail.dev/v1alpha1
kind: AdapterConfig
sources: [{{name: s, prometheus: {{url: 'http://p'}}}}]
policies:
  - metadata: {{name: p, namespace: a}}
    spec:
      metric: {{name: m, type: External}}
      signals: {{x: {{source: s, prometheus: {{query: 'vector(1)'}}}}}}
      {key}
"
        );
        let config = resolve::load(&text).unwrap();
        let [policy] = config.policies.as_slice() else { panic!("{:?}", config.faults) };
        let targets = measured(policy, &[user("one"), user("two")]);
        let shown = targets.iter().map(|it| format!("{}/{}", it.kind.kind, it.name));
        shown.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn pods_are_followed_where_a_lead_time_is_left_to_foresail_or_they_count() {
        for (key, expected) in [
            ("forecast: {}", "Deployment/one Deployment/two"),
            ("forecast: {leadTime: auto, mode: Shadow}", "Deployment/one Deployment/two"),
            ("forecast: {scaleTarget: {kind: StatefulSet, name: x}}", "StatefulSet/x"),
            ("forecast: {leadTime: 90s}", ""),
            ("forecast: {leadTime: 90s, scaleTarget: {name: x}}", ""),
            ("forecast: {mode: Off}", ""),
            ("smooth: []", ""),
            ("combine: 'drain(x, \"60s\", 8 * startingPods)'", "Deployment/one Deployment/two"),
            ("combine: 'drain(x, \"60s\")'", ""),
            ("capacity: {perPod: 8}", ""),
            ("capacity: {learn: {saturated: x > 9, load: x}}", "Deployment/one Deployment/two"),
            (
                "capacity: {perPod: 8}\n      emit: desiredReplicas\n      \
                 forecast: {leadTime: 90s, scaleTarget: {name: x}}",
                "Deployment/x",
            ),
        ] {
            assert_eq!(shown(key), expected, "{key}");
        }
    }
}
