//! One answer of the metrics API: the wish of a history as a number, and both as the body that the
//! controller reads and as the reading that the simulator gets.

use foresail::simulate::hpa::behavior::Behavior;
use foresail::simulate::hpa::metric::{MetricSpec, Reading, TotalTarget};
use foresail::simulate::hpa::pod::{Pod, PodValue, PodValues};
use foresail::simulate::random::Random;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::history::Wish;
use super::plan::Plan;
use super::targets::Seen;
use super::{NAMESPACE, chance, draw};

/// The flag's default; the bed does not change it.
const TOLERANCE: f64 = 0.1;

/// An answer.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Value,
    pub(super) reading: Reading,
}

/// What a metric says at a sync of its HPA.
pub(super) fn answer(
    plan: &Plan,
    place: usize,
    sync: usize,
    seen: &Seen,
    random: &mut Random,
) -> Answer {
    let metric = plan.spec.metrics[place];
    let name = plan.metric(place);
    match plan.histories[place][sync] {
        Wish::Refused(status) => {
            let body = failure(status, &format!("no sample of {name}"));
            Answer { status, body, reading: Reading::Failed(format!("status {status}")) }
        }
        Wish::Empty => list(&name, &metric, Vec::new()),
        Wish::Demand(demand) => {
            let mean = demand * target(&metric) / share(&metric, seen);
            let items = items(plan, &metric, mean, seen, random);
            list(&name, &metric, items)
        }
        Wish::Edge { up, off_milli } => {
            let edge = target(&metric) * edge(plan, up);
            let replicas = if is_average(&metric) { f64::from(seen.status_replicas) } else { 1.0 };
            let total = milli(edge * replicas) + off_milli;
            let items = match metric {
                MetricSpec::Pods { .. } => {
                    seen.pods.iter().map(|pod| (pod.name.clone(), total)).collect()
                }
                _ => vec![(plan.name.clone(), total.max(0))],
            };
            list(&name, &metric, items)
        }
    }
}

/// By how much of the target the end of the band of tolerance is off.
fn edge(plan: &Plan, up: bool) -> f64 {
    let (mut scale_up, mut scale_down) = (TOLERANCE, TOLERANCE);
    if let Some(Behavior { scale_up: up, scale_down: down }) = &plan.spec.behavior {
        scale_up = up.tolerance.unwrap_or(TOLERANCE);
        scale_down = down.tolerance.unwrap_or(TOLERANCE);
    }
    if up { 1.0 + scale_up } else { 1.0 - scale_down }
}

fn target(metric: &MetricSpec) -> f64 {
    let milli = match metric {
        MetricSpec::Pods { average_value_milli: milli }
        | MetricSpec::Object {
            target: TotalTarget::Value(milli) | TotalTarget::AverageValue(milli),
        }
        | MetricSpec::External {
            target: TotalTarget::Value(milli) | TotalTarget::AverageValue(milli),
        } => *milli,
        MetricSpec::Resource { .. } => unreachable!("not among the kinds"),
    };
    milli as f64
}

fn is_average(metric: &MetricSpec) -> bool {
    matches!(
        metric,
        MetricSpec::Object { target: TotalTarget::AverageValue(_) }
            | MetricSpec::External { target: TotalTarget::AverageValue(_) }
    )
}

/// Over how many pods a demand spreads before the metric shows it.
fn share(metric: &MetricSpec, seen: &Seen) -> f64 {
    let pods = match metric {
        MetricSpec::Pods { .. } => seen.pods.len(),
        _ if is_average(metric) => 1,
        _ => seen.pods.iter().filter(|pod| pod.is_ready()).count(),
    };
    pods.max(1) as f64
}

/// Named values around a mean: no two of them alike, so that each answer changes the HPA's status
/// and the controller writes it, which tells when it was done.
fn items(
    plan: &Plan,
    metric: &MetricSpec,
    mean: f64,
    seen: &Seen,
    random: &mut Random,
) -> Vec<(String, i64)> {
    let mut value = |mean: f64, spread: f64| match mean {
        0.0 => 0,
        _ => milli(mean * (1.0 + spread * (random.uniform() - 0.5))),
    };
    match metric {
        MetricSpec::Pods { .. } => {
            let values: Vec<i64> = seen.pods.iter().map(|_| value(mean, 0.8)).collect();
            let named = |(pod, value): (&Pod, i64)| (pod.name.clone(), value);
            let mut items: Vec<_> = seen.pods.iter().zip(values).map(named).collect();
            items.retain(|_| chance(random, 0.88));
            if chance(random, 0.1) {
                items.push((format!("{}-stranger", plan.name), milli(mean)));
            }
            items
        }
        MetricSpec::External { .. } => {
            let parts = draw(random, 1, 3);
            let mut value = |mean: f64| milli(mean * (1.0 + 0.02 * random.uniform()));
            (0..parts).map(|part| (part.to_string(), value(mean / f64::from(parts)))).collect()
        }
        _ => vec![(plan.name.clone(), value(mean, 0.02))],
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the histories' numbers are small")]
fn milli(value: f64) -> i64 {
    value.round() as i64
}

/// The list of these items, and what they are for the simulator.
fn list(metric_name: &str, metric: &MetricSpec, items: Vec<(String, i64)>) -> Answer {
    let timestamp = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let (kind, version, resource) = match metric {
        MetricSpec::External { .. } => {
            ("ExternalMetricValueList", "external.metrics.k8s.io/v1beta1", "")
        }
        MetricSpec::Pods { .. } => ("MetricValueList", "custom.metrics.k8s.io/v1beta2", "Pod"),
        _ => ("MetricValueList", "custom.metrics.k8s.io/v1beta2", "Service"),
    };
    let item = |(name, milli): &(String, i64)| {
        let mut item = json!({"timestamp": timestamp, "value": format!("{milli}m")});
        if resource.is_empty() {
            item["metricName"] = json!(metric_name);
            item["metricLabels"] = json!({"part": name});
        } else {
            item["metric"] = json!({"name": metric_name});
            item["describedObject"] =
                json!({"kind": resource, "namespace": NAMESPACE, "name": name, "apiVersion": "v1"});
        }
        item
    };
    let body = json!({
        "kind": kind,
        "apiVersion": version,
        "metadata": {},
        "items": items.iter().map(item).collect::<Vec<_>>(),
    });
    let reading = match (metric, &items[..]) {
        (MetricSpec::Pods { .. }, _) => {
            let value = |(name, milli): (String, i64)| (name, PodValue::of(milli));
            Reading::PerPod(items.into_iter().map(value).collect::<PodValues>())
        }
        (MetricSpec::External { .. }, _) => {
            Reading::External(items.into_iter().map(|(_, milli)| milli).collect())
        }
        (_, [(_, milli)]) => Reading::Object(*milli),
        _ => Reading::Failed("not one object".to_owned()),
    };
    Answer { status: 200, body, reading }
}

/// The body of a refusal.
pub(super) fn failure(status: u16, message: &str) -> Value {
    let reason = if status == 404 { "NotFound" } else { "InternalError" };
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": status,
    })
}
