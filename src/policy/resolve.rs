//! From the text of a configuration file to a `Config`: all faults in one pass, and the good
//! parts usable whatever is wrong beside them.

mod discovery;
mod external;
mod hosts;
mod lending;
mod metric_policy;
pub mod objects;
mod source;
pub mod warnings;

use crate::document::fault::{Advice, Fault, repaired};
use crate::document::path::Path;
use crate::document::schema::Schema;
use crate::document::yaml::Node;
use crate::domain::limits;
use crate::domain::metric::MetricKey;
use crate::domain::name::{ObjectName, PolicyKey, SourceName};
use crate::domain::policy_object::PolicyKind;
use crate::policy::profile::Profiles;
use crate::policy::{BrokenPolicy, Config, Policy, SourceSettings, wire};
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Reads a configuration.
///
/// A fault inside one source or one policy breaks that one alone and is listed in the result.
///
/// ```
/// let text = "
/// apiVersion: foresail.dev/v1alpha1
/// kind: AdapterConfig
/// sources: [{name: default, prometheus: {url: 'http://prometheus:9090'}}]
/// policies:
///   - metadata: {name: llama, namespace: inference}
///     spec:
///       metric: {name: llama_demand, type: External}
///       signals: {running: {source: defalt, prometheus: {query: 'sum(running)'}}}
/// ";
/// let config = foresail::policy::resolve::load(text).unwrap();
/// let fault = &config.faults[0];
/// assert_eq!(fault.problem, "there is no source `defalt`");
/// assert_eq!(fault.hint.as_deref(), Some("did you mean `default`?"));
/// assert_eq!(fault.position.unwrap().line, 9);
/// ```
///
/// # Errors
/// All faults, when the file as a whole cannot be trusted: it is no YAML, of another kind, or has
/// an unknown key outside sources and policies.
pub fn load(text: &str) -> Result<Config, Vec<Fault>> {
    load_with(text, &Arc::default())
}

/// The same with these profiles.
///
/// # Errors
/// As `load`.
pub fn load_with(text: &str, profiles: &Arc<Profiles>) -> Result<Config, Vec<Fault>> {
    let document = parse(text)?;
    let schema = wire::schema();
    let mut found = Schema::new(&schema).check(&document);
    check_kind(&document, &mut found);
    let mut resolver = Resolver { document: &document, schema_faults: found, profiles };
    let mut whole = resolver.faults_of_the_whole();
    let allowed_hosts = hosts::listed(&document, &mut whole);
    let aws_lending = lending::listed(&document, &mut whole);
    let discovery_metrics_max = discovery::metrics_max(&document, &mut whole);
    let mut misleading = Vec::new();
    let external = external::settle(&document, &mut whole, &mut misleading);
    let mut config = resolver.resolve();
    config.warnings.extend(misleading);
    let config = Config { allowed_hosts, aws_lending, discovery_metrics_max, external, ..config };
    let faults = whole.iter().cloned().chain(config.faults.iter().cloned());
    let faults = placed(&document, faults);
    let warnings = placed(&document, config.warnings.iter().cloned());
    if whole.is_empty() { Ok(Config { faults, warnings, ..config }) } else { Err(faults) }
}

fn parse(text: &str) -> Result<Node, Vec<Fault>> {
    if text.len() > limits::CONFIG_BYTES_MAX {
        let problem = format!("larger than {} bytes", limits::CONFIG_BYTES_MAX);
        let hint = "a ConfigMap holds no more; remove policies that nobody asks for";
        return Err(vec![Fault::new(Path::default(), problem).hint(hint)]);
    }
    Node::parse(text).map_err(|error| {
        let fault = Fault::new(Path::default(), format!("not YAML: {}", error.problem));
        let mut fault =
            fault.hint("look for a missing quote, bracket or blank in or above this line");
        fault.position = Some(error.at);
        vec![fault]
    })
}

/// A file of another kind is named as such, rather than by its unknown keys.
fn check_kind(document: &Node, faults: &mut Vec<Fault>) {
    for (key, expected) in [("apiVersion", wire::API_VERSION), ("kind", wire::ADAPTER_CONFIG)] {
        if let Some(found) = document.get(key).and_then(Node::text)
            && found != expected
        {
            let path = Path::default().key(key);
            let fault = Fault::new(path, format!("expected `{expected}`, found `{found}`"));
            let is_object = PolicyKind::ALL.into_iter().any(|it| it.kind() == found);
            faults.push(fault.hint(if is_object {
                "`kubectl apply` takes it; in this file policies are entries of `policies`"
                    .to_owned()
            } else {
                format!("write `{key}: {expected}`")
            }));
        }
    }
}

