//! The one way in which sources speak HTTP: a deadline over everything, a cap on every body, no
//! redirects, and errors in few words.

use crate::domain::limits;
use crate::source::ReadError;
use reqwest::{Client, ClientBuilder, RequestBuilder, Response, redirect};
use std::error::Error;
use std::time::Duration;

/// An HTTP client and the deadline of its requests.
#[derive(Clone, Debug)]
pub(super) struct Http {
    pub(super) client: Client,
    timeout: Duration,
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
    let builder = configure(builder);
    let client = builder
        .timeout(timeout)
        .connect_timeout(timeout)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .pool_idle_timeout(Duration::from_secs(60))
        .user_agent(concat!("foresail/", env!("CARGO_PKG_VERSION")))
        .build()?;
    Ok(Http { client, timeout })
}

/// The body of a good answer, or what the source said instead.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

impl Http {
    /// Sends a request and reads the whole answer, up to the cap.
    pub(super) async fn send(&self, request: RequestBuilder) -> Result<Answer, ReadError> {
        let response = request.send().await.map_err(|error| self.read_error(&error))?;
        let status = response.status();
        let code = status.as_u16();
        if status.is_redirection() {
            let message = "redirects are not followed".to_owned();
            return Err(ReadError::Refused { status: code, message });
        }
        let body = if status.is_success() {
            let most = limits::SOURCE_BODY_BYTES_MAX;
            let (body, is_whole) = self.body(response, most).await?;
            if !is_whole {
                return Err(ReadError::TooLarge(most, "bytes"));
            }
            body
        } else {
            // The beginning of a long error page says as much as the whole.
            self.body(response, limits::SOURCE_ERROR_BYTES_MAX).await?.0
        };
        Ok(Answer { status: code, body })
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

/// The innermost cause in the words people know. reqwest's own text repeats the URL, which may
/// hold what is nobody's business.
fn innermost(error: &(dyn Error + 'static)) -> String {
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
