//! Tokens and keys that are fetched to prove who asks: what the servers that give them and the source
//! are shown.

use crate::source_access::{setup, shows, write};
use crate::support::adapter::Setup;
use crate::support::sigv4;
use crate::support::wait;
use crate::support::web::{Asked, Behaviour, Web};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

pub(crate) fn gives(web: &Web, path: &str, token: &str) {
    let answer = json!({"access_token": token, "token_type": "Bearer", "expires_in": 3600});
    web.show(path, &answer.to_string());
}

pub(crate) async fn world() -> Web {
    let web = Web::start().await;
    web.set("/", Behaviour::Prometheus(6.0));
    web
}

/// The first request below a path.
pub(crate) fn first(web: &Web, path: &str) -> Asked {
    web.asked(path).remove(0)
}

#[tokio::test]
async fn a_token_for_a_clients_secret_is_asked_for_once_and_again_when_it_is_refused() {
    let web = world().await;
    gives(&web, "/token", "one");
    let oauth2 = format!(
        "auth: {{oauth2: {{tokenUrl: '{}', clientId: me, clientSecretFile: FOLDER/secret, scopes: [a, b], audience: metrics, endpointParams: {{resource: r}}}}}}",
        web.url("/token")
    );
    let setup = setup(&[("source", web.url("/source"), &oauth2)]);
    write(&setup.file("secret"), "p/w d\n");
    let adapter = setup.start().await;
    adapter.serves("source", "6").await;
    shows(&web, "/source", "authorization", "Bearer one").await;
    let asked = first(&web, "/token");
    // RFC 6749, 2.3.1: both encoded as in a form, `me:p%2Fw+d`.
    let basic = format!("Basic {}", STANDARD.encode("me:p%2Fw+d"));
    assert_eq!(asked.headers["authorization"], basic);
    let parameters: Vec<_> = asked.parameters.iter().map(|it| (&**it.0, &**it.1)).collect();
    assert_eq!(
        parameters,
        [
            ("audience", "metrics"),
            ("grant_type", "client_credentials"),
            ("resource", "r"),
            ("scope", "a b")
        ]
    );
    wait::until("ten reads", async || wait::seen(web.asked("/source").len() > 10, "")).await;
    assert_eq!(web.asked("/token").len(), 1, "one token for all reads");
    // A token that is refused is fetched anew, but not at once: it would be refused, too.
    gives(&web, "/token", "two");
    web.set("/source", Behaviour::Answer(401, b"who is one?".to_vec()));
    wait::until("another token", async || {
        let shown = web.asked("/source").last().map(|it| it.headers["authorization"].clone());
        wait::seen(shown.as_deref() == Some("Bearer two"), format!("{shown:?}"))
    })
    .await;
    web.set("/source", Behaviour::Prometheus(7.0));
    adapter.serves("source", "7").await;
    assert!(web.asked("/token").len() <= 3, "{:?}", web.asked("/token").len());
}

#[tokio::test]
async fn who_does_not_take_the_secret_in_a_header_gets_it_in_the_body() {
    let web = world().await;
    let bad = json!({"error": "invalid_client", "error_description": "no secret-0123 here"});
    web.set("/token", Behaviour::Answer(401, bad.to_string().into_bytes()));
    let oauth2 = format!(
        "auth: {{oauth2: {{tokenUrl: '{}', clientId: me, clientSecretFile: FOLDER/secret}}}}",
        web.url("/token")
    );
    let setup = setup(&[("source", web.url("/source"), &oauth2)]);
    write(&setup.file("secret"), "secret-0123");
    let adapter = setup.start().await;
    let told = "the token endpoint answered 401: invalid_client: no (hidden) here";
    adapter.refuses("source", &[told]).await;
    let asked = web.asked("/token");
    assert_eq!(asked[1].parameters["client_id"], "me");
    assert_eq!(asked[1].parameters["client_secret"], "secret-0123");
    assert_eq!(asked[1].headers.get("authorization"), None);
    assert_eq!(web.asked("/source").len(), 0);
}

