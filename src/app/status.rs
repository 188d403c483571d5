//! The status of the cluster's policies, told for as long as this replica holds the Lease.

use crate::app::choices::Choices;
use crate::app::clock;
use crate::app::configuration::Loaded;
use crate::app::supply::SupplyIndex;
use crate::cluster::status::{Reports, StatusWriter};
use crate::domain::hpa::HpaUse;
use crate::domain::limits;
use crate::domain::supply::{Basis, LeadTime, LearnedCapacity, Supply};
use crate::evaluation::forecasts::lead_time;
use crate::evaluation::report::report;
use crate::pipeline::outcome::Outcome;
use crate::policy::Policy;
use crate::policy::status::report::Learned;
use crate::published::{Published, Snapshot, State};
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
            let learned = running.map(|it| self.learned(it, &snapshot)).unwrap_or_default();
            (id.clone(), report(verdict, &snapshot, learned, now))
        });
        reports.collect()
    }

    /// What is found out beside the value and its forecast.
    fn learned(&self, policy: &Policy, snapshot: &Snapshot) -> Learned {
        let supply = self.supply.for_policy(policy).unwrap_or_default();
        let hpas = supply.hpas.as_ref();
        let named = |it: &HpaUse| format!("{}/{}", policy.key.namespace, it.name);
        let is_foreseen = policy.forecast.is_some();
        let choice = self.choices.newest(&policy.key).filter(|_| is_foreseen);
        Learned {
            lead_time: is_foreseen.then(|| lead_time_here(policy, &supply)),
            choice: choice.map(|it| it.told()),
            capacity: capacity_here(policy, snapshot, &supply),
            hpas: hpas.map(|all| all.iter().map(named).collect()),
        }
    }
}

/// The lead time with what this replica measured, where it did; else as all replicas agreed.
fn lead_time_here(policy: &Policy, supply: &Supply) -> LeadTime {
    let agreed = lead_time(policy, Some(supply));
    let here = supply.startup_here().filter(|it| it.is_measured());
    match here.filter(|_| agreed.startup.basis != Basis::Given) {
        Some(startup) => LeadTime { startup, ..agreed },
        None => agreed,
    }
}

/// What one pod serves, as this replica learned it, unless it began only lately: then as it was
/// learned before.
fn capacity_here(policy: &Policy, snapshot: &Snapshot, supply: &Supply) -> Option<LearnedCapacity> {
    policy.capacity.learn.as_ref()?;
    let entries = snapshot.find(&policy.metric_key());
    let entry = entries.iter().find(|it| it.policy == policy.key)?;
    let here = match &entry.state {
        State::Evaluated(Outcome { learned_here, .. }) => *learned_here,
        State::Waiting | State::Broken(_) => None,
    };
    better_known(here, supply.agreed.capacity)
}

/// What was learned here, once that rests on enough samples, and until then what was told before.
fn better_known(
    here: Option<LearnedCapacity>,
    before: Option<LearnedCapacity>,
) -> Option<LearnedCapacity> {
    let needed = before.map_or(0, |it| it.samples.min(limits::CAPACITY_SAMPLES_TAKE_OVER));
    here.filter(|it| it.samples >= needed).or(before)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::finite::Finite;

    #[test]
    fn a_replica_that_began_to_lead_tells_what_was_told_until_it_knows_enough() {
        let learned = |per_pod: u32, samples| LearnedCapacity {
            per_pod: Finite::new(f64::from(per_pod)).unwrap(),
            samples,
        };
        let (new, old) = (|samples| Some(learned(9, samples)), |samples| Some(learned(7, samples)));
        for (here, before, told) in [
            (None, None, None),
            (new(1), None, new(1)),
            (None, old(10), old(10)),
            (new(4), old(10), old(10)),
            (new(5), old(10), new(5)),
            (new(2), old(3), old(3)),
            (new(3), old(3), new(3)),
        ] {
            assert_eq!(better_known(here, before), told, "{here:?} {before:?}");
        }
    }
}
