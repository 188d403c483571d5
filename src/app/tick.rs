//! The tick: on the wall-clock grid, read what is due, evaluate it, publish it.
//!
//! One task owns all state. Each policy's reads are one future; a policy is evaluated as soon as
//! its own reads are in, so that a source which hangs delays only what is made from it.

use crate::app::clock;
use crate::app::configuration::Loaded;
use crate::app::evaluation::Evaluation;
use crate::app::metrics::TickMetrics;
use crate::app::read::{self, PolicyRead, Sources};
use crate::domain::limits;
use crate::domain::name::PolicyKey;
use crate::pipeline::outcome::Outcome;
use crate::policy::Policy;
use crate::published::Published;
use crate::series::grid::Grid;
use crate::telemetry::health::Check;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The longest that the tick sleeps: a clock that was set back or a machine that slept must not
/// stop the evaluation.
const SLEEP_MAX: Duration = Duration::from_secs(5);

/// A tick that has not turned for this long is stuck.
const PULSE_MAX: Duration = Duration::from_secs(30);

/// When the tick turned last.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pulse(Arc<AtomicI64>);

impl Pulse {
    fn beat(&self, now: Timestamp) {
        self.0.store(now.as_millisecond(), Ordering::Relaxed);
    }

    /// Lets `check` fail while the tick is stuck.
    pub(crate) async fn watch(self, check: Arc<Check>, stop: CancellationToken) {
        self.beat(clock::now());
        let most = i64::try_from(PULSE_MAX.as_millis()).unwrap_or(i64::MAX);
        let watching = async {
            loop {
                let age = clock::now().as_millisecond() - self.0.load(Ordering::Relaxed);
                check.set(age < most);
                tokio::time::sleep(SLEEP_MAX).await;
            }
        };
        stop.run_until_cancelled(watching).await;
    }
}

/// The tick's state.
pub(crate) struct Tick {
    evaluation: Evaluation,
    sources: Sources,
    last: BTreeMap<PolicyKey, Timestamp>,
    reading: BTreeSet<PolicyKey>,
    standings: BTreeMap<PolicyKey, String>,
    published: Arc<Published>,
    metrics: TickMetrics,
    pulse: Pulse,
}

impl Tick {
    pub(crate) fn new(published: Arc<Published>, metrics: TickMetrics, pulse: Pulse) -> Self {
        Self {
            evaluation: Evaluation::default(),
            sources: Sources::default(),
            last: BTreeMap::new(),
            reading: BTreeSet::new(),
            standings: BTreeMap::new(),
            published,
            metrics,
            pulse,
        }
    }

    /// Turns until `stop`, following the configuration.
    pub(crate) async fn run(
        mut self,
        mut loaded: watch::Receiver<Arc<Loaded>>,
        stop: CancellationToken,
    ) {
        let mut reads: FuturesUnordered<BoxFuture<'static, PolicyRead>> = FuturesUnordered::new();
        self.configure(&loaded.borrow_and_update().clone());
        loop {
            self.pulse.beat(clock::now());
            self.start_due(clock::now(), &reads);
            let sleep = self.until_next(clock::now());
            tokio::select! {
                () = stop.cancelled() => return,
                Ok(()) = loaded.changed() => {
                    let loaded = loaded.borrow_and_update().clone();
                    self.configure(&loaded);
                }
                Some(first) = reads.next() => {
                    self.take(first);
                    // What came in meanwhile is published with it, in one snapshot.
                    while let Some(Some(next)) = futures::FutureExt::now_or_never(reads.next()) {
                        self.take(next);
                    }
                    self.evaluation.publish(&self.published);
                }
                () = tokio::time::sleep(sleep) => {}
            }
        }
    }

    fn configure(&mut self, loaded: &Loaded) {
        self.sources = loaded.sources.clone();
        self.evaluation.configure(&loaded.config);
        let known: BTreeSet<PolicyKey> =
            self.evaluation.policies().map(|it| it.key.clone()).collect();
        self.last.retain(|key, _| known.contains(key) && !loaded.changed.contains(key));
        self.standings.retain(|key, _| known.contains(key));
        self.metrics.configure(&loaded.config);
        self.evaluation.publish(&self.published);
    }

    /// Starts the reads of every policy whose grid has an instant that was not read yet. A policy
    /// that is still being read is left alone: it skips the instants that it is late for.
    fn start_due(
        &mut self,
        now: Timestamp,
        reads: &FuturesUnordered<BoxFuture<'static, PolicyRead>>,
    ) {
        for policy in self.evaluation.policies() {
            let at = Grid::new(policy.interval).at_or_before(before(now, settle(policy)));
            let is_due = self.last.get(&policy.key).is_none_or(|last| *last < at);
            if !is_due || self.reading.contains(&policy.key) {
                continue;
            }
            self.last.insert(policy.key.clone(), at);
            self.reading.insert(policy.key.clone());
            let wants_history = self.evaluation.wants_history(policy);
            let (policy, sources) = (Arc::clone(policy), self.sources.clone());
            reads.push(Box::pin(read::read(policy, sources, at, wants_history)));
        }
    }

    fn until_next(&self, now: Timestamp) -> Duration {
        let waits = self.evaluation.policies().map(|policy| {
            let settle = settle(policy);
            let next = Grid::new(policy.interval).after(before(now, settle));
            let wait = Duration::try_from(next.duration_since(now)).unwrap_or_default();
            wait.saturating_add(settle)
        });
        waits.min().unwrap_or(SLEEP_MAX).min(SLEEP_MAX)
    }

    fn take(&mut self, read: PolicyRead) {
        let PolicyRead { key, at, readings, history } = read;
        self.reading.remove(&key);
        // The policy may be gone since the read began; then the answer is nobody's.
        let Some(policy) = self.evaluation.policy(&key).cloned() else { return };
        if readings.len() != policy.signals.len() {
            return;
        }
        if let Some(history) = history {
            self.evaluation.prime(&policy, &history);
        }
        let now = clock::now();
        let outcome = self.evaluation.evaluate(&policy, readings, now);
        self.metrics.observe(&policy, &outcome, now.duration_since(at));
        self.log_change(&policy, &outcome, now);
    }

    /// One line when a policy begins or ceases to have a value.
    fn log_change(&mut self, policy: &Policy, outcome: &Outcome, now: Timestamp) {
        let absent = outcome.absent.as_ref().filter(|_| outcome.values.is_empty());
        let cause = absent.map(|it| it.why.clone()).unwrap_or_default();
        let before = self.standings.insert(policy.key.clone(), cause.clone());
        if before.as_ref() == Some(&cause) {
            return;
        }
        let policy = &policy.key;
        match absent {
            Some(absent) => tracing::warn!(%policy, why = absent.shown(now), "no value"),
            None => tracing::info!(%policy, "publishing values"),
        }
    }
}

/// How long after an instant its reads begin.
fn settle(policy: &Policy) -> Duration {
    limits::SETTLE.min(policy.interval / limits::SETTLE_SHARE)
}

fn before(now: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or_default();
    now.checked_sub(by).unwrap_or(Timestamp::MIN)
}
