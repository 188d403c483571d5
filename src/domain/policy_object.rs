//! A policy as an object of the cluster: which it is, which state of it, and what it says.

use crate::domain::name::{Namespace, PolicyName};
use jiff::Timestamp;
use std::fmt;

/// The kinds of object that hold a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PolicyKind {
    /// Of one namespace, for those who own it.
    Namespaced,
    /// Of the cluster, for those who run it.
    Cluster,
}

impl PolicyKind {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Namespaced, Self::Cluster];

    /// As in manifests.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            Self::Namespaced => "MetricPolicy",
            Self::Cluster => "ClusterMetricPolicy",
        }
    }

    /// As in the paths of the API.
    #[must_use]
    pub fn plural(self) -> &'static str {
        match self {
            Self::Namespaced => "metricpolicies",
            Self::Cluster => "clustermetricpolicies",
        }
    }
}

/// Which object; shown as `MetricPolicy namespace/name` or `ClusterMetricPolicy name`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PolicyObjectId {
    /// Where it is; `None` for an object of the cluster.
    pub namespace: Option<Namespace>,
    /// What it is called.
    pub name: PolicyName,
    /// What it is.
    pub kind: PolicyKind,
}

/// One state of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyObject {
    /// Which object.
    pub id: PolicyObjectId,
    /// Tells it from another one that had the same name.
    pub uid: Box<str>,
    /// Counts the changes of what people write; a change of the status is none.
    pub generation: i64,
    /// When it was made: the older of two that want the same has it.
    pub created: Timestamp,
    /// What people wrote, as JSON: apiVersion, kind, name and namespace, spec. `None` when it is
    /// larger than `limits::POLICY_BYTES_MAX`, and so not kept.
    pub text: Option<Box<str>>,
}

impl PolicyObject {
    /// Sorts the older before the younger, by name where that does not tell.
    #[must_use]
    pub fn age(&self) -> (Timestamp, &PolicyObjectId) {
        (self.created, &self.id)
    }
}

impl fmt::Display for PolicyObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.kind.kind())?;
        if let Some(namespace) = &self.namespace {
            write!(f, "{namespace}/")?;
        }
        write!(f, "{}", self.name)
    }
}
