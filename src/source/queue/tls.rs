//! TLS for the clients that speak no HTTP.

use super::{Failed, Login};
use crate::policy::queue::Credential;
use crate::source::ReadError;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// A configuration that trusts the authorities among the credentials, or those of the machine.
pub(super) fn client(login: &Login) -> Result<ClientConfig, Failed> {
    let mut roots = RootCertStore::empty();
    match login.get(Credential::Ca) {
        Some(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
                let added = certificate.ok().and_then(|it| roots.add(it).ok());
                added.ok_or_else(|| Failed::Answer(no_authorities("`caFrom` is not PEM")))?;
            }
        }
        None => _ = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs),
    }
    if roots.is_empty() {
        let problem = "there are no authorities to trust: give `caFrom`";
        return Err(Failed::Answer(no_authorities(problem)));
    }
    Ok(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
}

fn no_authorities(problem: &str) -> ReadError {
    ReadError::NoCredentials(problem.to_owned())
}
