//! Tokens by OAuth 2.0: for a client's secret, for the assertion of a platform, for a signed one.

use super::client::Clients;
use super::{Hidden, Reach};
use crate::domain::secret::Secret;
use crate::policy::access::{OAuth2, Tls};
use crate::source::ReadError;
use crate::source::http::Answer;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::RequestBuilder;
use serde::Deserialize;
use serde::de::{Deserializer, Error};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a token is good whose answer does not say so.
const LIFETIME_DEFAULT: Duration = Duration::from_secs(300);
/// How much of what a server says about an error is passed on.
pub(super) const MESSAGE_CHARS_MAX: usize = 160;
/// What stands for itself in a form.
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The kind of assertion that a platform's token is (RFC 7523).
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A token and how long it is good.
pub(in crate::source) type Token = (String, Duration);

#[derive(Deserialize)]
struct Good {
    access_token: String,
    #[serde(default, deserialize_with = "seconds")]
    expires_in: Option<u64>,
}

#[derive(Deserialize)]
struct Bad {
    error: String,
    error_description: Option<String>,
}

/// Where tokens are given for clients' secrets.
pub(in crate::source) trait TokenServer: Sync {
    /// What is answered to a form, and to a name and a password in the header where there are some.
    fn answer(
        &self,
        form: &[(&str, &str)],
        shown: Option<(&str, &str)>,
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
        let mut form = vec![("grant_type", "client_credentials")];
        form.extend(scope.map(|it| ("scope", it)));
        form.extend(parameters.iter().map(|(name, text)| (&**name, &**text)));
        let mut hidden = Hidden::default();
        hidden.add(secret);
        let encoded = |text| utf8_percent_encode(text, FORM).to_string();
        let (shown_id, password) = (encoded(id), encoded(secret));
        hidden.add(&password);
        // RFC 6749, 2.3.1: every server takes the header; some do not.
        let first = server.answer(&form, Some((&shown_id, &password))).await?;
        if !matches!(first.status, 400 | 401) {
            return token(&first, &hidden);
        }
        form.extend([("client_id", id), ("client_secret", secret)]);
        token(&server.answer(&form, None).await?, &hidden)
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
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", set("AZURE_CLIENT_ID")?),
        ("client_assertion_type", JWT_BEARER),
        ("client_assertion", assertion.as_str()),
        ("scope", scope),
    ];
    let url = format!("{}/{tenant}/oauth2/v2.0/token", authority.trim_end_matches('/'));
    let server = Server { url: &url, tls: &Tls::default(), timeout, reach };
    let mut hidden = Hidden::default();
    hidden.add(&assertion);
    token(&server.answer(&form, None).await?, &hidden)
}

/// One that is given for an assertion that somebody signed (RFC 7523, 2.1).
pub(super) async fn for_assertion(
    url: &str,
    assertion: &str,
    timeout: Duration,
    reach: &Reach,
) -> Result<Token, ReadError> {
    let kind = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    let form = [("grant_type", kind), ("assertion", assertion)];
    let server = Server { url, tls: &Tls::default(), timeout, reach };
    let mut hidden = Hidden::default();
    hidden.add(assertion);
    token(&server.answer(&form, None).await?, &hidden)
}

/// Where tokens are given.
struct Server<'s> {
    url: &'s str,
    tls: &'s Tls,
    timeout: Duration,
    reach: &'s Reach,
}

impl TokenServer for Server<'_> {
    async fn answer(
        &self,
        form: &[(&str, &str)],
        shown: Option<(&str, &str)>,
    ) -> Result<Answer, ReadError> {
        let clients = client(self.url, self.timeout, self.tls, self.reach)?;
        let request = |http: &reqwest::Client| asked(http.post(self.url), form, shown);
        clients.send(request).await.map_err(|error| why(TOKEN_ENDPOINT, error))
    }
}

/// How servers are called that give tokens.
pub(in crate::source) const TOKEN_ENDPOINT: &str = "the token endpoint";

/// A request for a token.
pub(in crate::source) fn asked(
    request: RequestBuilder,
    form: &[(&str, &str)],
    shown: Option<(&str, &str)>,
) -> RequestBuilder {
    let request = request.form(form);
    match shown {
        Some((name, password)) => request.basic_auth(name, Some(password)),
        None => request,
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

/// The token of an answer.
pub(super) fn token(answer: &Answer, hidden: &Hidden) -> Result<Token, ReadError> {
    let told = |problem: String| ReadError::NoCredentials(hidden.without(problem));
    if !(200..300).contains(&answer.status) {
        let said = match serde_json::from_slice::<Bad>(&answer.body) {
            Ok(Bad { error, error_description }) => {
                let more = error_description.map(|it| format!(": {it}")).unwrap_or_default();
                format!("{error}{more}")
            }
            // Whatever else it is, it may repeat what was asked.
            Err(_) => "no error of OAuth 2.0".to_owned(),
        };
        let said = hidden.without(said).split_whitespace().collect::<Vec<_>>().join(" ");
        let said: String = said.chars().take(MESSAGE_CHARS_MAX).collect();
        return Err(told(format!("the token endpoint answered {}: {said}", answer.status)));
    }
    let Good { access_token, expires_in } = serde_json::from_slice(&answer.body)
        .map_err(|_| told("the token endpoint answered no token".to_owned()))?;
    Ok((access_token, expires_in.map_or(LIFETIME_DEFAULT, Duration::from_secs)))
}

/// Seconds as a number, or as a text with one, as some servers write it.
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
