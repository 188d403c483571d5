//! The front proxy of kube-apiserver: is a chain of certificates its, and whom does it name?

use crate::auth::Stranger;
use crate::domain::identity::{ProxyTrust, User};
use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use std::collections::BTreeMap;
use std::str::from_utf8;
use std::sync::Arc;
use std::time::Duration;
use x509_parser::prelude::{FromDer, X509Certificate};

const AUTHENTICATED: &str = "system:authenticated";
pub(crate) const UNAUTHENTICATED: &str = "system:unauthenticated";
pub(crate) const ANONYMOUS: &str = "system:anonymous";

/// Verifies that `chain` is the front proxy's at `now`, and says until when it is.
pub(crate) fn verify(
    chain: &[CertificateDer<'static>],
    trust: &ProxyTrust,
    now: Timestamp,
) -> Result<Timestamp, Stranger> {
    let (leaf, intermediates) = chain.split_first().ok_or(Stranger::NoCertificate)?;
    let untrusted = |problem: String| Stranger::Untrusted { problem };
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(
        CertificateDer::pem_slice_iter(trust.client_ca_pem.as_bytes()).filter_map(Result::ok),
    );
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().map_err(
            |error| untrusted(format!("the front proxy's authority is unusable: {error}")),
        )?;
    let seconds = u64::try_from(now.as_second()).unwrap_or(0);
    let at = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    verifier
        .verify_client_cert(leaf, intermediates, at)
        .map_err(|error| untrusted(error.to_string()))?;
    let expires = chain
        .iter()
        .map(|certificate| expiry(certificate))
        .min()
        .flatten()
        .ok_or_else(|| untrusted("its validity cannot be read".to_owned()))?;
    let name = common_name(leaf).unwrap_or_default();
    let allowed = &trust.allowed_names;
    if allowed.is_empty() || allowed.iter().any(|it| !name.is_empty() && *it == name) {
        Ok(expires)
    } else {
        Err(Stranger::NotAllowed { name })
    }
}

fn expiry(certificate: &CertificateDer<'_>) -> Option<Timestamp> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    Timestamp::from_second(parsed.validity().not_after.timestamp()).ok()
}

/// The one common name; a certificate with several could mean a different one to each reader.
fn common_name(certificate: &CertificateDer<'_>) -> Option<String> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let mut names = parsed.subject().iter_common_name();
    match (names.next(), names.next()) {
        (Some(name), None) => name.as_str().ok().map(ToOwned::to_owned),
        _ => None,
    }
}

/// Reads the user out of the headers that `trust` names. Only for a verified front proxy.
pub(crate) fn user(headers: &HeaderMap, trust: &ProxyTrust) -> Result<User, Stranger> {
    let name = first(headers, &trust.username_headers)?.ok_or(Stranger::NoUser)?;
    let uid = first(headers, &trust.uid_headers)?;
    let mut groups = Vec::new();
    for header in &trust.group_headers {
        for value in headers.get_all(header.as_str()) {
            let group = text(header, value)?;
            if !group.is_empty() {
                groups.push(group.to_owned());
            }
        }
    }
    let extra = extra(headers, &trust.extra_header_prefixes)?;
    // The API server passes its own anonymous requests on under this name.
    let settled = |group: &String| group == AUTHENTICATED || group == UNAUTHENTICATED;
    if name != ANONYMOUS && !groups.iter().any(settled) {
        groups.push(AUTHENTICATED.to_owned());
    }
    Ok(User { name, uid, groups, extra })
}

/// The first value of the first header that is there and not empty. A second value of the same
/// header is never read, so that one appended by somebody else changes nothing.
fn first(headers: &HeaderMap, names: &[String]) -> Result<Option<String>, Stranger> {
    for header in names {
        if let Some(value) = headers.get(header.as_str()) {
            let value = text(header, value)?;
            if !value.is_empty() {
                return Ok(Some(value.to_owned()));
            }
        }
    }
    Ok(None)
}

fn extra(
    headers: &HeaderMap,
    prefixes: &[String],
) -> Result<BTreeMap<String, Vec<String>>, Stranger> {
    let mut extra: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for prefix in prefixes {
        let prefix = prefix.to_ascii_lowercase();
        for (header, value) in headers {
            // Header names are in lower case already.
            let Some(key) = header.as_str().strip_prefix(&prefix) else { continue };
            let decoded = percent_decode_str(key).decode_utf8();
            let key = decoded.map_or_else(|_| key.to_owned(), |key| key.into_owned());
            let value = text(header.as_str(), value)?;
            extra.entry(key).or_default().push(value.to_owned());
        }
    }
    Ok(extra)
}

fn text<'a>(header: &str, value: &'a HeaderValue) -> Result<&'a str, Stranger> {
    from_utf8(value.as_bytes()).map_err(|_| Stranger::NotText { header: header.to_owned() })
}
