//! Which keys an HPA's manifest may have, as the API server would say with strict validation.

use crate::document::fault::{Fault, nearest};
use crate::document::path::Path;
use crate::document::yaml::{Node, Value};
use Shape::{Any, List, Mapping, Text, TextOrNumber};

/// What may stand at a place; `null` may everywhere, as in Kubernetes, and is to leave it out.
enum Shape {
    /// Anything: it changes nothing here, or is judged where it is read.
    Any,
    Text,
    TextOrNumber,
    List(&'static Self),
    /// These keys and no others.
    Mapping(&'static [(&'static str, &'static Self)]),
}

const DOCUMENT: Shape = Mapping(&[
    ("apiVersion", &Any),
    ("kind", &Any),
    ("metadata", &Any),
    ("spec", &SPEC),
    ("status", &Any),
]);
const SPEC: Shape = Mapping(&[
    ("scaleTargetRef", &Any),
    ("minReplicas", &Any),
    ("maxReplicas", &Any),
    ("metrics", &List(&METRIC)),
    ("behavior", &Mapping(&[("scaleUp", &RULES), ("scaleDown", &RULES)])),
]);
const METRIC: Shape = Mapping(&[
    ("type", &Any),
    ("external", &SOURCE),
    ("object", &SOURCE),
    ("resource", &Any),
    ("containerResource", &Any),
    ("pods", &Any),
]);
const SOURCE: Shape = Mapping(&[
    ("describedObject", &Mapping(&[("apiVersion", &Any), ("kind", &Any), ("name", &Any)])),
    ("metric", &Mapping(&[("name", &Text), ("selector", &Any)])),
    ("target", &TARGET),
]);
const TARGET: Shape = Mapping(&[
    ("type", &Any),
    ("value", &Any),
    ("averageValue", &Any),
    ("averageUtilization", &Any),
]);
const RULES: Shape = Mapping(&[
    ("stabilizationWindowSeconds", &Any),
    ("selectPolicy", &Text),
    ("policies", &List(&POLICY)),
    ("tolerance", &TextOrNumber),
]);
const POLICY: Shape = Mapping(&[("type", &Any), ("value", &Any), ("periodSeconds", &Any)]);

/// Keys and values that no HPA has.
pub(super) fn faults(document: &Node) -> Vec<Fault> {
    let mut faults = Vec::new();
    DOCUMENT.check(document, &Path::default(), &mut faults);
    faults
}

impl Shape {
    fn check(&self, node: &Node, path: &Path, faults: &mut Vec<Fault>) {
        match (self, &node.value) {
            (_, Value::Null)
            | (Any, _)
            | (Text | TextOrNumber, Value::Text(_))
            | (TextOrNumber, Value::Number(_)) => {}
            (List(shape), Value::List(elements)) => {
                for (index, element) in elements.iter().enumerate() {
                    shape.check(element, &path.index(index), faults);
                }
            }
            (Mapping(known), Value::Mapping(entries)) => {
                for (key, value) in entries {
                    let path = path.key(&key.text);
                    match known.iter().find(|(name, _)| *name == key.text) {
                        Some((_, shape)) => shape.check(value, &path, faults),
                        None => faults.push(unknown(path, &key.text, known)),
                    }
                }
            }
            (shape, _) => faults.push(shape.unfit(path)),
        }
    }

    fn unfit(&self, path: &Path) -> Fault {
        let (wanted, hint) = match self {
            Any => ("anything", "leave it out"),
            Text => ("a text", "put it in quotes"),
            TextOrNumber => ("a number or a text", "e.g. `0.1`"),
            List(_) => ("a list", "begin each element with `- `"),
            Mapping(_) => ("a mapping", "write `key: value` pairs, indented below the key"),
        };
        Fault::new(path.clone(), format!("expected {wanted}")).hint(hint)
    }
}

fn unknown(path: Path, key: &str, known: &[(&'static str, &Shape)]) -> Fault {
    let names = || known.iter().map(|(name, _)| *name);
    let hint = match nearest(key, names()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("known here: {}", names().collect::<Vec<_>>().join(", ")),
    };
    Fault::new(path, format!("unknown key `{key}`")).hint(hint)
}
