//! The backfill of histories beside the tick: asks for one chunk after the other, and never in the
//! way of live reads.

use crate::app::metrics::backfill::BackfillMetrics;
use crate::app::read::{self, Sources};
use crate::domain::error_chain::ErrorChain;
use crate::domain::limits;
use crate::domain::name::SourceName;
use crate::domain::sample::Sample;
use crate::evaluation::Evaluation;
use crate::evaluation::backfill::{Chunk, ChunkFailure};
use crate::policy::Policy;
use crate::published::Progress;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};
use tokio::task::{Id, JoinError, JoinSet};

/// The chunks that are being read, and what each source may be asked.
#[derive(Debug)]
pub(super) struct Filler {
    reads: JoinSet<Brought>,
    /// Which chunk a task reads, and since when.
    readers: HashMap<Id, (Chunk, Instant)>,
    lanes: BTreeMap<SourceName, Lane>,
    metrics: BackfillMetrics,
    /// When the log said last how many chunks are done, while it is worth telling.
    told: Option<(Instant, usize)>,
}

/// From so many chunks on the log tells how far they are; fewer are gaps, not a beginning.
const WORTH_TELLING: usize = 10;

/// What a chunk brought.
type Brought = Result<Vec<Sample>, ChunkFailure>;

/// How busy one source is with the past.
#[derive(Clone, Copy, Debug)]
struct Lane {
    in_flight: usize,
    rests_until: Instant,
}

impl Filler {
    pub(super) fn new(metrics: BackfillMetrics) -> Self {
        Self {
            reads: JoinSet::new(),
            readers: HashMap::new(),
            lanes: BTreeMap::new(),
            metrics,
            told: None,
        }
    }

    /// Starts the chunks that may be asked for now; answers how long to wait before the next look,
    /// if there is anything to look for.
    pub(super) fn start(
        &mut self,
        evaluation: &mut Evaluation,
        sources: &Sources,
        now: Timestamp,
    ) -> Option<Duration> {
        let clock = Instant::now();
        while let Some(chunk) =
            evaluation.next_chunk(now, |policy| self.may_ask(policy, sources, clock))
        {
            let key = chunk.policy.key.clone();
            if !sources.have_past(&chunk.policy) {
                tracing::debug!(policy = %key, "no source of the past: the history grows live");
                evaluation.skip_backfill(&chunk.policy);
                continue;
            }
            if evaluation.progress(&key).is_some_and(|it| it.chunks_done == 0) {
                tracing::debug!(policy = %key, "asking for the past");
            }
            for lane in self.lanes_of(&chunk.policy) {
                lane.in_flight += 1;
            }
            let task = self.reads.spawn(read::chunk(chunk.clone(), sources.clone()));
            self.readers.insert(task.id(), (chunk, clock));
        }
        let all = evaluation.progress_of_all();
        self.metrics.hold(all);
        self.tell(all, clock);
        // One that is due waits for its source to have rested; who reads is waited for anyway.
        evaluation.next_chunk_after(now).map(|it| it.max(limits::BACKFILL_REST_MIN))
    }

    /// The next chunk that was read; `None` while none is being read.
    pub(super) async fn join_next(&mut self) -> Option<Result<(Id, Brought), JoinError>> {
        self.reads.join_next_with_id().await
    }

    /// Takes a chunk that was read.
    pub(super) fn take(
        &mut self,
        evaluation: &mut Evaluation,
        read: Result<(Id, Brought), JoinError>,
        now: Timestamp,
    ) {
        let id = read.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        let Some((chunk, begun)) = self.readers.remove(&id) else { return };
        let (clock, took) = (Instant::now(), begun.elapsed());
        for lane in self.lanes_of(&chunk.policy) {
            lane.in_flight = lane.in_flight.saturating_sub(1);
            lane.rests_until = clock + took.max(limits::BACKFILL_REST_MIN);
        }
        let brought = match read {
            Ok((_, brought)) => brought,
            Err(error) => {
                let (policy, error) = (&chunk.policy.key, ErrorChain(&error));
                tracing::error!(%policy, %error, "a chunk of the past broke off");
                Err(ChunkFailure::Other)
            }
        };
        self.metrics.observe(&brought);
        if let Some((before, after)) = evaluation.take_chunk(&chunk, brought, now)
            && quarter(before) != quarter(after)
        {
            let Progress { chunks_done, chunks_total } = after;
            tracing::debug!(policy = %chunk.policy.key, chunks_done, chunks_total, "past read");
        }
    }

    fn may_ask(&self, policy: &Policy, sources: &Sources, clock: Instant) -> bool {
        policy.signals.iter().all(|signal| {
            let lane = self.lanes.get(&signal.source);
            let is_free = lane.is_none_or(|it| {
                it.in_flight < limits::BACKFILL_CHUNKS_AT_ONCE && it.rests_until <= clock
            });
            is_free && sources.is_calm(&signal.source)
        })
    }

    /// The lanes of the sources that a policy reads. There are no more than sources were ever
    /// named, and one that nobody uses is dropped as soon as it is idle.
    fn lanes_of(&mut self, policy: &Policy) -> impl Iterator<Item = &mut Lane> {
        let names: BTreeSet<&SourceName> = policy.signals.iter().map(|it| &it.source).collect();
        let clock = Instant::now();
        self.lanes.retain(|_, it| it.in_flight > 0 || it.rests_until > clock);
        for name in &names {
            let idle = Lane { in_flight: 0, rests_until: clock };
            self.lanes.entry((*name).clone()).or_insert(idle);
        }
        let lanes = self.lanes.iter_mut();
        lanes.filter(move |(name, _)| names.contains(name)).map(|(_, lane)| lane)
    }

    /// One line for all policies together, now and then while it goes on, and at the end.
    fn tell(&mut self, all: Progress, clock: Instant) {
        let Progress { chunks_done, chunks_total } = all;
        let pending = chunks_total.saturating_sub(chunks_done);
        if pending >= WORTH_TELLING && self.told.is_none() {
            self.told = Some((clock, chunks_done));
        }
        let Some((since, told)) = self.told else { return };
        if pending == 0 {
            tracing::info!(chunks_done, chunks_total, "the past of all policies is read");
            self.told = None;
        } else if told != chunks_done && clock.duration_since(since) >= limits::BACKFILL_TELL {
            tracing::info!(chunks_done, chunks_total, "reading the past");
            self.told = Some((clock, chunks_done));
        }
    }
}

/// How many quarters are done.
fn quarter(progress: Progress) -> usize {
    progress.chunks_done.saturating_mul(4) / progress.chunks_total.max(1)
}
