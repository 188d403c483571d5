//! The seams towards the cluster that are faked in tests; everything else is called directly.

use crate::domain::identity::{Attributes, User};
use crate::domain::name::{Namespace, ObjectName};
use crate::domain::object::Collection;
use crate::domain::pod_place::PodPlace;
use crate::domain::secret::{Secret, SecretRef};
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

/// Which objects of other kinds exist; they are followed once somebody wants to know.
pub trait Objects: Debug + Send + Sync {
    /// The names of the objects whose labels `selector` selects, sorted. They count as asked for.
    ///
    /// # Errors
    /// `ObjectsUnknown` while nothing is known about them; callers must not take that for "none".
    fn matching(
        &self,
        collection: &Collection,
        selector: &Selector,
    ) -> Result<Vec<ObjectName>, ObjectsUnknown>;

    /// Has them followed; ends when it is known which there are, or why not, or when that took too
    /// long.
    fn want<'a>(
        &'a self,
        collection: &'a Collection,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;
}

/// Why it is not known which objects exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ObjectsUnknown {
    /// The first list has not come in yet.
    #[error("the list of them has not been read yet")]
    NotSynced,
    /// They cannot be listed; what an operator can do about it.
    #[error("{0}")]
    Unlisted(String),
}

/// Where the pods are, for whoever reads their pages.
pub trait Places: Debug + Send + Sync {
    /// The pods in `namespace` whose labels `selector` selects, by name; also those that are not
    /// ready, or about to leave.
    ///
    /// # Errors
    /// `PodsUnknown` while nothing is known about the pods; callers must not take that for "none".
    fn places(
        &self,
        namespace: &Namespace,
        selector: &Selector,
    ) -> Result<Vec<PodPlace>, PodsUnknown>;
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

/// Whose a token is, or why it is nobody's, in words without any part of it.
pub type Owner = Result<User, String>;

/// Whose is this bearer token?
pub trait Tokens: Debug + Send + Sync {
    /// Asks the cluster.
    fn owner<'a>(
        &'a self,
        token: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<Owner, TokenReviewFailed>> + Send + 'a>>;
}

/// The owner of a token could not be found out.
#[derive(Debug, thiserror::Error)]
#[error("failed to ask the cluster for a TokenReview")]
pub struct TokenReviewFailed(#[source] pub Box<dyn std::error::Error + Send + Sync>);

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

/// The credentials that policies refer to.
pub trait Secrets: Debug + Send + Sync {
    /// What is kept there.
    fn get<'a>(
        &'a self,
        reference: &'a SecretRef,
    ) -> Pin<Box<dyn Future<Output = Result<Secret, SecretUnknown>> + Send + 'a>>;

    /// Somebody refused what is kept there: it is not to be remembered any longer.
    fn forget(&self, reference: &SecretRef);
}

/// Why a credential cannot be had, in one sentence without the credential.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SecretUnknown(pub String);

impl From<Box<dyn std::error::Error + Send + Sync>> for ReviewFailed {
    fn from(cause: Box<dyn std::error::Error + Send + Sync>) -> Self {
        Self(cause)
    }
}

impl From<Box<dyn std::error::Error + Send + Sync>> for TokenReviewFailed {
    fn from(cause: Box<dyn std::error::Error + Send + Sync>) -> Self {
        Self(cause)
    }
}
