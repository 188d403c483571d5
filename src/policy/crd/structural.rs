//! From the JSON schema of a Rust type to the structural schema that the API server takes:
//! references written out, no nulls, every text, list and map bounded, choices as enums or as
//! properties of which one is given.

use super::{BOUNDS, ONE_OF, RULES};
use serde_json::{Map, Value as Json, json};

/// A list without a bound of its own.
const ITEMS_MAX: usize = 16;
/// A map without a bound of its own.
const ENTRIES_MAX: usize = 64;
/// A text without a bound of its own.
const TEXT_MAX: usize = 1_024;

/// A shape that the API server does not take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the shape of {of} cannot be part of a CustomResourceDefinition: {problem}")]
pub struct Unsupported {
    of: String,
    problem: String,
}

/// Converts the types of one schema document.
#[derive(Debug)]
pub(super) struct Structural<'s> {
    root: &'s Json,
}

/// Where a schema is used: the property of a type.
#[derive(Clone, Copy, Debug)]
struct Place<'a> {
    of: &'a str,
    property: &'a str,
}

impl<'s> Structural<'s> {
    pub(super) fn new(root: &'s Json) -> Self {
        Self { root }
    }

    /// The type at the root, by its name.
    pub(super) fn root(&self, name: &str) -> Result<Json, Unsupported> {
        self.convert(self.root, Place { of: name, property: "" })
    }

    /// The type of this name.
    pub(super) fn of(&self, name: &str) -> Result<Json, Unsupported> {
        self.convert(self.definition(name)?, Place { of: name, property: "" })
    }

    fn definition(&self, name: &str) -> Result<&'s Json, Unsupported> {
        let found = self.root.get("$defs").and_then(|it| it.get(name));
        found.ok_or_else(|| unsupported(Place { of: name, property: "" }, "it is not defined"))
    }

    fn convert(&self, schema: &Json, place: Place<'_>) -> Result<Json, Unsupported> {
        let Some(keywords) = schema.as_object() else {
            return Err(unsupported(place, "it may be anything"));
        };
        let mut converted = Map::new();
        if let Some(name) = keywords.get("$ref").and_then(Json::as_str) {
            let name = name.trim_start_matches("#/$defs/");
            merge(&mut converted, self.of(name)?);
        }
        let choices = keywords.get("anyOf").or_else(|| keywords.get("oneOf"));
        if let Some(choices) = choices.and_then(Json::as_array) {
            merge(&mut converted, self.choice(choices, place)?);
        }
        for (keyword, content) in keywords {
            self.keyword(keyword, content, place, &mut converted)?;
        }
        bound(&mut converted, place);
        add_rules(&mut converted, place);
        Ok(Json::Object(converted))
    }

    /// One keyword of a schema; what was said more closely at the place of use goes before what the
    /// type says of itself.
    fn keyword(
        &self,
        keyword: &str,
        content: &Json,
        place: Place<'_>,
        converted: &mut Map<String, Json>,
    ) -> Result<(), Unsupported> {
        let value = match keyword {
            "$ref" | "$defs" | "$schema" | "anyOf" | "oneOf" | "title" | "examples" => {
                return Ok(());
            }
            "additionalProperties" if content == &Json::Bool(false) => return Ok(()),
            "additionalProperties" | "items" => self.convert(content, place)?,
            "properties" => self.properties(content, place)?,
            "type" => json!(one_type(content, place)?),
            "const" => {
                converted.insert("enum".to_owned(), json!([content]));
                return Ok(());
            }
            // The API server knows these only; a whole number without a sign has a minimum.
            "format" => match content.as_str().unwrap_or_default() {
                "int32" | "uint8" | "uint16" => json!("int32"),
                "int64" | "uint32" | "uint64" | "uint" | "int" => json!("int64"),
                "double" | "float" => json!("double"),
                other => json!(other),
            },
            "default" if content.is_null() => return Ok(()),
            "description" => json!(unwrapped(content.as_str().unwrap_or_default())),
            "default" | "enum" | "required" | "minimum" | "maximum" | "exclusiveMinimum"
            | "exclusiveMaximum" | "minLength" | "maxLength" | "minItems" | "maxItems"
            | "minProperties" | "maxProperties" | "pattern" => content.clone(),
            own if own.starts_with("x-kubernetes-") => content.clone(),
            other => return Err(unsupported(place, &format!("keyword `{other}`"))),
        };
        converted.insert(keyword.to_owned(), value);
        Ok(())
    }

    fn properties(&self, content: &Json, place: Place<'_>) -> Result<Json, Unsupported> {
        let properties = content.as_object().into_iter().flatten();
        let converted = properties.map(|(property, schema)| {
            let place = Place { of: place.of, property };
            Ok((property.clone(), self.convert(schema, place)?))
        });
        Ok(Json::Object(converted.collect::<Result<Map<_, _>, Unsupported>>()?))
    }

    /// Null beside one choice, names beside each other, a number beside a text, or objects of one
    /// property each.
    fn choice(&self, choices: &[Json], place: Place<'_>) -> Result<Json, Unsupported> {
        let choices: Vec<&Json> = choices.iter().filter(|it| !is_null(it)).collect();
        if let [only] = choices.as_slice() {
            return self.convert(only, place);
        }
        if let Some(names) = names(&choices) {
            return Ok(names);
        }
        let converted: Vec<Json> =
            choices.iter().map(|it| self.convert(it, place)).collect::<Result<_, _>>()?;
        let types: Vec<&str> = converted.iter().filter_map(|it| it.get("type")?.as_str()).collect();
        if let ["number" | "integer", "string"] | ["string", "number" | "integer"] =
            types.as_slice()
        {
            return Ok(json!({
                "x-kubernetes-int-or-string": true,
                "anyOf": [{"type": "integer"}, {"type": "string"}],
            }));
        }
        variants(&converted).ok_or_else(|| unsupported(place, "its choices are of several shapes"))
    }
}

