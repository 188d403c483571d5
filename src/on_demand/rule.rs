//! One rule as it stands: what it is bound to, which series it had, and what is wrong.

use crate::domain::error_chain::ErrorChain;
use crate::domain::name::SourceName;
use crate::on_demand::Question;
use crate::on_demand::board::{Numbers, Refused};
use crate::on_demand::counts::Counts;
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
    pub(super) bound: Result<Arc<Bound>, UnknownResource>,
    pub(super) series: Arc<[SeriesShape]>,
    pub(super) listed_at: Option<Timestamp>,
    pub(super) problem: Option<String>,
    pub(super) counts: Arc<Counts>,
    pub(super) good_at: Option<Timestamp>,
    pub(super) failed: Option<Failed>,
}

/// A query that brought no numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// The instant that it was about.
    pub at: Timestamp,
    /// Why.
    pub why: String,
}

/// How a rule is doing, for whoever looks.
#[derive(Clone, Debug)]
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
    /// What it has done since it is in use.
    pub counts: Arc<Counts>,
    /// The newest instant for which a query of it brought numbers.
    pub good_at: Option<Timestamp>,
    /// The last query that brought none.
    pub failed: Option<Failed>,
    /// Why the rule that the file has there is not used; an earlier one may run in its place.
    pub refused: Option<String>,
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
        let before = before.filter(|it| it.rule.says_the_same(&rule));
        let bound = Bound::new(Arc::clone(&rule), mapping).map(|bound| {
            // The same object, so that what was made by it need not be made again.
            let known = before.and_then(|it| it.bound.as_ref().ok()).filter(|it| ***it == bound);
            known.map_or_else(|| Arc::new(bound), Arc::clone)
        });
        Self {
            rule,
            bound,
            series: before.map(|it| Arc::clone(&it.series)).unwrap_or_default(),
            listed_at: before.and_then(|it| it.listed_at),
            problem: before.and_then(|it| it.problem.clone()),
            counts: before.map(|it| Arc::clone(&it.counts)).unwrap_or_default(),
            good_at: before.and_then(|it| it.good_at),
            failed: before.and_then(|it| it.failed.clone()),
        }
    }

    /// Counts a query for the instant `at`, and remembers what became of it.
    pub(super) fn note(&mut self, said: &Result<Numbers, Refused>, at: Timestamp) {
        self.counts.note_query(said.is_ok());
        match said {
            Ok(_) => self.good_at = self.good_at.max(Some(at)),
            Err(refused) => self.failed = Some(Failed { at, why: refused.why.clone() }),
        }
    }

    /// Whether it stands where another stands and works as that does.
    pub(super) fn is_as(&self, other: &Self) -> bool {
        self.rule == other.rule && self.bound == other.bound
    }

    pub(super) fn place(&self) -> (Kind, usize) {
        (self.rule.kind, self.rule.place)
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
                let items = answer::items(answer);
                items.map(Numbers::Items).map_err(|it| refused(ErrorChain(&it).to_string()))
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
