//! Which keys an HPA's manifest may have, as the API server would say with strict validation.

use crate::document::fault::Fault;
use crate::document::schema::Schema;
use crate::document::yaml::Node;
use serde_json::{Value, json};

/// Keys and values that no HPA has. What is written under `metadata` and `status` changes nothing
/// here, and numbers are judged where they are read.
pub(super) fn faults(document: &Node) -> Vec<Fault> {
    Schema::new(&schema()).check(document)
}

fn schema() -> Value {
    let metric = json!({
        "type": {},
        "external": {"$ref": "#/$defs/Source"},
        "object": {"$ref": "#/$defs/Source"},
        "resource": {}, "containerResource": {}, "pods": {},
    });
    let spec = json!({
        "scaleTargetRef": {},
        "minReplicas": {},
        "maxReplicas": {},
        "metrics": {"type": "array", "items": closed(metric)},
        "behavior": closed(json!({
            "scaleUp": {"$ref": "#/$defs/Rules"},
            "scaleDown": {"$ref": "#/$defs/Rules"},
        })),
    });
    let mut root = closed(json!({
        "apiVersion": {}, "kind": {}, "metadata": {}, "status": {},
        "spec": closed(spec),
    }));
    let definitions = json!({
        "Source": closed(json!({
            "describedObject": closed(json!({"apiVersion": {}, "kind": {}, "name": {}})),
            "metric": closed(json!({"name": {"type": "string"}, "selector": {}})),
            "target": closed(json!({
                "type": {}, "value": {}, "averageValue": {}, "averageUtilization": {},
            })),
        })),
        "Rules": closed(json!({
            "stabilizationWindowSeconds": {},
            "selectPolicy": {"type": ["string", "null"]},
            "policies": {"type": ["array", "null"], "items": closed(json!({
                "type": {}, "value": {}, "periodSeconds": {},
            }))},
            "tolerance": {"type": ["number", "string", "null"]},
        })),
    });
    if let Some(root) = root.as_object_mut() {
        root.insert("$defs".to_owned(), definitions);
    }
    root
}

/// A mapping with these keys and no others; as everywhere in Kubernetes `null` is to leave it out.
fn closed(properties: Value) -> Value {
    json!({
        "type": ["object", "null"],
        "properties": properties,
        "additionalProperties": false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_keyword_of_the_schema_is_checked() {
        assert_eq!(Schema::new(&schema()).unknown_keywords(), Vec::<String>::new());
    }
}
