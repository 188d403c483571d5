//! Foresail's own authority: what is to be done about the serving certificate now, and doing it. Pure:
//! what is kept and the time go in, the next content comes out; where it is kept is not known here.
//!
//! A new authority is trusted before it signs what is served: it first stands beside the old one among
//! those that the APIServices name, and the old one stays there as long as it is valid. So no replica
//! ever serves what kube-apiserver does not trust, whichever of them reads first.

mod issue;
#[cfg(test)]
mod tests;

use crate::domain::kept_certificate::KeptCertificate;
use crate::tls::TlsError;
use issue::{Authority, Leaf};
use jiff::{SignedDuration, Timestamp};

/// How long an authority is valid.
const AUTHORITY_LIFE: SignedDuration = SignedDuration::from_hours(24 * 3_650);
/// How long a serving certificate is valid.
const LEAF_LIFE: SignedDuration = SignedDuration::from_hours(24 * 90);
/// How much earlier validity begins, for clocks that are behind.
const EARLY: SignedDuration = SignedDuration::from_hours(1);
/// How long an authority is trusted before it signs: every kube-apiserver has seen it by then, also one
/// that was cut off.
const SETTLE: SignedDuration = SignedDuration::from_hours(1);

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    Rest,
    /// There is no authority that can sign: make one, and sign with it at once.
    Begin,
    /// The authority has lived two thirds of its life: put a new one beside it.
    Succeed,
    /// Sign a new serving certificate.
    Sign,
    /// Forget authorities that have expired.
    Prune,
}

/// Whom the serving certificate names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerNames(Vec<String>);

impl ServerNames {
    /// The names of `service` in `namespace`, and those of this machine for whoever forwards a port.
    #[must_use]
    pub fn of_service(service: &str, namespace: &str) -> Self {
        let within = format!("{service}.{namespace}");
        Self(vec![
            format!("{within}.svc"),
            format!("{within}.svc.cluster.local"),
            within,
            "localhost".to_owned(),
            "127.0.0.1".to_owned(),
        ])
    }
}

/// What to do about `kept`; `is_trusted` says whether the APIServices name its authorities.
#[must_use]
pub fn plan(kept: &KeptCertificate, names: &ServerNames, is_trusted: bool, now: Timestamp) -> Step {
    let authorities = issue::authorities(&kept.authorities);
    let Some(newest) = authorities.first().filter(|it| it.is_signing(kept, now)) else {
        return Step::Begin;
    };
    if newest.span.is_due(now) {
        return Step::Succeed;
    }
    let leaf = issue::leaf(kept).filter(|it| it.names == names.0 && it.span.holds(now));
    let signer = leaf.as_ref().and_then(|leaf| signer(&authorities, leaf, now));
    let (Some(leaf), Some(signer)) = (leaf, signer) else { return Step::Sign };
    let is_settled = newest.span.from.saturating_add(EARLY + SETTLE).is_ok_and(|it| it <= now);
    let is_ready = signer == 0 || (is_trusted && is_settled);
    if is_ready && (leaf.span.is_due(now) || signer > 0) {
        return Step::Sign;
    }
    if authorities.iter().all(|it| it.span.holds(now)) { Step::Rest } else { Step::Prune }
}

/// Which of the authorities that hold has signed the certificate.
fn signer(authorities: &[Authority], leaf: &Leaf, now: Timestamp) -> Option<usize> {
    authorities.iter().position(|it| it.span.holds(now) && leaf.is_signed_by(it))
}

/// What is to be kept after `step`.
///
/// # Errors
/// `TlsError::Authority` if a certificate cannot be made.
pub fn take(
    step: Step,
    kept: &KeptCertificate,
    names: &ServerNames,
    now: Timestamp,
) -> Result<KeptCertificate, TlsError> {
    let valid = || issue::valid_authorities(&kept.authorities, now);
    match step {
        Step::Rest => Ok(kept.clone()),
        Step::Prune => Ok(KeptCertificate { authorities: valid(), ..kept.clone() }),
        Step::Sign => issue::sign(kept, names, now),
        Step::Succeed => {
            let (certificate, authority_key) = issue::authority(now)?;
            let authorities = certificate + &valid();
            Ok(KeptCertificate { authorities, authority_key, ..kept.clone() })
        }
        Step::Begin => {
            let (certificate, authority_key) = issue::authority(now)?;
            // Those of old stay trusted, for replicas that have not read the new certificate yet.
            let authorities = certificate + &valid();
            issue::sign(&KeptCertificate { authorities, authority_key, ..kept.clone() }, names, now)
        }
    }
}
