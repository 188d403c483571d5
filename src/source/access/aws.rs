//! Signatures of Amazon (SigV4), and where the keys for them are found: a file, the environment, a
//! web identity (IRSA), or the agent of the node (EKS Pod Identity, ECS).

use super::{Hidden, Reach, grant};
use crate::domain::secret::Secret;
use crate::policy::access::{Aws, Tls};
use crate::source::ReadError;
use crate::source::http::Answer;
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use jiff::Timestamp;
use reqwest::Request;
use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use serde::Deserialize;
use std::time::{Duration, SystemTime};

/// How long keys are used that do not expire: as long as a file or the environment says the same.
const FOREVER: Duration = Duration::ZERO;

/// Keys that sign.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    id: String,
    secret: Secret,
    session: Option<Secret>,
}

/// Keys as the agent of a node answers them.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answered {
    access_key_id: String,
    secret_access_key: String,
    token: Option<String>,
    expiration: Option<Timestamp>,
}

/// Keys, and how long they are good.
pub(super) async fn keys(
    of: &Aws,
    timeout: Duration,
    reach: &Reach,
) -> Result<(Keys, Duration), ReadError> {
    let set = |name: &str| reach.environment.get(name);
    if let Some((path, profile)) = &of.credentials_file {
        let keys = of_profile(&reach.text(path)?, profile).ok_or_else(|| {
            ReadError::NoCredentials(format!("`{path}` has no keys for the profile {profile}"))
        })?;
        return Ok((keys, FOREVER));
    }
    if let Some((id, secret)) = set("AWS_ACCESS_KEY_ID").zip(set("AWS_SECRET_ACCESS_KEY")) {
        let session = set("AWS_SESSION_TOKEN").map(Secret::new);
        return Ok((Keys { id: id.to_owned(), secret: Secret::new(secret), session }, FOREVER));
    }
    if let Some((path, role)) = set("AWS_WEB_IDENTITY_TOKEN_FILE").zip(set("AWS_ROLE_ARN")) {
        return of_web_identity(of, path, role, timeout, reach).await;
    }
    let relative = set("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    let relative = relative.map(|it| format!("http://169.254.170.2{it}"));
    if let Some(url) = set("AWS_CONTAINER_CREDENTIALS_FULL_URI").map(str::to_owned).or(relative) {
        return of_agent(&url, timeout, reach).await;
    }
    let problem = "no keys: the environment names neither keys nor a web identity nor an agent";
    Err(ReadError::NoCredentials(problem.to_owned()))
}

/// The region in which `of` signs.
pub(super) fn region<'r>(of: &'r Aws, reach: &'r Reach) -> Result<&'r str, ReadError> {
    let environment = || {
        let set = |name| reach.environment.get(name);
        set("AWS_REGION").or_else(|| set("AWS_DEFAULT_REGION"))
    };
    of.region.as_deref().or_else(environment).ok_or_else(|| {
        let problem = "no region: write `region`, or set AWS_REGION";
        ReadError::NoCredentials(problem.to_owned())
    })
}

/// Signs `request` as it is at `now`.
pub(super) fn signed(
    mut request: Request,
    keys: &Keys,
    (region, service): (&str, &str),
    now: Timestamp,
) -> Result<Request, ReadError> {
    let unfit =
        || ReadError::NoCredentials("the request cannot be signed with these keys".to_owned());
    let url = request.url_mut();
    // A signature is over what a space is called everywhere else.
    let query = url.query().map(|it| it.replace('+', "%20"));
    url.set_query(query.as_deref());
    let host = url.host_str().unwrap_or_default();
    let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let headers = [Some(("host", host.as_str())), content_type.map(|it| ("content-type", it))];
    let body = request.body().and_then(reqwest::Body::as_bytes).unwrap_or_default();
    let session = keys.session.as_ref().map(|it| it.reveal().to_owned());
    let identity = Credentials::new(&keys.id, keys.secret.reveal(), session, None, "foresail");
    let identity = identity.into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(service)
        .time(SystemTime::from(now))
        .settings(SigningSettings::default())
        .build()
        .map_err(|_| unfit())?;
    let signable = SignableRequest::new(
        request.method().as_str(),
        request.url().as_str(),
        headers.into_iter().flatten(),
        SignableBody::Bytes(body),
    )
    .map_err(|_| unfit())?;
    let (instructions, _) = sign(signable, &parameters.into()).map_err(|_| unfit())?.into_parts();
    for (name, text) in instructions.headers() {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unfit())?;
        let mut text = HeaderValue::from_str(text).map_err(|_| unfit())?;
        text.set_sensitive(true);
        request.headers_mut().insert(name, text);
    }
    Ok(request)
}

impl Keys {
    /// What must not be seen of them.
    pub(super) fn hide(&self, hidden: &mut Hidden) {
        hidden.add(self.secret.reveal());
        if let Some(session) = &self.session {
            hidden.add(session.reveal());
        }
    }
}

