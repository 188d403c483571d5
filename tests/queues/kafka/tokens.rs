//! A Kafka that wants tokens, a server that gives them, and who is let in with which.

use super::{Kafka, signal};
use crate::bed::{adapter, shows_none_of};
use crate::support::adapter::Adapter;
use crate::support::wait;
use crate::support::web::{Behaviour, Web};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde_json::json;
use std::fs;
use std::time::{Duration, Instant};

const SECRET: &str = "hidden-client-0123";

/// A token that nobody signed (RFC 7519, section 6), good for so many seconds.
fn token(scope: &str, seconds: i64) -> String {
    let now = Timestamp::now().as_second();
    let claims = json!({"sub": "me", "iat": now - 60, "exp": now + seconds, "scope": scope});
    let [header, claims] =
        [json!({"alg": "none"}), claims].map(|it| URL_SAFE_NO_PAD.encode(it.to_string()));
    format!("{header}.{claims}.")
}

fn gives(web: &Web, path: &str, token: &str, seconds: i64) {
    let answer = json!({"access_token": token, "token_type": "Bearer", "expires_in": seconds});
    web.show(path, &answer.to_string());
}

struct World {
    kafka: Kafka,
    web: Web,
}

impl World {
    async fn new() -> Self {
        let kafka = Kafka::start();
        kafka.topic("jobs", &[7]);
        kafka.commit("workers", "jobs", &[(0, 2)]);
        let folder = kafka.server.folder();
        let web = Web::start().await;
        for (name, text) in [
            ("client", SECRET),
            ("endpoint", &web.url("/good")),
            ("extensions", "tenant=hidden-tenant"),
            ("scopes", "lag,read"),
        ] {
            fs::write(folder.join(name), format!("{text}\n")).unwrap();
        }
        Self { kafka, web }
    }

    /// A signal with the secret of this file, whose tokens come from there.
    fn signal(&self, secret: &str, more: &str) -> String {
        let file = |name: &str| {
            let path = self.kafka.server.folder().join(name);
            format!("{{file: '{}'}}", path.display())
        };
        let more = more.split(' ').map(|word| match word.strip_prefix('@') {
            Some(name) => file(name),
            None => word.to_owned(),
        });
        let more: Vec<String> = more.collect();
        let more = format!(
            "topic: jobs, tls: enable, caFrom: {}, sasl: oauthbearer, username: me, passwordFrom: {}, {}",
            file("ca.pem"),
            file(secret),
            more.join(" ")
        );
        signal(self.kafka.token_port, "workers", &more)
    }

    fn at(&self, path: &str, more: &str) -> String {
        let endpoint = format!("oauthTokenEndpointUri: '{}'{more}", self.web.url(path));
        self.signal("client", &endpoint)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kafka_is_shown_a_token_that_is_given_for_a_clients_secret() {
    let world = World::new().await;
    let World { web, .. } = &world;
    let good = token("lag", 600);
    gives(web, "/good", &good, 600);
    gives(web, "/narrow", &token("other", 600), 600);
    gives(web, "/old", &token("lag", -60), 600);
    let bad = json!({"error": "invalid_client", "error_description": format!("not {SECRET}")});
    web.set("/bad", Behaviour::Answer(401, bad.to_string().into_bytes()));
    web.set("/hangs", Behaviour::Hang);
    gives(web, "/strange", "to\u{1}ken", 600);
    let more = ", scopes: 'lag,read', oauthExtensions: 'tenant=one,pool=two'";
    let secret = "oauthTokenEndpointUriFrom: @endpoint , scopesFrom: @scopes , oauthExtensionsFrom: @extensions";
    let plain = signal(world.kafka.token_port, "workers", "topic: jobs");
    let signals = [
        ("given", world.at("/good", more)),
        ("secret", world.signal("client", secret)),
        ("narrow", world.at("/narrow", "")),
        ("old", world.at("/old", "")),
        ("bad", world.at("/bad", "")),
        ("hangs", world.at("/hangs", "")),
        ("strange", world.at("/strange", "")),
        ("plain", plain),
    ];
    let adapter = adapter(&signals).await;
    adapter.serves("given", "5").await;
    adapter.serves("secret", "5").await;
    for (metric, why) in [
        ("narrow", "answered: the broker does not take the token: insufficient_scope"),
        ("old", "answered: the broker does not take the token: invalid_token"),
        ("bad", "the token endpoint answered 401: invalid_client: not (hidden)"),
        ("hangs", "the token endpoint: no answer within"),
        ("strange", "the token endpoint answered a token that cannot be shown"),
        ("plain", "does it want TLS?"),
    ] {
        adapter.refuses(metric, &["source kafka://127.0.0.1:", why]).await;
    }
    let asked = web.asked("/good").remove(0);
    let shown = format!("Basic {}", STANDARD.encode(format!("me:{SECRET}")));
    assert_eq!(asked.headers["authorization"], shown);
    assert_eq!(asked.parameters["grant_type"], "client_credentials");
    assert_eq!(asked.parameters["scope"], "lag read");
    let names = signals.each_ref().map(|it| it.0);
    shows_none_of(&adapter, &names, &[SECRET, &good, "hidden-tenant", &shown]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_serves_many_logins_and_is_renewed_before_it_expires_and_after_it_is_refused() {
    let world = World::new().await;
    let World { web, .. } = &world;
    gives(web, "/good", &token("lag", 600), 600);
    gives(web, "/short", &token("lag", 600), 5);
    gives(web, "/later", &token("other", 600), 600);
    let signals = ["good", "short", "later"].map(|it| (it, world.at(&format!("/{it}"), "")));
    let adapter = adapter(&signals).await;
    adapter.serves("good", "5").await;
    adapter.serves("short", "5").await;
    adapter.refuses("later", &["the broker does not take the token"]).await;
    gives(web, "/later", &token("lag", 600), 600);
    // The broker ends each session after two seconds, and nobody notices.
    stays(&adapter, &["good", "short"], Duration::from_secs(7)).await;
    assert_eq!(web.asked("/good").len(), 1, "one token for all logins");
    wait::until("another token", async || {
        let asked = web.asked("/short").len();
        wait::seen((2..=4).contains(&asked), asked)
    })
    .await;
    // A token that is refused is asked for again once it is ten seconds old.
    adapter.serves("later", "5").await;
    assert!(web.asked("/later").len() <= 4, "{}", web.asked("/later").len());
}

/// Nothing but this value is served, all the time.
async fn stays(adapter: &Adapter, metrics: &[&str], time: Duration) {
    let begin = Instant::now();
    while begin.elapsed() < time {
        for metric in metrics {
            let answer = adapter.external(metric).await.unwrap();
            assert_eq!(answer.values().unwrap(), ["5"], "{metric}");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_endpoint_that_goes_away_is_an_error_once_a_login_is_due_and_comes_back() {
    let world = World::new().await;
    let World { web, .. } = &world;
    gives(web, "/good", &token("lag", 600), 2);
    let adapter = adapter(&[("jobs", world.at("/good", ""))]).await;
    adapter.serves("jobs", "5").await;
    web.set("/good", Behaviour::Answer(503, Vec::new()));
    adapter.refuses("jobs", &["the token endpoint answered 503"]).await;
    web.set("/good", Behaviour::Hang);
    adapter.refuses("jobs", &["the token endpoint: no answer within"]).await;
    gives(web, "/good", &token("lag", 600), 2);
    adapter.serves("jobs", "5").await;
}