fn unsupported(place: Place<'_>, problem: &str) -> Unsupported {
    let Place { of, property } = place;
    let of = if property.is_empty() { of.to_owned() } else { format!("{of}.{property}") };
    Unsupported { of, problem: problem.to_owned() }
}

fn merge(into: &mut Map<String, Json>, from: Json) {
    if let Json::Object(entries) = from {
        into.extend(entries);
    }
}

fn is_null(schema: &Json) -> bool {
    schema.get("type").is_some_and(|it| it == "null")
}

/// The type, which may not be several apart from null.
fn one_type(content: &Json, place: Place<'_>) -> Result<String, Unsupported> {
    let types: Vec<&str> = match content {
        Json::String(name) => vec![name],
        Json::Array(names) => {
            names.iter().filter_map(Json::as_str).filter(|it| *it != "null").collect()
        }
        _ => Vec::new(),
    };
    match types.as_slice() {
        [only] => Ok((*only).to_owned()),
        _ => Err(unsupported(place, "it has not one type")),
    }
}

/// A comment without the line breaks of its source; paragraphs stay.
fn unwrapped(text: &str) -> String {
    let paragraphs = text.split("\n\n").map(|it| it.replace('\n', " "));
    paragraphs.collect::<Vec<_>>().join("\n\n")
}

/// Names that stand for themselves: an enum, whose values are described one after the other.
fn names(choices: &[&Json]) -> Option<Json> {
    let mut values = Vec::new();
    let mut about = Vec::new();
    for choice in choices {
        let one = choice.get("const").map(std::slice::from_ref);
        let many = choice.get("enum").and_then(Json::as_array).map(Vec::as_slice);
        let names = one.or(many)?;
        if let ([Json::String(name)], Some(Json::String(description))) =
            (names, choice.get("description"))
        {
            about.push(format!("`{name}`: {}", unwrapped(description)));
        }
        values.extend(names.iter().cloned());
    }
    if about.is_empty() {
        return Some(json!({"type": "string", "enum": values}));
    }
    Some(json!({"type": "string", "enum": values, "description": about.join(" ")}))
}

/// Objects of one required property each: one object with all of them, of which one is given.
fn variants(choices: &[Json]) -> Option<Json> {
    let mut properties = Map::new();
    for choice in choices {
        let required = choice.get("required")?.as_array()?;
        let own = choice.get("properties")?.as_object()?;
        if required.len() != 1 || own.len() != 1 {
            return None;
        }
        properties.extend(own.clone());
    }
    let rule = exactly_one(properties.keys().map(String::as_str));
    let rules = json!([rule]);
    Some(json!({"type": "object", "properties": properties, "x-kubernetes-validations": rules}))
}

fn bound(schema: &mut Map<String, Json>, place: Place<'_>) {
    let own =
        BOUNDS.iter().find(|(of, property, _)| *of == place.of && *property == place.property);
    let own = own.map(|(_, _, most)| *most);
    let (keyword, usual) = match schema.get("type").and_then(Json::as_str) {
        Some("array") => ("maxItems", ITEMS_MAX),
        Some("object") if schema.contains_key("additionalProperties") => {
            ("maxProperties", ENTRIES_MAX)
        }
        Some("string") if !schema.contains_key("enum") && !schema.contains_key("format") => {
            ("maxLength", TEXT_MAX)
        }
        _ => return,
    };
    schema.entry(keyword).or_insert_with(|| json!(own.unwrap_or(usual)));
}

/// The rules of a type, where the type itself stands and not a property of it.
fn add_rules(schema: &mut Map<String, Json>, place: Place<'_>) {
    let Place { of, property: "" } = place else { return };
    let Some(properties) = schema.get("properties").and_then(Json::as_object) else { return };
    let mut rules = Vec::new();
    if let Some((_, others)) = ONE_OF.iter().find(|(name, _)| *name == of) {
        let kinds = properties.keys().map(String::as_str).filter(|it| !others.contains(it));
        rules.push(exactly_one(kinds));
    }
    let known = |names: &[&str]| names.iter().all(|it| properties.contains_key(*it));
    let own = RULES.iter().filter(|it| it.of == of && known(it.needs));
    rules.extend(own.map(|it| json!({"rule": it.rule, "message": it.message})));
    if !rules.is_empty() {
        schema.insert("x-kubernetes-validations".to_owned(), rules.into());
    }
}

fn exactly_one<'a>(properties: impl Iterator<Item = &'a str> + Clone) -> Json {
    let given: Vec<String> =
        properties.clone().map(|it| format!("has(self.{})", escaped(it))).collect();
    let names: Vec<String> = properties.map(|it| format!("`{it}`")).collect();
    json!({
        "rule": format!("[{}].exists_one(it, it)", given.join(", ")),
        "message": format!("expected exactly one of {}", names.join(", ")),
    })
}

/// A property's name as rules write it: words of the rules' language are marked.
fn escaped(name: &str) -> String {
    const WORDS: [&str; 21] = [
        "true",
        "false",
        "null",
        "in",
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    ];
    if WORDS.contains(&name) { format!("__{name}__") } else { name.to_owned() }
}
