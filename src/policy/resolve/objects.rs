//! The policies of the cluster's objects, joined with those of the file.
//!
//! What was good before an edit and is broken after it keeps running as it was. Of two that want
//! the same, the older has it; the file's policies are older than any object.

pub mod manifests;

use super::warnings::{self, Warning};
use super::{Faults, Loss, Sources, Taken, broken_policy, decode, hosts, metric_policy};
use crate::document::fault::Fault;
use crate::document::path::{Path, Step};
use crate::document::schema::Schema;
use crate::document::yaml::Node;
use crate::domain::limits;
use crate::domain::metric::Subject;
use crate::domain::policy_object::{PolicyKind, PolicyObject, PolicyObjectId};
use crate::domain::secret::SecretRef;
use crate::policy::profile::Profiles;
use crate::policy::promql::{self, BadQuery};
use crate::policy::queue::reach::AllowedHost;
use crate::policy::{Ask, BrokenPolicy, Config, Policy, SourceKind, SourceSettings, wire};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

/// What is known about the objects from one change to the next.
#[derive(Debug, Default)]
pub struct Objects {
    known: BTreeMap<PolicyObjectId, Known>,
    /// The sources that `known` was resolved with.
    sources: Vec<SourceSettings>,
    /// What its namespaces' policies could ask.
    allowed_hosts: Arc<[AllowedHost]>,
    /// And the profiles.
    profiles: Arc<Profiles>,
}

/// A configuration of file and objects, and what became of each object.
#[derive(Clone, Debug, Default)]
pub struct Joined {
    /// All policies.
    pub config: Config,
    /// One for each object.
    pub verdicts: BTreeMap<PolicyObjectId, Verdict>,
}

/// What became of an object.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Which object had that name.
    pub uid: Box<str>,
    /// Which state of it this is about.
    pub generation: i64,
    /// The policy that runs for it: this state's, or the last good one.
    pub running: Option<Arc<Policy>>,
    /// Why this state does not run.
    pub refused: Option<Refused>,
    /// What of this state may mislead, although it is not wrong.
    pub warnings: Arc<[Warning]>,
}

/// Why the state of an object does not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What kind of thing is wrong.
    pub cause: Cause,
    /// For a person, on one line.
    pub message: String,
}

/// What kinds of thing may be wrong with an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A query or a selector of series is not one.
    Query,
    /// Something else in the spec.
    Spec,
    /// An older policy has its name or its metric.
    Conflict,
    /// There are too many.
    TooMany,
}

/// What is not wrong, and what of it may mislead.
#[derive(Debug)]
struct Sound {
    policy: Arc<Policy>,
    warnings: Arc<[Warning]>,
}

#[derive(Debug)]
struct Known {
    uid: Box<str>,
    generation: i64,
    /// `None` when it has to be resolved anew.
    resolved: Option<Result<Sound, Box<BrokenPolicy>>>,
    /// The last one that was good.
    good: Option<Arc<Policy>>,
}

impl Objects {
    /// Joins `objects` with the configuration of the file. Only what changed is resolved anew.
    pub fn join(&mut self, file: &Config, objects: &[Arc<PolicyObject>]) -> Joined {
        if self.sources != file.sources
            || self.allowed_hosts != file.allowed_hosts
            || self.profiles != file.profiles
        {
            self.sources.clone_from(&file.sources);
            self.allowed_hosts = Arc::clone(&file.allowed_hosts);
            self.profiles = Arc::clone(&file.profiles);
            self.known.values_mut().for_each(|known| known.resolved = None);
        }
        let mut by_age: Vec<&PolicyObject> = objects.iter().map(AsRef::as_ref).collect();
        by_age.sort_by_key(|object| object.age());
        let mut before = std::mem::take(&mut self.known);
        let mut joined = Joined { config: file.clone(), ..Joined::default() };
        let mut taken = Taken::default();
        for policy in &file.policies {
            _ = taken.claim(policy);
        }
        for (index, object) in by_age.into_iter().enumerate() {
            let verdict = if index < limits::POLICY_OBJECTS_MAX {
                let mut known = Known::of(object, before.remove(&object.id));
                let verdict = known.judge(object, &mut joined.config, &mut taken);
                self.known.insert(object.id.clone(), known);
                verdict
            } else {
                too_many(object)
            };
            joined.verdicts.insert(object.id.clone(), verdict);
        }
        joined
    }
}

