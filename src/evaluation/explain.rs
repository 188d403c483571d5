//! Why a metric has the value that it has: the traces of the policies that publish it.

use crate::domain::limits;
use crate::domain::name::{MetricName, Namespace, PolicyKey};
use crate::evaluation::Evaluation;
use crate::evaluation::backfill::Backfill;
use crate::evaluation::slot::Slot;
use crate::pipeline::trace::Trace;
use crate::policy::Policy;
use crate::published::Progress;
use crate::published::State;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// What somebody wants to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Which metrics there are.
    List,
    /// How one came to its values.
    Metric {
        /// Where it is published.
        namespace: Namespace,
        /// Its name.
        metric: MetricName,
        /// How many evaluations back.
        last: usize,
    },
}

/// What is known of it.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// The policies that publish the metric; several where they describe several objects.
    pub explained: Vec<Explained>,
    /// The policies that would publish it were they valid.
    pub broken: Vec<Broken>,
    /// Every metric there is, where none was asked for or the one asked for is not among them.
    pub known: BTreeSet<(Namespace, MetricName)>,
}

/// One policy and what became of it lately.
#[derive(Clone, Debug)]
pub struct Explained {
    /// The policy.
    pub policy: Arc<Policy>,
    /// Its last evaluations, newest first; none before the first.
    pub traces: Vec<Arc<Trace>>,
    /// Its past, where it keeps one.
    pub history: Option<Known>,
}

/// How much of the past a policy knows now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// From the oldest step that is known to the newest.
    pub span: Duration,
    /// How far the backfill is; `None` before the first live sample.
    pub progress: Option<Progress>,
}

/// A policy that is not valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Which.
    pub policy: PolicyKey,
    /// What is wrong with it.
    pub why: String,
}

impl Evaluation {
    /// Answers a question about the last evaluations; changes nothing.
    #[must_use]
    pub fn explain(&self, question: &Question) -> Answer {
        let Question::Metric { namespace, metric, last } = question else {
            return Answer { known: self.explainable(), ..Answer::default() };
        };
        let publishes =
            |policy: &Policy| policy.key.namespace == *namespace && policy.metric == *metric;
        let slots = self.slots.values().filter(|slot| publishes(&slot.policy));
        let explained: Vec<Explained> = slots.map(|slot| slot.explain(*last)).collect();
        let broken: Vec<Broken> = self
            .broken()
            .filter(|(known, _)| *known == (namespace.clone(), metric.clone()))
            .map(|(_, broken)| broken)
            .collect();
        let is_unknown = explained.is_empty() && broken.is_empty();
        let known = if is_unknown { self.explainable() } else { BTreeSet::new() };
        Answer { explained, broken, known }
    }

    fn explainable(&self) -> BTreeSet<(Namespace, MetricName)> {
        let policies = self.slots.values().map(|slot| &slot.policy);
        let good = policies.map(|it| (it.key.namespace.clone(), it.metric.clone()));
        good.chain(self.broken().map(|(known, _)| known)).collect()
    }

    /// The policies of which nothing is evaluated, by their metric.
    fn broken(&self) -> impl Iterator<Item = ((Namespace, MetricName), Broken)> {
        self.snapshot.keys().flat_map(|key| {
            self.snapshot.find(key).iter().filter_map(|entry| {
                let State::Broken(why) = &entry.state else { return None };
                let policy = entry.policy.clone();
                let known = (policy.namespace.clone(), key.metric().clone());
                Some((known, Broken { policy, why: why.clone() }))
            })
        })
    }
}

impl Slot {
    fn explain(&self, last: usize) -> Explained {
        let traces = self.memory.traces().into_iter().flat_map(|it| it.newest());
        let history = self.memory.history().map(|history| {
            let steps = history.known_span().map_or(0, |(oldest, newest)| newest - oldest + 1);
            let steps = u32::try_from(steps).unwrap_or(u32::MAX);
            let progress = self.backfill.as_ref().map(Backfill::progress);
            Known { span: history.step().saturating_mul(steps), progress }
        });
        let policy = Arc::clone(&self.policy);
        Explained { policy, traces: traces.take(last).collect(), history }
    }
}

/// How many evaluations are shown to who does not say.
pub const LAST_DEFAULT: usize = 10;

const _: () = assert!(LAST_DEFAULT <= limits::TRACES_MAX);
