//! What `deploy/` installs, applied as it is, and then led to a process on loopback.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use super::certificates::{Authority, Identity};
use super::kubectl::Kubectl;
use super::wait::wait_until;

/// Where the manifests put Foresail, and what they call its Service and ServiceAccount.
pub(crate) const NAMESPACE: &str = "foresail-system";
pub(crate) const NAME: &str = "foresail";

/// Where it keeps a serving certificate of its own.
pub(crate) const SERVING_SECRET: &str = "foresail-serving";

/// The APIs that Foresail answers.
pub(crate) const API_SERVICES: [&str; 3] = [
    "v1beta1.custom.metrics.k8s.io",
    "v1beta2.custom.metrics.k8s.io",
    "v1beta1.external.metrics.k8s.io",
];

const DEPLOY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy");
const OVERLAY: &str = "kustomize/own-ca";

/// The aggregator looks at an API service again every few seconds, later after failures.
const AVAILABLE_DEADLINE: Duration = Duration::from_secs(60);

/// A certificate by which kube-apiserver knows Foresail's Service, and a test knows localhost.
pub(crate) fn serving_certificate(authority: &Authority) -> Identity {
    let service = format!("{NAME}.{NAMESPACE}.svc");
    authority.server(&[&service, "localhost", "127.0.0.1"])
}

/// Applies the overlay for a certificate of one's own, from a copy in `folder` that holds it.
///
/// Takes the API services away again and gives back their manifests: registered without anybody who
/// answers, they would keep every namespace of the bed from being deleted.
pub(crate) fn apply_manifests(
    kubectl: &Kubectl,
    authority: &Authority,
    certificate: &Identity,
    folder: &Path,
) -> String {
    let copy = folder.join("deploy");
    copy_folder(Path::new(DEPLOY), &copy);
    let overlay = copy.join(OVERLAY);
    let certificates = overlay.join("serving-cert");
    fs::create_dir_all(&certificates).unwrap();
    fs::write(certificates.join("ca.crt"), authority.certificate()).unwrap();
    certificate.write(&certificates, "tls");
    let manifests = kubectl.ok(&format!("kustomize {}", overlay.display()));
    kubectl.apply(&manifests);
    kubectl.ok(&format!("delete apiservice {}", API_SERVICES.join(" ")));
    let is_api_service = |document: &&str| document.lines().any(|line| line == "kind: APIService");
    manifests.split("\n---\n").filter(is_api_service).collect::<Vec<_>>().join("\n---\n")
}

/// Applies what the overlay with a certificate of Foresail's own has beside the rest.
pub(crate) fn apply_own_certificate(kubectl: &Kubectl) {
    let file = Path::new(DEPLOY).join("kustomize/built-in/serving-certificate.yaml");
    kubectl.apply(&fs::read_to_string(file).unwrap());
}

/// A kubeconfig token for Foresail's own ServiceAccount: exactly the rights that `deploy/` gives.
pub(crate) fn service_account_token(kubectl: &Kubectl) -> String {
    kubectl
        .ok(&format!("create token {NAME} --namespace {NAMESPACE} --duration 4h"))
        .trim()
        .to_owned()
}

/// The three API services, led to an adapter; dropping it takes them away.
#[derive(Debug)]
#[must_use = "dropping it takes the API services away"]
pub(crate) struct Registration {
    kubectl: Kubectl,
}

impl Registration {
    /// Applies the API services' manifests and leads them to a port on loopback.
    pub(crate) fn new(kubectl: &Kubectl, api_services: &str, port: u16) -> Self {
        let registration = Self { kubectl: kubectl.clone() };
        kubectl.apply(api_services);
        registration.lead_to(port);
        registration
    }

    /// Leads the Service to a port on loopback and waits until all API services are Available.
    ///
    /// The aggregator dials what an ExternalName Service names; endpoints on loopback are refused
    /// by validation. The port stands in the Service and in each APIService.
    pub(crate) fn lead_to(&self, port: u16) {
        let service = json!({"spec": {
            "type": "ExternalName",
            "externalName": "localhost",
            "ports": [{"name": "https", "port": port, "targetPort": port}],
        }});
        self.kubectl.merge(&format!("service {NAME} --namespace {NAMESPACE}"), &service);
        for name in API_SERVICES {
            let port = json!({"spec": {"service": {"port": port}}});
            self.kubectl.merge(&format!("apiservice {name}"), &port);
        }
        wait_until(AVAILABLE_DEADLINE, "the API services are Available", || self.available());
    }

    /// `Ok` when all three are Available, else what the condition of the first that is not says.
    pub(crate) fn available(&self) -> Result<(), String> {
        API_SERVICES
            .iter()
            .try_for_each(|name| available(&self.kubectl.get(&format!("apiservice {name}"))))
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // Its success does not matter: this may run because the test has failed already.
        self.kubectl.run(&format!("delete apiservice {}", API_SERVICES.join(" ")));
    }
}

/// `Ok` when an APIService is Available, else what its condition says.
fn available(api_service: &Value) -> Result<(), String> {
    let conditions = api_service["status"]["conditions"].as_array();
    let available = conditions.into_iter().flatten().find(|it| it["type"] == "Available");
    match available {
        Some(condition) if condition["status"] == "True" => Ok(()),
        Some(condition) => Err(format!("{}: {condition}", api_service["metadata"]["name"])),
        None => Err(format!("{} has no condition yet", api_service["metadata"]["name"])),
    }
}

fn copy_folder(from: &Path, to: &Path) {
    let entries = fs::read_dir(from)
        .unwrap_or_else(|error| panic!("cannot read the manifests in {}: {error}", from.display()));
    fs::create_dir_all(to).unwrap();
    for entry in entries {
        let source: PathBuf = entry.unwrap().path();
        let target = to.join(source.file_name().unwrap());
        if source.is_dir() {
            copy_folder(&source, &target);
        } else {
            fs::copy(&source, &target).unwrap();
        }
    }
}
