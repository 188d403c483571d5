//! What this machine measures: printed, never asserted, because machines differ.

use std::io::Write;
use std::time::{Duration, Instant};

use crate::bed::Bed;
use crate::bed::wait::{seen, wait_until};
use crate::stage::policies::{Policy, config};
use crate::stage::workload::Workload;
use crate::stage::{SOON, Stage, custom, external, lines, metric, page};

const NAMESPACE: &str = "numbers";
/// Up only, to 16 pods at most: down waits for the stabilisation window.
const CHANGES: u32 = 8;
const PHASE: Duration = Duration::from_millis(130);
const PODS: u32 = 100;
const REQUESTS: u32 = 300;

#[test]
fn numbers_of_this_machine() {
    let bed = Bed::exclusive();
    bed.exporter.set("numbers_demand", &[], 8.0);
    for pod in 0..PODS {
        bed.exporter.set("numbers_queue", &[("pod", &format!("llama-{pod}"))], f64::from(pod));
    }
    let demand = Policy {
        namespace: NAMESPACE,
        name: "demand",
        metric: "name: llama_demand, type: External",
        query: "sum(numbers_demand)",
        ..Policy::default()
    };
    let queue = Policy {
        name: "queue",
        metric: "name: queue, type: Pods",
        query: "sum by (pod) (numbers_queue)",
        ..demand.clone()
    };
    let stage = Stage::new(&bed, &config(&bed, &[demand, queue]));
    let reactions = reactions(&stage);
    ask(&stage, &external(NAMESPACE, "llama_demand"));
    ask(&stage, &custom(NAMESPACE, "pods", "*", "queue"));

    let shown = |route: &str| latency(&page(&stage.adapter).body, route);
    let resident = metric(&stage.adapter, "process_resident_memory_bytes", &[]);
    let seconds = |idx: usize| reactions[idx].as_secs_f64();
    let text = format!(
        "
Numbers of this machine ({} build; exporter, Prometheus, tick and HPA each once a second):
  exporter's change to the HPA's new spec.replicas, {CHANGES} times: {:.2} / {:.2} / {:.2} s (least / median / most)
  server-side latency of an External GET:           {}
  server-side latency of a GET of {PODS} pods:        {}
  resident memory:                                  {:.1} MiB
",
        if cfg!(debug_assertions) { "debug" } else { "release" },
        seconds(0),
        seconds(reactions.len() / 2),
        seconds(reactions.len() - 1),
        shown("external"),
        shown("objects"),
        resident / 1024.0 / 1024.0,
    );
    // Past the test runner's capture: this is what the test is for.
    writeln!(std::io::stderr(), "{text}").unwrap();
}

/// From a change on the exporter's page to the HPA's new count, sorted.
fn reactions(stage: &Stage<'_>) -> Vec<Duration> {
    let workload = Workload::new(stage.bed, NAMESPACE, Duration::ZERO);
    workload.scale_by("hpa-external.yaml", &[]);
    workload.wait_described(&["ValidMetricFound"]);
    let mut took: Vec<Duration> = (1..=CHANGES)
        .map(|change| {
            let replicas = 2 * change;
            // Right after a scaling all clocks are in step; other phases show other times.
            std::thread::sleep(PHASE * change);
            let started = Instant::now();
            stage.bed.exporter.set("numbers_demand", &[], f64::from(replicas * 8));
            wait_until(SOON, "the HPA has scaled", || {
                let now = workload.replicas();
                seen(now == i64::from(replicas), now)
            });
            started.elapsed()
        })
        .collect();
    took.sort();
    took
}

/// Asks past kube-apiserver, so that the number of requests is known.
fn ask(stage: &Stage<'_>, path: &str) {
    let proxy = stage.front_proxy();
    let masters = [("X-Remote-User", "numbers"), ("X-Remote-Group", "system:masters")];
    for _ in 0..REQUESTS {
        let reply = proxy.get(&stage.adapter.secure_url(path), &masters).unwrap();
        assert_eq!(reply.status, 200, "{}", reply.body);
    }
}

/// The bounds between which the median and the 99th percentile lie, from the histogram's buckets.
fn latency(page: &str, route: &str) -> String {
    let label = format!(r#"route="{route}""#);
    let labels = [label.as_str()];
    let buckets: Vec<(String, f64)> =
        lines(page, "foresail_api_request_duration_seconds_bucket", &labels)
            .map(|(labels, count)| (bound(labels), count))
            .collect();
    let all = buckets.last().map_or(0.0, |(_, count)| *count);
    let within = |share: f64| {
        let bucket = buckets.iter().find(|(_, count)| *count >= share * all);
        bucket.map_or("?", |(bound, _)| bound.as_str()).to_owned()
    };
    format!("p50 ≤ {}, p99 ≤ {} of {all} requests", within(0.5), within(0.99))
}

/// The upper bound of a bucket, in milliseconds.
fn bound(labels: &str) -> String {
    let (_, rest) = labels.split_once(r#"le=""#).unwrap();
    let (bound, _) = rest.split_once('"').unwrap();
    bound.parse::<f64>().map_or_else(|_| bound.to_owned(), |it| format!("{} ms", it * 1e3))
}
