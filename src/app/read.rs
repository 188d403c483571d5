//! The reads of one policy for one instant: all signals at once, capped for each source, with one
//! deadline over everything.

use crate::app::evaluation::{History, Readings};
use crate::app::metrics::SourceMetrics;
use crate::domain::limits;
use crate::domain::name::{ObjectName, PolicyKey, SourceName};
use crate::domain::sample::Sample;
use crate::policy::{Policy, Signal};
use crate::source::{ReadError, Samples, Source};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::Semaphore;

/// The sources of a configuration, with their caps.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources(BTreeMap<SourceName, Arc<Guarded>>);

/// A source, how many reads of it may run at once, and what is counted.
#[derive(Debug)]
pub(crate) struct Guarded {
    source: Source,
    permits: Semaphore,
    metrics: SourceMetrics,
}

/// What the reads of one policy brought.
#[derive(Debug)]
pub(crate) struct PolicyRead {
    pub(crate) key: PolicyKey,
    pub(crate) at: Timestamp,
    pub(crate) readings: Readings,
    pub(crate) history: Option<History>,
}

impl Sources {
    pub(crate) fn new(sources: Vec<(SourceName, Source, SourceMetrics)>) -> Self {
        let guarded = sources.into_iter().map(|(name, source, metrics)| {
            // Each source has its own, so that one that hangs cannot use up those of the others.
            let permits = Semaphore::new(limits::READS_AT_ONCE);
            (name, Arc::new(Guarded { source, permits, metrics }))
        });
        Self(guarded.collect())
    }

    fn get(&self, name: &SourceName) -> Option<Arc<Guarded>> {
        self.0.get(name).cloned()
    }
}

/// Reads every signal of `policy` for the instant `at`, and its past where that is wanted.
pub(crate) async fn read(
    policy: Arc<Policy>,
    sources: Sources,
    at: Timestamp,
    wants_history: bool,
) -> PolicyRead {
    let live = policy.signals.iter().map(|signal| async {
        match sources.get(&signal.source) {
            Some(source) => source.read(signal, at).await,
            None => Err("the source is not configured".to_owned()),
        }
    });
    let live = futures::future::join_all(live);
    let past = async { if wants_history { history(&policy, &sources, at).await } else { None } };
    let (readings, history) = futures::future::join(live, past).await;
    PolicyRead { key: policy.key.clone(), at, readings, history }
}

/// The past of all signals, or nothing when one of them has none: a sum of a past and of nothing
/// is not a past.
async fn history(policy: &Policy, sources: &Sources, at: Timestamp) -> Option<History> {
    let span = SignedDuration::try_from(policy.backfill()).ok()?;
    let to = at.checked_sub(SignedDuration::try_from(policy.interval).ok()?).ok()?;
    let from = at.checked_sub(span).ok()?;
    let reads = policy.signals.iter().map(|signal| async move {
        let source = sources.get(&signal.source)?;
        source.history(signal, (from, to), policy).await
    });
    futures::future::join_all(reads).await.into_iter().collect()
}

impl Guarded {
    async fn read(&self, signal: &Signal, at: Timestamp) -> Result<Samples, String> {
        let begin = Instant::now();
        let read = async {
            let _permit = self.permits.acquire().await;
            self.source.read(&signal.ask, at).await
        };
        let deadline = limits::TICK_DEADLINE;
        let result = tokio::time::timeout(deadline, read).await;
        let result = result.unwrap_or(Err(ReadError::TimedOut(deadline)));
        self.metrics.observe(begin.elapsed(), result.as_ref().err().map(ReadError::reason));
        result.map_err(|error| error.to_string())
    }

    async fn history(
        &self,
        signal: &Signal,
        span: (Timestamp, Timestamp),
        policy: &Policy,
    ) -> Option<Vec<(Option<ObjectName>, Sample)>> {
        if !self.source.has_history() {
            return None;
        }
        let _permit = self.permits.acquire().await;
        let read = self.source.history(&signal.ask, span, policy.interval);
        match tokio::time::timeout(limits::TICK_DEADLINE, read).await {
            Ok(Ok(samples)) => Some(samples),
            Ok(Err(error)) => {
                // Not being primed is no failure: smoothing begins at the first live sample.
                tracing::info!(policy = %policy.key, signal = %signal.name, %error, "no history");
                None
            }
            Err(_) => None,
        }
    }
}
