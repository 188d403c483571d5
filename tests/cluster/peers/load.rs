//! Asks a server as the HPA controller does through kube-apiserver: HTTP/2 over TLS, the front proxy's
//! certificate, the controller's identity, protobuf first.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http2::{self, SendRequest};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Request, Uri};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use crate::bed::certificates::{Certificates, Identity};

use super::pace::{AT_ONCE, DEADLINE, PERIOD};
use super::server::Ask;

/// Several replicas of kube-apiserver, each with one connection.
const CONNECTIONS: usize = 4;

/// What kube-apiserver's aggregator sends for the HPA controller.
const HEADERS: [(&str, &str); 7] = [
    ("accept", "application/vnd.kubernetes.protobuf, */*"),
    ("accept-encoding", "gzip"),
    ("user-agent", "kube-controller-manager/v1.36.3 (linux/amd64) horizontal-pod-autoscaler"),
    ("x-remote-user", "system:serviceaccount:kube-system:horizontal-pod-autoscaler"),
    ("x-remote-group", "system:serviceaccounts"),
    ("x-remote-group", "system:serviceaccounts:kube-system"),
    ("x-remote-group", "system:authenticated"),
];

/// What came of some requests.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// How long each good answer took, shortest first.
    pub(crate) answered: Vec<Duration>,
    /// What else came, and how often.
    pub(crate) refused: BTreeMap<String, usize>,
    /// From the first request to the last answer.
    pub(crate) elapsed: Duration,
}

impl Outcome {
    /// Answered requests a second.
    pub(crate) fn rate(&self) -> f64 {
        self.answered.len() as f64 / self.elapsed.as_secs_f64()
    }

    /// The share of the requests that were answered.
    pub(crate) fn share(&self) -> f64 {
        let n_refused: usize = self.refused.values().sum();
        self.answered.len() as f64 / (self.answered.len() + n_refused) as f64
    }

    /// The time within which so many of a hundred answers came, in milliseconds.
    pub(crate) fn percentile(&self, percent: usize) -> Option<f64> {
        let rank = (self.answered.len() * percent).div_ceil(100);
        self.answered.get(rank.saturating_sub(1)).map(|took| took.as_secs_f64() * 1e3)
    }

    fn add(&mut self, answer: Result<Duration, String>) {
        match answer {
            Ok(took) => self.answered.push(took),
            Err(why) => *self.refused.entry(why).or_default() += 1,
        }
    }

    fn done(mut self, begin: Instant) -> Self {
        self.elapsed = begin.elapsed();
        self.answered.sort_unstable();
        self
    }
}

/// A client with its connections, on a thread of its own.
pub(crate) struct Load {
    runtime: Runtime,
    connections: Arc<Vec<SendRequest<Empty<Bytes>>>>,
    questions: Arc<Vec<Question>>,
}

/// A request, made once.
struct Question {
    uri: Uri,
    headers: HeaderMap,
    ask: Ask,
}

impl Question {
    fn new(ask: &Ask, port: u16) -> Self {
        let uri = format!("https://localhost:{port}{}", ask.path).parse().unwrap();
        let mut headers = HeaderMap::new();
        for (name, value) in HEADERS {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        Self { uri, headers, ask: ask.clone() }
    }
}

impl Load {
    /// Connects; the error is why that did not work.
    pub(crate) fn new(
        certificates: &Certificates,
        port: u16,
        asks: &[Ask],
    ) -> Result<Self, String> {
        let runtime = single_threaded();
        let connector = TlsConnector::from(Arc::new(tls(certificates)));
        let connections = runtime.block_on(async {
            let mut connections = Vec::new();
            for _ in 0..CONNECTIONS {
                connections.push(connect(&connector, port).await?);
            }
            Ok::<_, String>(connections)
        })?;
        let questions = Arc::new(asks.iter().map(|ask| Question::new(ask, port)).collect());
        Ok(Self { runtime, connections: Arc::new(connections), questions })
    }

    /// Asks once; the error is what came instead of an answer.
    pub(crate) fn once(&self, idx: usize) -> Result<Duration, String> {
        self.runtime.block_on(answer(&self.questions[idx], self.connections[0].clone()))
    }

