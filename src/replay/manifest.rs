//! The manifest of an HPA, as the autoscaler of a replay.
//!
//! Only what a replay can play is taken: `autoscaling/v2`, one External (or Object) metric with an
//! AverageValue target. Anything else is refused with a sentence, since a number for another
//! autoscaler than one's own helps nobody.

use crate::document::fault::{Advice, Fault};
use crate::document::path::Path;
use crate::document::yaml::{Node, Value};
use crate::domain::limits;
use crate::domain::metric::Subject;
use crate::domain::quantity;
use crate::policy::Policy;
use crate::simulate::hpa::HpaSpec;
use crate::simulate::hpa::behavior::{
    Behavior, PolicyUnit, ScalingPolicy, ScalingRules, SelectPolicy,
};
use crate::simulate::hpa::metric::{MetricSpec, TotalTarget};
use crate::simulate::judge::REPLICAS_MAX;
use std::ops::RangeInclusive;
use std::time::Duration;

mod shape;

#[cfg(test)]
mod tests;

/// Bounds of the API server, in seconds.
const WINDOW: RangeInclusive<i32> = 0..=3_600;
const PERIOD: RangeInclusive<i32> = 1..=1_800;

/// An HPA that can be replayed.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// What it does.
    pub spec: HpaSpec,
    /// What it aims at for each pod, in thousandths of the metric.
    pub target_milli: i64,
}

/// The metric that an HPA has to ask for to be that of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Who publishes it.
    pub policy: String,
    /// In which namespace.
    pub namespace: String,
    /// Under which name.
    pub metric: String,
    /// Of which object, by kind and name; `None` for an External metric.
    pub object: Option<(String, String)>,
}

impl Published {
    /// What a policy publishes.
    #[must_use]
    pub fn by(policy: &Policy) -> Self {
        let object = match &policy.subject {
            Subject::Object { object, .. } => {
                Some((object.kind.kind.to_string(), object.name.to_string()))
            }
            Subject::External | Subject::Pods => None,
        };
        Self {
            policy: policy.key.to_string(),
            namespace: policy.key.namespace.to_string(),
            metric: policy.metric.to_string(),
            object,
        }
    }
}

/// Reads the manifest of an HPA on this metric.
///
/// # Errors
/// All faults, each with its line.
pub fn parse(text: &str, published: &Published) -> Result<Manifest, Vec<Fault>> {
    let document = Node::parse(text).map_err(|error| {
        let problem = format!("not YAML: {}", error.problem);
        let fault = Fault::new(Path::default(), problem);
        vec![Fault { position: Some(error.at), ..fault.hint("give the manifest of one HPA") }]
    })?;
    let mut reader = Reader { published, faults: Vec::new() };
    let manifest = reader.manifest(&document);
    let Reader { mut faults, .. } = reader;
    for fault in shape::faults(&document) {
        // What was read and refused says more of it.
        if !faults.iter().any(|it| it.path == fault.path) {
            faults.push(fault);
        }
    }
    for fault in &mut faults {
        fault.position.get_or_insert(document.position(&fault.path));
    }
    match manifest {
        Some(manifest) if faults.is_empty() => Ok(manifest),
        _ => Err(faults),
    }
}

struct Reader<'p> {
    published: &'p Published,
    faults: Vec<Fault>,
}