impl Known {
    /// What is known about `object` after what was known `before`.
    fn of(object: &PolicyObject, before: Option<Self>) -> Self {
        let PolicyObject { uid, generation, .. } = object;
        let before = before.filter(|it| it.uid == *uid);
        let (same, good) = match before {
            Some(it) => (it.resolved.filter(|_| it.generation == *generation), it.good),
            None => (None, None),
        };
        Self { uid: uid.clone(), generation: *generation, resolved: same, good }
    }

    /// Lets the object's policy, or its last good one, run if nothing older is in its way.
    fn judge(&mut self, object: &PolicyObject, config: &mut Config, taken: &mut Taken) -> Verdict {
        let resolved = self.resolved.get_or_insert_with(|| resolve(object, config));
        let mut verdict = Verdict {
            uid: object.uid.clone(),
            generation: object.generation,
            running: None,
            refused: None,
            warnings: Arc::default(),
        };
        let candidate: Option<&Arc<Policy>> = match resolved {
            Ok(Sound { policy, warnings }) => {
                self.good = Some(Arc::clone(policy));
                verdict.warnings = Arc::clone(warnings);
                Some(policy)
            }
            Err(broken) => {
                verdict.refused = Some(refused(broken));
                config.broken.push(BrokenPolicy::clone(broken));
                self.good.as_ref().filter(|it| config.can_read(it))
            }
        };
        let Some(policy) = candidate else { return verdict };
        match taken.claim(policy) {
            Ok(()) => {
                config.policies.push(Arc::clone(policy));
                verdict.running = Some(Arc::clone(policy));
            }
            // A state that is broken says that it is broken, whoever has its metric by now.
            Err(loss) => _ = verdict.refused.get_or_insert_with(|| conflict(&loss)),
        }
        verdict
    }
}

fn resolve(object: &PolicyObject, config: &Config) -> Result<Sound, Box<BrokenPolicy>> {
    let path = Path::default();
    let Some(text) = &object.text else {
        let problem = format!("larger than {} bytes", limits::POLICY_BYTES_MAX);
        let fault = Fault::new(path, problem).hint("let one query add up several, or record it");
        let subject = Subject::External;
        return Err(Box::new(BrokenPolicy {
            key: None,
            metric: None,
            subject,
            faults: vec![fault],
        }));
    };
    // Whoever made the object was an API server: what is no JSON reads as nothing at all.
    let node = Node::from_json(&serde_json::from_str(text).unwrap_or_default());
    let policy = settle(&node, object.id.kind, config)?;
    let warnings = warnings::of(&policy, &path).into();
    Ok(Sound { policy, warnings })
}

/// Settles what people wrote of an object.
fn settle(
    node: &Node,
    kind: PolicyKind,
    config: &Config,
) -> Result<Arc<Policy>, Box<BrokenPolicy>> {
    static SCHEMA: OnceLock<Json> = OnceLock::new();
    let path = Path::default();
    let schema = SCHEMA.get_or_init(wire::policy_schema);
    let mut faults = Faults(Schema::new(schema).check(node));
    let sources = Sources::of(config);
    let policy = decode::<wire::MetricPolicy>(node, &path, &mut faults)
        .and_then(|wire| metric_policy::resolve(&wire, &sources, &path, &mut faults));
    let sound = policy.filter(|_| faults.0.is_empty());
    let sound = sound.filter(|it| without_files(it, &mut faults));
    let policy = match kind {
        PolicyKind::Namespaced => sound
            .and_then(|it| confined(it, &sources, &mut faults))
            .and_then(|it| hosts::within_reach(it, &config.allowed_hosts, &mut faults)),
        PolicyKind::Cluster => sound,
    };
    match policy {
        Some(policy) => Ok(Arc::new(policy)),
        None => Err(Box::new(broken_policy(node, &path, &faults))),
    }
}

