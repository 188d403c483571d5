//! The real binary keeps its own serving certificate in an API server of the test's own: it is made,
//! shared, renewed and made known, and what belongs to others is left alone.
#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use crate::support::adapter::{Adapter, Setup, config};
use crate::support::kube::Kube;
use crate::support::wait;
use crate::support::wire::{Wire, ca};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use foresail::cluster;
use foresail::cluster::serving::{ServingStore, Written};
use foresail::domain::kept_certificate::KeptCertificate;
use foresail::tls::authority::{ServerNames, Step, take};
use jiff::{SignedDuration, Timestamp};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};

const SECRET: &str = "/api/v1/namespaces/foresail/secrets/foresail-serving";
const SERVICES: &str = "/apis/apiregistration.k8s.io/v1/apiservices";
const OURS: &str = "v1beta2.custom.metrics.k8s.io";
const THEIRS: &str = "v1beta1.external.metrics.k8s.io";

fn api_service(name: &str, service: &str) -> Value {
    json!({"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
        "metadata": {"name": name},
        "spec": {"groupPriorityMinimum": 100, "versionPriority": 100, "insecureSkipTLSVerify": true,
            "service": {"name": service, "namespace": "foresail", "port": 443}}})
}

fn secret(data: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "data": data,
        "metadata": {"name": "foresail-serving", "namespace": "foresail"}})
}

async fn kube() -> Kube {
    let kube = Kube::start(|_| json!({"authenticated": false}), |_| false).await;
    let authority = ca("any").pem();
    let trust = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication";
    kube.put(
        trust,
        json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "extension-apiserver-authentication"},
            "data": {"requestheader-client-ca-file": authority}}),
    );
    kube.put(&format!("{SERVICES}/{OURS}"), api_service(OURS, "foresail"));
    kube.put(&format!("{SERVICES}/{THEIRS}"), api_service(THEIRS, "keda"));
    kube
}

async fn start(kube: &Kube) -> Adapter {
    let setup = Setup::new(&config(&[], &[])).behind(kube.address);
    setup.argument("--serving-secret=foresail-serving").start().await
}

/// What the Secret holds under a key.
fn kept(kube: &Kube, key: &str) -> String {
    let secret = kube.get(SECRET).unwrap();
    let text = secret.pointer("/data").and_then(|data| data.get(key)).and_then(Value::as_str);
    String::from_utf8(STANDARD.decode(text.unwrap_or_default()).unwrap()).unwrap()
}

fn certificate(pem: &str) -> Option<CertificateDer<'static>> {
    CertificateDer::from_pem_slice(pem.as_bytes()).ok()
}

async fn served(adapter: &Adapter) -> CertificateDer<'static> {
    Wire::open(adapter.secure, None).await.server()
}

#[tokio::test]
async fn two_replicas_make_one_certificate_and_publish_its_authority_where_it_is_theirs() {
    let kube = kube().await;
    kube.put(SECRET, secret(&json!({})));
    let (first, second) = tokio::join!(start(&kube), start(&kube));
    let made = certificate(&kept(&kube, "tls.crt")).unwrap();
    assert_eq!(served(&first).await, made);
    assert_eq!(served(&second).await, made);
    let spec = |name: &str| kube.get(&format!("{SERVICES}/{name}")).unwrap()["spec"].clone();
    let bundle = STANDARD.encode(kept(&kube, "ca.crt"));
    wait::until("the APIService trusts it", async || {
        let spec = spec(OURS);
        wait::seen(spec["caBundle"] == bundle && spec["insecureSkipTLSVerify"] == false, spec)
    })
    .await;
    assert_eq!(spec(THEIRS), api_service(THEIRS, "keda")["spec"], "another server's is left alone");
    for adapter in [&first, &second] {
        assert!(!adapter.log().contains("PRIVATE KEY"));
    }
}

#[tokio::test]
async fn a_certificate_past_two_thirds_of_its_life_is_renewed_by_the_same_authority() {
    let kube = kube().await;
    let names = ServerNames::of_service("foresail", "foresail");
    let made = Timestamp::now() - SignedDuration::from_hours(24 * 61);
    let old = take(Step::Begin, &KeptCertificate::default(), &names, made).unwrap();
    let encode = |text: &String| STANDARD.encode(text);
    kube.put(
        SECRET,
        secret(&json!({"ca.crt": encode(&old.authorities), "ca.key": encode(&old.authority_key),
            "tls.crt": encode(&old.certificate), "tls.key": encode(&old.key)})),
    );
    let adapter = start(&kube).await;
    wait::until("the certificate is a new one", async || {
        let shown = served(&adapter).await;
        let is_new = Some(&shown) != certificate(&old.certificate).as_ref();
        wait::seen(is_new && Some(shown) == certificate(&kept(&kube, "tls.crt")), adapter.log())
    })
    .await;
    assert_eq!(kept(&kube, "ca.crt"), old.authorities, "the authority stays");
}

#[tokio::test]
async fn a_replica_waits_for_the_secret_and_says_what_is_missing() {
    let kube = kube().await;
    let setup = Setup::new(&config(&[], &[])).behind(kube.address);
    let starting = setup.argument("--serving-secret=foresail-serving").start();
    let late = async {
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        kube.put(SECRET, secret(&json!({})));
    };
    let (adapter, ()) = tokio::join!(starting, late);
    adapter.logs(&["Secret foresail/foresail-serving does not exist; create it empty"]).await;
    adapter.logs(&["the serving certificate can be kept"]).await;
    assert_eq!(Some(served(&adapter).await), certificate(&kept(&kube, "tls.crt")));
}

#[tokio::test]
async fn of_two_that_believe_to_lead_the_slower_one_writes_nothing() {
    let kube = kube().await;
    kube.put(SECRET, secret(&json!({})));
    let setup = Setup::new(&config(&[], &[])).behind(kube.address);
    let client = cluster::connect(Some(&setup.file("kubeconfig"))).await.unwrap();
    let store = || ServingStore::new(client.clone(), "foresail-serving", "foresail");
    let (mut faster, mut slower) = (store(), store());
    let names = ServerNames::of_service("foresail", "foresail");
    let begin = |kept: &KeptCertificate| take(Step::Begin, kept, &names, Timestamp::now()).unwrap();
    let (first, second) =
        (begin(&faster.read().await.unwrap()), begin(&slower.read().await.unwrap()));
    assert_eq!(faster.write(&first).await.unwrap(), Written::Done);
    assert_eq!(slower.write(&second).await.unwrap(), Written::Overtaken);
    assert_eq!(slower.read().await.unwrap(), first, "it serves what the faster one wrote");
    assert_eq!(slower.write(&second).await.unwrap(), Written::Done, "it has seen what it replaces");
}
