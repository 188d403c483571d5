//! How Foresail proves to a source who it is, already proved sound: where each secret is kept, never
//! the secret itself.

use std::collections::BTreeMap;

/// What is shown to a server, and how its certificate is checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// What is shown in `Authorization`.
    pub authentication: Option<Authentication>,
    /// Further headers of every request, by name.
    pub headers: BTreeMap<Box<str>, HeaderText>,
    /// Certificates.
    pub tls: Tls,
}

/// The text of a header.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HeaderText {
    /// As it is configured.
    Value(Box<str>),
    /// What stands in this file.
    File(Box<str>),
}

/// Certificates of a connection, in PEM files that may change at any time.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tls {
    /// The authorities to trust; those of the machine without it.
    pub ca_file: Option<Box<str>>,
    /// The client's certificate and its key.
    pub own: Option<(Box<str>, Box<str>)>,
    /// The name that the server's certificate has, where it is not that of the URL.
    pub server_name: Option<Box<str>>,
}

/// Ways to prove who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authentication {
    /// A name and a password.
    Basic {
        /// The name.
        username: Box<str>,
        /// The file with the password.
        password_file: Box<str>,
    },
    /// A token.
    Bearer {
        /// The file with the token.
        token_file: Box<str>,
    },
    /// A token that a server gives for a client's secret (OAuth 2.0, RFC 6749, 4.4).
    OAuth2(Box<OAuth2>),
    /// A token of Microsoft Entra for a workload identity.
    Azure {
        /// What the token is for.
        scope: Box<str>,
    },
    /// A token of Google.
    Google {
        /// What the token is for.
        scope: Box<str>,
        /// The key file of a service account; the machine's own account without it.
        credentials_file: Option<Box<str>>,
    },
    /// A signature of Amazon (SigV4) on each request.
    Aws(Box<Aws>),
}

/// Who asks a server for tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OAuth2 {
    /// Where tokens are given.
    pub token_url: Box<str>,
    /// The client's name.
    pub client_id: Box<str>,
    /// The file with its secret.
    pub client_secret_file: Box<str>,
    /// What the token is for, with a space between two.
    pub scope: Option<Box<str>>,
    /// Further parameters of the request.
    pub parameters: BTreeMap<Box<str>, Box<str>>,
    /// Certificates of that server.
    pub tls: Tls,
}

/// Who signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aws {
    /// Where; as the environment says without it.
    pub region: Option<Box<str>>,
    /// For which service; `aps` for Amazon Managed Prometheus.
    pub service: Box<str>,
    /// The file with the keys and the profile in it; what the environment offers without it.
    pub credentials_file: Option<(Box<str>, Box<str>)>,
    /// The role that is assumed with these keys.
    pub role: Option<Role>,
}

/// A role that somebody assumes at Amazon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// `arn:aws:iam::123456789012:role/name`.
    pub arn: Box<str>,
    /// What the role's owner may want to be told, to tell for whom it is assumed.
    pub external_id: Option<Box<str>>,
}

/// Whether a text is the ARN of a role.
#[must_use]
pub fn is_role(text: &str) -> bool {
    let mut parts = text.splitn(6, ':');
    let mut next = || parts.next().unwrap_or_default();
    let is_arn = next() == "arn" && next().starts_with("aws") && next() == "iam";
    let (region, account, resource) = (next(), next(), next());
    let is_account = account.len() == 12 && account.bytes().all(|it| it.is_ascii_digit());
    let name = resource.strip_prefix("role/").unwrap_or_default();
    let is_plain = |it: u8| it.is_ascii_alphanumeric() || b"+=,.@-_/".contains(&it);
    is_arn && region.is_empty() && is_account && !name.is_empty() && name.bytes().all(is_plain)
}
