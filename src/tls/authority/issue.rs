//! Certificates of Foresail's own authority: made, and read back.

use super::{AUTHORITY_LIFE, EARLY, LEAF_LIFE, ServerNames};
use crate::domain::kept_certificate::KeptCertificate;
use crate::tls::TlsError;
use jiff::{SignedDuration, Timestamp};
use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, SanType,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::net::IpAddr;
use std::time::Duration;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// More are never trusted at once: each lives for years.
const AUTHORITIES_MAX: usize = 4;

/// When a certificate is valid.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
}

impl Span {
    pub(super) fn holds(self, now: Timestamp) -> bool {
        self.from <= now && now < self.until
    }

    /// Whether two thirds of its life are over.
    pub(super) fn is_due(self, now: Timestamp) -> bool {
        let life = self.from.duration_until(self.until);
        self.from.duration_until(now) >= life / 3 * 2
    }
}

/// A trusted authority.
pub(super) struct Authority {
    pub(super) span: Span,
    name: String,
    der: CertificateDer<'static>,
    /// The public key, as the certificate carries it.
    public: Vec<u8>,
}

impl Authority {
    /// Whether it holds, and the key that is kept is its own.
    pub(super) fn is_signing(&self, kept: &KeptCertificate, now: Timestamp) -> bool {
        let fits = KeyPair::from_pem(&kept.authority_key)
            .is_ok_and(|key| key.subject_public_key_info() == self.public);
        fits && self.span.holds(now)
    }
}

/// What is served.
pub(super) struct Leaf {
    pub(super) span: Span,
    /// In the order of `ServerNames`.
    pub(super) names: Vec<String>,
    der: CertificateDer<'static>,
}

impl Leaf {
    pub(super) fn is_signed_by(&self, authority: &Authority) -> bool {
        let parsed = X509Certificate::from_der(&self.der);
        let authority = X509Certificate::from_der(&authority.der);
        let (Ok((_, parsed)), Ok((_, authority))) = (parsed, authority) else { return false };
        parsed.issuer() == authority.subject() && is_key_of(&parsed, &authority)
    }
}

/// By the identifiers of the key: both certificates are of our own making, and kube-apiserver checks the
/// signature.
fn is_key_of(parsed: &X509Certificate<'_>, authority: &X509Certificate<'_>) -> bool {
    use x509_parser::extensions::ParsedExtension;
    let of_issuer = parsed.iter_extensions().find_map(|it| match it.parsed_extension() {
        ParsedExtension::AuthorityKeyIdentifier(found) => found.key_identifier.clone(),
        _ => None,
    });
    let own = authority.iter_extensions().find_map(|it| match it.parsed_extension() {
        ParsedExtension::SubjectKeyIdentifier(found) => Some(found.clone()),
        _ => None,
    });
    of_issuer.is_some() && of_issuer == own
}

fn span(parsed: &X509Certificate<'_>) -> Option<Span> {
    let at = |seconds| Timestamp::from_second(seconds).ok();
    let validity = parsed.validity();
    Some(Span {
        from: at(validity.not_before.timestamp())?,
        until: at(validity.not_after.timestamp())?,
    })
}

/// The authorities of a bundle, those that can be read.
pub(super) fn authorities(pem: &str) -> Vec<Authority> {
    let read = |der: CertificateDer<'static>| {
        let (_, parsed) = X509Certificate::from_der(&der).ok()?;
        let name = parsed.subject().iter_common_name().next()?.as_str().ok()?.to_owned();
        let (span, public) = (span(&parsed)?, parsed.public_key().raw.to_vec());
        Some(Authority { span, name, public, der: der.clone() })
    };
    CertificateDer::pem_slice_iter(pem.as_bytes())
        .filter_map(Result::ok)
        .filter_map(read)
        .take(AUTHORITIES_MAX)
        .collect()
}

