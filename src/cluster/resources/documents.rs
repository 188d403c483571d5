//! What an API server's documents of discovery say of its resources, in one form for both of theirs.

use crate::domain::limits::on_demand::RESOURCES_MAX;
use crate::domain::object::{GroupResource, ObjectKind};
use crate::rules::resources::{KnownResource, RestMapping};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Groups whose resources are metrics, and no objects: Foresail's own.
const METRICS: [&str; 2] = ["custom.metrics.k8s.io", "external.metrics.k8s.io"];

/// One version of a group. They come in the order of preference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Offer {
    pub(super) group: Box<str>,
    pub(super) version: Box<str>,
    /// `None` where its server cannot be reached now.
    pub(super) resources: Option<Vec<Offered>>,
}

/// A resource of a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Offered {
    plural: Box<str>,
    singular: Box<str>,
    kind: Box<str>,
    is_namespaced: bool,
}

impl Offer {
    /// `v1`, `apps/v1`.
    pub(super) fn api_version(&self) -> String {
        match &*self.group {
            "" => self.version.to_string(),
            group => format!("{group}/{}", self.version),
        }
    }
}

/// The aggregated form: everything below `/api` or `/apis` in one document.
#[derive(Debug, Deserialize)]
struct Aggregated {
    kind: String,
    items: Vec<Group>,
}

#[derive(Debug, Deserialize)]
struct Group {
    #[serde(default)]
    metadata: Named,
    #[serde(default)]
    versions: Vec<Version>,
}

#[derive(Debug, Default, Deserialize)]
struct Named {
    #[serde(default)]
    name: Box<str>,
}

#[derive(Debug, Deserialize)]
struct Version {
    version: Box<str>,
    #[serde(default)]
    resources: Vec<Resource>,
    freshness: Option<Box<str>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Resource {
    resource: Box<str>,
    response_kind: Option<ResponseKind>,
    scope: Option<Box<str>>,
    #[serde(default)]
    singular_resource: Box<str>,
    #[serde(default)]
    verbs: Vec<Box<str>>,
}

#[derive(Debug, Deserialize)]
struct ResponseKind {
    #[serde(default)]
    kind: Box<str>,
}

/// What a document in the aggregated form offers; `None` where it has another form.
pub(super) fn aggregated(document: &[u8]) -> Option<Vec<Offer>> {
    let list: Aggregated = serde_json::from_slice(document).ok()?;
    if list.kind != "APIGroupDiscoveryList" {
        return None;
    }
    let offers = list.items.into_iter().flat_map(|group| {
        let name = group.metadata.name;
        group.versions.into_iter().map(move |it| offer(name.clone(), it))
    });
    Some(offers.collect())
}

fn offer(group: Box<str>, version: Version) -> Offer {
    // Where its server cannot be reached, what it said before may still be told.
    let is_untold = version.freshness.as_deref() == Some("Stale") && version.resources.is_empty();
    let resources = (!is_untold).then(|| {
        let offered = version.resources.into_iter().filter_map(|it| {
            let is_namespaced = it.scope.as_deref() == Some("Namespaced");
            let kind = it.response_kind?.kind;
            offered((it.resource, it.singular_resource, kind), is_namespaced, &it.verbs)
        });
        offered.collect()
    });
    Offer { group, version: version.version, resources }
}

/// What can have metrics: an object that is kept, so that it can be listed.
fn offered(
    (plural, singular, kind): (Box<str>, Box<str>, Box<str>),
    is_namespaced: bool,
    verbs: &[Box<str>],
) -> Option<Offered> {
    let is_kept = verbs.iter().any(|it| &**it == "list");
    if !is_kept || kind.is_empty() || plural.contains('/') {
        return None;
    }
    let singular = if singular.is_empty() { kind.to_lowercase().into() } else { singular };
    Some(Offered { plural, singular, kind, is_namespaced })
}

/// `/api` in the old form.
#[derive(Debug, Deserialize)]
struct CoreVersions {
    versions: Vec<Box<str>>,
}

/// `/apis` in the old form.
#[derive(Debug, Deserialize)]
struct Groups {
    groups: Vec<OldGroup>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OldGroup {
    name: Box<str>,
    versions: Vec<OldVersion>,
    preferred_version: Option<OldVersion>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct OldVersion {
    version: Box<str>,
}

/// A list of the resources of one version, in the old form.
#[derive(Debug, Deserialize)]
struct Resources {
    resources: Vec<OldResource>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OldResource {
    name: Box<str>,
    #[serde(default)]
    singular_name: Box<str>,
    kind: Box<str>,
    namespaced: bool,
    #[serde(default)]
    verbs: Vec<Box<str>>,
}

/// The versions that documents in the old form name, as yet without their resources.
pub(super) fn versions(core: &[u8], groups: &[u8]) -> Result<Vec<Offer>, serde_json::Error> {
    let core: CoreVersions = serde_json::from_slice(core)?;
    let groups: Groups = serde_json::from_slice(groups)?;
    let none =
        |group: &str, version: Box<str>| Offer { group: group.into(), version, resources: None };
    let mut all: Vec<Offer> = core.versions.into_iter().map(|it| none("", it)).collect();
    for group in groups.groups {
        let preferred = group.preferred_version.clone();
        let others = group.versions.into_iter().filter(|it| Some(it) != preferred.as_ref());
        let versions = group.preferred_version.into_iter().chain(others);
        all.extend(versions.map(|it| none(&group.name, it.version)));
    }
    Ok(all)
}

/// What the list of one version's resources says, in the old form.
pub(super) fn resources(document: &[u8]) -> Result<Vec<Offered>, serde_json::Error> {
    let list: Resources = serde_json::from_slice(document)?;
    let offered = list
        .resources
        .into_iter()
        .filter_map(|it| offered((it.name, it.singular_name, it.kind), it.namespaced, &it.verbs));
    Ok(offered.collect())
}

/// All resources, each in the version that is preferred, and how many were too many. What a server
/// that cannot be reached said last (`last`) still holds.
pub(super) fn mapping(offers: Vec<Offer>, last: &RestMapping) -> (RestMapping, usize) {
    let mut known: Vec<KnownResource> = Vec::new();
    let mut seen = BTreeSet::new();
    let mut left_out = 0;
    for offer in offers {
        if METRICS.contains(&&*offer.group) {
            continue;
        }
        let api_version = offer.api_version();
        let resources: Vec<KnownResource> = match offer.resources {
            Some(resources) => {
                resources.into_iter().map(|it| of_version(it, &offer.group, &api_version)).collect()
            }
            None => {
                let of_last = last.resources().iter();
                of_last.filter(|it| *it.kind.api_version == *api_version).cloned().collect()
            }
        };
        for resource in resources {
            if !seen.insert(resource.resource.clone()) {
                continue;
            }
            if known.len() < RESOURCES_MAX {
                known.push(resource);
            } else {
                left_out += 1;
            }
        }
    }
    (RestMapping::new(known), left_out)
}

fn of_version(offered: Offered, group: &str, api_version: &str) -> KnownResource {
    let Offered { plural, singular, kind, is_namespaced } = offered;
    let resource = GroupResource { resource: plural, group: group.into() };
    let kind = Arc::new(ObjectKind { api_version: api_version.into(), kind });
    KnownResource { resource, singular, is_namespaced, kind }
}

#[cfg(test)]
mod tests;
