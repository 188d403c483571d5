//! Tokens of Google: of the machine's own account, from its metadata server, or of a service account
//! by its key file.

use super::{Hidden, Reach, grant};
use crate::policy::access::Tls;
use crate::source::ReadError;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use grant::Token;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;

/// How long an assertion is good: a token is asked for at once.
const ASSERTION_SECONDS: i64 = 600;

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
            grant::for_assertion(&key.token_uri, &assertion, timeout, reach).await
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
    grant::token(&answer, &Hidden::default())
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
