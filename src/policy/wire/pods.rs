//! The shape of a signal that is read straight from pods, and of a source whose pages pods have.

use crate::policy::wire::access::{Basic, Bearer, Header};
use crate::policy::wire::{IntOrText, OnPartial};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Series of the pages of pods, in the policy's namespace.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodsSignal {
    /// Which pods.
    pub selector: PodSelector,
    /// The port of the page: a number, or the name that a container gives it.
    pub port: IntOrText,
    /// `http` when left out.
    pub scheme: Option<Scheme>,
    /// The path of the page; `/metrics` when left out.
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
    /// The series, e.g. `vllm:num_requests_waiting{engine="0"}`; of a histogram its name without
    /// `_bucket`.
    pub series: String,
    /// `gauge` when left out; `rate` for a counter, per second; `mean` or `quantile(0.95)` for what
    /// a histogram observed lately.
    pub value: Option<String>,
    /// Over how long a `rate`, `mean` or `quantile` looks back; 1m when left out.
    pub window: Option<String>,
    /// Fewer observations than these have no `mean` and no `quantile`; 20 when left out.
    pub min_observations: Option<u32>,
    /// How the series of one pod become one number: `sum`, `avg`, `max`, `min` or `quantile(0.9)`;
    /// `sum` when left out.
    pub reduce: Option<String>,
    /// How the numbers of the pods become one, in the same words; `sum` when left out. Without it
    /// `mean` and `quantile` are over what all pods observed.
    pub reduce_pods: Option<String>,
    /// What becomes of the number when some pods do not answer; `scaleUpOnly` when left out.
    pub on_partial: Option<OnPartial>,
}

/// Pods that have pages about other pods: those of an exporter, one on each node.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SourcePods {
    /// The namespace of these pods. What a policy reads there is about its own namespace.
    pub namespace: String,
    /// Which pods.
    pub selector: PodSelector,
    /// The port of the page: a number, or the name that a container gives it.
    pub port: IntOrText,
    /// `http` when left out.
    pub scheme: Option<Scheme>,
    /// The path of the page; `/metrics` when left out.
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

/// Which pods: all of the conditions hold.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodSelector {
    /// Labels with their values.
    #[serde(default)]
    pub match_labels: BTreeMap<String, String>,
    /// Conditions on labels.
    #[serde(default)]
    pub match_expressions: Vec<LabelCondition>,
}

/// A condition on one label.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LabelCondition {
    /// The label.
    pub key: String,
    /// What has to hold.
    pub operator: LabelOperator,
    /// For `In` and `NotIn`.
    #[serde(default)]
    pub values: Vec<String>,
}

/// What has to hold for a label.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
pub enum LabelOperator {
    /// It has one of the values.
    In,
    /// It has none of them, or is not there.
    NotIn,
    /// It is there.
    Exists,
    /// It is not there.
    DoesNotExist,
}

/// How a page is asked for.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// In clear.
    Http,
    /// Over TLS.
    Https,
}

/// How the pods' certificates are checked. Files are read where Foresail runs, so only a policy of
/// the configuration file and a ClusterMetricPolicy may name one.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodTls {
    /// The authorities to trust, as PEM; those of the machine when left out.
    pub ca_file: Option<String>,
    /// Foresail's own certificate as PEM, followed by its issuers.
    pub cert_file: Option<String>,
    /// The key of that certificate.
    pub key_file: Option<String>,
    /// The name that the pods' certificates have; their addresses when left out.
    pub server_name: Option<String>,
    /// Whether any certificate will do: pods seldom have one for their address.
    pub insecure_skip_verify: Option<bool>,
}

/// What is shown to the pods: exactly one way. Only a policy of the configuration file and a
/// ClusterMetricPolicy may name a file.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodAuth {
    /// A name and a password.
    pub basic: Option<Basic>,
    /// A token.
    pub bearer: Option<Bearer>,
}
