//! A query that sees the series of one namespace only: each of its selectors demands the label.
//!
//! What is sent is our own rendering of the parsed query, so that no text can mean one thing here
//! and another at the source. A query that does not read back as what was meant is refused.

use super::{BadQuery, NAME_LABEL, parse};
use crate::promql::each_selector;
use promql_parser::label::{MatchOp, Matcher, Matchers};
use promql_parser::parser::VectorSelector;

/// `query`, with `label="value"` added to each of its selectors.
///
/// # Errors
/// `BadQuery` when it does not parse, or cannot be written so that it reads back the same.
pub fn confined(query: &str, label: &str, value: &str) -> Result<String, BadQuery> {
    let mut expression = parse(query)?;
    let matcher = Matcher::new(MatchOp::Equal, label, value);
    if each_selector(&mut expression, &mut |it| demand(it, &matcher)) {
        let text = expression.to_string();
        if parse(&text).is_ok_and(|it| it == expression) {
            return Ok(text);
        }
    }
    Err(BadQuery {
        problem: "the query cannot be confined to its namespace".to_owned(),
        hint: Some("write it in plainer PromQL, or ask for a ClusterMetricPolicy".to_owned()),
    })
}

/// Whether each selector of `query` demands `value` of one of `labels`.
#[must_use]
pub fn demands(query: &str, labels: &[&str], value: &str) -> bool {
    let Ok(mut expression) = parse(query) else { return false };
    let is_demand = |it: &Matcher| {
        it.op == MatchOp::Equal && it.value == value && labels.contains(&it.name.as_str())
    };
    let mut all = true;
    let mut look = |selector: &mut VectorSelector| {
        let Matchers { matchers, or_matchers } = &selector.matchers;
        all &= or_matchers.is_empty() && matchers.iter().any(is_demand);
    };
    each_selector(&mut expression, &mut look) && all
}

/// The names of the series that `query` selects, where it names them.
pub(super) fn names(query: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut look = |selector: &mut VectorSelector| {
        let by_label = selector.matchers.matchers.iter().find(|it| it.name == NAME_LABEL);
        names.extend(selector.name.clone().or(by_label.map(|it| it.value.clone())));
    };
    if let Ok(mut expression) = parse(query) {
        _ = each_selector(&mut expression, &mut look);
    }
    names
}

fn demand(selector: &mut VectorSelector, matcher: &Matcher) {
    // Some backends know matchers joined by `or`, each of which selects by itself.
    let Matchers { matchers, or_matchers } = &mut selector.matchers;
    if or_matchers.is_empty() {
        matchers.push(matcher.clone());
        // In the order in which they are written.
        matchers.sort_by_key(ToString::to_string);
    } else {
        or_matchers.iter_mut().for_each(|it| it.push(matcher.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_selector_demands_the_namespace() {
        for (query, expected) in [
            ("x", r#"x{namespace="a"}"#),
            (r#"sum(x{namespace="b"})"#, r#"sum(x{namespace="a",namespace="b"})"#),
            (r#"{__name__=~".+"}"#, r#"{__name__=~".+",namespace="a"}"#),
            (
                "sum by (pod) (rate(x[5m] offset 1m)) / on (pod) y",
                r#"sum by (pod) (rate(x{namespace="a"}[5m] offset 1m)) / on (pod) y{namespace="a"}"#,
            ),
            (
                "topk(scalar(k), -max_over_time((x + y)[10m:15s])) or vector(0)",
                r#"topk(scalar(k{namespace="a"}), -max_over_time((x{namespace="a"} + y{namespace="a"})[10m:15s])) or vector(0)"#,
            ),
            (
                r#"label_replace(x{a!~"b|\"c"}, "d", "$1", "a", "(.*)")"#,
                r#"label_replace(x{a!~"b|\"c",namespace="a"}, "d", "$1", "a", "(.*)")"#,
            ),
            (r#"x{a="1" or b="2"}"#, r#"x{a="1", namespace="a" or b="2", namespace="a"}"#),
            (r#"{"quoted.name"}"#, r#"{__name__="quoted.name",namespace="a"}"#),
            ("1 + 2", "1 + 2"),
        ] {
            assert_eq!(confined(query, "namespace", "a").as_deref(), Ok(expected), "{query}");
        }
    }

    #[test]
    fn a_query_is_confined_only_if_each_selector_is() {
        for (query, expected) in [
            (r#"sum(x{namespace="a"})"#, true),
            (r#"x{exported_namespace="a"} or y{namespace="a",pod=~".+"}"#, true),
            (r#"x{namespace="a"} or y"#, false),
            (r#"x{namespace="b"}"#, false),
            (r#"x{namespace=~"a"}"#, false),
            (r#"x{namespace!="a"}"#, false),
            (r#"rate(x{namespace="a"}[5m]) / y{namespace="a" or namespace="b"}"#, false),
            ("1", true),
            ("sum(", false),
        ] {
            let labels = ["exported_namespace", "namespace"];
            assert_eq!(demands(query, &labels, "a"), expected, "{query}");
        }
    }

    #[test]
    fn what_does_not_read_back_the_same_is_refused() {
        for query in ["sum by () (x)", "sum("] {
            let confined = confined(query, "namespace", "a");
            assert!(confined.is_err(), "{query}: {confined:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        /// Every selector of a confined query is one: confining it again changes nothing but the
        /// number of matchers, and each selector of it has the label.
        #[test]
        fn a_confined_query_has_no_selector_without_the_label(
            query in "[a-cx0-9m+*/(){}\\[\\]=~!<>\",.: -]{0,40}"
        ) {
            if let Ok(text) = confined(&query, "namespace", "a") {
                let selectors = format!("{:?}", parse(&text).unwrap()).matches("VectorSelector {").count();
                prop_assert!(text.matches(r#"namespace="a""#).count() >= selectors, "{}", text);
            }
        }
    }
}
