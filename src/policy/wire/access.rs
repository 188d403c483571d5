//! The written shape of how Foresail proves to a source who it is. Secrets stand in files, each read
//! again when it changes.

use schemars::JsonSchema;
use serde::Deserialize;

/// How Foresail proves who it is: exactly one way.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Auth {
    /// A name and a password.
    pub basic: Option<Basic>,
    /// A token.
    pub bearer: Option<Bearer>,
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