/// The authorities that have not expired, as a bundle again.
pub(super) fn valid_authorities(pem: &str, now: Timestamp) -> String {
    let valid = authorities(pem).into_iter().filter(|it| it.span.holds(now));
    // One place is left for a successor.
    valid.take(AUTHORITIES_MAX - 1).map(|it| armoured(&it.der)).collect()
}

fn armoured(der: &[u8]) -> String {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    let text = STANDARD.encode(der);
    let mut pem = "-----BEGIN CERTIFICATE-----\n".to_owned();
    let mut rest = text.as_str();
    while let Some((line, more)) = rest.split_at_checked(64) {
        pem.push_str(line);
        pem.push('\n');
        rest = more;
    }
    if !rest.is_empty() {
        pem.push_str(rest);
        pem.push('\n');
    }
    pem + "-----END CERTIFICATE-----\n"
}

/// The certificate that is served, if it can be: it is readable and its key fits.
pub(super) fn leaf(kept: &KeptCertificate) -> Option<Leaf> {
    let der = CertificateDer::from_pem_slice(kept.certificate.as_bytes()).ok()?;
    let (_, parsed) = X509Certificate::from_der(&der).ok()?;
    let key = KeyPair::from_pem(&kept.key).ok()?;
    if key.subject_public_key_info() != parsed.public_key().raw {
        return None;
    }
    let alternative = parsed.subject_alternative_name().ok().flatten()?;
    let text = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let bytes = <[u8; 4]>::try_from(*bytes).ok()?;
            Some(IpAddr::from(bytes).to_string())
        }
        _ => None,
    };
    let names = alternative.value.general_names.iter().filter_map(text).collect();
    Some(Leaf { span: span(&parsed)?, names, der: der.clone() })
}

fn params(name: &str, life: SignedDuration, now: Timestamp) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    let at = |time: Timestamp| {
        let seconds = u64::try_from(time.as_second()).unwrap_or(0);
        rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds)
    };
    params.not_before = at(now.saturating_sub(EARLY).unwrap_or(now));
    params.not_after = at(now.saturating_add(life).unwrap_or(now));
    params.use_authority_key_identifier_extension = true;
    params
}

fn authority_params(name: &str, now: Timestamp) -> CertificateParams {
    let mut params = params(name, AUTHORITY_LIFE, now);
    // It signs servers, no other authorities.
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// A new authority and its key.
pub(super) fn authority(now: Timestamp) -> Result<(String, String), TlsError> {
    // Each has a name of its own, so that nobody takes one for another.
    let name = format!("foresail serving authority of {}", now.as_second());
    let key = KeyPair::generate().map_err(TlsError::Authority)?;
    let certificate =
        authority_params(&name, now).self_signed(&key).map_err(TlsError::Authority)?;
    Ok((certificate.pem(), key.serialize_pem()))
}

/// `kept` with a new serving certificate of its newest authority.
pub(super) fn sign(
    kept: &KeptCertificate,
    names: &ServerNames,
    now: Timestamp,
) -> Result<KeptCertificate, TlsError> {
    let authorities = authorities(&kept.authorities);
    let name = authorities.first().map(|it| it.name.as_str()).unwrap_or_default();
    let authority_key = KeyPair::from_pem(&kept.authority_key).map_err(TlsError::Authority)?;
    // The name and the key are all that a signature takes from its issuer.
    let issuer = Issuer::new(authority_params(name, now), authority_key);
    let common_name = names.0.first().map(String::as_str).unwrap_or_default();
    let mut params = params(common_name, LEAF_LIFE, now);
    params.subject_alt_names =
        names.0.iter().map(|name| alternative(name)).collect::<Result<_, _>>()?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate().map_err(TlsError::Authority)?;
    let certificate = params.signed_by(&key, &issuer).map_err(TlsError::Authority)?;
    Ok(KeptCertificate { certificate: certificate.pem(), key: key.serialize_pem(), ..kept.clone() })
}

fn alternative(name: &str) -> Result<SanType, TlsError> {
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(SanType::IpAddress(address));
    }
    Ia5String::try_from(name).map(SanType::DnsName).map_err(TlsError::Authority)
}
