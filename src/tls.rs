//! TLS for everything that is served: in come TCP connections, out go encrypted streams and the
//! certificates that the client showed.
//!
//! A client certificate is asked for, but not required, and its chain is not judged here: whom to
//! trust changes while connections live, so that belongs to `auth`. What the handshake does prove
//! is that the client holds the private key of the certificate it shows.

pub mod authority;
pub mod certificates;
mod pair;
mod possession;

use crate::domain::limits;
use certificates::Certificates;
use rustls::pki_types::CertificateDer;
use rustls::{ServerConfig, version};
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

/// An encrypted connection.
pub type TlsStream = tokio_rustls::server::TlsStream<TcpStream>;

/// The certificates that a client showed, its own first; empty when it showed none.
pub type PeerChain = Vec<CertificateDer<'static>>;

/// Why TLS cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("failed to read `{path}`")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// A file is far larger than certificates are.
    #[error("`{path}` has more than {bytes_max} bytes")]
    TooLarge {
        /// Which file.
        path: PathBuf,
        /// How many are read.
        bytes_max: u64,
    },
    /// A file holds no certificate or no key.
    #[error("`{path}` holds no {what} in PEM form")]
    Missing {
        /// Which file.
        path: PathBuf,
        /// `certificate` or `private key`.
        what: &'static str,
    },
    /// A file is broken, for instance half written.
    #[error("`{path}` is broken: {problem}")]
    Broken {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it; never a part of its content.
        problem: &'static str,
    },
    /// The private key is not the certificate's, or of a kind that is not supported.
    #[error("the private key does not fit the certificate")]
    Unfit(#[source] rustls::Error),
    /// No certificate can be made.
    #[error("failed to make a self-signed certificate")]
    SelfSigned(#[source] rcgen::Error),
    /// The own authority can make no certificate.
    #[error("failed to make a certificate of the own authority")]
    Authority(#[source] rcgen::Error),
    /// The TLS library refuses its settings.
    #[error("failed to set up TLS")]
    Setup(#[source] rustls::Error),
    /// The handshake fails; the client's doing.
    #[error("the TLS handshake failed")]
    Handshake(#[source] io::Error),
    /// The client is too slow.
    #[error("the TLS handshake took longer than {} s", limits::HANDSHAKE_TIMEOUT.as_secs())]
    Slow,
}

/// Makes `ring` the provider of cryptography for every client in this process. Once is enough;
/// a second call changes nothing.
pub fn install_cryptography() {
    // Err means that somebody was first, and everybody here would install the same one.
    drop(rustls::crypto::ring::default_provider().install_default());
}

/// Turns TCP connections into TLS connections. Cheap to clone.
#[derive(Clone)]
pub struct Acceptor(TlsAcceptor);

impl Acceptor {
    /// Serves with `certificates`, whatever they are at the time of each handshake.
    ///
    /// TLS 1.3, and TLS 1.2 with AEAD suites only (the library has no others); HTTP/2 is preferred.
    ///
    /// # Errors
    /// `TlsError::Setup` if the library refuses the settings.
    pub fn new(certificates: Arc<Certificates>) -> Result<Self, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let possession = possession::PossessionOnly::new(&provider);
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&version::TLS13, &version::TLS12])
            .map_err(TlsError::Setup)?
            .with_client_cert_verifier(Arc::new(possession))
            .with_cert_resolver(certificates);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self(TlsAcceptor::from(Arc::new(config))))
    }

    /// Shakes hands on `stream`, for at most `limits::HANDSHAKE_TIMEOUT`.
    ///
    /// # Errors
    /// `TlsError::Handshake` or `TlsError::Slow`; both concern this connection only.
    pub async fn accept(&self, stream: TcpStream) -> Result<(TlsStream, PeerChain), TlsError> {
        let accepted = timeout(limits::HANDSHAKE_TIMEOUT, self.0.accept(stream)).await;
        let stream = accepted.map_err(|_| TlsError::Slow)?.map_err(TlsError::Handshake)?;
        let (_, connection) = stream.get_ref();
        let chain = connection.peer_certificates().unwrap_or_default();
        let chain = chain.iter().map(|certificate| certificate.clone().into_owned()).collect();
        Ok((stream, chain))
    }
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acceptor").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use rustls::SupportedCipherSuite::Tls12;

    #[test]
    fn every_suite_of_tls_1_2_is_an_aead_suite() {
        let provider = rustls::crypto::ring::default_provider();
        let names: Vec<String> = provider
            .cipher_suites
            .iter()
            .filter(|suite| matches!(suite, Tls12(_)))
            .map(|suite| format!("{:?}", suite.suite()))
            .collect();
        assert!(!names.is_empty());
        for name in names {
            assert!(name.contains("_GCM_") || name.contains("_POLY1305_"), "{name}");
        }
    }
}
