//! Another server of external metrics on loopback, with real TLS: it answers what a test wants, and
//! remembers what it was asked.
#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use http::Response;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

/// How it answers the metric of a name.
pub(super) type Answers = fn(metric: &str) -> Response<Body>;

/// A running server; it ends with the test.
#[derive(Debug)]
pub(super) struct Neighbour {
    pub(super) port: u16,
    /// Whoever trusts this trusts the server.
    pub(super) authority: String,
    /// The certificate of a client that it knows, and its key.
    pub(super) client: (String, String),
    asked: Arc<Mutex<Vec<Vec<String>>>>,
    server: JoinHandle<()>,
}

impl Neighbour {
    /// A server that lets a client without a certificate come, too.
    pub(super) async fn start(answers: Answers) -> Self {
        drop(rustls::crypto::ring::default_provider().install_default());
        let made = |name: &str| {
            let key = KeyPair::generate().unwrap();
            let params = CertificateParams::new([name.to_owned()]).unwrap();
            (params.self_signed(&key).unwrap(), key)
        };
        let ((certificate, key), (client, client_key)) = (made("localhost"), made("front-proxy"));
        let mut roots = RootCertStore::empty();
        roots.add(client.der().clone()).unwrap();
        let verifier = WebPkiClientVerifier::builder(Arc::new(roots));
        let verifier = verifier.allow_unauthenticated().build().unwrap();
        let own = PrivatePkcs8KeyDer::from(key.serialize_der());
        let config = ServerConfig::builder().with_client_cert_verifier(verifier);
        let config = config.with_single_cert(vec![certificate.der().clone()], own.into()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::<Mutex<Vec<Vec<String>>>>::default();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let server = tokio::spawn(serve(listener, acceptor, answers, Arc::clone(&asked)));
        let client = (client.pem(), client_key.serialize_pem());
        Self { port, authority: certificate.pem(), client, asked, server }
    }

    /// The last request: its line, then its headers, sorted.
    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().last().cloned().unwrap_or_default()
    }

    /// How many requests there were.
    pub(super) fn n_asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    answers: Answers,
    asked: Arc<Mutex<Vec<Vec<String>>>>,
) {
    // They end with the server.
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (acceptor, asked) = (acceptor.clone(), Arc::clone(&asked));
        connections.spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let has_certificate = stream.get_ref().1.peer_certificates().is_some();
            let router = Router::new().fallback(async move |request: Request| {
                let metric = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
                asked.lock().unwrap().push(noted(&request, has_certificate));
                if metric == "slow" {
                    std::future::pending::<()>().await;
                }
                answers(&metric)
            });
            let builder = auto::Builder::new(TokioExecutor::new());
            let service = TowerToHyperService::new(router);
            // Clients go away without a word.
            drop(builder.serve_connection(TokioIo::new(stream), service).await);
        });
    }
}

fn noted(request: &Request, has_certificate: bool) -> Vec<String> {
    let path = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
    let mut headers: Vec<String> = request
        .headers()
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "host" | "user-agent"))
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    headers.sort();
    let by = if has_certificate { "with a certificate" } else { "without a certificate" };
    let mut lines = vec![format!("{} {path}", request.method()), by.to_owned()];
    lines.extend(headers);
    lines
}
