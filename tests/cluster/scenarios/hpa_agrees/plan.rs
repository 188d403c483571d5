//! The HPAs of the comparison, drawn at random from a fixed seed, and their manifests.

use std::time::Duration;

use foresail::simulate::hpa::HpaSpec;
use foresail::simulate::hpa::behavior::{
    Behavior, PolicyUnit, ScalingPolicy, ScalingRules, SelectPolicy,
};
use foresail::simulate::hpa::metric::{MetricSpec, TotalTarget};
use foresail::simulate::random::Random;
use serde_json::{Value, json};

use super::history::{self, Wish};
use super::{NAMESPACE, draw, pick};
use crate::bed::control_plane::DOWNSCALE_STABILIZATION;

/// One HPA: what it scales, by what, and what its metrics will say.
pub(super) struct Plan {
    /// The name of the HPA, of its target and of the pods' label.
    pub(super) name: String,
    pub(super) target: Target,
    pub(super) spec: HpaSpec,
    /// How many replicas there are before the first sync.
    pub(super) replicas: i32,
    /// What each metric will say, sync by sync.
    pub(super) histories: Vec<Vec<Wish>>,
    /// Whether somebody changes the replica count by hand now and then.
    pub(super) by_hand: bool,
}

/// What an HPA scales.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// A Deployment with KWOK's pods.
    Deployment,
    /// A custom resource with a scale subresource, whose controller the test is, without pods.
    Engine,
    /// The same with pods in every state of a pod's life.
    EngineWithPods,
}

/// A metric, before its target is drawn.
#[derive(Clone, Copy)]
enum Kind {
    ExternalAverage,
    ExternalValue,
    ObjectAverage,
    ObjectValue,
    Pods,
}
use Kind::{ExternalAverage, ExternalValue, ObjectAverage, ObjectValue, Pods};

/// What is scaled by what, how often.
const MIX: &[(usize, Target, &[Kind])] = &[
    (4, Target::Deployment, &[ExternalAverage]),
    (2, Target::Deployment, &[ObjectAverage]),
    (1, Target::Deployment, &[ExternalAverage, ObjectAverage]),
    (1, Target::Deployment, &[ExternalValue]),
    (1, Target::Deployment, &[ObjectValue]),
    (2, Target::Deployment, &[Pods]),
    (10, Target::Engine, &[ExternalAverage]),
    (4, Target::Engine, &[ObjectAverage]),
    (2, Target::Engine, &[ExternalAverage, ObjectAverage]),
    (1, Target::Engine, &[ExternalAverage, ExternalAverage, ExternalAverage]),
    (3, Target::EngineWithPods, &[Pods]),
    (2, Target::EngineWithPods, &[ExternalValue]),
    (2, Target::EngineWithPods, &[ObjectValue]),
    (1, Target::EngineWithPods, &[Pods, ExternalAverage]),
    (1, Target::EngineWithPods, &[Pods, ExternalValue, ObjectAverage]),
];

/// All HPAs of this seed.
pub(super) fn plans(seed: u64) -> Vec<Plan> {
    let rows =
        MIX.iter().flat_map(|&(count, target, kinds)| (0..count).map(move |_| (target, kinds)));
    let of_kind = |idx: usize| u64::try_from(idx).unwrap();
    rows.enumerate()
        .map(|(idx, (target, kinds))| {
            let random = Random::keyed(seed, 1, of_kind(idx));
            plan(idx, target, kinds, random)
        })
        .collect()
}

