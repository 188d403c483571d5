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
    /// The password.
    pub password_from: Option<CredentialSource>,
    /// Whether to use TLS; not when left out.
    pub tls: Option<Switch>,
    /// The certificates of the authorities to trust, as PEM; the machine's own when left out.
    pub ca_from: Option<CredentialSource>,
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
