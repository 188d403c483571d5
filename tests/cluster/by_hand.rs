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

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use bed::Bed;
use bed::adapter::Adapter;
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

/// What is in flight until somebody types another number.
const FIRST_DEMAND: f64 = 4.0;

/// What a pod runs at once; the HPA's target, too.
const REQUESTS_PER_POD: f64 = 10.0;

/// A policy of each metric type, from Prometheus and from the page itself.
const CONFIG: &str = "
apiVersion: foresail.dev/v1alpha1
kind: AdapterConfig
sources:
  - name: default
    prometheus: {url: PROMETHEUS}
  - name: engine
    scrape: {url: EXPORTER}
policies:
  - metadata: {name: llama-demand, namespace: inference}
    spec:
      metric: {name: llama_demand, type: External}
      interval: 1s
      signals:
        running: {source: default, prometheus: {query: 'sum(vllm:num_requests_running)'}}
        waiting: {source: engine, scrape: {series: 'vllm:num_requests_waiting', reduce: sum}}
      combine: running + waiting
      smooth: [{ewma: {halfLife: 5s}}]
      guard: {maxAge: 10s, hold: 20s, min: '0', max: '1000'}
  - metadata: {name: llama-running-per-pod, namespace: inference}
    spec:
      metric: {name: llama_running_per_pod, type: Pods}
      interval: 1s
      signals:
        running: {source: default, prometheus: {query: 'sum by (pod) (vllm:num_requests_running)'}}
      guard: {maxAge: 10s, hold: 20s}
  - metadata: {name: llama-waiting, namespace: inference}
    spec:
      metric:
        name: llama_waiting
        type: Object
        describedObject: {apiVersion: apps/v1, kind: Deployment, name: llama}
      interval: 1s
      signals:
        waiting: {source: default, prometheus: {query: 'sum(vllm:num_requests_waiting)'}}
      guard: {maxAge: 10s, hold: 20s}
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
    bed.exporter.set("vllm:num_requests_waiting", &[], FIRST_DEMAND);
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
    let external = "/apis/external.metrics.k8s.io/v1beta1/namespaces/inference";
    let custom = "/apis/custom.metrics.k8s.io/v1beta2/namespaces/inference";
    println!(
        "
In another terminal (kubectl of the same version comes first on the PATH):

    export KUBECONFIG={} PATH={}:$PATH

    kubectl get apiservices | grep metrics
    kubectl get --raw {external}/llama_demand
    kubectl get --raw '{custom}/pods/*/llama_running_per_pod'
    kubectl get --raw {custom}/deployments.apps/llama/llama_waiting
    kubectl get hpa,deployment -n inference --watch
    kubectl describe hpa llama -n inference

Foresail's configuration, reloaded when it changes: {}
Foresail's own metrics:                             {}
Prometheus:                                         {}
The page that both read:                            {}
Logs of everything:                                 {}/*.log

Here: type how many requests are in flight, for example 80, and Enter. Each pod that is ready runs
{REQUESTS_PER_POD} of them, the others wait; the HPA asks for a pod for each {REQUESTS_PER_POD}, and a pod needs 10 s.
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

/// Takes numbers until Ctrl-C or SIGTERM; the end of the input changes nothing.
fn follow(bed: &Bed) {
    let (sender, mut lines) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    let mut fleet = Fleet { demand: FIRST_DEMAND, pods: BTreeSet::new() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt()).unwrap();
        let mut terminate = signal(SignalKind::terminate()).unwrap();
        let mut second = tokio::time::interval(Duration::from_secs(1));
        second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = interrupt.recv() => return,
                _ = terminate.recv() => return,
                Some(line) = lines.recv() => fleet.change(&line),
                _ = second.tick() => fleet.share_out(bed),
            }
        }
    });
}

/// The requests in flight and the pods that run them.
struct Fleet {
    demand: f64,
    pods: BTreeSet<String>,
}

impl Fleet {
    fn change(&mut self, line: &str) {
        match line.trim().parse::<f64>() {
            Ok(demand) if demand >= 0.0 && demand.is_finite() => {
                self.demand = demand;
                println!("{demand} requests are in flight now");
            }
            _ => println!("not understood; give the number of requests in flight: 80"),
        }
    }

    /// Gives each pod that is ready its share, and writes it on the page.
    fn share_out(&mut self, bed: &Bed) {
        let output = bed.kubectl.run("get pods --namespace inference --output json");
        // While everything stops, or is being tried out, kubectl may fail; the page stays.
        let Ok(pods) = serde_json::from_str::<Value>(&output.stdout) else { return };
        let ready: BTreeSet<String> = pods["items"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|pod| is_ready(pod))
            .filter_map(|pod| pod["metadata"]["name"].as_str().map(str::to_owned))
            .collect();
        for gone in self.pods.difference(&ready) {
            bed.exporter.remove("vllm:num_requests_running", &[("pod", gone)]);
        }
        let mut waiting = self.demand;
        for pod in &ready {
            let running = if waiting < REQUESTS_PER_POD { waiting } else { REQUESTS_PER_POD };
            bed.exporter.set("vllm:num_requests_running", &[("pod", pod)], running);
            waiting -= running;
        }
        bed.exporter.set("vllm:num_requests_waiting", &[], waiting);
        self.pods = ready;
    }
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    conditions.into_iter().flatten().any(|it| it["type"] == "Ready" && it["status"] == "True")
}
