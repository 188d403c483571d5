//! HPAs of zalando's kube-metrics-adapter, with their annotations and ScalingSchedules, as policies
//! and HPAs without annotations.
//!
//! Facts: its README and CRDs `zalando.org/v1`. A query stands in an annotation of the HPA there,
//! `metric-config.external.NAME.COLLECTOR/KEY`, and in a policy beside it here.

mod schedule;

use super::output::{Policy, Sources, external};
use super::{File, Imported, Object, Remark, Remarks, documents, object_name, objects};
use crate::document::path::Path;
use crate::document::yaml::{Node, Value};
use schedule::Schedules;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

/// What its annotations begin with.
const ANNOTATION: &str = "metric-config.";

/// Reads HPAs and ScalingSchedules, and answers policies and HPAs.
///
/// # Errors
/// What is no YAML.
pub fn import(files: &[File]) -> Result<Imported, Box<Remark>> {
    let documents = documents(files)?;
    let objects = objects(&documents);
    let schedules = Schedules::among(&objects);
    let mut sources = Sources::default();
    let mut imported = Imported::default();
    for object in objects.iter().filter(|it| it.kind() == "HorizontalPodAutoscaler") {
        let mut autoscaler = Autoscaler {
            object: *object,
            settings: settings(object),
            schedules: &schedules,
            sources: &mut sources,
            policies: Vec::new(),
            remarks: Remarks::of(*object),
        };
        let document = autoscaler.document();
        let Autoscaler { policies, mut remarks, .. } = autoscaler;
        for policy in policies {
            imported.add_policy(&policy, *object);
        }
        imported.documents.push(document);
        imported.remarks.append(&mut remarks.all);
    }
    imported.sources = sources.entries();
    Ok(imported.sorted())
}

/// What annotations say of one metric: its collector and its keys.
#[derive(Debug, Default)]
struct Settings {
    collector: String,
    keys: BTreeMap<String, String>,
}

/// `metric-config.<type>.<metric>.<collector>/<key>` of all annotations, by type and metric.
fn settings(object: &Object<'_>) -> BTreeMap<(String, String), Settings> {
    let mut all: BTreeMap<(String, String), Settings> = BTreeMap::new();
    let annotations = object.at(&["metadata", "annotations"]).map(|it| &it.value);
    let Some(Value::Mapping(entries)) = annotations else { return all };
    for (key, node) in entries {
        let Some((head, name)) =
            key.text.strip_prefix(ANNOTATION).and_then(|it| it.split_once('/'))
        else {
            continue;
        };
        let parts: Vec<&str> = head.split('.').collect();
        if let ([of_type, metric, collector], Some(value)) = (parts.as_slice(), node.text()) {
            let entry = all.entry(((*of_type).to_owned(), (*metric).to_owned())).or_default();
            (*collector).clone_into(&mut entry.collector);
            entry.keys.insert(name.to_owned(), value.to_owned());
        }
    }
    all
}

struct Autoscaler<'n, 's> {
    object: Object<'n>,
    settings: BTreeMap<(String, String), Settings>,
    schedules: &'s Schedules<'n>,
    sources: &'s mut Sources,
    policies: Vec<Policy>,
    remarks: Remarks<'n>,
}

impl Autoscaler<'_, '_> {
    /// The HPA without what the adapter reads of it, and with our metrics.
    fn document(&mut self) -> Json {
        let metrics = self.object.at(&["spec", "metrics"]).map(Node::elements).unwrap_or_default();
        let below = Path::default().key("spec").key("metrics");
        let metrics: Vec<Json> = metrics
            .iter()
            .enumerate()
            .map(|(index, metric)| self.metric(metric, &below.index(index)))
            .collect();
        let mut document = self.object.node.to_json();
        if let Some(document) = document.as_object_mut() {
            document.remove("status");
            let metadata = document.get_mut("metadata").and_then(Json::as_object_mut);
            if let Some(metadata) = metadata {
                metadata.retain(|key, _| {
                    ["name", "namespace", "labels", "annotations"].contains(&key.as_str())
                });
                if let Some(annotations) =
                    metadata.get_mut("annotations").and_then(Json::as_object_mut)
                {
                    annotations.retain(|key, _| !key.starts_with(ANNOTATION));
                }
            }
            if let Some(spec) = document.get_mut("spec").and_then(Json::as_object_mut) {
                spec.insert("metrics".to_owned(), metrics.into());
            }
        }
        document
    }

