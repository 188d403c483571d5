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
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderText {
    /// As it is configured.
    Value(Box<str>),
    /// What stands in this file.
    File(Box<str>),
}

/// Certificates of a connection, in PEM files that may change at any time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
}
