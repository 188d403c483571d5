//! The selector of a request as matchers of labels of series.
//!
//! Not `domain::selector`, which decides about objects and takes `tier=x` and `tier in (x)` for the
//! same. Here they are two: the first becomes `tier="x"`, the second `tier=~"x"`, and people use
//! that to ask by a regular expression.

use crate::domain::selector::{BadSelector, Selector};

/// What a request demands of the labels of series, by label.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesSelector(Vec<Demand>);

/// What is demanded of one label.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Demand {
    /// The label.
    pub label: Box<str>,
    /// How its value is compared.
    pub operator: Operator,
    /// With what, sorted; empty for `Exists` and `Absent`.
    pub values: Vec<Box<str>>,
}

/// The operators of a label selector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operator {
    /// `=` and `==`.
    Equal,
    /// `!=`.
    NotEqual,
    /// `in (…)`.
    In,
    /// `notin (…)`.
    NotIn,
    /// `label`.
    Exists,
    /// `!label`.
    Absent,
    /// `>`, which PromQL has no matcher for.
    Above,
    /// `<`, likewise.
    Below,
}

impl SeriesSelector {
    /// Reads the text form of the Kubernetes API. The demands come out by label; those of one label
    /// in the order given.
    ///
    /// # Errors
    /// `BadSelector` where the text is none.
    pub fn parse(text: &str) -> Result<Self, BadSelector> {
        // What passes has only forms that can be told apart below.
        Selector::parse(text)?;
        let parts = parts(text).map(str::trim).filter(|it| !it.is_empty());
        let mut demands: Vec<Demand> = parts.map(demand).collect();
        demands.sort_by(|a, b| a.label.cmp(&b.label));
        Ok(Self(demands))
    }

    /// The demands, by label.
    #[must_use]
    pub fn demands(&self) -> &[Demand] {
        &self.0
    }
}

/// Splits at commas that stand outside parentheses.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let mut is_inside = false;
    text.split(move |c: char| {
        is_inside = c == '(' || (is_inside && c != ')');
        c == ',' && !is_inside
    })
}

fn demand(text: &str) -> Demand {
    const OPERATORS: [(&str, Operator); 5] = [
        ("!=", Operator::NotEqual),
        ("==", Operator::Equal),
        ("=", Operator::Equal),
        (">", Operator::Above),
        ("<", Operator::Below),
    ];
    let of = |label: &str, operator, values: Vec<&str>| {
        let mut values: Vec<Box<str>> = values.into_iter().map(|it| it.trim().into()).collect();
        values.sort();
        values.dedup();
        Demand { label: label.trim().into(), operator, values }
    };
    if let Some(label) = text.strip_prefix('!') {
        return of(label, Operator::Absent, Vec::new());
    }
    for (sign, operator) in OPERATORS {
        if let Some((label, value)) = text.split_once(sign) {
            return of(label, operator, vec![value]);
        }
    }
    let set = text.split_once(char::is_whitespace).and_then(|(label, rest)| {
        let (word, list) = rest.split_once('(')?;
        let operator = if word.trim() == "in" { Operator::In } else { Operator::NotIn };
        Some(of(label, operator, list.trim_end_matches(')').split(',').collect()))
    });
    set.unwrap_or_else(|| of(text, Operator::Exists, Vec::new()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_form_is_told_apart() {
        use Operator::{Above, Absent, Below, Equal, Exists, In, NotEqual, NotIn};
        for (text, label, operator, values) in [
            ("a=x", "a", Equal, vec!["x"]),
            ("a == x", "a", Equal, vec!["x"]),
            ("a!=x", "a", NotEqual, vec!["x"]),
            ("a in (y,x, y)", "a", In, vec!["x", "y"]),
            ("a in(x)", "a", In, vec!["x"]),
            ("a notin (x)", "a", NotIn, vec!["x"]),
            ("a", "a", Exists, vec![]),
            ("! a", "a", Absent, vec![]),
            ("a>5", "a", Above, vec!["5"]),
            ("a<5", "a", Below, vec!["5"]),
            ("a=", "a", Equal, vec![""]),
        ] {
            let values = values.into_iter().map(Box::from).collect();
            let expected = Demand { label: label.into(), operator, values };
            assert_eq!(SeriesSelector::parse(text).unwrap().demands(), [expected], "{text}");
        }
        let several = SeriesSelector::parse("c, b in (x,y),a=1,b=2").unwrap();
        let labels: Vec<_> = several.demands().iter().map(|it| (&*it.label, it.operator)).collect();
        assert_eq!(labels, [("a", Equal), ("b", In), ("b", Equal), ("c", Exists)]);
        assert_eq!(SeriesSelector::parse("  ").unwrap().demands(), []);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5_000))]

        /// The two readings of a selector never disagree about the labels that it speaks of.
        #[test]
        fn both_readings_speak_of_the_same_labels(text in "[a-c=!<>(), in]{0,24}") {
            if let (Ok(ours), Ok(theirs)) = (SeriesSelector::parse(&text), Selector::parse(&text)) {
                let mut labels: Vec<_> = theirs.requirements().iter().map(|it| it.key.clone()).collect();
                labels.sort();
                let own: Vec<_> = ours.demands().iter().map(|it| it.label.clone()).collect();
                prop_assert_eq!(own, labels);
            }
        }
    }
}
