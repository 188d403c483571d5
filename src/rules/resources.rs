//! Which label names which resource of the cluster.
//!
//! A template is run forwards only, for each resource that the cluster has: a label names a resource
//! if it is the very label that a query for that resource would use. prometheus-adapter runs it
//! backwards as a regular expression, too, which splits groups of several parts wrongly and takes
//! labels that its queries then do not use.

use crate::domain::object::{GroupResource, ObjectKind};
use crate::rules::template::{Fields, Shape, Template, Type, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The fields of a label's template.
pub(super) const LABEL: Shape = &[("Group", Type::Text), ("Resource", Type::Text)];

/// What the cluster's discovery says of its resources, in its order of preference: the core group
/// first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestMapping(Vec<KnownResource>);

/// A resource of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownResource {
    /// Its plural and group.
    pub resource: GroupResource,
    /// Its singular, lower case.
    pub singular: Box<str>,
    /// Whether its objects live in namespaces.
    pub is_namespaced: bool,
    /// What its objects are, in the version that the server prefers.
    pub kind: Arc<ObjectKind>,
}

impl RestMapping {
    /// Takes the resources in the order of preference. A singular that the server leaves empty is
    /// the lower-case kind, which the caller fills in.
    #[must_use]
    pub fn new(resources: Vec<KnownResource>) -> Self {
        Self(resources)
    }

    /// What every cluster has and people scale by: for a file that is looked at without a cluster.
    #[must_use]
    pub fn usual() -> Self {
        const USUAL: [(&str, &str, &str, bool); 12] = [
            ("namespaces", "v1", "Namespace", false),
            ("nodes", "v1", "Node", false),
            ("persistentvolumeclaims", "v1", "PersistentVolumeClaim", true),
            ("persistentvolumes", "v1", "PersistentVolume", false),
            ("pods", "v1", "Pod", true),
            ("services", "v1", "Service", true),
            ("daemonsets", "apps/v1", "DaemonSet", true),
            ("deployments", "apps/v1", "Deployment", true),
            ("replicasets", "apps/v1", "ReplicaSet", true),
            ("statefulsets", "apps/v1", "StatefulSet", true),
            ("jobs", "batch/v1", "Job", true),
            ("ingresses", "networking.k8s.io/v1", "Ingress", true),
        ];
        let known = USUAL.map(|(plural, api_version, kind, is_namespaced)| {
            let kind = ObjectKind { api_version: api_version.into(), kind: kind.into() };
            KnownResource::of(plural, kind, is_namespaced)
        });
        Self(known.into())
    }

    /// All resources, in the order of preference.
    #[must_use]
    pub fn resources(&self) -> &[KnownResource] {
        &self.0
    }

    /// Finds a resource by its singular or plural, as the API machinery does: in the group, else in
    /// a group that begins so, and without a group in any.
    #[must_use]
    pub fn find(&self, group: &str, name: &str) -> Option<&KnownResource> {
        let name = name.to_lowercase();
        let named =
            || self.0.iter().filter(|it| *it.singular == *name || *it.resource.resource == *name);
        let exact = named().find(|it| group.is_empty() || &*it.resource.group == group);
        exact.or_else(|| named().find(|it| it.resource.group.starts_with(group)))
    }

    /// Whether objects of a resource live in namespaces; `None` where it is not known.
    #[must_use]
    pub fn is_namespaced(&self, resource: &GroupResource) -> Option<bool> {
        self.0.iter().find(|it| it.resource == *resource).map(|it| it.is_namespaced)
    }
}

impl KnownResource {
    /// A resource whose singular is its kind, as nearly all are.
    #[must_use]
    pub fn of(plural: &str, kind: ObjectKind, is_namespaced: bool) -> Self {
        let resource = GroupResource { resource: plural.into(), group: kind.group().into() };
        let singular = kind.kind.to_lowercase().into();
        Self { resource, singular, is_namespaced, kind: Arc::new(kind) }
    }
}

/// A rule's `resources`, before it is known what the cluster has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    /// Group and resource by label.
    pub overrides: BTreeMap<Box<str>, (Box<str>, Box<str>)>,
    /// The template of all other labels.
    pub template: Option<Template>,
    /// Whether external metrics are asked of the series of their namespace.
    pub is_namespaced: bool,
}

