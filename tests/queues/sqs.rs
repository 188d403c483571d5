//! Queues of AWS SQS, which nobody can run: exchanges as they are on its wire, with every signature
//! checked as SQS checks it.

mod cloud;
mod identity;
mod signature;

use crate::bed::{TIMEOUT, adapter, shows_none_of};
use crate::support::adapter::Adapter;
use axum::body::Body;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use signature::{Received, Signed, check};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

const ACCESS_KEY: &str = "hiddenAccessKey0123";
const SECRET: &str = "hidden/Secret+Key/4567";
const TOKEN: &str = "hidden-session-89==";
const QUEUE: &str = "https://sqs.eu-central-1.amazonaws.com/123456789012/jobs";

/// Speaks as SQS does with AWS's JSON protocol.
struct Sqs {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<(Signed, Value)>>>,
    server: JoinHandle<()>,
}

impl Sqs {
    async fn start(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::<Mutex<Vec<(Signed, Value)>>>::default();
        let shared = Arc::clone(&seen);
        let server = tokio::spawn(async move {
            // All connections end with it.
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let seen = Arc::clone(&shared);
                let service = service_fn(move |request| answer(Arc::clone(&seen), request));
                connections.spawn(async move {
                    let builder = auto::Builder::new(TokioExecutor::new());
                    drop(builder.serve_connection(TokioIo::new(stream), service).await);
                });
            }
        });
        Self { address, seen, server }
    }

    /// Answers nobody any more; gives back where it was.
    async fn stop(self) -> SocketAddr {
        self.server.abort();
        drop(self.server.await);
        self.address
    }

    fn signal(&self, folder: &Path, more: &str) -> String {
        let file = |name: &str| format!("{{file: '{}'}}", folder.join(name).display());
        format!(
            "{{awsSqsQueue: {{awsEndpoint: 'http://{}', awsRegion: eu-central-1, timeout: {TIMEOUT}, \
             awsAccessKeyIDFrom: {}, awsSecretAccessKeyFrom: {}, {more}}}}}",
            self.address,
            file("id"),
            file("secret"),
        )
    }
}

/// The answers of SQS, as its API reference and its service show them.
async fn answer(
    seen: Arc<Mutex<Vec<(Signed, Value)>>>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let headers = headers_of(&head);
    let received = Received {
        method: head.method.as_str(),
        path: head.uri.path(),
        query: head.uri.query().unwrap_or_default(),
        headers: &headers,
        body: &body,
    };
    let (status, answer) = match check(&received, SECRET).and_then(is_recent) {
        Err(problem) => {
            let kind = "com.amazon.coral.service#InvalidSignatureException";
            (403, json!({"__type": kind, "message": problem.lines().next()}))
        }
        Ok(signed) if signed.access_key_id != ACCESS_KEY => {
            let kind = "com.amazon.coral.service#UnrecognizedClientException";
            let message = format!("The security token {} is invalid.", signed.access_key_id);
            (403, json!({"__type": kind, "message": message}))
        }
        Ok(signed) => {
            let asked: Value = serde_json::from_slice(&body).unwrap();
            let answer = attributes(&headers, &asked);
            seen.lock().unwrap().push((signed, asked));
            answer
        }
    };
    let response = Response::builder().status(status);
    let response = response.header("content-type", "application/x-amz-json-1.0");
    Ok(response.body(answer.to_string().into()).unwrap())
}

fn headers_of(head: &http::request::Parts) -> BTreeMap<String, String> {
    let text = |it: &http::HeaderValue| it.to_str().unwrap().to_owned();
    head.headers.iter().map(|(name, it)| (name.to_string(), text(it))).collect()
}

fn attributes(headers: &BTreeMap<String, String>, asked: &Value) -> (u16, Value) {
    if headers["x-amz-target"] != "AmazonSQS.GetQueueAttributes"
        || headers["content-type"] != "application/x-amz-json-1.0"
    {
        return (404, json!({"__type": "com.amazon.coral.service#UnknownOperationException"}));
    }
    let known: BTreeMap<&str, &str> = match asked["QueueUrl"].as_str().unwrap() {
        QUEUE | "jobs" => BTreeMap::from([
            ("ApproximateNumberOfMessages", "12"),
            ("ApproximateNumberOfMessagesNotVisible", "5"),
            ("ApproximateNumberOfMessagesDelayed", "3"),
        ]),
        "https://sqs.eu-central-1.amazonaws.com/123456789012/odd" => BTreeMap::new(),
        _ => {
            let kind = "com.amazonaws.sqs#QueueDoesNotExist";
            let message = "The specified queue does not exist.";
            return (400, json!({"__type": kind, "message": message}));
        }
    };
    let names = asked["AttributeNames"].as_array().unwrap();
    let wanted = names.iter().filter_map(|it| known.get_key_value(it.as_str()?));
    (200, json!({"Attributes": wanted.collect::<BTreeMap<_, _>>()}))
}

