//! Files that are wrong, half written, replaced or missing: at the start one sentence and exit
//! code 1, while serving the last good one keeps running.
#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use crate::support::adapter::{Adapter, Setup, TOKEN, client, config, external};
use crate::support::adapter::{foresail, page_signal, scrape};
use crate::support::wait;
use crate::support::web::Web;
use rcgen::{CertificateParams, KeyPair};
use std::ffi::OsString;
use std::fs;
use std::net::TcpListener;
use std::time::Duration;

/// A page that says 6, and the source that reads it.
async fn page() -> (Web, String) {
    let web = Web::start().await;
    web.show("/page", "q 6\n");
    let source = scrape("page", &web.url("/page"));
    (web, source)
}

fn policy(name: &str) -> String {
    external(name, "200ms", &page_signal("page"))
}

/// Runs what must not start; answers its exit code and what it said.
fn refused(setup: &Setup) -> (Option<i32>, String) {
    let output = setup.command().output().unwrap();
    assert!(output.stdout.is_empty(), "stdout is for data");
    let text = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), text.replace(&setup.file("").display().to_string(), "FOLDER/"))
}

#[test]
fn a_faulty_configuration_is_refused_at_the_start_with_line_and_hint() {
    for (config, parts) in [
        (
            "apiVersion: [foresail",
            &["foresail.yaml:2:1: not YAML: ", "the file cannot be used"][..],
        ),
        (
            "apiVersion: foresail.dev/v1alpha1\nkind: AdapterConfig\nsorces: []\n",
            &["foresail.yaml:3:1: ", "`sorces`", "  hint: ", "`sources`"],
        ),
        ("", &["foresail.yaml", "cannot be used"]),
        ("\t- a\n\u{0}", &["foresail.yaml:2:1: not YAML"]),
    ] {
        let (code, text) = refused(&Setup::new(config));
        assert_eq!(code, Some(1), "{text}");
        for part in parts {
            assert!(text.contains(part), "{part} in\n{text}");
        }
    }
}

#[test]
fn files_that_cannot_be_had_are_named_at_the_start() {
    let good = config(&[], &[]);
    for (missing, sentence) in [
        (
            "foresail.yaml",
            "error: failed to read the configuration `FOLDER/foresail.yaml`: No such",
        ),
        ("token", "error: failed to set up the bearer token: "),
    ] {
        let setup = Setup::new(&good);
        fs::remove_file(setup.file(missing)).unwrap();
        let (code, text) = refused(&setup);
        assert_eq!(code, Some(1), "{text}");
        let line = text.lines().find(|it| it.starts_with("error: ")).unwrap();
        assert!(line.starts_with(sentence), "{text}");
        assert!(line.contains(missing), "{text}");
    }
    let setup = Setup::new(&good);
    fs::write(setup.file("token"), "short").unwrap();
    let (code, text) = refused(&setup);
    assert_eq!(code, Some(1), "{text}");
    assert!(!text.contains("short\n") && text.contains("FOLDER/token"), "{text}");
}

#[test]
fn a_taken_port_is_told_in_a_sentence() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    for name in ["secure", "observability"] {
        let setup = Setup::new(&config(&[], &[]));
        let free = format!("--{name}-port=0");
        let arguments: Vec<OsString> = setup.command().get_args().map(OsString::from).collect();
        let arguments = arguments.into_iter().map(|it| {
            if it == free.as_str() { format!("--{name}-port={port}").into() } else { it }
        });
        let mut command = foresail();
        command.args(arguments);
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{text}");
        let sentence =
            format!("error: failed to listen on the {name} port {port}: Address already");
        assert!(text.lines().last().unwrap().starts_with(&sentence), "{text}");
    }
}

#[tokio::test]
async fn a_bad_edit_is_refused_and_a_good_one_is_taken() {
    let (_web, source) = page().await;
    let sources = [source];
    let both = config(&sources, &[policy("stays"), policy("goes")]);
    let adapter = Adapter::start(&both).await;
    adapter.serves("stays", "6").await;
    adapter.serves("goes", "6").await;
    let loads = async |result: &str| {
        let beginning = format!("foresail_config_loads_total{{result=\"{result}\"}}");
        adapter.metric(&beginning).await
    };

    let misspelt = both.replace("policies", "polices");
    for (bad, count) in [("apiVersion: [", 1.0), ("", 2.0), (&misspelt, 3.0)] {
        adapter.replace("foresail.yaml", bad);
        wait::until("the refusal", async || {
            let refused = loads("refused").await;
            wait::seen(refused.as_ref() == Ok(&count), format!("{refused:?}"))
        })
        .await;
        adapter.serves("stays", "6").await;
        adapter.serves("goes", "6").await;
    }
    let line = adapter.logs(&["ERROR", "configuration refused", "the last good one keeps"]).await;
    assert!(line.contains("foresail.yaml"), "{line}");
    adapter.logs(&["ERROR", "`polices`", "hint", "`policies`"]).await;
    assert_eq!(loads("loaded").await, Ok(1.0));

    adapter.replace("foresail.yaml", &config(&sources, &[policy("stays"), policy("comes")]));
    adapter.serves("comes", "6").await;
    adapter.serves("stays", "6").await;
    adapter.refuses("goes", &["no policy publishes external metric goes"]).await;
    assert_eq!(loads("loaded").await, Ok(2.0));
    let page = adapter.observe("/metrics").await.unwrap().body;
    assert!(!page.contains("policy=\"goes\""), "{page}");
}

