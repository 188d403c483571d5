//! Keys that the platform under the pod gives: the agent of EKS Pod Identity or ECS, or the node.

use super::{FOREVER, Keys, left};
use crate::policy::access::Tls;
use crate::source::ReadError;
use crate::source::access::{Reach, grant, header_value};
use crate::source::http::Answer;
use jiff::Timestamp;
use reqwest::header::HeaderValue;
use reqwest::{Client, RequestBuilder};
use serde::Deserialize;
use std::time::Duration;

/// Where a node of Amazon tells about itself.
const METADATA: &str = "http://169.254.169.254";
/// How long a token for that is good, in seconds: it is used at once.
const TOKEN_SECONDS: &str = "60";
/// How this is called in errors.
const NODE: &str = "the node's metadata service (IMDSv2; the environment names no keys)";
/// And the other one.
const AGENT: &str = "the agent for credentials";

/// Keys as both answer them.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answered {
    access_key_id: String,
    secret_access_key: String,
    token: Option<String>,
    expiration: Option<Timestamp>,
}

/// Keys that the agent of the pod gives, and how long they are good.
pub(super) async fn of_agent(
    url: &str,
    timeout: Duration,
    reach: &Reach,
) -> Result<(Keys, Duration), ReadError> {
    let token = match reach.environment.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
        Some(path) => Some(reach.text(path)?),
        None => reach.environment.get("AWS_CONTAINER_AUTHORIZATION_TOKEN").map(str::to_owned),
    };
    let token = token.map(|it| header_value(&it, "the agent's token")).transpose()?;
    let make = |http: &Client| match &token {
        Some(token) => http.get(url).header("Authorization", token),
        None => http.get(url),
    };
    let body = ask(AGENT, url, timeout, reach, make).await?;
    keys(AGENT, &body, reach)
}

/// Keys of the role that the node has, by the second version of its service: the first one answers
/// to whoever can have a pod send a request.
pub(super) async fn of_node(
    timeout: Duration,
    reach: &Reach,
) -> Result<(Keys, Duration), ReadError> {
    let base = reach.environment.get("AWS_EC2_METADATA_SERVICE_ENDPOINT").unwrap_or(METADATA);
    let base = base.trim_end_matches('/');
    let url = format!("{base}/latest/api/token");
    let make = |http: &Client| {
        http.put(&url).header("X-aws-ec2-metadata-token-ttl-seconds", TOKEN_SECONDS)
    };
    let token = ask(NODE, &url, timeout, reach, make).await?;
    let token = header_value(String::from_utf8_lossy(&token).trim(), NODE)?;
    let roles = format!("{base}/latest/meta-data/iam/security-credentials/");
    let read = |url: String| {
        let token: HeaderValue = token.clone();
        async move {
            let make = |http: &Client| http.get(&url).header("X-aws-ec2-metadata-token", &token);
            ask(NODE, &url, timeout, reach, make).await
        }
    };
    let listed = read(roles.clone()).await?;
    let listed = String::from_utf8_lossy(&listed);
    let role = listed.lines().next().map(str::trim).unwrap_or_default();
    let is_plain = |it: u8| it.is_ascii_alphanumeric() || b"+=,.@-_".contains(&it);
    if role.is_empty() || !role.bytes().all(is_plain) {
        return Err(ReadError::NoCredentials(format!("{NODE} names no role")));
    }
    keys(NODE, &read(format!("{roles}{role}")).await?, reach)
}

/// A good answer of the platform.
async fn ask(
    whose: &str,
    url: &str,
    timeout: Duration,
    reach: &Reach,
    make: impl Fn(&Client) -> RequestBuilder,
) -> Result<Vec<u8>, ReadError> {
    let clients = grant::client(url, timeout, &Tls::default(), reach)?;
    let answer = clients.send(make).await;
    let Answer { status, body, content_type: _ } =
        answer.map_err(|error| grant::why(whose, error))?;
    if !(200..300).contains(&status) {
        return Err(ReadError::NoCredentials(format!("{whose} answered {status}")));
    }
    Ok(body)
}

fn keys(whose: &str, body: &[u8], reach: &Reach) -> Result<(Keys, Duration), ReadError> {
    // What is wrong with the JSON may quote a key.
    let answered: Answered = serde_json::from_slice(body)
        .map_err(|_| ReadError::NoCredentials(format!("{whose} answered no keys")))?;
    let Answered { access_key_id, secret_access_key, token, expiration } = answered;
    let keys = Keys::new(&access_key_id, &secret_access_key, token.as_deref());
    Ok((keys, expiration.map_or(FOREVER, |it| left(it, reach))))
}
