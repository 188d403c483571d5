//! A HorizontalPodAutoscaler, as far as Foresail needs to know it: what it scales and what it asks.

use crate::domain::metric::Subject;
use crate::domain::name::{MetricName, Namespace, ObjectName};
use crate::domain::object::ObjectKind;
use std::fmt;

/// One HPA; shown as `namespace/name`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scaler {
    /// Where it is.
    pub namespace: Namespace,
    /// What it is called.
    pub name: ObjectName,
    /// What it scales, in its namespace.
    pub target: Described,
    /// The metrics that it asks the metrics APIs for.
    pub asks: Vec<Asked>,
}

/// An object that an HPA names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// What it is.
    pub kind: ObjectKind,
    /// What it is called.
    pub name: ObjectName,
}

/// One metric that an HPA asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A number of its own.
    External(MetricName),
    /// A number for each pod of its target.
    Pods(MetricName),
    /// A number about one object.
    Object(MetricName, Described),
}

impl Scaler {
    /// Whether it asks for `metric` about `subject`, which is published in its namespace.
    #[must_use]
    pub fn asks_for(&self, metric: &MetricName, subject: &Subject) -> bool {
        self.asks.iter().any(|asked| match (asked, subject) {
            (Asked::External(name), Subject::External) | (Asked::Pods(name), Subject::Pods) => {
                name == metric
            }
            (Asked::Object(name, described), Subject::Object { object, .. }) => {
                // An HPA may name another version of the kind.
                let is_same = described.name == object.name
                    && described.kind.kind == object.kind.kind
                    && described.kind.group() == object.kind.group();
                name == metric && is_same
            }
            _ => false,
        })
    }
}

impl fmt::Display for Scaler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::object::{GroupResource, ObjectRef};

    fn described(api_version: &str, kind: &str, name: &str) -> Described {
        let kind = ObjectKind { api_version: api_version.into(), kind: kind.into() };
        Described { kind, name: ObjectName::new(name).unwrap() }
    }

    #[test]
    fn an_hpa_asks_for_a_metric_of_its_type_and_object() {
        let metric = |name| MetricName::new(name).unwrap();
        let namespace = Namespace::new("inference").unwrap();
        let scaler = Scaler {
            namespace: namespace.clone(),
            name: ObjectName::new("llama").unwrap(),
            target: described("apps/v1", "Deployment", "llama"),
            asks: vec![
                Asked::External(metric("demand")),
                Asked::Pods(metric("running")),
                Asked::Object(metric("requests"), described("apps/v1beta1", "Deployment", "llama")),
            ],
        };
        let about = |api_version: &str, name: &str| {
            let Described { kind, name } = described(api_version, "Deployment", name);
            let resource = GroupResource::guess("Deployment", "apps");
            let object = ObjectRef { kind, namespace: Some(namespace.clone()), name };
            Subject::Object { object, resource }
        };
        for (name, subject, expected) in [
            ("demand", Subject::External, true),
            ("demand", Subject::Pods, false),
            ("running", Subject::Pods, true),
            ("running", Subject::External, false),
            ("requests", about("apps/v1", "llama"), true),
            ("requests", about("apps/v1", "mistral"), false),
            ("requests", about("other/v1", "llama"), false),
            ("demand", about("apps/v1", "llama"), false),
        ] {
            assert_eq!(scaler.asks_for(&metric(name), &subject), expected, "{name} {subject:?}");
        }
    }
}