/// Whether no credential lies in a file of the adapter's: those are not for whoever may write a
/// policy in the cluster.
fn without_files(policy: &Policy, faults: &mut Faults) -> bool {
    let before = faults.0.len();
    for signal in &policy.signals {
        let Ask::Queue(ask) = &signal.ask else { continue };
        if ask.server.credentials.values().any(|it| matches!(it, SecretRef::File(_))) {
            let path = Path::default().key("spec").key("signals").key(signal.name.as_str());
            let problem = "only a policy of the configuration file takes credentials from a file";
            faults.add(Fault::new(path, problem).hint("write `secretKeyRef: {name: …, key: …}`"));
        }
    }
    faults.0.len() == before
}

/// A policy whose queries see its own namespace only: those who own it need not be those who may
/// see the others.
fn confined(mut policy: Policy, sources: &Sources<'_>, faults: &mut Faults) -> Option<Policy> {
    for signal in &mut policy.signals {
        if let Ask::Pods(ask) = &signal.ask
            && ask.names_files()
        {
            let path = Path::default().key("spec").key("signals").key(signal.name.as_str());
            let problem =
                "a MetricPolicy must not name files of the machine on which Foresail runs";
            let hint = "use a ClusterMetricPolicy, which only those can write who run the cluster";
            faults.add(Fault::new(path.key(ask.key()), problem).hint(hint));
        }
        let source = sources.known.get(&signal.source);
        let (
            Ask::Query { query, profile: None, .. },
            Some(SourceKind::Prometheus { namespace_label, .. }),
        ) = (&mut signal.ask, source.map(|it| &it.kind))
        else {
            continue;
        };
        let path = Path::default().key("spec").key("signals").key(signal.name.as_str());
        let path = path.key("prometheus").key("query");
        let namespace = policy.key.namespace.as_str();
        match promql::confine::confined(query, namespace_label, namespace) {
            Ok(confined) => *query = confined,
            Err(BadQuery { problem, hint }) => {
                faults.add(Fault::new(path, problem).hint(hint.unwrap_or_default()));
            }
        }
    }
    faults.0.is_empty().then_some(policy)
}

fn refused(broken: &BrokenPolicy) -> Refused {
    let is_of_query = |fault: &Fault| {
        let last = fault.path.steps().last();
        [Step::Key("query".to_owned()), Step::Key("series".to_owned())]
            .iter()
            .any(|it| Some(it) == last)
    };
    let cause = if broken.faults.iter().all(is_of_query) { Cause::Query } else { Cause::Spec };
    Refused { cause, message: on_one_line(&broken.faults) }
}

/// Faults or warnings with what to do about each, for a person.
#[must_use]
pub fn on_one_line<'f>(faults: impl IntoIterator<Item = &'f Fault>) -> String {
    let hinted = faults.into_iter().map(|fault| match &fault.hint {
        Some(hint) => format!("{fault} ({hint})"),
        None => fault.to_string(),
    });
    hinted.collect::<Vec<_>>().join("; ")
}

fn conflict(loss: &Loss) -> Refused {
    let message = match loss {
        Loss::Name(key) => format!("an older policy has the name {key}"),
        Loss::Metric(metric, other) => format!("{metric} is published by the older policy {other}"),
    };
    Refused { cause: Cause::Conflict, message }
}

fn too_many(object: &PolicyObject) -> Verdict {
    let most = limits::POLICY_OBJECTS_MAX;
    let message =
        format!("{most} older policies are in the cluster; remove those that nobody asks for");
    Verdict {
        uid: object.uid.clone(),
        generation: object.generation,
        running: None,
        refused: Some(Refused { cause: Cause::TooMany, message }),
        warnings: Arc::default(),
    }
}

#[cfg(test)]
mod tests;
