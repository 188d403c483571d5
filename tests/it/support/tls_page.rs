//! A page behind TLS on 127.0.0.1, with a certificate for a name, and a client's certificate that it may
//! ask for.
#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A running page.
#[derive(Debug)]
pub(crate) struct TlsPage {
    pub(crate) port: u16,
    /// Whoever trusts this trusts the page.
    pub(crate) authority: String,
    /// The certificate of a client that it knows, and its key.
    pub(crate) client: (String, String),
    /// What was shown in `Authorization`, request by request.
    shown: Arc<Mutex<Vec<Option<String>>>>,
}

impl TlsPage {
    /// A page at `name`, which may be an address; with `asks` only for the client that it knows.
    pub(crate) async fn start(page: &'static str, name: &str, asks: bool) -> Self {
        drop(rustls::crypto::ring::default_provider().install_default());
        let made = |name: &str| {
            let key = KeyPair::generate().unwrap();
            let params = CertificateParams::new([name.to_owned()]).unwrap();
            (params.self_signed(&key).unwrap(), key)
        };
        let (certificate, key) = made(name);
        let (client, client_key) = made("foresail.example");
        let mut roots = RootCertStore::empty();
        roots.add(client.der().clone()).unwrap();
        let builder = ServerConfig::builder();
        let builder = if asks {
            let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        } else {
            builder.with_no_client_auth()
        };
        let own = PrivatePkcs8KeyDer::from(key.serialize_der());
        let config = builder.with_single_cert(vec![certificate.der().clone()], own.into()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shown = Arc::<Mutex<Vec<Option<String>>>>::default();
        tokio::spawn(serve(listener, TlsAcceptor::from(Arc::new(config)), page, shown.clone()));
        let client = (client.pem(), client_key.serialize_pem());
        Self { port, authority: certificate.pem(), client, shown }
    }

    /// What was shown in `Authorization` last.
    pub(crate) fn shown(&self) -> Option<String> {
        self.shown.lock().unwrap().last().cloned().flatten()
    }
}

async fn serve(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    page: &'static str,
    shown: Arc<Mutex<Vec<Option<String>>>>,
) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (acceptor, shown) = (acceptor.clone(), Arc::clone(&shown));
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let service = service_fn(move |request: Request<Incoming>| {
                let header = request.headers().get("authorization");
                let header = header.map(|it| it.to_str().unwrap().to_owned());
                shown.lock().unwrap().push(header);
                std::future::ready(Ok::<_, Infallible>(Response::new(page.to_owned())))
            });
            let builder = auto::Builder::new(TokioExecutor::new());
            drop(builder.serve_connection(TokioIo::new(stream), service).await);
        });
    }
}
