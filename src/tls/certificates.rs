//! The serving certificate: where it comes from, and how it is replaced while connections live.

use crate::domain::error_chain::ErrorChain;
use crate::domain::kept_certificate::KeptCertificate;
use crate::tls::TlsError;
use crate::tls::pair::{self, Contents, Pair};
use arc_swap::ArcSwap;
use jiff::Timestamp;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tracing::{info, warn};

/// Where the certificate comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Two PEM files, which may change at any time.
    Files {
        /// The certificate, followed by its issuers.
        certificate: PathBuf,
        /// Its private key.
        key: PathBuf,
    },
    /// Made here, for localhost and 127.0.0.1.
    SelfSigned,
    /// Handed in as it is kept in the cluster; self-signed until it arrives.
    Kept,
}

/// What a look at the origin came to.
#[derive(Debug)]
pub enum Look {
    /// The certificate is the one that is served already.
    Unchanged,
    /// There is a new one, and it is served from now on.
    Replaced,
    /// There is a new one, but it is unfit: the last good one stays.
    Kept(TlsError),
}

/// The certificate that is served, replaced as a whole when its files change.
pub struct Certificates {
    origin: Origin,
    current: ArcSwap<Pair>,
    seen: Mutex<Seen>,
    reloads: AtomicU64,
    failures: AtomicU64,
}

/// What the last look has seen.
struct Seen {
    good: Option<Contents>,
    /// The last complaint, so that it is logged once.
    fault: Option<String>,
}

impl Certificates {
    /// Reads or makes the first certificate.
    ///
    /// # Errors
    /// `TlsError` if there is none to begin with.
    pub fn load(origin: Origin, now: Timestamp) -> Result<Arc<Self>, TlsError> {
        let (pair, good) = match &origin {
            Origin::SelfSigned | Origin::Kept => (Pair::self_signed(now)?, None),
            Origin::Files { certificate, key } => {
                let contents = pair::read(certificate, key)?;
                (Pair::parse(&contents, certificate, key)?, Some(contents))
            }
        };
        Ok(Arc::new(Self {
            origin,
            current: ArcSwap::from_pointee(pair),
            seen: Mutex::new(Seen { good, fault: None }),
            reloads: AtomicU64::new(0),
            failures: AtomicU64::new(0),
        }))
    }

    /// Looks at the origin once; blocks while it reads. Logs a change of state, not the state.
    pub fn reload_once(&self, now: Timestamp) -> Look {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let looked = match &self.origin {
            Origin::Kept if seen.good.is_some() => return Look::Unchanged,
            Origin::SelfSigned | Origin::Kept => self.renew(now),
            Origin::Files { certificate, key } => match pair::read(certificate, key) {
                Ok(contents) if seen.good.as_ref() == Some(&contents) => Ok(None),
                Ok(contents) => Pair::parse(&contents, certificate, key)
                    .map(|pair| Some((pair, Some(contents)))),
                Err(error) => Err(error),
            },
        };
        self.settle(&mut seen, looked)
    }

    /// Serves what is kept in the cluster, if it can be served and is not served already.
    pub fn take(&self, kept: &KeptCertificate) -> Look {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let contents = Contents::of(kept);
        let looked = if seen.good.as_ref() == Some(&contents) {
            Ok(None)
        } else {
            Pair::parse(&contents, Path::new("tls.crt"), Path::new("tls.key"))
                .map(|pair| Some((pair, Some(contents))))
        };
        self.settle(&mut seen, looked)
    }

    /// Takes what was found, or keeps what there is.
    fn settle(
        &self,
        seen: &mut Seen,
        looked: Result<Option<(Pair, Option<Contents>)>, TlsError>,
    ) -> Look {
        match looked {
            Ok(None) => {
                if seen.fault.take().is_some() {
                    info!("the certificate files hold the served certificate again");
                }
                Look::Unchanged
            }
            Ok(Some((pair, contents))) => {
                info!(expires = %pair.expires, "serving a new certificate");
                *seen = Seen { good: contents, fault: None };
                self.current.store(Arc::new(pair));
                self.reloads.fetch_add(1, Ordering::Relaxed);
                Look::Replaced
            }
            Err(error) => {
                self.failures.fetch_add(1, Ordering::Relaxed);
                let fault = ErrorChain(&error).to_string();
                if seen.fault.as_ref() != Some(&fault) {
                    warn!(error = %fault, "cannot use the certificate files; the last good certificate stays");
                    seen.fault = Some(fault);
                }
                Look::Kept(error)
            }
        }
    }

    fn renew(&self, now: Timestamp) -> Result<Option<(Pair, Option<Contents>)>, TlsError> {
        if self.current.load().is_due(now) {
            Ok(Some((Pair::self_signed(now)?, None)))
        } else {
            Ok(None)
        }
    }

