//! Checks a document against a JSON schema and reports every fault, not only the first.
//!
//! The schema is the one generated from the Rust types (and later published as the CRD's), so
//! the file and the cluster cannot disagree. Only the keywords that those schemas use are known;
//! `unknown_keywords` lets a test prove that none is ignored.

use crate::document::fault::{Fault, Repair, nearest};
use crate::document::path::Path;
use crate::document::yaml::{Node, Value};
use serde_json::Value as Json;

/// Keywords that are checked.
const CHECKED: [&str; 10] = [
    "$ref",
    "additionalProperties",
    "anyOf",
    "const",
    "enum",
    "items",
    "oneOf",
    "properties",
    "required",
    "type",
];
/// Keywords that describe and check nothing here.
const DESCRIBING: [&str; 9] = [
    "$defs",
    "$schema",
    "default",
    "description",
    "examples",
    "format",
    "minimum",
    "title",
    "x-kubernetes-int-or-string",
];

/// A schema whose references lead into its own `$defs`.
#[derive(Debug)]
pub struct Schema<'s> {
    root: &'s Json,
}

impl<'s> Schema<'s> {
    /// Takes a schema document.
    #[must_use]
    pub fn new(root: &'s Json) -> Self {
        Self { root }
    }

    /// All faults of `node`.
    #[must_use]
    pub fn check(&self, node: &Node) -> Vec<Fault> {
        let mut faults = Vec::new();
        self.check_at(node, self.root, &Path::default(), &mut faults);
        faults
    }

    /// Keywords of the schema that `check` would ignore; for a test.
    #[must_use]
    pub fn unknown_keywords(&self) -> Vec<String> {
        let mut unknown = Vec::new();
        collect_unknown(self.root, &mut unknown);
        unknown
    }

    fn check_at(&self, node: &Node, schema: &Json, path: &Path, faults: &mut Vec<Fault>) {
        let schema = self.resolved(schema);
        let choices = schema.get("anyOf").or_else(|| schema.get("oneOf"));
        if let Some(choices) = choices.and_then(Json::as_array) {
            match constants(choices) {
                Some(allowed) => check_constant(node, &allowed, path, faults),
                None => self.check_any(node, choices, path, faults),
            }
            return;
        }
        if !self.check_type(node, schema, path, faults) {
            return;
        }
        check_enum(node, schema, path, faults);
        match &node.value {
            Value::Mapping(_) => self.check_mapping(node, schema, path, faults),
            Value::List(elements) => {
                let Some(items) = schema.get("items") else { return };
                for (index, element) in elements.iter().enumerate() {
                    self.check_at(element, items, &path.index(index), faults);
                }
            }
            _ => {}
        }
    }

    /// One choice must fit; if none does, the faults of the first one that is not `null` are
    /// those that the writer wants to know.
    fn check_any(&self, node: &Node, choices: &[Json], path: &Path, faults: &mut Vec<Fault>) {
        let mut first = None;
        for choice in choices {
            let mut own = Vec::new();
            self.check_at(node, choice, path, &mut own);
            if own.is_empty() {
                return;
            }
            let is_null = self.resolved(choice).get("type").is_some_and(|it| it == "null");
            if first.is_none() && !is_null {
                first = Some(own);
            }
        }
        faults.extend(first.unwrap_or_default());
    }

    fn check_type(&self, node: &Node, schema: &Json, path: &Path, faults: &mut Vec<Fault>) -> bool {
        let allowed: Vec<&str> = match schema.get("type") {
            Some(Json::String(name)) => vec![name],
            Some(Json::Array(names)) => names.iter().filter_map(Json::as_str).collect(),
            _ => return true,
        };
        if allowed.iter().any(|name| is_of_type(&node.value, name)) {
            return true;
        }
        let wanted = allowed.iter().filter(|name| **name != "null").map(|name| shown_type(name));
        let wanted: Vec<&str> = wanted.collect();
        let problem = format!("expected {}, found {}", wanted.join(" or "), shown(&node.value));
        let is_text_wanted = allowed.contains(&"string");
        let hint = match &node.value {
            Value::Number(_) | Value::Bool(_) if is_text_wanted => "put it in quotes",
            _ => allowed.first().map_or("", |name| how_to_write(name)),
        };
        let fault = Fault::new(path.clone(), problem).hint(hint);
        faults.push(fault.repair(Repair::Remove));
        false
    }

