//! A client that sends the bytes of a test as they are, over TLS, with a certificate or without one.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails loudly")]

use rcgen::{CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::ClientConfig;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, SignatureScheme};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub(crate) type Ca = CertifiedIssuer<'static, KeyPair>;

/// What a client shows.
#[derive(Debug)]
pub(crate) struct Shown {
    certificate: CertificateDer<'static>,
    key: Vec<u8>,
}

pub(crate) fn ca(name: &str) -> Ca {
    let mut params = params(name, &[]);
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn params(name: &str, groups: &[&str]) -> rcgen::CertificateParams {
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    for group in groups {
        params.distinguished_name.push(DnType::OrganizationName, *group);
    }
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

/// A client's certificate of `ca`, changed by `change`.
pub(crate) fn issue(
    ca: &Ca,
    (name, groups): (&str, &[&str]),
    change: impl FnOnce(&mut rcgen::CertificateParams),
) -> Shown {
    let mut params = params(name, groups);
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, ca).unwrap().der().clone();
    Shown { certificate, key: key.serialize_der() }
}

/// One connection, kept open.
#[derive(Debug)]
pub(crate) struct Wire(TlsStream<TcpStream>);

impl Wire {
    pub(crate) async fn open(address: SocketAddr, shown: Option<&Shown>) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody(provider)));
        let config = match shown {
            None => builder.with_no_client_auth(),
            Some(Shown { certificate, key }) => {
                let key = PrivatePkcs8KeyDer::from(key.clone()).into();
                builder.with_client_auth_cert(vec![certificate.clone()], key).unwrap()
            }
        };
        let tcp = TcpStream::connect(("127.0.0.1", address.port())).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        Self(TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap())
    }

    /// The certificate that the server shows.
    pub(crate) fn server(&self) -> CertificateDer<'static> {
        let (_, connection) = self.0.get_ref();
        connection.peer_certificates().unwrap().first().unwrap().clone().into_owned()
    }

    /// GET with these lines of headers; answers the status and the body.
    pub(crate) async fn get(&mut self, path: &str, headers: &[&str]) -> (u16, String) {
        let answer = self.attempt(path, headers).await;
        answer.unwrap_or_else(|| panic!("the connection ended without an answer"))
    }

    /// The same, where the server may end the connection instead of answering.
    pub(crate) async fn attempt(&mut self, path: &str, headers: &[&str]) -> Option<(u16, String)> {
        let mut request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n");
        for header in headers {
            request.push_str(header);
            request.push_str("\r\n");
        }
        request.push_str("\r\n");
        // Who has read enough to refuse may close before all is written, after an answer or without.
        drop(self.0.write_all(request.as_bytes()).await);
        let mut read = Vec::new();
        let head = loop {
            if let Some(end) = read.windows(4).position(|it| it == b"\r\n\r\n") {
                break read.drain(..end + 4).collect::<Vec<u8>>();
            }
            self.more(&mut read).await?;
        };
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.map_or(0, |it| it.parse().unwrap());
        while read.len() < length {
            self.more(&mut read).await?;
        }
        let code = head.split(' ').nth(1).unwrap_or_else(|| panic!("no status: {head}"));
        Some((code.parse().unwrap(), String::from_utf8(read).unwrap()))
    }

    async fn more(&mut self, read: &mut Vec<u8>) -> Option<usize> {
        self.0.read_buf(read).await.ok().filter(|n_read| *n_read > 0)
    }
}

/// Takes the self-signed certificate of a test's own adapter.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
