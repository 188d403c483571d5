//! The documents hold together: what they refer to is there, and nothing else is.

use super::*;
use std::collections::BTreeSet;

/// Every text under a key of this name, wherever it stands.
fn texts_of(value: &Value, wanted: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                match value {
                    Value::String(text) if key == wanted => found.push(text.clone()),
                    other => texts_of(other, wanted, found),
                }
            }
        }
        Value::Array(elements) => elements.iter().for_each(|it| texts_of(it, wanted, found)),
        _ => {}
    }
}

fn check(document: &Value, definitions: &Value, prefix: &str) {
    let mut references = Vec::new();
    texts_of(document, "$ref", &mut references);
    let referred: BTreeSet<String> = references.into_iter().collect();
    let defined: BTreeSet<String> =
        definitions.as_object().unwrap().keys().map(|it| format!("{prefix}{it}")).collect();
    assert_eq!(referred, defined, "all that is referred to is defined, and the other way round");
    let mut operations = Vec::new();
    texts_of(document, "operationId", &mut operations);
    let paths = document["paths"].as_object().unwrap();
    assert_eq!(operations.iter().collect::<BTreeSet<_>>().len(), paths.len(), "{operations:?}");
    for (path, item) in paths {
        assert!(
            path.starts_with("/apis/custom.metrics.k8s.io/") || path.starts_with("/apis/external.")
        );
        let parameters = item["get"]["parameters"].as_array().unwrap();
        for name in path.split('/').filter_map(|it| it.strip_prefix('{')?.strip_suffix('}')) {
            let is_it =
                |it: &&Value| it["name"] == name && it["in"] == "path" && it["required"] == true;
            assert_eq!(parameters.iter().filter(is_it).count(), 1, "{path}: {name}");
        }
    }
}

#[test]
fn what_is_referred_to_is_defined_and_only_own_paths_are_there() {
    let document = v2(&Group::ALL);
    check(&document, &document["definitions"], "#/definitions/");
    assert_eq!(document["definitions"].as_object().unwrap().len(), 7);
    for version in versions(&Group::ALL) {
        let document = v3(version);
        check(&document, &document["components"]["schemas"], "#/components/schemas/");
        let group = format!("/apis/{}/", version.api_version());
        assert!(document["paths"].as_object().unwrap().keys().all(|it| it.starts_with(&group)));
    }
}

#[test]
fn the_root_names_every_version_with_its_hash() {
    let root = v3_root(&[(Version::ExternalV1Beta1, "AB12".to_owned())]);
    let expected = json!({"paths": {"apis/external.metrics.k8s.io/v1beta1": {
        "serverRelativeURL": "/openapi/v3/apis/external.metrics.k8s.io/v1beta1?hash=AB12",
    }}});
    assert_eq!(root, expected);
}
