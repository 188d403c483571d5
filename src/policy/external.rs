//! What holds for external metrics beside another server of them, already proved sound.

use crate::policy::access::Access;

/// What holds for external metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalMetrics {
    /// Whether they are served at all.
    pub is_served: bool,
    /// Who is asked for those that are not known here.
    pub fallback: Option<Fallback>,
}

/// Another server of external metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fallback {
    /// What people are told that it is.
    pub name: Box<str>,
    /// Where it is, without a slash at the end; https.
    pub url: Box<str>,
    /// As whom it is asked.
    pub identity: FallbackIdentity,
    /// What is shown to it, and how its certificate is checked.
    pub access: Access,
}

/// As whom another server is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FallbackIdentity {
    /// As the account that `access` proves.
    Account,
    /// As the caller, whom headers name; `access` has a front proxy's certificate.
    Caller,
}

impl Default for ExternalMetrics {
    fn default() -> Self {
        Self { is_served: true, fallback: None }
    }
}
