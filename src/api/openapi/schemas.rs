//! The kinds of the metrics APIs, as OpenAPI describes them.

use crate::api::path::{Group, Version};
use serde_json::{Map, Value, json};

/// How a document refers to a definition: the versions of OpenAPI keep them in different places.
#[derive(Clone, Copy, Debug)]
pub(super) enum References {
    Two,
    Three,
}

impl References {
    /// A reference to `kind` of `version`.
    pub(super) fn of(self, version: Version, kind: &str) -> Value {
        let place = match self {
            Self::Two => "#/definitions",
            Self::Three => "#/components/schemas",
        };
        json!({"$ref": format!("{place}/{}", name(version, kind))})
    }

    /// A field that is another definition. In version 3 nothing may stand beside a reference; in
    /// version 2 kubectl follows none that stands anywhere else.
    fn field(self, version: Version, kind: &str, description: &str) -> Value {
        let reference = self.of(version, kind);
        match self {
            Self::Two => {
                json!({"$ref": reference.get("$ref").cloned(), "description": description})
            }
            Self::Three => json!({"description": description, "allOf": [reference]}),
        }
    }
}

/// The name of a definition: that of upstream's Go type.
fn name(version: Version, kind: &str) -> String {
    let package = match version.group() {
        Group::Custom => "custom_metrics",
        Group::External => "external_metrics",
    };
    format!("io.k8s.metrics.pkg.apis.{package}.{}.{kind}", version.as_str())
}

/// All definitions of a version, by name.
pub(super) fn definitions(version: Version, references: References) -> Map<String, Value> {
    let group = version.group();
    let (item, metric) = match version {
        Version::CustomV1Beta1 => ("MetricValue", custom_v1beta1()),
        Version::CustomV1Beta2 => ("MetricValue", custom_v1beta2(references)),
        Version::ExternalV1Beta1 => ("ExternalMetricValue", external()),
    };
    let mut all = Map::new();
    all.insert(name(version, item), metric);
    if version == Version::CustomV1Beta2 {
        all.insert(name(version, IDENTIFIER), identifier());
    }
    all.insert(name(version, group.list_kind()), list(version, item, references));
    all
}

const IDENTIFIER: &str = "MetricIdentifier";

fn list(version: Version, item: &str, references: References) -> Value {
    let group = version.group();
    json!({
        "description": "Values of one metric.",
        "type": "object",
        "required": ["items"],
        "properties": {
            "apiVersion": text("The version of this representation of an object."),
            "kind": text("The kind of the object."),
            "metadata": {"description": "Empty.", "type": "object"},
            "items": {
                "description": "One value for each object or, of an external metric, for each policy.",
                "type": "array",
                "items": references.of(version, item),
            },
        },
        "x-kubernetes-group-version-kind": [{
            "group": group.as_str(),
            "version": version.as_str(),
            "kind": group.list_kind(),
        }],
    })
}

fn custom_v1beta1() -> Value {
    json!({
        "description": "The value of a metric of one object.",
        "type": "object",
        "required": ["describedObject", "metricName", "timestamp", "value", "selector"],
        "properties": {
            "describedObject": described_object(),
            "metricName": text("The name of the metric."),
            "timestamp": timestamp(),
            "window": window(),
            "value": quantity(),
            "selector": selector(),
        },
    })
}

fn custom_v1beta2(references: References) -> Value {
    let metric = references.field(Version::CustomV1Beta2, IDENTIFIER, "The metric.");
    json!({
        "description": "The value of a metric of one object.",
        "type": "object",
        "required": ["describedObject", "metric", "timestamp", "value"],
        "properties": {
            "describedObject": described_object(),
            "metric": metric,
            "timestamp": timestamp(),
            "windowSeconds": window(),
            "value": quantity(),
        },
    })
}

fn identifier() -> Value {
    json!({
        "description": "A metric by its name and, if one was asked for, the selector of its labels.",
        "type": "object",
        "required": ["name"],
        "properties": {"name": text("The name of the metric."), "selector": selector()},
    })
}

fn external() -> Value {
    json!({
        "description": "A value of a metric of no object.",
        "type": "object",
        "required": ["metricName", "metricLabels", "timestamp", "value"],
        "properties": {
            "metricName": text("The name of the metric."),
            "metricLabels": {
                "description": "The labels of the metric.",
                "type": "object",
                "additionalProperties": {"type": "string"},
            },
            "timestamp": timestamp(),
            "window": window(),
            "value": quantity(),
        },
    })
}

fn text(description: &str) -> Value {
    json!({"description": description, "type": "string"})
}

fn timestamp() -> Value {
    json!({
        "description": "When the value was true: the time of its sample.",
        "type": "string",
        "format": "date-time",
    })
}

fn window() -> Value {
    json!({
        "description": "The time in seconds over which the value was averaged.",
        "type": "integer",
        "format": "int64",
    })
}

fn quantity() -> Value {
    text("The value, as a quantity: 500m is one half.")
}

fn described_object() -> Value {
    json!({
        "description": "The object that the metric is about.",
        "type": "object",
        "properties": {
            "apiVersion": text("The API version of the object."),
            "kind": text("The kind of the object."),
            "name": text("The name of the object."),
            "namespace": text("The namespace of the object, if it is in one."),
        },
    })
}

fn selector() -> Value {
    json!({
        "description": "The selector of the metric's labels that was asked for.",
        "type": "object",
        "properties": {
            "matchLabels": {
                "description": "Labels and the values that they must have.",
                "type": "object",
                "additionalProperties": {"type": "string"},
            },
            "matchExpressions": {
                "description": "Further requirements.",
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["key", "operator"],
                    "properties": {
                        "key": text("The label."),
                        "operator": text("In, NotIn, Exists or DoesNotExist."),
                        "values": {
                            "description": "The values for In and NotIn.",
                            "type": "array",
                            "items": {"type": "string"},
                        },
                    },
                },
            },
        },
    })
}
