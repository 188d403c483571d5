//! The manifest of an HPA, as the autoscaler of a replay.
//!
//! Only what a replay can play is taken: `autoscaling/v2`, one External (or Object) metric with an
//! AverageValue target. Anything else is refused with a sentence, since a number for another
//! autoscaler than one's own helps nobody.

use crate::document::fault::{Advice, Fault};
use crate::document::path::Path;
use crate::document::yaml::{Node, Value};
use crate::domain::quantity;
use crate::simulate::hpa::HpaSpec;
use crate::simulate::hpa::behavior::{
    Behavior, PolicyUnit, ScalingPolicy, ScalingRules, SelectPolicy,
};
use crate::simulate::hpa::metric::{MetricSpec, TotalTarget};
use std::time::Duration;

#[cfg(test)]
mod tests;

/// An HPA that can be replayed.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// What it does.
    pub spec: HpaSpec,
    /// What it aims at for each pod, in thousandths of the metric.
    pub target_milli: i64,
    /// The metric's name.
    pub metric: String,
}

/// Reads a manifest.
///
/// # Errors
/// All faults, each with its line.
pub fn parse(text: &str) -> Result<Manifest, Vec<Fault>> {
    let document = Node::parse(text).map_err(|error| {
        let problem = format!("not YAML: {}", error.problem);
        let fault = Fault::new(Path::default(), problem);
        vec![Fault { position: Some(error.at), ..fault.hint("give the manifest of one HPA") }]
    })?;
    let mut reader = Reader { faults: Vec::new() };
    let manifest = reader.manifest(&document);
    let Reader { mut faults } = reader;
    for fault in &mut faults {
        fault.position.get_or_insert(document.position(&fault.path));
    }
    match manifest {
        Some(manifest) if faults.is_empty() => Ok(manifest),
        _ => Err(faults),
    }
}

struct Reader {
    faults: Vec<Fault>,
}

impl Reader {
    fn fault<T>(&mut self, path: &Path, problem: impl Into<String>, hint: &str) -> Option<T> {
        self.faults.push(Fault::new(path.clone(), problem).hint(hint));
        None
    }

    fn manifest(&mut self, document: &Node) -> Option<Manifest> {
        let root = Path::default();
        for (key, expected) in
            [("apiVersion", "autoscaling/v2"), ("kind", "HorizontalPodAutoscaler")]
        {
            let found = document.get(key).and_then(Node::text);
            if found != Some(expected) {
                let found = found.unwrap_or("nothing");
                let problem = format!("expected `{expected}`, found `{found}`");
                return self.fault(&root.key(key), problem, "give the manifest of one HPA");
            }
        }
        let path = root.key("spec");
        let Some(spec) = document.get("spec") else {
            return self.fault(&path, "missing", "an HPA has a `spec`");
        };
        let metric = self.metric(spec, &path.key("metrics"));
        let min = self.whole(spec, &path, "minReplicas");
        let max = self.whole(spec, &path, "maxReplicas");
        if spec.get("maxReplicas").is_none() {
            self.fault::<()>(&path, "`maxReplicas` is missing", "the API server asks for it, too");
        }
        let behavior = spec.get("behavior").map(|it| self.behavior(it, &path.key("behavior")));
        let (metric, target_milli) = metric?;
        let spec = HpaSpec {
            min_replicas: min,
            max_replicas: max?,
            metrics: vec![MetricSpec::External { target: TotalTarget::AverageValue(target_milli) }],
            behavior,
        };
        Some(Manifest { spec, target_milli, metric })
    }

    /// The name and target of the only metric.
    fn metric(&mut self, spec: &Node, path: &Path) -> Option<(String, i64)> {
        let metrics = spec.get("metrics").map(Node::elements).unwrap_or_default();
        let [metric] = metrics else {
            let problem = format!("{} metrics, and one can be replayed", metrics.len());
            return self.fault(path, problem, "leave the one that the policy publishes");
        };
        let path = path.index(0);
        let kind = metric.get("type").and_then(Node::text).unwrap_or("nothing");
        let (key, holder) = match kind {
            "External" => ("external", metric.get("external")),
            // With an AverageValue the controller's arithmetic is the same for both.
            "Object" => ("object", metric.get("object")),
            other => {
                let problem = format!("a metric of type {other} cannot be replayed");
                let hint = "publish the total as an External metric with an AverageValue target: \
                            then starting pods cannot distort it";
                return self.fault(&path.key("type"), problem, hint);
            }
        };
        let path = path.key(key);
        let name = holder.and_then(|it| it.get("metric")?.get("name")?.text().map(str::to_owned));
        let target = holder.and_then(|it| it.get("target"));
        let path = path.key("target");
        let kind = target.and_then(|it| it.get("type")).and_then(Node::text).unwrap_or("nothing");
        if kind != "AverageValue" {
            let problem = format!("a target of type {kind} cannot be replayed");
            let hint =
                "use AverageValue: a total divided by the target does not depend on the pods";
            return self.fault(&path.key("type"), problem, hint);
        }
        let path = path.key("averageValue");
        let value = target.and_then(|it| it.get("averageValue")).and_then(scalar);
        let value = match quantity::parse(&value.unwrap_or_default()) {
            Ok(value) => value.get(),
            Err(error) => return self.fault(&path, error.problem(), &error.advice()),
        };
        // As apimachinery does it: up to the next thousandth.
        let milli = (value * 1e3).ceil();
        match whole(milli).filter(|it| *it > 0) {
            Some(milli) => Some((name.unwrap_or_default(), milli)),
            None => self.fault(&path, "the target must be more than 0", "e.g. \"8\""),
        }
    }

