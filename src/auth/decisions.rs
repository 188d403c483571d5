//! What the cluster decided lately: bounded, expiring, and asked once for all who wait for it.

use crate::auth::counters::{Counters, increment};
use crate::domain::identity::{Attributes, User};
use crate::domain::limits;
use crate::domain::ports::{Access, ReviewFailed, Reviews};
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// A longer question is asked each time: users choose paths and names, and must not fill the
/// memory with them. Kubernetes' own cache has the same rule.
const QUESTION_BYTES_MAX: usize = 4 * 1024;

/// May this user do that?
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Question {
    pub(crate) user: User,
    pub(crate) attributes: Attributes,
}

/// The cluster's answer, or why there is none.
pub(crate) type Answer = Result<Access, Arc<ReviewFailed>>;

/// Why a review was given up.
#[derive(Debug, thiserror::Error)]
enum GivenUp {
    #[error("no answer within {} s", limits::REVIEW_TIMEOUT.as_secs())]
    Slow,
    #[error("{} questions are waiting already", limits::DECISIONS_MAX)]
    TooMany,
    #[error("the review was broken off")]
    BrokenOff,
}

/// The remembered decisions, and the reviews that are being made.
#[derive(Debug)]
pub(crate) struct Decisions(Arc<Inner>);

struct Inner {
    reviews: Arc<dyn Reviews>,
    permits: Semaphore,
    table: Mutex<Table>,
    counters: Arc<Counters>,
}

#[derive(Default)]
struct Table {
    known: HashMap<Arc<Question>, Known>,
    /// Every insertion into `known`, oldest first. As all live equally long, the first to expire
    /// is the oldest; a question that was replaced since is skipped.
    order: VecDeque<(Instant, Arc<Question>)>,
    asking: HashMap<Arc<Question>, Shared<BoxFuture<'static, Answer>>>,
}

struct Known {
    access: Access,
    asked: Instant,
}

impl Decisions {
    pub(crate) fn new(reviews: Arc<dyn Reviews>, counters: Arc<Counters>) -> Self {
        let permits = Semaphore::new(limits::REVIEWS_AT_ONCE);
        Self(Arc::new(Inner { reviews, permits, table: Mutex::default(), counters }))
    }

    /// The answer to `question`: remembered, or asked for together with all who want the same.
    pub(crate) async fn decide(&self, question: Question, now: Instant) -> (Arc<Question>, Answer) {
        let question = Arc::new(question);
        let review = {
            let mut table = self.0.table();
            if let Some(access) = table.fresh(&question, now) {
                increment(&self.0.counters.hits);
                return (question, Ok(access));
            }
            increment(&self.0.counters.misses);
            match table.asking.get(&question) {
                Some(review) => review.clone(),
                None if table.asking.len() >= limits::DECISIONS_MAX => {
                    let failed = ReviewFailed(Box::new(GivenUp::TooMany));
                    return (question, Err(Arc::new(failed)));
                }
                None => {
                    let review = self.begin(Arc::clone(&question), now);
                    table.asking.insert(Arc::clone(&question), review.clone());
                    review
                }
            }
        };
        let answer = review.await;
        (question, answer)
    }

    /// Starts a review as a task of its own, so that it is finished and remembered even when the
    /// request that wanted it first has gone away.
    fn begin(&self, question: Arc<Question>, now: Instant) -> Shared<BoxFuture<'static, Answer>> {
        let inner = Arc::clone(&self.0);
        // The guard is made inside the task: a runtime that is shutting down drops the task right
        // here, where the table is locked.
        let review = tokio::spawn(async move { Asked { inner, question }.review(now).await });
        let broken_off = |_| Err(Arc::new(ReviewFailed(Box::new(GivenUp::BrokenOff))));
        review.map(move |done| done.unwrap_or_else(broken_off)).boxed().shared()
    }
}

impl Inner {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner").field("reviews", &self.reviews).finish_non_exhaustive()
    }
}

/// A review that others may wait for; whatever becomes of it, nobody waits for it afterwards.
struct Asked {
    inner: Arc<Inner>,
    question: Arc<Question>,
}

impl Asked {
    async fn review(self, now: Instant) -> Answer {
        let Inner { reviews, permits, counters, .. } = &*self.inner;
        let Question { user, attributes } = &*self.question;
        let review = async {
            // The semaphore is never closed; without a permit there is just no bound.
            let _permit = permits.acquire().await;
            increment(&counters.made);
            reviews.access(user, attributes).await
        };
        let slow = |_| Err(ReviewFailed(Box::new(GivenUp::Slow)));
        match timeout(limits::REVIEW_TIMEOUT, review).await.unwrap_or_else(slow) {
            Ok(access) => {
                let evicted = self.inner.table().remember(&self.question, &access, now);
                if evicted {
                    increment(&counters.evicted);
                }
                Ok(access)
            }
            Err(error) => {
                increment(&counters.failed);
                Err(Arc::new(error))
            }
        }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.inner.table().asking.remove(&self.question);
    }
}

impl Table {
    fn fresh(&self, question: &Question, now: Instant) -> Option<Access> {
        let known = self.known.get(question)?;
        is_fresh(known.asked, now).then(|| known.access.clone())
    }

    /// Keeps a decision, as of when it was asked for; true if a fresh one had to go for it.
    fn remember(&mut self, question: &Arc<Question>, access: &Access, now: Instant) -> bool {
        while self.order.front().is_some_and(|(asked, _)| !is_fresh(*asked, now)) {
            self.forget_oldest();
        }
        if question.bytes() > QUESTION_BYTES_MAX {
            return false;
        }
        let full = self.order.len() >= limits::DECISIONS_MAX;
        if full {
            self.forget_oldest();
        }
        self.order.push_back((now, Arc::clone(question)));
        self.known.insert(Arc::clone(question), Known { access: access.clone(), asked: now });
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

impl Question {
    /// What it takes to remember it.
    fn bytes(&self) -> usize {
        let Self { user, attributes } = self;
        let of_all = |texts: &[String]| texts.iter().map(|text| text.len() + 24).sum::<usize>();
        let extra: usize = user.extra.iter().map(|(key, values)| key.len() + of_all(values)).sum();
        let uid = user.uid.as_ref().map_or(0, String::len);
        let asked = match attributes {
            Attributes::Path { verb, path } => verb.len() + path.len(),
            Attributes::Resource { namespace, resource, subresource, name, .. } => {
                namespace.len() + resource.len() + subresource.len() + name.len()
            }
        };
        user.name.len() + uid + of_all(&user.groups) + extra + asked
    }
}

#[cfg(test)]
mod tests;
