//! Servers that are asked over HTTP: what they answer is JSON, or an error in words.

use super::{Failed, Login, QueueServer, dial};
use crate::policy::queue::Credential;
use crate::policy::queue::reach::Reach;
use crate::source::ReadError;
use crate::source::http::{Answer, Http, Trust, client_trusting};
use reqwest::{RequestBuilder, Url};
use serde::de::DeserializeOwned;
use std::time::Duration;

/// How much of what a server says about an error is passed on.
const MESSAGE_CHARS_MAX: usize = 200;

/// A client for the server at `url`.
pub(super) fn client(
    url: &str,
    server: &QueueServer,
    login: &Login,
    is_unsafe: bool,
) -> Result<Http, Failed> {
    // As the client sees it: `127.1` is an address to it, and no resolver is asked for one.
    let parsed = Url::parse(url).map_err(|_| Failed::not_understood("the URL is none"))?;
    dial::permitted(&server.reach, parsed.host_str().unwrap_or_default())?;
    let resolver = dial::Resolver::within(&server.reach);
    let authorities = login.get(Credential::Ca);
    let trust = Trust { authorities, are_more: false, is_unsafe, resolver };
    client_trusting(url, server.timeout, &trust).map_err(|_| no_client())
}

/// A client for a server beside the one that has the queue, as one that gives tokens: the machine's
/// own authorities are trusted as well as those of the login.
pub(super) fn client_beside(
    url: &str,
    timeout: Duration,
    reach: &Reach,
    login: &Login,
) -> Result<Http, Failed> {
    let parsed = Url::parse(url).map_err(|_| Failed::not_understood("the URL is none"))?;
    dial::permitted(reach, parsed.host_str().unwrap_or_default())?;
    let (authorities, resolver) = (login.get(Credential::Ca), dial::Resolver::within(reach));
    let trust = Trust { authorities, are_more: true, is_unsafe: false, resolver };
    client_trusting(url, timeout, &trust).map_err(|_| no_client())
}

fn no_client() -> Failed {
    let problem = "no client can be made: is `caFrom` in PEM?";
    Failed::Answer(ReadError::NoCredentials(problem.to_owned()))
}

/// The body of a good answer.
pub(super) async fn fetch(http: &Http, request: RequestBuilder) -> Result<Vec<u8>, Failed> {
    // The client keeps and renews its connections by itself.
    let Answer { status, body, .. } = http.send(request).await.map_err(Failed::Answer)?;
    if (200..300).contains(&status) {
        return Ok(body);
    }
    let said = String::from_utf8_lossy(&body);
    let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
    let message = words.chars().take(MESSAGE_CHARS_MAX).collect();
    let error = ReadError::Refused { status, message };
    Err(if matches!(status, 401 | 403) {
        Failed::Credentials(error)
    } else {
        Failed::Answer(error)
    })
}

/// A good answer in JSON.
pub(super) async fn json<T: DeserializeOwned>(
    http: &Http,
    request: RequestBuilder,
) -> Result<T, Failed> {
    let body = fetch(http, request).await?;
    serde_json::from_slice(&body)
        .map_err(|_| Failed::not_understood("this is not the JSON of such a server"))
}
