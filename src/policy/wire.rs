//! The shape of the configuration file and of the MetricPolicy object, as people write them.
//!
//! Only shapes and descriptions: the JSON schema made from these types finds unknown and
//! misspelt keys, `resolve` finds everything else.

pub mod access;
pub mod capacity;
pub mod discovery;
pub mod external;
pub mod forecast;
pub mod pods;
pub mod profile;
pub mod queue;
pub mod schedule;
pub mod smoothing;

use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The API group of the objects.
pub const API_GROUP: &str = "foresail.dev";
/// The version of the objects within their group.
pub const VERSION: &str = "v1alpha1";
/// The API version of everything here: group and version.
pub const API_VERSION: &str = "foresail.dev/v1alpha1";
/// The kind of the configuration file.
pub const ADAPTER_CONFIG: &str = "AdapterConfig";
/// The kind of a policy.
pub const METRIC_POLICY: &str = "MetricPolicy";
/// The kind of a policy that belongs to the cluster.
pub const CLUSTER_METRIC_POLICY: &str = "ClusterMetricPolicy";

/// The configuration file.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AdapterConfig {
    /// `foresail.dev/v1alpha1`.
    pub api_version: String,
    /// `AdapterConfig`.
    pub kind: String,
    /// Places to read from.
    #[serde(default)]
    pub sources: Vec<Source>,
    /// Recipes of published metrics.
    #[serde(default)]
    pub policies: Vec<MetricPolicy>,
    /// What holds for the queues of all policies.
    pub queues: Option<queue::QueueRules>,
    /// Rules of custom metrics, in the words of prometheus-adapter; the room `rules` reads them.
    pub rules: Option<serde_json::Value>,
    /// Rules of external metrics, likewise.
    pub external_rules: Option<serde_json::Value>,
    /// What prometheus-adapter serves in place of metrics-server; ignored with a warning.
    pub resource_rules: Option<serde_json::Value>,
    /// What the API says about itself.
    pub discovery: Option<discovery::DiscoveryRules>,
    /// What holds for external metrics beside another server of them.
    pub external_metrics: Option<external::ExternalMetrics>,
}

/// A place to read from: exactly one kind.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Source {
    /// How signals refer to it.
    pub name: String,
    /// The HTTP API of Prometheus or of something compatible with it.
    pub prometheus: Option<PrometheusSource>,
    /// One page in exposition format, or that of each pod of an exporter.
    pub scrape: Option<ScrapeSource>,
}

/// The HTTP API of Prometheus or of something compatible with it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PrometheusSource {
    /// The base URL, e.g. `http://prometheus:9090`.
    pub url: String,
    /// How long one query may take; 5s when left out.
    pub timeout: Option<String>,
    /// How queries are sent; POST when left out.
    pub method: Option<Method>,
    /// The label that names the namespace of a series; `namespace` when left out. The queries of
    /// MetricPolicy objects see only series of their own namespace.
    pub namespace_label: Option<String>,
    /// How Foresail proves who it is: exactly one way.
    pub auth: Option<access::Auth>,
    /// Further headers of every request, by name, e.g. `X-Scope-OrgID`.
    #[serde(default)]
    pub headers: BTreeMap<String, access::Header>,
    /// Certificates of the connection.
    pub tls: Option<access::Tls>,
    /// Further parameters of every query, e.g. `dedup: "true"` for Thanos.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
}

/// How a query travels.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// In the body.
    Post,
    /// In the URL.
    Get,
}

/// One page in exposition format, or that of each pod of an exporter.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScrapeSource {
    /// The page, e.g. `http://127.0.0.1:9400/metrics`. The keys below go with it.
    pub url: Option<String>,
    /// The pods that have the pages, for signals with a `profile` of an exporter.
    pub pods: Option<pods::SourcePods>,
    /// How long reading it may take; 5s when left out.
    pub timeout: Option<String>,
    /// How Foresail proves who it is: exactly one way.
    pub auth: Option<access::Auth>,
    /// Further headers of the request, by name.
    #[serde(default)]
    pub headers: BTreeMap<String, access::Header>,
    /// Certificates of the connection.
    pub tls: Option<access::Tls>,
}

/// The recipe of one published metric.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MetricPolicy {
    /// `foresail.dev/v1alpha1`; may be left out in the configuration file.
    pub api_version: Option<String>,
    /// `MetricPolicy`, which may be left out in the configuration file, or `ClusterMetricPolicy`.
    pub kind: Option<String>,
    /// Which policy.
    pub metadata: Metadata,
    /// The recipe.
    pub spec: MetricPolicySpec,
}

/// Which policy.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metadata {
    /// The policy's name.
    pub name: String,
    /// The namespace in which a MetricPolicy publishes; a ClusterMetricPolicy is in none.
    pub namespace: Option<String>,
}

/// Signals → combine → smooth → forecast → guard → one published metric.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MetricPolicySpec {
    /// The namespace in which a ClusterMetricPolicy publishes; a MetricPolicy publishes in its own.
    pub namespace: Option<String>,
    /// What is published.
    pub metric: Metric,
    /// How often the policy is evaluated; 15s when left out.
    pub interval: Option<String>,
    /// What the metric is made from, by the name that `combine` uses.
    pub signals: BTreeMap<String, Signal>,
    /// A CEL expression over the signals; may be left out with one signal.
    pub combine: Option<String>,
    /// Smoothing steps, in order.
    #[serde(default)]
    pub smooth: Vec<smoothing::SmoothStep>,
    /// A forecast of the peak over the lead time; none when left out.
    pub forecast: Option<forecast::Forecast>,
    /// What one pod serves when it is full; the AverageValue of the HPA that uses the metric when left
    /// out.
    pub capacity: Option<capacity::Capacity>,
    /// In which unit the metric is published; demand when left out.
    pub emit: Option<capacity::Emit>,
    /// What may be published.
    pub guard: Option<Guard>,
}