fn placed(document: &Node, faults: impl Iterator<Item = Fault>) -> Vec<Fault> {
    let mut faults: Vec<Fault> = faults
        .map(|mut fault| {
            fault.position.get_or_insert(document.position(&fault.path));
            fault
        })
        .collect();
    faults.sort_by_key(|it| it.position);
    faults
}

struct Resolver<'d> {
    document: &'d Node,
    schema_faults: Vec<Fault>,
    profiles: &'d Arc<Profiles>,
}

impl Resolver<'_> {
    fn faults_of_the_whole(&self) -> Vec<Fault> {
        let is_inside = |fault: &Fault| {
            let lists = ["sources", "policies"].map(|list| Path::default().key(list));
            lists.iter().any(|list| fault.path != *list && fault.path.is_within(list))
        };
        self.schema_faults.iter().filter(|fault| !is_inside(fault)).cloned().collect()
    }

    fn resolve(&mut self) -> Config {
        let profiles = Arc::clone(self.profiles);
        let mut config = Config { profiles, ..Config::default() };
        let mut faults = Faults::default();
        config.broken_sources = self.resolve_sources(&mut config, &mut faults);
        self.resolve_policies(&mut config, &mut faults);
        config.faults = faults.0;
        config
    }

    /// Fills `config.sources`; answers the names of those that cannot be used.
    fn resolve_sources(&self, config: &mut Config, faults: &mut Faults) -> BTreeSet<String> {
        let list = Path::default().key("sources");
        let mut unusable = BTreeSet::new();
        let nodes = self.elements("sources", limits::SOURCES_MAX, faults);
        for (index, node) in nodes.iter().enumerate() {
            let path = list.index(index);
            let mut own = self.schema_faults_within(&path);
            let settings = decode::<wire::Source>(node, &path, &mut own)
                .and_then(|wire| source::resolve(&wire, &path, &mut own));
            match settings {
                Some(it) if config.sources.iter().any(|other| other.name == it.name) => {
                    let problem = format!("there are two sources `{}`", it.name);
                    own.add(Fault::new(path.key("name"), problem).hint("rename one of them"));
                }
                Some(settings) if own.0.is_empty() => config.sources.push(settings),
                _ => {
                    let name = node.get("name").and_then(Node::text).unwrap_or_default();
                    unusable.insert(name.to_owned());
                }
            }
            faults.0.append(&mut own.0);
        }
        unusable
    }

    fn resolve_policies(&self, config: &mut Config, faults: &mut Faults) {
        let list = Path::default().key("policies");
        let sources = Sources::of(config);
        let (mut broken, mut warnings) = (Vec::new(), Vec::new());
        let mut policies: Vec<Arc<Policy>> = Vec::new();
        let mut taken = Taken::default();
        let nodes = self.elements("policies", limits::POLICIES_MAX, faults);
        for (index, node) in nodes.iter().enumerate() {
            let path = list.index(index);
            let mut own = self.schema_faults_within(&path);
            let policy = decode::<wire::MetricPolicy>(node, &path, &mut own)
                .and_then(|wire| metric_policy::resolve(&wire, &sources, &path, &mut own));
            // Only a sound policy takes a name or a metric away from those after it.
            let sound = policy.filter(|_| own.0.is_empty());
            let lost = sound.as_ref().and_then(|it| taken.claim(it).err());
            own.0.extend(lost.map(|it| it.fault(&path)));
            match sound.filter(|_| own.0.is_empty()) {
                Some(policy) => {
                    warnings.extend(warnings::of(&policy, &path).into_iter().map(|it| it.fault));
                    policies.push(Arc::new(policy));
                }
                None => broken.push(broken_policy(node, &path, &own)),
            }
            faults.0.append(&mut own.0);
        }
        config.policies = policies;
        config.warnings = warnings;
        config.broken = broken;
    }

    fn elements(&self, list: &str, most: usize, faults: &mut Faults) -> &[Node] {
        let elements = self.document.get(list).map(Node::elements).unwrap_or_default();
        if elements.len() > most {
            let problem = format!("more than {most} {list}; those after it are left out");
            let fault = Fault::new(Path::default().key(list), problem);
            faults.add(fault.hint("remove those that nobody asks for"));
        }
        elements.get(..most).unwrap_or(elements)
    }

    fn schema_faults_within(&self, path: &Path) -> Faults {
        let within = self.schema_faults.iter().filter(|fault| fault.path.is_within(path));
        Faults(within.cloned().collect())
    }
}

