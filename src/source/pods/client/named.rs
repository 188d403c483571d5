//! TLS towards pods whose certificates have a name: pods are called by their addresses, and the name is
//! what is checked.

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::sync::Arc;

/// What is told of a certificate and a key that do not fit together.
pub(super) const NO_PAIR: &str = "`certFile` and `keyFile` are no pair in PEM";

/// Checks certificates for one name, wherever they are shown.
#[derive(Debug)]
struct Named {
    inner: Arc<WebPkiServerVerifier>,
    name: ServerName<'static>,
}

/// A configuration that trusts `authorities`, or those of the machine, and shows its own certificate.
pub(super) fn config(
    name: &str,
    authorities: Option<&[u8]>,
    own: Option<(&[u8], &[u8])>,
) -> Result<ClientConfig, String> {
    let name = ServerName::try_from(name.to_owned());
    let name = name.map_err(|_| "`serverName` is no name".to_owned())?;
    let mut roots = RootCertStore::empty();
    match authorities {
        Some(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let added = certificate.ok().and_then(|it| roots.add(it).ok());
                added.ok_or_else(|| "`caFile` holds no certificates in PEM".to_owned())?;
            }
        }
        None => _ = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs),
    }
    let inner = WebPkiServerVerifier::builder(Arc::new(roots)).build();
    let inner = inner.map_err(|_| "there are no authorities to trust: give `caFile`".to_owned())?;
    let builder = ClientConfig::builder()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Named { inner, name }));
    let Some((certificate, key)) = own else { return Ok(builder.with_no_client_auth()) };
    // What is wrong with a key may quote it.
    let unfit = || NO_PAIR.to_owned();
    let chain = CertificateDer::pem_slice_iter(certificate).collect::<Result<Vec<_>, _>>();
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| unfit())?;
    builder.with_client_auth_cert(chain.map_err(|_| unfit())?, key).map_err(|_| unfit())
}

impl ServerCertVerifier for Named {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.inner.verify_server_cert(end_entity, intermediates, &self.name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
