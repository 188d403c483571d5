//! What users may do, as the cluster decided lately.

use crate::auth::counters::Asked;
use crate::auth::memory::{self, Bounds, Memory, Uses};
use crate::domain::identity::{Attributes, User};
use crate::domain::limits::{self, door};
use crate::domain::ports::{Access, ReviewFailed, Reviews};
use crate::domain::selector::Requirement;
use futures::FutureExt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Instant;

/// May this user do that?
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Question {
    pub(crate) user: User,
    pub(crate) attributes: Attributes,
}

/// The remembered decisions, and who decides.
#[derive(Debug)]
pub(crate) struct Decisions {
    reviews: Arc<dyn Reviews>,
    memory: Memory<Question>,
}

impl Decisions {
    pub(crate) fn new(reviews: Arc<dyn Reviews>, bounds: Bounds, counts: Arc<Asked>) -> Self {
        Self { reviews, memory: Memory::new(bounds, counts) }
    }

    /// The answer to `question`: remembered, or asked for together with all who want the same.
    pub(crate) async fn decide(
        &self,
        question: Question,
        now: Instant,
    ) -> (Arc<Question>, memory::Answer<Question>) {
        let question = Arc::new(question);
        let ask = |question: Arc<Question>| {
            let reviews = Arc::clone(&self.reviews);
            async move { reviews.access(&question.user, &question.attributes).await }.boxed()
        };
        let answer = self.memory.answer(&question, now, ask).await;
        (question, answer)
    }
}

impl memory::Question for Question {
    type Answer = Access;
    type Failed = ReviewFailed;

    fn uses(&self, access: &Access) -> Uses {
        if !access.allowed {
            return Uses { fresh: limits::DECISION_TTL, life: limits::DECISION_TTL };
        }
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        let share = (hasher.finish() % 1_000) as f64 / 1_000.0;
        let fresh = door::ALLOWED_FRESH + door::ALLOWED_SPREAD.mul_f64(share);
        Uses { fresh, life: door::ALLOWED_TTL }
    }

    fn bytes(&self) -> usize {
        let Self { user, attributes } = self;
        let of_all = |texts: &[String]| texts.iter().map(|text| text.len() + 24).sum::<usize>();
        let extra: usize = user.extra.iter().map(|(key, values)| key.len() + of_all(values)).sum();
        let uid = user.uid.as_ref().map_or(0, String::len);
        let asked = match attributes {
            Attributes::Path { verb, path } => verb.len() + path.len(),
            Attributes::Resource { namespace, resource, subresource, name, selector, .. } => {
                let selector: usize = selector.iter().map(Requirement::bytes).sum();
                namespace.len() + resource.len() + subresource.len() + name.len() + selector
            }
        };
        user.name.len() + uid + of_all(&user.groups) + extra + asked
    }
}

#[cfg(test)]
mod tests;