fn plan(idx: usize, target: Target, kinds: &[Kind], mut random: Random) -> Plan {
    // Pods cost the machine; a custom resource costs nothing.
    let most = match target {
        Target::Deployment => 12,
        Target::Engine => 80,
        Target::EngineWithPods => 8,
    };
    let metrics: Vec<MetricSpec> = kinds.iter().map(|kind| metric(*kind, &mut random)).collect();
    let wakes = metrics.iter().any(|it| !matches!(it, MetricSpec::Pods { .. }));
    let max_replicas = draw(&mut random, most / 2, most);
    let min_replicas = match draw(&mut random, 0, 3) {
        0 if wakes => Some(0),
        1 => Some(draw(&mut random, 1, max_replicas / 3 + 1)),
        2 => None,
        _ => Some(1),
    };
    // Every third one follows the rules of an HPA without behavior.
    let behavior = (!idx.is_multiple_of(3)).then(|| behavior(&mut random));
    let spec = HpaSpec { min_replicas, max_replicas, metrics, behavior };
    let replicas = draw(&mut random, spec.min_replicas().max(1), max_replicas);
    let histories = kinds.iter().map(|_| history::wishes(&spec, &mut random)).collect();
    // Two that follow the older rules: those keep no scale events, whose exact time such a sync,
    // which reads no metric, would not show.
    let by_hand = target == Target::Engine
        && spec.behavior.is_none()
        && kinds.len() == 1
        && idx.is_multiple_of(2);
    Plan { name: format!("h{idx:02}"), target, spec, replicas, histories, by_hand }
}

fn metric(kind: Kind, random: &mut Random) -> MetricSpec {
    let target = i64::from(draw(random, 1_000, 60_000));
    match kind {
        ExternalAverage => MetricSpec::External { target: TotalTarget::AverageValue(target) },
        ExternalValue => MetricSpec::External { target: TotalTarget::Value(target) },
        ObjectAverage => MetricSpec::Object { target: TotalTarget::AverageValue(target) },
        ObjectValue => MetricSpec::Object { target: TotalTarget::Value(target) },
        Pods => MetricSpec::Pods { average_value_milli: target },
    }
}

fn behavior(random: &mut Random) -> Behavior {
    // Few different ones, so that there is time between their ends (`api::clear_of_windows`).
    let seconds = [*pick(random, &[1, 2, 3]), *pick(random, &[3, 5, 8])];
    let mut behavior = Behavior::default();
    for rules in [&mut behavior.scale_up, &mut behavior.scale_down] {
        // One in four is left as the API server fills it in.
        if draw(random, 0, 3) > 0 {
            *rules = scaling_rules(random, seconds, rules.stabilization_window);
        }
    }
    behavior
}

fn scaling_rules(
    random: &mut Random,
    seconds: [u64; 2],
    default_window: Option<Duration>,
) -> ScalingRules {
    let stabilization_window = match draw(random, 0, 3) {
        0 => default_window,
        1 => Some(Duration::ZERO),
        _ => Some(Duration::from_secs(*pick(random, &seconds))),
    };
    let select_policy = match draw(random, 0, 9) {
        0 => SelectPolicy::Disabled,
        1..=4 => SelectPolicy::Min,
        _ => SelectPolicy::Max,
    };
    let count = draw(random, 1, 3);
    let policies = (0..count).map(|_| {
        let period = Duration::from_secs(*pick(random, &seconds));
        match draw(random, 0, 1) {
            0 => ScalingPolicy::pods(draw(random, 1, 9), period),
            _ => ScalingPolicy::percent(*pick(random, &[10, 25, 50, 100, 200, 900]), period),
        }
    });
    let policies = policies.collect();
    let tolerance = match draw(random, 0, 2) {
        0 => None,
        _ => Some(*pick(random, &[0.0, 0.01, 0.05, 0.15, 0.3])),
    };
    ScalingRules { stabilization_window, select_policy, policies, tolerance }
}

impl Plan {
    /// The name of the metric at a place of the spec.
    pub(super) fn metric(&self, place: usize) -> String {
        format!("{}-m{place}", self.name)
    }

    /// Whether the controller looks at the pods for one of the metrics.
    pub(super) fn needs_pods(&self) -> bool {
        self.spec.metrics.iter().any(|metric| match metric {
            MetricSpec::Pods { .. } | MetricSpec::Resource { .. } => true,
            MetricSpec::Object { target } | MetricSpec::External { target } => {
                matches!(target, TotalTarget::Value(_))
            }
        })
    }

