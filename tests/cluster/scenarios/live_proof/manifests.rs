//! The two fleets as objects of the cluster: Deployments, policies, HPAs.

use super::{ARRIVALS, AUTO, FLEETS, METRIC, REACTIVE, WAITING};
use crate::bed::Bed;
use crate::bed::wait::{seen, wait_until};
use crate::stage::SOON;

/// Pods at the beginning.
const PODS: u32 = 12;
/// Seconds until a pod is Ready: five minutes of compressed time.
const STARTUP: u32 = 5;
/// What the policy is told, which includes the way to a node.
const LEAD_TIME: &str = "6s";

/// Namespaces and Deployments, and waits for the pods.
pub(super) fn deploy(bed: &Bed) {
    for namespace in FLEETS {
        bed.kubectl.apply(&format!(
            "
apiVersion: v1
kind: Namespace
metadata: {{name: {namespace}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: llama, namespace: {namespace}, labels: {{proof: live}}}}
spec:
  replicas: {PODS}
  selector: {{matchLabels: {{app: llama}}}}
  template:
    metadata:
      labels: {{app: llama}}
      annotations: {{pod-ready.stage.kwok.x-k8s.io/delay: {STARTUP}s}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{{name: engine, image: example.invalid/engine}}]
"
        ));
    }
    wait_until(SOON, "the pods are ready", || {
        let pods = super::fleet::pods(bed);
        seen(pods.iter().all(|it| it.ready >= f64::from(PODS)), format!("{pods:?}"))
    });
}

/// Policies and HPAs. Both read the same: what arrives, and what waits to be gone in five minutes.
/// The plain one leaves the headroom that people leave, pods at 70 %; `auto` chooses its own.
pub(super) fn scale(bed: &Bed) {
    let forecast = format!(
        "
  capacity: {{perPod: 1}}
  forecast:
    model: auto
    leadTime: {LEAD_TIME}
    season: 24m
    objective: {{maxWait: 1s, latePercent: 1}}"
    );
    for (namespace, further, target) in [(REACTIVE, "", "700m"), (AUTO, forecast.as_str(), "1")] {
        bed.kubectl.apply(&format!(
            "
apiVersion: foresail.dev/v1alpha1
kind: MetricPolicy
metadata: {{name: demand, namespace: {namespace}}}
spec:
  metric: {{name: {METRIC}, type: External}}
  interval: 1s
  signals:
    demand: {{source: default, prometheus: {{query: 'sum({ARRIVALS}) + sum({WAITING}) / 5'}}}}
  guard: {{maxAge: 5s, hold: 10s}}{further}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {{name: llama, namespace: {namespace}}}
spec:
  scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: llama}}
  minReplicas: 1
  maxReplicas: 60
  metrics:
    - type: External
      external: {{metric: {{name: {METRIC}}}, target: {{type: AverageValue, averageValue: {target}}}}}
  behavior:
    scaleUp:
      stabilizationWindowSeconds: 0
      policies: [{{type: Percent, value: 100, periodSeconds: 1}}, {{type: Pods, value: 4, periodSeconds: 1}}]
    scaleDown:
      stabilizationWindowSeconds: 5
      policies: [{{type: Percent, value: 100, periodSeconds: 1}}]
"
        ));
    }
}

/// Takes all of it away.
pub(super) fn remove(bed: &Bed) {
    for namespace in FLEETS {
        bed.kubectl.ok(&format!("delete namespace {namespace} --wait=false"));
    }
}
