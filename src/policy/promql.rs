//! PromQL at load: does a query parse, where is it wrong, what does it answer; and selectors of
//! series on a scraped page, in the same notation.

pub mod age;
pub mod confine;

use crate::document::yaml::Position;
use crate::domain::labels::Labels;
use crate::promql::{self, Unparsed};
use promql_parser::label::{MatchOp, Matcher, Matchers};
use promql_parser::parser::token::{T_AVG, T_EQL_REGEX};
use promql_parser::parser::{BinaryExpr, Expr, VectorSelector, value::ValueType};
use std::borrow::Cow;

/// Why a text is not a query, or not one that can be used here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct BadQuery {
    /// What is wrong, and where.
    pub problem: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// Checks that `query` parses and answers a scalar or an instant vector.
///
/// # Errors
/// `BadQuery`, with the column where the query stops making sense.
pub fn check(query: &str) -> Result<(), BadQuery> {
    let expression = parse(query)?;
    match expression.value_type() {
        ValueType::Vector | ValueType::Scalar => Ok(()),
        ValueType::Matrix => Err(BadQuery {
            problem: "the query answers a range of samples, not one number".to_owned(),
            hint: Some("wrap it in rate(…), avg_over_time(…) or the like".to_owned()),
        }),
        ValueType::String => Err(BadQuery {
            problem: "the query answers a text, not a number".to_owned(),
            hint: None,
        }),
    }
}

/// What a query that parses answers, as far as it can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// How fast something changes.
    Rate,
    /// One number made from several series.
    Aggregate,
    /// Anything else, such as a counter.
    Other,
}

/// What this query answers, looked at from the outside in.
#[must_use]
pub fn answer(query: &str) -> Answer {
    /// Functions that answer how fast something changes, or by how much.
    const RATES: [&str; 6] = ["rate", "irate", "increase", "delta", "idelta", "deriv"];
    fn is_rate(expression: &Expr) -> bool {
        match expression {
            Expr::Call(call) => {
                RATES.contains(&call.func.name) || call.args.args.iter().any(|it| is_rate(it))
            }
            Expr::Paren(inner) => is_rate(&inner.expr),
            Expr::Aggregate(aggregate) => is_rate(&aggregate.expr),
            _ => false,
        }
    }
    match parse(query) {
        Ok(expression) if is_rate(&expression) => Answer::Rate,
        Ok(Expr::Aggregate(_)) => Answer::Aggregate,
        Ok(_) | Err(_) => Answer::Other,
    }
}

/// Whether a query answers a mean over series, perhaps in another unit.
#[must_use]
pub fn is_mean(query: &str) -> bool {
    fn is_mean(expression: &Expr) -> bool {
        match expression {
            Expr::Aggregate(aggregate) => aggregate.op.id() == T_AVG,
            Expr::Paren(inner) => is_mean(&inner.expr),
            Expr::Binary(BinaryExpr { lhs, rhs, .. }) => match (&**lhs, &**rhs) {
                (other, Expr::NumberLiteral(_)) | (Expr::NumberLiteral(_), other) => is_mean(other),
                _ => false,
            },
            _ => false,
        }
    }
    parse(query).is_ok_and(|it| is_mean(&it))
}

/// The names of the series that a query selects, where it names them.
#[must_use]
pub fn series(query: &str) -> Vec<String> {
    confine::names(query)
}

/// The label that PromQL takes for the name of a series.
const NAME_LABEL: &str = "__name__";

/// Which series of a page: a name and matchers over labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeriesSelector {
    text: Box<str>,
    name: Box<str>,
    matchers: Vec<Matcher>,
}

impl SeriesSelector {
    /// Reads `name`, `name{label="value",…}` or, for a name with other characters than letters,
    /// digits, `_` and `:`, `{__name__="my.name",…}`.
    ///
    /// # Errors
    /// `BadQuery` when the text is no such selector.
    pub fn parse(text: &str) -> Result<Self, BadQuery> {
        let bad = || BadQuery {
            problem: format!("`{}` is not a selector of series", text.trim()),
            hint: Some("write `name` or `name{label=\"value\"}`; a page knows no functions".into()),
        };
        let Expr::VectorSelector(selector) = parse(text)? else { return Err(bad()) };
        let plain = selector.offset.is_none()
            && selector.at.is_none()
            && selector.matchers.or_matchers.is_empty();
        let (mut named, matchers): (Vec<Matcher>, Vec<Matcher>) =
            selector.matchers.matchers.into_iter().partition(|it| it.name == NAME_LABEL);
        let by_label = named.pop().filter(|it| named.is_empty() && it.op == MatchOp::Equal);
        let name = selector.name.or(by_label.map(|it| it.value));
        let (Some(name), true) = (name, plain) else { return Err(bad()) };
        let text = text.trim().into();
        Ok(Self { text, name: name.into(), matchers })
    }

    /// The name of the series.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The selector as PromQL, of series whose name goes on with `suffix` and that match these, too.
    #[must_use]
    pub fn narrowed(&self, suffix: &str, matches: &[LabelMatch<'_>]) -> String {
        let own = self.matchers.iter().cloned();
        let mut all: Vec<Matcher> = own.chain(matches.iter().map(LabelMatch::matcher)).collect();
        all.sort_by_key(ToString::to_string);
        let matchers = Matchers::new(all);
        let name = Some(format!("{}{suffix}", self.name));
        VectorSelector::new(name, matchers).to_string()
    }

    /// Whether a series of the right name with these labels is selected. A label that is absent
    /// counts as empty, as in PromQL.
    #[must_use]
    pub fn matches(&self, labels: &Labels) -> bool {
        self.matches_by(|name| labels.get(name).map(Cow::Borrowed))
    }

    /// The same, looking up only the labels that are asked for.
    pub fn matches_by<'l>(&self, label: impl Fn(&str) -> Option<Cow<'l, str>>) -> bool {
        self.matchers.iter().all(|it| it.is_match(&label(&it.name).unwrap_or_default()))
    }
}