#[tokio::test]
async fn azure_is_shown_the_token_of_the_workload() {
    let web = world().await;
    gives(&web, "/tenant-1/oauth2/v2.0/token", "of-azure");
    let setup = setup(&[("source", web.url("/source"), "auth: {azure: {}}")]);
    write(&setup.file("federated"), "ey.federated\n");
    let federated = setup.file("federated").display().to_string();
    let adapter = setup
        .environment("AZURE_AUTHORITY_HOST", web.url("/"))
        .environment("AZURE_TENANT_ID", "tenant-1")
        .environment("AZURE_CLIENT_ID", "client-1")
        .environment("AZURE_FEDERATED_TOKEN_FILE", federated)
        .start()
        .await;
    adapter.serves("source", "6").await;
    shows(&web, "/source", "authorization", "Bearer of-azure").await;
    let asked = first(&web, "/tenant-1");
    for (name, text) in [
        ("grant_type", "client_credentials"),
        ("client_id", "client-1"),
        ("client_assertion", "ey.federated"),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("scope", "https://prometheus.monitor.azure.com/.default"),
    ] {
        assert_eq!(asked.parameters[name], text);
    }
}

/// Waits for a request with a good signature; answers the key's id, the scope and the request.
async fn signed(web: &Web, path: &str, secret: &str) -> (String, String, Asked) {
    wait::until("a request", async || wait::seen(!web.asked(path).is_empty(), "")).await;
    let asked = first(web, path);
    let (id, scope) = sigv4::checked(&asked, secret);
    (id, scope, asked)
}

fn amazon(web: &Web) -> Setup {
    setup(&[
        ("post", web.url("/workspaces/ws-1"), "auth: {aws: {region: eu-central-1}}"),
        (
            "get",
            web.url("/get"),
            "method: GET, parameters: {a: 'b c/d'}, auth: {aws: {region: r, service: s, credentialsFile: FOLDER/keys}}",
        ),
    ])
}

#[tokio::test]
async fn amazon_is_asked_with_signatures_that_it_would_accept() {
    let web = world().await;
    let setup = amazon(&web);
    write(&setup.file("keys"), "[default]\naws_access_key_id=AKIA2\naws_secret_access_key=two/2\n");
    let adapter = setup
        .environment("AWS_ACCESS_KEY_ID", "AKIA1")
        .environment("AWS_SECRET_ACCESS_KEY", "one+1/1")
        .start()
        .await;
    adapter.serves("post", "6").await;
    adapter.serves("get", "6").await;
    let (id, scope, asked) = signed(&web, "/workspaces/ws-1", "one+1/1").await;
    assert_eq!((&*id, &*scope), ("AKIA1", "eu-central-1/aps/aws4_request"));
    assert!(asked.body.contains("query=q"), "{}", asked.body);
    let (id, scope, asked) = signed(&web, "/get", "two/2").await;
    assert_eq!((&*id, &*scope), ("AKIA2", "r/s/aws4_request"));
    assert_eq!(asked.parameters["a"], "b c/d");
    assert!(!asked.query.contains('+'), "{}", asked.query);
}

#[tokio::test]
async fn a_web_identity_is_changed_for_keys() {
    let web = world().await;
    web.show(
        "/sts",
        "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleWithWebIdentityResult>\
         <Credentials><SessionToken>session-1</SessionToken><SecretAccessKey>secret-1</SecretAccessKey>\
         <Expiration>2999-01-01T00:00:00Z</Expiration><AccessKeyId>ASIA1</AccessKeyId></Credentials>\
         </AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>",
    );
    let setup = setup(&[("source", web.url("/source"), "auth: {aws: {}}")]);
    write(&setup.file("identity"), "ey.identity");
    let identity = setup.file("identity").display().to_string();
    let adapter = setup
        .environment("AWS_REGION", "us-east-1")
        .environment("AWS_ROLE_ARN", "arn:aws:iam::1:role/reader")
        .environment("AWS_WEB_IDENTITY_TOKEN_FILE", identity)
        .environment("AWS_ENDPOINT_URL_STS", web.url("/sts"))
        .start()
        .await;
    adapter.serves("source", "6").await;
    let (id, scope, asked) = signed(&web, "/source", "secret-1").await;
    assert_eq!((&*id, &*scope), ("ASIA1", "us-east-1/aps/aws4_request"));
    assert_eq!(asked.headers["x-amz-security-token"], "session-1");
    let asked = web.asked("/sts");
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].parameters["WebIdentityToken"], "ey.identity");
    assert_eq!(asked[0].parameters["RoleArn"], "arn:aws:iam::1:role/reader");
}

