//! Horizontal Pod Autoscalers as far as they concern a metric: who asks for it, with which target,
//! to scale what.

use crate::domain::finite::Finite;
use crate::domain::labels::Labels;
use crate::domain::metric::Subject;
use crate::domain::name::{MetricName, Namespace, ObjectName};
use crate::domain::object::{ObjectKind, ObjectRef};
use crate::domain::selector::Selector;
use std::time::Duration;

/// One HPA.
#[derive(Clone, Debug, PartialEq)]
pub struct Hpa {
    /// Its namespace, and that of everything it names.
    pub namespace: Namespace,
    /// Its name.
    pub name: ObjectName,
    /// What it scales.
    pub target: ObjectRef,
    /// Never fewer replicas.
    pub min_replicas: u32,
    /// Never more replicas.
    pub max_replicas: u32,
    /// How long it remembers higher recommendations.
    pub down_window: Duration,
    /// The External, Pods and Object metrics that it asks for.
    pub metrics: Vec<HpaMetric>,
}

/// One metric of an HPA.
#[derive(Clone, Debug, PartialEq)]
pub struct HpaMetric {
    /// The metric's name.
    pub metric: MetricName,
    /// What it is to describe.
    pub about: About,
    /// Which metrics of that name.
    pub selector: Selector,
    /// What it is compared with.
    pub target: MetricTarget,
}

/// What an HPA's metric describes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// Nothing in the cluster.
    External,
    /// The pods of the scale target.
    Pods,
    /// One object of the HPA's namespace.
    Object {
        /// What it is.
        kind: ObjectKind,
        /// What it is called.
        name: ObjectName,
    },
}

/// What an HPA compares a metric with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MetricTarget {
    /// The metric divided by the replicas.
    AverageValue(Finite),
    /// The metric as it is.
    Value(Finite),
}

/// One HPA's use of one metric.
#[derive(Clone, Debug, PartialEq)]
pub struct HpaUse {
    /// The HPA, in the policy's namespace.
    pub name: ObjectName,
    /// What it scales.
    pub scales: ObjectRef,
    /// What it compares the metric with.
    pub target: MetricTarget,
    /// Never fewer replicas.
    pub min_replicas: u32,
    /// Never more replicas.
    pub max_replicas: u32,
    /// How long it remembers higher recommendations.
    pub down_window: Duration,
}

impl Hpa {
    /// How this HPA uses the metric that is published in `namespace` as `metric`, about `subject`
    /// and under `labels`; `None` if it does not.
    #[must_use]
    pub fn use_of(
        &self,
        namespace: &Namespace,
        metric: &MetricName,
        subject: &Subject,
        labels: &Labels,
    ) -> Option<HpaUse> {
        let asks = |it: &&HpaMetric| {
            it.metric == *metric && it.is_about(subject) && it.selector.matches(labels)
        };
        let found = self.metrics.iter().find(asks)?;
        (self.namespace == *namespace).then(|| HpaUse {
            name: self.name.clone(),
            scales: self.target.clone(),
            target: found.target,
            min_replicas: self.min_replicas,
            max_replicas: self.max_replicas,
            down_window: self.down_window,
        })
    }
}

impl HpaMetric {
    /// Versions do not matter: an object is the same in all versions of its group.
    fn is_about(&self, subject: &Subject) -> bool {
        match (&self.about, subject) {
            (About::External, Subject::External) | (About::Pods, Subject::Pods) => true,
            (About::Object { kind, name }, Subject::Object { object, .. }) => {
                *name == object.name
                    && kind.kind == object.kind.kind
                    && kind.group() == object.kind.group()
            }
            (About::External | About::Pods | About::Object { .. }, _) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::object::GroupResource;

    fn kind(api_version: &str, kind: &str) -> ObjectKind {
        ObjectKind { api_version: api_version.into(), kind: kind.into() }
    }

    fn object(api_version: &str, of: &str, name: &str) -> ObjectRef {
        let namespace = Some(Namespace::new("inference").unwrap());
        ObjectRef { kind: kind(api_version, of), namespace, name: ObjectName::new(name).unwrap() }
    }

    fn hpa(about: About, selector: &str) -> Hpa {
        Hpa {
            namespace: Namespace::new("inference").unwrap(),
            name: ObjectName::new("llama").unwrap(),
            target: object("apps/v1", "Deployment", "llama"),
            min_replicas: 1,
            max_replicas: 16,
            down_window: Duration::from_secs(600),
            metrics: vec![HpaMetric {
                metric: MetricName::new("demand").unwrap(),
                about,
                selector: Selector::parse(selector).unwrap(),
                target: MetricTarget::AverageValue(Finite::new(8.0).unwrap()),
            }],
        }
    }

    #[track_caller]
    fn check(hpa: &Hpa, address: &str, subject: &Subject, expected: bool) {
        let (namespace, metric) = address.split_once('/').unwrap();
        let labels: Labels = [("model", "llama")].into_iter().collect();
        let namespace = Namespace::new(namespace).unwrap();
        let found =
            hpa.use_of(&namespace, &MetricName::new(metric).unwrap(), subject, &labels).is_some();
        assert_eq!(found, expected, "{address} {subject:?} by {:?}", hpa.metrics);
    }

    #[test]
    fn an_hpa_uses_what_bears_the_name_the_labels_and_the_namespace_it_asks_for() {
        for (selector, address, expected) in [
            ("", "inference/demand", true),
            ("model=llama", "inference/demand", true),
            ("model=mistral", "inference/demand", false),
            ("", "inference/other", false),
            ("", "elsewhere/demand", false),
        ] {
            check(&hpa(About::External, selector), address, &Subject::External, expected);
            check(&hpa(About::Pods, selector), address, &Subject::Pods, expected);
            check(&hpa(About::External, selector), address, &Subject::Pods, false);
        }
    }

    #[test]
    fn an_object_is_the_same_in_all_versions_of_its_group() {
        let about = |api_version, of, name| About::Object {
            kind: kind(api_version, of),
            name: ObjectName::new(name).unwrap(),
        };
        let subject = Subject::Object {
            object: object("apps/v1", "Deployment", "gateway"),
            resource: GroupResource::guess("Deployment", "apps"),
        };
        for (about, expected) in [
            (about("apps/v1", "Deployment", "gateway"), true),
            (about("apps/v1beta2", "Deployment", "gateway"), true),
            (about("extensions/v1beta1", "Deployment", "gateway"), false),
            (about("apps/v1", "StatefulSet", "gateway"), false),
            (about("apps/v1", "Deployment", "llama"), false),
            (About::Pods, false),
        ] {
            check(&hpa(about, ""), "inference/demand", &subject, expected);
        }
    }
}
