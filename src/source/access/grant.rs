//! Tokens by OAuth 2.0, for a client's secret or the assertion of a platform: what is asked and what
//! the answer means is for the `oauth2` crate, over the HTTP of all sources.

use super::client::Clients;
use super::{Hidden, Reach};
use crate::domain::secret::Secret;
use crate::policy::access::{OAuth2, Tls};
use crate::source::ReadError;
use crate::source::http::Answer;
use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse,
    BasicTokenType,
};
use oauth2::{
    AccessToken, AsyncHttpClient, AuthType, ClientId, ClientSecret, EndpointNotSet, EndpointSet,
    HttpRequest, HttpResponse, RefreshToken, RequestTokenError, Scope, StandardRevocableToken,
    TokenResponse, TokenUrl,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

/// How long a token is good whose answer does not say so.
const LIFETIME_DEFAULT: Duration = Duration::from_secs(300);
/// How much of what a server says about an error is passed on.
pub(super) const MESSAGE_CHARS_MAX: usize = 160;
/// What stands for itself in a form.
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'*').remove(b'-').remove(b'.').remove(b'_');
/// The kind of assertion that a platform's token is (RFC 7523).
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// How servers are called that give tokens.
pub(in crate::source) const TOKEN_ENDPOINT: &str = "the token endpoint";

/// A token and how long it is good.
pub(in crate::source) type Token = (String, Duration);

/// The crate's client with our reading of answers.
type Asking = oauth2::Client<
    BasicErrorResponse,
    Good,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// What a server answers. Its kind of token may be left out, and seconds may be a text: some servers
/// write it so.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Good {
    access_token: AccessToken,
    #[serde(default = "bearer")]
    token_type: BasicTokenType,
    #[serde(default, deserialize_with = "seconds")]
    expires_in: Option<u64>,
}

/// Where tokens are given.
pub(in crate::source) trait TokenServer: Sync {
    /// Its URL.
    fn url(&self) -> &str;

    /// What it answers to a request.
    fn answer(
        &self,
        request: reqwest::Request,
    ) -> impl Future<Output = Result<Answer, ReadError>> + Send;
}

/// Who asks for a token, and for what.
#[derive(Clone, Copy, Debug)]
pub(in crate::source) struct Client<'c> {
    /// The client's name.
    pub(in crate::source) id: &'c str,
    /// What proves that.
    pub(in crate::source) secret: &'c Secret,
    /// What the token is for, with a space between two.
    pub(in crate::source) scope: Option<&'c str>,
    /// Further parameters of the request.
    pub(in crate::source) parameters: &'c BTreeMap<Box<str>, Box<str>>,
}

impl Client<'_> {
    /// A token that `server` gives.
    pub(in crate::source) async fn token(
        &self,
        server: &impl TokenServer,
    ) -> Result<Token, ReadError> {
        let Self { id, secret, scope, parameters } = *self;
        let secret = secret.reveal();
        let mut hidden = Hidden::default();
        hidden.add(secret);
        // As it stands in the header and in the body.
        hidden.add(&utf8_percent_encode(secret, FORM).to_string().replace("%20", "+"));
        let asking = asking(id, server)?.set_client_secret(ClientSecret::new(secret.to_owned()));
        let parameters: Vec<_> = parameters.iter().map(|(name, text)| (&**name, &**text)).collect();
        let wanted = Wanted { scope, parameters: &parameters, hidden: &hidden };
        // RFC 6749, 2.3.1: every server takes the header; some do not.
        let in_header = asking.clone().set_auth_type(AuthType::BasicAuth);
        match wanted.token(&in_header, server).await {
            Err((400 | 401, _)) => {
                let in_body = asking.set_auth_type(AuthType::RequestBody);
                wanted.token(&in_body, server).await.map_err(|(_, error)| error)
            }
            answered => answered.map_err(|(_, error)| error),
        }
    }
}

