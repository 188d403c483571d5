//! What `auto` chose for the policies: for those of the cluster by the holder of the Lease, who
//! writes it into their status, from where every replica reads it, the holder too; for those of the
//! file by every replica itself.

use crate::app::configuration::Loaded;
use crate::app::policies::Verdicts;
use crate::app::tasks::Tasks;
use crate::cluster::policies::{self as cluster, PolicyIndex};
use crate::domain::name::PolicyKey;
use crate::evaluation::dated_choice::DatedChoice;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The policies of the cluster, each with what its status says that was chosen.
pub(crate) type Shared = BTreeMap<PolicyKey, Option<DatedChoice>>;

/// Who chooses for a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChosenBy {
    /// Every replica for itself, at the same instants, from the same history.
    Everyone,
    /// This replica, for all: what it chooses is given to `Choices::put`, and comes back when it is
    /// written.
    ThisReplica,
    /// Another replica.
    AnotherReplica,
}

/// What was chosen, and who chooses.
#[derive(Debug)]
pub(crate) struct Choices {
    shared: watch::Receiver<Arc<Shared>>,
    leading: watch::Receiver<bool>,
    /// What this replica chose for all.
    put: Arc<Mutex<BTreeMap<PolicyKey, DatedChoice>>>,
}

impl Choices {
    /// Without a cluster nothing is shared.
    pub(super) fn alone() -> Self {
        let shared = watch::Sender::<Arc<Shared>>::default().subscribe();
        let leading = watch::Sender::new(false).subscribe();
        Self { shared, leading, put: Arc::default() }
    }

    /// Starts the task that reads the choices of others.
    pub(super) fn start(
        index: &PolicyIndex,
        loaded: &watch::Receiver<Arc<Loaded>>,
        leading: watch::Receiver<bool>,
        tasks: &mut Tasks,
        stop: &CancellationToken,
    ) -> Self {
        let (sender, shared) = watch::channel(Arc::default());
        let put: Arc<Mutex<BTreeMap<PolicyKey, DatedChoice>>> = Arc::default();
        let reader = Reader {
            seen: index.choices(),
            loaded: loaded.clone(),
            shared: sender,
            put: Arc::clone(&put),
        };
        tasks.spawn("choices", reader.run(stop.clone()));
        Self { shared, leading, put }
    }

    /// What the status of the cluster's policies says, now and whenever it changes.
    pub(crate) fn shared(&self) -> watch::Receiver<Arc<Shared>> {
        self.shared.clone()
    }

    /// Who chooses for a policy.
    pub(crate) fn chosen_by(&self, policy: &PolicyKey) -> ChosenBy {
        match (self.shared.borrow().contains_key(policy), *self.leading.borrow()) {
            (false, _) => ChosenBy::Everyone,
            (true, true) => ChosenBy::ThisReplica,
            (true, false) => ChosenBy::AnotherReplica,
        }
    }

    /// Takes what this replica chose for all, to be written into the policy's status.
    pub(crate) fn put(&self, policy: &PolicyKey, choice: DatedChoice) {
        lock(&self.put).insert(policy.clone(), choice);
    }

    /// The newest choice for a policy of the cluster, written or about to be.
    pub(crate) fn newest(&self, policy: &PolicyKey) -> Option<DatedChoice> {
        let read = self.shared.borrow().get(policy).copied().flatten();
        let put = lock(&self.put).get(policy).copied();
        [read, put].into_iter().flatten().max_by_key(|it| it.at)
    }
}

fn lock<T>(it: &Mutex<T>) -> MutexGuard<'_, T> {
    it.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads what the status of policies says.
#[derive(Debug)]
struct Reader {
    seen: watch::Receiver<cluster::Choices>,
    loaded: watch::Receiver<Arc<Loaded>>,
    shared: watch::Sender<Arc<Shared>>,
    put: Arc<Mutex<BTreeMap<PolicyKey, DatedChoice>>>,
}

impl Reader {
    async fn run(mut self, stop: CancellationToken) {
        loop {
            self.read();
            let changed = async {
                tokio::select! {
                    changed = self.seen.changed() => changed,
                    changed = self.loaded.changed() => changed,
                }
            };
            let Some(Ok(())) = stop.run_until_cancelled(changed).await else {
                return stop.cancelled().await;
            };
        }
    }

    fn read(&mut self) {
        let loaded = Arc::clone(&self.loaded.borrow_and_update());
        let shared = shared(&loaded.verdicts, &self.seen.borrow_and_update());
        lock(&self.put).retain(|policy, _| shared.contains_key(policy));
        self.shared.send_if_modified(|before| {
            let is_new = **before != shared;
            if is_new {
                *before = Arc::new(shared);
            }
            is_new
        });
    }
}

/// The choices by the policies that run for the objects.
fn shared(verdicts: &Verdicts, seen: &cluster::Choices) -> Shared {
    let running = verdicts.iter().filter_map(|(id, it)| Some((id, it.running.as_ref()?)));
    let shared = running.map(|(id, policy)| {
        let read = |told| {
            DatedChoice::read(told)
                .inspect_err(|error| tracing::warn!(policy = %id, %error, "a choice is left out"))
                .ok()
        };
        (policy.key.clone(), seen.get(id).and_then(read))
    });
    shared.collect()
}
