//! Who asks, and what for: the words of authentication and authorization.

use crate::domain::selector::Requirement;
use std::collections::BTreeMap;

/// An authenticated user, as Kubernetes describes one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct User {
    /// The name, e.g. `system:serviceaccount:kube-system:horizontal-pod-autoscaler`.
    pub name: String,
    /// The unique id, where the front proxy passes one on.
    pub uid: Option<String>,
    /// The groups, in the order given.
    pub groups: Vec<String>,
    /// Extra fields: lower-case key to values.
    pub extra: BTreeMap<String, Vec<String>>,
}

impl User {
    /// The group whose members may do anything.
    pub const MASTERS: &str = "system:masters";
    /// The name of whoever shows nothing.
    pub const ANONYMOUS: &str = "system:anonymous";
    /// The group of everybody who is known.
    pub const AUTHENTICATED: &str = "system:authenticated";
    /// The group of whoever shows nothing.
    pub const UNAUTHENTICATED: &str = "system:unauthenticated";

    /// Whoever shows nothing.
    #[must_use]
    pub fn anonymous() -> Self {
        Self {
            name: Self::ANONYMOUS.to_owned(),
            uid: None,
            groups: vec![Self::UNAUTHENTICATED.to_owned()],
            extra: BTreeMap::new(),
        }
    }

    /// The user as a member of everybody who is known, unless that is settled already: the API server
    /// passes its own anonymous requests on under their name.
    #[must_use]
    pub fn known(mut self) -> Self {
        if self.name != Self::ANONYMOUS
            && !self.is_in(Self::AUTHENTICATED)
            && !self.is_in(Self::UNAUTHENTICATED)
        {
            self.groups.push(Self::AUTHENTICATED.to_owned());
        }
        self
    }

    /// Whether the user belongs to `group`.
    #[must_use]
    pub fn is_in(&self, group: &str) -> bool {
        self.groups.iter().any(|it| it == group)
    }
}

/// What a request wants to do: the attributes of a SubjectAccessReview.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Attributes {
    /// A request for a metric.
    Resource {
        /// `get` for custom metrics, `list` for external ones.
        verb: &'static str,
        /// The API group.
        group: &'static str,
        /// The version of the API group.
        version: &'static str,
        /// The namespace; empty for the root scope.
        namespace: String,
        /// The resource: `pods`, `deployments.apps`, or an external metric's name.
        resource: String,
        /// The metric's name for custom metrics; else empty.
        subresource: String,
        /// The object's name or `*`; else empty.
        name: String,
        /// What is demanded of the labels of what a list names, by key: an authorizer may grant less than
        /// everything.
        selector: Vec<Requirement>,
    },
    /// A request for anything else.
    Path {
        /// The HTTP method in lower case.
        verb: String,
        /// The path without its query.
        path: String,
    },
}

/// Whose certificates to believe, and which of them may name another user in headers: the content of
/// the ConfigMap `kube-system/extension-apiserver-authentication`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    /// Certificates (PEM) of the authority that signs the front proxy's client certificate.
    pub proxy_ca_pem: String,
    /// Certificates (PEM) of the authority that signs the client certificates of users; `None` where
    /// the cluster has none. What it signs speaks for its holder alone, never for others.
    pub user_ca_pem: Option<String>,
    /// Common names that a proxy's certificate may carry; any when empty.
    pub allowed_names: Vec<String>,
    /// Headers that carry the user's name, the first present one counts.
    pub username_headers: Vec<String>,
    /// Headers that carry the unique id.
    pub uid_headers: Vec<String>,
    /// Headers that carry groups, one each.
    pub group_headers: Vec<String>,
    /// Prefixes of the headers that carry extra fields.
    pub extra_header_prefixes: Vec<String>,
}