/// Whoever asks `server`, without what proves that.
fn asking(id: &str, server: &impl TokenServer) -> Result<Asking, ReadError> {
    let url = TokenUrl::new(server.url().to_owned())
        .map_err(|_| ReadError::NoCredentials(format!("{TOKEN_ENDPOINT} has no URL")))?;
    Ok(oauth2::Client::new(ClientId::new(id.to_owned())).set_token_uri(url))
}

/// What is asked for.
struct Wanted<'w> {
    scope: Option<&'w str>,
    parameters: &'w [(&'w str, &'w str)],
    /// What no error may show.
    hidden: &'w Hidden,
}

impl Wanted<'_> {
    /// The token that `server` gives, or its status (0 without an answer) and what is wrong.
    async fn token(
        &self,
        asking: &Asking,
        server: &impl TokenServer,
    ) -> Result<Token, (u16, ReadError)> {
        let mut request = asking.exchange_client_credentials();
        if let Some(scope) = self.scope {
            request = request.add_scope(Scope::new(scope.to_owned()));
        }
        for (name, text) in self.parameters {
            request = request.add_extra_param(*name, *text);
        }
        let exchange = Exchange { server, status: AtomicU16::new(0) };
        let answered = request.request_async(&exchange).await;
        let status = exchange.status.load(Ordering::Relaxed);
        match answered {
            Ok(good) if !good.token_type.as_ref().eq_ignore_ascii_case("bearer") => {
                let problem =
                    format!("{TOKEN_ENDPOINT} answered another kind of token than bearer");
                Err((status, ReadError::NoCredentials(problem)))
            }
            Ok(good) => {
                let lifetime = good.expires_in().unwrap_or(LIFETIME_DEFAULT);
                Ok((good.access_token.into_secret(), lifetime))
            }
            Err(error) => Err((status, self.told(status, error))),
        }
    }

    fn told(
        &self,
        status: u16,
        error: RequestTokenError<ReadError, BasicErrorResponse>,
    ) -> ReadError {
        let said = match error {
            RequestTokenError::Request(error) => return error,
            RequestTokenError::ServerResponse(said) => said.to_string(),
            // Whatever else it is, it may repeat what was asked, or be a token.
            RequestTokenError::Parse(..) | RequestTokenError::Other(_) if status == 200 => {
                return ReadError::NoCredentials(format!("{TOKEN_ENDPOINT} answered no token"));
            }
            RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
                "no error of OAuth 2.0".to_owned()
            }
        };
        let said = self.hidden.without(said).split_whitespace().collect::<Vec<_>>().join(" ");
        let said: String = said.chars().take(MESSAGE_CHARS_MAX).collect();
        ReadError::NoCredentials(format!("{TOKEN_ENDPOINT} answered {status}: {said}"))
    }
}

/// The crate's HTTP: one server, and the status that it answered.
struct Exchange<'s, S> {
    server: &'s S,
    status: AtomicU16,
}

impl<'c, S: TokenServer> AsyncHttpClient<'c> for Exchange<'_, S> {
    type Error = ReadError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, ReadError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let answer = self.server.answer(built(request)?).await?;
            self.status.store(answer.status, Ordering::Relaxed);
            let unfit = |_| ReadError::NoCredentials(format!("{TOKEN_ENDPOINT} answered nonsense"));
            // What it says of the content's type decides nothing: not every server says it right.
            http::Response::builder().status(answer.status).body(answer.body).map_err(unfit)
        })
    }
}

impl TokenResponse for Good {
    type TokenType = BasicTokenType;

    fn access_token(&self) -> &AccessToken {
        &self.access_token
    }

    fn token_type(&self) -> &BasicTokenType {
        &self.token_type
    }

    fn expires_in(&self) -> Option<Duration> {
        self.expires_in.map(Duration::from_secs)
    }

    fn refresh_token(&self) -> Option<&RefreshToken> {
        None
    }

    fn scopes(&self) -> Option<&Vec<Scope>> {
        None
    }
}

