//! The tick: on the wall-clock grid, read what is due, evaluate it, publish it.
//!
//! One task owns all state. Each policy's reads are one task of their own, and a policy is
//! evaluated as soon as its own reads are in, so that a source which hangs, or an answer that
//! takes long to parse, delays only what is made from it.

mod chooser;
mod filler;
mod foreseer;
mod pulse;
mod turn;

pub(crate) use pulse::Pulse;

use crate::app::choices::{Choices, Shared};
use crate::app::clock;
use crate::app::configuration::Loaded;
use crate::app::metrics::{Metrics, TickMetrics};
use crate::app::read::{self, PolicyRead, Sources};
use crate::app::supply::SupplyIndex;
use crate::domain::error_chain::ErrorChain;
use crate::domain::limits;
use crate::domain::name::PolicyKey;
use crate::evaluation::Evaluation;
use crate::pipeline::Surroundings;
use crate::policy::Policy;
use crate::published::Published;
use crate::series::grid::Grid;
use crate::source::pods::PodReader;
use crate::telemetry::health::Check;
use crate::web::explain::Inquiries;
use chooser::Chooser;
use filler::Filler;
use foreseer::Foreseer;
use jiff::Timestamp;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use turn::Turn;

/// The longest that the tick sleeps: a clock that was set or a machine that slept must not stop
/// the evaluation.
const SLEEP_MAX: Duration = Duration::from_secs(5);

/// The tick's state.
pub(crate) struct Tick {
    evaluation: Evaluation,
    sources: Sources,
    pods: Arc<PodReader>,
    turns: BTreeMap<PolicyKey, Turn>,
    reads: JoinSet<PolicyRead>,
    /// Whose reads a task makes, for the day on which one panics.
    readers: HashMap<Id, Arc<Policy>>,
    filler: Filler,
    foreseer: Foreseer,
    chooser: Chooser,
    choices: Arc<Choices>,
    published: Arc<Published>,
    /// `None` without a cluster.
    supply: Option<Arc<SupplyIndex>>,
    /// What was chosen for the policies of the cluster.
    shared: watch::Receiver<Arc<Shared>>,
    metrics: TickMetrics,
    pulse: Pulse,
    first: First,
    inquiries: Inquiries,
}

/// Whom the tick hears beside the sources.
pub(crate) struct Reach {
    /// `None` without a cluster.
    pub(crate) supply: Option<Arc<SupplyIndex>>,
    pub(crate) choices: Arc<Choices>,
    /// Who reads the pages of pods.
    pub(crate) pods: Arc<PodReader>,
    /// Who wants an explanation.
    pub(crate) inquiries: Inquiries,
}

/// Readiness until the first evaluations are done.
struct First {
    check: Arc<Check>,
    begun: Instant,
    is_whole: bool,
}

impl Tick {
    pub(crate) fn new(
        published: Arc<Published>,
        Reach { supply, choices, pods, inquiries }: Reach,
        metrics: &Metrics,
        pulse: Pulse,
        first: Arc<Check>,
    ) -> Self {
        Self {
            evaluation: Evaluation::default(),
            sources: Sources::default(),
            pods,
            turns: BTreeMap::new(),
            reads: JoinSet::new(),
            readers: HashMap::new(),
            filler: Filler::new(metrics.backfill()),
            foreseer: Foreseer::default(),
            chooser: Chooser::default(),
            published,
            supply,
            shared: choices.shared(),
            choices,
            metrics: metrics.tick(),
            pulse,
            first: First { check: first, begun: Instant::now(), is_whole: false },
            inquiries,
        }
    }

    /// Turns until `stop`, following the configuration.
    pub(crate) async fn run(
        mut self,
        mut loaded: watch::Receiver<Arc<Loaded>>,
        stop: CancellationToken,
    ) {
        self.configure(&loaded.borrow_and_update().clone());
        loop {
            self.pulse.beat();
            self.note_first();
            let now = clock::now();
            let sleep = self.start_due(now);
            let past = self.filler.start(&mut self.evaluation, &self.sources, now);
            let sleep = past.map_or(sleep, |it| it.min(sleep));
            self.foreseer.start(&mut self.evaluation, self.supply.as_deref(), now);
            let supply = self.supply.as_deref();
            self.chooser.start(&mut self.evaluation, supply, &self.choices, now);
            tokio::select! {
                () = stop.cancelled() => return,
                Ok(()) = loaded.changed() => {
                    let loaded = loaded.borrow_and_update().clone();
                    self.configure(&loaded);
                }
                Ok(()) = self.shared.changed() => self.take_choices(),
                Some(first) = self.reads.join_next_with_id() => {
                    self.take(first);
                    // What comes in together is published together, in one snapshot.
                    tokio::time::sleep(limits::GATHER).await;
                    while let Some(next) = self.reads.try_join_next_with_id() {
                        self.take(next);
                    }
                    self.evaluation.publish(&self.published);
                    self.metrics.hold(self.evaluation.samples());
                }
                Some(chunk) = self.filler.join_next() => {
                    self.filler.take(&mut self.evaluation, chunk, clock::now());
                }
                Some(made) = self.foreseer.join_next() => {
                    let surroundings = |policy: &Policy| surroundings(self.supply.as_deref(), policy);
                    self.foreseer.take(&mut self.evaluation, made, surroundings);
                    self.evaluation.publish(&self.published);
                }
                Some(made) = self.chooser.join_next() => {
                    self.chooser.take(&mut self.evaluation, &self.choices, made);
                }
                Some(inquiry) = self.inquiries.next() => inquiry.answer(&self.evaluation),
                () = tokio::time::sleep(sleep) => {}
            }
        }
    }