/// SQS takes a signature for five minutes.
fn is_recent(signed: Signed) -> Result<Signed, String> {
    let at = DateTime::strptime("%Y%m%dT%H%M%SZ", &signed.at).map_err(|it| it.to_string())?;
    let at = at.to_zoned(TimeZone::UTC).map_err(|it| it.to_string())?.timestamp();
    let age = Timestamp::now().duration_since(at).unsigned_abs();
    if age > Duration::from_secs(300) { Err(format!("signed at {at}")) } else { Ok(signed) }
}

fn keys() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in
        [("id", ACCESS_KEY), ("secret", SECRET), ("token", TOKEN), ("wrong", "hidden-wrong-0123")]
    {
        std::fs::write(folder.path().join(name), format!("{text}\n")).unwrap();
    }
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn the_messages_of_an_sqs_queue_are_those_that_keda_counts() {
    let sqs = Sqs::start((Ipv4Addr::LOCALHOST, 0).into()).await;
    let folder = keys();
    let queue = |more: &str| sqs.signal(folder.path(), &format!("queueURL: '{QUEUE}'{more}"));
    let token = folder.path().join("token").display().to_string();
    let signals = [
        ("usual", queue(""), "17"),
        ("visible", queue(", scaleOnInFlight: false"), "12"),
        ("everything", queue(", scaleOnDelayed: true"), "20"),
        ("delayed", queue(", scaleOnInFlight: false, scaleOnDelayed: true"), "15"),
        ("named", sqs.signal(folder.path(), "queueURL: jobs"), "17"),
        ("temporary", queue(&format!(", awsSessionTokenFrom: {{file: '{token}'}}")), "17"),
        ("nowhere", queue("").replace("/jobs'", "/no'"), "The specified queue does not exist."),
        ("odd", queue("").replace("/jobs'", "/odd'"), "has no ApproximateNumberOfMessages"),
        ("wrong", queue("").replace("/secret'", "/wrong'"), "InvalidSignatureException"),
        ("unknown", queue("").replace("/id'", "/wrong'"), "The security token (hidden) is invalid"),
    ];
    let written: Vec<(&str, String)> =
        signals.iter().map(|(name, signal, _)| (*name, signal.clone())).collect();
    let adapter = adapter(&written).await;
    for (name, _, expected) in &signals {
        if expected.parse::<u32>().is_ok() {
            adapter.serves(name, expected).await;
        } else {
            adapter.refuses(name, &["source http://127.0.0.1:", expected]).await;
        }
    }
    says_for_whom_it_signs(&sqs);
    std::fs::write(folder.path().join("wrong"), SECRET).unwrap();
    adapter.serves("wrong", "17").await;
    let names: Vec<&str> = signals.iter().map(|it| it.0).collect();
    shows_none_of(&adapter, &names, &[ACCESS_KEY, SECRET, TOKEN, "hidden-wrong-0123"]).await;
}

fn says_for_whom_it_signs(sqs: &Sqs) {
    let seen = sqs.seen.lock().unwrap();
    let with_token = "x-amz-security-token".to_owned();
    // One signal has a token, and nobody says whose request comes first.
    let without_token = seen.iter().find(|(signed, asked)| {
        asked["QueueUrl"] == QUEUE && !signed.headers.contains(&with_token)
    });
    let (signed, asked) = without_token.unwrap();
    let Signed { region, service, headers, .. } = signed;
    assert_eq!((region.as_str(), service.as_str()), ("eu-central-1", "sqs"));
    assert_eq!(*headers, ["content-type", "host", "x-amz-date", "x-amz-target"]);
    assert!(asked.as_object().unwrap().keys().eq(["AttributeNames", "QueueUrl"]), "{asked}");
    assert!(seen.iter().any(|(signed, _)| signed.headers.contains(&with_token)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_sqs_that_goes_away_is_an_error_and_comes_back_by_itself() {
    let sqs = Sqs::start((Ipv4Addr::LOCALHOST, 0).into()).await;
    let folder = keys();
    let signal = sqs.signal(folder.path(), &format!("queueURL: '{QUEUE}'"));
    let adapter: Adapter = adapter(&[("jobs", signal)]).await;
    adapter.serves("jobs", "17").await;
    let address = sqs.stop().await;
    adapter.refuses("jobs", &["source http://127.0.0.1:", "connection refused"]).await;
    let _again = Sqs::start(address).await;
    adapter.serves("jobs", "17").await;
}
