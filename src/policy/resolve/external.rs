//! What is said about external metrics beside another server of them. A fault there is one of the whole: it
//! concerns what all publish.

use super::source::access::{certificates, file};
use super::source::checked_url;
use super::{Faults, decode};
use crate::document::fault::Fault;
use crate::document::path::Path;
use crate::document::yaml::Node;
use crate::domain::name::{Namespace, ObjectName};
use crate::policy::access::{Access, Authentication, Tls};
use crate::policy::external::{ExternalMetrics, Fallback, FallbackIdentity};
use crate::policy::wire::external as written;

/// Where every pod finds the token of its own account.
const OWN_TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/";

/// What a configuration says under `externalMetrics`, and what in it may mislead.
pub(super) fn settle(
    document: &Node,
    faults: &mut Vec<Fault>,
    warnings: &mut Vec<Fault>,
) -> ExternalMetrics {
    let path = Path::default().key("externalMetrics");
    let Some(node) = document.get("externalMetrics") else { return ExternalMetrics::default() };
    let within = faults.iter().filter(|it| it.path.is_within(&path)).cloned().collect();
    let mut own = Faults(within);
    let known = own.0.len();
    let wire = decode::<written::ExternalMetrics>(node, &path, &mut own);
    let settled = wire.map(|wire| {
        let written::ExternalMetrics { serve, fallback } = wire;
        let is_served = serve.unwrap_or(true);
        let path = path.key("fallback");
        if fallback.is_some() && !is_served {
            let fault = Fault::new(path.clone(), "nobody is asked for what is not served");
            own.add(fault.hint("leave `fallback` or `serve: false` out"));
        }
        let fallback = fallback.and_then(|it| resolve(&it, &path, &mut own));
        warnings.extend(fallback.as_ref().and_then(|it| own_token(it, &path)));
        ExternalMetrics { is_served, fallback }
    });
    faults.extend(own.0.into_iter().skip(known));
    settled.unwrap_or_default()
}

fn resolve(wire: &written::Fallback, path: &Path, faults: &mut Faults) -> Option<Fallback> {
    let written::Fallback { service, url, identity, token_file, tls } = wire;
    let place = match (service, url) {
        (Some(service), None) => of_service(service, &path.key("service"), faults),
        (None, Some(url)) => of_url(url, &path.key("url"), faults),
        _ => {
            let fault = Fault::new(path.clone(), "expected exactly one of `service` and `url`");
            faults.add(fault.hint("write the Service that its APIService would name"));
            None
        }
    };
    let at = place.as_ref().map_or("https:", |(_, url)| url);
    let tls = tls.as_ref().map(|it| certificates(it, at, &path.key("tls"), faults));
    let tls = tls.unwrap_or_default();
    if service.is_some() && tls.ca_file.is_none() {
        let problem = "expected `tls.caFile`: no authority of the machine knows a Service";
        let hint =
            "write where the certificate is mounted that the APIService had as its `caBundle`";
        faults.add(Fault::new(path.clone(), problem).hint(hint));
    }
    let identity = match identity.unwrap_or(written::FallbackIdentity::Account) {
        written::FallbackIdentity::Account => FallbackIdentity::Account,
        written::FallbackIdentity::Caller => FallbackIdentity::Caller,
    };
    check_proof(identity, token_file.as_deref(), &tls, path, faults);
    let token_file = token_file.as_ref().map(|it| file(it, &path.key("tokenFile"), faults));
    let (name, url) = place?;
    let authentication = token_file.map(|token_file| Authentication::Bearer { token_file });
    let access = Access { authentication, tls, ..Access::default() };
    Some(Fallback { name, url, identity, access })
}

/// Who shows nothing is let in nowhere, and who names others has to prove that it may.
fn check_proof(
    identity: FallbackIdentity,
    token_file: Option<&str>,
    tls: &Tls,
    path: &Path,
    faults: &mut Faults,
) {
    let (path, problem, hint) = match (identity, token_file.is_some(), tls.own.is_some()) {
        (FallbackIdentity::Account, true, false)
        | (FallbackIdentity::Account, false, true)
        | (FallbackIdentity::Caller, false, true) => return,
        (FallbackIdentity::Account, true, true) => (
            path.key("tokenFile"),
            "a token beside a client's certificate: two accounts",
            "leave one of the two out",
        ),
        (FallbackIdentity::Account, false, false) => (
            path.clone(),
            "nothing proves to the server who asks",
            "write `tokenFile` with the token of an account that may list external.metrics.k8s.io",
        ),
        (FallbackIdentity::Caller, _, false) => (
            path.key("identity"),
            "a caller can only be named with a front proxy's certificate",
            "write `tls.certFile` and `tls.keyFile` with a certificate of the cluster's front-proxy \
             authority, or use `identity: Account`",
        ),
        (FallbackIdentity::Caller, true, true) => (
            path.key("tokenFile"),
            "a token beside a caller's name: two identities",
            "leave `tokenFile` out, or write `identity: Account`",
        ),
    };
    faults.add(Fault::new(path, problem).hint(hint));
}

fn of_service(
    wire: &written::FallbackService,
    path: &Path,
    faults: &mut Faults,
) -> Option<(Box<str>, Box<str>)> {
    let written::FallbackService { namespace, name, port } = wire;
    let namespace = faults.take(path.key("namespace"), Namespace::new(namespace));
    let name = faults.take(path.key("name"), ObjectName::new(name));
    let port = port.unwrap_or(443);
    if !(1..=65_535).contains(&port) {
        let fault = Fault::new(path.key("port"), format!("{port} is no port"));
        faults.add(fault.hint("write the Service's port, or leave it out for 443"));
    }
    let (namespace, name) = (namespace?, name?);
    let url = format!("https://{name}.{namespace}.svc:{port}");
    Some((format!("Service {namespace}/{name}").into(), url.into()))
}

fn of_url(url: &str, path: &Path, faults: &mut Faults) -> Option<(Box<str>, Box<str>)> {
    let url = checked_url(url, path, faults)?;
    if !url.starts_with("https:") {
        let fault = Fault::new(path.clone(), "expected an https URL");
        faults.add(fault.hint("who asks is proved to the right server only"));
        return None;
    }
    Some((url.as_str().into(), url.into()))
}

/// Whoever is shown a token can use it for everything that its account may.
fn own_token(fallback: &Fallback, path: &Path) -> Option<Fault> {
    let Some(Authentication::Bearer { token_file }) = &fallback.access.authentication else {
        return None;
    };
    token_file.starts_with(OWN_TOKEN).then(|| {
        let problem = "the token of Foresail's own account: the server could use it for all that Foresail may";
        let hint = "use an account that may do nothing but list external.metrics.k8s.io";
        Fault::new(path.key("tokenFile"), problem).hint(hint)
    })
}

#[cfg(test)]
mod tests;