/// The keys of a profile in a file as AWS' own tools write it.
fn of_profile(text: &str, profile: &str) -> Option<Keys> {
    let mut is_ours = false;
    let (mut id, mut secret, mut session) = (None, None, None);
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
            is_ours = name.trim() == profile;
        } else if let Some((key, text)) = line.split_once('=').filter(|_| is_ours) {
            match key.trim() {
                "aws_access_key_id" => id = Some(text.trim().to_owned()),
                "aws_secret_access_key" => secret = Some(Secret::new(text.trim())),
                "aws_session_token" => session = Some(Secret::new(text.trim())),
                _ => {}
            }
        }
    }
    Some(Keys { id: id?, secret: secret?, session })
}

/// Keys that STS gives for the token of the pod's service account.
async fn of_web_identity(
    of: &Aws,
    path: &str,
    role: &str,
    timeout: Duration,
    reach: &Reach,
) -> Result<(Keys, Duration), ReadError> {
    let token = reach.text(path)?;
    let url = match reach.environment.get("AWS_ENDPOINT_URL_STS") {
        Some(url) => url.to_owned(),
        None => format!("https://sts.{}.amazonaws.com/", region(of, reach)?),
    };
    let session = reach.environment.get("AWS_ROLE_SESSION_NAME").unwrap_or("foresail");
    let form = [
        ("Action", "AssumeRoleWithWebIdentity"),
        ("Version", "2011-06-15"),
        ("RoleArn", role),
        ("RoleSessionName", session),
        ("WebIdentityToken", token.as_str()),
    ];
    let clients = grant::client(&url, timeout, &Tls::default(), reach)?;
    let answer = clients.send(|http| http.post(&url).form(&form)).await;
    let Answer { status, body, content_type: _ } =
        answer.map_err(|error| grant::why("STS", error))?;
    let text = String::from_utf8_lossy(&body);
    if !(200..300).contains(&status) {
        let code = element(&text, "Code").unwrap_or("no error of STS");
        return Err(ReadError::NoCredentials(format!("STS answered {status}: {code}")));
    }
    let keys = || {
        let expiration = element(&text, "Expiration")?.parse().ok()?;
        let keys = Keys {
            id: element(&text, "AccessKeyId")?.to_owned(),
            secret: Secret::new(element(&text, "SecretAccessKey")?),
            session: Some(Secret::new(element(&text, "SessionToken")?)),
        };
        Some((keys, left(expiration, reach)))
    };
    keys().ok_or_else(|| ReadError::NoCredentials("STS answered no keys".to_owned()))
}

/// The text of the first element of this name. What STS answers has no attributes and no entities
/// here.
fn element<'x>(xml: &'x str, name: &str) -> Option<&'x str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(text, _)| text.trim())
}

/// Keys that the agent of the node gives.
async fn of_agent(
    url: &str,
    timeout: Duration,
    reach: &Reach,
) -> Result<(Keys, Duration), ReadError> {
    let token = match reach.environment.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
        Some(path) => Some(reach.text(path)?),
        None => reach.environment.get("AWS_CONTAINER_AUTHORIZATION_TOKEN").map(str::to_owned),
    };
    let token = token.map(|it| super::header_value(&it, "the agent's token")).transpose()?;
    let clients = grant::client(url, timeout, &Tls::default(), reach)?;
    let make = |http: &reqwest::Client| match &token {
        Some(token) => http.get(url).header("Authorization", token),
        None => http.get(url),
    };
    let answer = clients.send(make).await;
    let Answer { status, body, content_type: _ } =
        answer.map_err(|error| grant::why("the agent for credentials", error))?;
    if !(200..300).contains(&status) {
        let problem = format!("the agent for credentials answered {status}");
        return Err(ReadError::NoCredentials(problem));
    }
    let answered: Answered = serde_json::from_slice(&body).map_err(|_| {
        ReadError::NoCredentials("the agent for credentials answered no keys".to_owned())
    })?;
    let keys = Keys {
        id: answered.access_key_id,
        secret: Secret::new(&answered.secret_access_key),
        session: answered.token.as_deref().map(Secret::new),
    };
    Ok((keys, answered.expiration.map_or(FOREVER, |it| left(it, reach))))
}

fn left(expiration: Timestamp, reach: &Reach) -> Duration {
    let left = expiration.duration_since((reach.now)());
    Duration::try_from(left).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_those_of_the_profile() {
        let text = "[default]\naws_access_key_id = A\naws_secret_access_key=b=c\n\n[ other ]\n\
            aws_access_key_id=D\n";
        let keys = of_profile(text, "default").unwrap();
        assert_eq!((keys.id.as_str(), keys.secret.reveal()), ("A", "b=c"));
        assert!(keys.session.is_none());
        assert!(of_profile(text, "other").is_none(), "half of the keys");
        assert!(of_profile(text, "third").is_none());
        assert!(!format!("{keys:?}").contains("b=c"));
    }
}