/// One that is given for a client's secret.
pub(super) async fn for_secret(
    of: &OAuth2,
    timeout: Duration,
    reach: &Reach,
) -> Result<Token, ReadError> {
    let secret = Secret::new(&reach.text(&of.client_secret_file)?);
    let OAuth2 { client_id: id, parameters, .. } = of;
    let client = Client { id, secret: &secret, scope: of.scope.as_deref(), parameters };
    client.token(&Server { url: &of.token_url, tls: &of.tls, timeout, reach }).await
}

/// One of Microsoft Entra, for the token of the workload's own service account.
pub(super) async fn of_azure(
    scope: &str,
    timeout: Duration,
    reach: &Reach,
) -> Result<Token, ReadError> {
    let set = |name: &str| {
        reach.environment.get(name).ok_or_else(|| {
            let why = "is not set: does the pod have the label azure.workload.identity/use?";
            ReadError::NoCredentials(format!("{name} {why}"))
        })
    };
    let authority = reach.environment.get("AZURE_AUTHORITY_HOST");
    let authority = authority.unwrap_or("https://login.microsoftonline.com/");
    let tenant = set("AZURE_TENANT_ID")?;
    let assertion = reach.text(set("AZURE_FEDERATED_TOKEN_FILE")?)?;
    let url = format!("{}/{tenant}/oauth2/v2.0/token", authority.trim_end_matches('/'));
    let mut hidden = Hidden::default();
    hidden.add(&assertion);
    let parameters =
        [("client_assertion_type", JWT_BEARER), ("client_assertion", assertion.as_str())];
    let wanted = Wanted { scope: Some(scope), parameters: &parameters, hidden: &hidden };
    let server = Server { url: &url, tls: &Tls::default(), timeout, reach };
    let asking = asking(set("AZURE_CLIENT_ID")?, &server)?.set_auth_type(AuthType::RequestBody);
    wanted.token(&asking, &server).await.map_err(|(_, error)| error)
}

/// Where tokens are given.
struct Server<'s> {
    url: &'s str,
    tls: &'s Tls,
    timeout: Duration,
    reach: &'s Reach,
}

impl TokenServer for Server<'_> {
    fn url(&self) -> &str {
        self.url
    }

    async fn answer(&self, request: reqwest::Request) -> Result<Answer, ReadError> {
        let clients = client(self.url, self.timeout, self.tls, self.reach)?;
        clients.send(request).await.map_err(|error| why(TOKEN_ENDPOINT, error))
    }
}

/// A client that is used once: tokens are good for an hour.
pub(super) fn client(
    url: &str,
    timeout: Duration,
    tls: &Tls,
    reach: &Reach,
) -> Result<Clients, ReadError> {
    Clients::new(url, timeout, tls, reach)
        .map_err(|_| ReadError::NoCredentials("no client for tokens can be made".to_owned()))
}

/// An error of another server than the source: it says nothing about the source.
pub(in crate::source) fn why(whose: &str, error: ReadError) -> ReadError {
    ReadError::NoCredentials(format!("{whose}: {error}"))
}

/// A request of a crate that has no HTTP of its own; no log shows its headers.
pub(super) fn built<B: Into<reqwest::Body>>(
    mut request: http::Request<B>,
) -> Result<reqwest::Request, ReadError> {
    request.headers_mut().values_mut().for_each(|text| text.set_sensitive(true));
    let unfit = |_| ReadError::NoCredentials("the request cannot be made".to_owned());
    reqwest::Request::try_from(request).map_err(unfit)
}

fn bearer() -> BasicTokenType {
    BasicTokenType::Bearer
}

/// Seconds as a number, or as a text with one.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Number(u64),
        Text(String),
    }
    match Option::deserialize(deserializer)? {
        None => Ok(None),
        Some(Written::Number(seconds)) => Ok(Some(seconds)),
        Some(Written::Text(text)) => text.parse().map(Some).map_err(D::Error::custom),
    }
}
