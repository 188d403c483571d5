//! The other end of one connection, and what was found out about it.

use crate::auth::{Now, Stranger, front_proxy};
use crate::domain::identity::ProxyTrust;
use crate::domain::limits;
use rustls::pki_types::CertificateDer;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// The other end of one connection; made once for each, so that a request costs no signature check.
#[derive(Debug, Default)]
pub struct Peer {
    chain: Vec<CertificateDer<'static>>,
    finding: Mutex<Option<Finding>>,
}

/// What a chain of certificates came to under one trust.
#[derive(Debug)]
struct Finding {
    /// Held, so that its address cannot be taken by another one.
    trust: Arc<ProxyTrust>,
    result: Result<jiff::Timestamp, Stranger>,
    at: Instant,
}

impl Peer {
    /// A peer that proved to hold the private key of the first certificate of `chain`; an empty
    /// chain is a peer without a certificate.
    #[must_use]
    pub fn new(chain: Vec<CertificateDer<'static>>) -> Self {
        Self { chain, finding: Mutex::new(None) }
    }

    /// Whether this is the front proxy that `trust` describes, by a check that is made again when
    /// the trust has been replaced, when a certificate expires, and for a stranger now and then.
    pub(crate) fn is_front_proxy(&self, trust: &Arc<ProxyTrust>, now: Now) -> Result<(), Stranger> {
        if self.chain.is_empty() {
            return Err(Stranger::NoCertificate);
        }
        let mut finding = self.finding.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = finding.as_ref().filter(|it| it.holds(trust, now)) {
            return known.result.clone().map(drop);
        }
        let result = front_proxy::verify(&self.chain, trust, now.time);
        let answer = result.clone().map(drop);
        *finding = Some(Finding { trust: Arc::clone(trust), result, at: now.instant });
        answer
    }
}

impl Finding {
    fn holds(&self, trust: &Arc<ProxyTrust>, now: Now) -> bool {
        Arc::ptr_eq(&self.trust, trust)
            && match &self.result {
                Ok(expires) => now.time <= *expires,
                // A certificate may become valid, but a stranger shall not keep us busy.
                Err(_) => now.instant.saturating_duration_since(self.at) < limits::DECISION_TTL,
            }
    }
}
