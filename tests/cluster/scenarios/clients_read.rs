//! Kubernetes' own clients read what Foresail writes, in every form and version.

use std::process::Command;

use crate::bed::Bed;
use crate::stage::policies::{Policy, config};
use crate::stage::{Stage, custom, external};

const NAMESPACE: &str = "clients-read";

fn policies(bed: &Bed) -> String {
    let of = |metric: &'static str, name: &'static str| Policy {
        namespace: NAMESPACE,
        name,
        metric,
        ..Policy::default()
    };
    config(
        bed,
        &[
            Policy {
                query: r#"sum by (pod) (read_queue{namespace="clients-read"})"#,
                ..of("name: queue, type: Pods, labels: {engine: vllm}", "queue")
            },
            of(
                "name: rps, type: Object, describedObject: {apiVersion: apps/v1, kind: Deployment, name: llama}",
                "rps",
            ),
            of(
                "name: temperature, type: Object, describedObject: {apiVersion: v1, kind: Node, name: node-0}",
                "temperature",
            ),
            of(
                "name: tokens, type: Object, describedObject: {apiVersion: v1, kind: Namespace, name: clients-read}",
                "tokens",
            ),
            of("name: demand, type: External, labels: {model: llama}", "demand"),
        ],
    )
}

/// What the clients must have decoded of one custom version in one form.
fn of_custom(prefix: &str) -> Vec<String> {
    let selector = r#"{"matchLabels":{"engine":"vllm"}}"#;
    let place = "v1 Pod clients-read";
    [
        format!("pods: {place}/llama-0 queue {selector} = 3"),
        format!("pods: {place}/llama-1 queue {selector} = 500m"),
        "object: apps/v1 Deployment clients-read/llama rps - = 1".to_owned(),
        "node: v1 Node /node-0 temperature - = 1".to_owned(),
        "namespace: v1 Namespace /clients-read tokens - = 1".to_owned(),
        "refused: policy clients-read/queue: no value for \"nobody\" (metric queue of pods in \
         namespace clients-read); objects with a value: 2"
            .to_owned(),
    ]
    .map(|line| format!("{prefix}: {line}"))
    .into()
}

fn of_external(prefix: &str) -> Vec<String> {
    [
        "external: demand map[model:llama] = 1",
        "external refused: no policy publishes external metric unknown in namespace clients-read",
    ]
    .map(|line| format!("{prefix}: {line}"))
    .into()
}

/// What the aggregator lists, by the names of the resources.
fn of_discovery() -> Vec<String> {
    let mut lines = vec![
        "preferred: custom.metrics.k8s.io/v1beta2".to_owned(),
        "preferred: external.metrics.k8s.io/v1beta1".to_owned(),
    ];
    for version in ["v1beta1", "v1beta2"] {
        for (name, namespaced) in [
            ("deployments.apps/rps", true),
            ("namespaces/tokens", false),
            ("nodes/temperature", false),
            ("pods/queue", true),
        ] {
            lines.push(format!(
                "resource: custom.metrics.k8s.io/{version} {name} MetricValueList namespaced={namespaced} [get]"
            ));
        }
    }
    lines.push(
        "resource: external.metrics.k8s.io/v1beta1 demand ExternalMetricValueList namespaced=true [get]"
            .to_owned(),
    );
    lines.iter().map(|line| format!("discovery: {line}")).collect()
}

#[test]
fn every_client_decodes_the_same_in_every_form_and_version() {
    let bed = Bed::exclusive();
    for (pod, value) in [("llama-0", 3.0), ("llama-1", 0.5)] {
        bed.exporter.set("read_queue", &[("namespace", NAMESPACE), ("pod", pod)], value);
    }
    let stage = Stage::new(&bed, &policies(&bed));
    stage.wait_served(&custom(NAMESPACE, "pods", "llama-0", "queue"), 3.0);
    stage.wait_served(&external(NAMESPACE, "demand"), 1.0);

    // While an API service is registered and not led to its port yet, nobody can answer.
    let n_registered = bed.control_plane.api_server_log().lines().count();

    let mut expected = Vec::new();
    for (form, came_as) in [
        ("json", "application/json"),
        ("protobuf", "application/vnd.kubernetes.protobuf"),
        ("manager", "application/vnd.kubernetes.protobuf"),
    ] {
        expected.extend(of_custom(&format!("{form} v1beta1")));
        expected.extend(of_custom(&format!("{form} v1beta2")));
        expected.extend(of_external(form));
        expected.push(format!("{form}: came as: {came_as}"));
    }
    expected.extend(of_discovery());
    expected.extend(
        [
            "v3: custom.metrics.k8s.io/v1beta1: 3 paths, 2 schemas",
            "v3: custom.metrics.k8s.io/v1beta2: 3 paths, 3 schemas",
            "v3: external.metrics.k8s.io/v1beta1: 1 paths, 2 schemas",
            "v2: merged: 7 paths, 7 definitions",
        ]
        .map(|line| format!("openapi {line}")),
    );
    let output =
        Command::new(bed.clients()).arg(bed.kubectl.kubeconfig()).arg(NAMESPACE).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let seen: Vec<&str> = said.lines().collect();
    for (seen, expected) in seen.iter().zip(&expected) {
        assert_eq!(seen, expected);
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert_eq!(seen.len(), expected.len(), "{complaint}\n{said}");
    kubectl_reads_the_documents(&bed);
    // By now it has asked for all documents and merged them, without a complaint.
    let log = bed.control_plane.api_server_log();
    let complaints: Vec<&str> = log
        .lines()
        .skip(n_registered)
        .filter(|line| line.contains("OpenAPI") && line.contains("metrics.k8s.io"))
        .filter(|line| line.starts_with('E') || line.starts_with('W'))
        .collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
}

/// kubectl explains kinds, and looks a manifest over, by what all API servers say of theirs.
fn kubectl_reads_the_documents(bed: &Bed) {
    let explained = bed.kubectl.run("explain deployment.spec.replicas");
    assert!(explained.success && explained.stderr.is_empty(), "{}", explained.stderr);
    assert!(explained.stdout.contains("FIELD: replicas <integer>"), "{}", explained.stdout);
    let arguments = ["apply", "--dry-run=server", "--validate=strict", "--filename", "-"];
    let manifest = |data: &str| {
        format!(
            "{{apiVersion: v1, kind: ConfigMap, metadata: {{name: checked, namespace: default}}, {data}: {{a: b}}}}"
        )
    };
    let applied = bed.kubectl.run_with(&arguments, &manifest("data"));
    assert!(applied.success && applied.stderr.is_empty(), "{}", applied.stderr);
    let refused = bed.kubectl.run_with(&arguments, &manifest("dada"));
    assert!(!refused.success && refused.stderr.contains("dada"), "{}", refused.stderr);
}
