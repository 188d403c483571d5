//! The reads of one policy: for one instant all signals at once, capped for each source, with one
//! deadline over everything; and for a chunk of its past one signal after the other.

mod plain;

use crate::app::metrics::SourceMetrics;
use crate::app::queues::Queues;
use crate::domain::error_chain::ErrorChain;
use crate::domain::limits;
use crate::domain::name::{ObjectName, SourceName};
use crate::domain::sample::Sample;
use crate::evaluation::backfill::{Chunk, ChunkFailure};
use crate::evaluation::{Past, Readings, Recording};
use crate::policy::profile::detect::Place;
use crate::policy::schedule::Schedule;
use crate::policy::{Ask, Config, Policy, Signal};
use crate::series::{Aged, Samples, Taken};
use crate::source::pods::{Answer, PodReader};
use crate::source::{Breaker, ReadError, Reason, RetryBudget, Source};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::Semaphore;

/// Samples of one signal over time, oldest first.
type Samplings = Vec<(Option<ObjectName>, Sample)>;

/// The sources of a configuration and the servers of its queues, with their caps.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources {
    named: Arc<BTreeMap<SourceName, Arc<MeteredSource>>>,
    /// `None` before there is a configuration.
    queues: Option<Arc<Queues>>,
}

/// A source, or why it cannot be used.
pub(crate) type UsableSource = Result<Source, String>;

/// A source, how many reads of it may run at once, and what is counted.
#[derive(Debug)]
pub(crate) struct MeteredSource {
    source: UsableSource,
    permits: Semaphore,
    breaker: Breaker,
    retries: RetryBudget,
    metrics: SourceMetrics,
}

/// What the reads of one policy brought.
#[derive(Debug)]
pub(crate) struct PolicyRead {
    /// The policy as it was when the read began.
    pub(crate) policy: Arc<Policy>,
    pub(crate) at: Timestamp,
    pub(crate) readings: Readings,
    /// How old they are.
    pub(crate) taken: Vec<Taken>,
    /// What good reads lack.
    pub(crate) notes: Vec<Option<String>>,
    pub(crate) recording: Option<Recording>,
}

impl Sources {
    pub(crate) fn new(
        sources: Vec<(SourceName, UsableSource, SourceMetrics)>,
        queues: Arc<Queues>,
    ) -> Self {
        let metered = sources
            .into_iter()
            .map(|(name, source, metrics)| (name, Arc::new(MeteredSource::new(source, metrics))));
        Self { named: Arc::new(metered.collect()), queues: Some(queues) }
    }

    /// Lets go of the servers of queues that `config` has no use for.
    pub(crate) fn keep_used(&self, config: &Config) {
        if let Some(queues) = &self.queues {
            queues.keep_used(config);
        }
    }

    /// Whether all signals of a policy have a past: a sum of a past and of nothing is not a past.
    pub(crate) fn have_past(&self, policy: &Policy) -> bool {
        policy.signals.iter().all(|signal| match signal.ask {
            Ask::Schedule(_) => true,
            _ => self.get(signal).is_some_and(|it| it.usable_with_history().is_some()),
        })
    }

    /// Whether live reads leave a source room for the past: it is not in the middle of a burst.
    pub(crate) fn is_calm(&self, name: &SourceName) -> bool {
        let source = self.named.get(name);
        source.is_none_or(|it| it.permits.available_permits() > limits::READS_AT_ONCE / 2)
    }

    fn get(&self, signal: &Signal) -> Option<Arc<MeteredSource>> {
        match &signal.ask {
            Ask::Queue(ask) => Some(self.queues.as_ref()?.get(&signal.source, &ask.server)),
            // Pods are read by the one reader that all policies share; what is planned is not read.
            Ask::Pods(_) | Ask::Schedule(_) => None,
            Ask::Engine(any) if matches!(any.place, Place::Pods { .. }) => None,
            Ask::Query { .. } | Ask::Series { .. } | Ask::Engine(_) => {
                self.named.get(&signal.source).cloned()
            }
        }
    }
}

