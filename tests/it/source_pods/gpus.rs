//! Exporters of GPUs read straight from their pods, one on each node: whose rows these are, one request
//! for all, and what is said when a node is silent.

use super::fleet::{Fleet, Reader, at};
use crate::support::adapter::Adapter;
use crate::support::web::Behaviour;

const WHOLE: &str = include_str!("../../pages/dcgm-whole.prom");
const SHARED: &str = include_str!("../../pages/dcgm-shared.prom");

/// The source, with further keys of its pods.
fn source(keys: &str) -> String {
    format!(
        "sources: [{{name: gpus, scrape: {{pods: {{namespace: gpu-operator, selector: {{matchLabels: \
         {{app: dcgm}}}}, port: metrics, timeout: 300ms{keys}}}}}}}]\n"
    )
}

/// A policy of a namespace for a signal of the exporter.
fn policy(number: usize, (namespace, metric_type, keys): (&str, &str, &str)) -> String {
    format!(
        "  - {{metadata: {{name: p{number}, namespace: {namespace}}}, spec: {{metric: {{name: m{number}, \
         type: {metric_type}}}, signals: {{x: {{source: gpus, profile: {{engine: dcgm, {keys}}}}}}}}}}}\n"
    )
}

fn config(keys: &str, policies: &[(&str, &str, &str)]) -> String {
    let policies = policies.iter().enumerate().map(|(number, it)| policy(number, *it));
    let head = "apiVersion: foresail.dev/v1alpha1\nkind: AdapterConfig\n";
    format!("{head}{}policies:\n{}", source(keys), policies.collect::<String>())
}

async fn each(fleet: &Fleet, reader: &Reader, policy: usize, second: i64) -> Vec<(String, f64)> {
    let samples = fleet.read(reader, policy, at(second)).await.unwrap().samples.into_iter();
    samples.map(|(pod, it)| (pod.unwrap().to_string(), it.value.get())).collect()
}

#[tokio::test]
async fn one_request_for_each_node_serves_the_policies_of_all_namespaces() {
    let fleet = Fleet::start(&[WHOLE, SHARED]).await;
    let reader = fleet.reader_of(&config(
        "",
        &[
            ("ml", "External", "signal: gpuUtilization"),
            ("vision", "Pods", "signal: gpuUtilization"),
            ("dev", "External", "signal: memoryUsed"),
            ("bank", "External", "signal: gpuUtilization"),
        ],
    ));
    for second in 0..3 {
        let (ml, vision, dev, bank) = tokio::join!(
            fleet.number(&reader, 0, at(second)),
            each(&fleet, &reader, 1, second),
            fleet.number(&reader, 2, at(second)),
            fleet.number(&reader, 3, at(second)),
        );
        let (ml, note) = ml.unwrap();
        assert!((ml - 0.68).abs() < 1e-12 && note.is_none(), "{ml} {note:?}");
        assert_eq!(vision, [("resnet-0".to_owned(), 0.6375), ("resnet-1".to_owned(), 0.1125)]);
        assert_eq!(dev, Ok((2_097_152.0, None)), "two pods share the two MiB of one GPU");
        let told = bank.unwrap_err();
        assert!(told.contains("is about a pod of bank") && !told.contains("llama"), "{told}");
    }
    assert_eq!(fleet.namespaces(), ["gpu-operator"]);
    for node in &fleet.webs {
        assert_eq!(node.asked("/metrics").len(), 3, "once for each instant");
    }
}

#[tokio::test]
async fn pods_come_and_go_with_their_rows() {
    let row = |pod: &str, value: u32| {
        format!("DCGM_FI_DEV_GPU_UTIL{{UUID=\"{pod}\",namespace=\"ml\",pod=\"{pod}\"}} {value}\n")
    };
    let idle = "DCGM_FI_DEV_GPU_UTIL{UUID=\"z\",namespace=\"\",pod=\"\"} 0\n";
    let mut fleet = Fleet::start(&[&row("a", 20), &row("b", 60)]).await;
    let policies =
        [("ml", "External", "signal: gpuUtilization"), ("ml", "Pods", "signal: gpuUtilization")];
    let reader = fleet.reader_of(&config("", &policies));
    assert_eq!(fleet.number(&reader, 0, at(0)).await, Ok((0.4, None)));
    // Its page came, and nobody of the namespace is on it: that is no part that is missing.
    fleet.show(&[&row("a", 20), idle]);
    assert_eq!(fleet.number(&reader, 0, at(1)).await, Ok((0.2, None)));
    assert_eq!(each(&fleet, &reader, 1, 1).await, [("a".to_owned(), 0.2)]);
    fleet.show(&[idle, idle]);
    for policy in 0..2 {
        let told = fleet.read(&reader, policy, at(2)).await.unwrap_err();
        assert!(told.contains("names a pod"), "and not zero: {told}");
    }
    fleet.show(&[&row("b", 40), &row("c", 80)]);
    let both = [("b".to_owned(), 0.4), ("c".to_owned(), 0.8)];
    assert_eq!(each(&fleet, &reader, 1, 3).await, both);
}

#[tokio::test]
async fn a_node_whose_page_does_not_come_makes_the_answer_partial() {
    let fleet = Fleet::start(&[WHOLE, SHARED, WHOLE]).await;
    fleet.webs[2].set("/metrics", Behaviour::Hang);
    let reader = fleet.reader_of(&config(
        "",
        &[
            ("ml", "External", "signal: power, onPartial: use"),
            ("ml", "External", "signal: power"),
            ("ml", "Pods", "signal: power"),
        ],
    ));
    let silence = "1 of 3 pods say nothing: pod-2: no answer within 300ms";
    let used = fleet.number(&reader, 0, at(0)).await;
    assert_eq!(used, Ok((300.0, Some(silence.to_owned()))));
    let told = fleet.number(&reader, 1, at(0)).await.unwrap_err();
    assert!(told.starts_with(silence), "{told}");
    let answer = fleet.read(&reader, 2, at(0)).await.unwrap();
    assert_eq!((answer.samples.len(), answer.note.as_deref()), (1, Some(silence)));
    assert_eq!(reader.counts().n_used_in_part(), 1);
}

#[tokio::test]
async fn what_proves_who_asks_comes_from_the_source() {
    let fleet = Fleet::start(&[WHOLE]).await;
    fleet.files.put("/token", "secret\n");
    let keys = ", auth: {bearer: {tokenFile: /token}}, headers: {X-Team: {value: a}}";
    let reader = fleet.reader_of(&config(keys, &[("ml", "External", "signal: memoryUsed")]));
    assert_eq!(fleet.number(&reader, 0, at(0)).await, Ok((1_073_741_824.0, None)));
    let asked = fleet.webs[0].asked("/metrics");
    let shown = ["authorization", "x-team"].map(|it| asked[0].headers[it].as_str());
    assert_eq!(shown, ["Bearer secret", "a"]);
}

#[tokio::test]
async fn without_a_cluster_there_are_no_pods_of_an_exporter() {
    let policies = [("inference", "External", "signal: gpuUtilization")];
    let adapter = Adapter::start(&config("", &policies)).await;
    let why = "source gpus: pods cannot be selected by label without a cluster (--standalone)";
    adapter.refuses("m0", &[why]).await;
}
