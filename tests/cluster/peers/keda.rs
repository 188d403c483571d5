//! KEDA's adapter and operator: External metrics only, one ScaledObject for each.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use crate::bed::Bed;
use crate::bed::ports::free_port;
use crate::bed::wait::{seen, wait_until};

use super::fleet::{App, Fleet, Kind, Target};
use super::framework::flags;
use super::server::{Ask, Server};

/// The first trigger's metric, in each ScaledObject.
const METRIC: &str = "s0-prometheus";

/// How a caller says which ScaledObject is meant.
const SELECTOR: &str = "scaledobject.keda.sh%2Fname%3D";

/// Its dependency with the resource definitions, and where they are in it.
const DEFINITIONS: (&str, &str) = ("github.com/kedacore/keda/v2", "config/crd/bases");

/// 250 ScaledObjects take it over two minutes.
const RECONCILE_DEADLINE: Duration = Duration::from_secs(600);

/// Starts both, and waits until each ScaledObject has its HPA.
pub(crate) fn start(bed: &Bed, fleet: &Fleet) -> Result<Server, String> {
    let programs = bed.peer("keda", Some(DEFINITIONS));
    let definitions = programs.join("yaml");
    let apply = ["apply", "--server-side", "--filename", definitions.to_str().unwrap()];
    let applied = bed.kubectl.run_with(&apply, "");
    assert!(applied.success, "{}", applied.stderr);
    bed.kubectl.ok("wait crd --all --for=condition=Established --timeout=60s");
    let targets: Vec<_> =
        fleet.targets().into_iter().filter(|target| target.kind == Kind::External).collect();
    let objects: String =
        targets.iter().map(|it| scaled_object(it, &bed.prometheus.url())).collect();
    bed.kubectl.apply(&objects);

    let (port, service_port) = (free_port(), free_port());
    let certificates = write_certificates(bed);
    let kubeconfig = format!("--kubeconfig={}", bed.kubectl.kubeconfig().display());
    let folder = format!("--cert-dir={}", certificates.display());
    let operator = [
        kubeconfig.clone(),
        folder.clone(),
        format!("--metrics-service-bind-address=127.0.0.1:{service_port}"),
        format!("--metrics-bind-address=127.0.0.1:{}", free_port()),
        format!("--health-probe-bind-address=127.0.0.1:{}", free_port()),
    ];
    let mut adapter = flags(bed, "keda-adapter", port);
    adapter.extend([
        kubeconfig,
        folder,
        format!("--metrics-service-address=localhost:{service_port}"),
        format!("--port={}", free_port()),
    ]);
    let operator = run(bed, "keda-operator", &programs.join("operator"), &operator);
    let adapter = run(bed, "keda-adapter", &programs.join("adapter"), &adapter);
    wait_until(RECONCILE_DEADLINE, "each ScaledObject has its HPA", || {
        let hpas = bed.kubectl.ok("get hpa --all-namespaces --output name");
        seen(hpas.lines().count() == targets.len(), hpas.lines().count())
    });
    let asks = targets.iter().map(|it| Ask::new(it, METRIC, &format!("{SELECTOR}{}", name(it))));
    let (asks, pids) = (asks.collect(), vec![adapter.pid(), operator.pid()]);
    let running = Box::new((adapter, operator));
    Ok(Server { name: "KEDA, External only", port, pids, asks, running })
}

/// One of its programs, with the variables that its manifests set.
fn run(bed: &Bed, name: &str, program: &Path, flags: &[String]) -> crate::bed::process::Process {
    let variables =
        ["WATCH_NAMESPACE=", "POD_NAMESPACE=default", "KEDA_CLUSTER_OBJECT_NAMESPACE=default"];
    let mut arguments = variables.map(ToOwned::to_owned).to_vec();
    arguments.push(program.to_str().unwrap().to_owned());
    arguments.extend_from_slice(flags);
    bed.start_program(name, Path::new("env"), &arguments)
}

/// By which adapter and operator know one another.
fn write_certificates(bed: &Bed) -> std::path::PathBuf {
    let folder = bed.folder().join("keda-certificates");
    std::fs::create_dir_all(&folder).unwrap();
    let authority = &bed.certificates.authority;
    std::fs::write(folder.join("ca.crt"), authority.certificate()).unwrap();
    authority.peer(&["localhost"]).write(&folder, "tls");
    folder
}

fn name(target: &Target<'_>) -> String {
    format!("{}-{}", target.app.name, target.idx)
}

fn scaled_object(target: &Target<'_>, prometheus: &str) -> String {
    let App { namespace, name: app, .. } = target.app;
    let series = target.series();
    let mut text = String::new();
    writeln!(
        text,
        "---
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {{name: {}, namespace: {namespace}}}
spec:
  scaleTargetRef: {{name: {app}}}
  minReplicaCount: 1
  maxReplicaCount: 50
  triggers:
    - type: prometheus
      metadata:
        serverAddress: {prometheus}
        query: 'sum({series}{{namespace=\"{namespace}\",queue=\"{app}\"}})'
        threshold: '10'",
        name(target)
    )
    .unwrap();
    text
}
