//! From the written shape of how Foresail proves who it is to what is shown.

use super::{Faults, checked_url};
use crate::document::fault::Fault;
use crate::document::path::Path;
use crate::policy::access::{Access, Authentication, Aws, HeaderText, OAuth2, Role, Tls, is_role};
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
const OWN_PARAMETERS: [&str; 7] =
    ["query", "time", "start", "end", "step", "lookback_delta", "nocache"];

/// The same of a request for a token.
const OWN_TOKEN_PARAMETERS: [&str; 4] = ["grant_type", "client_id", "client_secret", "scope"];

/// What tokens are for when nothing else is said: reading metrics.
const AZURE_SCOPE: &str = "https://prometheus.monitor.azure.com/.default";
const GOOGLE_SCOPE: &str = "https://www.googleapis.com/auth/monitoring.read";

/// What is written of a source's server.
#[derive(Clone, Copy)]
pub(super) struct Written<'w> {
    pub(super) url: &'w str,
    pub(super) auth: Option<&'w written::Auth>,
    pub(super) headers: &'w BTreeMap<String, written::Header>,
    pub(super) tls: Option<&'w written::Tls>,
}

/// Settles who asks, and how the server is checked; `None` when something is wrong with it.
pub(super) fn resolve(wire: Written<'_>, path: &Path, faults: &mut Faults) -> Option<Access> {
    let before = faults.0.len();
    let authentication = match wire.auth {
        Some(auth) => authentication(auth, wire.url, &path.key("auth"), faults),
        None => None,
    };
    let headers = headers(wire.headers, wire.auth.is_some(), &path.key("headers"), faults);
    let tls = match wire.tls {
        Some(tls) => certificates(tls, wire.url, &path.key("tls"), faults),
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
    url: &str,
    path: &Path,
    faults: &mut Faults,
) -> Option<Authentication> {
    let written::Auth { basic, bearer, oauth2, azure, google, aws } = wire;
    let basic = basic.as_ref().map(|it| {
        let (username, password_file) = self::basic(it, &path.key("basic"), faults);
        Authentication::Basic { username, password_file }
    });
    let bearer = bearer.as_ref().map(|written::Bearer { token_file }| {
        let token_file = file(token_file, &path.key("bearer").key("tokenFile"), faults);
        Authentication::Bearer { token_file }
    });
    let oauth2 = oauth2.as_ref().map(|it| self::oauth2(it, &path.key("oauth2"), faults));
    let azure = azure.as_ref().map(|written::Azure { scope }| Authentication::Azure {
        scope: scope.as_deref().unwrap_or(AZURE_SCOPE).into(),
    });
    let google = google.as_ref().map(|written::Google { credentials_file, scope }| {
        let path = path.key("google").key("credentialsFile");
        Authentication::Google {
            scope: scope.as_deref().unwrap_or(GOOGLE_SCOPE).into(),
            credentials_file: credentials_file.as_ref().map(|it| file(it, &path, faults)),
        }
    });
    let aws = aws.as_ref().map(|it| self::aws(it, url, &path.key("aws"), faults));
    let mut given = [basic, bearer, oauth2, azure, google, aws].into_iter().flatten();
    match (given.next(), given.next()) {
        (Some(one), None) => Some(one),
        _ => {
            let fault = Fault::new(path.clone(), "expected exactly one way to prove who asks");
            let hint = "write one of `basic`, `bearer`, `oauth2`, `azure`, `google` and `aws`";
            faults.add(fault.hint(hint));
            None
        }
    }
}

/// A name, and the file with its password.
pub(in crate::policy::resolve) fn basic(
    wire: &written::Basic,
    path: &Path,
    faults: &mut Faults,
) -> (Box<str>, Box<str>) {
    let written::Basic { username, password_file } = wire;
    if username.contains(':') {
        let fault = Fault::new(path.key("username"), "a name cannot have a `:`");
        faults.add(fault.hint("what follows it would be taken for the password"));
    }
    let password_file = file(password_file, &path.key("passwordFile"), faults);
    (username.as_str().into(), password_file)
}

fn oauth2(wire: &written::OAuth2, path: &Path, faults: &mut Faults) -> Authentication {
    let written::OAuth2 {
        token_url,
        client_id,
        client_secret_file,
        scopes,
        audience,
        endpoint_params,
        tls,
    } = wire;
    // Where something is wrong with it, nobody asks it.
    let url = checked_url(token_url, &path.key("tokenUrl"), faults).unwrap_or_default();
    let client_secret_file = file(client_secret_file, &path.key("clientSecretFile"), faults);
    let mut parameters = BTreeMap::new();
    for (name, text) in endpoint_params {
        if OWN_TOKEN_PARAMETERS.contains(&name.as_str()) {
            let path = path.key("endpointParams").key(name);
            let fault = Fault::new(path, "Foresail writes this parameter itself");
            faults.add(fault.hint("leave it out; scopes have a key of their own"));
        }
        parameters.insert(name.as_str().into(), text.as_str().into());
    }
    parameters.extend(audience.as_deref().map(|it| ("audience".into(), it.into())));
    let tls = tls.as_ref().map(|it| certificates(it, &url, &path.key("tls"), faults));
    Authentication::OAuth2(Box::new(OAuth2 {
        token_url: url.into(),
        client_id: client_id.as_str().into(),
        client_secret_file,
        scope: (!scopes.is_empty()).then(|| scopes.join(" ").into()),
        parameters,
        tls: tls.unwrap_or_default(),
    }))
}

fn aws(wire: &written::Aws, url: &str, path: &Path, faults: &mut Faults) -> Authentication {
    let written::Aws { region, service, credentials_file, profile, role_arn, external_id } = wire;
    if role_arn.as_deref().is_some_and(|it| !is_role(it)) {
        let fault = Fault::new(path.key("roleArn"), "not the ARN of a role");
        faults.add(fault.hint("write it as AWS does: `arn:aws:iam::123456789012:role/name`"));
    }
    if external_id.is_some() && role_arn.is_none() {
        let fault = Fault::new(path.key("externalId"), "is told of no role");
        faults.add(fault.hint("write `roleArn`, too"));
    }
    let role = role_arn
        .as_deref()
        .map(|arn| Role { arn: arn.into(), external_id: external_id.as_deref().map(Into::into) });
    if profile.is_some() && credentials_file.is_none() {
        let fault = Fault::new(path.key("profile"), "a profile of no file");
        faults.add(fault.hint("write `credentialsFile`, too"));
    }
    let credentials_file = credentials_file.as_ref().map(|it| {
        let profile = profile.as_deref().unwrap_or("default");
        (file(it, &path.key("credentialsFile"), faults), profile.into())
    });
    // https://aps-workspaces.REGION.amazonaws.com/…
    let mut labels = url.split(['/', '.']).skip_while(|it| *it != "aps-workspaces");
    let of_url = labels.nth(1).filter(|_| labels.next() == Some("amazonaws"));
    Authentication::Aws(Box::new(Aws {
        region: region.as_deref().or(of_url).map(Into::into),
        service: service.as_deref().unwrap_or("aps").into(),
        credentials_file,
        role,
    }))
}

/// Headers; `has_auth` where another key writes `Authorization`.
pub(in crate::policy::resolve) fn headers(
    wire: &BTreeMap<String, written::Header>,
    has_auth: bool,
    path: &Path,
    faults: &mut Faults,
) -> BTreeMap<Box<str>, HeaderText> {
    let mut headers = BTreeMap::new();
    for (name, text) in wire {
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
        if known == http::header::AUTHORIZATION && has_auth {
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

/// Certificates of the server at `url`.
pub(in crate::policy::resolve) fn certificates(
    wire: &written::Tls,
    url: &str,
    path: &Path,
    faults: &mut Faults,
) -> Tls {
    if !url.starts_with("https:") {
        let fault = Fault::new(path.clone(), "`tls` of a server that speaks http");
        faults.add(fault.hint("write an https URL, or leave `tls` out"));
    }
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
pub(in crate::policy::resolve) fn file(text: &str, path: &Path, faults: &mut Faults) -> Box<str> {
    if text.trim().is_empty() {
        let fault = Fault::new(path.clone(), "expected the path of a file");
        faults.add(fault.hint("write where the Secret is mounted, e.g. `/etc/foresail/token`"));
    }
    text.into()
}

#[cfg(test)]
mod tests;
