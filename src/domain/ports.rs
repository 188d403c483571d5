//! The seams towards the cluster that are faked in tests; everything else is called directly.

use crate::domain::identity::{Attributes, User};
use crate::domain::name::{Namespace, ObjectName};
use crate::domain::selector::Selector;
use std::fmt::Debug;
use std::pin::Pin;
use std::sync::Arc;

/// Which pods exist.
pub trait Pods: Debug + Send + Sync {
    /// The names of the pods in `namespace` whose labels `selector` selects, sorted.
    ///
    /// # Errors
    /// `PodsUnknown` while nothing is known about the pods; callers must not take that for "none".
    fn matching(
        &self,
        namespace: &Namespace,
        selector: &Selector,
    ) -> Result<Vec<ObjectName>, PodsUnknown>;
}

/// The files that an operator names in the configuration: certificates and tokens.
pub trait Files: Debug + Send + Sync {
    /// What stands in a file now, or did a moment ago.
    ///
    /// # Errors
    /// Why it cannot be read, for a person.
    fn content(&self, path: &str) -> Result<Arc<[u8]>, String>;
}

/// Why it is not known which pods exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PodsUnknown {
    /// The first list has not come in yet.
    #[error("the list of pods has not been read yet")]
    NotSynced,
    /// There is no cluster to ask.
    #[error("pods cannot be selected by label without a cluster (--standalone)")]
    NoCluster,
}

/// May this user do that?
pub trait Reviews: Debug + Send + Sync {
    /// Asks the cluster.
    fn access<'a>(
        &'a self,
        user: &'a User,
        attributes: &'a Attributes,
    ) -> Pin<Box<dyn Future<Output = Result<Access, ReviewFailed>> + Send + 'a>>;
}

/// The cluster's answer to a review.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Whether the user may.
    pub allowed: bool,
    /// Why, in the authorizer's words; may be empty.
    pub reason: String,
}

/// The review could not be made.
#[derive(Debug, thiserror::Error)]
#[error("failed to ask the cluster for a SubjectAccessReview")]
pub struct ReviewFailed(#[source] pub Box<dyn std::error::Error + Send + Sync>);
