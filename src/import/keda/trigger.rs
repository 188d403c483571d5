//! One trigger: what is read, and the target that its threshold is.

use super::authentication::{Authentications, Shown};
use super::parameters::Properties;
use crate::document::path::Path;
use crate::document::yaml::{Node, Value};
use crate::import::output::Sources;
use crate::import::{Remarks, metric_name};
use crate::policy::wire;
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;

/// A trigger in our words.
#[derive(Debug)]
pub(super) struct Trigger {
    /// Its name, or one made from its place and type.
    pub(super) name: String,
    /// What is read; none for what the HPA reads itself.
    pub(super) signal: Option<Json>,
    /// For the HPA.
    pub(super) target: Target,
    /// A metric that the HPA reads itself.
    pub(super) resource: Option<Json>,
}

/// A quantity, as it is written in an HPA.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Number(String);

/// What the HPA compares with.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Target {
    pub(super) value: Number,
    pub(super) is_value: bool,
}

impl Number {
    /// Of a number or its text.
    pub(super) fn of(node: &Node) -> Option<Self> {
        let text = scalar(node)?;
        // An HPA takes no exponent of a float and no more than thousandths.
        let number: f64 = text.parse().ok().filter(|it: &f64| it.is_finite() && *it > 0.0)?;
        Some(Self(match number.fract() {
            0.0 => format!("{number:.0}"),
            _ => format!("{:.0}m", (number * 1_000.0).ceil()),
        }))
    }
}

impl Target {
    pub(super) fn json(&self) -> Json {
        let Self { value: Number(number), is_value } = self;
        if *is_value {
            json!({"type": "Value", "value": number})
        } else {
            json!({"type": "AverageValue", "averageValue": number})
        }
    }
}

impl Trigger {
    /// As an expression names it.
    pub(super) fn signal_name(&self) -> String {
        metric_name(&self.name)
    }
}

/// A kind of trigger that is a signal of the same parameters.
struct Kind {
    /// As KEDA calls it.
    keda: &'static str,
    /// As the signal is called.
    signal: &'static str,
    /// The parameters that may be the target, the first that is given counts.
    target: &'static [&'static str],
    /// The target when none is given.
    usual: Option<&'static str>,
}

const KINDS: [Kind; 10] = [
    Kind { keda: "prometheus", signal: "prometheus", target: &["threshold"], usual: None },
    Kind {
        keda: "rabbitmq",
        signal: "rabbitmq",
        target: &["value", "queueLength"],
        usual: Some("20"),
    },
    Kind { keda: "kafka", signal: "kafka", target: &["lagThreshold"], usual: Some("10") },
    Kind { keda: "apache-kafka", signal: "kafka", target: &["lagThreshold"], usual: Some("10") },
    Kind { keda: "redis", signal: "redis", target: &["listLength"], usual: Some("5") },
    Kind {
        keda: "redis-streams",
        signal: "redisStreams",
        target: &["pendingEntriesCount", "streamLength", "lagCount"],
        usual: Some("5"),
    },
    Kind {
        keda: "nats-jetstream",
        signal: "natsJetstream",
        target: &["lagThreshold"],
        usual: Some("10"),
    },
    Kind {
        keda: "aws-sqs-queue",
        signal: "awsSqsQueue",
        target: &["queueLength"],
        usual: Some("5"),
    },
    Kind { keda: "postgresql", signal: "postgresql", target: &["targetQueryValue"], usual: None },
    Kind { keda: "metrics-api", signal: "metricsApi", target: &["targetValue"], usual: None },
];

/// Parameters that decide about zero and one, which is not an HPA's business.
const ACTIVATION: &str = "activation";
/// Parameters of a Prometheus that belong to a source.
const OF_A_SOURCE: [&str; 8] = [
    "authModes",
    "customHeaders",
    "unsafeSsl",
    "queryParameters",
    "namespace",
    "timeout",
    "awsRegion",
    "cortexOrgID",
];