/// The sources that signals may refer to.
struct Sources<'a> {
    known: BTreeMap<SourceName, &'a SourceSettings>,
    unusable: &'a BTreeSet<String>,
    profiles: &'a Profiles,
}

impl<'a> Sources<'a> {
    /// Those of a configuration.
    fn of(config: &'a Config) -> Self {
        Self {
            known: config.sources.iter().map(|it| (it.name.clone(), it)).collect(),
            unusable: &config.broken_sources,
            profiles: &config.profiles,
        }
    }
}

/// What is published already: two policies cannot publish one metric.
#[derive(Default)]
struct Taken {
    policies: BTreeSet<PolicyKey>,
    metrics: BTreeMap<(MetricKey, Option<ObjectName>), PolicyKey>,
}

/// What is taken already of what a policy wants.
enum Loss {
    /// Its own name.
    Name(PolicyKey),
    /// Its metric, by this other policy.
    Metric(MetricKey, PolicyKey),
}

impl Taken {
    /// The first one wins; the others say so.
    fn claim(&mut self, policy: &Policy) -> Result<(), Loss> {
        if !self.policies.insert(policy.key.clone()) {
            return Err(Loss::Name(policy.key.clone()));
        }
        let address = (policy.metric_key(), policy.subject.object_name().cloned());
        if let Some(other) = self.metrics.get(&address) {
            return Err(Loss::Metric(address.0, other.clone()));
        }
        self.metrics.insert(address, policy.key.clone());
        Ok(())
    }
}

impl Loss {
    /// The fault of the policy at `path`.
    fn fault(&self, path: &Path) -> Fault {
        match self {
            Self::Name(key) => {
                let path = path.key("metadata").key("name");
                let fault = Fault::new(path, format!("there are two policies `{key}`"));
                fault.hint("rename one of them")
            }
            Self::Metric(metric, other) => {
                let path = path.key("spec").key("metric").key("name");
                let problem = format!("{metric} is already published by policy {other}");
                Fault::new(path, problem).hint("publish it under another name")
            }
        }
    }
}

/// Faults while they are collected.
#[derive(Default)]
struct Faults(Vec<Fault>);

impl Faults {
    fn add(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    /// The value, or its error as a fault at `path`.
    fn take<T>(&mut self, path: Path, result: Result<T, impl Advice>) -> Option<T> {
        result
            .map_err(|error| self.add(Fault::new(path, error.problem()).hint(error.advice())))
            .ok()
    }
}

/// The wire shape. Where the schema found faults, what remains is read on, so that one misspelt
/// key does not hide what else is wrong.
fn decode<T: DeserializeOwned>(node: &Node, path: &Path, faults: &mut Faults) -> Option<T> {
    let value = repaired(node.to_json(), path, &faults.0);
    match serde_json::from_value(value) {
        Ok(wire) => Some(wire),
        Err(_) if !faults.0.is_empty() => None,
        Err(error) => {
            // The schema and the types are one; this is for the day on which they are not.
            faults.add(Fault::new(path.clone(), error.to_string()));
            None
        }
    }
}

/// What can be told about a policy that is broken, so that asking for its metric says why.
fn broken_policy(node: &Node, path: &Path, faults: &Faults) -> BrokenPolicy {
    let text =
        |keys: &[&str]| keys.iter().try_fold(node, |node, key| node.get(key)).and_then(Node::text);
    let (key, metric, subject) = metric_policy::claimed(text);
    let faults = faults.0.iter().cloned().map(|mut fault| {
        // The reader of an answer knows the policy, not its place in a file.
        fault.path = fault.path.below(path);
        fault
    });
    BrokenPolicy { key, metric, subject, faults: faults.collect() }
}

#[cfg(test)]
mod tests;
