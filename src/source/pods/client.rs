//! How pods are spoken to: one client for each way of checking their certificates, and what is shown
//! to them.

use crate::domain::error_chain::ErrorChain;
use crate::domain::ports::Files;
use crate::policy::pods::{PodPage, PodTls};
use crate::source::http::{self, Http};
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Certificate, Client};
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
}

/// Clients kept: ways of checking, and the authorities before and after they changed.
const CLIENTS_MAX: usize = 32;

/// A client, and what it shows.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) http: Http,
    pub(super) headers: HeaderMap,
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
        let ca_file = page.tls.as_ref().and_then(|it| it.ca_file.as_deref());
        let authorities = ca_file.map(|it| self.files.content(it)).transpose()?;
        let client = self.client(Trust { tls: page.tls.clone(), authorities })?;
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(FORMATS));
        if let Some(path) = &page.token_file {
            let content = self.files.content(path)?;
            let token = std::str::from_utf8(&content).unwrap_or_default().trim();
            let bearer = HeaderValue::from_str(&format!("Bearer {token}"));
            let mut bearer = bearer
                .ok()
                .filter(|_| !token.is_empty())
                .ok_or_else(|| format!("`{path}` holds no bearer token"))?;
            bearer.set_sensitive(true);
            headers.insert(AUTHORIZATION, bearer);
        }
        Ok(Caller { http: Http { client, timeout: page.timeout }, headers })
    }

    fn client(&self, trust: Trust) -> Result<Client, String> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, client)) = known.iter().find(|(it, _)| *it == trust) {
            return Ok(client.clone());
        }
        let client = make(&trust).map_err(|error| {
            let error = ErrorChain(&error);
            format!("no client for pods can be made: {error}")
        })?;
        if known.len() >= CLIENTS_MAX {
            known.remove(0);
        }
        known.push((trust, client.clone()));
        Ok(client)
    }
}

fn make(trust: &Trust) -> Result<Client, reqwest::Error> {
    // A pod has one page: one connection is as many as it needs.
    let builder = http::usual(Client::builder()).pool_max_idle_per_host(1);
    let builder = match &trust.tls {
        None => builder.tls_certs_only([]),
        Some(PodTls { skips_verify: true, .. }) => {
            builder.tls_certs_only([]).tls_danger_accept_invalid_certs(true)
        }
        Some(PodTls { skips_verify: false, .. }) => match &trust.authorities {
            Some(authorities) => builder.tls_certs_only(Certificate::from_pem_bundle(authorities)?),
            None => builder,
        },
    };
    builder.build()
}
