//! Clients with and without certificates talk over TLS sockets through the acceptor to the door.

#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use foresail::auth::peer::Peer;
use foresail::auth::{Door, Now, Refusal};
use foresail::domain::identity::{Attributes, Trust, User};
use foresail::domain::ports::{Access, Owner, ReviewFailed, Reviews, TokenReviewFailed, Tokens};
use foresail::tls::certificates::{Certificates, Look, Origin};
use foresail::tls::{Acceptor, TlsError};
use http::{Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use jiff::Timestamp;
use rcgen::{CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio_rustls::TlsConnector;

type Ca = CertifiedIssuer<'static, KeyPair>;

fn params(name: &str) -> rcgen::CertificateParams {
    let mut params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn ca(name: &str) -> Ca {
    let mut params = params(name);
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate and its key.
fn issue(ca: &Ca, name: &str, usage: ExtendedKeyUsagePurpose) -> (rcgen::Certificate, KeyPair) {
    let mut params = params(name);
    params.extended_key_usages = vec![usage];
    let key = KeyPair::generate().unwrap();
    (params.signed_by(&key, ca).unwrap(), key)
}

fn write(folder: &Path, (certificate, key): &(rcgen::Certificate, KeyPair)) {
    std::fs::write(folder.join("tls.crt"), certificate.pem()).unwrap();
    std::fs::write(folder.join("tls.key"), key.serialize_pem()).unwrap();
}

#[derive(Debug)]
struct Nobody;

impl Reviews for Nobody {
    fn access<'a>(
        &'a self,
        _: &'a User,
        _: &'a Attributes,
    ) -> Pin<Box<dyn Future<Output = Result<Access, ReviewFailed>> + Send + 'a>> {
        Box::pin(async { Ok(Access { allowed: false, reason: String::new() }) })
    }
}

/// Knows no token.
#[derive(Debug)]
struct NoTokens;

impl Tokens for NoTokens {
    fn owner<'a>(
        &'a self,
        _: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<Owner, TokenReviewFailed>> + Send + 'a>> {
        Box::pin(async { Ok(Err("unknown".to_owned())) })
    }
}

struct Server {
    address: SocketAddr,
    certificates: Arc<Certificates>,
    folder: tempfile::TempDir,
    server_ca: Ca,
    proxy_ca: Ca,
    /// How each handshake that failed did so.
    failures: mpsc::Receiver<TlsError>,
    trust: watch::Sender<Option<Arc<Trust>>>,
}

impl Server {
    async fn start() -> Self {
        let (server_ca, proxy_ca) = (ca("server"), ca("proxy"));
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &issue(&server_ca, "first", ExtendedKeyUsagePurpose::ServerAuth));
        let origin = Origin::Files {
            certificate: folder.path().join("tls.crt"),
            key: folder.path().join("tls.key"),
        };
        let certificates = Certificates::load(origin, Timestamp::now()).unwrap();
        let acceptor = Acceptor::new(Arc::clone(&certificates)).unwrap();
        let (trust, trusted) = watch::channel(Some(Arc::new(trust(&proxy_ca))));
        let door = Arc::new(Door::delegated(trusted, Arc::new(NoTokens), Arc::new(Nobody)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (report, failures) = mpsc::channel(16);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(acceptor.clone(), Arc::clone(&door), stream, report.clone()));
            }
        });
        Self { address, certificates, folder, server_ca, proxy_ca, failures, trust }
    }

    /// What a client with this certificate gets for `path` when it claims to be a master.
    async fn ask(&self, shown: Option<&(rcgen::Certificate, KeyPair)>, path: &str) -> Answer {
        // As main does; whoever comes second finds it done.
        drop(rustls::crypto::ring::default_provider().install_default());
        let mut builder = reqwest::Client::builder()
            .tls_certs_only([reqwest::Certificate::from_der(self.server_ca.der()).unwrap()])
            .resolve("localhost", self.address);
        if let Some((certificate, key)) = shown {
            let pem = format!("{}{}", certificate.pem(), key.serialize_pem());
            builder = builder.identity(reqwest::Identity::from_pem(pem.as_bytes()).unwrap());
        }
        let url = format!("https://localhost:{}{path}", self.address.port());
        let request = builder.build().unwrap().get(url);
        let request = request.header("X-Remote-User", "jane");
        let request = request.header("X-Remote-Group", "system:masters");
        let response = request.send().await.unwrap();
        (response.version(), response.status(), response.text().await.unwrap())
    }

    fn client_config(
        &self,
    ) -> rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert> {
        let mut roots = RootCertStore::empty();
        roots.add(self.server_ca.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
    }
}

type Answer = (Version, StatusCode, String);

fn trust(ca: &Ca) -> Trust {
    Trust {
        proxy_ca_pem: ca.pem(),
        user_ca_pem: None,
        allowed_names: vec!["front-proxy-client".into()],
        username_headers: vec!["X-Remote-User".into()],
        uid_headers: Vec::new(),
        group_headers: vec!["X-Remote-Group".into()],
        extra_header_prefixes: vec!["X-Remote-Extra-".into()],
    }
}

