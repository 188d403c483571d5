//! The certificates of a Kafka and of those who ask it, and who is let in with them.

use super::{Kafka, signal};
use crate::bed::{adapter, shows_none_of};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::fs;
use std::path::Path;

/// The broker's own for loopback with who vouches for it, and those of clients: `client` and `other`
/// of an authority that the broker trusts, `stranger` of one that it has never heard of.
pub(super) fn write(folder: &Path) {
    let issued = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let certificate = issued.cert.pem();
    let both = format!("{}{certificate}", issued.signing_key.serialize_pem());
    fs::write(folder.join("identity.pem"), both).unwrap();
    fs::write(folder.join("ca.pem"), certificate).unwrap();
    let trusted = authority();
    fs::write(folder.join("clients.pem"), trusted.pem()).unwrap();
    client(folder, "client", &trusted);
    client(folder, "other", &trusted);
    client(folder, "stranger", &authority());
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn client(folder: &Path, name: &str, issuer: &CertifiedIssuer<'_, KeyPair>) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new([format!("{name}.example")]).unwrap();
    let certificate = params.signed_by(&key, issuer).unwrap();
    fs::write(folder.join(format!("{name}.pem")), certificate.pem()).unwrap();
    fs::write(folder.join(format!("{name}.key")), key.serialize_pem()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kafka_that_wants_certificates_is_shown_the_policys_own() {
    let kafka = Kafka::start();
    kafka.topic("jobs", &[7]);
    kafka.commit("workers", "jobs", &[(0, 2)]);
    let folder = kafka.server.folder();
    let locked =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n";
    fs::write(folder.join("locked.key"), locked).unwrap();
    let with = |more: &str| {
        let file = |name: &str| format!("{{file: '{}'}}", folder.join(name).display());
        let more = more.replace("CA", &file("ca.pem"));
        let more = more.split(' ').map(|word| match word.strip_prefix('@') {
            Some(name) => file(name),
            None => word.to_owned(),
        });
        let more: Vec<String> = more.collect();
        let more = format!("topic: jobs, tls: enable, {}", more.join(" "));
        signal(kafka.mutual_port, "workers", &more)
    };
    let signals = [
        ("shown", with("caFrom: CA, certFrom: @client.pem , keyFrom: @client.key")),
        ("none", with("caFrom: CA")),
        ("stranger", with("caFrom: CA, certFrom: @stranger.pem , keyFrom: @stranger.key")),
        ("mixed", with("caFrom: CA, certFrom: @client.pem , keyFrom: @other.key")),
        ("locked", with("caFrom: CA, certFrom: @client.pem , keyFrom: @locked.key")),
        ("distrusted", with("certFrom: @client.pem , keyFrom: @client.key")),
    ];
    let adapter = adapter(&signals).await;
    adapter.serves("shown", "5").await;
    for (metric, why) in [
        ("none", "received fatal alert"),
        ("stranger", "received fatal alert"),
        ("mixed", "`keyFrom` is not the key of `certFrom`"),
        ("locked", "`keyFrom` has a password"),
        ("distrusted", "invalid peer certificate"),
    ] {
        adapter.refuses(metric, &["source kafka://127.0.0.1:", why]).await;
    }
    // What is changed in the Secrets is taken up: another one, and for who was shown nothing good.
    for (from, to) in [("other", "client"), ("client", "stranger")] {
        for kind in ["pem", "key"] {
            let of = |name: &str| folder.join(format!("{name}.{kind}"));
            fs::copy(of(from), of(to)).unwrap();
        }
    }
    adapter.serves("stranger", "5").await;
    adapter.serves("mixed", "5").await;
    adapter.serves("shown", "5").await;
    let names = signals.each_ref().map(|it| it.0);
    let keys = ["client", "other"].map(|it| fs::read_to_string(folder.join(format!("{it}.key"))));
    let keys = keys.map(Result::unwrap);
    let lines: Vec<&str> =
        keys.iter().flat_map(|it| it.lines()).filter(|it| !it.starts_with('-')).collect();
    shows_none_of(&adapter, &names, &lines).await;
}