/// Which label names which resource of this cluster, both ways.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourceLabels {
    by_label: BTreeMap<Box<str>, KnownResource>,
    by_resource: BTreeMap<GroupResource, Box<str>>,
}

/// A resource that the cluster does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the cluster has no resource `{shown}`, which the label `{label}` names")]
pub struct UnknownResource {
    /// The label.
    pub label: Box<str>,
    /// The resource, as it is written.
    pub shown: String,
}

impl Resources {
    /// The labels of this cluster's resources.
    ///
    /// # Errors
    /// When an override names a resource that the cluster lacks. prometheus-adapter ends; here the
    /// rule waits until the cluster has it.
    pub fn bind(&self, mapping: &RestMapping) -> Result<ResourceLabels, UnknownResource> {
        let mut labels = ResourceLabels::default();
        for (label, (group, resource)) in &self.overrides {
            let known = mapping.find(group, resource).ok_or_else(|| UnknownResource {
                label: label.clone(),
                shown: [&**resource, &**group].join(".").trim_end_matches('.').to_owned(),
            })?;
            labels.insert(label, known);
        }
        let Some(template) = &self.template else { return Ok(labels) };
        let mut made = BTreeSet::new();
        for known in &mapping.0 {
            let label = label(template, &known.resource.group, &known.singular);
            // A label is that of the first resource, even where an override names another for it.
            if let Some(label) = label.filter(|it| made.insert(it.clone())) {
                labels.insert(&label, known);
            }
        }
        Ok(labels)
    }

    /// Labels of the same resource, of which only the first is ever asked with.
    #[must_use]
    pub fn idle_labels(&self) -> Vec<(&str, &str)> {
        let mut first: BTreeMap<_, &str> = BTreeMap::new();
        let mut idle = Vec::new();
        for (label, resource) in &self.overrides {
            match first.get(resource) {
                Some(used) => idle.push((&**label, *used)),
                None => drop(first.insert(resource, label)),
            }
        }
        idle
    }

    /// Whether a label of namespaces can be known from the text alone.
    #[must_use]
    pub fn names_namespaces(&self) -> bool {
        let is_namespace = |(group, resource): &(Box<str>, Box<str>)| {
            group.is_empty() && matches!(&*resource.to_lowercase(), "namespace" | "namespaces")
        };
        self.template.is_some() || self.overrides.values().any(is_namespace)
    }
}

impl ResourceLabels {
    /// The first label of a resource is the one that queries use; the first resource of a label the
    /// one that it names.
    fn insert(&mut self, label: &str, known: &KnownResource) {
        if !self.by_label.contains_key(label) && !self.by_resource.contains_key(&known.resource) {
            self.by_label.insert(label.into(), known.clone());
            self.by_resource.insert(known.resource.clone(), label.into());
        }
    }

    /// The resource that a label names.
    #[must_use]
    pub fn resource(&self, label: &str) -> Option<&KnownResource> {
        self.by_label.get(label)
    }

    /// The label that names a resource.
    #[must_use]
    pub fn label(&self, resource: &GroupResource) -> Option<&str> {
        self.by_resource.get(resource).map(AsRef::as_ref)
    }

    /// All labels with their resources: no other label of a series matters to the rule.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &KnownResource)> {
        self.by_label.iter().map(|(label, known)| (&**label, known))
    }
}

/// Namespaces of the core group.
#[must_use]
pub fn namespaces() -> GroupResource {
    GroupResource { resource: "namespaces".into(), group: "".into() }
}

/// The label that a template makes for a resource; `None` where it makes no label.
pub(super) fn label(template: &Template, group: &str, singular: &str) -> Option<String> {
    let group = group.replace(['.', '-'], "_");
    let fields = Fields::from([
        ("Group", Value::Text(group)),
        ("Resource", Value::Text(singular.to_owned())),
    ]);
    template.run(&fields).ok().filter(|it| is_label(it))
}

/// Whether a text is the name of a label.
pub(super) fn is_label(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
