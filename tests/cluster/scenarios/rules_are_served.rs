//! A configuration of prometheus-adapter runs unchanged: its rules scale Deployments by metrics of
//! pods, of other objects and of none, and follow what is installed into the cluster.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::bed::Bed;
use crate::bed::wait::{seen, wait_until};
use crate::stage::workload::Workload;
use crate::stage::{SOON, Stage, custom, external};

/// As its users have it: no `apiVersion`, no source, the rule of its walkthrough (a counter that becomes a
/// rate over two minutes, and labels of other names), a template of labels, and the part for metrics.k8s.io.
const OLD: &str = r#"
rules:
  # Requests to each pod, from a counter.
  - seriesQuery: '{__name__=~"^http_requests_.*",kubernetes_namespace!="",kubernetes_pod_name!=""}'
    seriesFilters:
      - isNot: "_created$"
    resources:
      overrides:
        kubernetes_namespace: {resource: "namespace"}
        kubernetes_pod_name: {resource: "pod"}
    name:
      matches: "^(.*)_total"
      as: "${1}_per_second"
    metricsQuery: 'sum(rate(<<.Series>>{<<.LabelMatchers>>}[2m])) by (<<.GroupBy>>)'
  # What waits at a Service.
  - seriesQuery: 'checkout_in_flight'
    resources:
      template: "<<.Resource>>"
    metricsQuery: 'sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)'
  # A kind that is installed later.
  - seriesQuery: 'gizmo_heat'
    resources:
      overrides:
        namespace: {resource: "namespace"}
        gizmo: {group: "example.com", resource: "gizmo"}
    metricsQuery: 'max(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)'
externalRules:
  - seriesQuery: 'queue_depth{queue!=""}'
    resources:
      overrides:
        namespace: {resource: "namespace"}
    metricsQuery: 'sum(<<.Series>>{<<.LabelMatchers>>}) by (queue)'
resourceRules:
  cpu:
    containerQuery: sum(rate(container_cpu_usage_seconds_total{<<.LabelMatchers>>}[3m])) by (<<.GroupBy>>)
    nodeQuery: sum(rate(node_cpu_seconds_total{mode!="idle",<<.LabelMatchers>>}[3m])) by (<<.GroupBy>>)
    resources:
      overrides:
        node: {resource: "node"}
        namespace: {resource: "namespace"}
        pod: {resource: "pod"}
    containerLabel: container
  window: 3m
"#;

const COMPONENT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/deploy/kustomize/components/rule-objects/object-reader.yaml"
);

/// A window of the rate and an interval are over after 135 s; the rest is for a busy machine.
const STEADY: Duration = Duration::from_secs(240);

/// What a person changes of the old Deployment, and no more.
fn stage(bed: &Bed) -> Stage<'_> {
    Stage::with(bed, OLD, &[format!("--prometheus-url={}", bed.prometheus.url())])
}

/// An HPA of the Deployment `llama` that moves at once.
fn hpa(namespace: &str, metric: &str) -> String {
    format!(
        "
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {{name: llama, namespace: {namespace}}}
spec:
  scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: llama}}
  minReplicas: 1
  maxReplicas: 16
  metrics: [{metric}]
  behavior:
    scaleUp: {{policies: [{{type: Pods, value: 16, periodSeconds: 1}}]}}
"
    )
}

/// Waits until Prometheus knows a series.
#[track_caller]
fn wait_scraped(bed: &Bed, query: &str, value: f64) {
    wait_until(STEADY, &format!("Prometheus answers {query}"), || {
        let found = bed.prometheus.value(query);
        let is_near = found.as_ref().is_ok_and(|it| (it / value - 1.0).abs() < 0.1);
        seen(is_near, format!("{found:?}"))
    });
}

