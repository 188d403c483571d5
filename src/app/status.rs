//! The status of the cluster's policies, told for as long as this replica holds the Lease.

use crate::app::clock;
use crate::app::configuration::Loaded;
use crate::cluster::status::{Reports, StatusWriter};
use crate::domain::limits;
use crate::evaluation::report::report;
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
            // Forecasts, lead times and HPAs are told here once there are some.
            (id.clone(), report(verdict, &snapshot, Learned::default(), now))
        });
        reports.collect()
    }
}
