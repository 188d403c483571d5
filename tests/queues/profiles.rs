//! Profiles against a real Prometheus that scrapes pages of the field: as pods, and as an exporter
//! whose labels it keeps or renames.

use crate::bed::{Server, free_port};
use crate::support::adapter::{Adapter, client, config, prometheus};
use crate::support::wait;
use crate::support::web::Web;
use foresail::domain::limits;
use foresail::policy::profile::Profiles;
use foresail::policy::profile::promql::{Question, query};
use serde_json::Value;

const VLLM: &str = include_str!("../pages/vllm.prom");
const SGLANG: &str = include_str!("../pages/sglang.prom");
const TGI: &str = include_str!("../pages/tgi.prom");
const TRITON: &str = include_str!("../pages/triton.prom");
const NEWER: &str = include_str!("../pages/trtllm-dynamo-epp.prom");
/// vLLM before 0.9.
const VLLM_OLD: &str = "vllm:num_requests_waiting{model_name=\"m\"} 7\n\
                        vllm:num_requests_running{model_name=\"m\"} 2\n\
                        vllm:gpu_cache_usage_perc{model_name=\"m\"} 0.41\n";
/// Two whole GPUs of one pod, an older release beside a newer one; a GPU of nobody with a blank sensor.
const WHOLE: &str = include_str!("../pages/dcgm-whole.prom");
/// A slice of a GPU, and a GPU that two pods share: each shows the whole GPU's value.
const SHARED: &str = include_str!("../pages/dcgm-shared.prom");

/// A Prometheus that scrapes these pages each second: as pods with a namespace and a name, and, with
/// `true`, as an exporter whose own labels win.
pub(crate) async fn start(pages: &[(&str, &str, &str, bool)]) -> (Server, u16, Web) {
    let web = Web::start().await;
    let mut jobs = String::new();
    for (number, (namespace, pod, page, honors)) in pages.iter().enumerate() {
        web.show(&format!("/{number}"), page);
        jobs.push_str(&format!(
            "  - {{job_name: j{number}, metrics_path: /{number}, honor_labels: {honors}, \
             static_configs: [{{targets: ['127.0.0.1:{}'], labels: {{namespace: {namespace}, pod: {pod}}}}}]}}\n",
            web.port()
        ));
    }
    let port = free_port();
    let server = Server::start(("prometheus", "prometheus"), port, |folder| {
        let file = folder.join("prometheus.yaml");
        let text =
            format!("global: {{scrape_interval: 1s, scrape_timeout: 1s}}\nscrape_configs:\n{jobs}");
        std::fs::write(&file, text).unwrap();
        vec![
            format!("--config.file={}", file.display()),
            format!("--storage.tsdb.path={}", folder.join("data").display()),
            format!("--web.listen-address=127.0.0.1:{port}"),
        ]
    });
    (server, port, web)
}

/// A policy of a namespace that publishes a signal of an engine.
fn policy(namespace: &str, name: &str, engine: &str, keys: &str) -> String {
    format!(
        "{{metadata: {{name: {name}, namespace: {namespace}}}, spec: {{metric: {{name: {name}, type: \
         External}}, interval: 500ms, signals: {{it: {{source: p, profile: {{engine: {engine}, {keys}}}}}}}, \
         guard: {{maxAge: 10s}}}}}}"
    )
}

