//! The status of the cluster's policies, told for as long as this replica holds the Lease.

use crate::app::choices::Choices;
use crate::app::clock;
use crate::app::configuration::Loaded;
use crate::app::supply::SupplyIndex;
use crate::cluster::status::{Reports, StatusWriter};
use crate::domain::hpa::HpaUse;
use crate::domain::limits;
use crate::evaluation::forecasts::lead_time;
use crate::evaluation::report::report;
use crate::policy::Policy;
use crate::policy::status::report::Learned;
use crate::published::Published;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// What there is to tell, and who writes it.
#[derive(Debug)]
pub(super) struct Status {
    pub(super) loaded: watch::Receiver<Arc<Loaded>>,
    pub(super) published: Arc<Published>,
    pub(super) supply: Arc<SupplyIndex>,
    pub(super) choices: Arc<Choices>,
    pub(super) leading: watch::Receiver<bool>,
    pub(super) writer: StatusWriter,
}

impl Status {
    /// A round every `limits::STATUS_ROUND` while this replica leads, until `stop`.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let rounds = async {
            let mut timer = interval(limits::STATUS_ROUND);
            timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                timer.tick().await;
                if !*self.leading.borrow() {
                    self.writer.forget();
                    continue;
                }
                let reports = self.reports();
                // Whoever loses the Lease stops in the middle of a round.
                let lost = self.leading.wait_for(|leads| !leads);
                tokio::select! {
                    biased;
                    _ = lost => self.writer.forget(),
                    () = self.writer.round(&reports, clock::now()) => {}
                }
            }
        };
        stop.run_until_cancelled(rounds).await;
    }

    fn reports(&self) -> Reports {
        let loaded = Arc::clone(&self.loaded.borrow());
        let snapshot = self.published.load();
        let now = clock::now();
        let verdicts = loaded.verdicts.iter();
        let reports = verdicts.map(|(id, verdict)| {
            let running = verdict.running.as_deref();
            let learned = running.map(|it| self.learned(it)).unwrap_or_default();
            (id.clone(), report(verdict, &snapshot, learned, now))
        });
        reports.collect()
    }

    /// What is found out beside the value and its forecast.
    fn learned(&self, policy: &Policy) -> Learned {
        let supply = self.supply.for_policy(policy);
        let hpas = supply.as_ref().and_then(|it| it.hpas.as_ref());
        let named = |it: &HpaUse| format!("{}/{}", policy.key.namespace, it.name);
        let is_foreseen = policy.forecast.is_some();
        let choice = self.choices.newest(&policy.key).filter(|_| is_foreseen);
        Learned {
            lead_time: is_foreseen.then(|| lead_time(policy, supply.as_deref())),
            choice: choice.map(|it| it.told()),
            hpas: hpas.map(|all| all.iter().map(named).collect()),
        }
    }
}