/// Reads one; nothing is left of what has no equivalent.
pub(super) fn read(
    node: &Node,
    (path, index): (&Path, usize),
    authentications: &Authentications<'_>,
    sources: &mut Sources,
    remarks: &mut Remarks<'_>,
) -> Option<Trigger> {
    let keda = node.get("type").and_then(Node::text).unwrap_or_default();
    let name = node.get("name").and_then(Node::text);
    let name = name.map_or_else(|| format!("s{index}-{keda}"), str::to_owned);
    let metadata = parameters(node);
    match keda {
        "cpu" | "memory" => {
            let resource = resource(keda, node, &metadata, path, remarks)?;
            let target = Target { value: Number("1".to_owned()), is_value: false };
            return Some(Trigger { name, signal: None, target, resource: Some(resource) });
        }
        "cron" => return Some(cron(name, &metadata)),
        _ => {}
    }
    let Some(kind) = KINDS.iter().find(|it| it.keda == keda) else {
        remarks.lost(
            &path.key("type"),
            format!("there is no signal for a trigger of type `{keda}`"),
            "read it through Prometheus, or as a document with `metricsApi`",
        );
        return None;
    };
    let shown = authentications.of(node, path, remarks);
    let target = target(kind, node, &metadata, path, remarks)?;
    let signal = match kind.keda {
        "prometheus" => prometheus(&metadata, &shown.secrets, path, sources, remarks)?,
        _ => queue(kind, &metadata, shown, path, remarks)?,
    };
    Some(Trigger { name, signal: Some(signal), target, resource: None })
}

fn parameters(trigger: &Node) -> BTreeMap<String, String> {
    let Some(Value::Mapping(entries)) = trigger.get("metadata").map(|it| &it.value) else {
        return BTreeMap::new();
    };
    entries.iter().filter_map(|(key, node)| Some((key.text.clone(), scalar(node)?))).collect()
}

