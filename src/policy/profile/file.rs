//! The shape of a profile's file.

use super::Canonical;
use crate::policy::promql::LabelMatch;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A profile.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProfileFile {
    /// As policies name it.
    pub engine: String,
    /// What it is, in one sentence.
    pub about: String,
    /// Values of the pod label `llm-d.ai/engine-type` that mean it.
    #[serde(default)]
    pub detect: Vec<String>,
    /// Series that pods of it have from their start and others do not: one of them is enough to tell
    /// it.
    #[serde(default)]
    pub detect_series: Vec<String>,
    /// Engines whose series it has as well: where it is told, they are not.
    #[serde(default)]
    pub detect_instead_of: Vec<String>,
    /// The port of a pod's page.
    pub port: Option<u16>,
    /// The path of a pod's page.
    pub path: String,
    /// For an exporter whose series are about other pods.
    pub about_pods: Option<AboutPods>,
    /// The signals that it has.
    pub signals: BTreeMap<Canonical, SignalFile>,
}

/// How the series of an exporter name the pod and the device that they are about.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AboutPods {
    /// Labels that may name the pod; the first that is there counts.
    pub pod: Vec<String>,
    /// Labels that may name its namespace, likewise.
    pub namespace: Vec<String>,
    /// Labels that together tell a device from any other.
    pub device: Vec<String>,
    /// From this value on a sensor says that it has none.
    pub blank: Option<f64>,
}

impl AboutPods {
    /// The rows that are about the pods of a namespace, by the label that names the pod: the first that
    /// is there. With each label what the others have to be.
    pub fn rows<'a>(
        &'a self,
        namespace: &'a str,
    ) -> impl Iterator<Item = (&'a str, Vec<LabelMatch<'a>>)> {
        let labels = self.pod.iter().zip(&self.namespace).enumerate();
        labels.map(move |(place, (pod, label))| {
            let own = [LabelMatch::Equal(label, namespace), LabelMatch::Present(pod)];
            let earlier = self.pod.iter().take(place).map(|it| LabelMatch::Absent(it));
            (pod.as_str(), own.into_iter().chain(earlier).collect())
        })
    }
}

/// How an engine tells one signal.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SignalFile {
    /// Of the number, for people.
    pub unit: String,
    /// How pods come together.
    pub pods: OverPods,
    /// The candidates, in the order in which they are looked for.
    pub from: Vec<CandidateFile>,
}

/// How the numbers of pods come together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum OverPods {
    /// They add up.
    Sum,
    /// Their mean.
    Avg,
    /// Histograms: their buckets add up.
    Merge,
}

/// Series that may tell a signal: exactly one kind.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CandidateFile {
    /// The number itself.
    pub gauge: Option<String>,
    /// A counter, of which the rate per second is the number.
    pub counter: Option<String>,
    /// The base name of a histogram, of which a quantile is the number.
    pub histogram: Option<String>,
    /// One gauge divided by another.
    pub ratio: Option<By>,
    /// One gauge times another.
    pub product: Option<By>,
    /// What one gauge is above another, never below zero.
    pub excess: Option<Over>,
    /// The rate of one counter divided by that of another.
    pub mean: Option<By>,
    /// Labels over which the largest is taken first: ranks that all show the same.
    #[serde(default)]
    pub max_over: Vec<String>,
    /// How the series of one pod then become one; their sum when left out.
    pub within: Option<Within>,
    /// What the number is multiplied by; 1 when left out.
    pub scale: Option<f64>,
    /// For people.
    pub note: Option<String>,
}

/// Two series, of which the second divides or multiplies.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct By {
    /// The first.
    pub of: String,
    /// The second.
    pub by: String,
}

/// Two series, of which the second is taken from the first.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Over {
    /// The first.
    pub of: String,
    /// The second.
    pub over: String,
}

/// How the series of one pod become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Within {
    /// Their sum.
    #[default]
    Sum,
    /// The largest.
    Max,
    /// Their mean.
    Avg,
}

/// The JSON schema of a file.
#[must_use]
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(ProfileFile).into()
}