    fn behavior(&mut self, node: &Node, path: &Path) -> Behavior {
        let default = Behavior::default();
        Behavior {
            scale_up: self.rules(node, path, "scaleUp", default.scale_up),
            scale_down: self.rules(node, path, "scaleDown", default.scale_down),
        }
    }

    fn rules(&mut self, node: &Node, path: &Path, key: &str, rules: ScalingRules) -> ScalingRules {
        let Some(node) = node.get(key) else { return rules };
        let path = path.key(key);
        let window = self.whole(node, &path, "stabilizationWindowSeconds").map(seconds);
        let select_policy = match node.get("selectPolicy").and_then(Node::text) {
            None => Some(rules.select_policy),
            Some("Max") => Some(SelectPolicy::Max),
            Some("Min") => Some(SelectPolicy::Min),
            Some("Disabled") => Some(SelectPolicy::Disabled),
            Some(other) => {
                let problem = format!("`{other}` is none of Max, Min and Disabled");
                self.fault(&path.key("selectPolicy"), problem, "leave it out for Max")
            }
        };
        let policies = node.get("policies").map(|it| self.policies(it, &path.key("policies")));
        let tolerance = node.get("tolerance").and_then(scalar);
        let tolerance = match tolerance.as_deref().map(quantity::parse) {
            None => rules.tolerance,
            Some(Ok(value)) => Some(value.get()),
            Some(Err(error)) => {
                self.fault(&path.key("tolerance"), error.problem(), &error.advice())
            }
        };
        ScalingRules {
            stabilization_window: window.or(rules.stabilization_window),
            select_policy: select_policy.unwrap_or(rules.select_policy),
            policies: policies.unwrap_or(rules.policies),
            tolerance,
        }
    }

    fn policies(&mut self, node: &Node, path: &Path) -> Vec<ScalingPolicy> {
        let mut policies = Vec::new();
        for (index, node) in node.elements().iter().enumerate() {
            let path = path.index(index);
            let unit = match node.get("type").and_then(Node::text) {
                Some("Pods") => Some(PolicyUnit::Pods),
                Some("Percent") => Some(PolicyUnit::Percent),
                _ => self.fault(&path.key("type"), "neither Pods nor Percent", "say which"),
            };
            let value = self.whole(node, &path, "value");
            let period = self.whole(node, &path, "periodSeconds");
            match (unit, value, period) {
                (Some(unit), Some(value), Some(period)) => {
                    policies.push(ScalingPolicy { unit, value, period: seconds(period) });
                }
                (None, ..) => {}
                _ => {
                    let problem = "a policy needs `value` and `periodSeconds`";
                    self.fault::<()>(&path, problem, "e.g. `value: 100, periodSeconds: 15`");
                }
            }
        }
        policies
    }

    /// A whole number below `path`; none if there is none.
    fn whole(&mut self, node: &Node, path: &Path, key: &str) -> Option<i32> {
        let node = node.get(key)?;
        let number = match &node.value {
            Value::Number(number) => number.as_i64().and_then(|it| i32::try_from(it).ok()),
            _ => None,
        };
        let number = number.filter(|it| *it >= 0);
        if number.is_none() {
            return self.fault(&path.key(key), "not a whole number, 0 or more", "e.g. `10`");
        }
        number
    }
}

/// A quantity is a number or a text.
fn scalar(node: &Node) -> Option<String> {
    match &node.value {
        Value::Number(number) => Some(number.to_string()),
        Value::Text(text) => Some(text.clone()),
        _ => None,
    }
}

fn seconds(number: i32) -> Duration {
    Duration::from_secs(u64::try_from(number).unwrap_or_default())
}

#[expect(clippy::cast_possible_truncation, reason = "checked against the range just before")]
fn whole(number: f64) -> Option<i64> {
    (number.abs() < 9e15).then_some(number as i64)
}
