//! Aggregated discovery: all groups with all their resources in one document, which is what
//! kube-apiserver asks for first.

use crate::api::discovery::listed::{Line, Listed};
use crate::api::negotiation::Aggregated;
use crate::api::path::{Group, Version};
use serde::Serialize;
use std::collections::BTreeMap;

/// `APIGroupDiscoveryList`; both versions have the same fields.
pub(crate) fn document(version: Aggregated, listed: &Listed, served: &[Group]) -> impl Serialize {
    List {
        kind: Aggregated::KIND,
        api_version: format!("{}/{}", Aggregated::GROUP, version.as_str()),
        metadata: Empty {},
        items: served.iter().map(|group| GroupDiscovery::of(*group, listed)).collect(),
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct List<'a> {
    kind: &'static str,
    api_version: String,
    metadata: Empty,
    items: Vec<GroupDiscovery<'a>>,
}

#[derive(Debug, Serialize)]
struct Empty {}

#[derive(Debug, Serialize)]
struct GroupDiscovery<'a> {
    metadata: Metadata,
    versions: Vec<VersionDiscovery<'a>>,
}

#[derive(Debug, Serialize)]
struct Metadata {
    name: &'static str,
}

impl<'a> GroupDiscovery<'a> {
    fn of(group: Group, listed: &'a Listed) -> Self {
        let lines = &listed.group(group).lines;
        let versions = group.versions().iter();
        Self {
            metadata: Metadata { name: group.as_str() },
            versions: versions.map(|it| VersionDiscovery::of(*it, lines)).collect(),
        }
    }
}

#[derive(Debug, Serialize)]
struct VersionDiscovery<'a> {
    version: &'static str,
    resources: Vec<Resource<'a>>,
    freshness: &'static str,
}

impl<'a> VersionDiscovery<'a> {
    fn of(version: Version, lines: &'a [Line]) -> Self {
        let kind = ResponseKind::of(version);
        let mut parents: BTreeMap<&str, Resource<'_>> = BTreeMap::new();
        let mut resources = Vec::new();
        for line in lines {
            match &line.resource {
                None => resources.push(Resource::new(&line.metric, line.namespaced, kind)),
                // The resource itself belongs to another server, so it has neither kind nor verb
                // here. No kind at all would make client-go of 0.26 panic.
                Some(parent) => parents
                    .entry(parent)
                    .or_insert_with(|| Resource {
                        verbs: &[],
                        ..Resource::new(parent, line.namespaced, ResponseKind::default())
                    })
                    .subresources
                    .push(Subresource {
                        subresource: &line.metric,
                        response_kind: kind,
                        verbs: GET,
                    }),
            }
        }
        resources.extend(parents.into_values());
        Self { version: version.as_str(), resources, freshness: "Current" }
    }
}

const GET: &[&str] = &["get"];

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Resource<'a> {
    resource: &'a str,
    response_kind: ResponseKind,
    scope: &'static str,
    singular_resource: &'static str,
    verbs: &'static [&'static str],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    subresources: Vec<Subresource<'a>>,
}

impl<'a> Resource<'a> {
    fn new(resource: &'a str, namespaced: bool, response_kind: ResponseKind) -> Self {
        Self {
            resource,
            response_kind,
            scope: if namespaced { "Namespaced" } else { "Cluster" },
            singular_resource: "",
            verbs: GET,
            subresources: Vec::new(),
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Subresource<'a> {
    subresource: &'a str,
    response_kind: ResponseKind,
    verbs: &'static [&'static str],
}

#[derive(Clone, Copy, Debug, Default, Serialize)]
struct ResponseKind {
    group: &'static str,
    version: &'static str,
    kind: &'static str,
}

impl ResponseKind {
    fn of(version: Version) -> Self {
        let group = version.group();
        Self { group: group.as_str(), version: version.as_str(), kind: group.list_kind() }
    }
}
