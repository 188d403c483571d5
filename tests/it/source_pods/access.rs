//! What is shown to pods, and how their certificates are checked.

use super::fleet::{self, Fleet, asks, at};
use crate::support::tls_page::TlsPage;
use crate::support::web::{Behaviour, Web};

fn shown(web: &Web, header: &str) -> Vec<Option<String>> {
    let asked = web.asked("/metrics").into_iter();
    asked.map(|it| it.headers.get(header).cloned()).collect()
}

#[tokio::test]
async fn passwords_tokens_and_headers_come_from_files_and_follow_them() {
    let fleet = Fleet::start(&["q 1\n"]).await;
    fleet.files.put("/secret", "secret-1\n");
    for (auth, header, first, second) in [
        (
            "auth: {bearer: {tokenFile: /secret}}",
            "authorization",
            "Bearer secret-1",
            "Bearer secret-2",
        ),
        // `printf 'u:secret-1' | base64`
        (
            "auth: {basic: {username: u, passwordFile: /secret}}",
            "authorization",
            "Basic dTpzZWNyZXQtMQ==",
            "Basic dTpzZWNyZXQtMg==",
        ),
        ("headers: {X-Key: {valueFile: /secret}}", "x-key", "secret-1", "secret-2"),
        ("headers: {X-Team: {value: a}}", "x-team", "a", "a"),
    ] {
        fleet.files.put("/secret", "secret-1\n");
        let before = fleet.webs[0].asked("/metrics").len();
        let reader = fleet.reader(&[asks("External", &format!("series: q, {auth}"))]);
        assert_eq!(fleet.number(&reader, 0, at(0)).await, Ok((1.0, None)));
        fleet.files.put("/secret", "secret-2");
        assert_eq!(fleet.number(&reader, 0, at(1)).await, Ok((1.0, None)));
        let expected = [first, second].map(|it| Some(it.to_owned()));
        assert_eq!(shown(&fleet.webs[0], header)[before..], expected, "{auth}");
    }
}

#[tokio::test]
async fn a_secret_is_never_told() {
    let fleet = Fleet::start(&["q 1\n"]).await;
    let bearer = "series: q, auth: {bearer: {tokenFile: /token}}";
    let basic = "series: q, auth: {basic: {username: u, passwordFile: /token}}";
    let header = "series: q, headers: {X-Key: {valueFile: /token}}";
    let reader = fleet.reader(&[bearer, basic, header].map(|it| asks("External", it)));
    for (second, (content, told)) in [
        ("secret\u{1}", "`/token`: line breaks and the like do not fit in a header"),
        (" \n", "`/token` holds no text"),
    ]
    .into_iter()
    .enumerate()
    {
        fleet.files.put("/token", content);
        for asker in [0, 2] {
            let error = fleet.number(&reader, asker, at(second as i64)).await.unwrap_err();
            assert_eq!(error, told);
        }
    }
    fleet.files.remove("/token");
    let error = fleet.number(&reader, 0, at(3)).await.unwrap_err();
    assert_eq!(error, "`/token` is not there");
    // A pod that repeats what it was shown.
    fleet.files.put("/token", "secret-1");
    let repeats = "no: secret-1, dTpzZWNyZXQtMQ==";
    fleet.webs[0].set("/metrics", Behaviour::Answer(403, repeats.as_bytes().to_vec()));
    for (asker, told) in [
        (0, "answered 403: no: (hidden), dTpzZWNyZXQtMQ=="),
        (1, "answered 403: no: (hidden), (hidden)"),
        (2, "answered 403: no: (hidden), dTpzZWNyZXQtMQ=="),
    ] {
        let error = fleet.number(&reader, asker, at(4)).await.unwrap_err();
        assert!(error.ends_with(told), "{error}");
    }
}