#[tokio::test]
async fn a_broken_policy_stays_alone_and_one_broken_by_an_edit_runs_as_it_was() {
    let (_web, source) = page().await;
    let sources = [source];
    let broken = policy("broken").replace("series: q", "series: 'q{'");
    let adapter = Adapter::start(&config(&sources, &[policy("a"), broken, policy("z")])).await;
    adapter.serves("a", "6").await;
    adapter.serves("z", "6").await;
    adapter.refuses("broken", &["policy inference/broken", "spec.signals.it.scrape.series"]).await;
    assert_eq!(adapter.metric("foresail_config_faults ").await, Ok(1.0));

    let combine = policy("a").replace("interval", "combine: it + wating, interval");
    adapter.replace("foresail.yaml", &config(&sources, &[combine, policy("broken")]));
    adapter.serves("broken", "6").await;
    adapter.serves("a", "6").await;
    let kept = "inference/a is broken in the new configuration and kept as it was";
    adapter.logs(&["WARN", kept]).await;
    adapter.logs(&["ERROR", "wating", "spec.combine"]).await;
    adapter.refuses("z", &["no policy publishes"]).await;
}

/// A certificate for localhost and its key, in PEM; and its DER.
fn pair() -> (String, String, Vec<u8>) {
    let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    (certificate.pem(), key.serialize_pem(), certificate.der().to_vec())
}

/// Whether a client that trusts this certificate alone gets an answer.
async fn is_shown(adapter: &Adapter, der: &[u8]) -> Result<(), String> {
    drop(rustls::crypto::ring::default_provider().install_default());
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([reqwest::Certificate::from_der(der).unwrap()])
        .resolve("localhost", adapter.secure)
        .timeout(Duration::from_secs(5))
        .build()
        .unwrap();
    let url = format!("https://localhost:{}/livez", adapter.secure.port());
    let status = client.get(url).send().await.map_err(|error| format!("{error:?}"))?.status();
    wait::seen(status == 200, status)
}

#[tokio::test]
async fn a_half_written_certificate_changes_nothing_and_a_whole_one_is_served() {
    let (first, first_key, first_der) = pair();
    let (second, second_key, second_der) = pair();
    let setup = Setup::new(&config(&[], &[]));
    let (cert, key) = (setup.file("tls.crt"), setup.file("tls.key"));
    fs::write(&cert, &first).unwrap();
    fs::write(&key, &first_key).unwrap();
    let setup = setup
        .argument(format!("--tls-cert-file={}", cert.display()))
        .argument(format!("--tls-private-key-file={}", key.display()));
    let adapter = setup.start().await;
    is_shown(&adapter, &first_der).await.unwrap();

    let half = second.get(..second.len() / 2).unwrap();
    fs::write(&cert, half).unwrap();
    let kept = "cannot use the certificate files; the last good certificate stays";
    let line = adapter.logs(&["WARN", kept]).await;
    assert!(line.contains("tls.crt"), "{line}");
    is_shown(&adapter, &first_der).await.unwrap();

    // Now the certificate is whole, and the key is still the old one.
    fs::write(&cert, &second).unwrap();
    wait::until("a second complaint", async || {
        let complaints = adapter.log().matches(kept).count();
        wait::seen(complaints == 2, adapter.log())
    })
    .await;
    is_shown(&adapter, &first_der).await.unwrap();

    fs::write(&key, &second_key).unwrap();
    wait::until("the new certificate", async || is_shown(&adapter, &second_der).await).await;
    assert!(is_shown(&adapter, &first_der).await.is_err());
    assert_eq!(adapter.metric("foresail_certificate_reloads_total").await, Ok(1.0));
    let log = adapter.log();
    for secret in [&first_key, &second_key] {
        let body = secret.lines().nth(1).unwrap();
        assert!(!log.contains(body), "a private key in the log");
    }
}

#[tokio::test]
async fn a_rotated_token_replaces_the_old_one_and_a_lost_file_does_not() {
    let adapter = Adapter::start(&config(&[], &[])).await;
    let path = "/apis/external.metrics.k8s.io/v1beta1";
    let code = async |token: &str| adapter.get_with(path, token).await.unwrap().code;
    assert_eq!(code(TOKEN).await, 200);
    assert_eq!(code("another-token-9876543210").await, 401);
    fs::remove_file(adapter.file("token")).unwrap();
    adapter.logs(&["WARN", "the last good token stays"]).await;
    assert_eq!(code(TOKEN).await, 200);
    adapter.replace("token", "another-token-9876543210\n");
    wait::until("the new token", async || {
        let code = code("another-token-9876543210").await;
        wait::seen(code == 200, code)
    })
    .await;
    assert_eq!(code(TOKEN).await, 401);
    let without = client().get(format!("https://{}{path}", adapter.secure)).send().await.unwrap();
    assert_eq!(without.status(), 401);
}

#[tokio::test]
async fn it_serves_on_when_nobody_reads_its_log_any_more() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let setup = Setup::new(&config(&[], &[]));
    let (reader, writer) = std::io::pipe().unwrap();
    let mut command = foresail();
    command.args(["serve", "--standalone", "--secure-port=0"]);
    command.arg(format!("--observability-port={free}"));
    command.arg("--config").arg(setup.file("foresail.yaml"));
    command.arg("--token-file").arg(setup.file("token"));
    let mut child = command.stderr(writer).spawn().unwrap();
    // Its own copy of the writing end would keep the pipe open.
    drop((command, reader));
    wait::until("alive", async || {
        if let Some(status) = child.try_wait().unwrap() {
            return Err(format!("ended with {status}"));
        }
        let answer = client().get(format!("http://127.0.0.1:{free}/livez")).send().await;
        let status = answer.map_err(|error| error.to_string())?.status();
        wait::seen(status == 200, status)
    })
    .await;
    child.kill().unwrap();
    child.wait().unwrap();
}
