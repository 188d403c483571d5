//! What the cluster answered lately: bounded, expiring, and asked once for all who wait for it.

use crate::auth::counters::{Asked as Counts, increment};
use crate::domain::limits;
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use std::collections::{HashMap, VecDeque};
use std::error::Error;
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// A longer question is asked each time: users choose paths and names, and must not fill the
/// memory with them. Kubernetes' own cache has the same rule.
pub(crate) const QUESTION_BYTES_MAX: usize = 4 * 1024;

/// Something that the cluster is asked.
pub(crate) trait Question: Eq + Hash + Send + Sync + 'static {
    /// What is remembered.
    type Answer: Clone + Send + Sync + 'static;
    /// Why there is no answer; not remembered.
    type Failed: From<Box<dyn Error + Send + Sync>> + Send + Sync + 'static;

    /// What it takes to remember it.
    fn bytes(&self) -> usize;

    /// How long this answer to it may be used.
    fn uses(&self, _: &Self::Answer) -> Uses {
        Uses { fresh: limits::DECISION_TTL, life: limits::DECISION_TTL }
    }
}

/// How long an answer may be used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Uses {
    /// Without another thought.
    pub(crate) fresh: Duration,
    /// At all: whoever uses one that is not fresh has it asked for anew, without waiting.
    pub(crate) life: Duration,
}

/// The cluster's answer, or why there is none.
pub(crate) type Answer<Q> = Result<<Q as Question>::Answer, Arc<<Q as Question>::Failed>>;
/// The answer on its way.
pub(crate) type Asking<Q> =
    BoxFuture<'static, Result<<Q as Question>::Answer, <Q as Question>::Failed>>;
type Waiting<Q> = Shared<BoxFuture<'static, Answer<Q>>>;

/// How much is remembered and asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Answers remembered, and questions waiting.
    pub(crate) kept_max: usize,
    /// Questions in flight.
    pub(crate) at_once: usize,
}

/// Why a question was given up.
#[derive(Debug, thiserror::Error)]
enum GivenUp {
    #[error("no answer within {} s", limits::REVIEW_TIMEOUT.as_secs())]
    Slow,
    #[error("{0} questions are waiting already")]
    TooMany(usize),
    #[error("the review was broken off")]
    BrokenOff,
}

/// The remembered answers, and the questions that are being asked.
pub(crate) struct Memory<Q: Question>(Arc<Inner<Q>>);

struct Inner<Q: Question> {
    bounds: Bounds,
    permits: Semaphore,
    table: Mutex<Table<Q>>,
    counts: Arc<Counts>,
}

pub(crate) struct Table<Q: Question> {
    pub(crate) known: HashMap<Arc<Q>, Known<Q>>,
    /// Every insertion into `known`, oldest first; a question that was replaced since is skipped.
    /// As none is replaced while it is fresh, this is at most a few times as long as `known`.
    pub(crate) order: VecDeque<(Instant, Arc<Q>)>,
    pub(crate) asking: HashMap<Arc<Q>, Waiting<Q>>,
}

pub(crate) struct Known<Q: Question> {
    answer: Q::Answer,
    asked: Instant,
    uses: Uses,
}

impl<Q: Question> Memory<Q> {
    pub(crate) fn new(bounds: Bounds, counts: Arc<Counts>) -> Self {
        let table = Table { known: HashMap::new(), order: VecDeque::new(), asking: HashMap::new() };
        let permits = Semaphore::new(bounds.at_once);
        Self(Arc::new(Inner { bounds, permits, table: Mutex::new(table), counts }))
    }

    /// The answer to `question`: remembered, or asked for by `ask` together with all who want the
    /// same.
    pub(crate) async fn answer(
        &self,
        question: &Arc<Q>,
        now: Instant,
        ask: impl FnOnce(Arc<Q>) -> Asking<Q>,
    ) -> Answer<Q> {
        let waiting = {
            let mut table = self.table();
            let known = table.known.get(question).filter(|known| known.is_alive(now));
            if let Some((answer, is_fresh)) = known.map(|it| (it.answer.clone(), it.is_fresh(now)))
            {
                increment(&self.0.counts.hits);
                if !is_fresh {
                    // Nobody waits; where too many questions do already, a later request asks.
                    self.wait_for(&mut table, question, now, ask).ok();
                }
                return Ok(answer);
            }
            increment(&self.0.counts.misses);
            self.wait_for(&mut table, question, now, ask)?
        };
        waiting.await
    }

