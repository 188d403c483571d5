//! The other end of one connection, and what was found out about it.

use crate::auth::{Now, Stranger, chain, front_proxy};
use crate::domain::identity::{Trust, User};
use crate::domain::limits;
use rustls::pki_types::CertificateDer;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// The other end of one connection; made once for each, so that a request costs no signature check.
#[derive(Debug, Default)]
pub struct Peer {
    chain: Vec<CertificateDer<'static>>,
    /// Whether it is the front proxy, which speaks for others.
    proxy: Mutex<Option<Finding<()>>>,
    /// Whether it is a user, who speaks for itself.
    user: Mutex<Option<Finding<Arc<User>>>>,
}

/// What a chain of certificates came to under one trust.
#[derive(Debug)]
struct Finding<T> {
    /// Held, so that its address cannot be taken by another one.
    trust: Arc<Trust>,
    /// What was found, and until when that is so.
    result: Result<(T, jiff::Timestamp), Stranger>,
    at: Instant,
}

impl Peer {
    /// A peer that proved to hold the private key of the first certificate of `chain`; an empty
    /// chain is a peer without a certificate.
    #[must_use]
    pub fn new(chain: Vec<CertificateDer<'static>>) -> Self {
        Self { chain, ..Self::default() }
    }

    /// Whether it showed a certificate.
    pub(crate) fn has_certificate(&self) -> bool {
        !self.chain.is_empty()
    }

    /// Whether this is the front proxy that `trust` describes, by a check that is made again when
    /// the trust has been replaced, when a certificate expires, and for a stranger now and then.
    pub(crate) fn is_front_proxy(&self, trust: &Arc<Trust>, now: Now) -> Result<(), Stranger> {
        let verify = || Ok(((), front_proxy::verify(&self.chain, trust, now.time)?));
        find(&self.proxy, trust, now, verify)
    }

    /// Whose certificate this is by the authority of users, checked like the front proxy's; `None`
    /// where the cluster has no such authority.
    pub(crate) fn user(&self, trust: &Arc<Trust>, now: Now) -> Option<Result<User, Stranger>> {
        let ca_pem = trust.user_ca_pem.as_deref()?;
        let verify = || {
            let untrusted = |problem| Stranger::Untrusted { problem };
            let expires =
                chain::verify(&self.chain, (ca_pem, "users"), now.time).map_err(untrusted)?;
            let leaf = self.chain.first().ok_or_else(|| untrusted("there is none".to_owned()))?;
            Ok((Arc::new(chain::user(leaf).map_err(untrusted)?), expires))
        };
        Some(find(&self.user, trust, now, verify).map(|user| User::clone(&user)))
    }
}

/// What is known, or is found out now.
fn find<T: Clone>(
    place: &Mutex<Option<Finding<T>>>,
    trust: &Arc<Trust>,
    now: Now,
    verify: impl FnOnce() -> Result<(T, jiff::Timestamp), Stranger>,
) -> Result<T, Stranger> {
    let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
    let result = match place.as_ref().filter(|it| it.holds(trust, now)) {
        Some(known) => known.result.clone(),
        None => {
            let result = verify();
            let (trust, at) = (Arc::clone(trust), now.instant);
            *place = Some(Finding { trust, result: result.clone(), at });
            result
        }
    };
    result.map(|(found, _)| found)
}

impl<T> Finding<T> {
    fn holds(&self, trust: &Arc<Trust>, now: Now) -> bool {
        Arc::ptr_eq(&self.trust, trust)
            && match &self.result {
                Ok((_, expires)) => now.time <= *expires,
                // A certificate may become valid, but a stranger shall not keep us busy.
                Err(_) => now.instant.saturating_duration_since(self.at) < limits::DECISION_TTL,
            }
    }
}
