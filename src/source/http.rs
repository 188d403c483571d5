//! The one way in which sources speak HTTP: a deadline over everything, a cap on every body, no
//! redirects, and errors in few words.

use crate::domain::limits;
use crate::source::ReadError;
use crate::source::queue::Resolver;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Certificate, Client, ClientBuilder, RequestBuilder, Response, StatusCode, redirect};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

/// An HTTP client and the deadline of its requests.
#[derive(Clone, Debug)]
pub(super) struct Http {
    pub(super) client: Client,
    pub(super) timeout: Duration,
    /// How large an answer may be.
    pub(super) body_bytes_max: usize,
}

/// A client whose requests end within `timeout`, bodies included.
///
/// It follows no redirect: where a source lies is the operator's decision, not its answer's.
/// `configure` says whose certificates it takes and shows.
pub(super) fn client(
    url: &str,
    timeout: Duration,
    configure: impl FnOnce(ClientBuilder) -> ClientBuilder,
) -> Result<Http, reqwest::Error> {
    let builder = Client::builder();
    // A plain source needs no authorities, and must not fail on a machine that has none.
    let builder = if url.starts_with("https:") { builder } else { builder.tls_certs_only([]) };
    let client = usual(configure(builder)).timeout(timeout).connect_timeout(timeout).build()?;
    Ok(Http { client, timeout, body_bytes_max: limits::SOURCE_BODY_BYTES_MAX })
}

/// Whose certificates a client takes.
#[derive(Clone, Debug, Default)]
pub(super) struct Trust<'t> {
    /// The authorities, as PEM; the machine's own without them.
    pub(super) authorities: Option<&'t str>,
    /// Whether these are trusted beside the machine's own.
    pub(super) are_more: bool,
    /// Anybody's.
    pub(super) is_unsafe: bool,
    /// Who looks up names; the machine without one.
    pub(super) resolver: Option<Arc<Resolver>>,
}

/// The same, for a server with a certificate of its own authorities.
pub(super) fn client_trusting(
    url: &str,
    timeout: Duration,
    trust: &Trust<'_>,
) -> Result<Http, reqwest::Error> {
    let own = trust.authorities.filter(|_| url.starts_with("https:"));
    let own = own.map(|pem| Certificate::from_pem_bundle(pem.as_bytes())).transpose()?;
    client(url, timeout, |builder| {
        let builder = builder.tls_danger_accept_invalid_certs(trust.is_unsafe);
        let builder = match own {
            Some(own) if trust.are_more => builder.tls_certs_merge(own),
            Some(own) => builder.tls_certs_only(own),
            None => builder,
        };
        match &trust.resolver {
            Some(resolver) => builder.dns_resolver(Arc::clone(resolver)),
            None => builder,
        }
    })
}

/// What all clients have in common.
pub(super) fn usual(builder: ClientBuilder) -> ClientBuilder {
    builder
        .redirect(redirect::Policy::none())
        .no_proxy()
        .pool_idle_timeout(Duration::from_secs(60))
        .user_agent(concat!("foresail/", env!("CARGO_PKG_VERSION")))
}

/// The body of a good answer, or what the source said instead.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    /// As the source declares it.
    pub(super) content_type: Option<String>,
    /// All of them.
    pub(super) headers: HeaderMap,
}

impl Http {
    /// Sends a request and reads the whole answer, up to the cap.
    pub(super) async fn send(&self, request: RequestBuilder) -> Result<Answer, ReadError> {
        let mut response = request.send().await.map_err(|error| self.read_error(&error))?;
        let status = response.status();
        let code = status.as_u16();
        refuse_redirection(status)?;
        let content_type = content_type(&response);
        let headers = std::mem::take(response.headers_mut());
        let body = if status.is_success() {
            let most = self.body_bytes_max;
            let (body, is_whole) = self.body(response, most).await?;
            if !is_whole {
                return Err(ReadError::TooLarge(most, "bytes"));
            }
            body
        } else {
            // The beginning of a long error page says as much as the whole.
            self.body(response, limits::SOURCE_ERROR_BYTES_MAX).await?.0
        };
        Ok(Answer { status: code, body, content_type, headers })
    }

    /// Sends a request and hands the body of a good answer over as it arrives, up to the cap; answers
    /// the content type.
    pub(super) async fn stream(
        &self,
        request: RequestBuilder,
        mut take: impl FnMut(&[u8]) -> Result<(), ReadError>,
    ) -> Result<Option<String>, ReadError> {
        let mut response = request.send().await.map_err(|error| self.read_error(&error))?;
        let status = response.status();
        refuse_redirection(status)?;
        if !status.is_success() {
            let body = self.body(response, limits::SOURCE_ERROR_BYTES_MAX).await?.0;
            let line = String::from_utf8_lossy(&body);
            let message = line.lines().next().unwrap_or_default().chars().take(160).collect();
            return Err(ReadError::Refused { status: status.as_u16(), message });
        }
        let content_type = content_type(&response);
        let most = self.body_bytes_max;
        let mut taken = 0_usize;
        while let Some(chunk) = response.chunk().await.map_err(|error| self.read_error(&error))? {
            taken = taken.saturating_add(chunk.len());
            if taken > most {
                return Err(ReadError::TooLarge(most, "bytes"));
            }
            take(&chunk)?;
        }
        Ok(content_type)
    }

    /// At most so many bytes of the body, and whether that is all of it.
    async fn body(
        &self,
        mut response: Response,
        most: usize,
    ) -> Result<(Vec<u8>, bool), ReadError> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.read_error(&error))? {
            let room = most - body.len();
            if let Some(fitting) = chunk.get(..room).filter(|_| chunk.len() > room) {
                body.extend_from_slice(fitting);
                return Ok((body, false));
            }
            body.extend_from_slice(&chunk);
        }
        Ok((body, true))
    }

    fn read_error(&self, error: &reqwest::Error) -> ReadError {
        if error.is_timeout() {
            return ReadError::TimedOut(self.timeout);
        }
        ReadError::Unreachable(innermost(error))
    }
}

fn content_type(response: &Response) -> Option<String> {
    let declared = response.headers().get(CONTENT_TYPE)?;
    declared.to_str().ok().map(str::to_owned)
}

/// Where a source lies is not for its answer to say.
fn refuse_redirection(status: StatusCode) -> Result<(), ReadError> {
    if !status.is_redirection() {
        return Ok(());
    }
    let message = "redirects are not followed".to_owned();
    Err(ReadError::Refused { status: status.as_u16(), message })
}

/// The innermost cause in the words people know. reqwest's own text repeats the URL, which may
/// hold what is nobody's business.
pub(in crate::source) fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    match cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind) {
        Some(std::io::ErrorKind::ConnectionRefused) => "connection refused".to_owned(),
        Some(std::io::ErrorKind::ConnectionReset) => "connection reset".to_owned(),
        Some(std::io::ErrorKind::HostUnreachable) => "no route to host".to_owned(),
        _ => {
            let text: String = cause.to_string().chars().take(160).collect();
            if text.contains("://") { "the connection failed".to_owned() } else { text }
        }
    }
}