    /// The questions in turn, one every [`PERIOD`], whether those before are answered or not.
    pub(crate) fn steady(&self, time: Duration) -> Outcome {
        self.runtime.block_on(async {
            let begin = Instant::now();
            let mut tick = tokio::time::interval(PERIOD);
            let mut asked = JoinSet::new();
            for idx in 0.. {
                tick.tick().await;
                if begin.elapsed() >= time {
                    break;
                }
                let questions = Arc::clone(&self.questions);
                let connection = self.connections[idx % CONNECTIONS].clone();
                asked.spawn(
                    async move { answer(&questions[idx % questions.len()], connection).await },
                );
            }
            let mut outcome = Outcome::default();
            while let Some(answer) = asked.join_next().await {
                outcome.add(answer.unwrap());
            }
            outcome.done(begin)
        })
    }

    /// The questions in turn, always [`AT_ONCE`] in flight; what is still in flight at the end is not
    /// counted.
    pub(crate) fn saturated(&self, time: Duration) -> Outcome {
        let next = Arc::new(AtomicUsize::new(0));
        self.runtime.block_on(async {
            let begin = Instant::now();
            let mut workers = JoinSet::new();
            for worker in 0..AT_ONCE {
                let connection = self.connections[worker % CONNECTIONS].clone();
                let (questions, next) = (Arc::clone(&self.questions), Arc::clone(&next));
                workers.spawn(ask_until(begin + time, questions, next, connection));
            }
            let mut all = Outcome::default();
            while let Some(outcome) = workers.join_next().await {
                let Outcome { answered, refused, elapsed: _ } = outcome.unwrap();
                all.answered.extend(answered);
                refused.into_iter().for_each(|(why, n)| *all.refused.entry(why).or_default() += n);
            }
            all.done(begin)
        })
    }
}

/// Asks again and again until `end`.
async fn ask_until(
    end: Instant,
    questions: Arc<Vec<Question>>,
    next: Arc<AtomicUsize>,
    connection: SendRequest<Empty<Bytes>>,
) -> Outcome {
    let mut outcome = Outcome::default();
    loop {
        let idx = next.fetch_add(1, Ordering::Relaxed) % questions.len();
        let asked = answer(&questions[idx], connection.clone());
        match tokio::time::timeout_at(end.into(), asked).await {
            Ok(answer) => outcome.add(answer),
            Err(_) => return outcome,
        }
    }
}

fn tls(certificates: &Certificates) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    let authority = certificates.authority.certificate();
    roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap()).unwrap();
    let Identity { certificate, key } = &certificates.front_proxy;
    let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}

fn single_threaded() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

async fn connect(connector: &TlsConnector, port: u16) -> Result<SendRequest<Empty<Bytes>>, String> {
    let stream = TcpStream::connect(("localhost", port)).await.map_err(|it| it.to_string())?;
    stream.set_nodelay(true).map_err(|it| it.to_string())?;
    let name = ServerName::try_from("localhost").map_err(|it| it.to_string())?;
    let stream = connector.connect(name, stream).await.map_err(|it| it.to_string())?;
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .map_err(|it| it.to_string())?;
    // Its end is seen by whoever sends on it.
    tokio::spawn(async move { connection.await.ok() });
    Ok(sender)
}

async fn answer(
    question: &Question,
    mut connection: SendRequest<Empty<Bytes>>,
) -> Result<Duration, String> {
    let mut request = Request::new(Empty::new());
    *request.uri_mut() = question.uri.clone();
    *request.headers_mut() = question.headers.clone();
    let begin = Instant::now();
    let asked = async {
        let response = connection.send_request(request).await.map_err(|it| it.to_string())?;
        let status = response.status();
        let body = response.into_body().collect().await.map_err(|it| it.to_string())?.to_bytes();
        Ok::<_, String>((status, body))
    };
    let answered = tokio::time::timeout(DEADLINE, asked).await;
    let took = begin.elapsed();
    let (status, body) = answered.map_err(|_| format!("nothing within {DEADLINE:?}"))??;
    if status != 200 {
        return Err(status.to_string());
    }
    let n_items = count(&body, question.ask.metric.as_bytes());
    if n_items == question.ask.n_items { Ok(took) } else { Err(format!("{n_items} items")) }
}

/// How often `name` stands in a body: protobuf has no line or quote to go by, and needs none.
fn count(body: &[u8], name: &[u8]) -> usize {
    body.windows(name.len()).filter(|window| *window == name).count()
}
