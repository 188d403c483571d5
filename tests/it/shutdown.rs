//! SIGTERM: readiness fails first, what is asked is still answered, then the ports close.
#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use crate::support::adapter::{Setup, TOKEN, config};
use crate::support::wait;
use rustls::ClientConfig;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Takes every certificate: the adapter made its own a moment ago.
#[derive(Debug)]
struct Anybody(rustls::crypto::CryptoProvider);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

async fn connect(address: SocketAddr) -> TlsStream<TcpStream> {
    let provider = rustls::crypto::ring::default_provider();
    let config = ClientConfig::builder_with_provider(Arc::new(provider.clone()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
}

async fn is_closed(address: SocketAddr) -> Result<(), String> {
    match TcpStream::connect(address).await {
        Ok(_) => Err("accepts connections".to_owned()),
        Err(_) => Ok(()),
    }
}

#[tokio::test]
async fn a_request_in_flight_finishes_after_readiness_has_failed_and_the_ports_are_closed() {
    let setup = Setup::new(&config(&[], &[])).argument("--shutdown-delay=1s");
    let mut adapter = setup.start().await;
    // A request whose head is not complete yet is in flight; a client that connected and says
    // nothing must not cost it its answer.
    let silent = TcpStream::connect(adapter.secure).await.unwrap();
    let mut in_flight = connect(adapter.secure).await;
    in_flight.write_all(b"GET /version HTTP/1.1\r\nHost: localhost\r\n").await.unwrap();
    in_flight.flush().await.unwrap();
    let _idle = connect(adapter.secure).await;

    adapter.signal("TERM");
    wait::until("readiness fails", async || {
        let answer = adapter.observe("/readyz").await?;
        wait::seen(answer.code == 500 && answer.body.contains("[-]serving"), answer.body)
    })
    .await;
    let answer = adapter.get("/apis/external.metrics.k8s.io/v1beta1").await.unwrap();
    assert_eq!(answer.code, 200, "still answered: {}", answer.body);
    assert_eq!(adapter.observe("/livez").await.unwrap().code, 200);

    let secure = adapter.secure;
    wait::until("the port closes", async || is_closed(secure).await).await;
    // Longer than the machine needs to end everything that nobody waits for.
    wait::until("the other port closes", async || is_closed(adapter.observability).await).await;
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    let rest = format!("Authorization: Bearer {TOKEN}\r\n\r\n");
    in_flight.write_all(rest.as_bytes()).await.unwrap();
    let mut answer = String::new();
    // A server that closes without a goodbye of TLS is at fault, but not for this test to tell.
    in_flight.read_to_string(&mut answer).await.ok();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer:?}\n{}", adapter.log());
    drop(silent);
    assert_eq!(adapter.exit_code().await, Some(0), "{}", adapter.log());
    let log = adapter.log();
    assert!(log.trim_end().ends_with("stopped"), "{log}");
}
