//! Which metric: the address under which a value is published and asked for.

use crate::domain::name::{MetricName, Namespace, ObjectName};
use crate::domain::object::{GroupResource, ObjectRef};
use std::fmt;

/// The address of a metric in the metrics APIs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MetricKey {
    /// `external.metrics.k8s.io`: a metric of no object.
    External {
        /// The namespace in which it may be asked for.
        namespace: Namespace,
        /// The metric.
        metric: MetricName,
    },
    /// `custom.metrics.k8s.io`: a metric of objects.
    Custom {
        /// The namespace of the objects; `None` for objects of the root scope.
        namespace: Option<Namespace>,
        /// The resource that holds the objects.
        resource: GroupResource,
        /// The metric.
        metric: MetricName,
    },
}

impl MetricKey {
    /// The metric's name.
    #[must_use]
    pub fn metric(&self) -> &MetricName {
        match self {
            Self::External { metric, .. } | Self::Custom { metric, .. } => metric,
        }
    }
}

/// `external metric llama_demand in namespace inference`, `metric queue of pods in namespace …`.
impl fmt::Display for MetricKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::External { namespace, metric } => {
                write!(f, "external metric {metric} in namespace {namespace}")
            }
            Self::Custom { namespace: Some(namespace), resource, metric } => {
                write!(f, "metric {metric} of {resource} in namespace {namespace}")
            }
            Self::Custom { namespace: None, resource, metric } => {
                write!(f, "metric {metric} of {resource}")
            }
        }
    }
}

/// What a metric describes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Nothing in the cluster: an External metric.
    External,
    /// Each pod of the namespace on its own: a Pods metric.
    Pods,
    /// One object: an Object metric.
    Object {
        /// The object.
        object: ObjectRef,
        /// The resource that holds it.
        resource: GroupResource,
    },
}

impl Subject {
    /// The address of `metric` about this subject, published in `namespace`.
    #[must_use]
    pub fn key(&self, namespace: &Namespace, metric: &MetricName) -> MetricKey {
        let metric = metric.clone();
        match self {
            Self::External => MetricKey::External { namespace: namespace.clone(), metric },
            Self::Pods => MetricKey::Custom {
                namespace: Some(namespace.clone()),
                resource: GroupResource::pods(),
                metric,
            },
            Self::Object { object, resource } => MetricKey::Custom {
                namespace: object.namespace.clone(),
                resource: resource.clone(),
                metric,
            },
        }
    }

    /// The described object's name, where there is one.
    #[must_use]
    pub fn object_name(&self) -> Option<&ObjectName> {
        match self {
            Self::Object { object, .. } => Some(&object.name),
            Self::External | Self::Pods => None,
        }
    }
}
