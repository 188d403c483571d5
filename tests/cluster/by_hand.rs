//! `make cluster`: the test bed with Foresail registered, running until Ctrl-C, to look at by hand.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "whoever runs this is there to read why it stopped"
)]
#![expect(clippy::print_stdout, reason = "what it prints is what it is for")]

#[expect(dead_code, reason = "the bed offers more than is used here")]
mod bed;

use std::path::PathBuf;

use bed::Bed;
use bed::adapter::Adapter;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// One policy with a signal from Prometheus and one from the page itself.
const CONFIG: &str = "
apiVersion: foresail.dev/v1alpha1
kind: AdapterConfig
sources:
  - name: default
    prometheus: {url: PROMETHEUS}
  - name: engine
    scrape: {url: EXPORTER}
policies:
  - metadata: {name: llama, namespace: inference}
    spec:
      metric: {name: llama_demand, type: External}
      interval: 1s
      signals:
        running: {source: default, prometheus: {query: 'sum(vllm:num_requests_running)'}}
        waiting: {source: engine, scrape: {series: 'vllm:num_requests_waiting', reduce: sum}}
      combine: running + waiting
      smooth: [{ewma: {halfLife: 5s}}]
      guard: {maxAge: 60s, hold: 2m, min: '0', max: '1000'}
";

/// Pods that need ten seconds until they serve, and an ordinary HPA: ten requests for each of them.
const WORKLOAD: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: inference}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: llama, namespace: inference}
spec:
  selector: {matchLabels: {app: llama}}
  template:
    metadata:
      labels: {app: llama}
      annotations: {pod-ready.stage.kwok.x-k8s.io/delay: 10s}
    spec:
      containers: [{name: engine, image: example.invalid/engine}]
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: llama, namespace: inference}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: llama}
  minReplicas: 1
  maxReplicas: 50
  metrics:
    - type: External
      external:
        metric: {name: llama_demand}
        target: {type: AverageValue, averageValue: 10}
  behavior: {scaleDown: {stabilizationWindowSeconds: 30}}
";

fn main() {
    println!("starting etcd, Kubernetes, KWOK and Prometheus …");
    let bed = Bed::start();
    bed.exporter.set("vllm:num_requests_running", &[], 4.0);
    bed.exporter.set("vllm:num_requests_waiting", &[], 0.0);
    let config = CONFIG
        .replace("PROMETHEUS", &bed.prometheus.url())
        .replace("EXPORTER", &bed.exporter.url());
    let adapter = bed.start_adapter(&binary(), &config);
    let registration = bed.register(&adapter);
    bed.kubectl.apply(WORKLOAD);
    explain(&bed, &adapter);
    follow(&bed);
    println!("stopping …");
    // What came last goes first.
    drop(registration);
    drop(adapter);
    drop(bed);
}

/// The binary given as the only argument, else the one that Cargo built beside this example.
fn binary() -> PathBuf {
    let beside = std::env::current_exe().unwrap().parent().unwrap().with_file_name("foresail");
    let binary = std::env::args_os().nth(1).map_or(beside, PathBuf::from);
    assert!(binary.is_file(), "no {}: cargo build", binary.display());
    binary
}

fn explain(bed: &Bed, adapter: &Adapter) {
    let external = "/apis/external.metrics.k8s.io/v1beta1/namespaces/inference/llama_demand";
    println!(
        "
In another terminal (kubectl of the same version comes first on the PATH):

    export KUBECONFIG={} PATH={}:$PATH

    kubectl get apiservices | grep metrics
    kubectl get --raw {external}
    kubectl get hpa,deployment -n inference --watch
    kubectl describe hpa llama -n inference

Foresail's configuration, reloaded when it changes: {}
Foresail's own metrics:                             {}
Prometheus:                                         {}
The page that both read:                            {}
Logs of everything:                                 {}/*.log

Here: type a series and a value to change the page, for example
    vllm:num_requests_running 80
Ctrl-C stops everything and removes the folder.
",
        bed.kubectl.kubeconfig().display(),
        bed.programs().display(),
        adapter.folder().join("foresail.yaml").display(),
        adapter.observability_url("/metrics"),
        bed.prometheus.url(),
        bed.exporter.url(),
        bed.folder().display(),
    );
}

/// Takes `SERIES VALUE` lines until Ctrl-C or SIGTERM; the end of the input changes nothing.
fn follow(bed: &Bed) {
    let (sender, mut lines) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt()).unwrap();
        let mut terminate = signal(SignalKind::terminate()).unwrap();
        loop {
            tokio::select! {
                _ = interrupt.recv() => return,
                _ = terminate.recv() => return,
                Some(line) = lines.recv() => change(bed, &line),
            }
        }
    });
}

fn change(bed: &Bed, line: &str) {
    let words = line.split_once(' ').map(|(series, value)| (series, value.trim().parse::<f64>()));
    match words {
        Some((series, Ok(value))) => {
            bed.exporter.set(series, &[], value);
            println!("{series} is {value} now");
        }
        _ => println!("not understood; give a series and a number: vllm:num_requests_running 80"),
    }
}
