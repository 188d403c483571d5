//! What requests are answered from: an immutable state, swapped whole.

use crate::domain::finite::Finite;
use crate::domain::metric::MetricKey;
use crate::domain::name::{MetricName, Namespace};
use crate::domain::object::GroupResource;
use crate::on_demand::Question;
use crate::on_demand::counts::Counts;
use crate::on_demand::rule::Standing;
use crate::rules::answer::{Item, NoValue};
use crate::rules::catalogue::{Catalogue, Entry};
use arc_swap::ArcSwap;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Where the newest state is found.
#[derive(Debug, Default)]
pub struct Board(ArcSwap<State>);

/// The metrics of rules at one moment.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// Which there are.
    pub catalogue: Arc<Catalogue>,
    /// The custom metrics whose query has to name the objects, and why.
    pub named: Arc<Named>,
    /// What was answered to those who asked.
    pub answers: BTreeMap<Question, Arc<Answer>>,
    /// How the rules are doing, those of custom metrics first.
    pub rules: Arc<[Standing]>,
}

/// Reasons by custom metric.
pub type Named = BTreeMap<(GroupResource, MetricName), String>;

/// What a question was answered last.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Which rule, as the file has it: `externalRules[0]`.
    pub rule: String,
    /// The instant that it is about.
    pub at: Timestamp,
    /// Until when it holds.
    pub serve_until: Timestamp,
    /// The numbers, or why there are none.
    pub said: Result<Numbers, Refused>,
    /// When it was asked for last; shared by all answers to one question.
    pub asked: Asked,
    /// What its rule counts.
    pub counts: Arc<Counts>,
}

/// What is kept of one rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// The questions that are kept up to date.
    pub questions: usize,
    /// Those of them that have no numbers now.
    pub refused: usize,
    /// Why the first of them has none.
    pub why: Option<String>,
    /// The instant of the oldest numbers that are served.
    pub oldest: Option<Timestamp>,
}

/// What an answer holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Numbers {
    /// The items of an external metric.
    Items(Vec<Item>),
    /// The values of objects, by name.
    Objects(BTreeMap<Box<str>, Result<Finite, NoValue>>),
}

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Whether another request to the same rule could be answered.
    pub is_of_request: bool,
    /// For the person who reads `kubectl describe hpa`.
    pub why: String,
}

/// When somebody asked last, in seconds since 1970.
#[derive(Clone, Debug)]
pub struct Asked(Arc<AtomicI64>);

/// Has questions answered that have no answer yet.
pub trait Wants: Debug + Send + Sync {
    /// Ends when the board has an answer to the question, or when that took too long; then the reason
    /// comes back.
    fn want(
        &self,
        question: Question,
    ) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + '_>>;

    /// Ends when it is known which pods a namespace has, or when that took too long.
    fn want_pods(&self, namespace: Namespace) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

impl Board {
    /// The newest state.
    #[must_use]
    pub fn load(&self) -> Arc<State> {
        self.0.load_full()
    }

    /// Puts a newer state in its place.
    pub fn replace(&self, state: State) {
        self.0.store(Arc::new(state));
    }
}

impl State {
    /// The answer to a question that may be served at `now`; it counts as asked for.
    #[must_use]
    pub fn answer(&self, question: &Question, now: Timestamp) -> Option<Arc<Answer>> {
        let answer = self.answers.get(question).filter(|it| now <= it.serve_until)?;
        answer.asked.note(now);
        answer.counts.note_served();
        Some(Arc::clone(answer))
    }

    /// The answer to a question for one who has waited for it; it may be older than what serves.
    #[must_use]
    pub fn awaited(&self, question: &Question) -> Option<Arc<Answer>> {
        let answer = self.answers.get(question)?;
        answer.counts.note_awaited();
        Some(Arc::clone(answer))
    }

    /// What is kept of each rule that has answers, as the file has it.
    #[must_use]
    pub fn kept(&self) -> BTreeMap<&str, Kept> {
        let mut all: BTreeMap<&str, Kept> = BTreeMap::new();
        for answer in self.answers.values() {
            let kept = all.entry(&answer.rule).or_default();
            kept.questions += 1;
            match &answer.said {
                Ok(_) => {
                    let older = kept.oldest.is_none_or(|it| answer.at < it);
                    kept.oldest = if older { Some(answer.at) } else { kept.oldest };
                }
                Err(refused) => {
                    kept.refused += 1;
                    kept.why.get_or_insert_with(|| refused.why.clone());
                }
            }
        }
        all
    }

    /// What makes the metric of a question.
    #[must_use]
    pub fn entry(&self, question: &Question) -> Option<&Entry> {
        match question {
            Question::External { metric, .. } => self.catalogue.external(metric.as_str()),
            Question::Custom { resource, metric, .. } => {
                self.catalogue.custom(resource, metric.as_str())
            }
        }
    }
}

impl Asked {
    /// Asked at `now`.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(now.as_second())))
    }

    /// Asked again.
    pub fn note(&self, now: Timestamp) {
        self.0.fetch_max(now.as_second(), Ordering::Relaxed);
    }

    /// For how many seconds nobody has asked.
    #[must_use]
    pub fn idle_seconds(&self, now: Timestamp) -> i64 {
        now.as_second().saturating_sub(self.0.load(Ordering::Relaxed))
    }
}

impl Question {
    /// The metric, as messages name it.
    #[must_use]
    pub fn key(&self) -> MetricKey {
        match self {
            Self::External { namespace, metric, .. } => {
                MetricKey::External { namespace: namespace.clone(), metric: metric.clone() }
            }
            Self::Custom { namespace, resource, metric, .. } => MetricKey::Custom {
                namespace: namespace.clone(),
                resource: resource.clone(),
                metric: metric.clone(),
            },
        }
    }
}
