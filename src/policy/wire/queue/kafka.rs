//! A consumer group of a Kafka, as people write it.

use super::CredentialSource;
use schemars::JsonSchema;
use serde::Deserialize;

/// The messages of a Kafka that a consumer group has before it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KafkaSignal {
    /// Brokers to begin with: `host:9092,host:9092`.
    pub bootstrap_servers: String,
    /// The consumer group.
    pub consumer_group: String,
    /// The topic; all topics for which the group has committed something when left out.
    pub topic: Option<String>,
    /// Only these partitions: `1,2,4-6`.
    pub partition_limitation: Option<String>,
    /// The HPA's target, for which the lag is capped; 10 when left out.
    pub lag_threshold: Option<u64>,
    /// Where the group begins on a partition for which it has committed nothing; `latest` when
    /// left out.
    pub offset_reset_policy: Option<OffsetResetPolicy>,
    /// Whether the lag may exceed one `lagThreshold` for each partition.
    pub allow_idle_consumers: Option<bool>,
    /// Whether it may not exceed one `lagThreshold` for each partition that has a lag.
    pub limit_to_partitions_with_lag: Option<bool>,
    /// Whether partitions do not count whose committed offset has not moved since the last read.
    pub exclude_persistent_lag: Option<bool>,
    /// Whether a partition for which nothing was committed has no lag.
    pub scale_to_zero_on_invalid_offset: Option<bool>,
    /// Whether the lag is raised to that of a number of consumers by which the partitions can be
    /// divided.
    pub ensure_even_distribution_of_partitions: Option<bool>,
    /// How to log in; not at all when left out.
    pub sasl: Option<Sasl>,
    /// As whom.
    pub username: Option<String>,
    /// As whom, where that is a secret.
    pub username_from: Option<CredentialSource>,
    /// The password; for `oauthbearer` the client's secret, with its id as `username`.
    pub password_from: Option<CredentialSource>,
    /// For `oauthbearer`: where tokens are given.
    pub oauth_token_endpoint_uri: Option<String>,
    /// The same, where that is a secret.
    pub oauth_token_endpoint_uri_from: Option<CredentialSource>,
    /// For `oauthbearer`: what tokens are for, with commas between them.
    pub scopes: Option<String>,
    /// The same, where that is a secret.
    pub scopes_from: Option<CredentialSource>,
    /// For `oauthbearer`: what is shown with a token, as `key=value,key=value`.
    pub oauth_extensions: Option<String>,
    /// The same, where that is a secret.
    pub oauth_extensions_from: Option<CredentialSource>,
    /// For `oauthbearer`: who gives tokens; `bearer` when left out.
    pub sasl_token_provider: Option<TokenProvider>,
    /// Whether to use TLS; not when left out.
    pub tls: Option<Switch>,
    /// The certificates of the authorities to trust, as PEM; the machine's own when left out. The
    /// server that gives tokens may have one of either.
    pub ca_from: Option<CredentialSource>,
    /// The client's own certificate, followed by its issuers, as PEM.
    pub cert_from: Option<CredentialSource>,
    /// The key of that certificate, as PEM and without a password.
    pub key_from: Option<CredentialSource>,
    /// Refused: a key that has a password cannot be read.
    pub key_password_from: Option<CredentialSource>,
    /// Refused when it is `true`: the brokers' certificates are always checked.
    pub unsafe_ssl: Option<bool>,
    /// How long one read may take; 5s when left out.
    pub timeout: Option<String>,
}

/// Where a consumer group begins.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OffsetResetPolicy {
    /// With what comes next.
    Latest,
    /// With the oldest message.
    Earliest,
}

/// How to log in at a Kafka.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Sasl {
    /// Not at all.
    None,
    /// With a name and a password as they are (SASL/PLAIN).
    Plaintext,
    /// With a name, and a proof that the password is known (SCRAM-SHA-256).
    #[serde(rename = "scram_sha256")]
    ScramSha256,
    /// The same with SHA-512 (SCRAM-SHA-512).
    #[serde(rename = "scram_sha512")]
    ScramSha512,
    /// With a token that a server gives for the client's secret (OAUTHBEARER).
    Oauthbearer,
    /// Refused: Kerberos is not spoken.
    Gssapi,
}

/// Who gives the tokens of `oauthbearer`.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum TokenProvider {
    /// The server at `oauthTokenEndpointUri`.
    Bearer,
    /// Refused: the tokens of Amazon MSK are not made.
    AwsMskIam,
}

/// Whether to do something.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Switch {
    /// Yes.
    Enable,
    /// No.
    Disable,
}
