//! KEDA's ScaledObjects with their TriggerAuthentications, as policies and plain HPAs.
//!
//! Facts: KEDA's `keda.sh/v1alpha1` and the parameters of its scalers, docs of KEDA 2.20. A trigger's
//! threshold becomes the target of the HPA, everything else a signal that answers what the scaler
//! of the same name answers.

mod authentication;
mod parameters;
mod trigger;

use super::output::{Policy, Sources, external};
use super::{File, Imported, Object, Remark, Remarks, documents, object_name, objects};
use crate::document::path::Path;
use crate::document::yaml::Node;
use authentication::Authentications;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use trigger::{Number, Trigger};

/// The replicas that KEDA allows when nothing is said.
const REPLICAS_MAX: u64 = 100;
/// How often KEDA looks when nothing is said.
const POLLING_INTERVAL: u64 = 30;

/// Reads ScaledObjects and TriggerAuthentications, and answers policies and HPAs.
///
/// # Errors
/// What is no YAML.
pub fn import(files: &[File]) -> Result<Imported, Box<Remark>> {
    let documents = documents(files)?;
    let objects = objects(&documents);
    let authentications = Authentications::among(&objects);
    let mut sources = Sources::default();
    let mut imported = Imported::default();
    for object in &objects {
        match object.kind() {
            "ScaledObject" => {
                let scaled = ScaledObject::read(*object, &authentications, &mut sources);
                scaled.add_to(&mut imported);
            }
            "ScaledJob" => {
                let mut remarks = Remarks::of(*object);
                remarks.lost(
                    &Path::default().key("kind"),
                    format!("ScaledJob {} starts Jobs, which no HPA does", object.name()),
                    "keep it with KEDA; both can live in one cluster",
                );
                imported.remarks.append(&mut remarks.all);
            }
            _ => {}
        }
    }
    imported.sources = sources.entries();
    Ok(imported.sorted())
}

/// One of them, taken apart.
struct ScaledObject<'n> {
    object: Object<'n>,
    remarks: Remarks<'n>,
    interval: String,
    triggers: Vec<Trigger>,
}

impl<'n> ScaledObject<'n> {
    fn read(
        object: Object<'n>,
        authentications: &Authentications<'_>,
        sources: &mut Sources,
    ) -> Self {
        let mut remarks = Remarks::of(object);
        let seconds = number(object.at(&["spec", "pollingInterval"])).unwrap_or(POLLING_INTERVAL);
        let list = object.at(&["spec", "triggers"]).map(Node::elements).unwrap_or_default();
        let below = Path::default().key("spec").key("triggers");
        let triggers = list.iter().enumerate().filter_map(|(index, node)| {
            let path = below.index(index);
            trigger::read(node, (&path, index), authentications, sources, &mut remarks)
        });
        let triggers = triggers.collect();
        let mut read = Self { object, remarks, interval: format!("{}s", seconds.max(1)), triggers };
        read.tell_of_what_is_different();
        read
    }

    /// What KEDA does beside reading numbers.
    fn tell_of_what_is_different(&mut self) {
        let spec = Path::default().key("spec");
        for (key, hint) in [
            (
                "idleReplicaCount",
                "an HPA goes to `minReplicas`; keep KEDA for what has to go to zero",
            ),
            (
                "fallback",
                "the guard's `hold` keeps the last good value; after it the HPA keeps its replicas",
            ),
            (
                "initialCooldownPeriod",
                "leave it out: an HPA that keeps a pod does not start from nothing",
            ),
        ] {
            if self.object.at(&["spec", key]).is_some() {
                self.remarks.note(&spec.key(key), format!("`{key}` has no equivalent"), hint);
            }
        }
        let min = number(self.object.at(&["spec", "minReplicaCount"])).unwrap_or(0);
        if min == 0 {
            self.remarks.note(
                &spec.key("minReplicaCount"),
                "scales to zero, which an HPA does not: `minReplicas` is 1",
                "a pod that takes minutes to load is worth keeping; else keep KEDA for this one",
            );
        }
        let annotations = self.object.at(&["metadata", "annotations"]);
        for key in ["paused", "paused-replicas", "paused-scale-in", "paused-scale-out"] {
            let key = format!("autoscaling.keda.sh/{key}");
            if annotations.and_then(|it| it.get(&key)).is_some() {
                let path = Path::default().key("metadata").key("annotations").key(&key);
                let hint = "`behavior: {scaleDown: {selectPolicy: Disabled}}` in the HPA holds one direction";
                self.remarks.lost(&path, format!("`{key}` has no equivalent"), hint);
            }
        }
    }

