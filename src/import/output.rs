//! What comes out: sources, policies and autoscalers, read again as a person's are.

use super::{Imported, Object, Remark, Remarks, metric_name, object_name};
use crate::document::path::Path;
use crate::policy::resolve::objects::manifests;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The Prometheus servers that queries were sent to, each once.
#[derive(Debug, Default)]
pub(super) struct Sources {
    by_url: BTreeMap<String, String>,
}

impl Sources {
    /// The name of the source at this address.
    pub(super) fn name(&mut self, url: &str) -> String {
        let url = url.trim_end_matches('/');
        if let Some(name) = self.by_url.get(url) {
            return name.clone();
        }
        let address = url.split_once("://").map_or(url, |it| it.1);
        let host = address.split([':', '/']).next().unwrap_or_default();
        let first = object_name(host.split('.').next().unwrap_or_default());
        let wanted = if first.is_empty() { "prometheus".to_owned() } else { first };
        let is_taken = |name: &str| self.by_url.values().any(|it| it == name);
        let numbered = (2..).map(|number| format!("{wanted}-{number}"));
        let mut names = std::iter::once(wanted.clone()).chain(numbered);
        let name = names.find(|it| !is_taken(it)).unwrap_or(wanted);
        self.by_url.insert(url.to_owned(), name.clone());
        name
    }

    /// As entries of `sources`.
    pub(super) fn entries(&self) -> Vec<Json> {
        let entry =
            |(url, name): (&String, &String)| json!({"name": name, "prometheus": {"url": url}});
        self.by_url.iter().map(entry).collect()
    }
}

/// A policy in the making.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    /// The object's name, from which that of the metric follows.
    pub(super) name: String,
    pub(super) namespace: String,
    /// `15s`; what is usual when there is none.
    pub(super) interval: Option<String>,
    /// By name.
    pub(super) signals: BTreeMap<String, Json>,
    pub(super) combine: Option<String>,
}

impl Policy {
    /// The metric that it publishes.
    pub(super) fn metric(&self) -> String {
        metric_name(&self.name)
    }

    fn document(&self) -> Json {
        let Self { name, namespace, interval, signals, combine } = self;
        let mut spec = json!({
            "metric": {"name": self.metric(), "type": "External"},
            "signals": signals,
        });
        let optional = [("interval", interval), ("combine", combine)];
        if let Some(spec) = spec.as_object_mut() {
            let given = optional.into_iter().filter_map(|(key, it)| Some((key, it.as_ref()?)));
            spec.extend(given.map(|(key, it)| (key.to_owned(), it.as_str().into())));
        }
        json!({
            "apiVersion": "foresail.dev/v1alpha1",
            "kind": "MetricPolicy",
            "metadata": {"name": name, "namespace": namespace},
            "spec": spec,
        })
    }
}

impl Imported {
    /// Adds a policy that is sound; of another one, what is wrong with it.
    pub(super) fn add_policy(&mut self, policy: &Policy, origin: Object<'_>) {
        let document = policy.document();
        let text = crate::document::yaml::write::document(&document);
        let faults = match manifests::load(&text, &Arc::default()) {
            Ok(read) => {
                let read = read.unwrap_or_default();
                self.hosts.extend(read.unknown_hosts);
                self.borrowers.extend(read.unknown_borrowers.iter().map(ToString::to_string));
                read.config.faults
            }
            Err(faults) => faults,
        };
        let mut remarks = Remarks::of(origin);
        for fault in faults {
            remarks.lost(
                &Path::default(),
                format!("policy {}: {fault}", policy.name),
                fault.hint.as_deref().unwrap_or("write this part of the policy by hand"),
            );
        }
        self.remarks.append(&mut remarks.all);
        self.documents.push(document);
    }

    /// Sorts remarks by where they are about.
    pub(super) fn sorted(mut self) -> Self {
        let key = |it: &Remark| (it.path.clone(), it.fault.position);
        self.remarks.sort_by_key(key);
        self.remarks.dedup();
        self
    }
}

/// A metric of an HPA that a policy publishes.
pub(super) fn external(metric: &str, target: &Json) -> Json {
    json!({"type": "External", "external": {"metric": {"name": metric}, "target": target}})
}