/// What a label has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelMatch<'a> {
    /// This.
    Equal(&'a str, &'a str),
    /// What this regular expression matches as a whole.
    Like(&'a str, &'a str),
    /// Anything but empty.
    Present(&'a str),
    /// Empty, or not there.
    Absent(&'a str),
}

impl LabelMatch<'_> {
    fn matcher(&self) -> Matcher {
        match *self {
            Self::Equal(label, value) => Matcher::new(MatchOp::Equal, label, value),
            Self::Present(label) => Matcher::new(MatchOp::NotEqual, label, ""),
            Self::Absent(label) => Matcher::new(MatchOp::Equal, label, ""),
            Self::Like(label, pattern) => {
                // One that is no expression was refused at load, and matches nothing.
                let op = Matcher::new_matcher(T_EQL_REGEX, label.to_owned(), pattern.to_owned());
                op.unwrap_or_else(|_| Matcher::new(MatchOp::Equal, label, pattern))
            }
        }
    }
}

/// Whether a text is a regular expression as PromQL takes one.
#[must_use]
pub fn is_pattern(text: &str) -> bool {
    Matcher::new_matcher(T_EQL_REGEX, "pod".to_owned(), text.to_owned()).is_ok()
}

/// Whether a text is the name of a label.
#[must_use]
pub fn is_label(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn parse(query: &str) -> Result<Expr, BadQuery> {
    let bad = |problem: String| BadQuery { problem, hint: None };
    promql::parse(query).map_err(|error| match error {
        Unparsed::Wrong { at, message } => {
            let Position { line, column } = Position::of(query, at);
            let after: String = query.chars().skip(at).take(20).collect();
            let near = match after.trim() {
                "" => "at the end".to_owned(),
                near => format!("near `{near}`"),
            };
            bad(format!("not PromQL: line {line}, column {column}, {near}: {message}"))
        }
        error => bad(error.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn queries_of_the_field_are_taken() {
        for query in [
            "sum(vllm:num_requests_running)",
            "sum by (pod) (rate(vllm:generation_tokens_total{namespace=\"a\"}[5m]))",
            "histogram_quantile(0.95, sum by (le) (rate(x_bucket[5m]))) and on() (sum(increase(x_count[5m])) > 20)",
            "max_over_time((sum(x) + sum(y))[10m:15s]) or vector(0)",
            "x offset 5m",
            "1 + 2",
        ] {
            assert_eq!(check(query), Ok(()), "{query}");
        }
    }

    #[test]
    fn a_fault_is_shown_with_its_place() {
        for (query, place) in [
            ("sum(", "column 5, at the end: unclosed left parenthesis"),
            ("sum(x))", "column 7, near `)`: unexpected right parenthesis"),
            ("x{a=}", "column 5, near `}`: invalid promql query"),
            ("foo bar", "column 5, near `bar`: invalid promql query"),
            ("1 +", "column 4, at the end: invalid promql query"),
            ("sum(\n  rate(x)\n)", "line 2, column 9, near `)"),
            ("rate(x[5m]", "column 11, at the end: unclosed left parenthesis"),
            ("", "column 1, at the end: no expression found"),
            ("sum(rate(x[5m])) by by (a)", "column 21, near `by (a)`"),
        ] {
            let problem = check(query).unwrap_err().problem;
            assert!(problem.contains(place), "{query}: {problem}");
        }
    }

    #[test]
    fn answers_that_are_no_number_are_refused() {
        assert!(check("x[5m]").unwrap_err().problem.contains("a range of samples"));
        assert!(check("\"text\"").unwrap_err().problem.contains("a text"));
    }

    #[test]
    fn a_selector_matches_as_in_promql() {
        let labels: Labels = [("engine", "0"), ("model", "llama-8b")].into_iter().collect();
        for (text, expected) in [
            ("vllm:num_requests_waiting", true),
            ("x{engine=\"0\"}", true),
            ("x{engine!=\"0\"}", false),
            ("x{model=~\"llama.*\", engine=~\"0|1\"}", true),
            ("x{model=~\"llama\"}", false),
            ("x{absent=\"\"}", true),
            ("x{absent!=\"\"}", false),
        ] {
            assert_eq!(SeriesSelector::parse(text).unwrap().matches(&labels), expected, "{text}");
        }
        let dotted = SeriesSelector::parse("{__name__=\"my.name\",engine=\"0\"}").unwrap();
        assert_eq!((dotted.name(), dotted.matches(&labels)), ("my.name", true));
        for text in ["sum(x)", "{__name__=~\"x\"}", "x[5m]", "x offset 1m", "{a=\"b\"}", "1", ""] {
            assert!(SeriesSelector::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn no_text_breaks_the_check(text in "\\PC{0,80}") {
            drop(check(&text));
        }

        #[test]
        fn promql_like_text_never_breaks_the_check(text in "[a-cx0-9m+*/(){}\\[\\]=~!<>\",.: -]{0,40}") {
            drop(check(&text));
        }
    }
}
