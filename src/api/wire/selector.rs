//! A metric selector in the form in which an answer repeats it.

use super::Part;
use super::protobuf::Message;
use crate::domain::selector::{Condition, Selector};
use serde::Serialize;
use std::collections::BTreeMap;

/// `metav1.LabelSelector`, with which a metric selector is repeated in the answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LabelSelector<'a> {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    match_labels: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    match_expressions: Vec<MatchExpression<'a>>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct MatchExpression<'a> {
    key: &'a str,
    operator: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    values: Vec<&'a str>,
}

impl Part for LabelSelector<'_> {
    fn fields(&self, message: &mut Message) {
        message.map(1, self.match_labels.iter().map(|(key, value)| (*key, *value)));
        for expression in &self.match_expressions {
            message.message(2, |it| expression.fields(it));
        }
    }
}

impl Part for MatchExpression<'_> {
    fn fields(&self, message: &mut Message) {
        message.text(1, self.key);
        message.text(2, self.operator);
        for value in &self.values {
            message.text(3, value);
        }
    }
}

impl<'a> LabelSelector<'a> {
    /// `selector` in this form; `None` if it compares numbers, which this form cannot say.
    pub(crate) fn of(selector: &'a Selector) -> Option<Self> {
        let mut shape = Self::default();
        for requirement in selector.requirements() {
            let key: &str = &requirement.key;
            let (operator, values) = match &requirement.condition {
                Condition::In(values) => ("In", values.iter().map(AsRef::as_ref).collect()),
                Condition::NotIn(values) => ("NotIn", values.iter().map(AsRef::as_ref).collect()),
                Condition::Exists => ("Exists", Vec::new()),
                Condition::Absent => ("DoesNotExist", Vec::new()),
                Condition::Above(_) | Condition::Below(_) => return None,
            };
            match values.as_slice() {
                [value] if operator == "In" && !shape.match_labels.contains_key(key) => {
                    shape.match_labels.insert(key, value);
                }
                _ => shape.match_expressions.push(MatchExpression { key, operator, values }),
            }
        }
        shape.match_expressions.sort();
        Some(shape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_is_repeated_in_the_form_of_an_object() {
        for (text, expected) in [
            ("a=1,b==2", r#"{"matchLabels":{"a":"1","b":"2"}}"#),
            ("a in (1)", r#"{"matchLabels":{"a":"1"}}"#),
            (
                "b,!c,a in (1,2),a!=3",
                r#"{"matchExpressions":[{"key":"a","operator":"In","values":["1","2"]},{"key":"a","operator":"NotIn","values":["3"]},{"key":"b","operator":"Exists"},{"key":"c","operator":"DoesNotExist"}]}"#,
            ),
            (
                "a=1,a=2",
                r#"{"matchLabels":{"a":"1"},"matchExpressions":[{"key":"a","operator":"In","values":["2"]}]}"#,
            ),
        ] {
            let selector = Selector::parse(text).unwrap();
            let shape = LabelSelector::of(&selector).unwrap();
            assert_eq!(serde_json::to_string(&shape).unwrap(), expected, "{text}");
        }
        assert_eq!(LabelSelector::of(&Selector::parse("a>1").unwrap()), None);
    }
}
