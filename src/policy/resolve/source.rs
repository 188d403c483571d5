//! From the written shape of a source to its settings.

pub(in crate::policy::resolve) mod access;
mod pods;

use super::Faults;
use crate::document::fault::Fault;
use crate::document::path::Path;
use crate::domain::duration;
use crate::domain::limits;
use crate::domain::name::SourceName;
use crate::policy::{QueryMethod, SourceKind, SourceSettings};
use crate::policy::{promql, wire};
use std::time::Duration;

/// The label that names the namespace of a series when a source names none.
const NAMESPACE_LABEL: &str = "namespace";

/// Settles one source; `None` when something is wrong with it.
pub(super) fn resolve(
    wire: &wire::Source,
    path: &Path,
    faults: &mut Faults,
) -> Option<SourceSettings> {
    let wire::Source { name, prometheus, scrape } = wire;
    let name = faults.take(path.key("name"), SourceName::new(name));
    let (kind, timeout) = match (prometheus, scrape) {
        (Some(prometheus), None) => {
            let path = path.key("prometheus");
            let timeout = prometheus.timeout.as_deref();
            let timeout = checked_timeout(timeout, &path.key("timeout"), faults);
            (resolve_prometheus(prometheus, &path, faults), timeout)
        }
        (None, Some(scrape)) => resolve_scrape(scrape, &path.key("scrape"), faults).unzip(),
        _ => {
            let problem = "expected exactly one of `prometheus` and `scrape`";
            let hint = "a second kind needs a second source";
            faults.add(Fault::new(path.clone(), problem).hint(hint));
            (None, None)
        }
    };
    Some(SourceSettings { name: name?, kind: kind?, timeout: timeout? })
}

/// One page, or those of pods, and how long one may take.
fn resolve_scrape(
    wire: &wire::ScrapeSource,
    path: &Path,
    faults: &mut Faults,
) -> Option<(SourceKind, Duration)> {
    let wire::ScrapeSource { url, pods, timeout, auth, headers, tls } = wire;
    match (url, pods) {
        (Some(url), None) => {
            let written = access::Written { url, auth: auth.as_ref(), headers, tls: tls.as_ref() };
            let access = access::resolve(written, path, faults);
            let url = checked_url(url, &path.key("url"), faults);
            let timeout = checked_timeout(timeout.as_deref(), &path.key("timeout"), faults);
            let kind = SourceKind::Scrape { url: url?, access: Box::new(access?) };
            Some((kind, timeout?))
        }
        (None, Some(pods)) => {
            let outside = [
                ("timeout", timeout.is_some()),
                ("auth", auth.is_some()),
                ("headers", !headers.is_empty()),
                ("tls", tls.is_some()),
            ];
            for (key, _) in outside.into_iter().filter(|(_, is_given)| *is_given) {
                let fault = Fault::new(path.key(key), format!("this `{key}` goes with `url`"));
                faults.add(fault.hint("write it within `pods`"));
            }
            let pages = pods::resolve(pods, &path.key("pods"), faults)?;
            let timeout = pages.page.timeout;
            Some((SourceKind::Pods(Box::new(pages)), timeout))
        }
        _ => {
            let fault = Fault::new(path.clone(), "expected exactly one of `url` and `pods`");
            faults.add(fault.hint("a second place needs a second source"));
            None
        }
    }
}

fn resolve_prometheus(
    wire: &wire::PrometheusSource,
    path: &Path,
    faults: &mut Faults,
) -> Option<SourceKind> {
    let url = checked_url(&wire.url, &path.key("url"), faults);
    let method = match wire.method {
        Some(wire::Method::Get) => QueryMethod::Get,
        Some(wire::Method::Post) | None => QueryMethod::Post,
    };
    let label = wire.namespace_label.as_deref().unwrap_or(NAMESPACE_LABEL);
    let label = checked_label(label, &path.key("namespaceLabel"), faults);
    let wire::PrometheusSource { url: written, auth, headers, tls, .. } = wire;
    let (auth, tls) = (auth.as_ref(), tls.as_ref());
    let written = access::Written { url: written, auth, headers, tls };
    let access = access::resolve(written, path, faults);
    let before = faults.0.len();
    let parameters = access::parameters(&wire.parameters, &path.key("parameters"), faults);
    let is_sound = faults.0.len() == before;
    Some(SourceKind::Prometheus {
        url: url?,
        method,
        namespace_label: label?.into(),
        access: Box::new(access?),
        parameters: is_sound.then_some(parameters)?,
    })
}

fn checked_label<'l>(label: &'l str, path: &Path, faults: &mut Faults) -> Option<&'l str> {
    let is_label = promql::is_label(label);
    if !is_label {
        let fault = Fault::new(path.clone(), format!("`{label}` is not a label"));
        faults.add(fault.hint("use letters, digits and `_`, beginning with a letter"));
    }
    is_label.then_some(label)
}

pub(super) fn checked_url(url: &str, path: &Path, faults: &mut Faults) -> Option<String> {
    let fault = |problem: &str| Fault::new(path.clone(), problem);
    let parsed: http::Uri = match url.parse() {
        Ok(parsed) => parsed,
        Err(error) => {
            faults.add(fault(&format!("not a URL: {error}")).hint("write `http://host:port`"));
            return None;
        }
    };
    let is_web = matches!(parsed.scheme_str(), Some("http" | "https"));
    let Some(authority) = parsed.authority().filter(|_| is_web) else {
        faults.add(fault("expected an http or https URL").hint("write `http://host:port`"));
        return None;
    };
    if authority.as_str().contains('@') {
        // It would show in logs, errors and metrics.
        let hint = "it would show in logs; write `auth` and name a file with the password";
        faults.add(fault("a URL must not carry a password").hint(hint));
        return None;
    }
    if parsed.query().is_some() {
        faults
            .add(fault("a URL must not carry a query").hint("leave out the `?` and what follows"));
        return None;
    }
    Some(url.trim_end_matches('/').to_owned())
}

fn checked_timeout(text: Option<&str>, path: &Path, faults: &mut Faults) -> Option<Duration> {
    let Some(text) = text else { return Some(limits::SOURCE_TIMEOUT_DEFAULT) };
    let timeout = faults.take(path.clone(), duration::parse(text))?;
    if timeout.is_zero() || timeout > limits::SOURCE_TIMEOUT_MAX {
        let most = duration::Shown(limits::SOURCE_TIMEOUT_MAX);
        let fault = Fault::new(path.clone(), format!("a timeout is above 0s and at most {most}"));
        faults.add(fault.hint("an evaluation waits no longer; 5s suits most sources"));
        return None;
    }
    Some(timeout)
}
