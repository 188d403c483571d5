//! The JSON shapes of metric lists, borrowed from the snapshot and written straight to bytes.

use crate::api::negotiation::Layout;
use crate::api::path::Version;
use crate::api::refusal::{Reason, Refusal};
use crate::domain::labels::Labels;
use crate::domain::metric::Subject;
use crate::domain::quantity;
use crate::domain::selector::{Condition, Selector};
use crate::pipeline::outcome::Value;
use crate::published::Entry;
use jiff::Timestamp;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::time::Duration;

/// One value with its object, before it takes the shape of a version.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found<'a> {
    pub(crate) namespace: Option<&'a str>,
    pub(crate) name: &'a str,
    pub(crate) entry: &'a Entry,
    pub(crate) value: &'a Value,
}

/// The body of a custom metrics answer.
///
/// # Errors
/// `Refusal` if the body cannot be written, which no value that gets here does.
pub(crate) fn custom(
    version: Version,
    metric: &str,
    selector: Option<&LabelSelector<'_>>,
    found: &[Found<'_>],
    layout: Layout,
) -> Result<Vec<u8>, Refusal> {
    match version {
        Version::CustomV1Beta1 => {
            let items = found.iter().map(|it| CustomV1Beta1 {
                described_object: ObjectReference::of(it),
                metric_name: metric,
                timestamp: Seconds(it.value.at),
                window: it.entry.window.map(whole_seconds),
                value: Quantity(it.value),
                selector,
            });
            to_bytes(&List::new("MetricValueList", version, items.collect()), layout)
        }
        Version::CustomV1Beta2 | Version::ExternalV1Beta1 => {
            let items = found.iter().map(|it| CustomV1Beta2 {
                described_object: ObjectReference::of(it),
                metric: Identifier { name: metric, selector },
                timestamp: Seconds(it.value.at),
                window_seconds: it.entry.window.map(whole_seconds),
                value: Quantity(it.value),
            });
            to_bytes(&List::new("MetricValueList", version, items.collect()), layout)
        }
    }
}

/// The body of an external metrics answer.
///
/// # Errors
/// As `custom`.
pub(crate) fn external(
    metric: &str,
    found: &[(&Entry, &Value)],
    layout: Layout,
) -> Result<Vec<u8>, Refusal> {
    let items = found.iter().map(|(entry, value)| External {
        metric_name: metric,
        metric_labels: MetricLabels(&entry.labels),
        timestamp: Seconds(value.at),
        window: entry.window.map(whole_seconds),
        value: Quantity(value),
    });
    let kind = "ExternalMetricValueList";
    to_bytes(&List::new(kind, Version::ExternalV1Beta1, items.collect()), layout)
}

/// JSON as bytes.
///
/// # Errors
/// As `custom`.
pub(crate) fn to_bytes(body: &impl Serialize, layout: Layout) -> Result<Vec<u8>, Refusal> {
    match layout {
        Layout::Compact => serde_json::to_vec(body),
        Layout::Indented => serde_json::to_vec_pretty(body).map(|mut bytes| {
            bytes.push(b'\n');
            bytes
        }),
    }
    .map_err(|error| Refusal::new(Reason::InternalError, format!("cannot write JSON: {error}")))
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct List<T> {
    kind: &'static str,
    api_version: &'static str,
    metadata: Empty,
    items: Vec<T>,
}

impl<T> List<T> {
    fn new(kind: &'static str, version: Version, items: Vec<T>) -> Self {
        Self { kind, api_version: version.api_version(), metadata: Empty {}, items }
    }
}

#[derive(Debug, Serialize)]
struct Empty {}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CustomV1Beta1<'a> {
    described_object: ObjectReference<'a>,
    metric_name: &'a str,
    timestamp: Seconds,
    #[serde(skip_serializing_if = "Option::is_none")]
    window: Option<u64>,
    value: Quantity<'a>,
    selector: Option<&'a LabelSelector<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CustomV1Beta2<'a> {
    described_object: ObjectReference<'a>,
    metric: Identifier<'a>,
    timestamp: Seconds,
    #[serde(skip_serializing_if = "Option::is_none")]
    window_seconds: Option<u64>,
    value: Quantity<'a>,
}

#[derive(Debug, Serialize)]
struct Identifier<'a> {
    name: &'a str,
    selector: Option<&'a LabelSelector<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct External<'a> {
    metric_name: &'a str,
    metric_labels: MetricLabels<'a>,
    timestamp: Seconds,
    #[serde(skip_serializing_if = "Option::is_none")]
    window: Option<u64>,
    value: Quantity<'a>,
}

/// The API version of the core group is `v1` here, where upstream writes `/v1` by accident.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ObjectReference<'a> {
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<&'a str>,
    name: &'a str,
    api_version: &'a str,
}

impl<'a> ObjectReference<'a> {
    fn of(found: &Found<'a>) -> Self {
        let (kind, api_version): (&str, &str) = match &found.entry.subject {
            Subject::Object { object, .. } => (&object.kind.kind, &object.kind.api_version),
            Subject::Pods | Subject::External => ("Pod", "v1"),
        };
        Self { kind, namespace: found.namespace, name: found.name, api_version }
    }
}

/// RFC 3339 in whole seconds.
#[derive(Debug)]
struct Seconds(Timestamp);

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Cannot fail: the seconds of a timestamp are in a timestamp's range.
        let whole = Timestamp::from_second(self.0.as_second()).unwrap_or(self.0);
        serializer.collect_str(&whole)
    }
}

#[derive(Debug)]
struct Quantity<'a>(&'a Value);

impl Serialize for Quantity<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&quantity::to_text(self.0.value))
    }
}

/// A map, or null when there are none, as Go writes it.
#[derive(Debug)]
struct MetricLabels<'a>(&'a Labels);

impl Serialize for MetricLabels<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_empty() {
            serializer.serialize_none()
        } else {
            serializer.collect_map(self.0.iter())
        }
    }
}

/// Rounded; a window below half a second still is one.
fn whole_seconds(window: Duration) -> u64 {
    let rounded = window.as_secs() + u64::from(window.subsec_millis() >= 500);
    rounded.max(1)
}

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

    #[test]
    fn a_window_is_at_least_a_second() {
        for (millis, seconds) in [(0, 1), (200, 1), (1_499, 1), (1_500, 2), (60_000, 60)] {
            assert_eq!(whole_seconds(Duration::from_millis(millis)), seconds, "{millis} ms");
        }
    }
}
