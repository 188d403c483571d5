//! Tokens of Google: what its servers and the source are shown.

use crate::source_access::{setup, shows, write};
use crate::source_tokens::{first, gives, world};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use serde_json::{Value, json};

#[tokio::test]
async fn google_takes_the_token_of_the_machine_a_signed_one_and_one_for_that_of_another_platform() {
    const KEY: &str = include_str!("keys/service-account.pem");
    const SCOPE: &str = "https://www.googleapis.com/auth/monitoring.read";
    let web = world().await;
    let metadata = "/computeMetadata/v1/instance/service-accounts/default/token";
    gives(&web, metadata, "of-the-machine");
    let given = json!({
        "access_token": "of-the-federation", "token_type": "Bearer", "expires_in": 3600,
        "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
    });
    web.show("/sts", &given.to_string());
    let by_file = |name: &str| format!("auth: {{google: {{credentialsFile: FOLDER/{name}.json}}}}");
    let [account, federation, program] = ["account", "federation", "program"].map(by_file);
    let setup = setup(&[
        ("machine", web.url("/machine"), "auth: {google: {}}"),
        ("account", web.url("/account"), &account),
        ("federation", web.url("/federation"), &federation),
        ("program", web.url("/program"), &program),
    ]);
    let email = "foresail@project.iam.gserviceaccount.com";
    let key = json!({
        "type": "service_account", "project_id": "project", "client_email": email,
        "private_key": KEY, "private_key_id": "1", "token_uri": web.url("/token"),
    });
    write(&setup.file("account.json"), &key.to_string());
    write(&setup.file("subject"), "ey.subject");
    let mut external = json!({
        "type": "external_account", "audience": "//iam.googleapis.com/pools/p/providers/q",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "token_url": web.url("/sts"),
        "credential_source": {"file": setup.file("subject")},
    });
    write(&setup.file("federation.json"), &external.to_string());
    external["credential_source"] = json!({"executable": {"command": "/bin/true"}});
    write(&setup.file("program.json"), &external.to_string());
    let host = web.url("").trim_start_matches("http://").to_owned();
    let adapter = setup.environment("GCE_METADATA_HOST", host).start().await;
    for name in ["machine", "account", "federation"] {
        adapter.serves(name, "6").await;
    }
    adapter.refuses("program", &["wants to run a program for its token"]).await;
    shows(&web, "/machine", "authorization", "Bearer of-the-machine").await;
    let asked = first(&web, metadata);
    assert_eq!(asked.headers["metadata-flavor"], "Google");
    assert_eq!(asked.parameters["scopes"], SCOPE);
    shows(&web, "/federation", "authorization", "Bearer of-the-federation").await;
    let asked = first(&web, "/sts");
    assert_eq!(asked.parameters["subject_token"], "ey.subject");
    assert_eq!(asked.parameters["scope"], SCOPE);

    let shown = first(&web, "/account").headers["authorization"].clone();
    let (signed, signature) = shown.strip_prefix("Bearer ").unwrap().rsplit_once('.').unwrap();
    let decoded = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    let [header, claims] =
        [header, claims].map(|it| serde_json::from_slice::<Value>(&decoded(it)).unwrap());
    assert_eq!((&header["alg"], &header["kid"]), (&json!("RS256"), &json!("1")));
    assert_eq!((&claims["iss"], &claims["sub"]), (&json!(email), &json!(email)));
    assert_eq!(claims["scope"], SCOPE);
    let der: String = KEY.lines().filter(|it| !it.starts_with('-')).collect();
    let pair = RsaKeyPair::from_pkcs8(&STANDARD.decode(der).unwrap()).unwrap();
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key().as_ref());
    public.verify(signed.as_bytes(), &decoded(signature)).unwrap();
    assert_eq!(web.asked("/token").len(), 0, "Google takes what the account has signed");
}