async fn serve(
    acceptor: Acceptor,
    door: Arc<Door>,
    stream: TcpStream,
    report: mpsc::Sender<TlsError>,
) {
    let (stream, chain) = match acceptor.accept(stream).await {
        Ok(accepted) => accepted,
        Err(error) => return report.send(error).await.unwrap(),
    };
    let peer = Arc::new(Peer::new(chain));
    let service = service_fn(move |request: Request<Incoming>| {
        let (door, peer) = (Arc::clone(&door), Arc::clone(&peer));
        async move { Ok::<_, Infallible>(answer(&door, &peer, &request).await) }
    });
    let io = TokioIo::new(stream);
    // Clients of these tests go away without a word.
    drop(auto::Builder::new(TokioExecutor::new()).serve_connection(io, service).await);
}

async fn answer(door: &Door, peer: &Peer, request: &Request<Incoming>) -> Response<String> {
    let path = request.uri().path().to_owned();
    let wish = Attributes::Path { verb: "get".into(), path };
    let now = Now { instant: Instant::now(), time: Timestamp::now() };
    let (status, text) = match door.admit(peer, request.headers(), &wish, now).await {
        Ok(user) => (StatusCode::OK, user.name),
        Err(refusal @ Refusal::Unauthenticated { .. }) => {
            (StatusCode::UNAUTHORIZED, refusal.to_string())
        }
        Err(refusal) => (StatusCode::FORBIDDEN, refusal.to_string()),
    };
    Response::builder().status(status).body(text).unwrap()
}

#[tokio::test]
async fn only_the_front_proxy_speaks_for_others() {
    let server = Server::start().await;
    let client = ExtendedKeyUsagePurpose::ClientAuth;
    let proxy = issue(&server.proxy_ca, "front-proxy-client", client.clone());
    let answer = server.ask(Some(&proxy), "/metrics").await;
    assert_eq!(answer, (Version::HTTP_2, StatusCode::OK, "jane".to_owned()));

    let forger = issue(&ca("proxy"), "front-proxy-client", client);
    for (shown, refused, complaint) in [
        (None, StatusCode::FORBIDDEN, "user \"system:anonymous\" cannot"),
        (Some(&forger), StatusCode::UNAUTHORIZED, "is not trusted"),
    ] {
        let (_, status, text) = server.ask(shown, "/metrics").await;
        assert_eq!(status, refused);
        assert!(text.contains(complaint), "{text}");
        assert_eq!(server.ask(shown, "/livez").await.1, StatusCode::OK);
    }

    server.trust.send_replace(Some(Arc::new(trust(&ca("another")))));
    assert_eq!(server.ask(Some(&proxy), "/metrics").await.1, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_stolen_certificate_without_its_key_does_not_get_through_the_handshake() {
    let mut server = Server::start().await;
    let client = ExtendedKeyUsagePurpose::ClientAuth;
    let (stolen, _) = issue(&server.proxy_ca, "front-proxy-client", client);
    let wrong = PrivatePkcs8KeyDer::from(KeyPair::generate().unwrap().serialize_der());
    let wrong = rustls::crypto::ring::sign::any_supported_type(&wrong.into()).unwrap();
    let shown = CertifiedKey::new(vec![stolen.der().clone()], wrong);
    let config =
        server.client_config().with_client_cert_resolver(Arc::new(SingleCertAndKey::from(shown)));
    let tcp = TcpStream::connect(server.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    // With TLS 1.3 the client is done before the server has judged, so it is the server that tells.
    let stream = TlsConnector::from(Arc::new(config)).connect(name, tcp).await;
    let failure = server.failures.recv().await.unwrap();
    assert!(matches!(failure, TlsError::Handshake(_)), "{failure}");
    drop(stream);
}

#[tokio::test]
async fn a_new_certificate_is_shown_to_the_next_client_and_garbage_hurts_nobody() {
    let mut server = Server::start().await;
    let shown = async |server: &Server| -> CertificateDer<'static> {
        let config = server.client_config().with_no_client_auth();
        let tcp = TcpStream::connect(server.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap();
        stream.get_ref().1.peer_certificates().unwrap().first().unwrap().clone().into_owned()
    };
    let first = shown(&server).await;

    let mut garbage = TcpStream::connect(server.address).await.unwrap();
    garbage.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    garbage.read_to_end(&mut answer).await.unwrap();
    let failure = server.failures.recv().await.unwrap();
    assert!(matches!(failure, TlsError::Handshake(_)), "{failure}");

    let second = issue(&server.server_ca, "second", ExtendedKeyUsagePurpose::ServerAuth);
    write(server.folder.path(), &second);
    assert!(matches!(server.certificates.reload_once(Timestamp::now()), Look::Replaced));
    let now_shown = shown(&server).await;
    assert_ne!(first, now_shown);
    assert_eq!(&now_shown, second.0.der());

    std::fs::write(server.folder.path().join("tls.crt"), "half").unwrap();
    let look = server.certificates.reload_once(Timestamp::now());
    let Look::Kept(_) = look else { panic!("{look:?}") };
    assert_eq!(shown(&server).await, now_shown);
}