    /// The answer that is on its way to all who want it.
    fn wait_for(
        &self,
        table: &mut Table<Q>,
        question: &Arc<Q>,
        now: Instant,
        ask: impl FnOnce(Arc<Q>) -> Asking<Q>,
    ) -> Result<Waiting<Q>, Arc<Q::Failed>> {
        if let Some(waiting) = table.asking.get(question) {
            return Ok(waiting.clone());
        }
        let n_asking = table.asking.len();
        if n_asking >= self.0.bounds.kept_max {
            return Err(failed::<Q>(GivenUp::TooMany(n_asking)));
        }
        let waiting = self.begin(Arc::clone(question), now, ask);
        table.asking.insert(Arc::clone(question), waiting.clone());
        Ok(waiting)
    }

    /// Asks in a task of its own, so that the answer comes and is remembered even when the request
    /// that wanted it first has gone away.
    fn begin(
        &self,
        question: Arc<Q>,
        now: Instant,
        ask: impl FnOnce(Arc<Q>) -> Asking<Q>,
    ) -> Waiting<Q> {
        let inner = Arc::clone(&self.0);
        let asking = ask(Arc::clone(&question));
        // The guard is made inside the task: a runtime that is shutting down drops the task right
        // here, where the table is locked.
        let done = tokio::spawn(async move { Asked { inner, question }.wait(asking, now).await });
        done.map(|done| done.unwrap_or_else(|_| Err(failed::<Q>(GivenUp::BrokenOff))))
            .boxed()
            .shared()
    }

    pub(crate) fn table(&self) -> MutexGuard<'_, Table<Q>> {
        self.0.table()
    }
}

fn failed<Q: Question>(cause: GivenUp) -> Arc<Q::Failed> {
    let cause: Box<dyn Error + Send + Sync> = Box::new(cause);
    Arc::new(cause.into())
}

impl<Q: Question> Inner<Q> {
    fn table(&self) -> MutexGuard<'_, Table<Q>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<Q: Question> fmt::Debug for Memory<Q> {
    /// Without what is remembered: it tells who asked for what.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("bounds", &self.0.bounds).finish_non_exhaustive()
    }
}

/// A question that others may wait for; whatever becomes of it, nobody waits for it afterwards.
struct Asked<Q: Question> {
    inner: Arc<Inner<Q>>,
    question: Arc<Q>,
}

impl<Q: Question> Asked<Q> {
    async fn wait(self, asking: Asking<Q>, now: Instant) -> Answer<Q> {
        let Inner { permits, counts, .. } = &*self.inner;
        let asked = async {
            // The semaphore is never closed; without a permit there is just no bound.
            let _permit = permits.acquire().await;
            increment(&counts.made);
            asking.await.map_err(Arc::new)
        };
        let slow = |_| Err(failed::<Q>(GivenUp::Slow));
        match timeout(limits::REVIEW_TIMEOUT, asked).await.unwrap_or_else(slow) {
            Ok(answer) => {
                let kept_max = self.inner.bounds.kept_max;
                if self.inner.table().remember(&self.question, &answer, now, kept_max) {
                    increment(&counts.evicted);
                }
                Ok(answer)
            }
            Err(error) => {
                increment(&counts.failed);
                Err(error)
            }
        }
    }
}

impl<Q: Question> Drop for Asked<Q> {
    fn drop(&mut self) {
        self.inner.table().asking.remove(&self.question);
    }
}

impl<Q: Question> Table<Q> {
    /// Keeps an answer, as of when it was asked for; true if one that could be used had to go for it.
    fn remember(
        &mut self,
        question: &Arc<Q>,
        answer: &Q::Answer,
        now: Instant,
        kept_max: usize,
    ) -> bool {
        while self.order.front().is_some_and(|oldest| !self.is_usable(oldest, now)) {
            self.forget_oldest();
        }
        if question.bytes() > QUESTION_BYTES_MAX {
            return false;
        }
        let full = self.known.len() >= kept_max && !self.known.contains_key(question);
        // Several, as an insertion that was replaced since takes no place in `known`.
        while full && self.known.len() >= kept_max && !self.order.is_empty() {
            self.forget_oldest();
        }
        self.order.push_back((now, Arc::clone(question)));
        let uses = question.uses(answer);
        let known = Known { answer: answer.clone(), asked: now, uses };
        self.known.insert(Arc::clone(question), known);
        full
    }

    /// Whether this insertion's answer may be used: it was not replaced, and still lives.
    fn is_usable(&self, (asked, question): &(Instant, Arc<Q>), now: Instant) -> bool {
        let known = self.known.get(question);
        known.is_some_and(|known| known.asked == *asked && known.is_alive(now))
    }

    fn forget_oldest(&mut self) {
        if let Some((asked, question)) = self.order.pop_front()
            && self.known.get(&question).is_some_and(|known| known.asked == asked)
        {
            self.known.remove(&question);
        }
    }
}

impl<Q: Question> Known<Q> {
    /// Whether it may be used.
    fn is_alive(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.asked) < self.uses.life
    }

    /// Whether it need not be asked for anew.
    fn is_fresh(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.asked) < self.uses.fresh
    }
}
