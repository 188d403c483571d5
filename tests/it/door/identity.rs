//! The real binary behind an API server of the test's own: who is taken for whom, over real sockets
//! with real certificates, tokens and headers that lie.
use crate::support::adapter::{Adapter, Setup, config};
use crate::support::kube::Kube;
use crate::support::wait;
use crate::support::wire::{Ca, Shown, Wire, ca, issue};
use rcgen::ExtendedKeyUsagePurpose;
use serde_json::{Value, json};

const TRUST: &str = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication";
const METRIC: &str = "/apis/external.metrics.k8s.io/v1beta1/namespaces/inference/demand";
const LIST: &str = "/apis/external.metrics.k8s.io/v1beta1";
const MASTERS: [&str; 2] = ["X-Remote-User: admin", "X-Remote-Group: system:masters"];

fn token_owner(token: &str) -> Value {
    match token {
        "of-jane" => json!({"authenticated": true, "audiences": ["foresail"],
            "user": {"username": "jane", "uid": "7", "groups": ["tokens"]}}),
        "of-joe" => json!({"authenticated": true, "audiences": ["foresail"],
            "user": {"username": "joe"}}),
        "of-others" => json!({"authenticated": true, "audiences": ["others"],
            "user": {"username": "jane"}}),
        _ => json!({"authenticated": false, "error": "expired"}),
    }
}

fn trust(proxy: &Ca, users: &Ca) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap",
    "metadata": {"name": "extension-apiserver-authentication", "namespace": "kube-system"},
    "data": {
        "client-ca-file": users.pem(),
        "requestheader-client-ca-file": proxy.pem(),
        "requestheader-allowed-names": r#"["front-proxy-client"]"#,
        "requestheader-username-headers": r#"["X-Remote-User"]"#,
        "requestheader-uid-headers": r#"["X-Remote-Uid"]"#,
        "requestheader-group-headers": r#"["X-Remote-Group"]"#,
        "requestheader-extra-headers-prefix": r#"["X-Remote-Extra-"]"#,
    }})
}

/// What it is called, what is shown, the headers, the status and a part of the body.
type Case<'a> = (&'a str, Option<&'a Shown>, &'a [&'a str], u16, &'a str);

struct Stage {
    kube: Kube,
    adapter: Adapter,
    proxy: Ca,
    users: Ca,
}

impl Stage {
    async fn start() -> Self {
        let (proxy, users) = (ca("proxy"), ca("users"));
        let kube = Kube::start(token_owner, |user| user == "jane").await;
        kube.put(TRUST, trust(&proxy, &users));
        let setup = Setup::new(&config(&[], &[])).behind(kube.address);
        let adapter = setup.argument("--token-audience=foresail").start().await;
        Self { kube, adapter, proxy, users }
    }

    fn front_proxy(&self) -> Shown {
        issue(&self.proxy, ("front-proxy-client", &[]), |_| {})
    }

    async fn ask(&self, shown: Option<&Shown>, headers: &[&str]) -> (u16, String) {
        Wire::open(self.adapter.secure, shown).await.get(LIST, headers).await
    }

