//! What to ask a server to learn which series a rule has, without their label sets.

use crate::rules::Rule;
use crate::rules::separable::parse;
use promql_parser::label::{MatchOp, Matcher};
use promql_parser::parser::Expr;
use std::time::Duration;

impl Rule {
    /// The query for the names of the rule's series of the last `window` that have `label`, or of
    /// all of them: one series for each name in the answer, however many there are of it.
    ///
    /// `None` where the selector cannot be written with one more matcher; then `/api/v1/series` is
    /// the way.
    #[must_use]
    pub fn names_query(&self, label: Option<&str>, window: Duration) -> Option<String> {
        let Ok(Expr::VectorSelector(mut selector)) = parse(&self.series_query) else { return None };
        if let Some(label) = label {
            let matchers = &mut selector.matchers;
            let alternatives = matchers.or_matchers.iter_mut();
            // VictoriaMetrics takes several sets of matchers with `or` between; one is the usual.
            let sets: Vec<&mut Vec<Matcher>> = match alternatives.len() {
                0 => vec![&mut matchers.matchers],
                _ => alternatives.collect(),
            };
            for set in sets {
                set.push(Matcher::new(MatchOp::NotEqual, label, ""));
                // In the order in which they are written.
                set.sort_by_key(ToString::to_string);
            }
        }
        let text = selector.to_string();
        let reads_back = parse(&text).is_ok_and(|it| it == Expr::VectorSelector(selector));
        let seconds = window.as_secs();
        reads_back.then(|| format!("group by (__name__) (last_over_time({text}[{seconds}s]))"))
    }
}
