//! How Foresail proves to a Prometheus who it is, as the server sees it.
#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use crate::support::adapter::{Adapter, Setup, config, external, query_signal};
use crate::support::wait;
use crate::support::web::{Behaviour, Web};
use std::fs;
use std::path::Path;

/// A setup with one policy for each of these sources: a name, its URL and further keys, in which
/// `FOLDER` stands for the folder of the files.
pub(crate) fn setup(sources: &[(&str, String, &str)]) -> Setup {
    let setup = Setup::new("");
    let folder = setup.file("");
    let folder = folder.to_str().unwrap().trim_end_matches('/');
    let written: Vec<String> = sources
        .iter()
        .map(|(name, url, keys)| {
            let keys = keys.replace("FOLDER", folder);
            format!("{{name: {name}, prometheus: {{url: '{url}', {keys}}}}}")
        })
        .collect();
    let policies: Vec<String> = sources
        .iter()
        .map(|(name, ..)| external(name, "200ms", &query_signal(name, "q")))
        .collect();
    write(&setup.file("foresail.yaml"), &config(&written, &policies));
    setup
}

pub(crate) fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
}

/// The value of a header of the last request below a path.
fn last(web: &Web, path: &str, header: &str) -> Result<String, String> {
    let asked = web.asked(path);
    let last = asked.last().ok_or("nothing was asked")?;
    last.headers.get(header).cloned().ok_or_else(|| format!("{:?}", last.headers))
}

pub(crate) async fn shows(web: &Web, path: &str, header: &str, expected: &str) {
    wait::until(&format!("{path} is shown {header}: {expected}"), async || {
        let shown = last(web, path, header)?;
        wait::seen(shown == expected, shown)
    })
    .await;
}

#[tokio::test]
async fn passwords_tokens_and_headers_come_from_files_and_follow_them() {
    let web = Web::start().await;
    web.set("/", Behaviour::Prometheus(6.0));
    let setup = setup(&[
        ("basic", web.url("/basic"), "auth: {basic: {username: u, passwordFile: FOLDER/password}}"),
        ("bearer", web.url("/bearer"), "auth: {bearer: {tokenFile: FOLDER/bearer}}"),
        (
            "headers",
            web.url("/headers"),
            "method: GET, parameters: {dedup: 'true'}, headers: {X-Scope-OrgID: {value: 'a|b'}, X-Key: {valueFile: FOLDER/key}}",
        ),
    ]);
    write(&setup.file("password"), "pass word\n");
    write(&setup.file("bearer"), "one\n");
    write(&setup.file("key"), "first");
    let adapter = setup.start().await;
    for name in ["basic", "bearer", "headers"] {
        adapter.serves(name, "6").await;
    }
    // `printf 'u:pass word' | base64`
    shows(&web, "/basic", "authorization", "Basic dTpwYXNzIHdvcmQ=").await;
    shows(&web, "/bearer", "authorization", "Bearer one").await;
    shows(&web, "/headers", "x-scope-orgid", "a|b").await;
    shows(&web, "/headers", "x-key", "first").await;
    let asked = web.asked("/headers").pop().unwrap();
    assert_eq!(asked.parameters.get("dedup").map(String::as_str), Some("true"));
    adapter.replace("password", "other");
    adapter.replace("bearer", "two");
    adapter.replace("key", "second");
    shows(&web, "/basic", "authorization", "Basic dTpvdGhlcg==").await;
    shows(&web, "/bearer", "authorization", "Bearer two").await;
    shows(&web, "/headers", "x-key", "second").await;
}

#[tokio::test]
async fn a_file_that_is_not_there_is_told_and_found_when_it_comes() {
    let web = Web::start().await;
    web.set("/", Behaviour::Prometheus(6.0));
    let adapter: Adapter =
        setup(&[("late", web.url("/late"), "auth: {bearer: {tokenFile: FOLDER/late}}")])
            .start()
            .await;
    adapter.refuses("late", &["no sample yet: source late: ", "/late` cannot be read"]).await;
    assert_eq!(web.asked("/late").len(), 0, "nobody is asked without the token");
    adapter.replace("late", "\n");
    adapter.refuses("late", &["/late` holds no text"]).await;
    adapter.replace("late", "a\nb");
    adapter.refuses("late", &["/late: line breaks and the like do not fit"]).await;
    adapter.replace("late", "token");
    adapter.serves("late", "6").await;
}
