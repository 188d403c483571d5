//! How pods are spoken to: one client for each way of checking their certificates, and what is shown
//! to them.

mod named;

use crate::domain::error_chain::ErrorChain;
use crate::domain::limits;
use crate::domain::ports::Files;
use crate::policy::access::HeaderText;
use crate::policy::pods::{PodAuth, PodPage, PodTls};
use crate::source::access::Hidden;
use crate::source::http::{self, Http};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, Client, Identity};
use std::sync::{Arc, Mutex, PoisonError};

/// 0.0.4 is cheaper to write and to read; who has nothing else may answer OpenMetrics.
const FORMATS: &str = "text/plain;version=0.0.4,application/openmetrics-text;version=1.0.0;q=0.5";

/// The clients that were made, and the files behind them.
#[derive(Debug)]
pub(super) struct Clients {
    files: Arc<dyn Files>,
    known: Mutex<Vec<(Trust, Client)>>,
}

/// How certificates are checked.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Trust {
    tls: Option<PodTls>,
    /// What stands in the file with the authorities.
    authorities: Option<Arc<[u8]>>,
    /// And in those with Foresail's own certificate and its key.
    own: Option<Pair>,
}

/// A certificate and its key.
type Pair = (Arc<[u8]>, Arc<[u8]>);

/// Clients kept: ways of checking, and the authorities before and after they changed.
const CLIENTS_MAX: usize = 32;

/// A client, and what it shows.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) http: Http,
    pub(super) headers: HeaderMap,
    /// What of that must not be seen in anything that is told.
    pub(super) hidden: Hidden,
}

impl Clients {
    pub(super) fn new(files: Arc<dyn Files>) -> Self {
        Self { files, known: Mutex::default() }
    }

    /// Who reads this page.
    ///
    /// # Errors
    /// Why nobody can, for a person; what stands in a file is never part of it.
    pub(super) fn caller(&self, page: &PodPage) -> Result<Caller, String> {
        let certificates = page.tls.as_ref().map(|it| &it.certificates);
        let content = |path: &str| self.files.content(path);
        let ca_file = certificates.and_then(|it| it.ca_file.as_deref());
        let authorities = ca_file.map(content).transpose()?;
        let own = match certificates.and_then(|it| it.own.as_ref()) {
            Some((certificate, key)) => Some((content(certificate)?, content(key)?)),
            None => None,
        };
        let client = self.client(Trust { tls: page.tls.clone(), authorities, own })?;
        let mut hidden = Hidden::default();
        let headers = self.headers(page, &mut hidden)?;
        Ok(Caller {
            http: Http {
                client,
                timeout: page.timeout,
                body_bytes_max: limits::SOURCE_BODY_BYTES_MAX,
            },
            headers,
            hidden,
        })
    }

    fn headers(&self, page: &PodPage, hidden: &mut Hidden) -> Result<HeaderMap, String> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(FORMATS));
        for (name, text) in &page.headers {
            let name = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| format!("`{name}` is no header"))?;
            let text = match text {
                HeaderText::Value(text) => header_value(text, name.as_str())?,
                HeaderText::File(path) => header_value(&self.secret(path, hidden)?, path)?,
            };
            headers.insert(name, text);
        }
        let auth = match &page.auth {
            None => return Ok(headers),
            Some(PodAuth::Basic { username, password_file }) => {
                let password = self.secret(password_file, hidden)?;
                let pair = BASE64.encode(format!("{username}:{password}"));
                hidden.add(&pair);
                header_value(&format!("Basic {pair}"), password_file)?
            }
            Some(PodAuth::Bearer { token_file }) => {
                let token = self.secret(token_file, hidden)?;
                header_value(&format!("Bearer {token}"), token_file)?
            }
        };
        headers.insert(AUTHORIZATION, auth);
        Ok(headers)
    }

    /// The text of a file that holds one secret, without the white space around it.
    fn secret(&self, path: &str, hidden: &mut Hidden) -> Result<String, String> {
        let content = self.files.content(path)?;
        let text = std::str::from_utf8(&content).unwrap_or_default().trim();
        if text.is_empty() {
            return Err(format!("`{path}` holds no text"));
        }
        hidden.add(text);
        Ok(text.to_owned())
    }

    fn client(&self, trust: Trust) -> Result<Client, String> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, client)) = known.iter().find(|(it, _)| *it == trust) {
            return Ok(client.clone());
        }
        let client = match make(&trust) {
            Ok(client) => client,
            // A certificate and its key are replaced one after the other.
            Err(error) => match known.iter().rev().find(|(it, _)| it.tls == trust.tls) {
                Some((_, last)) => {
                    tracing::warn!(
                        error,
                        "cannot use the certificate files; the last good ones stay"
                    );
                    last.clone()
                }
                None => return Err(error),
            },
        };
        if known.len() >= CLIENTS_MAX {
            known.remove(0);
        }
        known.push((trust, client.clone()));
        Ok(client)
    }
}

/// The text of a header, marked so that no log shows it.
fn header_value(text: &str, whence: &str) -> Result<HeaderValue, String> {
    let unfit = |_| format!("`{whence}`: line breaks and the like do not fit in a header");
    let mut value = HeaderValue::from_str(text).map_err(unfit)?;
    value.set_sensitive(true);
    Ok(value)
}

fn make(trust: &Trust) -> Result<Client, String> {
    let unfit =
        |error: reqwest::Error| format!("no client for pods can be made: {}", ErrorChain(&error));
    // A pod has one page: one connection is as many as it needs.
    let builder = http::usual(Client::builder()).pool_max_idle_per_host(1);
    let Some(PodTls { certificates, skips_verify }) = &trust.tls else {
        return builder.tls_certs_only([]).build().map_err(unfit);
    };
    if let Some(name) = &certificates.server_name {
        let own = trust.own.as_ref().map(|(certificate, key)| (&**certificate, &**key));
        let config = named::config(name, trust.authorities.as_deref(), own)?;
        return builder.tls_backend_preconfigured(config).build().map_err(unfit);
    }
    let builder = match (&trust.authorities, skips_verify) {
        (_, true) => builder.tls_certs_only([]).tls_danger_accept_invalid_certs(true),
        (Some(pem), false) => {
            builder.tls_certs_only(Certificate::from_pem_bundle(pem).map_err(unfit)?)
        }
        (None, false) => builder,
    };
    let builder = match &trust.own {
        Some((certificate, key)) => {
            let pem = [&**certificate, b"\n", &**key].concat();
            // What is wrong with a key may quote it.
            let own = Identity::from_pem(&pem).map_err(|_| named::NO_PAIR.to_owned())?;
            builder.identity(own)
        }
        None => builder,
    };
    builder.build().map_err(unfit)
}
