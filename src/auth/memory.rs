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
use std::time::Instant;
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
    /// Every insertion into `known`, oldest first. As all live equally long, the first to expire
    /// is the oldest; a question that was replaced since is skipped.
    pub(crate) order: VecDeque<(Instant, Arc<Q>)>,
    pub(crate) asking: HashMap<Arc<Q>, Waiting<Q>>,
}

pub(crate) struct Known<Q: Question> {
    answer: Q::Answer,
    asked: Instant,
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
            if let Some(answer) = table.fresh(question, now) {
                increment(&self.0.counts.hits);
                return Ok(answer);
            }
            increment(&self.0.counts.misses);
            let n_asking = table.asking.len();
            match table.asking.get(question) {
                Some(waiting) => waiting.clone(),
                None if n_asking >= self.0.bounds.kept_max => {
                    return Err(failed::<Q>(GivenUp::TooMany(n_asking)));
                }
                None => {
                    let waiting = self.begin(Arc::clone(question), now, ask);
                    table.asking.insert(Arc::clone(question), waiting.clone());
                    waiting
                }
            }
        };
        waiting.await
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
    fn fresh(&self, question: &Q, now: Instant) -> Option<Q::Answer> {
        let known = self.known.get(question)?;
        is_fresh(known.asked, now).then(|| known.answer.clone())
    }

    /// Keeps an answer, as of when it was asked for; true if a fresh one had to go for it.
    fn remember(
        &mut self,
        question: &Arc<Q>,
        answer: &Q::Answer,
        now: Instant,
        kept_max: usize,
    ) -> bool {
        while self.order.front().is_some_and(|(asked, _)| !is_fresh(*asked, now)) {
            self.forget_oldest();
        }
        if question.bytes() > QUESTION_BYTES_MAX {
            return false;
        }
        let full = self.order.len() >= kept_max;
        if full {
            self.forget_oldest();
        }
        self.order.push_back((now, Arc::clone(question)));
        self.known.insert(Arc::clone(question), Known { answer: answer.clone(), asked: now });
        full
    }

    fn forget_oldest(&mut self) {
        if let Some((asked, question)) = self.order.pop_front()
            && self.known.get(&question).is_some_and(|known| known.asked == asked)
        {
            self.known.remove(&question);
        }
    }
}

fn is_fresh(asked: Instant, now: Instant) -> bool {
    now.saturating_duration_since(asked) < limits::DECISION_TTL
}