    fn check_mapping(&self, node: &Node, schema: &Json, path: &Path, faults: &mut Vec<Fault>) {
        let Value::Mapping(entries) = &node.value else { return };
        let properties = schema.get("properties").and_then(Json::as_object);
        for (key, value) in entries {
            let below = path.key(&key.text);
            match (properties.and_then(|it| it.get(&key.text)), schema.get("additionalProperties"))
            {
                (Some(property), _) => self.check_at(value, property, &below, faults),
                (None, Some(Json::Bool(false))) => {
                    let known = properties.into_iter().flat_map(|it| it.keys());
                    faults.push(unknown_key(below, &key.text, known.map(String::as_str)));
                }
                (None, Some(others)) => self.check_at(value, others, &below, faults),
                (None, None) => {}
            }
        }
        // A key that is there under a misspelt name is not told as missing, too.
        let misspelt = |key: &str| {
            let rename = Some(Repair::Rename(key.to_owned()));
            faults.iter().any(|it| it.repair == rename && it.path.parent().as_ref() == Some(path))
        };
        let required = schema.get("required").and_then(Json::as_array).into_iter().flatten();
        let missing = required
            .filter_map(Json::as_str)
            .filter(|key| node.get(key).is_none() && !misspelt(key))
            .collect::<Vec<_>>();
        for key in missing {
            let fault = Fault::new(path.clone(), format!("`{key}` is missing"));
            faults.push(fault.hint(format!("add `{key}: …`")));
        }
    }

    fn resolved<'a>(&self, schema: &'a Json) -> &'a Json
    where
        's: 'a,
    {
        let name = schema.get("$ref").and_then(Json::as_str);
        let name = name.and_then(|it| it.strip_prefix("#/$defs/"));
        name.and_then(|it| self.root.get("$defs")?.get(it)).unwrap_or(schema)
    }
}

fn unknown_key<'a>(path: Path, key: &str, known: impl Iterator<Item = &'a str>) -> Fault {
    let known: Vec<&str> = known.collect();
    let fault = Fault::new(path, format!("unknown key `{key}`"));
    match nearest(key, known.iter().copied()) {
        Some(name) => {
            let fault = fault.hint(format!("did you mean `{name}`?"));
            fault.repair(Repair::Rename(name.to_owned()))
        }
        None => {
            let fault = fault.hint(format!("known here: {}", known.join(", ")));
            fault.repair(Repair::Remove)
        }
    }
}

/// The values of choices that are one value each: an enum whose values are described.
fn constants(choices: &[Json]) -> Option<Vec<Json>> {
    choices.iter().map(|choice| choice.get("const").cloned()).collect()
}

fn check_enum(node: &Node, schema: &Json, path: &Path, faults: &mut Vec<Fault>) {
    let one = schema.get("const").map(std::slice::from_ref);
    let many = schema.get("enum").and_then(Json::as_array).map(Vec::as_slice);
    if let Some(allowed) = many.or(one) {
        check_constant(node, allowed, path, faults);
    }
}

fn check_constant(node: &Node, allowed: &[Json], path: &Path, faults: &mut Vec<Fault>) {
    if allowed.contains(&node.to_json()) {
        return;
    }
    let names: Vec<&str> = allowed.iter().filter_map(Json::as_str).collect();
    let problem = format!("expected one of {}, found {}", names.join(", "), shown(&node.value));
    let fault = Fault::new(path.clone(), problem).hint("take one of these");
    faults.push(fault.suggest(node.text().unwrap_or_default(), names));
}

fn is_of_type(value: &Value, name: &str) -> bool {
    match (name, value) {
        ("null", Value::Null)
        | ("boolean", Value::Bool(_))
        | ("number", Value::Number(_))
        | ("string", Value::Text(_))
        | ("array", Value::List(_))
        | ("object", Value::Mapping(_)) => true,
        ("integer", Value::Number(number)) => number.is_i64() || number.is_u64(),
        _ => false,
    }
}

