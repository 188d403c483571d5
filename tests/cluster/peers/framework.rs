//! The test adapter of sigs.k8s.io/custom-metrics-apiserver: it answers from memory, and so is the floor of
//! every adapter that is built on that library.

use std::time::Duration;

use reqwest::Client;

use crate::bed::Bed;
use crate::bed::ports::free_port;
use crate::bed::wait::{seen, wait_until};

use super::fleet::{Fleet, Kind, Target};
use super::server::{Ask, Server};

/// Where it is told its numbers; it knows no other port.
const TOLD_AT: &str = "127.0.0.1:8080";

/// One of the three External metrics that it has.
const EXTERNAL: &str = "other-external-metric";

const START_DEADLINE: Duration = Duration::from_secs(60);

/// Starts it and tells it a number for each pod and Deployment.
pub(crate) fn start(bed: &Bed, fleet: &Fleet) -> Result<Server, String> {
    if std::net::TcpListener::bind(TOLD_AT).is_err() {
        return Err(format!("it listens on {TOLD_AT}, where somebody else does"));
    }
    let binary = bed.peer("framework", None).join("test-adapter");
    let port = free_port();
    let process = bed.start_program("framework", &binary, &flags(bed, "framework", port));
    wait_until(START_DEADLINE, "the test adapter is told numbers", || {
        let reply = bed.http.get(&format!("http://{TOLD_AT}/write-metrics"), &[])?;
        seen(reply.status == 404, reply.status)
    });
    let targets = fleet.targets();
    tell(&targets);
    let asks = targets.iter().map(ask).collect();
    let pids = vec![process.pid()];
    Ok(Server {
        name: "custom-metrics-apiserver, from memory",
        port,
        pids,
        asks,
        running: Box::new(process),
    })
}

/// What each server of that library wants to know: who it is and what it shows.
pub(crate) fn flags(bed: &Bed, name: &str, port: u16) -> Vec<String> {
    let kubeconfig = bed.kubectl.kubeconfig().display();
    let (certificate, key) = bed.new_serving_certificate().write(bed.folder(), name);
    vec![
        format!("--lister-kubeconfig={kubeconfig}"),
        format!("--authentication-kubeconfig={kubeconfig}"),
        format!("--authorization-kubeconfig={kubeconfig}"),
        format!("--secure-port={port}"),
        format!("--tls-cert-file={}", certificate.display()),
        format!("--tls-private-key-file={}", key.display()),
    ]
}

fn ask(target: &Target<'_>) -> Ask {
    match target.kind {
        Kind::External => Ask::new(target, EXTERNAL, ""),
        Kind::Pods | Kind::Object => Ask::new(target, &target.series(), ""),
    }
}

fn tell(targets: &[Target<'_>]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = Client::builder().no_proxy().build().unwrap();
    let put = |target: &Target<'_>, of: &str| {
        let (namespace, series) = (&target.app.namespace, target.series());
        let url = format!("http://{TOLD_AT}/write-metrics/namespaces/{namespace}/{of}/{series}");
        let request = client.post(url).header("Content-Type", "application/json").body("\"12\"");
        runtime.block_on(async { request.send().await.unwrap().error_for_status().unwrap() });
    };
    for target in targets {
        let app = target.app;
        match target.kind {
            Kind::Pods => app.pods.iter().for_each(|pod| put(target, &format!("pods/{pod}"))),
            Kind::Object => put(target, &format!("deployments.apps/{}", app.name)),
            Kind::External => {}
        }
    }
}