fn scalar(node: &Node) -> Option<String> {
    match node.to_json() {
        Json::String(text) => Some(text),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}

fn target(
    kind: &Kind,
    node: &Node,
    metadata: &BTreeMap<String, String>,
    path: &Path,
    remarks: &mut Remarks<'_>,
) -> Option<Target> {
    let given = kind.target.iter().find_map(|key| metadata.get(*key));
    let text = given.map(String::as_str).or(kind.usual);
    let number = text.and_then(|it| Number::of(&Node::from_json(&it.into())));
    let is_value = node.get("metricType").and_then(Node::text) == Some("Value");
    let Some(value) = number else {
        remarks.lost(
            &path.key("metadata"),
            format!("no number above zero as `{}`", kind.target.join("` or `")),
            "KEDA refuses it, too",
        );
        return None;
    };
    Some(Target { value, is_value })
}

/// CPU and memory are the HPA's own.
fn resource(
    name: &str,
    node: &Node,
    metadata: &BTreeMap<String, String>,
    path: &Path,
    remarks: &mut Remarks<'_>,
) -> Option<Json> {
    let Some(value) = metadata.get("value") else {
        remarks.lost(&path.key("metadata"), "no `value`", "KEDA refuses it, too");
        return None;
    };
    let of_type =
        node.get("metricType").and_then(Node::text).or(metadata.get("type").map(String::as_str));
    let target = match (of_type, value.parse::<u64>()) {
        (Some("AverageValue"), _) => json!({"type": "AverageValue", "averageValue": value}),
        (_, Ok(share)) => json!({"type": "Utilization", "averageUtilization": share}),
        (_, Err(_)) => {
            let problem = format!("`{value}` is no share in per cent");
            remarks.lost(&path.key("metadata").key("value"), problem, "write it like `60`");
            return None;
        }
    };
    Some(match metadata.get("containerName") {
        Some(container) => json!({
            "type": "ContainerResource",
            "containerResource": {"name": name, "container": container, "target": target},
        }),
        None => json!({"type": "Resource", "resource": {"name": name, "target": target}}),
    })
}

/// So many replicas between two times: a plan, of which one pod serves one.
fn cron(name: String, metadata: &BTreeMap<String, String>) -> Trigger {
    let of = |key: &str| metadata.get(key).cloned().unwrap_or_default();
    let window = json!({"start": of("start"), "end": of("end"), "value": of("desiredReplicas")});
    let mut schedule = json!({"windows": [window]});
    if let (Some(zone), Some(schedule)) = (metadata.get("timezone"), schedule.as_object_mut()) {
        schedule.insert("timeZone".to_owned(), zone.as_str().into());
    }
    let target = Target { value: Number("1".to_owned()), is_value: false };
    Trigger { name, signal: Some(json!({"schedule": schedule})), target, resource: None }
}

fn prometheus(
    metadata: &BTreeMap<String, String>,
    secrets: &BTreeMap<String, Json>,
    path: &Path,
    sources: &mut Sources,
    remarks: &mut Remarks<'_>,
) -> Option<Json> {
    let path = path.key("metadata");
    let (Some(query), Some(address)) = (metadata.get("query"), metadata.get("serverAddress"))
    else {
        let problem = "needs `query` and `serverAddress`; what is `…FromEnv` is not read";
        remarks.lost(&path, problem, "write them out");
        return None;
    };
    let source = sources.name(address);
    let namespace = remarks.object.namespace();
    remarks.note(
        &path.key("query"),
        format!("the query of a MetricPolicy sees series of its own namespace only ({namespace})"),
        "where it needs others, make it a ClusterMetricPolicy with `spec.namespace`",
    );
    if metadata.get("ignoreNullValues").map(String::as_str) != Some("false") {
        remarks.note(
            &path.key("query"),
            "KEDA takes an empty answer for 0; here it is unknown, and the last good value is held",
            "where nothing means none, append ` or vector(0)` to the query",
        );
    }
    for key in OF_A_SOURCE.iter().filter(|it| metadata.contains_key(**it)) {
        remarks.lost(
            &path.key(key),
            format!("`{key}` is the source's business"),
            format!("give it to source `{source}` in Foresail's configuration"),
        );
    }
    if !secrets.is_empty() {
        let names: Vec<&str> = secrets.keys().map(String::as_str).collect();
        remarks.lost(
            &path,
            format!("the credentials ({}) are the source's business", names.join(", ")),
            format!(
                "mount the Secret into Foresail and name the file in source `{source}`'s `auth`"
            ),
        );
    }
    activation(metadata, &path, remarks);
    Some(json!({"source": source, "prometheus": {"query": query}}))
}

fn activation(metadata: &BTreeMap<String, String>, path: &Path, remarks: &mut Remarks<'_>) {
    let is_some = |(key, value): &(&String, &String)| key.starts_with(ACTIVATION) && *value != "0";
    for (key, _) in metadata.iter().filter(is_some) {
        let problem = format!("`{key}` decides between none and one pod, which an HPA does not");
        remarks.note(&path.key(key), problem, "leave it to `minReplicas`");
    }
}

/// A signal with KEDA's own parameters, each in the type that ours has.
fn queue(
    kind: &Kind,
    metadata: &BTreeMap<String, String>,
    Shown { secrets, identity }: Shown,
    path: &Path,
    remarks: &mut Remarks<'_>,
) -> Option<Json> {
    let schema = wire::policy_schema();
    let path = path.key("metadata");
    let Some(known) = Properties::of(&schema, kind.signal) else {
        let problem = format!("there is no signal for a trigger of type `{}`", kind.keda);
        remarks.lost(&path, problem, "read it through Prometheus");
        return None;
    };
    let mut own = Map::new();
    for (key, value) in metadata {
        match known.value(key, value) {
            Some(Ok(value)) => {
                own.insert(key.clone(), value);
            }
            Some(Err(expected)) => {
                let problem = format!("`{value}` is not {expected}");
                remarks.lost(&path.key(key), problem, "write it out");
            }
            None if kind.target.contains(&key.as_str()) => {}
            None if key.starts_with(ACTIVATION) => {}
            None if key.ends_with("FromEnv") => remarks.lost(
                &path.key(key),
                format!("`{key}` reads the environment of a container, which Foresail does not"),
                "put the value into a Secret and name it as `…From: {secretKeyRef: {name, key}}`",
            ),
            None => {
                let problem = format!("`{key}` has no equivalent");
                remarks.lost(&path.key(key), problem, "leave it out, or read it another way");
            }
        }
    }
    activation(metadata, &path, remarks);
    for (parameter, secret) in secrets {
        let own_name =
            SECRETS.iter().find(|it| it.0 == parameter).map_or(parameter.as_str(), |it| it.1);
        let key = format!("{own_name}From");
        if known.has(&key) {
            own.insert(key, secret);
        } else if known.has(own_name) {
            let problem = format!("`{own_name}` stands in a Secret, which is not read here");
            let hint = format!("write what it says as `{own_name}`, which is no secret");
            remarks.lost(&path, problem, hint);
        } else {
            let problem = format!(
                "the parameter `{parameter}` of its TriggerAuthentication has no equivalent"
            );
            remarks.lost(
                &path,
                problem,
                "see the signal's keys with `kubectl explain metricpolicy.spec.signals`",
            );
        }
    }
    own.extend(identity.into_iter().map(|(key, value)| (key.to_owned(), value)));
    Some(json!({kind.signal: own}))
}

/// Parameters of a TriggerAuthentication whose keys here are called otherwise.
const SECRETS: [(&str, &str); 2] = [("bearerToken", "token"), ("userName", "username")];