fn shown_type(name: &str) -> &str {
    match name {
        "boolean" => "true or false",
        "number" => "a number",
        "integer" => "a whole number",
        "string" => "a text",
        "array" => "a list",
        "object" => "a mapping",
        other => other,
    }
}

fn how_to_write(name: &str) -> &'static str {
    match name {
        "object" => "write `key: value` pairs, indented below the key",
        "array" => "begin each element with `- `, or write `[]` for none",
        "string" => "write one text, in quotes if it has special characters",
        "boolean" => "write true or false, without quotes",
        _ => "write a number, without quotes or unit",
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(value) => format!("`{value}`"),
        Value::Number(number) => format!("`{number}`"),
        Value::Text(text) => format!("`{}`", text.chars().take(40).collect::<String>()),
        Value::List(_) => "a list".to_owned(),
        Value::Mapping(_) => "a mapping".to_owned(),
    }
}

fn collect_unknown(schema: &Json, unknown: &mut Vec<String>) {
    let Some(keywords) = schema.as_object() else { return };
    for (keyword, content) in keywords {
        match keyword.as_str() {
            "properties" | "$defs" => {
                let schemas = content.as_object().into_iter().flat_map(|it| it.values());
                schemas.for_each(|below| collect_unknown(below, unknown));
            }
            "anyOf" | "oneOf" => {
                let schemas = content.as_array().into_iter().flatten();
                schemas.for_each(|below| collect_unknown(below, unknown));
            }
            "items" | "additionalProperties" => collect_unknown(content, unknown),
            name if CHECKED.contains(&name) || DESCRIBING.contains(&name) => {}
            name => unknown.push(name.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(schema: &Json, text: &str, expected: &[&str]) {
        let faults = Schema::new(schema).check(&Node::parse(text).unwrap());
        let shown: Vec<String> = faults
            .iter()
            .map(|it| match &it.hint {
                Some(hint) => format!("{it} ({hint})"),
                None => it.to_string(),
            })
            .collect();
        assert_eq!(shown, expected, "{text}");
    }

    #[test]
    fn every_fault_is_found_in_one_pass() {
        let schema = json!({
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "interval": {"anyOf": [{"$ref": "#/$defs/Text"}, {"type": "null"}]},
                "kind": {"oneOf": [{"const": "External"}, {"const": "Pods"}]},
                "steps": {"type": "array", "items": {"type": "integer"}},
            },
            "required": ["name"],
            "additionalProperties": false,
            "$defs": {"Text": {"type": "string"}},
        });
        check(&schema, "{name: x, interval: 15s, kind: Pods, steps: [1]}", &[]);
        check(&schema, "{name: x, interval: null}", &[]);
        check(
            &schema,
            "{intervall: 15s, kind: external, steps: [1, x, 1.5], interval: 15}",
            &[
                "intervall: unknown key `intervall` (did you mean `interval`?)",
                "kind: expected one of External, Pods, found `external` (did you mean `External`?)",
                "steps[1]: expected a whole number, found `x` (write a number, without quotes or unit)",
                "steps[2]: expected a whole number, found `1.5` (write a number, without quotes or unit)",
                "interval: expected a text, found `15` (put it in quotes)",
                "`name` is missing (add `name: …`)",
            ],
        );
        let misspelt = "nam: unknown key `nam` (did you mean `name`?)";
        check(&schema, "{nam: x}", &[misspelt]);
        check(
            &schema,
            "[]",
            &[
                "expected a mapping, found a list (write `key: value` pairs, indented below the key)",
            ],
        );
    }

    #[test]
    fn maps_of_free_keys_check_their_values() {
        let schema = json!({"type": "object", "additionalProperties": {"type": "number"}});
        let fault = "b: expected a number, found `x` (write a number, without quotes or unit)";
        check(&schema, "{a: 1, b: x}", &[fault]);
    }
}
