//! Protobuf says what JSON says: every answer, read by a decoder that knows nothing but the field
//! numbers of Kubernetes' own `.proto` files.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails loudly"
)]

use crate::api_world::{Answer, E, P1, P2, World};
use http::Method;
use serde_json::{Map, Value, json};

const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";

/// A message of a `.proto` file: number, name and type of each field.
type Message = &'static [(u64, &'static str, Type)];

#[derive(Clone, Copy)]
enum Type {
    Text,
    Integer,
    Truth,
    /// `map<string, string>`.
    Map,
    /// `metav1.Time`: seconds and nanoseconds.
    Time,
    /// A message that JSON shows as its only field: a quantity, the list of verbs.
    Only(&'static Self),
    One(Message),
    Many(Message),
    Texts,
}
use Type::{Integer, Many, One, Only, Text, Texts, Time, Truth};

const TYPE_META: Message = &[(1, "apiVersion", Text), (2, "kind", Text)];
const OBJECT: Message = &[
    (1, "kind", Text),
    (2, "namespace", Text),
    (3, "name", Text),
    (4, "uid", Text),
    (5, "apiVersion", Text),
];
const SELECTOR: Message = &[(1, "matchLabels", Type::Map), (2, "matchExpressions", Many(MATCH))];
const MATCH: Message = &[(1, "key", Text), (2, "operator", Text), (3, "values", Texts)];
const VALUE_1: Message = &[
    (1, "describedObject", One(OBJECT)),
    (2, "metricName", Text),
    (3, "timestamp", Time),
    (4, "window", Integer),
    (5, "value", Only(&Text)),
    (6, "selector", One(SELECTOR)),
];
const VALUE_2: Message = &[
    (1, "describedObject", One(OBJECT)),
    (2, "metric", One(&[(1, "name", Text), (2, "selector", One(SELECTOR))])),
    (3, "timestamp", Time),
    (4, "windowSeconds", Integer),
    (5, "value", Only(&Text)),
];
const EXTERNAL: Message = &[
    (1, "metricName", Text),
    (2, "metricLabels", Type::Map),
    (3, "timestamp", Time),
    (4, "window", Integer),
    (5, "value", Only(&Text)),
];
const STATUS: Message = &[
    (2, "status", Text),
    (3, "message", Text),
    (4, "reason", Text),
    (5, "details", One(&[(1, "name", Text), (2, "group", Text), (3, "kind", Text)])),
    (6, "code", Integer),
];
const VERSION: Message = &[(1, "groupVersion", Text), (2, "version", Text)];
const GROUP: Message =
    &[(1, "name", Text), (2, "versions", Many(VERSION)), (3, "preferredVersion", One(VERSION))];
const RESOURCE: Message = &[
    (1, "name", Text),
    (2, "namespaced", Truth),
    (3, "kind", Text),
    (4, "verbs", Only(&Texts)),
    (6, "singularName", Text),
];

fn message_of(kind: &str, api_version: &str) -> Message {
    match (kind, api_version) {
        ("MetricValueList", "custom.metrics.k8s.io/v1beta1") => &[(2, "items", Many(VALUE_1))],
        ("MetricValueList", "custom.metrics.k8s.io/v1beta2") => &[(2, "items", Many(VALUE_2))],
        ("ExternalMetricValueList", "external.metrics.k8s.io/v1beta1") => {
            &[(2, "items", Many(EXTERNAL))]
        }
        ("Status", "v1") => STATUS,
        ("APIGroup", "v1") => GROUP,
        ("APIGroupList", "v1") => &[(1, "groups", Many(GROUP))],
        ("APIResourceList", "v1") => &[(1, "groupVersion", Text), (2, "resources", Many(RESOURCE))],
        other => panic!("{other:?}"),
    }
}

#[derive(Debug)]
enum Raw<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of a message, in order.
fn fields(mut bytes: &[u8]) -> Vec<(u64, Raw<'_>)> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes);
        let raw = match tag & 7 {
            0 => Raw::Number(varint(&mut bytes)),
            2 => {
                let length = usize::try_from(varint(&mut bytes)).unwrap();
                let (field, rest) = bytes.split_at_checked(length).unwrap();
                bytes = rest;
                Raw::Bytes(field)
            }
            other => panic!("wire type {other}"),
        };
        fields.push((tag >> 3, raw));
    }
    fields
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first().unwrap();
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return value;
        }
    }
    panic!("a number without an end");
}

fn read(bytes: &[u8], message: Message) -> Value {
    let mut object = Map::new();
    for (number, raw) in fields(bytes) {
        let (_, name, kind) =
            message.iter().find(|(its, ..)| *its == number).unwrap_or_else(|| {
                panic!("no field {number} in {:?}", Vec::from_iter(message.iter().map(|it| it.1)))
            });
        let value = one(*kind, &raw);
        match (kind, object.get_mut(*name)) {
            (Many(_) | Texts, Some(Value::Array(before))) => before.push(value),
            (Many(_) | Texts, None) => drop(object.insert((*name).into(), json!([value]))),
            (Type::Map, Some(Value::Object(before))) => {
                before.extend(value.as_object().unwrap().clone());
            }
            (_, None) => drop(object.insert((*name).into(), value)),
            (_, Some(_)) => panic!("{name} twice"),
        }
    }
    Value::Object(object)
}

