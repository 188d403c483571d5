//! The door with certificates of several authorities, and with headers that lie.

use super::*;
use crate::domain::limits;
use crate::domain::ports::{Access, Owner};
use http::{HeaderName, HeaderValue};
use rcgen::{CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose};
use rustls::pki_types::CertificateDer;
use std::pin::Pin;
use std::time::Duration;

mod users;

type Ca = CertifiedIssuer<'static, KeyPair>;

fn params(name: &str) -> rcgen::CertificateParams {
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2040, 1, 1);
    params
}

fn ca(name: &str) -> Ca {
    let mut params = params(name);
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn issue(ca: &Ca, change: impl FnOnce(&mut rcgen::CertificateParams)) -> CertificateDer<'static> {
    let mut params = params("front-proxy-client");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    params.signed_by(&key, ca).unwrap().der().clone()
}

fn trust(ca: &Ca) -> Trust {
    let one = |text: &str| vec![text.to_owned()];
    Trust {
        proxy_ca_pem: ca.pem(),
        user_ca_pem: None,
        allowed_names: one("front-proxy-client"),
        username_headers: vec!["X-Remote-User".into(), "X-Other-User".into()],
        uid_headers: one("X-Remote-Uid"),
        group_headers: one("X-Remote-Group"),
        extra_header_prefixes: one("X-Remote-Extra-"),
    }
}

fn at(date: &str) -> Now {
    Now { instant: Instant::now(), time: format!("{date}T12:00:00Z").parse().unwrap() }
}

fn today() -> Now {
    at("2030-06-01")
}

fn headers(pairs: &[(&str, &[u8])]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            (name, HeaderValue::from_bytes(value).unwrap())
        })
        .collect::<Vec<_>>()
        .into_iter()
        .fold(HeaderMap::new(), |mut map, (name, value)| {
            map.append(name, value);
            map
        })
}

fn masters() -> HeaderMap {
    headers(&[("x-remote-user", b"admin"), ("x-remote-group", b"system:masters")])
}

fn path(path: &str) -> Attributes {
    Attributes::Path { verb: "get".into(), path: path.into() }
}

/// Allows the user jane everything, nobody else anything.
#[derive(Debug)]
struct OnlyJane;

impl Reviews for OnlyJane {
    fn access<'a>(
        &'a self,
        user: &'a User,
        _: &'a Attributes,
    ) -> Pin<Box<dyn Future<Output = Result<Access, ReviewFailed>> + Send + 'a>> {
        Box::pin(async move {
            if user.name == "broken" {
                return Err(ReviewFailed("connection refused".into()));
            }
            Ok(Access { allowed: user.name == "jane", reason: "no RBAC rule".into() })
        })
    }
}

/// Knows the owner of one token.
#[derive(Debug, Default)]
struct OneToken(std::sync::atomic::AtomicUsize);

impl Tokens for OneToken {
    fn owner<'a>(
        &'a self,
        token: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<Owner, TokenReviewFailed>> + Send + 'a>> {
        self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Box::pin(async move {
            let user = |name: &str| User {
                name: name.to_owned(),
                uid: None,
                groups: vec!["tokens".to_owned()],
                extra: std::collections::BTreeMap::new(),
            };
            match token {
                "of-jane" => Ok(Ok(user("jane"))),
                "of-admin" => Ok(Ok(User { groups: vec![User::MASTERS.into()], ..user("admin") })),
                "of-nameless" => Ok(Ok(user(""))),
                "while-away" => Err(TokenReviewFailed("connection refused".into())),
                _ => Ok(Err("expired".to_owned())),
            }
        })
    }
}

type Trusts = watch::Sender<Option<Arc<Trust>>>;

fn door(trust: Option<Trust>) -> (Door, Trusts) {
    let (sender, receiver) = watch::channel(trust.map(Arc::new));
    (Door::delegated(receiver, Arc::new(OneToken::default()), Arc::new(OnlyJane)), sender)
}

async fn stranger(door: &Door, peer: &Peer, now: Now) -> Stranger {
    match door.admit(peer, &masters(), &path("/metrics"), now).await {
        Err(Refusal::Unauthenticated { why }) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn only_the_front_proxys_certificate_makes_headers_believed() {
    let (proxy, other) = (ca("proxy"), ca("other"));
    let (door, _sender) = door(Some(trust(&proxy)));
    let good = issue(&proxy, |_| {});
    let admitted = door.admit(&Peer::new(vec![good]), &masters(), &path("/metrics"), today()).await;
    assert_eq!(admitted.unwrap().name, "admin");

    type Change = fn(&mut rcgen::CertificateParams);
    let cases: [(&str, &Ca, Change, &str); 7] = [
        ("wrong authority", &other, |_| {}, "UnknownIssuer"),
        ("expired", &proxy, |it| it.not_after = rcgen::date_time_ymd(2030, 1, 1), "expired"),
        (
            "too early",
            &proxy,
            |it| it.not_before = rcgen::date_time_ymd(2031, 1, 1),
            "not valid yet",
        ),
        (
            "a server's",
            &proxy,
            |it| it.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth],
            "extended key usage",
        ),
        (
            "wrong name",
            &proxy,
            |it| it.distinguished_name.push(DnType::CommonName, "somebody"),
            "`somebody` is not an allowed",
        ),
        (
            "no name",
            &proxy,
            |it| it.distinguished_name = rcgen::DistinguishedName::new(),
            "`` is not an allowed",
        ),
        (
            "an authority's own",
            &proxy,
            |it| it.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained),
            "CaUsedAsEndEntity",
        ),
    ];
    for (case, issuer, change, complaint) in cases {
        let peer = Peer::new(vec![issue(issuer, change)]);
        let why = stranger(&door, &peer, today()).await.to_string();
        assert!(why.contains(complaint), "{case}: {why}");
    }
    assert_eq!(door.counters().refused(Reason::Untrusted), 5);
    assert_eq!(door.counters().refused(Reason::NotAllowed), 2);
}

