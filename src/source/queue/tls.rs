//! TLS for the clients that speak no HTTP.

use super::{Failed, Login};
use crate::policy::queue::Credential;
use crate::source::ReadError;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

/// A configuration that trusts the authorities among the credentials, or those of the machine, and
/// shows the certificate among them, where there is one.
pub(super) fn client(login: &Login) -> Result<ClientConfig, Failed> {
    let mut roots = RootCertStore::empty();
    match login.get(Credential::Ca) {
        Some(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
                let added = certificate.ok().and_then(|it| roots.add(it).ok());
                added.ok_or_else(|| Failed::Answer(unusable("`caFrom` is not PEM")))?;
            }
        }
        None => _ = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs),
    }
    if roots.is_empty() {
        let problem = "there are no authorities to trust: give `caFrom`";
        return Err(Failed::Answer(unusable(problem)));
    }
    let config = ClientConfig::builder().with_root_certificates(roots);
    match login.get(Credential::Certificate).zip(login.get(Credential::Key)) {
        None => Ok(config.with_no_client_auth()),
        Some((certificates, key)) => {
            let (chain, key) = own(certificates, key)?;
            // What is wrong with a key may quote it.
            let unfit = |_| Failed::Answer(unusable("`keyFrom` is not the key of `certFrom`"));
            config.with_client_auth_cert(chain, key).map_err(unfit)
        }
    }
}

/// A certificate with its issuers, and its key.
fn own(
    certificates: &str,
    key: &str,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), Failed> {
    let unfit = |problem: &str| Failed::Answer(unusable(problem));
    let chain: Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(certificates.as_bytes()).collect();
    let chain = chain.ok().filter(|it| !it.is_empty());
    let chain = chain.ok_or_else(|| unfit("`certFrom` holds no certificate in PEM"))?;
    if key.contains("ENCRYPTED") {
        return Err(unfit("`keyFrom` has a password, with which it cannot be read"));
    }
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes());
    Ok((chain, key.map_err(|_| unfit("`keyFrom` holds no key in PEM"))?))
}

fn unusable(problem: &str) -> ReadError {
    ReadError::NoCredentials(problem.to_owned())
}