#[tokio::test]
async fn a_role_is_assumed_with_the_keys_that_there_are() {
    let web = world().await;
    web.show(
        "/sts",
        "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult>\
         <AssumedRoleUser><AssumedRoleId>ARO:foresail</AssumedRoleId></AssumedRoleUser><Credentials>\
         <AccessKeyId>ASIA3</AccessKeyId><SecretAccessKey>secret-3</SecretAccessKey>\
         <SessionToken>session-3</SessionToken><Expiration>2999-01-01T00:00:00Z</Expiration>\
         </Credentials></AssumeRoleResult></AssumeRoleResponse>",
    );
    let role = "arn:aws:iam::123456789012:role/reader";
    let aws = format!("auth: {{aws: {{region: r, roleArn: '{role}', externalId: team-1}}}}");
    let setup = setup(&[("source", web.url("/source"), &aws)]);
    let adapter = setup
        .environment("AWS_ACCESS_KEY_ID", "AKIA1")
        .environment("AWS_SECRET_ACCESS_KEY", "one+1/1")
        .environment("AWS_ENDPOINT_URL_STS", web.url("/sts"))
        .start()
        .await;
    adapter.serves("source", "6").await;
    let (id, _, asked) = signed(&web, "/source", "secret-3").await;
    assert_eq!((&*id, &*asked.headers["x-amz-security-token"]), ("ASIA3", "session-3"));
    let (id, scope, asked) = signed(&web, "/sts", "one+1/1").await;
    assert_eq!((&*id, &*scope), ("AKIA1", "r/sts/aws4_request"));
    assert_eq!(asked.parameters["Action"], "AssumeRole");
    assert_eq!(asked.parameters["RoleArn"], role);
    assert_eq!(asked.parameters["ExternalId"], "team-1");
}

