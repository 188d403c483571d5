//! The written shape of how Foresail proves to a source who it is. Secrets stand in files, each read
//! again when it changes.

use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// How Foresail proves who it is: exactly one way.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Auth {
    /// A name and a password.
    pub basic: Option<Basic>,
    /// A token.
    pub bearer: Option<Bearer>,
    /// A token that a server gives for a client's secret (client credentials).
    pub oauth2: Option<OAuth2>,
    /// A token of Microsoft Entra, by workload identity.
    pub azure: Option<Azure>,
    /// A token of Google: of the machine's own account, or of a service account's key file.
    pub google: Option<Google>,
    /// Signatures of Amazon (SigV4), with keys of the environment (EKS Pod Identity, web identity, the
    /// node) or a file.
    pub aws: Option<Aws>,
}

/// A token that a server gives for a client's secret.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OAuth2 {
    /// Where tokens are given.
    pub token_url: String,
    /// The client's name.
    pub client_id: String,
    /// The file with the client's secret.
    pub client_secret_file: String,
    /// What the token is for.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// For whom the token is.
    pub audience: Option<String>,
    /// Further parameters of the request.
    #[serde(default)]
    pub endpoint_params: BTreeMap<String, String>,
    /// Certificates of the connection to that server.
    pub tls: Option<Tls>,
}

/// A token of Microsoft Entra.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Azure {
    /// What the token is for; Azure Monitor's Prometheus when left out.
    pub scope: Option<String>,
}

/// A token of Google.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Google {
    /// The key file of a service account, or that of an external account (workload identity
    /// federation); the machine's own account when left out.
    pub credentials_file: Option<String>,
    /// What the token is for; reading metrics when left out.
    pub scope: Option<String>,
}

/// Signatures of Amazon.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Aws {
    /// The region; as the URL or the environment says when left out.
    pub region: Option<String>,
    /// The service; `aps` when left out.
    pub service: Option<String>,
    /// A file with keys, as AWS' own tools write it; what the environment offers when left out.
    pub credentials_file: Option<String>,
    /// The profile in that file; `default` when left out.
    pub profile: Option<String>,
    /// The role that is assumed with the keys; none when left out.
    pub role_arn: Option<String>,
    /// What the role's owner wants to be told (`sts:ExternalId`); nothing when left out.
    pub external_id: Option<String>,
}

/// A name and a password.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Basic {
    /// The name.
    pub username: String,
    /// The file with the password.
    pub password_file: String,
}

/// A token.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Bearer {
    /// The file with the token.
    pub token_file: String,
}

/// The text of a header: exactly one of the two.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Header {
    /// The text.
    pub value: Option<String>,
    /// The file with the text, where it is a secret.
    pub value_file: Option<String>,
}

/// Certificates of a connection, in PEM files.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tls {
    /// The authorities to trust; those of the machine when left out.
    pub ca_file: Option<String>,
    /// The client's certificate, followed by its issuers.
    pub cert_file: Option<String>,
    /// The key of the client's certificate.
    pub key_file: Option<String>,
    /// The name that the server's certificate has, where it is not that of the URL.
    pub server_name: Option<String>,
}
