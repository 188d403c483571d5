//! External metrics beside another server of them: two real servers on loopback with real TLS, behind
//! an API server of the test's own.
#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

mod server;

use crate::support::adapter::{
    Adapter, EXTERNAL, Setup, client, config, external, page_signal, scrape,
};
use crate::support::kube::Kube;
use crate::support::wait;
use crate::support::web::Web;
use crate::support::wire::Wire;
use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{Response, header};
use serde_json::{Value, json};
use server::{Answers, Neighbour};
use std::fs;

const TRUST: &str = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication";

fn token_owner(token: &str) -> Value {
    match token {
        "of-jane" => json!({"authenticated": true,
            "user": {"username": "jane", "uid": "7", "groups": ["dev"],
                "extra": {"acme.com/Project": ["blue"]}}}),
        "of-joe" => json!({"authenticated": true, "user": {"username": "joe"}}),
        "of-foresail" => json!({"authenticated": true, "user": {"username": "the-account"}}),
        _ => json!({"authenticated": false}),
    }
}

/// joe may not.
fn allows(user: &str) -> bool {
    user != "joe"
}

/// An API server whose clients are known by tokens alone.
async fn kube() -> Kube {
    let kube = Kube::start(token_owner, allows).await;
    let proxy = crate::support::wire::ca("proxy");
    kube.put(
        TRUST,
        json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "extension-apiserver-authentication", "namespace": "kube-system"},
        "data": {
            "requestheader-client-ca-file": proxy.pem(),
            "requestheader-username-headers": r#"["X-Remote-User"]"#,
        }}),
    );
    kube
}

/// A server's certificate, for those who know no authority of it.
async fn certificate(adapter: &Adapter) -> String {
    let shown = Wire::open(adapter.secure, None).await.server();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(&shown))
}

/// The part of a configuration that names the other server; the files lie beside it.
fn fallback(setup: &Setup, port: u16, rest: &str) -> String {
    let file = |name: &str| setup.file(name).display().to_string();
    let rest = rest.replace("FOLDER/", &file(""));
    format!("externalMetrics: {{fallback: {{url: 'https://localhost:{port}', {rest}}}}}\n")
}

const ACCOUNT: &str = "tokenFile: FOLDER/fallback-token, tls: {caFile: FOLDER/ca.crt}";
const CALLER: &str = "identity: Caller, tls: {caFile: FOLDER/ca.crt, certFile: FOLDER/own.crt, keyFile: FOLDER/own.key}";

/// A Foresail without metrics of its own that passes on to `neighbour`.
async fn before(kube: &Kube, neighbour: &Neighbour, identity: &str) -> Adapter {
    let setup = Setup::new(&config(&[], &[]));
    fs::write(setup.file("fallback-token"), "of-foresail\n").unwrap();
    fs::write(setup.file("ca.crt"), &neighbour.authority).unwrap();
    fs::write(setup.file("own.crt"), &neighbour.client.0).unwrap();
    fs::write(setup.file("own.key"), &neighbour.client.1).unwrap();
    let text = config(&[], &[]) + &fallback(&setup, neighbour.port, identity);
    fs::write(setup.file("foresail.yaml"), text).unwrap();
    setup.behind(kube.address).start().await
}

