//! A source on loopback whose behaviour the test chooses, path by path, and that remembers what it
//! was asked.
#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use axum::body::{Body, Bytes};
use futures::StreamExt;
use http::{Request, Response, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde_json::json;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinHandle;

/// What a path answers.
#[derive(Clone, Debug)]
pub(crate) enum Behaviour {
    /// A status and a body.
    Answer(u16, Vec<u8>),
    /// Status 200 and a page that says it is OpenMetrics.
    OpenMetrics(&'static str),
    /// Status 200, a beginning, then this piece so many times: made while it is sent.
    Stream(&'static str, &'static str, usize),
    /// One byte a second.
    Drip,
    /// Nothing, ever.
    Hang,
    /// A promise of more bytes than are sent before the connection is closed.
    CloseMidBody,
    /// Status 302 to this URL.
    Redirect(String),
    /// As Prometheus answers a query that always had this value: at the time asked for.
    Prometheus(f64),
    /// The same of a value whose oldest sample was taken at this time, in seconds since 1970; 0 where
    /// no sample is of late.
    Taken(f64, f64),
    /// As Prometheus answers a query that always had this value, with an error to whoever asks how old
    /// it is.
    Ageless(f64),
    /// The same of a value that swings with the time.
    Swinging,
    /// As Prometheus answers queries that contain one of these texts, the first that fits: with one
    /// series for each pair of a label and its value, or one without labels. Of others, nothing.
    Engines(Vec<Answered>),
}

/// A part of queries, the labels of the series that answer them, one for each, and their value.
pub(crate) type Answered = (&'static str, Vec<(&'static str, &'static str)>, f64);

/// One request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    /// Of the URL and of the body.
    pub(crate) parameters: BTreeMap<String, String>,
    /// Whether the parameters were in the URL.
    pub(crate) in_url: bool,
    /// As they came.
    pub(crate) query: String,
    pub(crate) body: String,
    /// By their names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
}

/// A running source; it ends with the test.
#[derive(Debug)]
pub(crate) struct Web {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    server: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct State {
    paths: BTreeMap<String, Behaviour>,
    asked: Vec<Asked>,
}

impl Web {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::<Mutex<State>>::default();
        let shared = Arc::clone(&state);
        let server = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let state = Arc::clone(&shared);
                let service = service_fn(move |request| answer(Arc::clone(&state), request));
                tokio::spawn(async move {
                    let builder = auto::Builder::new(TokioExecutor::new());
                    // Clients give up on some of these answers; that is what they are for.
                    drop(builder.serve_connection(TokioIo::new(stream), service).await);
                });
            }
        });
        Self { address, state, server }
    }

    /// Where it listens, on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// The URL of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Says what a path and everything below it answers from now on.
    pub(crate) fn set(&self, path: &str, behaviour: Behaviour) {
        self.state.lock().unwrap().paths.insert(path.to_owned(), behaviour);
    }

    /// A page or an answer of status 200.
    pub(crate) fn show(&self, path: &str, text: &str) {
        self.set(path, Behaviour::Answer(200, text.as_bytes().to_vec()));
    }

    /// What was asked of a path and of everything below it.
    pub(crate) fn asked(&self, path: &str) -> Vec<Asked> {
        let state = self.state.lock().unwrap();
        state.asked.iter().filter(|it| is_below(path, &it.path)).cloned().collect()
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn is_below(path: &str, asked: &str) -> bool {
    path == "/"
        || asked.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// An address on which connections are refused: taken, but nobody listens.
pub(crate) struct Refusing {
    _socket: TcpSocket,
    pub(crate) address: SocketAddr,
}

pub(crate) fn refusing() -> Refusing {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    Refusing { _socket: socket, address }
}

fn header_text((name, text): (&http::HeaderName, &http::HeaderValue)) -> (String, String) {
    (name.to_string(), text.to_str().unwrap().to_owned())
}

async fn answer(
    state: Arc<Mutex<State>>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    let url = head.uri.query().unwrap_or_default().to_owned();
    let form = body.collect().await.map(|it| it.to_bytes().to_vec()).unwrap_or_default();
    let form = String::from_utf8(form).unwrap();
    let asked = Asked {
        method: head.method.to_string(),
        path: path.clone(),
        parameters: [url.as_str(), form.as_str()].into_iter().flat_map(parameters).collect(),
        in_url: !url.is_empty(),
        query: url.clone(),
        body: form.clone(),
        headers: head.headers.iter().map(header_text).collect(),
    };
    let behaviour = {
        let mut state = state.lock().unwrap();
        state.asked.push(asked.clone());
        // Of several, the longest path is the last in order.
        let found = state.paths.iter().rev().find(|(known, _)| is_below(known, &path));
        found.map(|(_, behaviour)| behaviour.clone())
    };
    let behaviour = behaviour.unwrap_or(Behaviour::Answer(404, b"no such path".to_vec()));
    let mut response = respond(behaviour, &asked).await;
    // A node of Amazon says how long its token is good: as long as was asked for.
    let seconds = head.headers.get(NODE_TOKEN_SECONDS).filter(|_| response.status().is_success());
    if let Some(seconds) = seconds {
        response.headers_mut().insert(NODE_TOKEN_SECONDS, seconds.clone());
    }
    Ok(response)
}

/// How long a token is to be good that is for asking a node of Amazon.
const NODE_TOKEN_SECONDS: &str = "x-aws-ec2-metadata-token-ttl-seconds";

/// The label of the series that tell how old the samples of others are.
const AGE: &str = "foresail_age";

fn asks_ages(asked: &Asked) -> bool {
    asked.parameters.get("query").is_some_and(|it| it.contains(AGE))
}

/// What Prometheus says about a value and its age to whoever asks for both.
fn taken(value: f64, taken: f64, asked: &Asked) -> String {
    if !asks_ages(asked) {
        return series(|_| value, asked);
    }
    let at: f64 = asked.parameters.get("time").unwrap().parse().unwrap();
    let one = json!({"metric": {}, "value": [at, value.to_string()]});
    let age = json!({"metric": {AGE: "oldest"}, "value": [at, taken.to_string()]});
    let data = json!({"resultType": "vector", "result": [age, one]});
    json!({"status": "success", "data": data}).to_string()
}

/// What Prometheus says about a series without labels that has this value at a time.
fn series(value: impl Fn(f64) -> f64, asked: &Asked) -> String {
    let number = |name: &str| asked.parameters.get(name).and_then(|it| it.parse::<f64>().ok());
    let (kind, key, points) = if asked.path.ends_with("/query") {
        let at = number("time").unwrap();
        ("vector", "value", json!([at, value(at).to_string()]))
    } else {
        let (mut at, end) = (number("start").unwrap(), number("end").unwrap());
        let mut points = Vec::new();
        while at <= end {
            points.push(json!([at, value(at).to_string()]));
            at += number("step").unwrap();
        }
        ("matrix", "values", points.into())
    };
    let result = json!([{"metric": {}, key: points}]);
    json!({"status": "success", "data": {"resultType": kind, "result": result}}).to_string()
}

/// What Prometheus says to a query of an engine's series, or of which engines there are.
fn engines(answers: &[Answered], asked: &Asked) -> String {
    let query = asked.parameters.get("query").unwrap();
    let at: f64 = asked.parameters.get("time").unwrap().parse().unwrap();
    let found = answers.iter().find(|(text, ..)| query.contains(text));
    let series = found.map_or(Vec::new(), |(_, labels, value)| {
        let one = |metric| json!({"metric": metric, "value": [at, value.to_string()]});
        match labels.as_slice() {
            [] => vec![one(json!({}))],
            labels => labels.iter().map(|(label, text)| one(json!({*label: text}))).collect(),
        }
    });
    let data = json!({"resultType": "vector", "result": series});
    json!({"status": "success", "data": data}).to_string()
}

async fn respond(behaviour: Behaviour, asked: &Asked) -> Response<Body> {
    let response = Response::builder();
    let stream = match behaviour {
        Behaviour::Answer(status, body) => {
            return response.status(status).body(body.into()).unwrap();
        }
        Behaviour::OpenMetrics(page) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            return response.header(header::CONTENT_TYPE, kind).body(page.into()).unwrap();
        }
        Behaviour::Redirect(to) => {
            let response = response.status(302).header(header::LOCATION, to);
            return response.body(Body::empty()).unwrap();
        }
        Behaviour::Prometheus(value) => {
            return response.body(series(|_| value, asked).into()).unwrap();
        }
        Behaviour::Taken(value, at) => {
            return response.body(taken(value, at, asked).into()).unwrap();
        }
        Behaviour::Ageless(_) if asks_ages(asked) => {
            return response.status(400).body("no such function".into()).unwrap();
        }
        Behaviour::Ageless(value) => {
            return response.body(series(|_| value, asked).into()).unwrap();
        }
        Behaviour::Swinging => {
            let value = |at: f64| 100.0 + 50.0 * (at / 3.0).sin();
            return response.body(series(value, asked).into()).unwrap();
        }
        Behaviour::Engines(answers) => {
            return response.body(engines(&answers, asked).into()).unwrap();
        }
        Behaviour::Hang => std::future::pending().await,
        Behaviour::CloseMidBody => {
            let pieces = [Ok(Bytes::from_static(b"good 1\n")), Err("closed")];
            let body = Body::from_stream(futures::stream::iter(pieces));
            return response.header(header::CONTENT_LENGTH, 1_000).body(body).unwrap();
        }
        Behaviour::Stream(beginning, piece, times) => {
            // Pieces of their own would cost more time than what is tested.
            let many = Bytes::from(piece.repeat(1_000));
            let rest = futures::stream::repeat(many).take(times.div_ceil(1_000));
            futures::stream::iter([Bytes::from(beginning)]).chain(rest).boxed()
        }
        Behaviour::Drip => futures::stream::repeat(Bytes::from_static(b"q"))
            .then(async |byte| {
                tokio::time::sleep(Duration::from_secs(1)).await;
                byte
            })
            .boxed(),
    };
    response.body(Body::from_stream(stream.map(Ok::<_, Infallible>))).unwrap()
}

fn parameters(text: &str) -> Vec<(String, String)> {
    let decoded = |text: &str| {
        let text = text.replace('+', " ");
        percent_encoding::percent_decode_str(&text).decode_utf8().unwrap().into_owned()
    };
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (decoded(name), decoded(value))).collect()
}
