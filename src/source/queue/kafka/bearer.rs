//! OAUTHBEARER: a login with a token that a server gives for a client's id and secret (RFC 7628).

use crate::domain::secret::Secret;
use crate::policy::queue::kafka::KafkaPlace;
use crate::policy::queue::token::{TokenRequest, extensions, scope};
use crate::policy::queue::{Credential, QueueServer};
use crate::source::ReadError;
use crate::source::access::grant::{self, Client, TOKEN_ENDPOINT, TokenServer};
use crate::source::access::kept::{Fetched, Kept};
use crate::source::http::{Answer, Http};
use crate::source::queue::{Failed, Login, web};
use reqwest::{Request, RequestBuilder};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::{Duration, Instant};

/// What ends each part of what is said.
const END: char = '\u{1}';
/// How much of a broker's reason is passed on.
const STATUS_CHARS_MAX: usize = 40;

/// The tokens of one client.
pub(super) struct Tokens {
    server: Endpoint,
    id: Box<str>,
    secret: Secret,
    scope: Option<Box<str>>,
    extensions: BTreeMap<Box<str>, Box<str>>,
    kept: Kept<Secret>,
}

struct Endpoint {
    http: Http,
    url: Box<str>,
}

/// What a broker says of a token that it does not take.
#[derive(Deserialize)]
struct Refusal {
    status: String,
}

impl Tokens {
    /// As the policy and its credentials say; asks nobody yet. An answer may take `timeout`.
    pub(super) fn new(
        server: &QueueServer,
        (place, wanted): (&KafkaPlace, &TokenRequest),
        login: &Login,
        timeout: Duration,
    ) -> Result<Self, Failed> {
        let of = |credential| login.get(credential).map(str::trim);
        let unfit = |problem: &str| Failed::Answer(ReadError::NoCredentials(problem.to_owned()));
        let url = of(Credential::TokenEndpoint).or(wanted.endpoint.as_deref());
        let url = url.ok_or_else(|| unfit("there is no oauthTokenEndpointUri"))?;
        if !url.starts_with("https://") && !url.starts_with("http://") {
            return Err(unfit("the oauthTokenEndpointUri is no http or https URL"));
        }
        let extensions = match of(Credential::Extensions) {
            Some(text) => {
                extensions(text).ok_or_else(|| unfit("the oauthExtensions are no pairs"))?
            }
            None => wanted.extensions.clone(),
        };
        let http = web::client_beside(url, timeout, &server.reach, login)?;
        let id = of(Credential::Username).or(place.username.as_deref()).unwrap_or_default();
        Ok(Self {
            server: Endpoint { http, url: url.into() },
            id: id.into(),
            secret: Secret::new(login.get(Credential::Password).unwrap_or_default()),
            scope: of(Credential::Scopes).map_or_else(|| wanted.scope.clone(), scope),
            extensions,
            kept: Kept::default(),
        })
    }

    /// A token that is good now.
    pub(super) async fn current(&self) -> Result<Fetched<Secret>, Failed> {
        let Self { id, secret, .. } = self;
        let parameters = BTreeMap::new();
        let client = Client { id, secret, scope: self.scope.as_deref(), parameters: &parameters };
        let fetch = async {
            let (token, lifetime) = client.token(&self.server).await?;
            Ok((Secret::new(&token), lifetime))
        };
        self.kept.get(Instant::now(), fetch).await.map_err(Failed::Answer)
    }

    /// What is said to a broker.
    pub(super) fn shown(&self, token: &Fetched<Secret>) -> Result<String, Failed> {
        let token = token.what.reveal();
        if !token.bytes().all(|it| it.is_ascii_graphic() || it == b' ') {
            let problem = format!("{TOKEN_ENDPOINT} answered a token that cannot be shown");
            return Err(Failed::Answer(ReadError::NoCredentials(problem)));
        }
        Ok(first(token, &self.extensions))
    }

    /// What it means that a broker does not take this token, and what it said to that.
    pub(super) async fn refused(&self, token: &Fetched<Secret>, said: &[u8]) -> Failed {
        // The next login has another one, if this is not just a moment old.
        _ = self.kept.refused(token.at, Instant::now()).await;
        let status = serde_json::from_slice(said).map(|Refusal { status }| status);
        let is_plain = |it: &char| it.is_ascii_alphanumeric() || "_-.".contains(*it);
        let status: String = status.unwrap_or_default().chars().filter(is_plain).collect();
        let why: String = status.chars().take(STATUS_CHARS_MAX).collect();
        let why = if why.is_empty() { why } else { format!(": {why}") };
        Failed::Credentials(ReadError::Denied(format!("the broker does not take the token{why}")))
    }
}

/// What is said when a broker has told why it does not take a token, so that it ends the login.
pub(super) fn last() -> String {
    END.to_string()
}

fn first(token: &str, extensions: &BTreeMap<Box<str>, Box<str>>) -> String {
    let mut text = format!("n,,{END}auth=Bearer {token}{END}");
    for (key, value) in extensions {
        // Writing to a text does not fail.
        _ = write!(text, "{key}={value}{END}");
    }
    text.push(END);
    text
}

impl TokenServer for Endpoint {
    fn url(&self) -> &str {
        &self.url
    }

    async fn answer(&self, request: Request) -> Result<Answer, ReadError> {
        let request = RequestBuilder::from_parts(self.http.client.clone(), request);
        self.http.send(request).await.map_err(|error| grant::why(TOKEN_ENDPOINT, error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7628, section 4.1, without its name and with what a Kafka's client may add.
    #[test]
    fn a_token_is_shown_as_the_rfc_has_it() {
        let extensions = BTreeMap::from([("logicalCluster".into(), "lkc-1".into())]);
        let shown = first("vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==", &extensions);
        assert_eq!(
            shown,
            "n,,\u{1}auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\u{1}\
             logicalCluster=lkc-1\u{1}\u{1}"
        );
    }
}