#[tokio::test]
async fn any_name_will_do_when_none_is_listed() {
    let proxy = ca("proxy");
    let trust = Trust { allowed_names: Vec::new(), ..trust(&proxy) };
    let (door, _sender) = door(Some(trust));
    let rename = |it: &mut rcgen::CertificateParams| {
        it.distinguished_name.push(DnType::CommonName, "somebody");
    };
    let peer = Peer::new(vec![issue(&proxy, rename)]);
    assert!(door.admit(&peer, &masters(), &path("/metrics"), today()).await.is_ok());
}

#[tokio::test]
async fn a_chain_over_an_intermediate_authority_is_followed() {
    let root = ca("proxy");
    let mut intermediate = params("intermediate");
    intermediate.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let intermediate = CertifiedIssuer::signed_by(intermediate, key, &root).unwrap();
    let leaf = issue(&intermediate, |_| {});
    let (door, _sender) = door(Some(trust(&root)));
    let whole = Peer::new(vec![leaf.clone(), intermediate.der().clone()]);
    assert!(door.admit(&whole, &masters(), &path("/metrics"), today()).await.is_ok());
    let why = stranger(&door, &Peer::new(vec![leaf]), today()).await;
    assert!(matches!(why, Stranger::Untrusted { .. }), "{why}");
}

#[tokio::test]
async fn the_same_connection_is_judged_again_when_the_authority_rotates() {
    let (old, new) = (ca("proxy"), ca("proxy"));
    let (door, sender) = door(None);
    let peer = Peer::new(vec![issue(&old, |_| {})]);
    assert_eq!(stranger(&door, &peer, today()).await, Stranger::NoTrust);
    sender.send_replace(Some(Arc::new(trust(&old))));
    assert!(door.admit(&peer, &masters(), &path("/metrics"), today()).await.is_ok());
    sender.send_replace(Some(Arc::new(trust(&new))));
    let why = stranger(&door, &peer, today()).await;
    assert!(matches!(why, Stranger::Untrusted { .. }), "{why}");
    let both = Trust { proxy_ca_pem: format!("{}{}", new.pem(), old.pem()), ..trust(&new) };
    sender.send_replace(Some(Arc::new(both)));
    assert!(door.admit(&peer, &masters(), &path("/metrics"), today()).await.is_ok());
}

#[tokio::test]
async fn a_certificate_that_expires_loses_its_open_connection() {
    let proxy = ca("proxy");
    let (door, _sender) = door(Some(trust(&proxy)));
    let peer = Peer::new(vec![issue(&proxy, |it| it.not_after = rcgen::date_time_ymd(2030, 7, 1))]);
    assert!(door.admit(&peer, &masters(), &path("/metrics"), at("2030-06-30")).await.is_ok());
    let why = stranger(&door, &peer, at("2030-07-02")).await;
    assert!(matches!(why, Stranger::Untrusted { .. }), "{why}");
}

#[tokio::test]
async fn a_certificate_that_becomes_valid_is_let_in_after_a_while() {
    let proxy = ca("proxy");
    let (door, _sender) = door(Some(trust(&proxy)));
    let peer =
        Peer::new(vec![issue(&proxy, |it| it.not_before = rcgen::date_time_ymd(2030, 6, 2))]);
    let early = today();
    stranger(&door, &peer, early).await;
    let time = at("2030-06-03").time;
    stranger(&door, &peer, Now { instant: early.instant + Duration::from_secs(1), time }).await;
    let later = Now { instant: early.instant + limits::DECISION_TTL, time };
    assert!(door.admit(&peer, &masters(), &path("/metrics"), later).await.is_ok());
}

#[tokio::test]
async fn an_unusable_authority_lets_nobody_in() {
    let proxy = ca("proxy");
    for pem in ["", "garbage", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let trust = Trust { proxy_ca_pem: pem.into(), ..trust(&proxy) };
        let (door, _sender) = door(Some(trust));
        let why = stranger(&door, &Peer::new(vec![issue(&proxy, |_| {})]), today()).await;
        assert!(why.to_string().contains("authority is unusable"), "{why}");
    }
}

