//! The shape of a signal that a profile describes: an engine and a signal by name, no PromQL.

use crate::policy::profile::Canonical;
use crate::policy::wire::access::Header;
use crate::policy::wire::pods::{PodAuth, PodSelector, PodTls, Scheme};
use crate::policy::wire::{IntOrText, OnPartial};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A signal of an engine or of an exporter, in the policy's namespace. With a `source` it is asked of
/// Prometheus, or of the pages of an exporter; with a `selector` it is read straight from pods.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProfileSignal {
    /// The engine or exporter, e.g. `vllm`; `foresail profiles` lists them. `auto` for the engine that
    /// the label `llm-d.ai/engine-type` of the pods names, or else that has series.
    pub engine: String,
    /// Which of its signals.
    pub signal: Canonical,
    /// Labels that the series must have, with their values, e.g. `model_name`.
    #[serde(default, rename = "where")]
    pub labels: BTreeMap<String, String>,
    /// What the names of pods must match as a whole, a regular expression; with a `source`.
    pub pod_pattern: Option<String>,
    /// The label that names the pod of each series; `pod` when left out; with a `source`.
    pub pod_label: Option<String>,
    /// Over how long rates and quantiles look back; 2m with a `source`, 1m with a `selector`, when
    /// left out.
    pub window: Option<String>,
    /// Which quantile of a histogram; 0.95 when left out.
    pub quantile: Option<f64>,
    /// What becomes of a number that is made from a part of the data; `scaleUpOnly` when left out.
    pub on_partial: Option<OnPartial>,
    /// Which pods, to read them straight. The keys below go with it.
    pub selector: Option<PodSelector>,
    /// The port of the page: a number, or the name that a container gives it; the profile's when left
    /// out.
    pub port: Option<IntOrText>,
    /// `http` when left out.
    pub scheme: Option<Scheme>,
    /// The path of the page; the profile's when left out.
    pub path: Option<String>,
    /// How long one pod may take; 1s when left out.
    pub timeout: Option<String>,
    /// Whether pods that are not ready are read, too; false when left out.
    pub include_not_ready: Option<bool>,
    /// How the pods' certificates are checked, with `scheme: https`.
    pub tls: Option<PodTls>,
    /// What is shown to the pods.
    pub auth: Option<PodAuth>,
    /// Further headers of the request.
    #[serde(default)]
    pub headers: BTreeMap<String, Header>,
}
