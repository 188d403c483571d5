//! From the written shape of a capacity and of a unit to their settings.

use crate::document::fault::Fault;
use crate::document::path::Path;
use crate::domain::finite::Finite;
use crate::domain::quantity;
use crate::policy::capacity::{Capacity, Emit, Learn};
use crate::policy::expression::{BadExpression, Condition, Expression};
use crate::policy::resolve::Faults;
use crate::policy::wire::{IntOrText, MetricPolicySpec, MetricType, capacity as wire};

/// Settles what a pod serves and the unit of the metric; `None` when something is wrong. `path` is
/// that of the spec.
pub(super) fn resolve(
    spec: &MetricPolicySpec,
    path: &Path,
    faults: &mut Faults,
) -> Option<(Capacity, Emit)> {
    let capacity = match &spec.capacity {
        None => Some(Capacity::default()),
        Some(wire) => capacity_of(wire, spec, &path.key("capacity"), faults),
    };
    let emit = match spec.emit {
        None | Some(wire::Emit::Demand) => Some(Emit::Demand),
        Some(wire::Emit::DesiredReplicas) => replicas_of(spec, &path.key("emit"), faults),
    };
    Some((capacity?, emit?))
}

fn capacity_of(
    wire: &wire::Capacity,
    spec: &MetricPolicySpec,
    path: &Path,
    faults: &mut Faults,
) -> Option<Capacity> {
    let wire::Capacity { per_pod, learn } = wire;
    if per_pod.is_none() && learn.is_none() {
        let fault = Fault::new(path.clone(), "it says nothing");
        faults.add(fault.hint("write `perPod: 8`, or `learn: {saturated: …, load: …}`"));
        return None;
    }
    let per_pod = match per_pod {
        None => Some(None),
        Some(quantity) => per_pod_of(quantity, &path.key("perPod"), faults).map(Some),
    };
    let learn = match learn {
        None => Some(None),
        Some(learn) => learn_of(learn, spec, &path.key("learn"), faults).map(Some),
    };
    Some(Capacity { per_pod: per_pod?, learn: learn? })
}

fn per_pod_of(quantity: &IntOrText, path: &Path, faults: &mut Faults) -> Option<Finite> {
    let value = faults.take(path.clone(), quantity::parse(&quantity.text()))?;
    if value.get() > 0.0 {
        return Some(value);
    }
    let fault = Fault::new(path.clone(), "a pod that serves nothing");
    faults.add(fault.hint("give the metric's value at which one pod is full, e.g. 8"));
    None
}

fn learn_of(
    wire: &wire::Learn,
    spec: &MetricPolicySpec,
    path: &Path,
    faults: &mut Faults,
) -> Option<Learn> {
    if matches!(spec.metric.metric_type, MetricType::Pods) {
        let fault = Fault::new(path.clone(), "a Pods metric has no number for the fleet");
        faults.add(fault.hint("give `perPod`, or publish the sum as an External metric"));
        return None;
    }
    let names: Vec<&str> = spec.signals.keys().map(String::as_str).collect();
    let mut bad = |key: &str, error: BadExpression| {
        let fault = Fault::new(path.key(key), error.problem);
        faults.add(error.hint.into_iter().fold(fault, Fault::hint));
    };
    let saturated = Condition::parse(&wire.saturated, &names);
    let saturated = saturated.map_err(|error| bad("saturated", error)).ok();
    let load = Expression::parse(&wire.load, &names).map_err(|error| bad("load", error)).ok();
    Some(Learn { saturated: saturated?, load: load? })
}

/// The HPA's own target is 1 here and says nothing about a pod.
fn replicas_of(spec: &MetricPolicySpec, path: &Path, faults: &mut Faults) -> Option<Emit> {
    let (problem, hint) = match (spec.metric.metric_type, &spec.capacity) {
        (MetricType::Pods, _) => (
            "the HPA takes the mean of a Pods metric, which is no replica count",
            "say `type: External`, with the sum over all pods",
        ),
        (MetricType::External | MetricType::Object, None) => (
            "replicas follow from what one pod serves, and `capacity` is left out",
            "write `capacity: {perPod: 8}`, or `capacity: {learn: {saturated: …, load: …}}`",
        ),
        (MetricType::External | MetricType::Object, Some(_)) => return Some(Emit::DesiredReplicas),
    };
    faults.add(Fault::new(path.clone(), problem).hint(hint));
    None
}

#[cfg(test)]
mod tests;
