//! The reads of one policy for one instant: all signals at once, capped for each source, with one
//! deadline over everything.

use crate::app::metrics::SourceMetrics;
use crate::domain::error_chain::ErrorChain;
use crate::domain::limits;
use crate::domain::name::{ObjectName, SourceName};
use crate::domain::sample::Sample;
use crate::evaluation::{History, Past, Readings};
use crate::policy::{Policy, Signal};
use crate::series::Samples;
use crate::source::{ReadError, Source};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::Semaphore;

/// The sources of a configuration, with their caps.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources(BTreeMap<SourceName, Arc<MeteredSource>>);

/// A source, or why it cannot be used.
pub(crate) type UsableSource = Result<Source, String>;

/// A source, how many reads of it may run at once, and what is counted.
#[derive(Debug)]
pub(crate) struct MeteredSource {
    source: UsableSource,
    permits: Semaphore,
    metrics: SourceMetrics,
}

/// What the reads of one policy brought.
#[derive(Debug)]
pub(crate) struct PolicyRead {
    /// The policy as it was when the read began.
    pub(crate) policy: Arc<Policy>,
    pub(crate) at: Timestamp,
    pub(crate) readings: Readings,
    pub(crate) history: Option<History>,
}

impl Sources {
    pub(crate) fn new(sources: Vec<(SourceName, UsableSource, SourceMetrics)>) -> Self {
        let metered = sources.into_iter().map(|(name, source, metrics)| {
            // Each source has its own, so that one that hangs cannot use up those of the others.
            let permits = Semaphore::new(limits::READS_AT_ONCE);
            (name, Arc::new(MeteredSource { source, permits, metrics }))
        });
        Self(metered.collect())
    }

    fn get(&self, name: &SourceName) -> Option<Arc<MeteredSource>> {
        self.0.get(name).cloned()
    }
}

/// Reads every signal of `policy` for the instant `at`, and its past where that is wanted.
pub(crate) async fn read(
    policy: Arc<Policy>,
    sources: Sources,
    at: Timestamp,
    past: Option<Past>,
) -> PolicyRead {
    let live = policy.signals.iter().map(|signal| async {
        match sources.get(&signal.source) {
            Some(source) => source.read(signal, at).await,
            None => Err("the source is not configured".to_owned()),
        }
    });
    let readings = futures::future::join_all(live).await;
    // A source that is away would be asked for the past, and said to have none, again and again.
    let history = match past.filter(|_| readings.iter().all(Result::is_ok)) {
        Some(past) => history(&policy, &sources, at, past).await,
        None => None,
    };
    PolicyRead { policy: Arc::clone(&policy), at, readings, history }
}

/// The past of all signals, or nothing when one of them has none: a sum of a past and of nothing
/// is not a past.
async fn history(policy: &Policy, sources: &Sources, at: Timestamp, past: Past) -> Option<History> {
    let Past { span, step } = past;
    let to = at.checked_sub(step).ok()?;
    let from = at.checked_sub(span).ok()?;
    let reads = policy.signals.iter().map(|signal| async move {
        let source = sources.get(&signal.source)?;
        let read = source.history(signal, (from, to), past).await?;
        // Not being primed is no failure: smoothing begins at the first live sample.
        read.inspect_err(|error| {
            let error = ErrorChain(error);
            tracing::info!(policy = %policy.key, signal = %signal.name, %error, "no history");
        })
        .ok()
    });
    futures::future::join_all(reads).await.into_iter().collect()
}

impl MeteredSource {
    async fn read(&self, signal: &Signal, at: Timestamp) -> Result<Samples, String> {
        let source = self.source.as_ref().map_err(String::clone)?;
        self.metered(source.read(&signal.ask, at)).await.map_err(|error| error.to_string())
    }

    /// `None` when this source has no past.
    async fn history(
        &self,
        signal: &Signal,
        span: (Timestamp, Timestamp),
        past: Past,
    ) -> Option<Result<Vec<(Option<ObjectName>, Sample)>, ReadError>> {
        let source = self.source.as_ref().ok().filter(|it| it.has_history())?;
        Some(self.metered(source.history(&signal.ask, span, past.step)).await)
    }

    /// One read: capped, bounded in time with the wait for its turn, and counted.
    async fn metered<T>(
        &self,
        read: impl Future<Output = Result<T, ReadError>>,
    ) -> Result<T, ReadError> {
        let begin = Instant::now();
        let turn = async {
            let _permit = self.permits.acquire().await;
            read.await
        };
        let deadline = limits::TICK_DEADLINE;
        let result = tokio::time::timeout(deadline, turn).await;
        let result = result.unwrap_or(Err(ReadError::TimedOut(deadline)));
        self.metrics.observe(begin.elapsed(), result.as_ref().err().map(ReadError::reason));
        result
    }
}
