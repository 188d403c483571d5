//! The definitions are what the API server takes, and no table names what is not there.

use super::*;

fn spec(kind: PolicyKind) -> Json {
    let definition = definition(kind).unwrap();
    definition.pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec").unwrap().clone()
}

/// Every schema with its place.
fn walk(schema: &Json, place: &str, see: &mut impl FnMut(&str, &Json)) {
    see(place, schema);
    for (name, below) in schema.get("properties").and_then(Json::as_object).into_iter().flatten() {
        walk(below, &format!("{place}.{name}"), see);
    }
    for below in ["items", "additionalProperties"].iter().filter_map(|it| schema.get(it)) {
        walk(below, &format!("{place}[]"), see);
    }
}

#[test]
fn the_schema_is_structural_and_everything_in_it_is_bounded_and_described() {
    for kind in PolicyKind::ALL {
        walk(&spec(kind), "spec", &mut |place, schema| {
            let has = |keyword: &str| schema.get(keyword).is_some();
            let is_quantity = has("x-kubernetes-int-or-string");
            assert!(has("type") || is_quantity, "{place}: {schema}");
            for refused in ["$ref", "oneOf", "const", "title"] {
                assert!(!has(refused), "{place}: {schema}");
            }
            assert!(is_quantity || !has("anyOf"), "{place}: {schema}");
            let bound = match schema["type"].as_str() {
                Some("array") => "maxItems",
                Some("object") if has("additionalProperties") => "maxProperties",
                Some("string") if !has("enum") => "maxLength",
                _ => "",
            };
            assert!(bound.is_empty() || has(bound), "{place} has no {bound}");
            assert!(has("description") || place.ends_with("[]"), "{place} is not described");
        });
    }
}

#[test]
fn no_table_names_what_is_not_there() {
    let policy = wire::policy_schema();
    let status: Json = schemars::schema_for!(PolicyStatus).into();
    let has = |of: &str, property: &str| {
        let own = if of == "PolicyStatus" { Some(&status) } else { policy["$defs"].get(of) };
        own.is_some_and(|it| it["properties"].get(property).is_some())
    };
    for (of, property, _) in BOUNDS {
        assert!(has(of, property), "{of}.{property}");
    }
    for (of, others) in ONE_OF {
        assert!(policy["$defs"].get(of).is_some(), "{of}");
        assert!(others.iter().all(|it| has(of, it)), "{of}");
    }
    // A forecast is a stage to come; its rule waits for it.
    for Rule { of, needs, .. } in RULES.iter().filter(|it| it.of != "Forecast") {
        assert!(needs.iter().all(|it| has(of, it)), "{of} {needs:?}");
    }
}

/// What the rules of the definition refuse in `value`.
fn refused(schema: &Json, value: &Json, messages: &mut Vec<String>) {
    let validations = schema.get("x-kubernetes-validations").and_then(Json::as_array);
    for validation in validations.into_iter().flatten() {
        let [rule, message] = ["rule", "message"].map(|it| validation[it].as_str().unwrap());
        let mut context = cel::Context::default();
        context.add_variable("self", value).unwrap();
        let held = cel::Program::compile(rule).unwrap().execute(&context);
        if held.unwrap_or_else(|error| panic!("{rule}: {error}")) != cel::Value::Bool(true) {
            messages.push(message.to_owned());
        }
    }
    let every = schema.get("additionalProperties");
    for (name, below) in value.as_object().into_iter().flatten() {
        let schema = schema["properties"].get(name).or(every);
        refused(schema.unwrap_or_else(|| panic!("no {name}")), below, messages);
    }
    for below in value.as_array().into_iter().flatten() {
        refused(&schema["items"], below, messages);
    }
}

