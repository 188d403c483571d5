//! Users who come without kube-apiserver between: with a certificate, with a token, with nothing.

use super::*;
use http::header::AUTHORIZATION;

/// Two authorities of different meaning, and the door that knows both.
struct Cluster {
    proxy: Ca,
    users: Ca,
    door: Door,
    sender: Trusts,
    tokens: Arc<OneToken>,
}

fn both(proxy: &Ca, users: &Ca) -> Trust {
    Trust { user_ca_pem: Some(users.pem()), ..trust(proxy) }
}

fn cluster() -> Cluster {
    let (proxy, users) = (ca("proxy"), ca("users"));
    let (sender, receiver) = watch::channel(Some(Arc::new(both(&proxy, &users))));
    let tokens = Arc::new(OneToken::default());
    let known = Arc::clone(&tokens) as Arc<dyn Tokens>;
    let door = Door::delegated(receiver, known, Arc::new(OnlyJane));
    Cluster { proxy, users, door, sender, tokens }
}

impl Cluster {
    /// Who is let in, or why nobody is.
    async fn ask(&self, peer: &Peer, headers: &HeaderMap, now: Now) -> Result<User, String> {
        let admitted = self.door.admit(peer, headers, &path("/metrics"), now).await;
        admitted.map_err(|refusal| refusal.to_string())
    }

    fn calls(&self) -> usize {
        self.tokens.0.load(std::sync::atomic::Ordering::SeqCst)
    }
}

type Change = fn(&mut rcgen::CertificateParams);

fn jane(it: &mut rcgen::CertificateParams) {
    it.distinguished_name = rcgen::DistinguishedName::new();
    it.distinguished_name.push(DnType::CommonName, "jane");
    it.distinguished_name.push(DnType::OrganizationName, "dev");
}

fn master(it: &mut rcgen::CertificateParams) {
    it.distinguished_name = rcgen::DistinguishedName::new();
    it.distinguished_name.push(DnType::CommonName, "root");
    it.distinguished_name.push(DnType::OrganizationName, User::MASTERS);
}

#[tokio::test]
async fn a_users_certificate_speaks_for_its_holder_and_its_headers_are_not_looked_at() {
    let cluster = cluster();
    let peer = Peer::new(vec![issue(&cluster.users, jane)]);
    for headers in [HeaderMap::new(), masters()] {
        let user = cluster.ask(&peer, &headers, today()).await.unwrap();
        assert_eq!(
            (user.name.as_str(), user.groups.join(" ")),
            ("jane", "dev system:authenticated".into())
        );
    }
    let peer = Peer::new(vec![issue(&cluster.users, master)]);
    assert_eq!(cluster.ask(&peer, &HeaderMap::new(), today()).await.unwrap().name, "root");
}

#[tokio::test]
async fn a_users_certificate_that_does_not_hold_is_refused() {
    let cluster = cluster();
    let stranger = ca("users");
    let anonymous = |it: &mut rcgen::CertificateParams| {
        it.distinguished_name = rcgen::DistinguishedName::new();
    };
    let cases: [(&str, &Ca, Change, HeaderMap, &str); 6] = [
        (
            "a stranger's",
            &stranger,
            jane,
            HeaderMap::new(),
            "as a user's: invalid peer certificate: BadSignature",
        ),
        (
            "expired",
            &cluster.users,
            |it| {
                jane(it);
                it.not_after = rcgen::date_time_ymd(2030, 1, 1);
            },
            HeaderMap::new(),
            "expired",
        ),
        (
            "too early",
            &cluster.users,
            |it| {
                jane(it);
                it.not_before = rcgen::date_time_ymd(2031, 1, 1);
            },
            HeaderMap::new(),
            "not valid yet",
        ),
        (
            "a server's",
            &cluster.users,
            |it| {
                jane(it);
                it.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            },
            HeaderMap::new(),
            "extended key usage",
        ),
        (
            "an authority's own",
            &cluster.users,
            |it| {
                jane(it);
                it.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
            },
            HeaderMap::new(),
            "CaUsedAsEndEntity",
        ),
        ("nameless", &cluster.users, anonymous, HeaderMap::new(), "no common name"),
    ];
    for (case, issuer, change, headers, complaint) in cases {
        let peer = Peer::new(vec![issue(issuer, change)]);
        let why = cluster.ask(&peer, &headers, today()).await.unwrap_err();
        assert!(why.contains(complaint), "{case}: {why}");
    }
}

