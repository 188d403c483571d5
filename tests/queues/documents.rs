//! Numbers in documents: the JSON of a real server that goes away, and how it is shown who asks.

use crate::bed::{TIMEOUT, adapter, outlives_its_server, shows_none_of};
use crate::nats::Nats;
use crate::support::web::Web;

const KEY: &str = "hidden-key-0123";

#[tokio::test(flavor = "multi_thread")]
async fn a_document_whose_server_goes_away_is_an_error_and_comes_back_by_itself() {
    let mut nats = Nats::start();
    let monitor = nats.monitor;
    let signal = format!(
        "{{metricsApi: {{url: 'http://127.0.0.1:{monitor}/jsz?acc=$G&consumers=true', timeout: \
         {TIMEOUT}, valueLocation: 'account_details.0.stream_detail.#(name==\"jobs\").state.messages'}}}}"
    );
    let adapter = adapter(&[("messages", signal)]).await;
    let refused = ["source http://127.0.0.1:", "connection refused"];
    outlives_its_server(&mut nats.server, &adapter, ("messages", "5"), &refused, async || {}).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_is_shown_in_the_way_that_is_said_and_nowhere_else() {
    let web = Web::start().await;
    web.show("/json", r#"{"jobs": [{"waiting": "2k"}], "text": "many"}"#);
    web.show("/yaml", "jobs:\n  - waiting: 12\n");
    web.show("/page", "# TYPE jobs gauge\njobs{kind=\"a\"} 3\njobs{kind=\"b\"} 4\n");
    web.show("/key-in-url", "1");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    std::fs::write(&file, format!("{KEY}\n")).unwrap();
    let file = format!("{{file: '{}'}}", file.display());
    let signal =
        |path: &str, more: &str| format!("{{metricsApi: {{url: '{}', {more}}}}}", web.url(path));
    let signals = [
        (
            "header",
            signal("/json/h", &format!("valueLocation: '$.jobs[0].waiting', apiKeyFrom: {file}")),
            "2k",
        ),
        (
            "query",
            signal(
                "/json/q?a=b",
                &format!(
                    "valueLocation: jobs.#, method: query, keyParamName: k, apiKeyFrom: {file}"
                ),
            ),
            "1",
        ),
        (
            "basic",
            signal(
                "/yaml/b",
                &format!(
                    "valueLocation: jobs.0.waiting, format: yaml, username: me, passwordFrom: {file}"
                ),
            ),
            "12",
        ),
        (
            "bearer",
            signal(
                "/page/t",
                &format!(
                    "valueLocation: 'jobs{{kind=\"b\"}}', format: prometheus, tokenFrom: {file}"
                ),
            ),
            "4",
        ),
        (
            "missing",
            signal(&format!("/json/{KEY}"), "valueLocation: nothing"),
            "there is nothing at `nothing`",
        ),
        ("text", signal("/json", "valueLocation: text"), "what is at `text` is no number"),
        ("nojson", signal("/yaml", "valueLocation: text"), "the answer is not JSON"),
        ("nowhere", signal("/nowhere", "valueLocation: text"), "answered 404: no such path"),
    ];
    let written: Vec<(&str, String)> =
        signals.iter().map(|(name, signal, _)| (*name, signal.clone())).collect();
    let adapter = adapter(&written).await;
    for (name, _, expected) in &signals {
        if expected.chars().all(|c| c.is_ascii_digit() || c == 'k') {
            adapter.serves(name, expected).await;
        } else {
            adapter.refuses(name, &["source http://127.0.0.1:", expected]).await;
        }
    }
    shows_who_asks(&web);
    let names: Vec<&str> = signals.iter().map(|it| it.0).collect();
    shows_none_of(&adapter, &names, &[KEY, "bWU6aGlkZGVu"]).await;
}

/// What each path was sent, in the last request to it.
fn shows_who_asks(web: &Web) {
    let last = |path: &str| web.asked(path).pop().unwrap();
    let header = |path: &str, name: &str| last(path).headers.get(name).cloned();
    assert_eq!(header("/json/h", "x-api-key").as_deref(), Some(KEY));
    let parameters = last("/json/q").parameters;
    assert_eq!(parameters.get("k").map(String::as_str), Some(KEY));
    assert_eq!(parameters.get("a").map(String::as_str), Some("b"));
    let basic = header("/yaml/b", "authorization").unwrap();
    assert_eq!(basic, "Basic bWU6aGlkZGVuLWtleS0wMTIz");
    assert_eq!(header("/page/t", "authorization").unwrap(), format!("Bearer {KEY}"));
    assert_eq!(header("/json/h", "authorization"), None);
}