    /// The ages at which what the controller remembers stops to count.
    pub(super) fn windows(&self) -> Vec<Duration> {
        let mut windows = vec![DOWNSCALE_STABILIZATION];
        if let Some(Behavior { scale_up, scale_down }) = &self.spec.behavior {
            windows.clear();
            windows.push(scale_down.stabilization_window.unwrap_or(DOWNSCALE_STABILIZATION));
            windows.extend(scale_up.stabilization_window);
            let policies = scale_up.policies.iter().chain(&scale_down.policies);
            windows.extend(policies.map(|policy| policy.period));
        }
        windows.sort();
        windows.dedup();
        windows.retain(|window| !window.is_zero());
        windows
    }

    /// `apiVersion` and `kind` of the scale target.
    pub(super) fn target_kind(&self) -> (&'static str, &'static str) {
        match self.target {
            Target::Deployment => ("apps/v1", "Deployment"),
            Target::Engine | Target::EngineWithPods => ("agrees.test/v1", "Engine"),
        }
    }

    /// The HPA's manifest.
    pub(super) fn hpa(&self) -> Value {
        let (api_version, kind) = self.target_kind();
        let metrics: Vec<Value> = (0..)
            .zip(&self.spec.metrics)
            .map(|(place, it)| self.metric_manifest(place, it))
            .collect();
        let mut spec = json!({
            "scaleTargetRef": {"apiVersion": api_version, "kind": kind, "name": self.name},
            "maxReplicas": self.spec.max_replicas,
            "metrics": metrics,
        });
        if let Some(min) = self.spec.min_replicas {
            spec["minReplicas"] = json!(min);
        }
        if let Some(Behavior { scale_up, scale_down }) = &self.spec.behavior {
            spec["behavior"] = json!({"scaleUp": rules(scale_up), "scaleDown": rules(scale_down)});
        }
        json!({
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": self.name, "namespace": NAMESPACE},
            "spec": spec,
        })
    }

    fn metric_manifest(&self, place: usize, metric: &MetricSpec) -> Value {
        let identity = json!({"name": self.metric(place)});
        let target = |target: &TotalTarget| match target {
            TotalTarget::Value(milli) => json!({"type": "Value", "value": format!("{milli}m")}),
            TotalTarget::AverageValue(milli) => average(*milli),
        };
        match metric {
            MetricSpec::External { target: it } => json!({
                "type": "External", "external": {"metric": identity, "target": target(it)},
            }),
            MetricSpec::Object { target: it } => json!({"type": "Object", "object": {
                "metric": identity,
                "target": target(it),
                "describedObject": {"apiVersion": "v1", "kind": "Service", "name": self.name},
            }}),
            MetricSpec::Pods { average_value_milli } => json!({
                "type": "Pods", "pods": {"metric": identity, "target": average(*average_value_milli)},
            }),
            MetricSpec::Resource { .. } => unreachable!("not among the kinds"),
        }
    }
}

fn average(milli: i64) -> Value {
    json!({"type": "AverageValue", "averageValue": format!("{milli}m")})
}

fn rules(rules: &ScalingRules) -> Value {
    let policies = rules.policies.iter().map(|policy| {
        let unit = match policy.unit {
            PolicyUnit::Pods => "Pods",
            PolicyUnit::Percent => "Percent",
        };
        json!({"type": unit, "value": policy.value, "periodSeconds": policy.period.as_secs()})
    });
    let select = match rules.select_policy {
        SelectPolicy::Max => "Max",
        SelectPolicy::Min => "Min",
        SelectPolicy::Disabled => "Disabled",
    };
    let mut manifest = json!({"selectPolicy": select, "policies": policies.collect::<Vec<_>>()});
    if let Some(window) = rules.stabilization_window {
        manifest["stabilizationWindowSeconds"] = json!(window.as_secs());
    }
    if let Some(tolerance) = rules.tolerance {
        manifest["tolerance"] = json!(tolerance.to_string());
    }
    manifest
}