impl Reader<'_> {
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
        let namespace = document.get("metadata").and_then(|it| it.get("namespace"));
        let namespace = namespace.and_then(Node::text);
        if let Some(namespace) = namespace.filter(|it| *it != self.published.namespace) {
            let Published { policy, .. } = self.published;
            let problem = format!("the HPA is in `{namespace}`, and policy {policy} is not");
            let hint = "an HPA asks for metrics of its own namespace; name the other with --name";
            self.fault::<()>(&root.key("metadata").key("namespace"), problem, hint);
        }
        let metric = self.metric(spec, &path.key("metrics"));
        let min = self.within(spec, &path, "minReplicas", 0..=REPLICAS_MAX);
        let least = min.unwrap_or(1).max(1);
        let max = self.within(spec, &path, "maxReplicas", least..=REPLICAS_MAX);
        if spec.get("maxReplicas").is_none() {
            self.fault::<()>(&path, "`maxReplicas` is missing", "the API server asks for it, too");
        }
        let behavior = spec.get("behavior").map(|it| self.behavior(it, &path.key("behavior")));
        let target_milli = metric?;
        let spec = HpaSpec {
            min_replicas: min,
            max_replicas: max?,
            metrics: vec![MetricSpec::External { target: TotalTarget::AverageValue(target_milli) }],
            behavior,
        };
        Some(Manifest { spec, target_milli })
    }

    /// The target of the only metric, in thousandths.
    fn metric(&mut self, spec: &Node, path: &Path) -> Option<i64> {
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
        self.name(kind, holder, &path);
        self.target(holder.and_then(|it| it.get("target")), &path.key("target"))
    }

    /// Whether it is the metric that is published.
    fn name(&mut self, kind: &str, holder: Option<&Node>, path: &Path) {
        let Published { policy, namespace: _, metric, object } = self.published;
        let publishes = if object.is_some() { "Object" } else { "External" };
        let found =
            holder.and_then(|it| it.get("metric")?.get("name")?.text()).unwrap_or("nothing");
        if found != metric {
            let problem = format!(
                "the HPA asks for the metric `{found}`, and policy {policy} publishes `{metric}`"
            );
            let hint = "name the one with --hpa and the other with --name";
            return self.fault(&path.key("metric").key("name"), problem, hint).unwrap_or_default();
        }
        if kind != publishes {
            let problem = format!(
                "the HPA asks for a metric of type {kind}, and policy {policy} publishes {metric} \
                 as {publishes}"
            );
            let hint = "it would find nothing; give both the same type";
            return self.fault(path, problem, hint).unwrap_or_default();
        }
        let Some((kind, name)) = object else { return };
        let described = holder.and_then(|it| it.get("describedObject"));
        let said = |key| described.and_then(|it| it.get(key)).and_then(Node::text);
        let found = (said("kind").unwrap_or("nothing"), said("name").unwrap_or("nothing"));
        if found != (kind.as_str(), name.as_str()) {
            let problem = format!(
                "the HPA asks about {} `{}`, and policy {policy} publishes it of {kind} `{name}`",
                found.0, found.1
            );
            let hint = "give both the same object";
            self.fault::<()>(&path.key("describedObject"), problem, hint);
        }
    }

    fn target(&mut self, target: Option<&Node>, path: &Path) -> Option<i64> {
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
        match (value * 1e3).ceil() {
            milli if milli < 1.0 => {
                self.fault(&path, "the target must be more than 0", "e.g. \"8\"")
            }
            milli if milli > limits::RECORDED_MAX * 1e3 => {
                let hint = "e.g. \"8\"; an HPA counts thousandths, in 64 bits";
                self.fault(&path, "the target is more than 1e15", hint)
            }
            milli => Some(whole(milli)),
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
        let window = self.within(node, &path, "stabilizationWindowSeconds", WINDOW).map(seconds);
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
            Some(Ok(value)) if value.is_negative() => {
                let hint = "a share such as `0.1` or `100m`";
                self.fault(&path.key("tolerance"), "negative", hint)
            }
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
        if node.elements().is_empty() {
            self.fault::<()>(path, "no policy", "leave it out for the API server's own");
        }
        for (index, node) in node.elements().iter().enumerate() {
            let path = path.index(index);
            let unit = match node.get("type").and_then(Node::text) {
                Some("Pods") => Some(PolicyUnit::Pods),
                Some("Percent") => Some(PolicyUnit::Percent),
                _ => self.fault(&path.key("type"), "neither Pods nor Percent", "say which"),
            };
            let value = self.within(node, &path, "value", 1..=i32::MAX);
            let period = self.within(node, &path, "periodSeconds", PERIOD);
            let is_there = node.get("value").is_some() && node.get("periodSeconds").is_some();
            match (unit, value, period) {
                (Some(unit), Some(value), Some(period)) => {
                    policies.push(ScalingPolicy { unit, value, period: seconds(period) });
                }
                (Some(_), ..) if is_there => {}
                (None, ..) => {}
                _ => {
                    let problem = "a policy needs `value` and `periodSeconds`";
                    self.fault::<()>(&path, problem, "e.g. `value: 100, periodSeconds: 15`");
                }
            }
        }
        policies
    }

    /// A whole number below `path`, within bounds; none if there is none.
    fn within(
        &mut self,
        node: &Node,
        path: &Path,
        key: &str,
        bounds: RangeInclusive<i32>,
    ) -> Option<i32> {
        let node = node.get(key).filter(|it| it.value != Value::Null)?;
        let path = path.key(key);
        let number = match &node.value {
            Value::Number(number) => number.as_i64(),
            _ => None,
        };
        let Some(number) = number else {
            return self.fault(&path, "not a whole number", "e.g. `10`");
        };
        let found = i32::try_from(number).ok().filter(|it| bounds.contains(it));
        if found.is_none() {
            let (least, most) = (bounds.start(), bounds.end());
            let problem = format!("{number} is not within {least} and {most}");
            let hint = match key {
                "maxReplicas" => "at least 1 and `minReplicas`; a replay has at most 10000",
                "minReplicas" => "a replay has at most 10000",
                _ => "the API server refuses it, too",
            };
            return self.fault(&path, problem, hint);
        }
        found
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

#[expect(clippy::cast_possible_truncation, reason = "the caller has checked the range")]
fn whole(number: f64) -> i64 {
    number as i64
}
