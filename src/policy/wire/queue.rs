//! The shape of signals that are read from queues, with the parameters of KEDA's scalers of the
//! same names. What is a threshold there is the HPA's business here.

pub mod kafka;
pub mod sqs;

use schemars::JsonSchema;
use serde::Deserialize;

/// What holds for the queues of all policies.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct QueueRules {
    /// Hosts that MetricPolicy objects may ask beside the Services of their own namespace: names, in
    /// which `*` stands for any text, and addresses or networks such as `10.0.0.0/8`. Loopback and
    /// link-local addresses only when they are listed as such.
    #[serde(default)]
    pub allowed_hosts: Vec<String>,
    /// Namespaces whose MetricPolicy objects may ask AWS as Foresail itself (`identityOwner:
    /// operator`) or as a role that Foresail may assume (`awsRoleArn`); `*` stands for any text.
    /// None when left out.
    #[serde(default)]
    pub aws_identity_for: Vec<String>,
}

/// Where a credential is kept: exactly one of the two.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CredentialSource {
    /// In a Secret of the policy's own namespace.
    pub secret_key_ref: Option<SecretKeyRef>,
    /// In a file beside the adapter, for policies of the configuration file only.
    pub file: Option<String>,
}

/// One key of a Secret.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretKeyRef {
    /// The Secret's name.
    pub name: String,
    /// The key of its data.
    pub key: String,
}

/// The length of a list, set, sorted set or hash of a Redis.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RedisSignal {
    /// `host:port`; or give `host` and `port`.
    pub address: Option<String>,
    /// The server, instead of `address`.
    pub host: Option<String>,
    /// The server's port; 6379 when left out.
    pub port: Option<u32>,
    /// The key.
    pub list_name: String,
    /// Which database; 0 when left out.
    pub database_index: Option<u32>,
    /// Whether to use TLS.
    #[serde(rename = "enableTLS")]
    pub enable_tls: Option<bool>,
    /// The certificates of the authorities to trust, as PEM; the machine's own when left out.
    pub ca_from: Option<CredentialSource>,
    /// As whom.
    pub username: Option<String>,
    /// As whom, where that is a secret.
    pub username_from: Option<CredentialSource>,
    /// The password.
    pub password_from: Option<CredentialSource>,
    /// How long one read may take; 5s when left out.
    pub timeout: Option<String>,
}

/// A stream of a Redis: its length; with a consumer group the entries that are pending, or with
/// `lagCount` those that were not delivered yet.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RedisStreamsSignal {
    /// `host:port`; or give `host` and `port`.
    pub address: Option<String>,
    /// The server, instead of `address`.
    pub host: Option<String>,
    /// The server's port; 6379 when left out.
    pub port: Option<u32>,
    /// The key of the stream.
    pub stream: String,
    /// The consumer group.
    pub consumer_group: Option<String>,
    /// Counts the entries that are pending in the group. The number itself is the HPA's target
    /// and not used here.
    pub pending_entries_count: Option<u64>,
    /// Counts the entries of the stream. The number itself is the HPA's target and not used here.
    pub stream_length: Option<u64>,
    /// Counts the entries that the group was not given yet. The number itself is the HPA's target
    /// and not used here.
    pub lag_count: Option<u64>,
    /// Which database; 0 when left out.
    pub database_index: Option<u32>,
    /// Whether to use TLS.
    #[serde(rename = "enableTLS")]
    pub enable_tls: Option<bool>,
    /// The certificates of the authorities to trust, as PEM; the machine's own when left out.
    pub ca_from: Option<CredentialSource>,
    /// As whom.
    pub username: Option<String>,
    /// As whom, where that is a secret.
    pub username_from: Option<CredentialSource>,
    /// The password.
    pub password_from: Option<CredentialSource>,
    /// How long one read may take; 5s when left out.
    pub timeout: Option<String>,
}

/// The number that a query of a PostgreSQL answers.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PostgresqlSignal {
    /// The query. It answers one row with one number.
    pub query: String,
    /// All of the following in one text, as libpq takes it.
    pub connection_from: Option<CredentialSource>,
    /// The server.
    pub host: Option<String>,
    /// The server's port; 5432 when left out.
    pub port: Option<u32>,
    /// As whom.
    pub user_name: Option<String>,
    /// Which database; the user's name when left out.
    pub db_name: Option<String>,
    /// Whether to use TLS; `require` when left out.
    pub sslmode: Option<SslMode>,
    /// The password.
    pub password_from: Option<CredentialSource>,
    /// The certificates of the authorities to trust, as PEM; the machine's own when left out.
    pub ca_from: Option<CredentialSource>,
    /// How long one read may take; 5s when left out.
    pub timeout: Option<String>,
}

/// Whether to use TLS with a PostgreSQL. With TLS its certificate is always checked.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SslMode {
    /// No TLS.
    Disable,
    /// TLS.
    Require,
    /// TLS.
    VerifyCa,
    /// TLS.
    VerifyFull,
}

