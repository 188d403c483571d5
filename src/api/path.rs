//! From a request's path to what is asked for, and to the attributes that its user needs.

use crate::domain::identity::Attributes;
use crate::domain::selector::{Requirement, Selector};
use crate::telemetry::health::Probe;
use http::Method;
use percent_encoding::percent_decode_str;
use std::borrow::Cow;

/// What a path asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// A metric of objects.
    Custom(CustomAsk),
    /// A metric of no object.
    External(ExternalAsk),
    /// A document that says what there is.
    Document(Document),
    /// A metric's path with too few segments, which upstream answers with 400.
    Malformed,
    /// Nothing that is there.
    Unmatched {
        /// Whether the path lies below `/apis`.
        is_api: bool,
    },
}

/// A metric of objects, as asked for; the names are not checked yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CustomAsk {
    pub(crate) version: Version,
    pub(crate) scope: Scope,
    /// As sent: `pods`, `pod`, `deployments.apps`; `namespaces` in the scope `Namespaces`.
    pub(crate) resource: String,
    pub(crate) object: Wanted,
    pub(crate) metric: String,
}

/// Where the objects are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// In no namespace.
    Root,
    /// In this namespace.
    Namespace(String),
    /// They are namespaces themselves, asked for by `/namespaces/NAME/metrics/METRIC`.
    Namespaces,
}

/// Which objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// `*`: all that the selector selects.
    All,
    /// The one of this name.
    One(String),
}

impl Wanted {
    fn parse(segment: &str) -> Self {
        if segment == ALL { Self::All } else { Self::One(segment.to_owned()) }
    }

    fn as_str(&self) -> &str {
        match self {
            Self::All => ALL,
            Self::One(name) => name,
        }
    }
}

const ALL: &str = "*";

/// A metric of no object, as asked for; the names are not checked yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ExternalAsk {
    pub(crate) namespace: String,
    pub(crate) metric: String,
}

/// A document that says what there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Document {
    /// `/`
    Root,
    /// `/apis`
    Groups,
    /// `/apis/GROUP`
    Group(Group),
    /// `/apis/GROUP/VERSION`
    Resources(Version),
    /// `/openapi/v2`
    OpenApiV2,
    /// `/openapi/v3`
    OpenApiV3,
    /// `/openapi/v3/apis/GROUP/VERSION`
    OpenApiV3Of(Version),
    /// `/version`
    Build,
    /// `/livez`, `/readyz`, `/healthz`, each also with the name of one check.
    Health { probe: Probe, check: Option<String> },
}

/// An API group of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Group {
    Custom,
    External,
}

impl Group {
    pub(crate) const ALL: [Self; 2] = [Self::Custom, Self::External];

    /// The groups that are served.
    pub(crate) const fn served(is_external_served: bool) -> &'static [Self] {
        if is_external_served { &Self::ALL } else { &[Self::Custom] }
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Custom => "custom.metrics.k8s.io",
            Self::External => "external.metrics.k8s.io",
        }
    }

    /// The kind of its metrics.
    pub(crate) const fn list_kind(self) -> &'static str {
        match self {
            Self::Custom => "MetricValueList",
            Self::External => "ExternalMetricValueList",
        }
    }

    /// Its versions, the preferred one first.
    pub(crate) const fn versions(self) -> &'static [Version] {
        match self {
            Self::Custom => &[Version::CustomV1Beta2, Version::CustomV1Beta1],
            Self::External => &[Version::ExternalV1Beta1],
        }
    }
}

/// A version of an API group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    CustomV1Beta1,
    CustomV1Beta2,
    ExternalV1Beta1,
}

impl Version {
    pub(crate) const fn group(self) -> Group {
        match self {
            Self::CustomV1Beta1 | Self::CustomV1Beta2 => Group::Custom,
            Self::ExternalV1Beta1 => Group::External,
        }
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::CustomV1Beta1 | Self::ExternalV1Beta1 => "v1beta1",
            Self::CustomV1Beta2 => "v1beta2",
        }
    }

    /// The group with the version, as bodies name it.
    pub(crate) const fn api_version(self) -> &'static str {
        match self {
            Self::CustomV1Beta1 => "custom.metrics.k8s.io/v1beta1",
            Self::CustomV1Beta2 => "custom.metrics.k8s.io/v1beta2",
            Self::ExternalV1Beta1 => "external.metrics.k8s.io/v1beta1",
        }
    }
}

/// Reads a path. Each segment is percent-decoded once, so that `%2A` is the asterisk and a slash
/// inside a name stays inside that name.
pub(crate) fn parse(path: &str) -> Ask {
    let unmatched = Ask::Unmatched { is_api: path.starts_with("/apis/") };
    if path == "/" {
        return Ask::Document(Document::Root);
    }
    let Some(relative) = path.strip_prefix('/') else { return unmatched };
    let decoded: Result<Vec<Cow<'_, str>>, _> =
        relative.split('/').map(|segment| percent_decode_str(segment).decode_utf8()).collect();
    let Ok(decoded) = decoded else { return unmatched };
    let segments: Vec<&str> = decoded.iter().map(AsRef::as_ref).collect();
    if segments.contains(&"") {
        return unmatched;
    }
    let found = match segments.as_slice() {
        ["apis"] => Some(Ask::Document(Document::Groups)),
        ["apis", group] => find_group(group).map(|it| Ask::Document(Document::Group(it))),
        ["apis", group, version, below @ ..] => {
            find_version(group, version).and_then(|it| below_version(it, below))
        }
        ["openapi", "v2"] => Some(Ask::Document(Document::OpenApiV2)),
        ["openapi", "v3"] => Some(Ask::Document(Document::OpenApiV3)),
        ["openapi", "v3", "apis", group, version] => {
            find_version(group, version).map(|it| Ask::Document(Document::OpenApiV3Of(it)))
        }
        ["version"] => Some(Ask::Document(Document::Build)),
        [probe] => health(probe, None),
        [probe, check] => health(probe, Some(check)),
        _ => None,
    };
    found.unwrap_or(unmatched)
}