fn read(pairs: &[(&str, &[u8])]) -> Result<User, Stranger> {
    front_proxy::user(&headers(pairs), &trust(&ca("proxy")))
}

#[test]
fn the_user_is_read_from_the_headers_that_the_cluster_names() {
    let user = read(&[
        ("X-REMOTE-USER", b"jane"),
        ("x-remote-user", b"mallory"),
        ("x-other-user", b"mallory"),
        ("X-Remote-Uid", b"7"),
        ("X-Remote-Group", b"dev"),
        ("X-Remote-Group", b"ops"),
        ("X-Remote-Extra-Scopes", b"read"),
        ("x-remote-extra-scopes", b"write"),
        ("X-Remote-Extra-Example.com%2fTeam", "Käse".as_bytes()),
        ("X-Remote-Extra-Bad%ff", b"x"),
        ("X-Somebody-Elses", b"y"),
    ])
    .unwrap();
    assert_eq!(user.name, "jane");
    assert_eq!(user.uid.as_deref(), Some("7"));
    assert_eq!(user.groups, ["dev", "ops", "system:authenticated"]);
    let extra: Vec<_> =
        user.extra.iter().map(|(key, values)| (key.as_str(), values.join(","))).collect();
    assert_eq!(
        extra,
        [
            ("bad%ff", "x".to_owned()),
            ("example.com/team", "Käse".to_owned()),
            ("scopes", "read,write".to_owned()),
        ]
    );
}

#[test]
fn the_next_username_header_counts_when_the_first_is_absent_or_empty() {
    assert_eq!(read(&[("X-Other-User", b"jane")]).unwrap().name, "jane");
    assert_eq!(read(&[("X-Remote-User", b""), ("X-Other-User", b"jane")]).unwrap().name, "jane");
}

#[test]
fn the_anonymous_user_stays_unauthenticated() {
    let user = read(&[
        ("X-Remote-User", b"system:anonymous"),
        ("X-Remote-Group", b"system:unauthenticated"),
    ])
    .unwrap();
    assert_eq!(user.groups, ["system:unauthenticated"]);
}

#[test]
fn headers_that_name_nobody_or_are_not_text_are_refused() {
    assert_eq!(read(&[("X-Remote-Group", b"system:masters")]), Err(Stranger::NoUser));
    for header in ["X-Remote-User", "X-Remote-Group", "X-Remote-Extra-Scopes", "X-Remote-Uid"] {
        let name: (&str, &[u8]) = ("X-Remote-User", b"jane");
        let refused = match header {
            "X-Remote-User" => read(&[(header, b"\xff\xfe")]),
            _ => read(&[name, (header, b"\xff\xfe")]),
        };
        assert!(matches!(refused, Err(Stranger::NotText { .. })), "{header}: {refused:?}");
    }
}

#[tokio::test]
async fn whoever_is_no_master_is_asked_about() {
    let proxy = ca("proxy");
    let (door, _sender) = door(Some(trust(&proxy)));
    let peer = Peer::new(vec![issue(&proxy, |_| {})]);
    let metric = Attributes::Resource {
        verb: "get",
        group: "custom.metrics.k8s.io",
        version: "v1beta2",
        namespace: "inference".into(),
        resource: "pods".into(),
        subresource: "queue".into(),
        name: "*".into(),
        selector: Vec::new(),
    };
    let ask = async |name: &str| {
        let headers = headers(&[("x-remote-user", name.as_bytes())]);
        door.admit(&peer, &headers, &metric, today()).await
    };
    assert_eq!(ask("jane").await.unwrap().groups, ["system:authenticated"]);
    let forbidden = ask("joe").await.unwrap_err();
    assert_eq!(
        forbidden.to_string(),
        "user \"joe\" cannot get resource \"pods/queue\" in API group \"custom.metrics.k8s.io\" \
         in the namespace \"inference\": no RBAC rule"
    );
    let failed = ask("broken").await.unwrap_err();
    let chain = crate::domain::error_chain::ErrorChain(&failed).to_string();
    assert!(chain.starts_with("failed to find out whether user \"broken\" can get"), "{chain}");
    assert!(chain.ends_with("for a SubjectAccessReview: connection refused"), "{chain}");
    assert_eq!(door.counters().refused(Reason::Forbidden), 1);
    assert_eq!(door.counters().refused(Reason::ReviewFailed), 1);
}

#[tokio::test]
async fn health_paths_are_open_and_their_lookalikes_are_not() {
    let (door, _sender) = door(None);
    let peer = Peer::new(Vec::new());
    for (it, open) in [
        ("/livez", true),
        ("/readyz/sources", true),
        ("/healthz/", true),
        ("/livezz", false),
        ("/livez/../metrics", false),
        ("/livez/%2e%2e/metrics", false),
        ("/metrics", false),
        ("/apis/livez", false),
    ] {
        let admitted = door.admit(&peer, &HeaderMap::new(), &path(it), today()).await;
        assert_eq!(admitted.is_ok(), open, "{it}: {admitted:?}");
    }
}