#[test]
fn the_rules_of_the_definition_admit_each_kind_of_signal_and_refuse_two_in_one() {
    let pods = json!({"selector": {"matchLabels": {"a": "b"}}, "port": 1, "series": "q"});
    let query = json!({"query": "q"});
    let redis = json!({"address": "jobs", "listName": "l"});
    let profile = json!({"engine": "vllm", "signal": "demand"});
    let of_pods = json!({"engine": "vllm", "signal": "demand", "selector": {"matchLabels": {"a": "b"}}, "port": 1});
    let partial = json!({"engine": "vllm", "signal": "demand", "onPartial": "use"});
    let mixed = json!({"engine": "vllm", "signal": "demand", "port": 1});
    let label = json!({"engine": "vllm", "signal": "demand", "podLabel": "p"});
    let keys = "`podPattern` and `podLabel` go with";
    let one = "expected exactly one of ";
    let source = "`prometheus`, `scrape` and a `profile` without";
    let each = "a page, a queue or a calendar gives one number";
    let window = |of: &str| {
        let times = of.split(' ').map(|it| (it.to_owned(), json!("x")));
        let value = [("value".to_owned(), json!(1))];
        json!({"schedule": {"windows": [Json::Object(times.chain(value).collect())]}})
    };
    let times = "expected `start` with one of `end` and `duration`, or `from` ";
    for (metric_type, signal, expected) in [
        ("External", json!({"source": "s", "prometheus": query}), None),
        ("External", json!({"source": "s", "scrape": {"series": "q"}}), None),
        ("External", json!({"pods": pods}), None),
        ("External", json!({"redis": redis}), None),
        ("External", json!({"source": "s", "profile": profile}), None),
        ("External", json!({"source": "s", "profile": partial}), None),
        ("External", json!({"profile": of_pods}), None),
        ("Pods", json!({"profile": of_pods}), None),
        ("Pods", json!({"source": "s", "profile": label}), None),
        ("External", json!({"source": "s", "profile": label}), Some("only a Pods metric has a")),
        ("External", json!({"profile": profile}), Some(source)),
        ("External", json!({"source": "s", "profile": of_pods}), Some(source)),
        ("External", json!({"source": "s", "profile": mixed}), Some(keys)),
        ("External", json!({"pods": pods, "profile": of_pods}), Some(one)),
        ("Pods", json!({"source": "s", "prometheus": query}), None),
        ("Pods", json!({"pods": pods}), None),
        ("Pods", json!({"redis": redis}), Some(each)),
        ("External", json!({"prometheus": query}), Some(source)),
        ("External", json!({"source": "s", "pods": pods}), Some(source)),
        ("External", json!({"source": "s", "redis": redis}), Some(source)),
        ("External", json!({"pods": pods, "redis": redis}), Some(one)),
        ("External", window("start end"), None),
        ("Object", window("start duration"), None),
        ("External", window("from to"), None),
        ("External", window("from duration"), None),
        ("Pods", window("from duration"), Some(each)),
        ("External", window("start"), Some(times)),
        ("External", window("from"), Some(times)),
        ("External", window("start to"), Some(times)),
        ("External", window("start from duration"), Some(times)),
        ("External", window("start end duration"), Some(times)),
        ("External", window("end duration"), Some(times)),
        ("External", json!({"schedule": {"windows": []}}), Some("a calendar has at least one")),
    ] {
        let mut metric = json!({"name": "m", "type": metric_type});
        if metric_type == "Object" {
            metric["describedObject"] = json!({"apiVersion": "v1", "kind": "Pod", "name": "p"});
        }
        let written = json!({
            "metric": metric,
            "signals": {"x": signal},
        });
        let mut messages = Vec::new();
        refused(&spec(PolicyKind::Namespaced), &written, &mut messages);
        let is_expected = match (expected, messages.as_slice()) {
            (None, []) => true,
            (Some(expected), [only]) => only.starts_with(expected),
            _ => false,
        };
        assert!(is_expected, "{written}: {messages:?}");
    }
}

#[test]
fn only_the_clusters_kind_names_its_namespace() {
    let [namespaced, cluster] = PolicyKind::ALL.map(spec);
    assert_eq!(namespaced["properties"].get("namespace"), None);
    assert_eq!(cluster["properties"]["namespace"]["maxLength"], 63);
    assert!(cluster["required"].as_array().unwrap().contains(&json!("namespace")));
    assert!(!namespaced["required"].as_array().unwrap().contains(&json!("namespace")));
}

#[test]
fn choices_become_what_the_api_server_knows() {
    let root = json!({
        "$defs": {"Unit": {"type": "string"}},
        "properties": {
            "either": {"oneOf": [
                {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
                {"type": "object", "properties": {"in": {"$ref": "#/$defs/Unit"}}, "required": ["in"]},
            ]},
            "name": {"oneOf": [{"const": "x", "description": "One."}, {"enum": ["y"]}]},
            "maybe": {"anyOf": [{"$ref": "#/$defs/Unit"}, {"type": "null"}], "description": "Or not."},
            "count": {"type": ["integer", "null"], "format": "uint32", "minimum": 0},
        },
        "type": "object",
    });
    let made = Structural::new(&root).root("Root").unwrap();
    let expected = json!({
        "type": "object",
        "properties": {
            "either": {
                "type": "object",
                "properties": {
                    "a": {"type": "string", "maxLength": 1024},
                    "in": {"type": "string", "maxLength": 1024},
                },
                "x-kubernetes-validations": [{
                    "rule": "[has(self.a), has(self.__in__)].exists_one(it, it)",
                    "message": "expected exactly one of `a`, `in`",
                }],
            },
            "name": {"type": "string", "enum": ["x", "y"], "description": "`x`: One."},
            "maybe": {"type": "string", "maxLength": 1024, "description": "Or not."},
            "count": {"type": "integer", "format": "int64", "minimum": 0},
        },
    });
    assert_eq!(made, expected);
    for (shape, problem) in [
        (
            json!(true),
            "the shape of Root.x cannot be part of a CustomResourceDefinition: it may be anything",
        ),
        (
            json!({"not": {}}),
            "the shape of Root.x cannot be part of a CustomResourceDefinition: keyword `not`",
        ),
    ] {
        let root = json!({"type": "object", "properties": {"x": shape}});
        let error = Structural::new(&root).root("Root").unwrap_err();
        assert_eq!(error.to_string(), problem);
    }
}