fn one(kind: Type, raw: &Raw<'_>) -> Value {
    match (kind, raw) {
        (Text | Texts, Raw::Bytes(bytes)) => json!(str::from_utf8(bytes).unwrap()),
        (Integer, Raw::Number(number)) => json!(number),
        (Truth, Raw::Number(number)) => json!(*number == 1),
        (Type::Map, Raw::Bytes(bytes)) => {
            let entry = read(bytes, &[(1, "key", Text), (2, "value", Text)]);
            json!({entry["key"].as_str().unwrap(): entry["value"]})
        }
        (Time, Raw::Bytes(bytes)) => {
            let time = read(bytes, &[(1, "seconds", Integer), (2, "nanos", Integer)]);
            let seconds = time["seconds"].as_i64().unwrap();
            json!(jiff::Timestamp::from_second(seconds).unwrap().to_string())
        }
        (Only(Text), Raw::Bytes(bytes)) => read(bytes, &[(1, "only", Text)])["only"].clone(),
        (Only(_), Raw::Bytes(bytes)) => read(bytes, &[(1, "only", Texts)])["only"].clone(),
        (One(message) | Many(message), Raw::Bytes(bytes)) => read(bytes, message),
        (_, raw) => panic!("{raw:?}"),
    }
}

/// The JSON that a protobuf answer stands for.
fn decoded(answer: &Answer) -> Value {
    let envelope = answer.bytes.strip_prefix(b"k8s\0").unwrap();
    let mut meta = None;
    let mut raw = None;
    for (number, field) in fields(envelope) {
        match (number, field) {
            (1, Raw::Bytes(bytes)) => meta = Some(read(bytes, TYPE_META)),
            (2, Raw::Bytes(bytes)) => raw = Some(bytes),
            other => panic!("{other:?} in runtime.Unknown"),
        }
    }
    let meta = meta.unwrap();
    let (kind, version) = (meta["kind"].as_str().unwrap(), meta["apiVersion"].as_str().unwrap());
    let mut value = read(raw.unwrap(), message_of(kind, version));
    value.as_object_mut().unwrap().extend(meta.as_object().unwrap().clone());
    value
}

/// Without what is empty: protobuf does not tell it from what is not there.
fn filled(value: &Value) -> Value {
    let is_filled = |value: &Value| match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(all) => !all.is_empty(),
        Value::Object(all) => !all.is_empty(),
        _ => true,
    };
    match value {
        Value::Object(all) => {
            let all = all.iter().map(|(key, value)| (key.clone(), filled(value)));
            Value::Object(all.filter(|(_, value)| is_filled(value)).collect())
        }
        Value::Array(all) => all.iter().map(filled).collect(),
        other => other.clone(),
    }
}

#[tokio::test]
async fn every_answer_is_the_same_in_protobuf() {
    let world = World::new();
    let queue = "/namespaces/inference/pods";
    let mut paths: Vec<String> = ["/apis", "/apis/custom.metrics.k8s.io", P1, P2, E]
        .into_iter()
        .map(str::to_owned)
        .collect();
    for prefix in [P1, P2] {
        for path in [
            &format!("{queue}/*/queue"),
            &format!("{queue}/*/queue?labelSelector=app%3Dllama"),
            &format!("{queue}/*/queue?metricLabelSelector=engine%3Dvllm,tier+in+(gpu,cpu),!x"),
            &format!("{queue}/llama-1/queue"),
            "/namespaces/inference/deployments.apps/llama/rps",
            "/namespaces/inference/metrics/tokens",
            "/nodes/*/temp",
            "/nodes/n1/unknown",
            "/nowhere",
            "/namespaces/inference/tokens",
        ] {
            paths.push(format!("{prefix}{path}"));
        }
    }
    for metric in ["llama_demand", "total:demand?labelSelector=model+in+(a,b)", "dead_demand"] {
        paths.push(format!("{E}/namespaces/inference/{metric}"));
    }
    for path in paths {
        let json = world.get(&path).await;
        let protobuf = world.ask(Method::GET, &path, &[("accept", PROTOBUF)]).await;
        assert_eq!(
            (protobuf.code, protobuf.header("content-type")),
            (json.code, PROTOBUF),
            "{path}"
        );
        let json: Value = serde_json::from_str(&json.body).unwrap();
        assert_eq!(filled(&decoded(&protobuf)), filled(&json), "{path}");
    }
}

#[tokio::test]
async fn the_controller_manager_gets_what_it_likes_best() {
    let world = World::new();
    let path = format!("{E}/namespaces/inference/llama_demand");
    for (accept, content_type) in [
        ("application/vnd.kubernetes.protobuf, */*", PROTOBUF),
        ("application/json, */*", "application/json"),
        ("*/*", "application/json"),
    ] {
        let answer = world.ask(Method::GET, &path, &[("accept", accept)]).await;
        assert_eq!((answer.code, answer.header("content-type")), (200, content_type), "{accept}");
    }
}