    async fn check(&self, cases: &[Case<'_>]) {
        for (case, shown, headers, code, part) in cases {
            let answer = self.ask(*shown, headers).await;
            assert_eq!(answer.0, *code, "{case}: {}", answer.1);
            assert!(answer.1.contains(part), "{case}: {}", answer.1);
        }
    }
}

#[tokio::test]
async fn each_certificate_and_token_opens_for_whom_it_is_and_no_further() {
    let stage = Stage::start().await;
    let Stage { proxy, users, .. } = &stage;
    let jane = issue(users, ("jane", &["dev"]), |_| {});
    let root = issue(users, ("root", &["system:masters"]), |_| {});
    let joe = issue(users, ("joe", &["dev"]), |_| {});
    let users_proxy = issue(users, ("front-proxy-client", &[]), |_| {});
    let proxys_root = issue(proxy, ("root", &["system:masters"]), |_| {});
    let stranger = issue(&ca("users"), ("root", &["system:masters"]), |_| {});
    let expired = issue(users, ("root", &["system:masters"]), |it| {
        it.not_after = rcgen::date_time_ymd(2020, 1, 1);
    });
    let early = issue(users, ("root", &["system:masters"]), |it| {
        it.not_before = rcgen::date_time_ymd(2100, 1, 1);
    });
    let servers = issue(users, ("root", &["system:masters"]), |it| {
        it.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    });
    let front_proxy = stage.front_proxy();
    let as_jane = ["X-Remote-User: jane"];
    let cases: [Case<'_>; 14] = [
        ("proxy, a user with rights", Some(&front_proxy), &as_jane, 200, ""),
        ("proxy, a master", Some(&front_proxy), &MASTERS, 200, ""),
        ("proxy, without rights", Some(&front_proxy), &["X-Remote-User: joe"], 403, r#""joe\""#),
        ("proxy, nobody", Some(&front_proxy), &[], 401, "named no user"),
        (
            "proxy, not text",
            Some(&front_proxy),
            &["X-Remote-User: j\u{e4}ne\u{80}"],
            403,
            "j\u{e4}ne",
        ),
        ("a user", Some(&jane), &[], 200, ""),
        ("a master's certificate", Some(&root), &[], 200, ""),
        ("a user who claims more", Some(&joe), &MASTERS, 403, r#""joe\""#),
        (
            "the proxy's name, users' authority",
            Some(&users_proxy),
            &MASTERS,
            403,
            "front-proxy-client",
        ),
        (
            "a master, proxy's authority",
            Some(&proxys_root),
            &MASTERS,
            401,
            "not an allowed front proxy",
        ),
        ("a stranger's", Some(&stranger), &MASTERS, 401, "not trusted"),
        ("expired", Some(&expired), &[], 401, "expired"),
        ("too early", Some(&early), &[], 401, "not valid yet"),
        ("for servers", Some(&servers), &[], 401, "extended key usage"),
    ];
    stage.check(&cases).await;
    let health = Wire::open(stage.adapter.secure, Some(&stranger)).await.get("/livez", &[]).await;
    assert_eq!(health, (200, "ok".to_owned()));
}

#[tokio::test]
async fn each_token_opens_for_whom_it_is_and_for_the_right_audience() {
    let stage = Stage::start().await;
    stage
        .check(&[
            ("a token", None, &["Authorization: Bearer of-jane"], 200, ""),
            ("a token of another case", None, &["aUTHORIZATION: bEARER of-jane"], 200, ""),
            ("a token without rights", None, &["Authorization: Bearer of-joe"], 403, r#""joe\""#),
            (
                "for another audience",
                None,
                &["Authorization: Bearer of-others"],
                401,
                "not meant for foresail",
            ),
            ("a wrong token", None, &["Authorization: Bearer old"], 401, "expired"),
            ("a password", None, &["Authorization: Basic cm9vdDpy"], 401, "not `Bearer TOKEN`"),
            ("nothing but a claim", None, &MASTERS, 403, "system:anonymous"),
        ])
        .await;
}

#[tokio::test]
async fn the_cluster_is_asked_about_the_user_that_the_proxy_named_word_for_word() {
    let stage = Stage::start().await;
    let front_proxy = stage.front_proxy();
    let mut wire = Wire::open(stage.adapter.secure, Some(&front_proxy)).await;
    let headers = [
        "x-REMOTE-uSER: jane",
        "X-Remote-User: admin",
        "X_Remote_User: admin",
        "X-Remote-Uid: 7",
        "X-Remote-Group: dev",
        "x-remote-group: ops",
        "X-Remote-Extra-Scopes: read",
        "X-REMOTE-EXTRA-scopes: write",
        "X-Remote-Extra-Example.com%2fTeam: blue",
        "Impersonate-User: admin",
        "Authorization: Bearer old",
    ];
    stage.kube.reviews();
    assert_eq!(wire.get(METRIC, &headers).await.0, 404, "let in, and there is no such metric");
    assert_eq!(wire.get(LIST, &headers).await.0, 200);
    let reviews = stage.kube.reviews();
    assert_eq!(
        reviews[0],
        json!({"user": "jane", "uid": "7", "groups": ["dev", "ops", "system:authenticated"],
            "extra": {"scopes": ["read", "write"], "example.com/team": ["blue"]},
            "resourceAttributes": {"verb": "list", "group": "external.metrics.k8s.io",
                "version": "v1beta1", "namespace": "inference", "resource": "demand"}})
    );
    assert_eq!(reviews[1]["nonResourceAttributes"], json!({"verb": "get", "path": LIST}));
    assert_eq!(reviews.len(), 2, "the token was not asked about");
    assert_eq!(wire.get(LIST, &headers).await.0, 200);
    assert_eq!(stage.kube.reviews(), Vec::<Value>::new(), "the decision is remembered");
}

#[tokio::test]
async fn one_review_answers_for_a_token_for_ten_seconds() {
    let stage = Stage::start().await;
    stage.kube.reviews();
    let (jane, old) = (["Authorization: Bearer of-jane"], ["Authorization: Bearer old"]);
    for _ in 0..3 {
        assert_eq!(stage.ask(None, &jane).await.0, 200);
        assert_eq!(stage.ask(None, &old).await.0, 401);
    }
    let reviews = stage.kube.reviews();
    let tokens: Vec<&Value> = reviews.iter().filter(|it| it["token"] != Value::Null).collect();
    let token = |token: &str| json!({"token": token, "audiences": ["foresail"]});
    assert_eq!(tokens, [&token("of-jane"), &token("old")]);
    let user = reviews.iter().find(|it| it["user"] == "jane").unwrap();
    assert_eq!(user["groups"], json!(["tokens", "system:authenticated"]));
    assert_eq!(user["uid"], "7");
    for (metric, count) in
        [("foresail_token_reviews_total", 2.0), ("foresail_token_cache_hits_total", 4.0)]
    {
        let counted = stage.adapter.metric(metric).await.unwrap();
        assert!((counted - count).abs() < 0.1, "{metric}: {counted}");
    }
    assert!(!stage.adapter.log().contains("of-jane"), "a token is not logged");
}

#[tokio::test]
async fn headers_of_any_length_do_no_harm() {
    let stage = Stage::start().await;
    let front_proxy = stage.front_proxy();
    let cases = [
        ("X-Remote-User", 5, 401),
        ("X-Remote-Group", 5, 401),
        ("X-Remote-Extra-A", 5, 401),
        ("X-Remote-Uid", 5, 401),
        ("X-Remote-User", 3, 403),
    ];
    for (header, kib, code) in cases {
        let line = format!("{header}: {}", "x".repeat(kib * 1024));
        let named = ["X-Remote-Group: dev", "X-Remote-User: joe", &line];
        // The first value of a header counts.
        let headers = if header == "X-Remote-User" { &named[2..] } else { &named[..] };
        let answer = stage.ask(Some(&front_proxy), headers).await;
        let said: String = answer.1.chars().take(300).collect();
        assert_eq!(answer.0, code, "{header} of {kib} KiB: {said}");
        assert!(code != 401 || said.contains("is too long"), "{said}");
    }
    for header in ["X-Remote-User", "Authorization"] {
        let line = format!("{header}: {}", "x".repeat(400 * 1024));
        let mut wire = Wire::open(stage.adapter.secure, Some(&front_proxy)).await;
        let code = wire.attempt(LIST, &[&line]).await.map(|answer| answer.0);
        assert!(matches!(code, None | Some(431)), "{header}: {code:?}");
    }
    assert_eq!(stage.ask(Some(&front_proxy), &MASTERS).await.0, 200, "it serves on");
}

#[tokio::test]
async fn open_connections_follow_the_authorities_as_they_rotate() {
    let stage = Stage::start().await;
    let Stage { kube, proxy, users, adapter, .. } = &stage;
    let front_proxy = stage.front_proxy();
    let root = issue(users, ("root", &["system:masters"]), |_| {});
    let mut of_proxy = Wire::open(adapter.secure, Some(&front_proxy)).await;
    let mut of_root = Wire::open(adapter.secure, Some(&root)).await;
    let new_users = ca("users");
    let new_proxy = ca("proxy");
    let both = |old: &Ca, new: &Ca| format!("{}{}", old.pem(), new.pem());
    let mut middle = trust(proxy, users);
    middle["data"]["client-ca-file"] = json!(both(users, &new_users));
    middle["data"]["requestheader-client-ca-file"] = json!(both(proxy, &new_proxy));
    let mut broken = trust(proxy, users);
    broken["data"]["client-ca-file"] = json!("half a cert");
    for (what, map, expected) in [
        ("as it was", trust(proxy, users), [200, 200, 401]),
        ("users' rotated", trust(proxy, &new_users), [200, 401, 200]),
        ("broken", broken, [200, 401, 200]),
        ("old and new", middle, [200, 200, 200]),
        ("both rotated", trust(&new_proxy, &new_users), [401, 401, 200]),
        ("back again", trust(proxy, users), [200, 200, 401]),
    ] {
        kube.put(TRUST, map);
        let new_root = issue(&new_users, ("root", &["system:masters"]), |_| {});
        wait::until(what, async || {
            let codes = [
                of_proxy.get(LIST, &MASTERS).await.0,
                of_root.get(LIST, &[]).await.0,
                stage.ask(Some(&new_root), &[]).await.0,
            ];
            wait::seen(codes == expected, format!("{codes:?}"))
        })
        .await;
    }
}
