//! The life of an authority, from nothing over its successor to the end, with a clock that is turned.

use super::*;
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use std::sync::Arc;
use std::time::Duration;

const NAME: &str = "foresail.foresail-system.svc";

fn names() -> ServerNames {
    ServerNames::of_service("foresail", "foresail-system")
}

fn start() -> Timestamp {
    "2030-01-01T00:00:00Z".parse().unwrap()
}

fn days(days: i64) -> Timestamp {
    start() + SignedDuration::from_hours(24 * days)
}

fn next(kept: &KeptCertificate, now: Timestamp) -> (Step, KeptCertificate) {
    let step = plan(kept, &names(), true, now);
    (step, take(step, kept, &names(), now).unwrap())
}

fn begun() -> KeptCertificate {
    let (step, kept) = next(&KeptCertificate::default(), start());
    assert_eq!(step, Step::Begin);
    kept
}

/// As kube-apiserver verifies what is served, by the authorities that the APIServices name.
fn is_trusted(authorities: &str, served: &str, name: &str, now: Timestamp) -> bool {
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_slice_iter(authorities.as_bytes());
    roots.add_parsable_certificates(certificates.map(Result::unwrap));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
    let leaf = CertificateDer::from_pem_slice(served.as_bytes()).unwrap();
    let at = UnixTime::since_unix_epoch(Duration::from_secs(now.as_second().unsigned_abs()));
    let name = ServerName::try_from(name).unwrap();
    verifier.build().unwrap().verify_server_cert(&leaf, &[], &name, &[], at).is_ok()
}

#[test]
fn what_is_made_of_nothing_holds_for_the_service_and_nobody_else() {
    let kept = begun();
    for name in [NAME, "foresail.foresail-system.svc.cluster.local", "localhost", "127.0.0.1"] {
        assert!(is_trusted(&kept.authorities, &kept.certificate, name, start()), "{name}");
    }
    for name in ["foresail.other.svc", "kubernetes.default.svc"] {
        assert!(!is_trusted(&kept.authorities, &kept.certificate, name, start()), "{name}");
    }
    assert!(!is_trusted(&begun().authorities, &kept.certificate, NAME, start()));
    assert_eq!(plan(&kept, &names(), true, start()), Step::Rest);
    let shown = format!("{kept:?}");
    assert!(!shown.contains("PRIVATE KEY") && shown.contains("BEGIN CERTIFICATE"), "{shown}");
}

#[test]
fn each_step_is_due_at_its_time() {
    let kept = begun();
    let other = begun();
    let cut = |text: &str| text.chars().take(text.len() / 2).collect::<String>();
    let with = |change: fn(&mut KeptCertificate, &KeptCertificate)| {
        let mut changed = kept.clone();
        change(&mut changed, &other);
        changed
    };
    for (case, kept, now, expected) in [
        ("nothing", KeptCertificate::default(), start(), Step::Begin),
        ("young", kept.clone(), days(59), Step::Rest),
        ("two thirds of its life", kept.clone(), days(60), Step::Sign),
        ("expired", kept.clone(), days(91), Step::Sign),
        ("the authority's two thirds", kept.clone(), days(2_434), Step::Succeed),
        ("the authority expired", kept.clone(), days(3_651), Step::Begin),
        ("from the future", kept.clone(), days(-1), Step::Begin),
        ("no key of the authority", with(|it, _| it.authority_key.clear()), start(), Step::Begin),
        (
            "another authority's key",
            with(|it, other| it.authority_key.clone_from(&other.authority_key)),
            start(),
            Step::Begin,
        ),
        ("no authority", with(|it, _| it.authorities.clear()), start(), Step::Begin),
        ("no certificate", with(|it, _| it.certificate.clear()), start(), Step::Sign),
        ("another's key", with(|it, other| it.key.clone_from(&other.key)), start(), Step::Sign),
        (
            "another authority's certificate",
            with(|it, other| {
                it.certificate.clone_from(&other.certificate);
                it.key.clone_from(&other.key);
            }),
            start(),
            Step::Sign,
        ),
        (
            "half written",
            KeptCertificate { certificate: cut(&kept.certificate), ..kept.clone() },
            start(),
            Step::Sign,
        ),
    ] {
        assert_eq!(plan(&kept, &names(), true, now), expected, "{case}");
        let after = take(expected, &kept, &names(), now).unwrap();
        if expected != Step::Succeed {
            assert_eq!(plan(&after, &names(), true, now), Step::Rest, "{case}: one step is enough");
        }
    }
    let elsewhere = ServerNames::of_service("foresail", "other");
    assert_eq!(plan(&kept, &elsewhere, true, start()), Step::Sign, "the namespace changed");
}

#[test]
fn a_new_authority_is_trusted_before_it_signs_and_the_old_one_until_it_expires() {
    let old = begun();
    let now = days(2_434);
    let (_, renewed) = next(&old, now - SignedDuration::from_hours(24));
    let (step, both) = next(&renewed, now);
    assert_eq!((step, issue::authorities(&both.authorities).len()), (Step::Succeed, 2));
    assert_eq!(both.certificate, renewed.certificate, "what is served stays");
    assert!(is_trusted(&both.authorities, &both.certificate, NAME, now));
    assert_eq!(
        plan(&both, &names(), true, now),
        Step::Rest,
        "every API server has to see it first"
    );

    let later = now + SETTLE + SignedDuration::from_secs(1);
    assert_eq!(plan(&both, &names(), false, later), Step::Rest, "the APIServices do not name it");
    let (step, signed) = next(&both, later);
    assert_eq!(step, Step::Sign);
    assert!(is_trusted(&both.authorities, &signed.certificate, NAME, later));
    assert!(!is_trusted(&old.authorities, &signed.certificate, NAME, later));
    // A replica that has not read it yet serves what is still trusted.
    assert!(is_trusted(&signed.authorities, &renewed.certificate, NAME, later));

    let expired = days(3_651);
    let (_, current) = next(&signed, expired);
    let (step, pruned) = next(&current, expired);
    assert_eq!((step, issue::authorities(&pruned.authorities).len()), (Step::Prune, 1));
    assert!(is_trusted(&pruned.authorities, &pruned.certificate, NAME, expired));
    assert_eq!(plan(&pruned, &names(), true, expired), Step::Rest);
}
