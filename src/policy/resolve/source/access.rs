//! From the written shape of how Foresail proves who it is to what is shown.

use super::{Faults, checked_url};
use crate::document::fault::Fault;
use crate::document::path::Path;
use crate::policy::access::{Access, Authentication, HeaderText, Tls};
use crate::policy::wire;
use crate::policy::wire::access as written;
use std::collections::BTreeMap;

/// Headers that belong to the connection, or that Foresail writes itself.
const OWN_HEADERS: [&str; 8] = [
    "accept-encoding",
    "connection",
    "content-length",
    "content-type",
    "host",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// Parameters that Foresail writes itself.
const OWN_PARAMETERS: [&str; 6] = ["query", "time", "start", "end", "step", "lookback_delta"];

/// Settles who asks, and how the server is checked; `None` when something is wrong with it.
pub(super) fn resolve(
    wire: &wire::PrometheusSource,
    path: &Path,
    faults: &mut Faults,
) -> Option<Access> {
    let before = faults.0.len();
    let authentication = match &wire.auth {
        Some(auth) => authentication(auth, &path.key("auth"), faults),
        None => None,
    };
    let headers = headers(wire, &path.key("headers"), faults);
    let tls = match &wire.tls {
        Some(tls) => {
            let path = path.key("tls");
            if !wire.url.starts_with("https:") {
                let fault = Fault::new(path.clone(), "`tls` of a source that speaks http");
                faults.add(fault.hint("write an https URL, or leave `tls` out"));
            }
            certificates(tls, &path, faults)
        }
        None => Tls::default(),
    };
    (faults.0.len() == before).then_some(Access { authentication, headers, tls })
}

/// Parameters of every query.
pub(super) fn parameters(
    wire: &BTreeMap<String, String>,
    path: &Path,
    faults: &mut Faults,
) -> BTreeMap<Box<str>, Box<str>> {
    for name in wire.keys().filter(|it| OWN_PARAMETERS.contains(&it.as_str())) {
        let fault = Fault::new(path.key(name), "Foresail writes this parameter itself");
        faults.add(fault.hint("leave it out"));
    }
    wire.iter().map(|(name, text)| (name.as_str().into(), text.as_str().into())).collect()
}

fn authentication(
    wire: &written::Auth,
    path: &Path,
    faults: &mut Faults,
) -> Option<Authentication> {
    let written::Auth { basic, bearer } = wire;
    match (basic, bearer) {
        (Some(basic), None) => {
            let written::Basic { username, password_file } = basic;
            let path = path.key("basic");
            if username.contains(':') {
                let fault = Fault::new(path.key("username"), "a name cannot have a `:`");
                faults.add(fault.hint("what follows it would be taken for the password"));
            }
            let password_file = file(password_file, &path.key("passwordFile"), faults);
            Some(Authentication::Basic { username: username.as_str().into(), password_file })
        }
        (None, Some(written::Bearer { token_file })) => {
            let token_file = file(token_file, &path.key("bearer").key("tokenFile"), faults);
            Some(Authentication::Bearer { token_file })
        }
        _ => {
            let fault = Fault::new(path.clone(), "expected exactly one way to prove who asks");
            faults.add(fault.hint("write one of `basic` and `bearer`"));
            None
        }
    }
}

fn headers(
    wire: &wire::PrometheusSource,
    path: &Path,
    faults: &mut Faults,
) -> BTreeMap<Box<str>, HeaderText> {
    let mut headers = BTreeMap::new();
    for (name, text) in &wire.headers {
        let path = path.key(name);
        let mut refuse = |problem: &str, hint: &str| {
            faults.add(Fault::new(path.clone(), problem).hint(hint));
        };
        let Ok(known) = http::HeaderName::from_bytes(name.as_bytes()) else {
            refuse("not the name of a header", "use letters, digits and `-`");
            continue;
        };
        if OWN_HEADERS.contains(&known.as_str()) {
            refuse("Foresail writes this header itself", "leave it out");
        }
        if known == http::header::AUTHORIZATION && wire.auth.is_some() {
            refuse("`auth` writes this header", "leave one of the two out");
        }
        let text = match (&text.value, &text.value_file) {
            (Some(value), None) => {
                if http::HeaderValue::from_str(value).is_err() {
                    refuse("not the text of a header", "leave out line breaks and the like");
                }
                HeaderText::Value(value.as_str().into())
            }
            (None, Some(value_file)) => {
                HeaderText::File(file(value_file, &path.key("valueFile"), faults))
            }
            _ => {
                let hint = "a secret belongs into a file";
                refuse("expected exactly one of `value` and `valueFile`", hint);
                continue;
            }
        };
        if headers.insert(known.as_str().into(), text).is_some() {
            let fault = Fault::new(path, "this header is written twice");
            faults.add(fault.hint("names of headers do not tell upper from lower case"));
        }
    }
    headers
}

fn certificates(wire: &written::Tls, path: &Path, faults: &mut Faults) -> Tls {
    let written::Tls { ca_file, cert_file, key_file, server_name } = wire;
    let ca_file = ca_file.as_ref().map(|it| file(it, &path.key("caFile"), faults));
    let own = match (cert_file, key_file) {
        (Some(certificate), Some(key)) => Some((
            file(certificate, &path.key("certFile"), faults),
            file(key, &path.key("keyFile"), faults),
        )),
        (None, None) => None,
        _ => {
            let problem = "`certFile` and `keyFile` belong together";
            faults.add(Fault::new(path.clone(), problem).hint("write both or none"));
            None
        }
    };
    if let Some(name) = server_name {
        let is_name = name.chars().any(|it| it.is_ascii_alphabetic())
            && checked_url(&format!("https://{name}"), &path.key("serverName"), faults).is_some();
        if !is_name || name.contains([':', '/', '[']) {
            let fault = Fault::new(path.key("serverName"), "expected a name of the DNS");
            faults.add(fault.hint("write the name that the server's certificate has"));
        }
    }
    Tls { ca_file, own, server_name: server_name.as_deref().map(Into::into) }
}

/// The path of a file. Whether it can be read shows when it is needed: a mounted Secret may come
/// later.
fn file(text: &str, path: &Path, faults: &mut Faults) -> Box<str> {
    if text.trim().is_empty() {
        let fault = Fault::new(path.clone(), "expected the path of a file");
        faults.add(fault.hint("write where the Secret is mounted, e.g. `/etc/foresail/token`"));
    }
    text.into()
}

#[cfg(test)]
mod tests;