/// Counts requests of a pod at a steady rate until `is_over`.
fn count_requests(bed: &Bed, labels: &[(&str, &str)], per_second: f64, is_over: &AtomicBool) {
    let begun = Instant::now();
    while !is_over.load(Ordering::Relaxed) {
        let count = per_second * begun.elapsed().as_secs_f64();
        bed.exporter.set("http_requests_total", labels, count.floor());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Ends the counting, also when the test fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn rules_of_prometheus_adapter_scale_by_pods_by_a_service_and_by_a_queue() {
    let bed = Bed::exclusive();
    let namespace = "rules-scale";
    let workload = Workload::new(&bed, namespace, Duration::ZERO);
    let pods = workload.pods();
    let of_pod = [("kubernetes_namespace", namespace), ("kubernetes_pod_name", &*pods[0])];
    let of_service = [("namespace", namespace), ("service", "checkout")];
    bed.exporter.set("checkout_in_flight", &of_service, 12.0);
    for (queue, depth) in [("orders", 30.0), ("mails", 1000.0)] {
        bed.exporter.set("queue_depth", &[("namespace", namespace), ("queue", queue)], depth);
    }
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| count_requests(&bed, &of_pod, 20.0, &is_over));
        let _over = Over(&is_over);
        // Steady for as long as the oldest instant that the first to ask may be answered about.
        let series = format!("http_requests_total{{kubernetes_namespace={namespace:?}}}");
        wait_scraped(&bed, &format!("sum(rate({series}[2m] offset 15s))"), 20.0);
        let stage = stage(&bed);
        let log = stage.adapter.log();
        assert!(log.contains("resourceRules"), "what is ignored is told: {log}");

        // A Pods metric of a rule: ceil(20 / 8) = 3; the new pods have no series, and move nothing.
        workload_scales(&stage, &workload, namespace, PODS, 3);
        let path = custom(namespace, "pods", "*", "http_requests_per_second");
        let served = stage.served(&format!("{path}?labelSelector=app%3Dllama"));
        assert!(served.as_ref().is_ok_and(|it| (it - 20.0).abs() < 3.0), "{served:?}");
        let group = "/apis/custom.metrics.k8s.io/v1beta2";
        let own = format!("{group}/namespaces/{namespace}/metrics/http_requests_per_second");
        let own = stage.served(&own);
        assert!(own.as_ref().is_ok_and(|it| (it - 20.0).abs() < 3.0), "of the namespace: {own:?}");

        // A metric of a Service: ceil(12 / 3) = 4.
        workload_scales(&stage, &workload, namespace, SERVICE, 4);
        // An external one of one queue: ceil(30 / 6) = 5.
        workload_scales(&stage, &workload, namespace, QUEUE, 5);
        let orders = format!("{}?labelSelector=queue%3Dorders", external(namespace, "queue_depth"));
        assert_eq!(stage.served(&orders), Ok(30.0));
        let gone = stage.served(&custom(namespace, "services", "cart", "checkout_in_flight"));
        assert!(gone.as_ref().is_err_and(|it| it.contains("rules[1]")), "{gone:?}");
    });
}

const PODS: &str = "{type: Pods, pods: {metric: {name: http_requests_per_second}, \
     target: {type: AverageValue, averageValue: 8}}}";
const SERVICE: &str = "{type: Object, object: {metric: {name: checkout_in_flight}, \
     describedObject: {apiVersion: v1, kind: Service, name: checkout}, \
     target: {type: AverageValue, averageValue: 3}}}";
const QUEUE: &str = "{type: External, external: {metric: {name: queue_depth, \
     selector: {matchLabels: {queue: orders}}}, target: {type: AverageValue, averageValue: 6}}}";
const GIZMO: &str = "{type: Object, object: {metric: {name: gizmo_heat}, \
     describedObject: {apiVersion: example.com/v1, kind: Gizmo, name: core}, \
     target: {type: AverageValue, averageValue: 2}}}";

#[track_caller]
fn workload_scales(
    stage: &Stage<'_>,
    workload: &Workload<'_>,
    namespace: &str,
    metric: &str,
    count: i64,
) {
    stage.bed.kubectl.apply(&hpa(namespace, metric));
    workload.wait_replicas(count);
    workload.wait_ready(count);
    workload.wait_described(&["ValidMetricFound"]);
    assert_eq!(workload.replicas(), count);
}

