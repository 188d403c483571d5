//! The shape of signals that are read from queues, with the parameters of KEDA's scalers of the
//! same names. What is a threshold there is the HPA's business here.

use schemars::JsonSchema;
use serde::Deserialize;

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
