//! The client of one server: made anew when one of its certificate files changes, and kept as it was
//! while they do not fit together.

use super::Reach;
use crate::domain::error_chain::ErrorChain;
use crate::domain::limits;
use crate::policy::access::Tls;
use crate::source::ReadError;
use crate::source::http::{self, Answer, Http};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{HOST, HeaderValue};
use reqwest::{Certificate, ClientBuilder, Identity, Request, RequestBuilder};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The client of one server.
#[derive(Debug)]
pub(super) struct Clients {
    url: Box<str>,
    timeout: Duration,
    tls: Tls,
    reach: Reach,
    elsewhere: Option<Elsewhere>,
    body_bytes_max: usize,
    made: Mutex<Option<(Material, Http)>>,
}

/// What stands in the certificate files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Material {
    authorities: Option<Arc<[u8]>>,
    own: Option<Pair>,
}

/// A certificate and its key.
type Pair = (Arc<[u8]>, Arc<[u8]>);

/// A server that lies at another name than its certificate's.
#[derive(Clone, Debug)]
struct Elsewhere {
    /// Where it lies.
    host: Box<str>,
    /// What requests call it.
    header: HeaderValue,
}

impl Clients {
    pub(super) fn new(
        url: &str,
        timeout: Duration,
        tls: &Tls,
        reach: &Reach,
    ) -> Result<Self, reqwest::Error> {
        let uri: Option<::http::Uri> = url.parse().ok();
        let authority = uri.as_ref().and_then(::http::Uri::authority);
        let elsewhere = authority.filter(|_| tls.server_name.is_some()).and_then(|authority| {
            let header = HeaderValue::from_str(authority.as_str()).ok()?;
            Some(Elsewhere { host: authority.host().into(), header })
        });
        let is_plain = *tls == Tls::default();
        // Without files the client can be made at once, and never changes.
        let made = if is_plain {
            Some((Material::default(), http::client(url, timeout, |builder| builder)?))
        } else {
            None
        };
        let (tls, reach) = (tls.clone(), reach.clone());
        let made = Mutex::new(made);
        let body_bytes_max = limits::SOURCE_BODY_BYTES_MAX;
        Ok(Self { url: url.into(), timeout, tls, reach, elsewhere, body_bytes_max, made })
    }

    /// The same for a server whose answers are no larger.
    pub(super) fn at_most(self, body_bytes_max: usize) -> Self {
        Self { body_bytes_max, ..self }
    }

    /// What requests call the server, where its certificate has another name.
    pub(super) fn host(&self) -> Option<&HeaderValue> {
        self.elsewhere.as_ref().map(|it| &it.header)
    }

    /// A URL of the server, as the client has to be asked for it: under the name that its
    /// certificate has.
    pub(super) fn named(&self, url: &mut reqwest::Url) {
        if let Some(name) = &self.tls.server_name
            && let Err(error) = url.set_host(Some(name))
        {
            // The configuration was checked for that; who gets here would ask under the other name.
            tracing::error!(%error, name, "no host has this name");
        }
    }

    /// Sends one request that needs no other proof.
    pub(super) async fn send(&self, mut request: Request) -> Result<Answer, ReadError> {
        let http = self.current()?;
        self.named(request.url_mut());
        if let Some(host) = self.host() {
            request.headers_mut().insert(HOST, host.clone());
        }
        http.send(RequestBuilder::from_parts(http.client.clone(), request)).await
    }

    /// The client that fits what stands in the files now.
    pub(super) fn current(&self) -> Result<Http, ReadError> {
        Ok(Http { body_bytes_max: self.body_bytes_max, ..self.usual()? })
    }

    fn usual(&self) -> Result<Http, ReadError> {
        let material = self.material().map_err(ReadError::NoCredentials)?;
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, http)) = made.as_ref()
            && *known == material
        {
            return Ok(http.clone());
        }
        let http = match (self.make(&material), made.take()) {
            (Ok(http), _) => http,
            (Err(error), Some((_, last))) => {
                // Once: the material is remembered.
                tracing::warn!(error, "cannot use the certificate files; the last good ones stay");
                last
            }
            (Err(error), None) => return Err(ReadError::NoCredentials(error)),
        };
        *made = Some((material, http.clone()));
        Ok(http)
    }

    fn material(&self) -> Result<Material, String> {
        let content = |path: &str| self.reach.files.content(path);
        let authorities = self.tls.ca_file.as_deref().map(content).transpose()?;
        let own = match &self.tls.own {
            Some((certificate, key)) => Some((content(certificate)?, content(key)?)),
            None => None,
        };
        Ok(Material { authorities, own })
    }

    fn make(&self, material: &Material) -> Result<Http, String> {
        let unfit = |what: &str, error: &reqwest::Error| format!("{what}: {}", ErrorChain(error));
        let mut authorities = None;
        if let (Some(pem), Some(path)) = (&material.authorities, &self.tls.ca_file) {
            let what = format!("`{path}` holds no certificates in PEM");
            let bundle = Certificate::from_pem_bundle(pem).map_err(|it| unfit(&what, &it))?;
            if bundle.is_empty() {
                return Err(what);
            }
            authorities = Some(bundle);
        }
        let mut own = None;
        if let (Some((certificate, key)), Some((_, path))) = (&material.own, &self.tls.own) {
            let pem = [&**certificate, b"\n", &**key].concat();
            // What is wrong with a key may quote it.
            let what = || format!("`{path}` and its certificate are no pair in PEM");
            own = Some(Identity::from_pem(&pem).map_err(|_| what())?);
        }
        let configure = |mut builder: ClientBuilder| {
            if let Some(bundle) = authorities {
                builder = builder.tls_certs_only(bundle);
            }
            if let Some(own) = own {
                builder = builder.identity(own);
            }
            match &self.elsewhere {
                // Over HTTP/2 the URL alone says what the server is called.
                Some(it) => builder.dns_resolver(Arc::new(it.clone())).http1_only(),
                None => builder,
            }
        };
        let what = "no client can be made of the certificate files";
        http::client(&self.url, self.timeout, configure).map_err(|it| unfit(what, &it))
    }
}

impl Resolve for Elsewhere {
    fn resolve(&self, _: Name) -> Resolving {
        let host = self.host.trim_matches(['[', ']']).to_owned();
        Box::pin(async move {
            let found: Vec<_> = tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}
