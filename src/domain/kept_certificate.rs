//! The serving certificate that Foresail keeps for itself, with the authority that signed it.

use std::fmt;

/// What the Secret holds, as text in PEM form; a text is empty where there is nothing yet.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct KeptCertificate {
    /// The authorities that are trusted (`ca.crt`), the newest one first.
    pub authorities: String,
    /// The private key of the newest authority (`ca.key`).
    pub authority_key: String,
    /// What is served (`tls.crt`).
    pub certificate: String,
    /// The private key of what is served (`tls.key`).
    pub key: String,
}

impl fmt::Debug for KeptCertificate {
    /// Without the keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptCertificate")
            .field("authorities", &self.authorities)
            .field("certificate", &self.certificate)
            .finish_non_exhaustive()
    }
}
