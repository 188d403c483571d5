//! Files with the objects themselves: what one would `kubectl apply`.
//!
//! Such a file says what its sources are called, and not where they are: that is in the adapter's
//! configuration. Who does not read from them needs no more. Where the file holds the configuration,
//! too, as a document of its own, its sources are taken.

use crate::document::fault::Fault;
use crate::document::path::Path;
use crate::document::yaml::{Node, document};
use crate::domain::name::SourceName;
use crate::domain::policy_object::PolicyKind;
use crate::policy::profile::Profiles;
use crate::policy::queue::reach::AllowedHost;
use crate::policy::resolve::{self, hosts, parse, placed, warnings};
use crate::policy::{BrokenPolicy, Config, QueryMethod, SourceKind, SourceSettings, wire};
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

#[cfg(test)]
mod tests;

/// A place where nothing is.
const NOWHERE: &str = "http://nowhere.invalid";
/// Where `kubectl apply` puts what names no namespace.
const NAMESPACE_DEFAULT: &str = "default";

/// The policies of a file of manifests.
#[derive(Clone, Debug, Default)]
pub struct Manifests {
    /// Its policies, and the sources of the configuration beside them. The sources that are only
    /// named have an address at which nothing is.
    pub config: Config,
    /// The sources that are only named.
    pub unknown_sources: BTreeSet<SourceName>,
    /// The hosts that only an operator can allow, where no configuration beside the policies says
    /// whether he does; for the policies they are allowed.
    pub unknown_hosts: BTreeSet<String>,
}

/// Reads the policies of a file of manifests; `None` when it holds none, and so is another kind of
/// file. Documents of other kinds are passed over.
///
/// # Errors
/// All faults, when a document is no YAML.
pub fn load(text: &str, profiles: &Arc<Profiles>) -> Result<Option<Manifests>, Vec<Fault>> {
    let texts = document::all(text);
    let kinds = ["MetricPolicy", "ClusterMetricPolicy"];
    // Whatever is wrong with a file of another kind is for its own reader to say.
    if !kinds.iter().any(|kind| text.contains(kind)) {
        return Ok(None);
    }
    let nodes: Vec<(String, Node)> = texts
        .into_iter()
        .map(|text| parse(&text).map(|node| (text, node)))
        .collect::<Result<_, _>>()?;
    let objects: Vec<(PolicyKind, &Node)> = nodes
        .iter()
        .flat_map(|(_, node)| std::iter::once(node).chain(document::items(node)))
        .filter_map(|node| Some((kind(node)?, node)))
        .collect();
    if objects.is_empty() {
        return Ok(None);
    }
    let is_config =
        |node: &Node| node.get("kind").and_then(Node::text) == Some(wire::ADAPTER_CONFIG);
    let file = nodes.iter().find(|(_, node)| is_config(node));
    let config = file.map(|(text, _)| resolve::load_with(text, profiles)).transpose()?;
    let is_list_known = config.is_some();
    let config = config.unwrap_or_else(|| Config {
        allowed_hosts: [AllowedHost::Name("*".into())].into(),
        profiles: Arc::clone(profiles),
        ..Config::default()
    });
    let mut manifests = Manifests { config, ..Manifests::default() };
    for (_, node) in &objects {
        manifests.stand_in(node);
    }
    for (kind, node) in objects {
        manifests.add(kind, node);
    }
    if !is_list_known {
        manifests.unknown_hosts = hosts::unlisted(&manifests.config.policies);
    }
    Ok(Some(manifests))
}

impl Manifests {
    /// Adds the sources that an object names and nobody described.
    fn stand_in(&mut self, object: &Node) {
        let signals = object.get("spec").and_then(|it| it.get("signals")).map(Node::to_json);
        let Some(Json::Object(signals)) = signals else { return };
        for signal in signals.values() {
            let name = signal.get("source").and_then(Json::as_str);
            let Some(name) = name.and_then(|it| SourceName::new(it).ok()) else { continue };
            let known = &self.config;
            let is_known = known.sources.iter().any(|it| it.name == name);
            if is_known || known.broken_sources.contains(name.as_str()) {
                continue;
            }
            let url = NOWHERE.to_owned();
            let kind = if signal.get("scrape").is_some() {
                SourceKind::Scrape { url }
            } else {
                SourceKind::Prometheus {
                    url,
                    method: QueryMethod::Post,
                    namespace_label: "namespace".into(),
                    access: Box::default(),
                    parameters: BTreeMap::new(),
                }
            };
            let timeout = Duration::from_secs(1);
            self.config.sources.push(SourceSettings { name: name.clone(), kind, timeout });
            self.unknown_sources.insert(name);
        }
    }

    fn add(&mut self, kind: PolicyKind, node: &Node) {
        let written = Node::from_json(&written(kind, node));
        match super::settle(&written, kind, &self.config) {
            Ok(policy) => {
                let warnings = warnings::of(&policy, &Path::default());
                let warnings = warnings.into_iter().map(|it| it.fault);
                self.config.warnings.extend(placed(node, warnings));
                self.config.policies.push(policy);
            }
            Err(broken) => {
                let BrokenPolicy { faults, .. } = broken.as_ref();
                self.config.faults.extend(placed(node, faults.iter().cloned()));
                self.config.broken.push(*broken);
            }
        }
    }
}

/// What people wrote of an object: the API server may have added to its metadata, and its status.
fn written(kind: PolicyKind, node: &Node) -> Json {
    let metadata = |key: &str| node.get("metadata")?.get(key).map(Node::to_json);
    let namespace = match kind {
        PolicyKind::Namespaced => metadata("namespace").or(Some(NAMESPACE_DEFAULT.into())),
        PolicyKind::Cluster => metadata("namespace"),
    };
    let mut own = serde_json::Map::new();
    own.extend(metadata("name").map(|it| ("name".to_owned(), it)));
    own.extend(namespace.map(|it| ("namespace".to_owned(), it)));
    let mut object = json!({"kind": kind.kind(), "metadata": own});
    if let Some(object) = object.as_object_mut() {
        for key in ["apiVersion", "spec"] {
            object.extend(node.get(key).map(|it| (key.to_owned(), it.to_json())));
        }
    }
    object
}

fn kind(node: &Node) -> Option<PolicyKind> {
    let kind = node.get("kind").and_then(Node::text)?;
    PolicyKind::ALL.into_iter().find(|it| it.kind() == kind)
}