    /// A metric of ours, or the same where there is none; remarks say why.
    fn metric(&mut self, metric: &Node, path: &Path) -> Json {
        let ours = match metric.get("type").and_then(Node::text) {
            Some("External") => self.external(metric, &path.key("external")),
            Some("Object") => self.object_metric(metric, &path.key("object")),
            Some("Pods") => self.pods(metric, &path.key("pods")),
            _ => None,
        };
        ours.unwrap_or_else(|| metric.to_json())
    }

    fn external(&mut self, metric: &Node, path: &Path) -> Option<Json> {
        let external_metric = metric.get("external")?;
        let name = external_metric.get("metric")?.get("name")?.text()?;
        let labels =
            external_metric.get("metric")?.get("selector").and_then(|it| it.get("matchLabels"));
        let settings = self.settings.remove(&("external".to_owned(), name.to_owned()));
        let mut settings = settings.unwrap_or_default();
        // Labels of the selector say the same as annotations, which win.
        if let Some(Value::Mapping(entries)) = labels.map(|it| &it.value) {
            for (key, node) in entries {
                if let Some(value) = node.text() {
                    settings.keys.entry(key.text.clone()).or_insert_with(|| value.to_owned());
                }
            }
        }
        if settings.collector.is_empty() {
            settings.collector = settings.keys.get("type").cloned().unwrap_or_default();
        }
        let collector = settings.keys.get("type").cloned().unwrap_or(settings.collector.clone());
        let signal = match collector.as_str() {
            "prometheus" => self.prometheus(&settings, path)?,
            "json-path" => self.document_of(&settings, path)?,
            other => return self.nothing_for(other, path),
        };
        let policy = self.policy(name, &settings, [("it".to_owned(), signal)].into(), None);
        Some(external(&policy, &external_metric.get("target")?.to_json()))
    }

    fn prometheus(&mut self, settings: &Settings, path: &Path) -> Option<Json> {
        let key = settings.keys.get("query-name").or_else(|| settings.keys.get("query"));
        // A selector's label names the annotation that holds the query.
        let query = key.map(|it| settings.keys.get(it).unwrap_or(it));
        let Some(query) = query else {
            self.remarks.lost(path, "no `query`", "the annotation has to name one");
            return None;
        };
        let server = settings.keys.get("prometheus-server");
        let source = match server {
            Some(url) => self.sources.name(url),
            None => {
                let alias = settings.keys.get("prometheus-server-alias");
                let alias = alias.map_or("default", String::as_str);
                let hint = format!("give it to Foresail's configuration as source `{alias}`");
                self.remarks.note(
                    path,
                    "which Prometheus is asked, flags of the adapter say",
                    hint,
                );
                alias.to_owned()
            }
        };
        self.remarks.note(
            path,
            format!(
                "the query of a MetricPolicy sees series of its own namespace only ({}), and has to \
                 answer one number, not several of which the first counts",
                self.object.namespace()
            ),
            "where it needs others, make it a ClusterMetricPolicy; add them up with `sum(…)`",
        );
        Some(json!({"source": source, "prometheus": {"query": query}}))
    }