fn find_group(name: &str) -> Option<Group> {
    Group::ALL.into_iter().find(|it| it.as_str() == name)
}

fn find_version(group: &str, version: &str) -> Option<Version> {
    find_group(group)?.versions().iter().copied().find(|it| it.as_str() == version)
}

fn health(probe: &str, check: Option<&str>) -> Option<Ask> {
    let probe = Probe::ALL.into_iter().find(|it| it.as_str() == probe)?;
    Some(Ask::Document(Document::Health { probe, check: check.map(str::to_owned) }))
}

fn below_version(version: Version, below: &[&str]) -> Option<Ask> {
    if below.is_empty() {
        return Some(Ask::Document(Document::Resources(version)));
    }
    match version.group() {
        Group::Custom => custom(version, below),
        Group::External => match below {
            ["namespaces", namespace, metric] => Some(Ask::External(ExternalAsk {
                namespace: (*namespace).to_owned(),
                metric: (*metric).to_owned(),
            })),
            _ => None,
        },
    }
}

fn custom(version: Version, below: &[&str]) -> Option<Ask> {
    let (scope, resource, object, metric) = match below {
        ["namespaces", _, _] => return Some(Ask::Malformed),
        ["namespaces", name, "metrics", metric] => (Scope::Namespaces, "namespaces", name, metric),
        // `metrics` in the place of a resource is never a resource of that name.
        ["namespaces", _, "metrics", ..] => return None,
        ["namespaces", namespace, resource, object, metric] => {
            (Scope::Namespace((*namespace).to_owned()), *resource, object, metric)
        }
        ["namespaces", ..] => return None,
        [resource, object, metric] => (Scope::Root, *resource, object, metric),
        _ => return None,
    };
    Some(Ask::Custom(CustomAsk {
        version,
        scope,
        resource: resource.to_owned(),
        object: Wanted::parse(object),
        metric: (*metric).to_owned(),
    }))
}

impl Ask {
    /// The group that is asked for, where it is one alone.
    pub(crate) fn group(&self) -> Option<Group> {
        match self {
            Self::Custom(_) => Some(Group::Custom),
            Self::External(_) => Some(Group::External),
            Self::Document(Document::Group(group)) => Some(*group),
            Self::Document(Document::Resources(version) | Document::OpenApiV3Of(version)) => {
                Some(version.group())
            }
            Self::Document(_) | Self::Malformed | Self::Unmatched { .. } => None,
        }
    }

    /// What the user must be allowed to do, by the rules that the generic API server has for such
    /// paths; existing RBAC rules are written for them. Only a list has a `selector`: what it demands of
    /// fields is nobody's condition, since no answer goes by it.
    pub(crate) fn attributes(
        &self,
        method: &Method,
        path: &str,
        selector: &Selector,
    ) -> Attributes {
        match self {
            Self::Custom(ask) => verb(method, "get").map(|verb| ask.attributes(verb)),
            Self::External(ask) => verb(method, "list").map(|verb| Attributes::Resource {
                verb,
                group: Group::External.as_str(),
                version: Version::ExternalV1Beta1.as_str(),
                namespace: ask.namespace.clone(),
                resource: ask.metric.clone(),
                subresource: String::new(),
                name: String::new(),
                selector: if verb == "list" { by_key(selector) } else { Vec::new() },
            }),
            Self::Document(_) | Self::Malformed | Self::Unmatched { .. } => None,
        }
        .unwrap_or_else(|| Attributes::Path {
            verb: method.as_str().to_ascii_lowercase(),
            path: path.to_owned(),
        })
    }
}

impl CustomAsk {
    fn attributes(&self, verb: &'static str) -> Attributes {
        let object = self.object.as_str().to_owned();
        let (namespace, resource, subresource, name) = match &self.scope {
            Scope::Root => (String::new(), self.resource.clone(), self.metric.clone(), object),
            Scope::Namespace(namespace) => {
                (namespace.clone(), self.resource.clone(), self.metric.clone(), object)
            }
            Scope::Namespaces => (object, "metrics".to_owned(), String::new(), self.metric.clone()),
        };
        Attributes::Resource {
            verb,
            group: Group::Custom.as_str(),
            version: self.version.as_str(),
            namespace,
            resource,
            subresource,
            name,
            selector: Vec::new(),
        }
    }
}

/// The same demands in the same order, however they were written, so that they are one question.
fn by_key(selector: &Selector) -> Vec<Requirement> {
    let mut requirements = selector.requirements().to_vec();
    requirements.sort_by(|a, b| a.key.cmp(&b.key));
    requirements
}

/// The verb of a request for a resource; `None` for methods that Kubernetes has no verb for.
fn verb(method: &Method, reading: &'static str) -> Option<&'static str> {
    match method.as_str() {
        "GET" | "HEAD" => Some(reading),
        "POST" => Some("create"),
        "PUT" => Some("update"),
        "PATCH" => Some("patch"),
        "DELETE" => Some("delete"),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
