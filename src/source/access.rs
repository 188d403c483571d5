//! Requests that prove who asks: headers and certificates from files, each read again when it
//! changes. What is secret leaves this room in requests only.

mod client;
mod hidden;

pub(super) use hidden::Hidden;

use crate::domain::environment::Environment;
use crate::domain::ports::Files;
use crate::policy::access::{Access, Authentication, HeaderText};
use crate::source::ReadError;
use crate::source::http::{Answer, Http};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use client::Clients;
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use reqwest::{Request, RequestBuilder};
use std::sync::Arc;
use std::time::Duration;

/// Where what proves who asks is found.
#[derive(Clone, Debug)]
pub struct Reach {
    /// The files that the configuration and the environment name.
    pub files: Arc<dyn Files>,
    /// What platforms hand to the process.
    pub environment: Arc<Environment>,
}

/// Sends requests of one source.
#[derive(Debug)]
pub(super) struct Caller {
    access: Access,
    reach: Reach,
    clients: Clients,
}

impl Caller {
    /// Who calls the server at `url`.
    pub(super) fn new(
        url: &str,
        timeout: Duration,
        access: &Access,
        reach: &Reach,
    ) -> Result<Self, reqwest::Error> {
        let clients = Clients::new(url, timeout, &access.tls, reach)?;
        Ok(Self { access: access.clone(), reach: reach.clone(), clients })
    }

    /// Sends the request that `make` makes, with what proves who asks; answers also what must not be
    /// seen in anything that is told about the answer.
    pub(super) async fn send(
        &self,
        make: impl Fn(&Http) -> RequestBuilder,
    ) -> Result<(Answer, Hidden), ReadError> {
        let http = self.clients.current()?;
        let mut hidden = Hidden::default();
        let request = self.proven(make(&http), &mut hidden)?;
        let request = RequestBuilder::from_parts(http.client.clone(), request);
        let answer = http.send(request).await.map_err(|error| hidden.redacted(error))?;
        Ok((answer, hidden))
    }

    /// The request with everything that proves who asks.
    fn proven(&self, request: RequestBuilder, hidden: &mut Hidden) -> Result<Request, ReadError> {
        let unfit = |_| ReadError::NoCredentials("the request cannot be made".to_owned());
        let mut request = request.build().map_err(unfit)?;
        self.clients.named(request.url_mut());
        let headers = request.headers_mut();
        for (name, text) in &self.access.headers {
            let (name, text) = self.header(name, text, hidden)?;
            headers.insert(name, text);
        }
        if let Some(text) = self.authorization(hidden)? {
            headers.insert(AUTHORIZATION, text);
        }
        if let Some(host) = self.clients.host() {
            headers.insert(reqwest::header::HOST, host.clone());
        }
        Ok(request)
    }

    fn header(
        &self,
        name: &str,
        text: &HeaderText,
        hidden: &mut Hidden,
    ) -> Result<(HeaderName, HeaderValue), ReadError> {
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| ReadError::NoCredentials(format!("`{name}` is no header")))?;
        let text = match text {
            HeaderText::Value(text) => header_value(text, name.as_str())?,
            HeaderText::File(path) => {
                let text = self.reach.text(path)?;
                hidden.add(&text);
                header_value(&text, path)?
            }
        };
        Ok((name, text))
    }

    fn authorization(&self, hidden: &mut Hidden) -> Result<Option<HeaderValue>, ReadError> {
        let text = match &self.access.authentication {
            None => return Ok(None),
            Some(Authentication::Basic { username, password_file }) => {
                let password = self.reach.text(password_file)?;
                hidden.add(&password);
                let pair = BASE64.encode(format!("{username}:{password}"));
                hidden.add(&pair);
                format!("Basic {pair}")
            }
            Some(Authentication::Bearer { token_file }) => {
                let token = self.reach.text(token_file)?;
                hidden.add(&token);
                header_value(&token, token_file)?;
                format!("Bearer {token}")
            }
        };
        header_value(&text, "the credentials").map(Some)
    }
}

impl Reach {
    /// The text of a file that holds one secret, without the white space around it.
    fn text(&self, path: &str) -> Result<String, ReadError> {
        let content = self.files.content(path).map_err(ReadError::NoCredentials)?;
        let text = std::str::from_utf8(&content).unwrap_or_default().trim();
        if text.is_empty() {
            return Err(ReadError::NoCredentials(format!("`{path}` holds no text")));
        }
        Ok(text.to_owned())
    }
}

/// The text of a header, marked so that no log shows it.
fn header_value(text: &str, whence: &str) -> Result<HeaderValue, ReadError> {
    let mut value = HeaderValue::from_str(text).map_err(|_| {
        ReadError::NoCredentials(format!(
            "{whence}: line breaks and the like do not fit in a header"
        ))
    })?;
    value.set_sensitive(true);
    Ok(value)
}