    fn configure(&mut self, loaded: &Loaded) {
        self.sources = loaded.sources.clone();
        self.sources.keep_used(&loaded.config);
        let begun = self.evaluation.configure(&loaded.config);
        self.pods.configure(&loaded.config.policies, &begun);
        let mut before = std::mem::take(&mut self.turns);
        for policy in self.evaluation.policies() {
            let kept = before.remove(&policy.key).filter(|_| !begun.contains(&policy.key));
            self.turns.insert(policy.key.clone(), kept.unwrap_or_default());
        }
        // One that began anew goes on as it was chosen.
        self.take_choices();
        self.first.is_whole = loaded.is_whole;
        self.metrics.configure(&loaded.config, &begun);
        self.evaluation.publish(&self.published);
    }

    /// Does as the status of the cluster's policies says; where it says nothing, as one begins.
    fn take_choices(&mut self) {
        let shared = Arc::clone(&self.shared.borrow_and_update());
        for (policy, said) in shared.iter() {
            let chosen = said.choice.map(|it| it.chosen).unwrap_or_default();
            self.evaluation.choose(policy, chosen);
        }
    }

    /// Starts the reads of every policy whose grid has an instant that was not read yet; answers
    /// how long nothing more is due. A policy that is still being read is left alone: it skips the
    /// instants that it is late for.
    fn start_due(&mut self, now: Timestamp) -> Duration {
        let mut sleep = SLEEP_MAX;
        let policies: Vec<Arc<Policy>> = self.evaluation.policies().cloned().collect();
        for policy in policies {
            let Some(turn) = self.turns.get_mut(&policy.key) else { continue };
            let settle = settle(&policy);
            let settled = now.checked_sub(settle).unwrap_or(Timestamp::MIN);
            let grid = Grid::new(policy.interval);
            let next = Duration::try_from(grid.after(settled).duration_since(settled));
            sleep = sleep.min(next.unwrap_or_default());
            if !turn.begin(grid.at_or_before(settled)) {
                continue;
            }
            let at = grid.at_or_before(settled);
            let past = self.evaluation.wanted_past(&policy, at);
            let read = read::read(
                Arc::clone(&policy),
                self.sources.clone(),
                Arc::clone(&self.pods),
                at,
                past,
            );
            let task = self.reads.spawn(read);
            self.readers.insert(task.id(), policy);
        }
        sleep
    }

    fn take(&mut self, read: Result<(Id, PolicyRead), JoinError>) {
        let read = match read {
            Ok((id, read)) => {
                self.readers.remove(&id);
                read
            }
            Err(error) => {
                self.give_up(&error);
                return;
            }
        };
        let PolicyRead { policy, at, readings, taken, notes, recording } = read;
        let now = clock::now();
        // What was read for a policy that is gone or changed meanwhile is nobody's.
        let surroundings = Surroundings { now, ..surroundings(self.supply.as_deref(), &policy) };
        self.evaluation.note(&policy, notes);
        self.evaluation.date(&policy, taken);
        let outcome = self.evaluation.evaluate(&policy, readings, recording.as_ref(), surroundings);
        let (Some(outcome), Some(turn)) = (outcome, self.turns.get_mut(&policy.key)) else {
            return;
        };
        turn.end();
        turn.tell(&policy, &outcome, now);
        self.metrics.observe(&policy, &outcome, now.duration_since(at));
    }

    /// A read that panicked is a defect, but one policy's: it is tried again at its next instant.
    fn give_up(&mut self, error: &JoinError) {
        let Some(policy) = self.readers.remove(&error.id()) else { return };
        tracing::error!(policy = %policy.key, error = %ErrorChain(error), "a read broke off");
        if let Some(turn) = self.turns.get_mut(&policy.key) {
            turn.end();
        }
    }

    /// Ready once every policy was evaluated, those of the cluster too, or after a while, since no
    /// source may hold it back.
    fn note_first(&mut self) {
        let is_late = self.first.begun.elapsed() >= limits::FIRST_ANSWER_MAX;
        let is_done = self.first.is_whole && self.turns.values().all(Turn::was_taken);
        if !self.first.check.passes() && (is_late || is_done) {
            self.first.check.set(true);
        }
    }
}

/// What is known beside a policy's signals at this moment.
fn surroundings(supply: Option<&SupplyIndex>, policy: &Policy) -> Surroundings {
    Surroundings { now: clock::now(), supply: supply.and_then(|it| it.for_policy(policy)) }
}

/// How long after an instant its reads begin.
fn settle(policy: &Policy) -> Duration {
    limits::SETTLE.min(policy.interval / limits::SETTLE_SHARE)
}