/// Reads every signal of `policy` for the instant `at`, and its past where that is wanted.
pub(crate) async fn read(
    policy: Arc<Policy>,
    sources: Sources,
    pods: Arc<PodReader>,
    at: Timestamp,
    past: Option<Past>,
) -> PolicyRead {
    let live = policy.signals.iter().map(|signal| async {
        match (&signal.ask, sources.get(signal)) {
            (ask, None) if ask.of_pods().is_some() => {
                let asker = (policy.key.clone(), signal.name.clone());
                let read = async {
                    match ask {
                        Ask::Pods(ask) => pods.read(asker, ask, at).await,
                        Ask::Engine(any) => pods.read_any(asker, any, at).await,
                        _ => Err(ReadError::WrongKind),
                    }
                };
                let late = |_| Err(ReadError::TimedOut(limits::TICK_DEADLINE));
                let read = tokio::time::timeout(limits::TICK_DEADLINE, read).await;
                let read = read.unwrap_or_else(late).map_err(|error| error.to_string());
                read.map(|it| (it, Taken::new()))
            }
            (Ask::Schedule(schedule), _) => {
                let planned = Sample { at, value: schedule.value(at) };
                let samples = Samples::from([(None, planned)]);
                Ok((Answer { samples, note: None, used: None, told: None }, Taken::new()))
            }
            (_, Some(source)) => {
                let read = source.read(signal, at).await;
                read.map(|Aged { samples, taken, is_partial, used, told }| {
                    // In words of our own: what a server says may hold what is nobody's business.
                    let note = is_partial.then(|| PART.to_owned());
                    (Answer { samples, note, used, told }, taken)
                })
            }
            (_, None) => Err("the source is not configured".to_owned()),
        }
    });
    let answers = futures::future::join_all(live).await;
    let notes = policy.signals.iter().zip(&answers);
    let notes = notes.map(|(signal, it)| note(signal, &it.as_ref().ok()?.0)).collect();
    let (readings, taken): (Readings, Vec<Taken>) = answers
        .into_iter()
        .map(|it| match it {
            Ok((answer, taken)) => (Ok(answer.samples), taken),
            Err(why) => (Err(why), Taken::new()),
        })
        .unzip();
    // A source that is away would be asked for the past, and said to have none, again and again.
    let recording = match past.filter(|_| readings.iter().all(Result::is_ok)) {
        Some(past) => recording(&policy, &sources, past).await,
        None => None,
    };
    PolicyRead { policy: Arc::clone(&policy), at, readings, taken, notes, recording }
}

/// What is told of a read that was used although it is about a part of the data.
const PART: &str = "made from a part of the data";

