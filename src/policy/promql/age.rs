//! How old the samples behind an answer are: a query that asks for that beside its own answer.
//!
//! What an instant query answers bears the time of the question. `timestamp(x)` answers when the sample
//! of each series was taken, so the least of these is joined to the query with `or`, under a label of our
//! own: one request, one instant, and the same warnings for both.

use super::{NAME_LABEL, is_label, parse};
use crate::domain::limits;
use promql_parser::label::MatchOp;
use promql_parser::parser::token::{T_COUNT_VALUES, T_LOR, T_LUNLESS};
use promql_parser::parser::{
    AggregateExpr, BinaryExpr, Call, Expr, VectorSelector, value::ValueType,
};

/// The label that tells the series of ages from those of the answer.
pub const LABEL: &str = "foresail_age";

/// A query that answers ages, too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WithAges {
    /// The query. Beside the answer it has series with the label `LABEL`: when the oldest of the newest
    /// samples was taken, in seconds since 1970, for each pod where pods are told apart; and 0 without a
    /// pod, where no series has a sample.
    pub text: String,
    /// Whether an answer without any sample of late is made of old ones: nothing in the query answers
    /// by itself, or about another time.
    pub is_strict: bool,
}

/// `query` with the ages of its samples, by the label that names pods where there is one. `None` where
/// they cannot be asked for: no selector names its series, one number is asked for that is no vector, or
/// the pods of an answer are not those of the series.
#[must_use]
pub fn with_ages(query: &str, pod_label: Option<&str>) -> Option<WithAges> {
    let expression = parse(query).ok()?;
    let mut found = Found { selectors: Vec::new(), is_strict: true, makes_labels: false };
    let is_known = found.look(&expression) && expression.value_type() == ValueType::Vector;
    let is_of_pods = pod_label.is_none_or(|it| is_label(it) && !found.makes_labels);
    let count = found.selectors.len();
    if !is_known || !is_of_pods || !(1..=limits::AGED_SELECTORS_MAX).contains(&count) {
        return None;
    }
    let times = match found.selectors.as_slice() {
        [only] => format!("timestamp({only})"),
        // `or` leaves out what has the labels of a series before it; a number makes them differ.
        several => {
            let several = several.iter().enumerate();
            let marked = several.map(|(idx, it)| marked(&format!("timestamp({it})"), idx));
            marked.collect::<Vec<_>>().join(" or ")
        }
    };
    let by = pod_label.map_or(String::new(), |it| format!(" by ({it})"));
    let oldest = marked(&format!("min{by} ({times}) or vector(0)"), "oldest");
    // On a line of its own, since a query may end with a comment.
    let text = format!("{query}\nor {oldest}");
    parse(&text).ok()?;
    Some(WithAges { text, is_strict: found.is_strict })
}

