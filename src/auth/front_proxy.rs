//! The front proxy of kube-apiserver: is a chain of certificates its, and whom does it name?

use crate::auth::{Stranger, chain};
use crate::domain::identity::{Trust, User};
use crate::domain::limits::door::NAME_BYTES_MAX;
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use rustls::pki_types::CertificateDer;
use std::collections::BTreeMap;
use std::str::from_utf8;

/// How headers begin with which a client asks kube-apiserver to be taken for somebody else.
const IMPERSONATE: &str = "impersonate-";

/// Verifies that `chain` is the front proxy's at `now`, and says until when it is.
pub(crate) fn verify(
    chain: &[CertificateDer<'static>],
    trust: &Trust,
    now: Timestamp,
) -> Result<Timestamp, Stranger> {
    let expires = chain::verify(chain, (&trust.proxy_ca_pem, "front proxy"), now)
        .map_err(|problem| Stranger::Untrusted { problem })?;
    let name = chain.first().and_then(|leaf| chain::common_name(leaf)).unwrap_or_default();
    let allowed = &trust.allowed_names;
    if allowed.is_empty() || allowed.iter().any(|it| !name.is_empty() && *it == name) {
        Ok(expires)
    } else {
        Err(Stranger::NotAllowed { name })
    }
}

/// Reads the user out of the headers that `trust` names. Only for a verified front proxy.
pub(crate) fn user(headers: &HeaderMap, trust: &Trust) -> Result<User, Stranger> {
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
    Ok(User { name, uid, groups, extra }.known())
}

/// Takes away whatever names a user, so that nothing behind the door can believe it.
pub(crate) fn strip(headers: &mut HeaderMap, trust: &Trust) {
    let Trust { username_headers, uid_headers, group_headers, extra_header_prefixes, .. } = trust;
    for name in [username_headers, uid_headers, group_headers].into_iter().flatten() {
        headers.remove(name.as_str());
    }
    let prefixes: Vec<String> =
        extra_header_prefixes.iter().map(|prefix| prefix.to_ascii_lowercase()).collect();
    let names_user = |name: &&HeaderName| {
        let name = name.as_str();
        name.starts_with(IMPERSONATE) || prefixes.iter().any(|prefix| name.starts_with(prefix))
    };
    let others: Vec<HeaderName> = headers.keys().filter(names_user).cloned().collect();
    for name in others {
        headers.remove(name);
    }
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
    if value.len() > NAME_BYTES_MAX {
        return Err(Stranger::TooLong { header: header.to_owned() });
    }
    from_utf8(value.as_bytes()).map_err(|_| Stranger::NotText { header: header.to_owned() })
}
