//! References to Kubernetes objects and to the resources of the API that hold them.

use crate::domain::name::{Namespace, ObjectName};
use std::fmt;
use std::sync::Arc;

/// A resource of the API: `pods`, `deployments.apps`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupResource {
    /// The plural, lower case: `deployments`.
    pub resource: Box<str>,
    /// The API group; empty for the core group.
    pub group: Box<str>,
}

impl GroupResource {
    /// Pods of the core group.
    #[must_use]
    pub fn pods() -> Self {
        Self { resource: "pods".into(), group: "".into() }
    }

    /// Reads `pods` or `deployments.apps`.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let (resource, group) = text.split_once('.').unwrap_or((text, ""));
        Self { resource: resource.to_ascii_lowercase().into(), group: group.into() }
    }

    /// The resource that holds objects of `kind`, by the rule that API servers use for kinds they
    /// are not told about (apimachinery's `UnsafeGuessKindToResource`).
    #[must_use]
    pub fn guess(kind: &str, group: &str) -> Self {
        let singular = kind.to_ascii_lowercase();
        let plural = if singular.ends_with('s') {
            format!("{singular}es")
        } else if let Some(stem) = singular.strip_suffix('y') {
            format!("{stem}ies")
        } else {
            format!("{singular}s")
        };
        Self { resource: plural.into(), group: group.into() }
    }

    /// Whether this is pods of the core group.
    #[must_use]
    pub fn is_pods(&self) -> bool {
        &*self.resource == "pods" && self.group.is_empty()
    }
}

impl fmt::Display for GroupResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.resource)?;
        if self.group.is_empty() { Ok(()) } else { write!(f, ".{}", self.group) }
    }
}

/// What kind of object a metric describes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectKind {
    /// As in manifests: `v1`, `apps/v1`.
    pub api_version: Box<str>,
    /// As in manifests: `Pod`, `Deployment`.
    pub kind: Box<str>,
}

impl ObjectKind {
    /// Pods.
    #[must_use]
    pub fn pod() -> Self {
        Self { api_version: "v1".into(), kind: "Pod".into() }
    }

    /// The API group part of `api_version`; empty for the core group.
    #[must_use]
    pub fn group(&self) -> &str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }

    /// Whether objects of this kind live in no namespace. Of the kinds that every cluster has,
    /// these are the ones that a metric can sensibly describe.
    #[must_use]
    pub fn is_root_scoped(&self) -> bool {
        self.group().is_empty() && matches!(&*self.kind, "Namespace" | "Node" | "PersistentVolume")
    }
}

/// The objects of one kind in one place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Collection {
    /// The resource that holds them.
    pub resource: GroupResource,
    /// What they are.
    pub kind: Arc<ObjectKind>,
    /// Where they are; `None` for objects of the root scope.
    pub namespace: Option<Namespace>,
}

/// `services in namespace shop`, `nodes`.
impl fmt::Display for Collection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} in namespace {namespace}", self.resource),
            None => self.resource.fmt(f),
        }
    }
}

/// One object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectRef {
    /// What it is.
    pub kind: ObjectKind,
    /// Where it is; `None` for an object of the root scope.
    pub namespace: Option<Namespace>,
    /// What it is called.
    pub name: ObjectName,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plural_is_guessed_as_api_servers_guess_it() {
        for (kind, group, text) in [
            ("Pod", "", "pods"),
            ("Deployment", "apps", "deployments.apps"),
            ("Ingress", "networking.k8s.io", "ingresses.networking.k8s.io"),
            ("NetworkPolicy", "networking.k8s.io", "networkpolicies.networking.k8s.io"),
        ] {
            assert_eq!(GroupResource::guess(kind, group).to_string(), text);
            assert_eq!(GroupResource::parse(text), GroupResource::guess(kind, group));
        }
    }
}