    /// When the served certificate expires.
    #[must_use]
    pub fn expires(&self) -> Timestamp {
        self.current.load().expires
    }

    /// How often a new certificate was taken since the start.
    #[must_use]
    pub fn reloads(&self) -> u64 {
        self.reloads.load(Ordering::Relaxed)
    }

    /// How many looks found something unfit.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.load().key))
    }
}

impl fmt::Debug for Certificates {
    /// Without what the files hold: one of them is a private key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates")
            .field("origin", &self.origin)
            .field("expires", &self.expires())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use tempfile::TempDir;

    struct Folder(TempDir);

    impl Folder {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn origin(&self) -> Origin {
            Origin::Files {
                certificate: self.0.path().join("tls.crt"),
                key: self.0.path().join("tls.key"),
            }
        }

        fn write(&self, certificate: &str, key: &str) {
            fs::write(self.0.path().join("tls.crt"), certificate).unwrap();
            fs::write(self.0.path().join("tls.key"), key).unwrap();
        }
    }

    /// A certificate that expires on the first day of `year`, and its key.
    fn issue(year: i32) -> (String, String) {
        let mut params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        let key = rcgen::KeyPair::generate().unwrap();
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    fn day(text: &str) -> Timestamp {
        format!("{text}T00:00:00Z").parse().unwrap()
    }

    #[test]
    fn a_changed_pair_is_served_and_an_unchanged_one_is_left_alone() {
        let folder = Folder::new();
        let (certificate, key) = issue(2040);
        folder.write(&certificate, &key);
        let now = day("2030-01-01");
        let certificates = Certificates::load(folder.origin(), now).unwrap();
        assert_eq!(certificates.expires(), day("2040-01-01"));
        assert!(matches!(certificates.reload_once(now), Look::Unchanged));
        let (certificate, key) = issue(2050);
        folder.write(&certificate, &key);
        assert!(matches!(certificates.reload_once(now), Look::Replaced));
        assert!(matches!(certificates.reload_once(now), Look::Unchanged));
        assert_eq!(certificates.expires(), day("2050-01-01"));
        assert_eq!((certificates.reloads(), certificates.failures()), (1, 0));
    }

    #[test]
    fn the_last_good_pair_survives_every_unfit_one() {
        let folder = Folder::new();
        let (good, good_key) = issue(2040);
        let (other, other_key) = issue(2050);
        folder.write(&good, &good_key);
        let now = day("2030-01-01");
        let certificates = Certificates::load(folder.origin(), now).unwrap();
        let half = |text: &str| text.chars().take(text.len() / 2).collect::<String>();
        for (certificate, key, complaint) in [
            (half(&other), other_key.clone(), "a section has no end"),
            (other.clone(), half(&other_key), "a section has no end"),
            (format!("{other}{}", half(&other)), other_key.clone(), "a section has no end"),
            (other.clone(), good_key.clone(), "does not fit"),
            (String::new(), other_key.clone(), "holds no certificate"),
            (other.clone(), String::new(), "holds no private key"),
            (good_key.clone(), other_key.clone(), "holds no certificate"),
            (
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".into(),
                other_key.clone(),
                "not an X.509 certificate",
            ),
            ("x".repeat(2 * 1024 * 1024), other_key.clone(), "has more than"),
        ] {
            folder.write(&certificate, &key);
            let Look::Kept(error) = certificates.reload_once(now) else {
                panic!("taken: {complaint}");
            };
            assert!(error.to_string().contains(complaint), "{error} is not {complaint}");
            assert_eq!(certificates.expires(), day("2040-01-01"), "{complaint}");
        }
        folder.write(&other, &other_key);
        fs::remove_file(folder.0.path().join("tls.key")).unwrap();
        let look = certificates.reload_once(now);
        assert!(matches!(look, Look::Kept(TlsError::Unreadable { .. })), "{look:?}");
        assert_eq!(certificates.failures(), 10);
        folder.write(&other, &other_key);
        assert!(matches!(certificates.reload_once(now), Look::Replaced));
        assert_eq!(certificates.expires(), day("2050-01-01"));
    }

    #[test]
    fn a_start_without_a_usable_pair_is_refused_by_name() {
        let folder = Folder::new();
        let error = Certificates::load(folder.origin(), day("2030-01-01")).unwrap_err();
        assert!(error.to_string().ends_with("tls.crt`"), "{error}");
    }

    #[test]
    fn a_self_signed_certificate_is_renewed_before_it_expires() {
        let certificates = Certificates::load(Origin::SelfSigned, day("2030-01-01")).unwrap();
        assert_eq!(certificates.expires(), day("2031-01-01"));
        assert!(matches!(certificates.reload_once(day("2030-08-01")), Look::Unchanged));
        assert!(matches!(certificates.reload_once(day("2030-10-01")), Look::Replaced));
        assert_eq!(certificates.expires(), day("2031-10-01"));
    }
}