    fn add_to(mut self, imported: &mut Imported) {
        let modifiers = self.object.at(&["spec", "advanced", "scalingModifiers"]);
        let formula = modifiers.and_then(|it| it.get("formula")).and_then(Node::text);
        let mut metrics: Vec<Json> =
            self.triggers.iter().filter_map(|it| it.resource.clone()).collect();
        let policies = match (modifiers, formula) {
            (Some(modifiers), Some(formula)) => self.composite(modifiers, formula),
            _ => self.single(),
        };
        for (policy, target) in policies {
            metrics.push(external(&policy.metric(), &target));
            imported.add_policy(&policy, self.object);
        }
        if metrics.is_empty() {
            let path = Path::default().key("spec").key("triggers");
            self.remarks.lost(&path, "no trigger is left, so there is no HPA", "see above");
        } else {
            imported.documents.push(self.autoscaler(&metrics));
        }
        imported.remarks.append(&mut self.remarks.all);
    }

    /// A policy for each trigger, as KEDA has a metric for each.
    fn single(&self) -> Vec<(Policy, Json)> {
        let read: Vec<&Trigger> = self.triggers.iter().filter(|it| it.signal.is_some()).collect();
        let is_one = read.len() == 1;
        let of = |trigger: &&Trigger| {
            let own = if is_one { String::new() } else { format!("-{}", trigger.name) };
            let name = object_name(&format!("{}{own}", self.object.name()));
            let signals = trigger.signal.clone().map(|it| (trigger.signal_name(), it));
            let policy = self.policy(name, signals.into_iter().collect(), None);
            (policy, trigger.target.json())
        };
        read.iter().map(of).collect()
    }

    /// One policy for the formula over all triggers.
    fn composite(&mut self, modifiers: &Node, formula: &str) -> Vec<(Policy, Json)> {
        let path = Path::default().key("spec").key("advanced").key("scalingModifiers");
        let target = modifiers.get("target").and_then(Number::of);
        let Some(value) = target else {
            self.remarks.lost(
                &path,
                "a formula without a number as `target`",
                "KEDA refuses it, too",
            );
            return Vec::new();
        };
        if formula.contains("??") {
            self.remarks.lost(
                &path.key("formula"),
                "`??` asks for another number where one is missing",
                "unknown is never a number here: the guard's `hold` bridges a gap",
            );
        }
        let named =
            self.triggers.iter().filter_map(|it| Some((it.signal_name(), it.signal.clone()?)));
        let signals: BTreeMap<String, Json> = named.collect();
        let used = |name: &str| words(formula).any(|it| it == name);
        let signals = signals.into_iter().filter(|(name, _)| used(name)).collect();
        let is_value = modifiers.get("metricType").and_then(Node::text) == Some("Value");
        let name = object_name(self.object.name());
        let policy = self.policy(name, signals, Some(expression(formula)));
        vec![(policy, trigger::Target { value, is_value }.json())]
    }

    fn policy(
        &self,
        name: String,
        signals: BTreeMap<String, Json>,
        combine: Option<String>,
    ) -> Policy {
        let namespace = self.object.namespace().to_owned();
        Policy { name, namespace, interval: Some(self.interval.clone()), signals, combine }
    }

    fn autoscaler(&self, metrics: &[Json]) -> Json {
        let spec = |steps: &[&str]| {
            let all: Vec<&str> = std::iter::once("spec").chain(steps.iter().copied()).collect();
            self.object.at(&all)
        };
        let text = |node: Option<&Node>, usual: &str| {
            node.and_then(Node::text).unwrap_or(usual).to_owned()
        };
        let settings = |key| spec(&["advanced", "horizontalPodAutoscalerConfig", key]);
        let name = text(settings("name"), self.object.name());
        let mut hpa = json!({
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": name, "namespace": self.object.namespace()},
            "spec": {
                "scaleTargetRef": {
                    "apiVersion": text(spec(&["scaleTargetRef", "apiVersion"]), "apps/v1"),
                    "kind": text(spec(&["scaleTargetRef", "kind"]), "Deployment"),
                    "name": text(spec(&["scaleTargetRef", "name"]), ""),
                },
                "minReplicas": number(spec(&["minReplicaCount"])).unwrap_or(0).max(1),
                "maxReplicas": number(spec(&["maxReplicaCount"])).unwrap_or(REPLICAS_MAX),
                "metrics": metrics,
            },
        });
        if let (Some(behavior), Some(spec)) =
            (settings("behavior"), hpa.get_mut("spec").and_then(Json::as_object_mut))
        {
            spec.insert("behavior".to_owned(), behavior.to_json());
        }
        hpa
    }
}

fn number(node: Option<&Node>) -> Option<u64> {
    node?.to_json().as_u64()
}

/// The words of an expression.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|it: char| !(it.is_ascii_alphanumeric() || it == '_')).filter(|it| !it.is_empty())
}

/// KEDA's expression language as CEL: the operators that are words there are signs here.
fn expression(formula: &str) -> String {
    let mut text = formula.to_owned();
    for (word, sign) in [(" and ", " && "), (" or ", " || "), (" not ", " !")] {
        text = text.replace(word, sign);
    }
    text
}
