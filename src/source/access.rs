//! Requests that prove who asks: headers and certificates from files, each read again when it
//! changes. What is secret leaves this room in requests only.

pub(super) mod aws;
mod client;
mod google;
pub(super) mod grant;
mod hidden;
pub(super) mod kept;

pub(super) use hidden::Hidden;

use crate::domain::environment::Environment;
use crate::domain::ports::Files;
use crate::domain::secret::Secret;
use crate::policy::access::{Access, Authentication, HeaderText};
use crate::source::ReadError;
use crate::source::http::Answer;
use aws::{Identity, Keys};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use client::Clients;
use jiff::Timestamp;
use kept::{Fetched, Kept};
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use reqwest::{Client, Request, RequestBuilder};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Where what proves who asks is found.
#[derive(Clone, Debug)]
pub struct Reach {
    /// The files that the configuration and the environment name.
    pub files: Arc<dyn Files>,
    /// What platforms hand to the process.
    pub environment: Arc<Environment>,
    /// The clock, for what is signed.
    pub now: fn() -> Timestamp,
}

/// Sends requests of one source.
#[derive(Debug)]
pub(super) struct Caller {
    access: Access,
    reach: Reach,
    clients: Clients,
    timeout: Duration,
    /// Tokens that were fetched.
    tokens: Kept<Secret>,
    /// Who signs, where that is the way to prove who asks.
    signer: Option<Identity>,
}

/// What a request is given to prove who asks.
enum Proof {
    Nothing,
    Header(HeaderValue),
    Signature(Box<Keys>, String),
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
        let signer = match &access.authentication {
            Some(Authentication::Aws(of)) => Some(Identity::new(of, timeout, reach)),
            _ => None,
        };
        Ok(Self {
            access: access.clone(),
            reach: reach.clone(),
            clients,
            timeout,
            tokens: Kept::default(),
            signer,
        })
    }

    /// The same for a server whose answers are no larger.
    pub(super) fn at_most(self, body_bytes_max: usize) -> Self {
        Self { clients: self.clients.at_most(body_bytes_max), ..self }
    }

    /// Sends the request that `make` makes, with what proves who asks; answers also what must not be
    /// seen in anything that is told about the answer.
    pub(super) async fn send(
        &self,
        make: impl Fn(&Client) -> RequestBuilder,
    ) -> Result<(Answer, Hidden), ReadError> {
        let (answer, hidden, used) = Box::pin(self.send_once(&make)).await?;
        if answer.status == 401
            && let Some(used) = used
            && self.is_outdated(used).await
        {
            let (answer, hidden, _) = Box::pin(self.send_once(&make)).await?;
            return Ok((answer, hidden));
        }
        Ok((answer, hidden))
    }

    /// Whether what was fetched then is worth to be fetched again.
    async fn is_outdated(&self, used: Instant) -> bool {
        match &self.signer {
            Some(signer) => signer.refused(used, Instant::now()).await,
            None => self.tokens.refused(used, Instant::now()).await,
        }
    }

    /// Answers also when that was fetched which was shown.
    async fn send_once(
        &self,
        make: impl Fn(&Client) -> RequestBuilder,
    ) -> Result<(Answer, Hidden, Option<Instant>), ReadError> {
        let http = self.clients.current()?;
        let mut hidden = Hidden::default();
        let (proof, used) = self.proof(&mut hidden).await?;
        let request = self.proven(make(&http.client), proof, &mut hidden)?;
        let request = RequestBuilder::from_parts(http.client.clone(), request);
        let answer = http.send(request).await.map_err(|error| hidden.redacted(error))?;
        Ok((answer, hidden, used))
    }

    /// The request with everything that proves who asks.
    fn proven(
        &self,
        request: RequestBuilder,
        proof: Proof,
        hidden: &mut Hidden,
    ) -> Result<Request, ReadError> {
        let unfit = |_| ReadError::NoCredentials("the request cannot be made".to_owned());
        let mut request = request.build().map_err(unfit)?;
        self.clients.named(request.url_mut());
        let headers = request.headers_mut();
        for (name, text) in &self.access.headers {
            let (name, text) = self.header(name, text, hidden)?;
            headers.insert(name, text);
        }
        if let Some(host) = self.clients.host() {
            headers.insert(reqwest::header::HOST, host.clone());
        }
        match (proof, &self.access.authentication) {
            (Proof::Header(text), _) => {
                headers.insert(AUTHORIZATION, text);
                Ok(request)
            }
            (Proof::Signature(keys, region), Some(Authentication::Aws(of))) => {
                aws::signed(request, &keys, (&region, &of.service), (self.reach.now)())
            }
            (Proof::Nothing | Proof::Signature(..), _) => Ok(request),
        }
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

    /// What proves who asks, and when it was fetched if it was.
    async fn proof(&self, hidden: &mut Hidden) -> Result<(Proof, Option<Instant>), ReadError> {
        let (reach, timeout) = (&self.reach, self.timeout);
        let now = Instant::now();
        let fetched = match &self.access.authentication {
            None => return Ok((Proof::Nothing, None)),
            Some(Authentication::Basic { username, password_file }) => {
                let password = reach.text(password_file)?;
                hidden.add(&password);
                let pair = BASE64.encode(format!("{username}:{password}"));
                hidden.add(&pair);
                let text = header_value(&format!("Basic {pair}"), password_file)?;
                return Ok((Proof::Header(text), None));
            }
            Some(Authentication::Bearer { token_file }) => {
                let text = bearer(&reach.text(token_file)?, token_file, hidden)?;
                return Ok((Proof::Header(text), None));
            }
            Some(Authentication::Aws(of)) => {
                let Some(signer) = &self.signer else { return Ok((Proof::Nothing, None)) };
                let keys = signer.keys(now).await?;
                aws::hide(&keys.what, hidden);
                let region = aws::region(of, reach)?.to_owned();
                return Ok((Proof::Signature(Box::new(keys.what), region), Some(keys.at)));
            }
            Some(Authentication::OAuth2(of)) => {
                self.token(now, Box::pin(grant::for_secret(of, timeout, reach))).await?
            }
            Some(Authentication::Azure { scope }) => {
                self.token(now, Box::pin(grant::of_azure(scope, timeout, reach))).await?
            }
            Some(Authentication::Google { scope, credentials_file }) => {
                let file = credentials_file.as_deref();
                self.token(now, Box::pin(google::token(scope, file, timeout, reach))).await?
            }
        };
        let text = bearer(fetched.what.reveal(), "the token endpoint", hidden)?;
        Ok((Proof::Header(text), Some(fetched.at)))
    }

    async fn token(
        &self,
        now: Instant,
        fetch: impl Future<Output = Result<grant::Token, ReadError>>,
    ) -> Result<Fetched<Secret>, ReadError> {
        let hide = async { fetch.await.map(|(token, lifetime)| (Secret::new(&token), lifetime)) };
        self.tokens.get(now, hide).await
    }
}

fn bearer(token: &str, whence: &str, hidden: &mut Hidden) -> Result<HeaderValue, ReadError> {
    hidden.add(token);
    header_value(&format!("Bearer {token}"), whence)
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