/// The same series under our own label.
fn marked(vector: &str, mark: impl std::fmt::Display) -> String {
    format!(r#"label_replace({vector}, "{LABEL}", "{mark}", "__name__", ".*")"#)
}

/// What a query is made of.
struct Found {
    selectors: Vec<String>,
    is_strict: bool,
    /// Whether labels of the answer may be none of the series.
    makes_labels: bool,
}

impl Found {
    /// False where there is something that is not known.
    fn look(&mut self, expression: &Expr) -> bool {
        match expression {
            Expr::NumberLiteral(_) | Expr::StringLiteral(_) => true,
            Expr::VectorSelector(selector) => self.take(selector),
            Expr::MatrixSelector(matrix) => self.take(&matrix.vs),
            Expr::Unary(unary) => self.look(&unary.expr),
            Expr::Paren(paren) => self.look(&paren.expr),
            // It is about the past, of which the newest sample says nothing.
            Expr::Subquery(_) => self.leave_out(),
            Expr::Binary(BinaryExpr { op, lhs, rhs, modifier }) => {
                let fills = modifier.as_ref().map(|it| &it.fill_values);
                let is_filled = fills.is_some_and(|it| it.lhs.is_some() || it.rhs.is_some());
                self.is_strict &= op.id() != T_LOR && !is_filled;
                self.look(lhs)
                    && if op.id() == T_LUNLESS { self.leave_out() } else { self.look(rhs) }
            }
            Expr::Aggregate(AggregateExpr { op, expr, param, .. }) => {
                self.makes_labels |= op.id() == T_COUNT_VALUES;
                param.as_ref().is_none_or(|it| self.look(it)) && self.look(expr)
            }
            Expr::Call(call) => self.call(call),
            Expr::Extension(_) => false,
        }
    }

    fn call(&mut self, call: &Call) -> bool {
        match call.func.name {
            "absent" | "absent_over_time" => return self.leave_out(),
            "vector" | "scalar" => self.is_strict = false,
            "label_replace" | "label_join" | "info" => self.makes_labels = true,
            _ => {}
        }
        call.args.args.iter().all(|it| self.look(it))
    }

    fn leave_out(&mut self) -> bool {
        self.is_strict = false;
        true
    }

    fn take(&mut self, selector: &VectorSelector) -> bool {
        if selector.offset.is_some() || selector.at.is_some() {
            return self.leave_out();
        }
        // Without a name several series may differ in nothing else, and a time has no name.
        let by_label =
            |it: &promql_parser::label::Matcher| it.name == NAME_LABEL && it.op == MatchOp::Equal;
        let matchers = &selector.matchers;
        let is_named = selector.name.is_some() || matchers.matchers.iter().any(by_label);
        let text = selector.to_string();
        let reads_back =
            || parse(&text).is_ok_and(|it| it == Expr::VectorSelector(selector.clone()));
        let is_usable = is_named && matchers.or_matchers.is_empty() && reads_back();
        if is_usable && !self.selectors.contains(&text) {
            self.selectors.push(text);
        }
        is_usable
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The part that is added for one number.
    fn added(query: &str) -> Option<String> {
        let made = with_ages(query, None)?;
        let oldest = made.text.strip_prefix(query)?.strip_prefix("\nor label_replace(")?;
        let end = r#" or vector(0), "foresail_age", "oldest", "__name__", ".*")"#;
        Some(oldest.strip_suffix(end)?.to_owned())
    }

    #[test]
    fn the_oldest_of_the_selected_samples_is_asked_for_beside_the_answer() {
        let two = |one: &str, other: &str| {
            let one = format!(
                r#"label_replace(timestamp({one}), "foresail_age", "0", "__name__", ".*")"#
            );
            let other = format!(
                r#"label_replace(timestamp({other}), "foresail_age", "1", "__name__", ".*")"#
            );
            format!("min ({one} or {other})")
        };
        for (query, expected) in [
            ("x", "min (timestamp(x))".to_owned()),
            (r#"sum(x{namespace="a"})"#, r#"min (timestamp(x{namespace="a"}))"#.to_owned()),
            ("sum(rate(x[5m]))", "min (timestamp(x))".to_owned()),
            ("sum(x) / count(x) # a mean", "min (timestamp(x))".to_owned()),
            ("sum(x) + sum(y)", two("x", "y")),
            ("sum(x) or vector(0)", "min (timestamp(x))".to_owned()),
            ("sum(x) and on () (sum(increase(n[5m])) > 20)", two("x", "n")),
            ("sum(x) - sum(x offset 1h)", "min (timestamp(x))".to_owned()),
            ("x unless y", "min (timestamp(x))".to_owned()),
            ("sum(x) * on () (absent(y) or vector(1))", "min (timestamp(x))".to_owned()),
            (r#"{"quoted.name"}"#, r#"min (timestamp({__name__="quoted.name"}))"#.to_owned()),
        ] {
            assert_eq!(added(query), Some(expected), "{query}");
        }
        let of_pods = with_ages("sum by (pod) (x)", Some("pod")).unwrap().text;
        let expected = "sum by (pod) (x)\nor label_replace(min by (pod) (timestamp(x)) or vector(0), \
            \"foresail_age\", \"oldest\", \"__name__\", \".*\")";
        assert_eq!(of_pods, expected);
    }

    #[test]
    fn where_the_samples_cannot_be_told_nothing_is_added() {
        let many: Vec<String> = (0..=limits::AGED_SELECTORS_MAX).map(|n| format!("x{n}")).collect();
        let long = format!("x{{a=\"{}\"}}", "b".repeat(limits::QUERY_BYTES_MAX - 20));
        for query in [
            "vector(1)",
            "1 + 2",
            "scalar(x)",
            "absent(x)",
            "max_over_time(x[10m:15s])",
            "x offset 5m",
            r#"{__name__=~"x|y"}"#,
            r#"x{a="1" or b="2"}"#,
            "sum(",
            &many.join(" + "),
            &long,
        ] {
            assert_eq!(with_ages(query, None), None, "{query}");
        }
        for query in
            [r#"label_replace(x, "pod", "$1", "exported_pod", "(.*)")"#, "count_values(\"pod\", x)"]
        {
            assert_eq!(with_ages(query, Some("pod")), None, "{query}");
            assert!(with_ages(query, None).is_some(), "{query}");
        }
    }

    #[test]
    fn only_what_cannot_answer_by_itself_is_strict() {
        for (query, expected) in [
            ("sum(rate(x[5m])) / sum(y)", true),
            ("histogram_quantile(0.9, sum by (le) (rate(x_bucket[5m])))", true),
            ("sum(rate(x[5m])) or vector(0)", false),
            ("sum(x) + vector(1)", false),
            ("sum(x) / scalar(y)", false),
            ("x unless y", false),
            ("sum(x) + sum(x offset 1h)", false),
            ("sum(x) + max_over_time(y[10m:15s])", false),
        ] {
            assert_eq!(with_ages(query, None).unwrap().is_strict, expected, "{query}");
        }
    }
}