/// What is published.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metric {
    /// The name that an HPA refers to.
    pub name: String,
    /// The HPA's metric type that fits.
    #[serde(rename = "type")]
    pub metric_type: MetricType,
    /// The object that an Object metric describes.
    pub described_object: Option<DescribedObject>,
    /// Labels of the published metric, for the selectors of an HPA.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// The HPA's metric types.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
pub enum MetricType {
    /// A number of its own.
    External,
    /// A number for each pod.
    Pods,
    /// A number about one object.
    Object,
}

/// The object that an Object metric describes.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DescribedObject {
    /// As in the HPA, e.g. `apps/v1`.
    pub api_version: String,
    /// As in the HPA, e.g. `Deployment`.
    pub kind: String,
    /// As in the HPA.
    pub name: String,
    /// The plural of the kind, where it is irregular, e.g. `inferencepools`.
    pub resource: Option<String>,
}

/// A number, or one number per pod, read from a source: exactly one kind.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Signal {
    /// The source's name, for `prometheus`, `scrape` and a `profile` without `selector`; the others say
    /// themselves where to read.
    pub source: Option<String>,
    /// Asked of a `prometheus` source.
    pub prometheus: Option<PrometheusSignal>,
    /// Asked of a `scrape` source.
    pub scrape: Option<ScrapeSignal>,
    /// Asked of pods.
    pub pods: Option<pods::PodsSignal>,
    /// A signal of an engine or exporter, asked of a `prometheus` source or of pods, or read from the
    /// pages of an exporter that a `scrape` source names.
    pub profile: Option<profile::ProfileSignal>,
    /// Planned: a value for each instant.
    pub schedule: Option<schedule::ScheduleSignal>,
    /// The length of a list, set, sorted set or hash of a Redis.
    pub redis: Option<queue::RedisSignal>,
    /// A stream of a Redis.
    pub redis_streams: Option<queue::RedisStreamsSignal>,
    /// The number that a query of a PostgreSQL answers.
    pub postgresql: Option<queue::PostgresqlSignal>,
    /// What waits in a queue of a RabbitMQ.
    pub rabbitmq: Option<queue::RabbitmqSignal>,
    /// What a consumer of a NATS JetStream has before it.
    pub nats_jetstream: Option<queue::NatsJetstreamSignal>,
    /// The messages of a Kafka that a consumer group has before it.
    pub kafka: Option<queue::kafka::KafkaSignal>,
    /// The messages in a queue of AWS SQS.
    pub aws_sqs_queue: Option<queue::sqs::SqsSignal>,
    /// A number in a document that is read over HTTP.
    pub metrics_api: Option<queue::MetricsApiSignal>,
}

/// A PromQL query.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PrometheusSignal {
    /// The query. It answers one number, or for a Pods metric one series per pod.
    pub query: String,
    /// The label that names the pod of each series, for a Pods metric; `pod` when left out.
    pub pod_label: Option<String>,
    /// What an answer is worth that the server says is about a part of the data; scaleUpOnly when left
    /// out.
    pub on_partial: Option<OnPartial>,
}

/// What becomes of a number that is made from a part of the data.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub enum OnPartial {
    /// It is used as it is.
    Use,
    /// It is used if it is above the last one, so that silence never scales down.
    ScaleUpOnly,
    /// It is not used.
    Refuse,
}

/// Series of a scraped page.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScrapeSignal {
    /// The series, e.g. `vllm:num_requests_waiting{engine="0"}`.
    pub series: String,
    /// How several series become one number; their sum when left out.
    pub reduce: Option<ReduceBy>,
}

/// How several series become one number.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReduceBy {
    /// Their sum.
    Sum,
    /// Their mean.
    Avg,
    /// The largest.
    Max,
    /// The smallest.
    Min,
}

/// What may be published.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Guard {
    /// Up to this age of its oldest part a value is fresh; 60s, and two intervals at least, when
    /// left out.
    pub max_age: Option<String>,
    /// Past `maxAge`, the last good value is kept this long, then refused; 2m when left out.
    pub hold: Option<String>,
    /// Smaller values are raised to this quantity.
    pub min: Option<IntOrText>,
    /// Larger values are cut to this quantity.
    pub max: Option<IntOrText>,
}

/// A quantity, as Kubernetes takes one: a number or a text such as `500m`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum IntOrText {
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
}

impl IntOrText {
    /// The text of the quantity.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

/// The JSON schema of the configuration file.
#[must_use]
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(AdapterConfig).into()
}

/// The JSON schema of one policy.
#[must_use]
pub fn policy_schema() -> serde_json::Value {
    schemars::schema_for!(MetricPolicy).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::schema::Schema;

    #[test]
    fn no_keyword_of_the_schema_goes_unchecked() {
        assert_eq!(Schema::new(&schema()).unknown_keywords(), Vec::<String>::new());
    }
}
