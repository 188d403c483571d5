//! A Deployment of KWOK pods with the HPA of a sample of `deploy/`, made quick.

use std::time::Duration;

use serde_json::Value;

use super::SOON;
use super::policies::changed;
use crate::bed::Bed;
use crate::bed::wait::{poll, seen, wait_until};

const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/samples");

/// The scale-down stabilisation window of the HPAs.
pub(crate) const DOWN_WINDOW: Duration = Duration::from_secs(2);

/// The Deployment `llama` in a namespace of its own; dropping it takes the namespace away.
pub(crate) struct Workload<'a> {
    bed: &'a Bed,
    namespace: &'a str,
}

impl<'a> Workload<'a> {
    /// One pod, which is ready `lead_time` after it was bound to a node.
    #[track_caller]
    pub(crate) fn new(bed: &'a Bed, namespace: &'a str, lead_time: Duration) -> Self {
        bed.kubectl.apply(&format!(
            "
apiVersion: v1
kind: Namespace
metadata: {{name: {namespace}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: llama, namespace: {namespace}}}
spec:
  replicas: 1
  selector: {{matchLabels: {{app: llama}}}}
  template:
    metadata:
      labels: {{app: llama}}
      annotations: {{pod-ready.stage.kwok.x-k8s.io/delay: {}s}}
    spec:
      containers: [{{name: engine, image: example.invalid/engine}}]
",
            lead_time.as_secs()
        ));
        let workload = Self { bed, namespace };
        workload.wait_ready(1);
        workload
    }

    /// Applies an HPA sample (`hpa-external.yaml`), quick, with further changes.
    #[track_caller]
    pub(crate) fn scale_by(&self, sample: &str, changes: &[(&str, &str)]) {
        let text = std::fs::read_to_string(format!("{SAMPLES}/{sample}")).unwrap();
        let quick = [
            ("namespace: inference", format!("namespace: {}", self.namespace)),
            // One step to wherever the arithmetic leads.
            ("{type: Percent, value: 100, periodSeconds: 60}", UP.to_owned()),
            ("{type: Pods, value: 1, periodSeconds: 120}", DOWN.to_owned()),
            (
                "stabilizationWindowSeconds: 600",
                format!("stabilizationWindowSeconds: {}", DOWN_WINDOW.as_secs()),
            ),
        ];
        let quick = quick.map(|(from, to)| (from.to_owned(), to));
        let further = changes.iter().map(|&(from, to)| (from.to_owned(), to.to_owned()));
        let changes: Vec<_> = quick.into_iter().chain(further).collect();
        self.bed.kubectl.apply(&changed(&text, &changes));
    }

    /// Replaces the pods, one by one, by pods that are ready after another lead time.
    pub(crate) fn change_lead_time(&self, lead_time: Duration) {
        let delay =
            format!(r#"{{"pod-ready.stage.kwok.x-k8s.io/delay":"{}s"}}"#, lead_time.as_secs());
        let patch =
            format!(r#"{{"spec":{{"template":{{"metadata":{{"annotations":{delay}}}}}}}}}"#);
        let namespace = self.namespace;
        self.bed
            .kubectl
            .ok(&format!("patch deployment llama --namespace {namespace} --patch {patch}"));
    }

    /// Takes the HPA away.
    pub(crate) fn delete_hpa(&self) {
        self.bed.kubectl.ok(&format!("delete hpa llama --namespace {}", self.namespace));
    }

    /// `spec.replicas`, which the HPA writes.
    pub(crate) fn replicas(&self) -> i64 {
        self.deployment()["spec"]["replicas"].as_i64().unwrap()
    }

    /// Waits until the HPA has written this count.
    #[track_caller]
    pub(crate) fn wait_replicas(&self, count: i64) {
        let result = poll(SOON, || seen(self.replicas() == count, self.replicas()));
        if let Err(state) = result {
            panic!(
                "not within {SOON:?}: {count} replicas\nlast seen: {state}\n{}",
                self.described()
            );
        }
    }

    /// Waits until so many pods are there and ready, and no others.
    #[track_caller]
    pub(crate) fn wait_ready(&self, count: i64) {
        let result = poll(SOON, || {
            let status = self.deployment()["status"].clone();
            seen(status["readyReplicas"] == count && status["replicas"] == count, status)
        });
        if let Err(state) = result {
            let pods =
                self.bed.kubectl.ok(&format!("get pods --namespace {} -o yaml", self.namespace));
            panic!("not within {SOON:?}: {count} pods are ready\nlast seen: {state}\n{pods}");
        }
    }

    /// The names of the pods, sorted.
    pub(crate) fn pods(&self) -> Vec<String> {
        let pods = self.bed.kubectl.get(&format!("pods --namespace {}", self.namespace));
        let names = pods["items"].as_array().unwrap().iter();
        let mut names: Vec<String> =
            names.map(|pod| pod["metadata"]["name"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    }

    /// The HPA.
    pub(crate) fn hpa(&self) -> Value {
        self.bed.kubectl.get(&format!("hpa llama --namespace {}", self.namespace))
    }

    /// What `kubectl describe hpa` shows.
    pub(crate) fn described(&self) -> String {
        self.bed.kubectl.ok(&format!("describe hpa llama --namespace {}", self.namespace))
    }

    /// Waits until `kubectl describe hpa` shows all of these texts.
    #[track_caller]
    pub(crate) fn wait_described(&self, texts: &[&str]) {
        wait_until(SOON, &format!("kubectl describe hpa shows {texts:?}"), || {
            let described = self.described();
            seen(texts.iter().all(|text| described.contains(text)), described)
        });
    }

    fn deployment(&self) -> Value {
        self.bed.kubectl.get(&format!("deployment llama --namespace {}", self.namespace))
    }
}

impl Drop for Workload<'_> {
    fn drop(&mut self) {
        // Not waited for, and its success does not matter: the test may have failed already.
        self.bed.kubectl.run(&format!("delete namespace {} --wait=false", self.namespace));
    }
}

const UP: &str = "{type: Pods, value: 16, periodSeconds: 1}";
const DOWN: &str = "{type: Percent, value: 100, periodSeconds: 1}";
