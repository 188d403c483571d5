//! The real HPA controller scales a Deployment on each of the three metric types, to exactly the
//! count that its arithmetic gives. The policies and HPAs are the samples of `deploy/`.

use std::time::Duration;

use crate::bed::Bed;
use crate::bed::wait::{seen, wait_until};
use crate::stage::policies::sample;
use crate::stage::workload::Workload;
use crate::stage::{SOON, Stage, custom, external};

const AT_ONCE: Duration = Duration::ZERO;

#[test]
fn external_metric_takes_a_deployment_up_and_down_to_the_exact_count() {
    let bed = Bed::exclusive();
    let namespace = "scales-external";
    let set = |series: &str, value: f64| {
        bed.exporter.set(series, &[("namespace", namespace), ("model_name", "llama")], value);
    };
    set("vllm:num_requests_running", 4.0);
    set("vllm:num_requests_waiting", 0.0);
    let stage = Stage::new(&bed, &sample(&bed, namespace));
    let workload = Workload::new(&bed, namespace, AT_ONCE);
    stage.wait_served(&external(namespace, "llama_demand"), 4.0);
    workload.scale_by("hpa-external.yaml", &[]);
    workload.wait_described(&["ValidMetricFound"]);
    assert_eq!(workload.replicas(), 1);

    // ceil((30 + 7) / 8) = 5, then ceil((80 + 23) / 8) = 13.
    for (running, waiting, replicas) in [(30.0, 7.0, 5), (80.0, 23.0, 13)] {
        set("vllm:num_requests_running", running);
        set("vllm:num_requests_waiting", waiting);
        workload.wait_replicas(replicas);
        workload.wait_ready(replicas);
    }
    // 100 / (8 × 13) is within the tolerance of a tenth: nothing changes.
    set("vllm:num_requests_waiting", 20.0);
    stage.wait_served(&external(namespace, "llama_demand"), 100.0);
    stage.wait_asked(4, "external", 200);
    assert_eq!(workload.replicas(), 13);

    // Down only after the stabilisation window, and then in one step: ceil((10 + 2) / 8) = 2.
    set("vllm:num_requests_running", 10.0);
    set("vllm:num_requests_waiting", 2.0);
    wait_until(SOON, "the HPA holds the higher recommendation", || {
        let hpa = workload.hpa();
        let held = hpa["status"]["conditions"].to_string().contains("ScaleDownStabilized");
        seen(held && hpa["status"]["desiredReplicas"] == 13, hpa["status"].clone())
    });
    workload.wait_replicas(2);
    workload.wait_ready(2);
}

#[test]
fn pods_metric_scales_exactly_and_a_pod_without_a_series_moves_nothing() {
    let bed = Bed::exclusive();
    let namespace = "scales-pods";
    let set = |pod: &str, value: f64| {
        let labels = [("namespace", namespace), ("model_name", "llama"), ("pod", pod)];
        bed.exporter.set("vllm:num_requests_running", &labels, value);
    };
    let stage = Stage::new(&bed, &sample(&bed, namespace));
    let workload = Workload::new(&bed, namespace, AT_ONCE);
    let path =
        custom(namespace, "pods", "*", "llama_running_per_pod") + "?labelSelector=app%3Dllama";
    let first = workload.pods();
    set(&first[0], 24.0);
    // Of another Deployment: published, but no pod of this HPA.
    set("mistral-0", 1000.0);
    stage.wait_served(&path, 24.0);
    workload.scale_by("hpa-pods.yaml", &[]);

    // ceil(1 × 24 / 8) = 3. Then two pods have no series; they are left out, the HPA takes them
    // for zero on the way up, 24 / (3 × 8) = 1, and stays.
    workload.wait_replicas(3);
    workload.wait_ready(3);
    stage.wait_asked(4, "objects", 200);
    assert_eq!((stage.served(&path), workload.replicas()), (Ok(24.0), 3));
    let mean = &workload.hpa()["status"]["currentMetrics"][0]["pods"]["current"]["averageValue"];
    assert_eq!(mean, "24", "the mean over the pods that have a value");

    // All three have one: ceil(3 × 16 / 8) = 6.
    let three = workload.pods();
    three.iter().for_each(|pod| set(pod, 16.0));
    workload.wait_replicas(6);
    workload.wait_ready(6);

    // On the way down a pod without a series counts as if it were at the target:
    // (6 + 5 × 8) / (6 × 8) is within the tolerance. As zeros they would have left ceil(6 / 8) = 1.
    for pod in &three[1..] {
        let labels = [("namespace", namespace), ("model_name", "llama"), ("pod", pod.as_str())];
        bed.exporter.remove("vllm:num_requests_running", &labels);
    }
    set(&three[0], 6.0);
    // What was known of the two pods is held until maxAge and hold are over.
    stage.wait_served(&path, 6.0);
    stage.wait_asked(4, "objects", 200);
    assert_eq!((stage.served(&path), workload.replicas()), (Ok(6.0), 6));

    // All six have one: ceil(6 × 1 / 8) = 1.
    workload.pods().iter().for_each(|pod| set(pod, 1.0));
    workload.wait_replicas(1);
    workload.wait_ready(1);
}

#[test]
fn object_metric_with_an_average_value_scales_exactly() {
    let bed = Bed::exclusive();
    let namespace = "scales-object";
    let set = |value: f64| set_rate(&bed, namespace, value);
    set(2.0);
    let stage = Stage::new(&bed, &sample(&bed, namespace));
    stage.wait_served(&rate_path(namespace), 2.0);
    let workload = Workload::new(&bed, namespace, AT_ONCE);
    workload.scale_by("hpa-object.yaml", &[]);
    // Two and a half for each pod: ceil(11 / 2.5) = 5, ceil(4 / 2.5) = 2.
    for (value, replicas) in [(11.0, 5), (4.0, 2)] {
        set(value);
        workload.wait_replicas(replicas);
        workload.wait_ready(replicas);
    }
}

#[test]
fn object_metric_with_a_value_scales_by_the_ready_pods() {
    let bed = Bed::exclusive();
    let namespace = "scales-object-value";
    let set = |value: f64| set_rate(&bed, namespace, value);
    set(10.0);
    let stage = Stage::new(&bed, &sample(&bed, namespace));
    let path = rate_path(namespace);
    stage.wait_served(&path, 10.0);
    // Long enough that the count is seen to rest while the new pods are not ready.
    let workload = Workload::new(&bed, namespace, Duration::from_secs(6));
    let by_value =
        [("type: AverageValue", "type: Value"), ("averageValue: \"2500m\"", "value: 10")];
    workload.scale_by("hpa-object.yaml", &by_value);
    workload.wait_described(&["ValidMetricFound"]);
    assert_eq!(workload.replicas(), 1);
    // ceil(3.5 × 1 ready) = 4, and no more while one pod is ready.
    set(35.0);
    workload.wait_replicas(4);
    stage.wait_asked(2, "object", 200);
    assert_eq!(workload.replicas(), 4);
    set(10.0);
    stage.wait_served(&path, 10.0);
    workload.wait_ready(4);
    // ceil(0.2 × 4 ready) = 1.
    set(2.0);
    workload.wait_replicas(1);
}

fn set_rate(bed: &Bed, namespace: &str, value: f64) {
    let labels = [("namespace", namespace), ("model_name", "llama")];
    bed.exporter.set("requests_per_second", &labels, value);
}

fn rate_path(namespace: &str) -> String {
    custom(namespace, "deployments.apps", "llama", "llama_requests_per_second")
}
