//! A chain of client certificates: does an authority vouch for it, until when, and for whom?

use crate::domain::identity::User;
use jiff::Timestamp;
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Verifies that one of the authorities in `ca_pem` vouches for `chain` as a client at `now`, and says
/// until when it does; else what is wrong. `whose` the authority is, is for the fault only.
pub(crate) fn verify(
    chain: &[CertificateDer<'static>],
    (ca_pem, whose): (&str, &str),
    now: Timestamp,
) -> Result<Timestamp, String> {
    let (leaf, intermediates) = chain.split_first().ok_or("there is none")?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(
        CertificateDer::pem_slice_iter(ca_pem.as_bytes()).filter_map(Result::ok),
    );
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| format!("the {whose}'s authority is unusable: {error}"))?;
    let seconds = u64::try_from(now.as_second()).unwrap_or(0);
    let at = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    verifier.verify_client_cert(leaf, intermediates, at).map_err(|error| error.to_string())?;
    chain
        .iter()
        .map(|certificate| expiry(certificate))
        .min()
        .flatten()
        .ok_or_else(|| "its validity cannot be read".to_owned())
}

fn expiry(certificate: &CertificateDer<'_>) -> Option<Timestamp> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    Timestamp::from_second(parsed.validity().not_after.timestamp()).ok()
}

/// The one common name; a certificate with several could mean a different one to each reader.
pub(crate) fn common_name(certificate: &CertificateDer<'_>) -> Option<String> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let mut names = parsed.subject().iter_common_name();
    match (names.next(), names.next()) {
        (Some(name), None) => name.as_str().ok().map(ToOwned::to_owned),
        _ => None,
    }
}

/// Whom a user's certificate names: the common name, with the organisations as groups.
pub(crate) fn user(leaf: &CertificateDer<'_>) -> Result<User, String> {
    let name = common_name(leaf).filter(|name| !name.is_empty());
    let name = name.ok_or("it has no common name, or several")?;
    let (_, parsed) =
        X509Certificate::from_der(leaf).map_err(|_| "it cannot be read".to_owned())?;
    let groups: Result<Vec<String>, _> = parsed
        .subject()
        .iter_organization()
        .map(|organisation| organisation.as_str().map(ToOwned::to_owned))
        .collect();
    let groups = groups.map_err(|_| "an organisation is not text".to_owned())?;
    let groups = groups.into_iter().filter(|group| !group.is_empty()).collect();
    Ok(User { name, uid: None, groups, extra: BTreeMap::new() }.known())
}
