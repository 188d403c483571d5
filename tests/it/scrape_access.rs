//! How Foresail proves to the server of a page who it is, and that what it shows is told nowhere.
#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use crate::source_access::shows;
use crate::support::adapter::{Setup, config, external, page_signal};
use crate::support::tls_page::TlsPage;
use crate::support::wait;
use crate::support::web::{Behaviour, Web};
use std::fs;

/// A setup with one policy for each of these pages: a name, its URL and further keys, in which
/// `FOLDER` stands for the folder of these files.
fn setup(pages: &[(&str, String, &str)], files: &[(&str, &str)]) -> Setup {
    let setup = Setup::new("").log_filter("trace");
    for (name, content) in files {
        fs::write(setup.file(name), content).unwrap();
    }
    let folder = setup.file("").to_str().unwrap().trim_end_matches('/').to_owned();
    let sources: Vec<String> = pages
        .iter()
        .map(|(name, url, keys)| {
            let keys = keys.replace("FOLDER", &folder);
            format!("{{name: {name}, scrape: {{url: '{url}', {keys}}}}}")
        })
        .collect();
    let policies: Vec<String> =
        pages.iter().map(|(name, ..)| external(name, "200ms", &page_signal(name))).collect();
    fs::write(setup.file("foresail.yaml"), config(&sources, &policies)).unwrap();
    setup
}

#[tokio::test]
async fn passwords_tokens_and_headers_are_shown_follow_their_files_and_are_told_nowhere() {
    let web = Web::start().await;
    web.show("/", "q 6\n");
    let pages = [
        ("basic", web.url("/basic"), "auth: {basic: {username: u, passwordFile: FOLDER/password}}"),
        ("bearer", web.url("/bearer"), "auth: {bearer: {tokenFile: FOLDER/bearer}}"),
        ("headers", web.url("/headers"), "headers: {X-Key: {valueFile: FOLDER/key}}"),
    ];
    let files = [("password", "hidden-1\n"), ("bearer", "hidden-2"), ("key", "hidden-3")];
    let adapter = setup(&pages, &files).start().await;
    for name in ["basic", "bearer", "headers"] {
        adapter.serves(name, "6").await;
    }
    // `printf 'u:hidden-1' | base64`
    shows(&web, "/basic", "authorization", "Basic dTpoaWRkZW4tMQ==").await;
    shows(&web, "/bearer", "authorization", "Bearer hidden-2").await;
    shows(&web, "/headers", "x-key", "hidden-3").await;
    adapter.replace("bearer", "hidden-4");
    shows(&web, "/bearer", "authorization", "Bearer hidden-4").await;
    // A server that repeats what it was shown.
    let repeats = b"hidden-1 dTpoaWRkZW4tMQ== hidden-3 hidden-4";
    web.set("/", Behaviour::Answer(403, repeats.to_vec()));
    let mut said = String::new();
    for name in ["basic", "bearer", "headers"] {
        wait::until("the error is explained", async || {
            let path = format!("/debug/explain/inference/{name}");
            let json = adapter.observe(&path).await?.body;
            let text = adapter.observe(&format!("{path}?format=text")).await?.body;
            said.push_str(&format!("{json}{text}"));
            wait::seen(json.contains("403"), json)
        })
        .await;
        said.push_str(&adapter.external(name).await.unwrap().body);
    }
    said.push_str(&adapter.observe("/metrics").await.unwrap().body);
    said.push_str(&adapter.log());
    for secret in ["hidden-", "dTpoaWRkZW4tMQ"] {
        let line = said.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "shows {secret}");
    }
}

#[tokio::test]
async fn a_page_behind_tls_is_checked_and_asks_for_a_certificate() {
    let page = TlsPage::start("q 7\n", "pages.example", true).await;
    let url = format!("https://127.0.0.1:{}/metrics", page.port);
    let tls = "caFile: FOLDER/ca, certFile: FOLDER/crt, keyFile: FOLDER/key";
    let good = format!(
        "auth: {{bearer: {{tokenFile: FOLDER/shown}}}}, tls: {{{tls}, serverName: pages.example}}"
    );
    let unnamed = format!("tls: {{{tls}}}");
    let pages = [
        ("good", url.clone(), good.as_str()),
        ("unnamed", url.clone(), unnamed.as_str()),
        ("nobody", url, "tls: {caFile: FOLDER/ca, serverName: pages.example}"),
    ];
    let (certificate, key) = &page.client;
    let files = [("ca", &*page.authority), ("crt", certificate), ("key", key), ("shown", "t-1\n")];
    let adapter = setup(&pages, &files).start().await;
    adapter.serves("good", "7").await;
    assert_eq!(page.shown().as_deref(), Some("Bearer t-1"));
    adapter.refuses("unnamed", &["invalid peer certificate"]).await;
    adapter.refuses("nobody", &["no sample yet: source nobody: "]).await;
}