#[tokio::test]
async fn the_node_gives_keys_to_who_asks_by_the_second_version_or_it_is_told_why_not() {
    let web = world().await;
    let node = "/latest/meta-data/iam/security-credentials";
    web.set("/latest", Behaviour::Answer(404, Vec::new()));
    let setup = setup(&[("source", web.url("/source"), "auth: {aws: {region: r}}")]);
    let adapter = setup.environment("AWS_EC2_METADATA_SERVICE_ENDPOINT", web.url("")).start().await;
    let whose = "the node's metadata service (IMDSv2; the environment names no keys)";
    adapter.refuses("source", &[&format!("{whose} answered 404")]).await;
    web.show("/latest/api/token", "node-token");
    // A name that is none would lead elsewhere.
    web.show(node, "../../user-data");
    adapter.refuses("source", &[&format!("{whose}: it names no role")]).await;
    web.show(node, "reader\n");
    web.show(&format!("{node}/reader"), r#"{"Code": "AssumeRoleUnauthorizedAccess"}"#);
    adapter.refuses("source", &[&format!("{whose} answered no keys: does its role trust")]).await;
    assert_eq!(web.asked("/source").len(), 0);
    let keys = json!({
        "Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": "ASIA4",
        "SecretAccessKey": "secret-4", "Token": "session-4", "Expiration": "2999-01-01T00:00:00Z",
    });
    web.show(&format!("{node}/reader"), &keys.to_string());
    adapter.serves("source", "6").await;
    let (id, _, _) = signed(&web, "/source", "secret-4").await;
    assert_eq!(id, "ASIA4");
    let asked = first(&web, "/latest/api/token");
    let seconds: u32 = asked.headers["x-aws-ec2-metadata-token-ttl-seconds"].parse().unwrap();
    assert!(asked.method == "PUT" && seconds > 0);
    assert_eq!(first(&web, node).headers["x-aws-ec2-metadata-token"], "node-token");
}

#[tokio::test]
async fn the_agent_of_a_node_gives_keys() {
    let web = world().await;
    let keys = json!({
        "AccessKeyId": "ASIA2", "SecretAccessKey": "secret-2", "Token": "session-2",
        "Expiration": "2999-01-01T00:00:00Z", "AccountId": "1",
    });
    web.show("/agent", &keys.to_string());
    let setup = setup(&[("source", web.url("/source"), "auth: {aws: {region: r}}")]);
    write(&setup.file("agent"), "for-the-agent");
    let token = setup.file("agent").display().to_string();
    let adapter = setup
        .environment("AWS_CONTAINER_CREDENTIALS_FULL_URI", web.url("/agent"))
        .environment("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token)
        .start()
        .await;
    adapter.serves("source", "6").await;
    let (id, _, asked) = signed(&web, "/source", "secret-2").await;
    assert_eq!((&*id, &*asked.headers["x-amz-security-token"]), ("ASIA2", "session-2"));
    assert_eq!(first(&web, "/agent").headers["authorization"], "for-the-agent");
}

#[tokio::test]
async fn what_proves_who_asks_shows_nowhere_even_if_a_server_repeats_it() {
    let web = world().await;
    gives(&web, "/token", "hidden-fetched");
    let pair = STANDARD.encode("u:hidden-password");
    let oauth2 = format!(
        "auth: {{oauth2: {{tokenUrl: '{}', clientId: me, clientSecretFile: FOLDER/oauth2}}}}",
        web.url("/token")
    );
    let aws = "auth: {aws: {region: r, credentialsFile: FOLDER/aws}}";
    // A source, how it is configured, its file, and what its server repeats.
    let kinds = [
        (
            "basic",
            "auth: {basic: {username: u, passwordFile: FOLDER/basic}}",
            "hidden-password",
            pair.as_str(),
        ),
        ("bearer", "auth: {bearer: {tokenFile: FOLDER/bearer}}", "hidden-token", "hidden-token"),
        (
            "header",
            "headers: {X-Key: {valueFile: FOLDER/header}}",
            "hidden-header",
            "hidden-header",
        ),
        ("oauth2", oauth2.as_str(), "hidden-client", "hidden-fetched"),
        (
            "aws",
            aws,
            "[default]\naws_access_key_id=A\naws_secret_access_key=hidden-key",
            "hidden-key",
        ),
    ];
    let sources = kinds.map(|(name, keys, ..)| (name, web.url(&format!("/{name}")), keys));
    let setup = setup(&sources).log_filter("trace");
    for (name, _, text, _) in kinds {
        write(&setup.file(name), text);
    }
    let adapter = setup.start().await;
    for (name, ..) in kinds {
        adapter.serves(name, "6").await;
    }
    let mut told = String::new();
    for (status, result) in [(200, "not_understood"), (401, "refused"), (422, "refused")] {
        for (name, _, _, secret) in kinds {
            let said = json!({"status": "error", "error": format!("you are {secret} to me")});
            let behaviour = Behaviour::Answer(status, said.to_string().into_bytes());
            web.set(&format!("/{name}"), behaviour);
        }
        for (name, ..) in kinds {
            let line =
                format!("foresail_source_reads_total{{source=\"{name}\",result=\"{result}\"}}");
            let before = adapter.metric(&line).await.unwrap_or_default();
            wait::until(&line, async || {
                let count = adapter.metric(&line).await?;
                wait::seen(count > before + 1.0, count)
            })
            .await;
            for form in ["", "&format=text"] {
                let path = format!("/debug/explain/inference/{name}?last=60{form}");
                told.push_str(&adapter.observe(&path).await.unwrap().body);
            }
        }
    }
    told.push_str(&adapter.observe("/metrics").await.unwrap().body);
    told.push_str(&adapter.log());
    assert!(told.contains("you are (hidden) to me"), "what the servers said is told");
    let secret = told.lines().find(|it| it.contains("hidden-") || it.contains(&pair));
    assert_eq!(secret, None);
}