const DEFINITION: &str = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gizmos.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: gizmos, singular: gizmo, kind: Gizmo, listKind: GizmoList}
  versions:
    - name: v1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object}}
";

/// Takes away what was installed, also when the test fails.
struct Installed<'a>(&'a Bed);

impl Drop for Installed<'_> {
    fn drop(&mut self) {
        for what in [
            "crd gizmos.example.com",
            "clusterrole foresail:object-reader foresail:gizmos",
            "clusterrolebinding foresail:object-reader foresail:gizmos",
        ] {
            // Its success does not matter: the test may have failed before it was there.
            self.0.kubectl.run(&format!("delete {what} --ignore-not-found"));
        }
    }
}

#[test]
fn a_kind_that_is_installed_later_has_the_metrics_of_its_rule() {
    let bed = Bed::exclusive();
    let namespace = "rules-follow";
    let _installed = Installed(&bed);
    let workload = Workload::new(&bed, namespace, Duration::ZERO);
    for (gizmo, heat) in [("core", 7.0), ("rim", 3.0), ("long-gone", 50.0)] {
        bed.exporter.set("gizmo_heat", &[("namespace", namespace), ("gizmo", gizmo)], heat);
    }
    wait_scraped(&bed, "gizmo_heat{gizmo='core'}", 7.0);
    let stage = stage(&bed);
    let path = |name: &str| custom(namespace, "gizmos.example.com", name, "gizmo_heat");
    assert!(stage.served(&path("core")).is_err(), "there is no such kind yet");
    let rules = stage.adapter.observe("/debug/rules").unwrap().body;
    assert!(rules.contains("the cluster has no resource `gizmo.example.com`"), "{rules}");

    // Nothing is restarted.
    bed.kubectl.apply(DEFINITION);
    stage.wait_served(&path("core"), 7.0);
    workload_scales(&stage, &workload, namespace, GIZMO, 4);

    // Which objects there are is a right of its own, and the refusal says which.
    let hot = format!("{}?labelSelector=place%3Dinside", path("*"));
    let missing = r#"{apiGroups: ["example.com"], resources: [gizmos], verbs: [list, watch]}"#;
    let refused = stage.served(&hot).unwrap_err();
    assert!(refused.contains(missing), "{refused}");
    for (gizmo, place) in [("core", "inside"), ("rim", "outside")] {
        bed.kubectl.apply(&format!(
            "{{apiVersion: example.com/v1, kind: Gizmo, metadata: {{name: {gizmo}, \
             namespace: {namespace}, labels: {{place: {place}}}}}}}"
        ));
    }
    let component = std::fs::read_to_string(COMPONENT).unwrap();
    bed.kubectl.apply(&component);
    let gizmos = component
        .replace("foresail:object-reader", "foresail:gizmos")
        .replace("apiGroups: [\"\"]", "apiGroups: [\"example.com\"]")
        .replace("[namespaces, nodes, services]", "[gizmos]");
    bed.kubectl.apply(&gizmos);
    stage.wait_served(&hot, 7.0);
    let all = bed.kubectl.raw(&path("*"));
    let names: Vec<_> =
        all["items"].as_array().unwrap().iter().map(|it| &it["describedObject"]["name"]).collect();
    assert_eq!(names, ["core", "rim"], "what is gone is left out: {all}");
    assert_eq!(all["items"][0]["describedObject"]["kind"], "Gizmo");
    // Namespaces themselves, by the rights of the component.
    let group = "/apis/custom.metrics.k8s.io/v1beta1";
    let of_namespaces = format!(
        "{group}/namespaces/*/metrics/gizmo_heat?labelSelector=kubernetes.io%2Fmetadata.name%3D{namespace}"
    );
    stage.wait_served(&of_namespaces, 50.0);

    // And away again: the metric goes with its kind.
    bed.kubectl.ok("delete crd gizmos.example.com");
    wait_until(SOON, "the metric is gone", || {
        let served = stage.served(&path("core"));
        seen(served.is_err(), format!("{served:?}"))
    });
}
