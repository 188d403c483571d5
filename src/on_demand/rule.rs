//! One rule as it stands: what it is bound to, which series it had, and what is wrong.

use crate::domain::name::SourceName;
use crate::on_demand::Question;
use crate::on_demand::board::{Numbers, Refused};
use crate::on_demand::ledger::GONE;
use crate::rules::answer::{self, Answer as Answered};
use crate::rules::catalogue::SeriesShape;
use crate::rules::resources::{RestMapping, UnknownResource};
use crate::rules::{Bound, Kind, Rule};
use jiff::Timestamp;
use std::sync::Arc;

/// A rule in use.
#[derive(Clone, Debug)]
pub struct Ruled {
    pub(super) rule: Arc<Rule>,
    pub(super) bound: Result<Bound, UnknownResource>,
    pub(super) series: Arc<[SeriesShape]>,
    pub(super) listed_at: Option<Timestamp>,
    pub(super) problem: Option<String>,
}

/// How a rule is doing, for whoever looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// In which list it stands.
    pub kind: Kind,
    /// Where in it, from zero.
    pub place: usize,
    /// When its series were listed last.
    pub listed_at: Option<Timestamp>,
    /// How many different names they have.
    pub n_series: usize,
    /// How many metrics it answers for.
    pub n_metrics: usize,
    /// Why it does not work, or not fully, right now.
    pub problem: Option<String>,
    /// Why some of its queries name objects.
    pub named: Option<String>,
    /// How many metrics of its own a later rule answers.
    pub n_covered: usize,
}

/// What to ask to learn a rule's series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relist {
    /// The rule, with the words that it had.
    pub rule: Arc<Rule>,
    /// The labels that matter to it; none where only names do.
    pub labels: Vec<Box<str>>,
}

impl Ruled {
    pub(super) fn new(rule: Arc<Rule>, mapping: &RestMapping, before: Option<&Self>) -> Self {
        let bound = Bound::new(Arc::clone(&rule), mapping);
        let before = before.filter(|it| it.rule == rule);
        Self {
            rule,
            bound,
            series: before.map(|it| Arc::clone(&it.series)).unwrap_or_default(),
            listed_at: before.and_then(|it| it.listed_at),
            problem: before.and_then(|it| it.problem.clone()),
        }
    }

    /// `externalRules[0]`.
    pub(super) fn shown(&self) -> String {
        shown(self.rule.kind, self.rule.place)
    }

    pub(super) fn source(&self) -> Option<SourceName> {
        self.rule.source.clone()
    }

    /// How to learn its series; `None` while the cluster lacks what it names.
    pub(super) fn relist(&self) -> Option<Relist> {
        let bound = self.bound.as_ref().ok()?;
        let labels = match self.rule.kind {
            Kind::Custom => bound.labels().iter().map(|(label, _)| label.into()).collect(),
            Kind::External => Vec::new(),
        };
        Some(Relist { rule: Arc::clone(&self.rule), labels })
    }
}

impl Ruled {
    /// What an answer says to a question.
    pub(super) fn numbers(
        &self,
        question: &Question,
        answer: &Answered,
    ) -> Result<Numbers, Refused> {
        let refused = |why: String| Refused { is_of_request: false, why };
        match question {
            Question::External { .. } => {
                let items = answer::items(answer).map_err(|it| refused(it.to_string()))?;
                if items.is_empty() {
                    return Err(refused("the rule's query answers no number".to_owned()));
                }
                Ok(Numbers::Items(items))
            }
            Question::Custom { resource, .. } => {
                let label = self.bound.as_ref().ok().and_then(|it| it.labels().label(resource));
                let label = label.ok_or_else(|| refused(GONE.to_owned()))?;
                let objects = answer::by_object(answer, label, self.rule.on_duplicate);
                objects.map(Numbers::Objects).map_err(|it| refused(it.to_string()))
            }
        }
    }
}

/// A rule as the file has it.
#[must_use]
pub fn shown(kind: Kind, place: usize) -> String {
    format!("{}[{place}]", kind.key())
}