/// What waits in a queue of a RabbitMQ.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RabbitmqSignal {
    /// `amqp://host:5672/vhost`, or the management API: `http://host:15672/vhost`.
    pub host: Option<String>,
    /// The same, with user and password in it.
    pub host_from: Option<CredentialSource>,
    /// How `host` is spoken to; by its scheme when left out.
    pub protocol: Option<RabbitmqProtocol>,
    /// The queue, or with `useRegex` a pattern of names.
    pub queue_name: String,
    /// What is counted; the messages when left out. Anything else needs the management API.
    pub mode: Option<RabbitmqMode>,
    /// The virtual host, in the place of that of `host`.
    pub vhost_name: Option<String>,
    /// Whether `queueName` is a pattern; needs the management API.
    pub use_regex: Option<bool>,
    /// How many queues a pattern may match; 100 when left out.
    pub page_size: Option<u32>,
    /// How the numbers of several queues become one; their sum when left out.
    pub operation: Option<RabbitmqOperation>,
    /// Whether only messages count that nobody is working on; needs the management API.
    pub exclude_unacknowledged: Option<bool>,
    /// What the modes answer that divide by the rate of deliveries, while nothing is delivered;
    /// without it they answer nothing then.
    pub activation_value: Option<f64>,
    /// As whom.
    pub username: Option<String>,
    /// As whom, where that is a secret.
    pub username_from: Option<CredentialSource>,
    /// The password.
    pub password_from: Option<CredentialSource>,
    /// The certificates of the authorities to trust, as PEM; the machine's own when left out.
    pub ca_from: Option<CredentialSource>,
    /// Whether not to check the certificate of the management API.
    pub unsafe_ssl: Option<bool>,
    /// How long one read may take; 5s when left out.
    pub timeout: Option<String>,
}

/// How a RabbitMQ is spoken to.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RabbitmqProtocol {
    /// By the scheme of `host`.
    Auto,
    /// The management API.
    Http,
    /// AMQP 0-9-1.
    Amqp,
}

/// What is counted of a RabbitMQ's queue.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub enum RabbitmqMode {
    /// Its messages.
    QueueLength,
    /// Messages published per second.
    MessageRate,
    /// Messages delivered per second.
    DeliverGetRate,
    /// Messages published for each one delivered.
    PublishedToDeliveredRatio,
    /// How long, in seconds, until the queue is empty.
    ExpectedQueueConsumptionTime,
}

/// How the numbers of several queues become one.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RabbitmqOperation {
    /// Their sum.
    Sum,
    /// Their mean, of messages without its fraction.
    Avg,
    /// The largest.
    Max,
}

/// What a consumer of a NATS JetStream has before it: messages pending and messages not
/// acknowledged.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NatsJetstreamSignal {
    /// The monitoring port: `host:8222`.
    pub nats_server_monitoring_endpoint: String,
    /// Whether that is HTTPS.
    pub use_https: Option<bool>,
    /// The account's name; `$G` where there are none.
    pub account: String,
    /// The account's id, where it is not its name.
    #[serde(rename = "accountID")]
    pub account_id: Option<String>,
    /// The stream.
    pub stream: String,
    /// The consumer.
    pub consumer: String,
    /// The certificates of the authorities to trust, as PEM; the machine's own when left out.
    pub ca_from: Option<CredentialSource>,
    /// How long one read may take; 5s when left out.
    pub timeout: Option<String>,
}

/// A number in a document that is read over HTTP.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MetricsApiSignal {
    /// The document.
    pub url: String,
    /// What kind of document; `json` when left out.
    pub format: Option<DocumentFormat>,
    /// Where in it: a path such as `queues.0.length` (GJSON's, as KEDA takes it) or
    /// `$.queues[0].length` (JSONPath), or for `prometheus` `name{label="value"}`.
    pub value_location: String,
    /// How to show who asks; by the credentials that are given when left out.
    pub auth_mode: Option<AuthMode>,
    /// Where an API key goes; into a header when left out.
    pub method: Option<KeyMethod>,
    /// The name of the header or the parameter; `X-API-KEY` or `api_key` when left out.
    pub key_param_name: Option<String>,
    /// The API key.
    pub api_key_from: Option<CredentialSource>,
    /// As whom, for `basic`.
    pub username: Option<String>,
    /// As whom, where that is a secret.
    pub username_from: Option<CredentialSource>,
    /// The password, for `basic`.
    pub password_from: Option<CredentialSource>,
    /// The token, for `bearer`.
    pub token_from: Option<CredentialSource>,
    /// The certificates of the authorities to trust, as PEM; the machine's own when left out.
    pub ca_from: Option<CredentialSource>,
    /// Whether not to check the server's certificate.
    pub unsafe_ssl: Option<bool>,
    /// How long one read may take; 5s when left out.
    pub timeout: Option<String>,
}

/// What kind of document.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DocumentFormat {
    /// JSON.
    Json,
    /// YAML.
    Yaml,
    /// Exposition format.
    Prometheus,
}

/// How to show who asks.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub enum AuthMode {
    /// With a key.
    ApiKey,
    /// With a user's name and a password.
    Basic,
    /// With a token.
    Bearer,
}

/// Where an API key goes.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum KeyMethod {
    /// Into a header.
    Header,
    /// Into the URL.
    Query,
}
