//! Who is let in at the API face, and what everybody else is told.
#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use crate::api_world::{E, Labelled, P1, P2, World, snapshot};
use foresail::auth::Door;
use foresail::auth::peer::Peer;
use foresail::domain::identity::{Attributes, Trust, User};
use foresail::domain::limits;
use foresail::domain::ports::{Access, Owner, ReviewFailed, Reviews, TokenReviewFailed, Tokens};
use futures::FutureExt;
use rcgen::{CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

/// An authorizer with one rule for each user: `hpa` may, `nobody` may not, `patient` waits for
/// ever, and for others it fails.
#[derive(Debug, Default)]
struct Authorizer(Mutex<Vec<Attributes>>);

impl Reviews for Authorizer {
    fn access<'a>(
        &'a self,
        user: &'a User,
        attributes: &'a Attributes,
    ) -> Pin<Box<dyn Future<Output = Result<Access, ReviewFailed>> + Send + 'a>> {
        self.0.lock().unwrap().push(attributes.clone());
        if user.name == "patient" {
            return Box::pin(std::future::pending());
        }
        let answer = match user.name.as_str() {
            "hpa" => Ok(Access { allowed: true, reason: String::new() }),
            "nobody" | User::ANONYMOUS => Ok(Access { allowed: false, reason: "no rule".into() }),
            _ => Err(ReviewFailed("connection refused".into())),
        };
        Box::pin(async move { answer })
    }
}

/// Knows no token.
#[derive(Debug)]
struct NoTokens;

impl Tokens for NoTokens {
    fn owner<'a>(
        &'a self,
        _: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<Owner, TokenReviewFailed>> + Send + 'a>> {
        Box::pin(async { Ok(Err("unknown".to_owned())) })
    }
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2040, 1, 1);
    params
}

/// The front proxy of a cluster, and the door that trusts it.
fn cluster() -> (Arc<Peer>, Door, Arc<Authorizer>) {
    let mut params = named("proxy-ca");
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let mut params = named("front-proxy-client");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let leaf = params.signed_by(&KeyPair::generate().unwrap(), &ca).unwrap();
    let trust = Trust {
        proxy_ca_pem: ca.pem(),
        user_ca_pem: None,
        allowed_names: vec!["front-proxy-client".into()],
        username_headers: vec!["X-Remote-User".into()],
        uid_headers: Vec::new(),
        group_headers: vec!["X-Remote-Group".into()],
        extra_header_prefixes: Vec::new(),
    };
    let (_, trust) = watch::channel(Some(Arc::new(trust)));
    let authorizer = Arc::new(Authorizer::default());
    let door =
        Door::delegated(trust, Arc::new(NoTokens), Arc::clone(&authorizer) as Arc<dyn Reviews>);
    (Arc::new(Peer::new(vec![leaf.der().clone()])), door, authorizer)
}

fn asked_by(user: &str) -> (World, Arc<Authorizer>) {
    let (peer, door, authorizer) = cluster();
    let world = World::behind(door, Some(peer), snapshot(), Arc::new(Labelled));
    (world.sending(&[("x-remote-user", user)]), authorizer)
}

#[tokio::test]
async fn a_user_with_rights_is_let_in_and_its_rights_are_asked_for() {
    let (world, authorizer) = asked_by("hpa");
    for path in [
        format!("{P1}/namespaces/inference/pods/*/queue?labelSelector=app%3Dllama"),
        format!("{P2}/namespaces/inference/metrics/tokens"),
        format!("{E}/namespaces/inference/llama_demand"),
        P2.to_owned(),
    ] {
        assert_eq!(world.get(&path).await.code, 200, "{path}");
    }
    let asked = authorizer.0.lock().unwrap();
    insta::assert_debug_snapshot!(*asked);
}

#[tokio::test]
async fn a_user_without_rights_is_told_what_it_lacks() {
    let (world, _) = asked_by("nobody");
    let answer = world.get(&format!("{P2}/namespaces/inference/pods/llama-0/queue")).await;
    assert_eq!(
        answer.message(403, "Forbidden"),
        "user \"nobody\" cannot get resource \"pods/queue\" in API group \
         \"custom.metrics.k8s.io\" in the namespace \"inference\" for \"llama-0\": no rule"
    );
    let details = r#""details":{"name":"llama-0","group":"custom.metrics.k8s.io","kind":"pods"}"#;
    assert!(answer.body.contains(details), "{}", answer.body);
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    for path in [P2, "/nowhere", "/"] {
        world.get(path).await.message(403, "Forbidden");
    }
}

#[tokio::test]
async fn a_cluster_that_cannot_be_asked_is_an_internal_error() {
    let (world, _) = asked_by("somebody");
    let message = world.get(P2).await.message(500, "InternalError");
    assert!(message.ends_with("SubjectAccessReview: connection refused"), "{message}");
}

#[tokio::test]
async fn headers_alone_open_nothing() {
    let (_, door, authorizer) = cluster();
    // No extension at all, as if the accept loop had forgotten it, with a forged master.
    let world = World::behind(door, None, snapshot(), Arc::new(Labelled))
        .sending(&[("x-remote-user", "admin"), ("x-remote-group", "system:masters")]);
    for path in [&format!("{P2}/nodes/n1/temp"), P2, "/nowhere"] {
        let message = world.get(path).await.message(403, "Forbidden");
        assert!(message.starts_with("user \"system:anonymous\" cannot get"), "{message}");
    }
    for path in ["/livez", "/readyz", "/healthz"] {
        let code = world.get(path).await.code;
        assert!(code != 401 && code != 403, "{path}: {code}");
    }
    assert_eq!(authorizer.0.lock().unwrap().len(), 3, "nobody asked about health");
}

#[tokio::test]
async fn a_standalone_door_wants_its_token() {
    let world = World::new().sending(&[("authorization", "Bearer not-that-token-at-all")]);
    world.get(P2).await.message(401, "Unauthorized");
    assert_eq!(world.get("/livez").await.code, 200);
    assert_eq!(World::new().get(P2).await.code, 200);
}

#[tokio::test]
async fn a_client_that_goes_away_is_counted() {
    let (world, _) = asked_by("patient");
    assert!(world.get(P2).now_or_never().is_none());
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &world.registry).unwrap();
    let line = "route=\"discovery\",code=\"499\"} 1";
    assert!(text.contains(line), "{text}");
}

#[tokio::test]
async fn who_asks_for_documents_may_be_told_to_wait_and_an_hpa_never() {
    let (world, _) = asked_by("patient");
    let (world, metric) = (&world, format!("{E}/namespaces/inference/llama_demand"));
    let mut waiting: Vec<_> =
        (0..limits::documents::DOCUMENTS_AT_ONCE).map(|_| Box::pin(world.get("/apis"))).collect();
    for request in &mut waiting {
        assert!(request.as_mut().now_or_never().is_none(), "it waits for the authorizer");
    }
    let turned_away = world.get(P2).await;
    assert_eq!((turned_away.code, turned_away.header("retry-after")), (429, "1"));
    let details = r#""reason":"TooManyRequests","details":{"retryAfterSeconds":1},"code":429"#;
    assert!(turned_away.body.contains(details), "{}", turned_away.body);
    assert!(world.get(&metric).now_or_never().is_none(), "a metric waits like before");
    drop(waiting);
    assert!(world.get(P2).now_or_never().is_none(), "there is room again");
}
