//! Another server of external metrics: a generic API server, as KEDA's adapter is one, behind a
//! Service of its own.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::certificates::Authority;
use super::http::Http;
use super::keeper::Keeper;
use super::kubectl::Kubectl;
use super::ports::free_port;
use super::process::Process;

/// The name of its Service, and of the namespace that this is in.
pub(crate) const NAME: &str = "neighbour";

const START_DEADLINE: Duration = Duration::from_secs(60);

/// A running server; dropping it stops it.
#[derive(Debug)]
pub(crate) struct Neighbour {
    port: u16,
    kubectl: Kubectl,
    _process: Process,
}

impl Neighbour {
    /// Starts it with the rights of `kubectl`, known by `authority` under its Service's name.
    #[track_caller]
    pub(crate) fn start(
        (keeper, program): (&Arc<Keeper>, &Path),
        kubectl: &Kubectl,
        authority: &Authority,
        http: &Http,
    ) -> Self {
        let port = free_port();
        let service = format!("{NAME}.{NAME}.svc");
        let identity = authority.server(&[&service, "localhost", "127.0.0.1"]);
        let (certificate, key) = identity.write(keeper.folder(), NAME);
        let arguments = [
            kubectl.kubeconfig().display().to_string(),
            port.to_string(),
            certificate.display().to_string(),
            key.display().to_string(),
        ];
        let mut process = Process::start(keeper, NAME, program, &arguments);
        let url = format!("https://localhost:{port}/readyz");
        process.wait_ready(START_DEADLINE, || http.healthy(&url, &[]));
        kubectl.apply(&format!(
            "{{apiVersion: v1, kind: Namespace, metadata: {{name: {NAME}}}}}\n---\n\
             {{apiVersion: v1, kind: Service, metadata: {{name: {NAME}, namespace: {NAME}}}, spec: \
             {{type: ExternalName, externalName: localhost, ports: [{{name: https, port: {port}}}]}}}}\n"
        ));
        Self { port, kubectl: kubectl.clone(), _process: process }
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    /// Takes an APIService over, as its installation would.
    pub(crate) fn take(&self, api_service: &str) {
        let service = json!({"name": NAME, "namespace": NAME, "port": self.port});
        let spec = json!({"spec": {"service": service}});
        self.kubectl.merge(&format!("apiservice {api_service}"), &spec);
    }
}