async fn serves(adapter: &Adapter, namespace: &str, name: &str, value: &str) {
    let path = format!("/apis/external.metrics.k8s.io/v1beta1/namespaces/{namespace}/{name}");
    wait::until(&format!("{name} of {namespace} is {value}"), async || {
        let values = adapter.get(&path).await?.values()?;
        wait::seen(values == [value], format!("{values:?}"))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_signal_of_an_engine_is_the_number_of_the_own_namespace() {
    let (_server, port, web) = start(&[
        ("ml", "llama-0", VLLM, false),
        ("ml", "llama-1", VLLM_OLD, false),
        ("other", "llama-0", VLLM, false),
        ("ml", "qwen-0", SGLANG, false),
        ("ml", "tgi-0", TGI, false),
        ("ml", "triton-0", TRITON, false),
        ("ml", "newer-0", NEWER, false),
    ])
    .await;
    let cases = [
        ("ml", "vllm", "signal: demand", "50"),
        ("other", "vllm", "signal: demand", "41"),
        ("ml", "vllm", "signal: demand, podPattern: llama-1", "9"),
        ("ml", "vllm", "signal: running, where: {engine: '0'}", "37"),
        ("ml", "vllm", "signal: kvCacheUsage, podPattern: llama-1", "410m"),
        ("ml", "sglang", "signal: demand", "33"),
        ("ml", "tgi", "signal: demand", "21"),
        ("ml", "tgi", "signal: kvCacheUsage", "140625u"),
        ("ml", "triton-trtllm", "signal: waiting", "3"),
        ("ml", "trtllm-serve", "signal: waiting", "2"),
        ("ml", "dynamo", "signal: running", "26"),
        ("ml", "epp", "signal: waiting", "13"),
    ];
    let named = cases.iter().enumerate().map(|(number, it)| (format!("m{number}"), it));
    let policies: Vec<String> =
        named.clone().map(|(name, it)| policy(it.0, &name, it.1, it.2)).collect();
    let source = prometheus("p", &format!("http://127.0.0.1:{port}"));
    let adapter = Adapter::start(&config(&[source], &policies)).await;
    for (name, (namespace, _, _, expected)) in named {
        serves(&adapter, namespace, &name, expected).await;
    }
    let explained = adapter.observe("/debug/explain/ml/m6").await.unwrap().body;
    assert!(explained.contains("tgi_queue_size"), "{explained}");
    // A pod that is gone is no zero, and what is left is a smaller total, as in Prometheus.
    web.show("/1", "");
    serves(&adapter, "ml", "m0", "41").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gpus_are_those_of_the_own_pods_under_any_label_and_once_for_each_device() {
    let (_server, port, _web) = start(&[
        ("gpu-operator", "dcgm-exporter-a", WHOLE, false),
        ("gpu-operator", "dcgm-exporter-b", SHARED, false),
        ("gpu-operator", "dcgm-exporter-c", &WHOLE.replace("\"ml\"", "\"honored\""), true),
    ])
    .await;
    let cases = [
        ("ml", "gpuUtilization", "680m"),
        ("honored", "gpuUtilization", "680m"),
        ("ml", "memoryUsed", "1073741824"),
        // One of the two has no sensor, and the third is nobody's.
        ("ml", "power", "300"),
        ("vision", "gpuUtilization", "375m"),
        // Two pods share two MiB.
        ("dev", "memoryUsed", "2097152"),
        ("old", "gpuUtilization", "970m"),
    ];
    let named = cases.iter().enumerate().map(|(number, it)| (format!("m{number}"), it));
    let keys = |signal| format!("signal: {signal}");
    let policies: Vec<String> =
        named.clone().map(|(name, it)| policy(it.0, &name, "dcgm", &keys(it.1))).collect();
    let source = prometheus("p", &format!("http://127.0.0.1:{port}"));
    let adapter = Adapter::start(&config(&[source], &policies)).await;
    for (name, (namespace, _, expected)) in named {
        serves(&adapter, namespace, &name, expected).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_takes_every_query_of_every_profile() {
    let pages = [("ml", "llama-0", VLLM, false), ("gpu-operator", "exporter", WHOLE, false)];
    let (_server, port, _web) = start(&pages).await;
    let (client, mut count) = (client(), 0);
    let url = format!("http://127.0.0.1:{port}/api/v1/query");
    for profile in Profiles::builtin().iter() {
        for (signal, is_per_pod) in profile.has().flat_map(|it| [(it, false), (it, true)]) {
            let question = Question {
                namespace: ("namespace", "ml"),
                pod_label: "pod",
                labels: &[],
                pods: Some(".*"),
                window: limits::profile::WINDOW_DEFAULT,
                quantile: limits::profile::QUANTILE_DEFAULT,
                is_per_pod,
            };
            let query = query(profile, signal, &question).unwrap().text;
            let sent = client.post(&url).form(&[("query", &query)]).send().await.unwrap();
            let answer: Value = serde_json::from_slice(&sent.bytes().await.unwrap()).unwrap();
            assert_eq!(answer["status"], "success", "{query}: {answer}");
            count += 1;
        }
    }
    assert!(count > 180, "{count}");
}
