//! What requests are answered from, and how each rule is doing.

use super::Ledger;
use crate::on_demand::board::State;
use crate::on_demand::rule::{Ruled, Standing};
use crate::rules::BrokenRule;
use std::sync::Arc;

impl<W> Ledger<W> {
    /// What requests are answered from.
    #[must_use]
    pub fn state(&self) -> State {
        let answers = self.slots.iter();
        let answers =
            answers.filter_map(|(question, it)| Some((question.clone(), it.kept.clone()?)));
        let broken = self.broken.iter().filter(|it| self.ruled(it.kind, it.place).is_none());
        let mut rules: Vec<Standing> = self.rules().map(|it| self.standing(it)).collect();
        rules.extend(broken.map(of_broken));
        rules.sort_by_key(|it| (it.kind, it.place));
        State {
            catalogue: Arc::clone(&self.listed.catalogue),
            named: Arc::clone(&self.listed.named),
            answers: answers.collect(),
            rules: rules.into(),
        }
    }

    fn standing(&self, ruled: &Ruled) -> Standing {
        let (kind, place) = (ruled.rule.kind, ruled.rule.place);
        let tally = self.tally(kind, place);
        let unbound = ruled.bound.as_ref().err().map(ToString::to_string);
        let problem = unbound.or_else(|| ruled.problem.clone()).or(tally.unnamed);
        let broken = self.broken.iter().find(|it| (it.kind, it.place) == (kind, place));
        Standing {
            kind,
            place,
            listed_at: ruled.listed_at,
            n_series: ruled.series.len(),
            n_metrics: tally.n_metrics,
            problem,
            named: tally.named,
            n_covered: tally.n_covered,
            counts: Arc::clone(&ruled.counts),
            good_at: ruled.good_at,
            failed: ruled.failed.clone(),
            refused: broken.map(refused),
        }
    }
}

/// A rule without an earlier one in its place.
fn of_broken(broken: &BrokenRule) -> Standing {
    Standing {
        kind: broken.kind,
        place: broken.place,
        listed_at: None,
        n_series: 0,
        n_metrics: 0,
        problem: None,
        named: None,
        n_covered: 0,
        counts: Arc::default(),
        good_at: None,
        failed: None,
        refused: Some(refused(broken)),
    }
}

fn refused(broken: &BrokenRule) -> String {
    broken.faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
