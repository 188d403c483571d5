//! What the configuration file says about external metrics beside another server of them, as people
//! write it.

use super::access::Tls;
use schemars::JsonSchema;
use serde::Deserialize;

/// What holds for external metrics.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExternalMetrics {
    /// Whether external.metrics.k8s.io is served at all; `true` when left out. With `false` no APIService
    /// may lead here.
    pub serve: Option<bool>,
    /// Who is asked for the metrics that neither a policy nor a rule has.
    pub fallback: Option<Fallback>,
}

/// Another server of external metrics.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fallback {
    /// The Service in front of it.
    pub service: Option<FallbackService>,
    /// Where it is, when that is no Service: `https://host:port`.
    pub url: Option<String>,
    /// As whom it is asked; `Account` when left out.
    pub identity: Option<FallbackIdentity>,
    /// The file with the token of the account, for `Account`.
    pub token_file: Option<String>,
    /// Certificates of the connection. The client's is the account's, or for `Caller` a front proxy's.
    pub tls: Option<Tls>,
}

/// A Service.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FallbackService {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its port; 443 when left out.
    pub port: Option<u32>,
}

/// As whom another server is asked.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub enum FallbackIdentity {
    /// As an account that may read its metrics; the cluster has said before that the caller may.
    Account,
    /// As the caller, named in headers that only a front proxy's certificate makes believable.
    Caller,
}
