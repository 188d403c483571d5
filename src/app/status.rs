//! The status of the cluster's policies, told for as long as this replica holds the Lease.

use crate::app::clock;
use crate::app::configuration::Loaded;
use crate::cluster::scalers::ScalerIndex;
use crate::cluster::status::{Reports, StatusWriter};
use crate::domain::limits;
use crate::domain::name::Namespace;
use crate::domain::scaler::Scaler;
use crate::evaluation::report::report;
use crate::policy::Policy;
use crate::policy::status::report::Learned;
use crate::published::Published;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// What there is to tell, and who writes it.
#[derive(Debug)]
pub(super) struct Status {
    pub(super) loaded: watch::Receiver<Arc<Loaded>>,
    pub(super) published: Arc<Published>,
    pub(super) scalers: Arc<ScalerIndex>,
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
        let scalers = self.scalers.all().map(by_namespace);
        let verdicts = loaded.verdicts.iter();
        let reports = verdicts.map(|(id, verdict)| {
            let running = verdict.running.as_deref();
            let learned = running.map(|it| learned(it, scalers.as_ref())).unwrap_or_default();
            (id.clone(), report(verdict, &snapshot, learned, now))
        });
        reports.collect()
    }
}

type Scalers = BTreeMap<Namespace, Vec<Arc<Scaler>>>;

fn by_namespace(all: Vec<Arc<Scaler>>) -> Scalers {
    let mut scalers = Scalers::new();
    for scaler in all {
        scalers.entry(scaler.namespace.clone()).or_default().push(scaler);
    }
    scalers
}

/// What is found out beside the value. Forecasts and lead times are told here, too, once there are
/// some.
fn learned(policy: &Policy, scalers: Option<&Scalers>) -> Learned {
    let asking = scalers.map(|all| {
        let near = all.get(&policy.key.namespace).into_iter().flatten();
        let asking = near.filter(|it| it.asks_for(&policy.metric, &policy.subject));
        asking.map(ToString::to_string).collect()
    });
    Learned { hpas: asking, ..Learned::default() }
}