/// A fleet of this one page.
async fn behind(page: &TlsPage) -> Fleet {
    let mut fleet = Fleet::start(&[]).await;
    fleet.change(|pods| pods.push(fleet::place(0, page.port)));
    fleet.files.put("/ca.crt", &page.authority);
    fleet.files.put("/client.crt", &page.client.0);
    fleet.files.put("/client.key", &page.client.1);
    fleet
}

fn with(tls: &str) -> (String, String) {
    asks("External", &format!("series: q, scheme: https, tls: {{{tls}}}"))
}

#[tokio::test]
async fn certificates_are_checked_as_the_policy_says() {
    let page = TlsPage::start("q 7\n", "127.0.0.1", false).await;
    let fleet = behind(&page).await;
    let reader = fleet.reader(&[
        with("caFile: /ca.crt"),
        with("insecureSkipVerify: true"),
        with("caFile: /none"),
        with("caFile: /ca.crt, serverName: pods.example"),
    ]);
    assert_eq!(fleet.number(&reader, 0, at(0)).await, Ok((7.0, None)));
    assert_eq!(fleet.number(&reader, 1, at(0)).await, Ok((7.0, None)));
    let missing = fleet.number(&reader, 2, at(0)).await.unwrap_err();
    assert_eq!(missing, "`/none` is not there");
    let unnamed = fleet.number(&reader, 3, at(0)).await.unwrap_err();
    assert!(unnamed.contains("invalid peer certificate"), "{unnamed}");
    // Another authority has not signed it.
    let other = TlsPage::start("q 7\n", "127.0.0.1", false).await;
    fleet.files.put("/ca.crt", &other.authority);
    let refused = fleet.number(&reader, 0, at(60)).await.unwrap_err();
    assert!(refused.contains("invalid peer certificate"), "{refused}");
}

#[tokio::test]
async fn pods_whose_certificate_has_a_name_are_called_by_their_addresses() {
    let page = TlsPage::start("q 7\n", "pods.example", false).await;
    let fleet = behind(&page).await;
    let reader = fleet.reader(&[
        with("caFile: /ca.crt, serverName: pods.example"),
        with("caFile: /ca.crt"),
        with("caFile: /ca.crt, serverName: others.example"),
        with("serverName: pods.example"),
    ]);
    assert_eq!(fleet.number(&reader, 0, at(0)).await, Ok((7.0, None)));
    for asker in 1..4 {
        let refused = fleet.number(&reader, asker, at(0)).await.unwrap_err();
        let known = ["invalid peer certificate", "there are no authorities to trust"];
        assert!(known.iter().any(|it| refused.contains(it)), "{refused}");
    }
}

#[tokio::test]
async fn pods_may_ask_for_a_certificate() {
    for name in ["127.0.0.1", "pods.example"] {
        let page = TlsPage::start("q 7\n", name, true).await;
        let fleet = behind(&page).await;
        let named = if name == "127.0.0.1" { "" } else { ", serverName: pods.example" };
        let own = ", certFile: /client.crt, keyFile: /client.key";
        let reader = fleet.reader(&[
            with(&format!("caFile: /ca.crt{named}{own}")),
            with(&format!("caFile: /ca.crt{named}")),
        ]);
        // A key of another certificate is told without showing it.
        fleet.files.put("/client.key", &TlsPage::start("", name, true).await.client.1);
        let refused = fleet.number(&reader, 0, at(0)).await.unwrap_err();
        assert!(!refused.contains("PRIVATE"), "{refused}");
        fleet.files.put("/client.key", &page.client.1);
        assert_eq!(fleet.number(&reader, 0, at(1)).await, Ok((7.0, None)), "{name}");
        assert!(fleet.number(&reader, 1, at(1)).await.is_err(), "{name}");
        // While only one of the two files is replaced, the last good ones stay.
        fleet.files.put("/client.key", "not a key");
        assert_eq!(fleet.number(&reader, 0, at(2)).await, Ok((7.0, None)), "{name}");
    }
}