#[tokio::test]
async fn each_authority_vouches_for_its_own_alone() {
    let cluster = cluster();
    let cases: [(&str, &Ca, Change, HeaderMap, &str); 3] = [
        (
            "a proxy of another name",
            &cluster.proxy,
            jane,
            masters(),
            "`jane` is not an allowed front proxy",
        ),
        ("the proxy that names nobody", &cluster.proxy, |_| {}, HeaderMap::new(), "named no user"),
        (
            "a user of the proxy's name",
            &cluster.users,
            |_| {},
            masters(),
            "user \"front-proxy-client\" cannot get path",
        ),
    ];
    for (case, issuer, change, headers, complaint) in cases {
        let peer = Peer::new(vec![issue(issuer, change)]);
        let why = cluster.ask(&peer, &headers, today()).await.unwrap_err();
        assert!(why.contains(complaint), "{case}: {why}");
    }
    let proxy = Peer::new(vec![issue(&cluster.proxy, |_| {})]);
    assert_eq!(cluster.ask(&proxy, &masters(), today()).await.unwrap().name, "admin");
}

#[tokio::test]
async fn an_open_connection_of_a_user_follows_the_authority_and_the_clock() {
    let cluster = cluster();
    let limited = |it: &mut rcgen::CertificateParams| {
        jane(it);
        it.not_after = rcgen::date_time_ymd(2030, 7, 1);
    };
    let peer = Peer::new(vec![issue(&cluster.users, limited)]);
    let nothing = HeaderMap::new();
    assert!(cluster.ask(&peer, &nothing, today()).await.is_ok());
    cluster.sender.send_replace(Some(Arc::new(both(&cluster.proxy, &ca("users")))));
    let why = cluster.ask(&peer, &nothing, today()).await.unwrap_err();
    assert!(why.contains("as a user's"), "{why}");
    cluster.sender.send_replace(Some(Arc::new(trust(&cluster.proxy))));
    let why = cluster.ask(&peer, &nothing, today()).await.unwrap_err();
    assert!(why.contains("UnknownIssuer") && !why.contains("as a user's"), "{why}");
    cluster.sender.send_replace(Some(Arc::new(both(&cluster.proxy, &cluster.users))));
    assert!(cluster.ask(&peer, &nothing, today()).await.is_ok());
    assert!(cluster.ask(&peer, &nothing, at("2030-07-02")).await.is_err(), "expired meanwhile");
}

#[tokio::test]
async fn one_authority_for_both_makes_a_proxy_of_the_named_only() {
    let one = ca("one");
    let (_sender, receiver) = watch::channel(Some(Arc::new(both(&one, &one))));
    let door = Door::delegated(receiver, Arc::new(OneToken::default()), Arc::new(OnlyJane));
    for (change, expected) in [(jane as Change, "jane"), (|_| {}, "admin")] {
        let peer = Peer::new(vec![issue(&one, change)]);
        let user = door.admit(&peer, &masters(), &path("/metrics"), today()).await.unwrap();
        assert_eq!(user.name, expected);
    }
}