    /// A JSON document over HTTP.
    fn document_of(&mut self, settings: &Settings, path: &Path) -> Option<Json> {
        let (Some(url), Some(key)) = (settings.keys.get("endpoint"), settings.keys.get("json-key"))
        else {
            self.remarks.lost(
                path,
                "needs `endpoint` and `json-key`",
                "read it through Prometheus",
            );
            return None;
        };
        let Some(location) = plain_path(key) else {
            let problem = format!("`{key}` is more than a path of names and indices");
            self.remarks.lost(path, problem, "name one number, as in `$.queues[0].length`");
            return None;
        };
        if settings.keys.contains_key("aggregator") {
            let problem = "`aggregator` is for several numbers";
            self.remarks.lost(path, problem, "let the document say their sum");
        }
        Some(json!({"metricsApi": {"url": url, "valueLocation": location}}))
    }

    /// An Object metric; those about a schedule have an equivalent.
    fn object_metric(&mut self, metric: &Node, path: &Path) -> Option<Json> {
        let object = metric.get("object")?;
        let described = object.get("describedObject")?;
        let (kind, name) = (described.get("kind")?.text()?, described.get("name")?.text()?);
        if !["ScalingSchedule", "ClusterScalingSchedule"].contains(&kind) {
            return self.nothing_for(&format!("{kind} objects"), path);
        }
        let found = self.schedules.signals(self.object.namespace(), kind, name);
        let Some(found) = found else {
            let problem = format!("{kind} {name} is not in these files");
            self.remarks.lost(path, problem, "name the file with it, too");
            return None;
        };
        let (signals, faults) = found;
        for fault in faults {
            self.remarks.lost(path, format!("{kind} {name}: {fault}"), "write this window by hand");
        }
        let names: Vec<String> = signals.keys().cloned().collect();
        let combine = (names.len() > 1).then(|| format!("max({})", names.join(", ")));
        let mut target = object.get("target")?.to_json();
        if target.get("type").and_then(Json::as_str) == Some("Value") {
            let hint = "with `Value` the HPA would multiply the plan by the pods there are";
            self.remarks.note(path, "the target is an AverageValue of the same number now", hint);
            target = json!({"type": "AverageValue", "averageValue": target.get("value")});
        }
        let policy = self.policy(name, &Settings::default(), signals, combine);
        Some(external(&policy, &target))
    }

    fn pods(&mut self, metric: &Node, path: &Path) -> Option<Json> {
        let name = metric.get("pods")?.get("metric")?.get("name")?.text()?;
        let settings = self.settings.get(&("pods".to_owned(), name.to_owned()))?;
        let collector = settings.collector.clone();
        self.remarks.lost(
            path,
            format!("`{collector}` of pods reads JSON, which Foresail reads of one address only"),
            "let the pods have a page in exposition format and read it with `pods`",
        );
        None
    }

    fn nothing_for(&mut self, collector: &str, path: &Path) -> Option<Json> {
        let problem = format!("there is no signal for `{collector}`");
        self.remarks.lost(
            path,
            problem,
            "read it through Prometheus, or as a document with `metricsApi`",
        );
        None
    }

    /// Adds a policy; answers its metric.
    fn policy(
        &mut self,
        metric: &str,
        settings: &Settings,
        signals: BTreeMap<String, Json>,
        combine: Option<String>,
    ) -> String {
        let name = object_name(&format!("{}-{metric}", self.object.name()));
        let namespace = self.object.namespace().to_owned();
        let interval = settings.keys.get("interval").cloned();
        let policy = Policy { name, namespace, interval, signals, combine };
        let published = policy.metric();
        self.policies.push(policy);
        published
    }
}

/// `$.queues[0].length` as `queues.0.length`.
fn plain_path(text: &str) -> Option<String> {
    let path = text.strip_prefix('$')?.replace('[', ".").replace([']', '\'', '"'], "");
    let parts: Vec<&str> = path.split('.').filter(|it| !it.is_empty()).collect();
    let is_plain = |it: &&str| it.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c));
    (!parts.is_empty() && !text.contains("..") && parts.iter().all(is_plain))
        .then(|| parts.join("."))
}