/// What a person should know about a good read: of which series it was made where a profile left that
/// open, and what it lacks.
fn note(signal: &Signal, Answer { note, used, told, .. }: &Answer) -> Option<String> {
    let used = match (&signal.ask, used) {
        (_, Some(used)) => Some(format!("read as {used}")),
        (Ask::Query { profile: Some(described), .. }, None) => Some(described.to_string()),
        _ => None,
    };
    let parts: Vec<String> = told.iter().cloned().chain(used).chain(note.clone()).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// The past of all signals, or nothing when one of them has none: a sum of a past and of nothing
/// is not a past.
async fn recording(policy: &Policy, sources: &Sources, past: Past) -> Option<Recording> {
    let reads = policy.signals.iter().map(|signal| async move {
        if let Ask::Schedule(schedule) = &signal.ask {
            return planned(Arc::clone(schedule), past).await;
        }
        let source = sources.get(signal)?;
        let read = source.history(signal, past).await?;
        // Not being primed is no failure: smoothing begins at the first live sample.
        read.inspect_err(|error| {
            let error = ErrorChain(error);
            tracing::info!(policy = %policy.key, signal = %signal.name, %error, "no history");
        })
        .ok()
    });
    futures::future::join_all(reads).await.into_iter().collect()
}

/// What was planned for a stretch of the past; `None` when that broke off. It is worked out apart
/// from the threads that answer requests.
async fn planned(schedule: Arc<Schedule>, past: Past) -> Option<Samplings> {
    let work = move || schedule.samples((past.from, past.to), past.step);
    let samples = tokio::task::spawn_blocking(work).await;
    let samples = samples.inspect_err(|error| {
        tracing::error!(error = %ErrorChain(error), "the past of a calendar broke off");
    });
    Some(samples.ok()?.into_iter().map(|it| (None, it)).collect())
}

/// Reads a chunk of the past and digests it, apart from the threads that answer requests: that
/// takes some milliseconds.
pub(crate) async fn chunk(chunk: Chunk, sources: Sources) -> Result<Vec<Sample>, ChunkFailure> {
    let recording = chunk_recording(&chunk, &sources).await?;
    let policy = chunk.policy.key.clone();
    let digested = tokio::task::spawn_blocking(move || chunk.digest(&recording)).await;
    digested.map_err(|error| {
        tracing::error!(%policy, error = %ErrorChain(&error), "a chunk of the past broke off");
        ChunkFailure::Other
    })
}

async fn chunk_recording(chunk: &Chunk, sources: &Sources) -> Result<Recording, ChunkFailure> {
    let mut recording = Recording::new();
    for signal in &chunk.policy.signals {
        if let Ask::Schedule(schedule) = &signal.ask {
            let samples = planned(Arc::clone(schedule), chunk.past).await;
            recording.push(samples.ok_or(ChunkFailure::Other)?);
            continue;
        }
        let source = sources.get(signal).ok_or(ChunkFailure::Other)?;
        let read = source.chunk(signal, chunk.past).await.ok_or(ChunkFailure::Other)?;
        let samples = read.map_err(|error| {
            let (policy, signal) = (&chunk.policy.key, &signal.name);
            tracing::debug!(%policy, %signal, error = %ErrorChain(&error), "no chunk of the past");
            match error.reason() {
                Reason::TimedOut | Reason::TooLarge => ChunkFailure::TooMuch,
                Reason::Unreachable
                | Reason::Refused
                | Reason::Resting
                | Reason::NoCredentials
                | Reason::NotUnderstood
                | Reason::Empty => ChunkFailure::Other,
            }
        })?;
        recording.push(samples);
    }
    Ok(recording)
}

impl MeteredSource {
    /// Each source has permits of its own, so that one that hangs cannot use up those of others.
    pub(crate) fn new(source: UsableSource, metrics: SourceMetrics) -> Self {
        let (breaker, retries) = Default::default();
        let permits = Semaphore::new(limits::READS_AT_ONCE);
        Self { source, permits, breaker, retries, metrics }
    }

    fn usable_with_history(&self) -> Option<&Source> {
        self.source.as_ref().ok().filter(|it| it.has_history())
    }

    async fn read(&self, signal: &Signal, at: Timestamp) -> Result<Aged, String> {
        let source = self.source.as_ref().map_err(String::clone)?;
        let read = || source.read(&signal.ask, at);
        let result = self.permitted(read).await;
        self.metrics.ages_untold(source.take_untold_ages());
        result.map_err(|error| error.to_string())
    }

    /// `None` when this source has no past.
    async fn history(&self, signal: &Signal, past: Past) -> Option<Result<Samplings, ReadError>> {
        let source = self.usable_with_history()?;
        let read = || source.history(&signal.ask, (past.from, past.to), past.step);
        Some(self.permitted(read).await)
    }

    /// The same without a permit, of which live reads shall have all: whoever asks for chunks
    /// counts them.
    async fn chunk(&self, signal: &Signal, past: Past) -> Option<Result<Samplings, ReadError>> {
        let source = self.usable_with_history()?;
        Some(self.metered(source.history(&signal.ask, (past.from, past.to), past.step)).await)
    }

    /// One read in its turn, if the source answers at all; tried again where that may help.
    async fn permitted<T, R: Future<Output = Result<T, ReadError>>>(
        &self,
        read: impl Fn() -> R,
    ) -> Result<T, ReadError> {
        let turn = async {
            let pass = self.breaker.admit(Instant::now()).await?;
            let _permit = self.permits.acquire().await;
            // On the heap, so that a thousand reads that wait for their turn take no room for it.
            let first = Box::pin(read()).await;
            let wait = first.as_ref().err().and_then(|error| self.retries.spend(error));
            let result = match wait {
                Some(wait) => {
                    tokio::time::sleep(wait).await;
                    Box::pin(read()).await
                }
                None => first,
            };
            if result.is_ok() {
                self.retries.earn();
            }
            pass.tell(&result, Instant::now());
            result
        };
        self.metered(turn).await
    }

    /// One read: bounded in time with the wait for its turn, and counted.
    async fn metered<T>(
        &self,
        read: impl Future<Output = Result<T, ReadError>>,
    ) -> Result<T, ReadError> {
        let begin = Instant::now();
        let deadline = limits::TICK_DEADLINE;
        let result = tokio::time::timeout(deadline, read).await;
        let result = result.unwrap_or(Err(ReadError::TimedOut(deadline)));
        self.metrics.observe(begin.elapsed(), result.as_ref().err().map(ReadError::reason));
        result
    }
}