fn list(_: &str) -> Response<Body> {
    answer(200, "application/json; charset=utf-8", r#"{"kind":"ExternalMetricValueList"}"#)
}

fn answer(code: u16, content_type: &str, body: impl Into<Body>) -> Response<Body> {
    let response = Response::builder().status(code).header(header::CONTENT_TYPE, content_type);
    response.body(body.into()).unwrap()
}

async fn ask(adapter: &Adapter, path: &str, headers: &[(&str, &str)]) -> (u16, String, Vec<u8>) {
    let mut request = client().get(format!("https://{}{EXTERNAL}/{path}", adapter.secure));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.send().await.unwrap();
    let code = response.status().as_u16();
    let content_type = response.headers().get(header::CONTENT_TYPE);
    let content_type = content_type.map(|it| it.to_str().unwrap().to_owned()).unwrap_or_default();
    (code, content_type, response.bytes().await.unwrap().to_vec())
}

#[tokio::test]
async fn an_unknown_metric_is_asked_of_another_foresail_whose_account_has_to_be_let_in() {
    let web = Web::start().await;
    web.show("/page", "q 6\n");
    let kube = kube().await;
    let metrics = |name: &str| {
        let policy = external(name, "200ms", &page_signal("page"));
        config(&[scrape("page", &web.url("/page"))], &[policy])
    };
    let far = Setup::new(&metrics("far")).behind(kube.address).start().await;
    let setup = Setup::new("");
    fs::write(setup.file("fallback-token"), "of-foresail").unwrap();
    fs::write(setup.file("ca.crt"), certificate(&far).await).unwrap();
    let to_far = fallback(&setup, far.secure.port(), ACCOUNT);
    fs::write(setup.file("foresail.yaml"), metrics("near") + &to_far).unwrap();
    let near = setup.behind(kube.address).start().await;

    // What both serve once they have read it.
    for (metric, adapter) in [("near", &near), ("far", &near)] {
        wait::until(metric, async || {
            let answer = adapter.get_with(&format!("{EXTERNAL}/{metric}"), "of-jane").await?;
            wait::seen(answer.values() == Ok(vec!["6".to_owned()]), answer.body)
        })
        .await;
    }
    let accepts = |accept| [("authorization", "Bearer of-jane"), ("accept", accept)];
    for (accept, beginning) in [
        ("application/json", &b"{\"kind\":\"ExternalMetricValueList\""[..]),
        ("application/yaml", b"apiVersion: "),
        ("application/vnd.kubernetes.protobuf, */*", b"k8s\0"),
    ] {
        let (code, content_type, body) = ask(&near, "far", &accepts(accept)).await;
        assert_eq!(code, 200, "{accept}");
        assert!(body.starts_with(beginning), "{accept}: {}", String::from_utf8_lossy(&body));
        assert!(accept.starts_with(&content_type), "{content_type}");
    }

    // Each is asked about: the caller here, the account there, both with the selector.
    drop(kube.reviews());
    let (code, _, body) = ask(&near, "far?labelSelector=tier%3Dgpu", &accepts("*/*")).await;
    assert_eq!(code, 404, "no such label");
    let text = String::from_utf8(body).unwrap();
    assert!(text.contains("no policy publishes external metric far"), "{text}");
    assert!(text.contains("do not match the selector"), "the other server's own words: {text}");
    let reviews: Vec<Value> =
        kube.reviews().into_iter().filter(|it| !it["resourceAttributes"].is_null()).collect();
    let selector = json!({"requirements": [{"key": "tier", "operator": "In", "values": ["gpu"]}]});
    let asked: Vec<&str> = reviews.iter().filter_map(|it| it["user"].as_str()).collect();
    assert_eq!(asked, ["jane", "the-account"]);
    for review in &reviews {
        let attributes = &review["resourceAttributes"];
        assert_eq!(attributes["labelSelector"], selector);
        assert_eq!((&attributes["verb"], &attributes["resource"]), (&json!("list"), &json!("far")));
    }

    // Who may not is not passed on.
    let refused = near.get_with(&format!("{EXTERNAL}/far"), "of-joe").await.unwrap();
    assert_eq!(refused.code, 403, "{}", refused.body);
    let counted = near.metric(r#"foresail_api_passed_on_requests_total{result="answered"}"#).await;
    assert!(counted.unwrap() >= 4.0);
}

#[tokio::test]
async fn two_foresails_that_have_each_other_as_fallback_do_not_go_round() {
    let kube = kube().await;
    let setups = [(); 2].map(|()| Setup::new(&config(&[], &[])));
    let [first, second] = setups;
    let first = first.behind(kube.address).start().await;
    fs::write(second.file("fallback-token"), "of-foresail").unwrap();
    fs::write(second.file("ca.crt"), certificate(&first).await).unwrap();
    let text = config(&[], &[]) + &fallback(&second, first.secure.port(), ACCOUNT);
    fs::write(second.file("foresail.yaml"), text).unwrap();
    let second = second.behind(kube.address).start().await;
    fs::write(first.file("fallback-token"), "of-foresail").unwrap();
    fs::write(first.file("ca.crt"), certificate(&second).await).unwrap();
    let url = format!("https://localhost:{}", second.secure.port());
    let folder = first.file("").display().to_string();
    let rest = ACCOUNT.replace("FOLDER/", &folder);
    let text = format!("externalMetrics: {{fallback: {{url: '{url}', {rest}}}}}\n");
    first.replace("foresail.yaml", &(config(&[], &[]) + &text));
    first.logs(&["configuration reloaded"]).await;
    wait::until("the new fallback is in use", async || {
        let answer = first.get_with(&format!("{EXTERNAL}/nothing"), "of-jane").await?;
        let message = answer.message();
        wait::seen(
            answer.code == 404 && message.contains("came from another Foresail"),
            format!("{} {message}", answer.code),
        )
    })
    .await;
    let looped = second.metric(r#"foresail_api_passed_on_requests_total{result="looped"}"#).await;
    assert!(looped.unwrap() >= 1.0);
    assert_eq!(
        second.metric(r#"foresail_api_passed_on_requests_total{result="absent"}"#).await,
        Ok(0.0),
        "it asked nobody"
    );
}

#[tokio::test]
async fn the_other_server_learns_what_was_asked_and_nothing_of_who_asks_but_the_account() {
    let (kube, neighbour) = (kube().await, Neighbour::start(list).await);
    let adapter = before(&kube, &neighbour, ACCOUNT).await;
    let headers = [
        ("authorization", "Bearer of-jane"),
        ("accept", "application/vnd.kubernetes.protobuf, */*"),
        ("x-remote-user", "admin"),
        ("x-remote-group", "system:masters"),
        ("cookie", "a=b"),
    ];
    let path = "queue%40depth:sum?labelSelector=tier+in+%28b%2Ca%29,app%3Dllama&watch=0&timeout=1s";
    let (code, content_type, body) = ask(&adapter, path, &headers).await;
    assert_eq!((code, content_type.as_str()), (200, "application/json; charset=utf-8"));
    assert_eq!(body, br#"{"kind":"ExternalMetricValueList"}"#);
    let selector = "tier+in+%28b%2Ca%29%2Capp%3Dllama";
    assert_eq!(
        neighbour.asked(),
        [
            &format!("GET {EXTERNAL}/queue%40depth:sum?labelSelector={selector}"),
            "without a certificate",
            "accept: application/vnd.kubernetes.protobuf, */*",
            "authorization: Bearer of-foresail",
            "via: 1.1 foresail",
        ]
    );
    // A new token is shown without a restart.
    adapter.replace("fallback-token", "newer");
    wait::until("the new token is shown", async || {
        drop(ask(&adapter, "queue", &headers[..1]).await);
        let shown = neighbour.asked().iter().any(|it| it == "authorization: Bearer newer");
        wait::seen(shown, format!("{:?}", neighbour.asked()))
    })
    .await;

    // What could mean something else there is not passed on, nor what cannot be read here.
    let n_asked = neighbour.n_asked();
    for (path, code) in
        [("a%2Fb", 404), ("%2E%2E", 404), ("queue?labelSelector=a%20b", 400), ("a%25b", 404)]
    {
        assert_eq!(ask(&adapter, path, &headers[..1]).await.0, code, "{path}");
    }
    assert_eq!(ask(&adapter, "queue?watch=true", &headers[..1]).await.0, 405, "nothing to watch");
    assert_eq!(neighbour.n_asked(), n_asked);
}

#[tokio::test]
async fn with_a_front_proxy_s_certificate_the_caller_is_named() {
    let (kube, neighbour) = (kube().await, Neighbour::start(list).await);
    let adapter = before(&kube, &neighbour, CALLER).await;
    let headers = [("authorization", "Bearer of-jane"), ("x-remote-group", "system:masters")];
    assert_eq!(ask(&adapter, "queue", &headers).await.0, 200);
    assert_eq!(
        neighbour.asked(),
        [
            &format!("GET {EXTERNAL}/queue"),
            "with a certificate",
            "accept: */*",
            "via: 1.1 foresail",
            "x-remote-extra-acme.com%2fproject: blue",
            "x-remote-group: dev",
            "x-remote-group: system:authenticated",
            "x-remote-uid: 7",
            "x-remote-user: jane",
        ]
    );
}

/// As an API server refuses in protobuf.
const FORBIDDEN: &[u8] =
    b"k8s\0\x0a\x0c\x0a\x02v1\x12\x06Status\x12\x08\x0a\x00\x1a\x04nope\x1a\x00\x22\x00";

fn trouble(metric: &str) -> Response<Body> {
    let json = "application/json";
    match metric {
        "absent" => answer(404, json, r#"{"kind":"Status","message":"no\nsuch scaler"}"#),
        "strange" => answer(400, json, r#"{"kind":"Status","message":"not like that"}"#),
        "unknown" => answer(401, json, r#"{"kind":"Status","message":"Unauthorized"}"#),
        "forbidden" => answer(403, "application/vnd.kubernetes.protobuf", FORBIDDEN),
        "broken" => answer(500, "text/plain", "of-foresail broke it"),
        "page" => answer(200, "text/html", "<html>log in</html>"),
        "elsewhere" => answer(302, json, ""),
        "large" => answer(200, json, "x".repeat(1024 * 1024 + 1)),
        _ => list(metric),
    }
}

async fn check_trouble(identity: &str, cases: &[(&str, u16, &[&str])]) {
    let answers: Answers = trouble;
    let (kube, neighbour) = (kube().await, Neighbour::start(answers).await);
    let adapter = before(&kube, &neighbour, identity).await;
    for (metric, code, parts) in cases {
        let answer = adapter.get_with(&format!("{EXTERNAL}/{metric}"), "of-jane").await.unwrap();
        let message = answer.message();
        assert_eq!(answer.code, *code, "{metric}: {message}");
        let server = format!("https://localhost:{}", neighbour.port);
        for part in parts.iter().chain([&"no policy publishes external metric", &server.as_str()]) {
            assert!(message.contains(part), "{metric}: {message}");
        }
        assert!(!message.contains("of-foresail"), "no secret is told: {message}");
    }
    drop(neighbour);
    let answer = adapter.get_with(&format!("{EXTERNAL}/absent"), "of-jane").await.unwrap();
    assert_eq!(answer.code, 500, "{}", answer.body);
    // Health and discovery never depend on it.
    assert_eq!(adapter.observe("/readyz").await.unwrap().code, 200);
}

#[tokio::test]
async fn whatever_the_other_server_does_is_told_with_a_hint_and_in_time() {
    let cases: [(&str, u16, &[&str]); 9] = [
        ("absent", 404, &["says: no such scaler"]),
        ("strange", 400, &["does not take the request: not like that"]),
        ("unknown", 500, &["does not let Foresail in (401: Unauthorized)", "hint: the token"]),
        ("forbidden", 500, &["does not let Foresail in (403: nope)", "the right to list"]),
        ("broken", 500, &["answered 500: (hidden) broke it"]),
        ("page", 500, &["no list of metrics but `text/html`"]),
        ("elsewhere", 500, &["answered 302: redirects are not followed"]),
        ("large", 500, &["larger than 1048576 bytes"]),
        ("slow", 504, &["did not answer within 5s"]),
    ];
    check_trouble(ACCOUNT, &cases).await;
}

#[tokio::test]
async fn who_is_named_is_refused_by_name() {
    check_trouble(CALLER, &[("forbidden", 403, &["does not let the caller in: nope"])]).await;
}

#[tokio::test]
async fn external_metrics_that_are_not_served_are_in_no_document_and_come_back_with_an_edit() {
    let text = config(&[], &[]);
    let adapter = Adapter::start(&format!("{text}externalMetrics: {{serve: false}}\n")).await;
    let documents =
        ["/", "/apis", "/openapi/v2", "/openapi/v3", "/apis/custom.metrics.k8s.io/v1beta2"];
    for path in documents {
        let answer = adapter.get(path).await.unwrap();
        assert_eq!(answer.code, 200, "{path}");
        assert!(
            answer.body.contains("custom.metrics") && !answer.body.contains("external.metrics")
        );
    }
    let aggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    let discovery = async || {
        let request = client().get(format!("https://{}/apis", adapter.secure));
        let request =
            request.header("accept", aggregated).bearer_auth(crate::support::adapter::TOKEN);
        request.send().await.unwrap().text().await.unwrap()
    };
    let body = discovery().await;
    assert!(body.contains("custom.metrics.k8s.io") && !body.contains("external.metrics"), "{body}");
    let group = "/apis/external.metrics.k8s.io";
    for path in [group, &format!("{group}/v1beta1"), &format!("/openapi/v3{group}/v1beta1")] {
        assert_eq!(adapter.get(path).await.unwrap().code, 404, "{path}");
    }
    adapter.refuses("anything", &["`externalMetrics.serve` is false"]).await;
    adapter.replace("foresail.yaml", &text);
    wait::until("they are served", async || {
        let answer = adapter.get(&format!("{group}/v1beta1")).await?;
        wait::seen(answer.code == 200, answer.body)
    })
    .await;
    assert!(discovery().await.contains("external.metrics.k8s.io"));
    assert!(adapter.get("/openapi/v2").await.unwrap().body.contains("external.metrics.k8s.io"));
}