#[tokio::test]
async fn a_token_names_its_owner_and_a_bad_one_is_refused() {
    let cluster = cluster();
    let long = format!("Bearer {}", "x".repeat(limits::door::TOKEN_BYTES_MAX + 1));
    let none = Peer::default();
    for (values, expected) in [
        (vec!["Bearer of-jane"], Ok("jane")),
        (vec!["bEARER   of-jane "], Ok("jane")),
        (vec!["Bearer of-admin"], Ok("admin")),
        (vec!["Bearer old"], Err("the bearer token is not accepted: expired")),
        (vec!["Bearer of-nameless"], Err("its owner has no name")),
        (vec!["Bearer while-away"], Err("failed to find out whose bearer token was sent")),
        (vec!["Bearer of-jane", "Bearer of-admin"], Err("of no use: there are several")),
        (vec!["Basic amFuZTp4"], Err("it is not `Bearer TOKEN`")),
        (vec!["Bearer"], Err("it is not `Bearer TOKEN`")),
        (vec!["Bearer  "], Err("not one word")),
        (vec!["Bearer of jane"], Err("not one word")),
        (vec![long.as_str()], Err("too long")),
    ] {
        let mut headers = masters();
        for value in &values {
            headers.append(AUTHORIZATION, value.parse().unwrap());
        }
        let found = cluster.ask(&none, &headers, today()).await;
        match (&found, expected) {
            (Ok(user), Ok(name)) => assert_eq!(user.name, name),
            (Err(why), Err(complaint)) => assert!(why.contains(complaint), "{values:?}: {why}"),
            _ => panic!("{values:?}: {found:?}"),
        }
    }
    let counters = cluster.door.counters();
    let refused = [Reason::WrongToken, Reason::TokenReviewFailed, Reason::Malformed];
    assert_eq!(refused.map(|it| counters.refused(it)), [2, 1, 6]);
}

#[tokio::test]
async fn owners_and_strangers_are_remembered_for_ten_seconds_and_failures_are_not() {
    let cluster = cluster();
    let none = Peer::default();
    let start = today();
    for (token, calls_each) in
        [("of-jane", [1, 1, 2]), ("old", [1, 1, 2]), ("while-away", [1, 2, 3])]
    {
        let before = cluster.calls();
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
        let ttl = limits::DECISION_TTL;
        for (after, calls) in
            [Duration::ZERO, ttl - Duration::from_millis(1), ttl].into_iter().zip(calls_each)
        {
            let now = Now { instant: start.instant + after, ..start };
            drop(cluster.ask(&none, &headers, now).await);
            assert_eq!(cluster.calls() - before, calls, "{token} after {after:?}");
        }
    }
    let tokens = cluster.door.counters().tokens();
    assert_eq!((tokens.cache_hits(), tokens.cache_misses(), tokens.reviews_failed()), (2, 7, 3));
}

#[tokio::test]
async fn a_good_token_helps_whoever_shows_a_certificate_of_a_stranger() {
    let cluster = cluster();
    let peer = Peer::new(vec![issue(&ca("users"), jane)]);
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, "Bearer of-jane".parse().unwrap());
    assert_eq!(
        cluster.ask(&peer, &headers, today()).await.unwrap().groups,
        ["tokens", "system:authenticated"]
    );
    // A certificate that holds goes first, and the token is not even asked about.
    let peer = Peer::new(vec![issue(&cluster.users, master)]);
    let before = cluster.calls();
    assert_eq!(cluster.ask(&peer, &headers, today()).await.unwrap().name, "root");
    assert_eq!(cluster.calls(), before);
}

#[tokio::test]
async fn whoever_shows_nothing_is_anonymous_whatever_the_headers_say() {
    let cluster = cluster();
    let why = cluster.ask(&Peer::default(), &masters(), today()).await.unwrap_err();
    assert_eq!(why, "user \"system:anonymous\" cannot get path \"/metrics\": no RBAC rule");
    assert_eq!(cluster.door.counters().refused(Reason::Forbidden), 1);
}

#[test]
fn what_names_a_user_is_taken_away_behind_the_door() {
    let cluster = cluster();
    let mut headers = headers(&[
        ("X-Remote-User", b"jane"),
        ("x-reMOTE-user", b"mallory"),
        ("X-Other-User", b"jane"),
        ("X-Remote-Uid", b"7"),
        ("X-Remote-Group", b"dev"),
        ("X-Remote-Extra-Scopes", b"read"),
        ("x-remote-EXTRA-other", b"read"),
        ("Impersonate-User", b"root"),
        ("Authorization", b"Bearer of-jane"),
        ("Accept", b"application/json"),
    ]);
    cluster.door.strip(&mut headers);
    let left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
    assert_eq!(left, ["accept"]);
}
