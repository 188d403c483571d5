//! The shapes of metric lists, borrowed from the snapshot and written straight to bytes, as JSON or
//! protobuf, or as YAML for people.

pub(crate) mod protobuf;
pub(crate) mod selector;

use crate::api::negotiation::{Form, Layout};
use crate::api::path::Version;
use crate::api::refusal::{Reason, Refusal};
use crate::document::yaml::write;
use crate::domain::finite::Finite;
use crate::domain::labels::Labels;
use crate::domain::metric::Subject;
use crate::domain::quantity;
use crate::pipeline::outcome::Value;
use crate::published::Entry;
use jiff::Timestamp;
use protobuf::Message;
use selector::LabelSelector;
use serde::{Serialize, Serializer};
use std::time::Duration;

/// A kind of Kubernetes: what serde makes of it is its JSON, `fields` its protobuf.
pub(crate) trait Kind: Serialize {
    fn kind(&self) -> &str;

    fn api_version(&self) -> &str;

    /// Writes everything but `kind` and `apiVersion`, which stand in the envelope.
    fn fields(&self, message: &mut Message);
}

/// A part of a kind, as a message of its own.
trait Part: Serialize {
    fn fields(&self, message: &mut Message);
}

/// `kind` in the form that the client takes.
///
/// # Errors
/// `Refusal` if it cannot be written, which no value that gets here is.
pub(crate) fn encode(kind: &impl Kind, form: Form) -> Result<Vec<u8>, Refusal> {
    match form {
        Form::Json(layout) => to_bytes(kind, layout),
        Form::Yaml => serde_json::to_value(kind)
            .map(|value| write::document(&value).into_bytes())
            .map_err(|error| unwritten("YAML", &error)),
        Form::Protobuf => Ok(protobuf::envelope(kind.api_version(), kind.kind(), |message| {
            kind.fields(message);
        })),
    }
}

/// One value with its object, before it takes the shape of a version.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found<'a> {
    pub(crate) namespace: Option<&'a str>,
    pub(crate) name: &'a str,
    /// The kind of the object, and the version of its API.
    pub(crate) object: (&'a str, &'a str),
    pub(crate) window: Option<Duration>,
    pub(crate) at: Timestamp,
    pub(crate) value: Finite,
}

/// An item of an external metric, before it is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Item<'a> {
    pub(crate) labels: &'a Labels,
    pub(crate) window: Option<Duration>,
    pub(crate) at: Timestamp,
    pub(crate) value: Finite,
}

impl<'a> Found<'a> {
    /// A value of a policy.
    pub(crate) fn of(
        namespace: Option<&'a str>,
        name: &'a str,
        entry: &'a Entry,
        value: &Value,
    ) -> Self {
        let object = match &entry.subject {
            Subject::Object { object, .. } => (&*object.kind.kind, &*object.kind.api_version),
            Subject::Pods | Subject::External => ("Pod", "v1"),
        };
        let (at, value) = (value.at, value.value);
        Self { namespace, name, object, window: entry.window, at, value }
    }
}

impl<'a> Item<'a> {
    /// A value of a policy.
    pub(crate) fn of(entry: &'a Entry, value: &Value) -> Self {
        let (at, value) = (value.at, value.value);
        Self { labels: &entry.labels, window: entry.window, at, value }
    }
}

