//! Tokens of Google: of the machine's own account, from its metadata server, or of a service account
//! by its key file.

use super::{Hidden, Reach, grant};
use crate::policy::access::Tls;
use crate::source::ReadError;
use crate::source::http::Answer;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use grant::{MESSAGE_CHARS_MAX, Token};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;

/// How long an assertion is good: a token is asked for at once.
const ASSERTION_SECONDS: i64 = 600;

#[derive(Deserialize)]
struct Good {
    access_token: String,
    expires_in: u64,
}

#[derive(Deserialize)]
struct Bad {
    error: String,
    error_description: Option<String>,
}

#[derive(Deserialize)]
struct KeyFile {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    client_email: String,
    #[serde(default)]
    private_key: String,
    #[serde(default)]
    private_key_id: String,
    #[serde(default)]
    token_uri: String,
}

/// A token for `scope`.
pub(super) async fn token(
    scope: &str,
    credentials_file: Option<&str>,
    timeout: Duration,
    reach: &Reach,
) -> Result<Token, ReadError> {
    let named = reach.environment.get("GOOGLE_APPLICATION_CREDENTIALS");
    match credentials_file.or(named) {
        None => of_machine(scope, timeout, reach).await,
        Some(path) => {
            let unfit = |why: &str| ReadError::NoCredentials(format!("`{path}` {why}"));
            // What is wrong with the JSON may quote the key.
            let key: KeyFile = serde_json::from_str(&reach.text(path)?)
                .map_err(|_| unfit("is no key file of Google"))?;
            if key.kind != "service_account" {
                return Err(unfit("is not of a service account; use the machine's own account"));
            }
            let assertion = assertion(&key, scope, (reach.now)().as_second())
                .ok_or_else(|| unfit("has no RSA key in PKCS#8 that can sign"))?;
            for_assertion(&key.token_uri, &assertion, timeout, reach).await
        }
    }
}

/// On GKE the metadata server answers for the service account of the pod.
async fn of_machine(scope: &str, timeout: Duration, reach: &Reach) -> Result<Token, ReadError> {
    let host = reach.environment.get("GCE_METADATA_HOST").unwrap_or("metadata.google.internal");
    let url = format!("http://{host}/computeMetadata/v1/instance/service-accounts/default/token");
    let clients = grant::client(&url, timeout, &Tls::default(), reach)?;
    let make = |http: &reqwest::Client| {
        http.get(&url).query(&[("scopes", scope)]).header("Metadata-Flavor", "Google")
    };
    let answer = clients.send(make).await;
    let answer = answer.map_err(|error| grant::why("the metadata server", error))?;
    received(&answer, &Hidden::default())
}

/// One that is given for an assertion that somebody signed (RFC 7523, 2.1).
async fn for_assertion(
    url: &str,
    assertion: &str,
    timeout: Duration,
    reach: &Reach,
) -> Result<Token, ReadError> {
    let kind = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    let form = [("grant_type", kind), ("assertion", assertion)];
    let clients = grant::client(url, timeout, &Tls::default(), reach)?;
    let make = |http: &reqwest::Client| http.post(url).form(&form);
    let answer = clients.send(make).await;
    let answer = answer.map_err(|error| grant::why(grant::TOKEN_ENDPOINT, error))?;
    let mut hidden = Hidden::default();
    hidden.add(assertion);
    received(&answer, &hidden)
}

/// The token of an answer.
fn received(answer: &Answer, hidden: &Hidden) -> Result<Token, ReadError> {
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
        let said: String = hidden.without(said).chars().take(MESSAGE_CHARS_MAX).collect();
        return Err(told(format!("the token endpoint answered {}: {said}", answer.status)));
    }
    let Good { access_token, expires_in } = serde_json::from_slice(&answer.body)
        .map_err(|_| told("the token endpoint answered no token".to_owned()))?;
    Ok((access_token, Duration::from_secs(expires_in)))
}

/// A signed request for a token (RFC 7523), issued at `now` in seconds since 1970.
fn assertion(key: &KeyFile, scope: &str, now: i64) -> Option<String> {
    let header = json!({"alg": "RS256", "typ": "JWT", "kid": key.private_key_id});
    let claims = json!({
        "iss": key.client_email,
        "scope": scope,
        "aud": key.token_uri,
        "iat": now,
        "exp": now.saturating_add(ASSERTION_SECONDS),
    });
    let [header, claims] = [header, claims].map(|it| URL_SAFE_NO_PAD.encode(it.to_string()));
    let signed = format!("{header}.{claims}");
    let lines = key.private_key.lines().filter(|it| !it.starts_with("-----"));
    let der = STANDARD.decode(lines.map(str::trim).collect::<String>()).ok()?;
    let pair = RsaKeyPair::from_pkcs8(&der).ok()?;
    let mut signature = vec![0; pair.public().modulus_len()];
    let random = SystemRandom::new();
    pair.sign(&RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut signature).ok()?;
    Some(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
}
