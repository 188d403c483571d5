//! What all replicas go by: what `auto` chose for the policies, how long their pods take to start
//! and what one of them serves. For the policies of the cluster the holder of the Lease finds that
//! out and writes it into their status, from where every replica reads it, the holder too; for those
//! of the file every replica does so itself.

use crate::app::configuration::Loaded;
use crate::app::policies::Verdicts;
use crate::app::tasks::Tasks;
use crate::cluster::policies::{self as cluster, PolicyIndex};
use crate::domain::name::PolicyKey;
use crate::domain::policy_object::PolicyObjectId;
use crate::domain::supply::Agreed;
use crate::evaluation::dated_choice::DatedChoice;
use crate::policy::status::{CapacityStatus, StartupStatus};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The policies of the cluster, each with what its status says.
pub(crate) type Shared = BTreeMap<PolicyKey, Said>;

/// What a status says that all replicas go by.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Said {
    /// What `auto` chose.
    pub(crate) choice: Option<DatedChoice>,
    /// What is known of the pods.
    pub(crate) supply: Agreed,
}

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
            seen: index.agreed(),
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
        let read = self.shared.borrow().get(policy).and_then(|it| it.choice);
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
    seen: watch::Receiver<cluster::AgreedByObject>,
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

/// What the status of the objects says, by the policies that run for them.
fn shared(verdicts: &Verdicts, seen: &cluster::AgreedByObject) -> Shared {
    let running = verdicts.iter().filter_map(|(id, it)| Some((id, it.running.as_ref()?)));
    let shared = running.map(|(id, policy)| {
        let said = seen.get(id).map(|it| read(id, it)).unwrap_or_default();
        (policy.key.clone(), said)
    });
    shared.collect()
}

fn read(id: &PolicyObjectId, said: &cluster::Agreed) -> Said {
    let cluster::Agreed { choice, startup, capacity } = said;
    let choice = choice.as_ref().and_then(|told| {
        DatedChoice::read(told)
            .inspect_err(|error| tracing::warn!(policy = %id, %error, "a choice is left out"))
            .ok()
    });
    let startup = startup.as_ref().and_then(StartupStatus::measured);
    let capacity = capacity.as_ref().and_then(CapacityStatus::learned);
    Said { choice, supply: Agreed { startup, capacity } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::finite::Finite;
    use crate::domain::name::{Namespace, PolicyName};
    use crate::domain::policy_object::{PolicyKind, PolicyObject};
    use crate::domain::supply::{Basis, LearnedCapacity, Startup};
    use crate::pipeline::forecast::Chosen;
    use crate::policy::resolve::load;
    use crate::policy::resolve::objects::Objects;
    use crate::policy::status::ChoiceStatus;
    use jiff::Timestamp;
    use std::time::Duration;

    const FILE: &str = "
apiVersion: foresail.dev/v1alpha1
kind: AdapterConfig
sources: [{name: default, prometheus: {url: 'http://p'}}]
policies:
  - metadata: {name: of-file, namespace: a}
    spec:
      metric: {name: m, type: External}
      signals: {x: {source: default, prometheus: {query: x}}}
";

    fn key(name: &str) -> PolicyKey {
        PolicyKey { namespace: Namespace::new("a").unwrap(), name: PolicyName::new(name).unwrap() }
    }

    fn id(name: &str) -> PolicyObjectId {
        let PolicyKey { namespace, name } = key(name);
        PolicyObjectId { namespace: Some(namespace), name, kind: PolicyKind::Namespaced }
    }

    /// What became of the objects of these names.
    fn verdicts(names: &[&str]) -> Verdicts {
        let objects = names.iter().map(|name| {
            let text = format!(
                r#"{{"metadata": {{"name": "{name}", "namespace": "a"}}, "spec": {{
                "metric": {{"name": "{name}", "type": "External"}},
                "signals": {{"x": {{"source": "default", "prometheus": {{"query": "x"}}}}}}}}}}"#
            );
            Arc::new(PolicyObject {
                id: id(name),
                uid: "uid".into(),
                generation: 1,
                created: Timestamp::UNIX_EPOCH,
                text: Some(text.into()),
            })
        });
        Objects::default().join(&load(FILE).unwrap(), &objects.collect::<Vec<_>>()).verdicts
    }

    fn chosen(second: i64, quantile: f64) -> DatedChoice {
        let chosen = Chosen { quantile, ..Chosen::default() };
        DatedChoice { chosen, at: Timestamp::from_second(second).unwrap(), horizon_steps: Some(9) }
    }

    #[test]
    fn what_a_status_says_is_known_by_policy_and_what_cannot_be_meant_is_left_out() {
        let good = chosen(60, 0.95);
        let bad = ChoiceStatus { model: "oracle".to_owned(), ..good.told() };
        let basis = Basis::Measured { starts: 4, is_cold: true };
        let startup = Startup { time: Duration::from_secs(90), basis };
        let capacity = LearnedCapacity { per_pod: Finite::new(7.5).unwrap(), samples: 6 };
        let told = |choice| cluster::Agreed {
            choice: Some(choice),
            startup: Some(StartupStatus::of(&startup)),
            capacity: Some(CapacityStatus::of(&capacity)),
        };
        let seen = [(id("one"), told(good.told())), (id("two"), told(bad))];
        let seen = seen.into_iter().chain([(id("gone"), told(good.told()))]).collect();
        let supply = Agreed { startup: Some(startup), capacity: Some(capacity) };
        let expected = [
            (key("one"), Said { choice: Some(good), supply }),
            (key("two"), Said { choice: None, supply }),
            (key("three"), Said::default()),
        ];
        assert_eq!(shared(&verdicts(&["one", "two", "three"]), &seen), expected.into());
    }

    #[test]
    fn for_objects_the_holder_of_the_lease_chooses_and_for_the_file_everyone() {
        let choice = Some(chosen(60, 0.95).told());
        let seen = [(id("one"), cluster::Agreed { choice, ..Default::default() })].into();
        let (leads, leading) = watch::channel(false);
        let (_sender, shared) = watch::channel(Arc::new(shared(&verdicts(&["one"]), &seen)));
        let choices = Choices { shared, leading, put: Arc::default() };
        assert_eq!(choices.chosen_by(&key("of-file")), ChosenBy::Everyone);
        assert_eq!(choices.chosen_by(&key("one")), ChosenBy::AnotherReplica);
        leads.send_replace(true);
        assert_eq!(choices.chosen_by(&key("one")), ChosenBy::ThisReplica);
        assert_eq!(choices.chosen_by(&key("of-file")), ChosenBy::Everyone);
        assert_eq!(Choices::alone().chosen_by(&key("one")), ChosenBy::Everyone);
        // The newer one is to be written.
        assert_eq!(choices.newest(&key("one")), Some(chosen(60, 0.95)));
        choices.put(&key("one"), chosen(30, 0.8));
        assert_eq!(choices.newest(&key("one")), Some(chosen(60, 0.95)));
        choices.put(&key("one"), chosen(90, 0.8));
        assert_eq!(choices.newest(&key("one")), Some(chosen(90, 0.8)));
    }
}
