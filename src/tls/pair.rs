//! A certificate with its private key: read from PEM files, or made on the spot.

use crate::domain::kept_certificate::KeptCertificate;
use crate::tls::TlsError;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem};
use rustls::sign::CertifiedKey;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use x509_parser::prelude::{FromDer, X509Certificate};

/// A certificate file or a key file. A chain of ten RSA certificates has 20 KiB.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// How long a certificate that we make ourselves is valid.
const SELF_SIGNED_DAYS: i64 = 365;
/// When that certificate is replaced: with a third of its life left.
const RENEW_DAYS: i64 = SELF_SIGNED_DAYS / 3;

const NO_CERTIFICATE: &str = "what it holds is not an X.509 certificate";

/// What the two files hold.
#[derive(PartialEq, Eq)]
pub(crate) struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

/// A certificate ready to be served.
pub(crate) struct Pair {
    pub(crate) key: Arc<CertifiedKey>,
    pub(crate) expires: Timestamp,
}

impl Contents {
    /// The serving certificate of what is kept, with its key.
    pub(crate) fn of(kept: &KeptCertificate) -> Self {
        Self { certificate: kept.certificate.clone().into(), key: kept.key.clone().into() }
    }
}

pub(crate) fn read(certificate: &Path, key: &Path) -> Result<Contents, TlsError> {
    Ok(Contents { certificate: read_file(certificate)?, key: read_file(key)? })
}

fn read_file(path: &Path) -> Result<Vec<u8>, TlsError> {
    let unreadable = |cause| TlsError::Unreadable { path: path.into(), cause };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > FILE_BYTES_MAX {
        return Err(TlsError::TooLarge { path: path.into(), bytes_max: FILE_BYTES_MAX });
    }
    Ok(bytes)
}

impl Pair {
    /// Takes apart what the two files hold; the paths are for the error only.
    pub(crate) fn parse(
        contents: &Contents,
        certificate: &Path,
        key: &Path,
    ) -> Result<Self, TlsError> {
        let broken = |path: &Path, problem| TlsError::Broken { path: path.into(), problem };
        let chain: Vec<CertificateDer<'static>> =
            CertificateDer::pem_slice_iter(&contents.certificate)
                .collect::<Result<_, _>>()
                .map_err(|error| broken(certificate, problem(&error)))?;
        let leaf = chain
            .first()
            .ok_or(TlsError::Missing { path: certificate.into(), what: "certificate" })?;
        let expires = expiry(leaf).ok_or_else(|| broken(certificate, NO_CERTIFICATE))?;
        let private =
            PrivateKeyDer::from_pem_slice(&contents.key).map_err(|error| match error {
                pem::Error::NoItemsFound => {
                    TlsError::Missing { path: key.into(), what: "private key" }
                }
                error => broken(key, problem(&error)),
            })?;
        Self::certified(chain, private, expires)
    }

    /// Makes a certificate for localhost, for trying things out and for APIServices that skip
    /// verification.
    pub(crate) fn self_signed(now: Timestamp) -> Result<Self, TlsError> {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut params = rcgen::CertificateParams::new(names).map_err(TlsError::SelfSigned)?;
        // A day early, for clients whose clocks are behind.
        let (year, month, day) = date(now, -1);
        params.not_before = rcgen::date_time_ymd(year, month, day);
        let (year, month, day) = date(now, SELF_SIGNED_DAYS);
        params.not_after = rcgen::date_time_ymd(year, month, day);
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
        let mut name = rcgen::DistinguishedName::new();
        name.push(rcgen::DnType::CommonName, "foresail, self-signed");
        params.distinguished_name = name;
        let key = rcgen::KeyPair::generate().map_err(TlsError::SelfSigned)?;
        let certificate = params.self_signed(&key).map_err(TlsError::SelfSigned)?;
        let leaf = certificate.der().clone();
        let expires = expiry(&leaf).unwrap_or(now);
        let private = PrivatePkcs8KeyDer::from(key.serialize_der());
        Self::certified(vec![leaf], private.into(), expires)
    }

    /// Whether a self-signed certificate is to be replaced.
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        now.duration_until(self.expires) < SignedDuration::from_hours(24 * RENEW_DAYS)
    }

    fn certified(
        chain: Vec<CertificateDer<'static>>,
        private: PrivateKeyDer<'static>,
        expires: Timestamp,
    ) -> Result<Self, TlsError> {
        let provider: CryptoProvider = rustls::crypto::ring::default_provider();
        let key = CertifiedKey::from_der(chain, private, &provider).map_err(TlsError::Unfit)?;
        Ok(Self { key: Arc::new(key), expires })
    }
}

/// Year, month and day (UTC) of `days` after `now`, as the certificate library takes them.
fn date(now: Timestamp, days: i64) -> (i32, u8, u8) {
    let then = now.saturating_add(SignedDuration::from_hours(24 * days)).unwrap_or(now);
    let date = then.to_zoned(TimeZone::UTC).date();
    (i32::from(date.year()), date.month().unsigned_abs(), date.day().unsigned_abs())
}

fn expiry(leaf: &CertificateDer<'_>) -> Option<Timestamp> {
    let (_, parsed) = X509Certificate::from_der(leaf).ok()?;
    Timestamp::from_second(parsed.validity().not_after.timestamp()).ok()
}

/// Says what is wrong without repeating any of the file, which may be a private key.
fn problem(error: &pem::Error) -> &'static str {
    match error {
        pem::Error::MissingSectionEnd { .. } => "a section has no end (is it half written?)",
        pem::Error::IllegalSectionStart { .. } => "a line that should begin a section is malformed",
        pem::Error::Base64Decode(_) => "a section is not base64",
        _ => "it is not PEM",
    }
}