/// The body of a custom metrics answer.
///
/// # Errors
/// As `encode`.
pub(crate) fn custom(
    version: Version,
    metric: &str,
    selector: Option<&LabelSelector<'_>>,
    found: &[Found<'_>],
    form: Form,
) -> Result<Vec<u8>, Refusal> {
    match version {
        Version::CustomV1Beta1 => {
            let items = found.iter().map(|it| CustomV1Beta1 {
                described_object: ObjectReference::of(it),
                metric_name: metric,
                timestamp: Seconds(it.at),
                window: it.window.map(whole_seconds),
                value: Quantity(it.value),
                selector,
            });
            encode(&List::new(version, items.collect()), form)
        }
        Version::CustomV1Beta2 | Version::ExternalV1Beta1 => {
            let items = found.iter().map(|it| CustomV1Beta2 {
                described_object: ObjectReference::of(it),
                metric: Identifier { name: metric, selector },
                timestamp: Seconds(it.at),
                window_seconds: it.window.map(whole_seconds),
                value: Quantity(it.value),
            });
            encode(&List::new(version, items.collect()), form)
        }
    }
}

/// The body of an external metrics answer.
///
/// # Errors
/// As `encode`.
pub(crate) fn external(metric: &str, found: &[Item<'_>], form: Form) -> Result<Vec<u8>, Refusal> {
    let items = found.iter().map(|it| External {
        metric_name: metric,
        metric_labels: MetricLabels(it.labels),
        timestamp: Seconds(it.at),
        window: it.window.map(whole_seconds),
        value: Quantity(it.value),
    });
    encode(&List::new(Version::ExternalV1Beta1, items.collect()), form)
}

/// JSON as bytes.
///
/// # Errors
/// As `encode`.
pub(crate) fn to_bytes(body: &impl Serialize, layout: Layout) -> Result<Vec<u8>, Refusal> {
    match layout {
        Layout::Compact => serde_json::to_vec(body),
        Layout::Indented => serde_json::to_vec_pretty(body).map(|mut bytes| {
            bytes.push(b'\n');
            bytes
        }),
    }
    .map_err(|error| unwritten("JSON", &error))
}

fn unwritten(form: &str, error: &serde_json::Error) -> Refusal {
    Refusal::new(Reason::InternalError, format!("cannot write {form}: {error}"))
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
    fn new(version: Version, items: Vec<T>) -> Self {
        let kind = version.group().list_kind();
        Self { kind, api_version: version.api_version(), metadata: Empty {}, items }
    }
}

impl<T: Part> Kind for List<T> {
    fn kind(&self) -> &str {
        self.kind
    }

    fn api_version(&self) -> &str {
        self.api_version
    }

    fn fields(&self, message: &mut Message) {
        for item in &self.items {
            message.message(2, |it| item.fields(it));
        }
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
    value: Quantity,
    selector: Option<&'a LabelSelector<'a>>,
}

impl Part for CustomV1Beta1<'_> {
    fn fields(&self, message: &mut Message) {
        message.message(1, |it| self.described_object.fields(it));
        message.text(2, self.metric_name);
        message.message(3, |it| self.timestamp.fields(it));
        if let Some(window) = self.window {
            message.number(4, window);
        }
        message.message(5, |it| self.value.fields(it));
        if let Some(selector) = self.selector {
            message.message(6, |it| selector.fields(it));
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CustomV1Beta2<'a> {
    described_object: ObjectReference<'a>,
    metric: Identifier<'a>,
    timestamp: Seconds,
    #[serde(skip_serializing_if = "Option::is_none")]
    window_seconds: Option<u64>,
    value: Quantity,
}

impl Part for CustomV1Beta2<'_> {
    fn fields(&self, message: &mut Message) {
        message.message(1, |it| self.described_object.fields(it));
        message.message(2, |it| self.metric.fields(it));
        message.message(3, |it| self.timestamp.fields(it));
        if let Some(window) = self.window_seconds {
            message.number(4, window);
        }
        message.message(5, |it| self.value.fields(it));
    }
}

#[derive(Debug, Serialize)]
struct Identifier<'a> {
    name: &'a str,
    selector: Option<&'a LabelSelector<'a>>,
}

impl Part for Identifier<'_> {
    fn fields(&self, message: &mut Message) {
        message.text(1, self.name);
        if let Some(selector) = self.selector {
            message.message(2, |it| selector.fields(it));
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct External<'a> {
    metric_name: &'a str,
    metric_labels: MetricLabels<'a>,
    timestamp: Seconds,
    #[serde(skip_serializing_if = "Option::is_none")]
    window: Option<u64>,
    value: Quantity,
}

impl Part for External<'_> {
    fn fields(&self, message: &mut Message) {
        message.text(1, self.metric_name);
        message.map(2, self.metric_labels.0.iter());
        message.message(3, |it| self.timestamp.fields(it));
        if let Some(window) = self.window {
            message.number(4, window);
        }
        message.message(5, |it| self.value.fields(it));
    }
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
        let (kind, api_version) = found.object;
        Self { kind, namespace: found.namespace, name: found.name, api_version }
    }
}

impl Part for ObjectReference<'_> {
    fn fields(&self, message: &mut Message) {
        message.text(1, self.kind);
        message.text_if_any(2, self.namespace.unwrap_or_default());
        message.text(3, self.name);
        message.text(5, self.api_version);
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

impl Part for Seconds {
    fn fields(&self, message: &mut Message) {
        message.signed(1, self.0.as_second());
    }
}

#[derive(Debug)]
struct Quantity(Finite);

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&quantity::to_text(self.0))
    }
}

impl Part for Quantity {
    fn fields(&self, message: &mut Message) {
        message.text(1, &quantity::to_text(self.0));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_at_least_a_second() {
        for (millis, seconds) in [(0, 1), (200, 1), (1_499, 1), (1_500, 2), (60_000, 60)] {
            assert_eq!(whole_seconds(Duration::from_millis(millis)), seconds, "{millis} ms");
        }
    }
}
