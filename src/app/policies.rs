//! The policies of the file and of the cluster, joined into the one configuration that the tick
//! follows.

use crate::app::configuration::Loaded;
use crate::app::metrics::Metrics;
use crate::app::tasks::Tasks;
use crate::cluster::Client;
use crate::cluster::policies::{PolicyIndex, PolicySet};
use crate::domain::error_chain::ErrorChain;
use crate::domain::policy_object::PolicyObjectId;
use crate::policy::resolve::objects::{Joined, Objects, Refused, Verdict, on_one_line};
use crate::policy::resolve::warnings::Warning;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

/// Changes within this time are taken over together: `kubectl apply` of a folder is one reload.
const GATHER: Duration = Duration::from_millis(100);

/// What became of each object.
pub(crate) type Verdicts = BTreeMap<PolicyObjectId, Verdict>;

/// Starts the tasks that follow the cluster's policies; answers what is known of them, and the
/// configuration of file and cluster.
pub(super) fn start(
    client: &Client,
    file: watch::Receiver<Arc<Loaded>>,
    metrics: Metrics,
    tasks: &mut Tasks,
    stop: &CancellationToken,
) -> (Arc<PolicyIndex>, watch::Receiver<Arc<Loaded>>) {
    let (index, set) = PolicyIndex::new();
    tasks.spawn("policies", Arc::clone(&index).watch(client.clone(), stop.clone()));
    let (joiner, loaded) = Joiner::start(file, set, metrics);
    tasks.spawn("join", joiner.run(stop.clone()));
    (index, loaded)
}

/// Joins what comes from the two sides.
#[derive(Debug)]
pub(super) struct Joiner {
    objects: Objects,
    file: watch::Receiver<Arc<Loaded>>,
    set: watch::Receiver<PolicySet>,
    joined: watch::Sender<Arc<Loaded>>,
    metrics: Metrics,
    /// Why objects were refused when that was logged last.
    told: BTreeMap<PolicyObjectId, Refused>,
    /// What was warned of when that was logged last.
    warned: BTreeMap<PolicyObjectId, Arc<[Warning]>>,
}

impl Joiner {
    /// Begins with the file alone, which is not the whole configuration yet.
    pub(super) fn start(
        file: watch::Receiver<Arc<Loaded>>,
        set: watch::Receiver<PolicySet>,
        metrics: Metrics,
    ) -> (Self, watch::Receiver<Arc<Loaded>>) {
        let first = Loaded { is_whole: false, ..Loaded::clone(&file.borrow()) };
        let (joined, receiver) = watch::channel(Arc::new(first));
        let objects = Objects::default();
        let (told, warned) = Default::default();
        (Self { objects, file, set, joined, metrics, told, warned }, receiver)
    }

    /// Joins until `stop`.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        loop {
            let changed = async {
                tokio::select! {
                    changed = self.file.changed() => changed,
                    changed = self.set.changed() => changed,
                }
            };
            let Some(Ok(())) = stop.run_until_cancelled(changed).await else {
                return stop.cancelled().await;
            };
            tokio::time::sleep(GATHER).await;
            // A thousand policies take some ten milliseconds, which requests should not wait for.
            match spawn_blocking(move || self.join()).await {
                Ok(joiner) => self = joiner,
                // The runtime is going down, and nobody waits any more.
                Err(error) if error.is_cancelled() => return,
                Err(error) => {
                    // A defect in a parser: what was joined last stays in force.
                    let error = ErrorChain(&error).to_string();
                    tracing::error!(error, "the policies are not followed any more");
                    return stop.cancelled().await;
                }
            }
        }
    }

    fn join(mut self) -> Self {
        let file = Arc::clone(&self.file.borrow_and_update());
        let PolicySet { objects, is_whole } = self.set.borrow_and_update().clone();
        let Joined { config, verdicts } = self.objects.join(&file.config, &objects);
        self.tell(&verdicts);
        self.warn(&verdicts);
        self.metrics.joined(&verdicts);
        let is_whole = is_whole || self.joined.borrow().is_whole;
        let (sources, rules) = (file.sources.clone(), Arc::clone(&file.rules));
        self.joined.send_replace(Arc::new(Loaded { config, sources, rules, verdicts, is_whole }));
        self
    }

    /// One line when an object is refused, when it is for another reason, and when it is not any
    /// more.
    fn tell(&mut self, verdicts: &Verdicts) {
        for (id, verdict) in verdicts {
            let before = self.told.get(id);
            if before == verdict.refused.as_ref() {
                continue;
            }
            match &verdict.refused {
                Some(Refused { message, .. }) => {
                    let is_kept = verdict.running.is_some();
                    tracing::warn!(policy = %id, why = message, is_kept, "policy refused");
                }
                None => tracing::info!(policy = %id, "the policy is good again"),
            }
        }
        let refused =
            verdicts.iter().filter_map(|(id, it)| Some((id.clone(), it.refused.clone()?)));
        self.told = refused.collect();
    }

    /// One line when something of an object may mislead, and when that is something else.
    fn warn(&mut self, verdicts: &Verdicts) {
        let misleading = verdicts.iter().filter(|(_, it)| !it.warnings.is_empty());
        let now = misleading.map(|(id, it)| (id.clone(), Arc::clone(&it.warnings)));
        let before = std::mem::replace(&mut self.warned, now.collect());
        for (id, warnings) in self.warned.iter().filter(|(id, it)| before.get(id) != Some(it)) {
            let why = on_one_line(warnings.iter().map(|it| &it.fault));
            tracing::warn!(policy = %id, why, "the policy may mislead");
        }
    }
}
