//! The HTTP of the SDK of Amazon: that of all sources, which remembers how it went, and the clock.

use crate::domain::error_chain::ErrorChain;
use crate::policy::access::Tls;
use crate::source::ReadError;
use crate::source::access::{Reach, grant};
use aws_smithy_async::time::TimeSource;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use tracing::instrument::WithSubscriber;
use tracing::subscriber::NoSubscriber;

/// Where a node tells the name of its role.
const ROLES: &str = "/latest/meta-data/iam/security-credentials/";

/// What the SDK sends its requests through.
#[derive(Clone, Debug)]
pub(super) struct Wire {
    /// How who is asked is called in errors.
    whose: &'static str,
    timeout: Duration,
    reach: Reach,
    last: Arc<Mutex<Option<Last>>>,
}

/// How the last request went.
#[derive(Clone, Debug)]
enum Last {
    Status(u16),
    Failed(ReadError),
}

/// The clock, as the SDK asks for it.
#[derive(Debug)]
pub(super) struct Clock(pub(super) Reach);

impl TimeSource for Clock {
    fn now(&self) -> SystemTime {
        SystemTime::from((self.0.now)())
    }
}

impl Wire {
    pub(super) fn new(whose: &'static str, timeout: Duration, reach: &Reach) -> Self {
        Self { whose, timeout, reach: reach.clone(), last: Arc::default() }
    }

    /// What `call` of the SDK brings in time. At its most talkative the SDK tells the log what it
    /// sends, so here it tells nothing.
    pub(super) async fn heard<T, E: Error + 'static>(
        &self,
        call: impl Future<Output = Result<T, E>> + Send,
    ) -> Result<T, Option<E>> {
        let call = Box::pin(call).with_subscriber(NoSubscriber::new());
        match tokio::time::timeout(self.timeout, call).await {
            Ok(answered) => answered.map_err(Some),
            Err(_) => Err(None),
        }
    }

    /// Whether anybody was asked.
    pub(super) fn was_used(&self) -> bool {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// What is told when a call brought nothing; nothing of what was answered, which may be keys.
    pub(super) fn why(&self, error: Option<&(dyn Error + 'static)>) -> ReadError {
        let whose = self.whose;
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let problem = match (last, error) {
            (Some(Last::Failed(error)), _) => return grant::why(whose, error),
            (Some(Last::Status(200..300)), _) => format!("{whose} answered no keys"),
            (Some(Last::Status(status)), _) => format!("{whose} answered {status}"),
            (None, Some(error)) => {
                let text = ErrorChain(error).to_string();
                let text: String = text.chars().take(grant::MESSAGE_CHARS_MAX).collect();
                format!("{whose}: {text}")
            }
            (None, None) => return grant::why(whose, ReadError::TimedOut(self.timeout)),
        };
        ReadError::NoCredentials(problem)
    }

    async fn sent(&self, request: HttpRequest) -> Result<HttpResponse, ReadError> {
        let unfit = || ReadError::NoCredentials("the request for keys cannot be made".to_owned());
        let request = request.try_into_http1x().map_err(|_| unfit())?;
        let (head, body) = request.into_parts();
        let body = body.bytes().map(<[u8]>::to_vec).ok_or_else(unfit)?;
        let url = head.uri.to_string();
        let names_role = head.uri.path().ends_with(ROLES);
        let request = grant::built(http::Request::from_parts(head, body))?;
        let clients = grant::client(&url, self.timeout, &Tls::default(), &self.reach)?;
        let answer = clients.send(request).await?;
        let body = match answer.status {
            200 if names_role => role(&answer.body)?,
            _ => answer.body,
        };
        let mut response = http::Response::new(SdkBody::from(body));
        *response.headers_mut() = answer.headers;
        // A name is shorter than what was answered, and the SDK would count.
        response.headers_mut().remove(http::header::CONTENT_LENGTH);
        *response.status_mut() = http::StatusCode::from_u16(answer.status).map_err(|_| unfit())?;
        HttpResponse::try_from(response).map_err(|_| unfit())
    }
}

/// The first name that a node tells, if it is one: the SDK makes a path of what is there, in which
/// another name would lead elsewhere, or be no path.
fn role(body: &[u8]) -> Result<Vec<u8>, ReadError> {
    let name = body.split(|it| *it == b'\n').next().unwrap_or_default().trim_ascii();
    let is_plain = |it: &u8| it.is_ascii_alphanumeric() || b"+=,.@-_".contains(it);
    if name.is_empty() || !name.iter().all(is_plain) {
        return Err(ReadError::NoCredentials("it names no role".to_owned()));
    }
    Ok(name.to_vec())
}

impl HttpClient for Wire {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let this = self.clone();
        HttpConnectorFuture::new(async move {
            let answered = this.sent(request).await;
            let last = match &answered {
                Ok(answer) => Last::Status(answer.status().as_u16()),
                Err(error) => Last::Failed(error.clone()),
            };
            *this.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(last);
            answered.map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_a_plain_name() {
        assert_eq!(role(b"reader\n").unwrap(), b"reader");
        assert_eq!(role(b"one\ntwo").unwrap(), b"one");
        for name in ["", "\n", "../../user-data", "a b", "a?b"] {
            assert!(role(name.as_bytes()).is_err(), "{name}");
        }
    }
}
