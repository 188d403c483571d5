//! The parameters of a signal and their types, by the schema that policies are checked with.

use serde_json::{Map, Value as Json};

/// The keys that a signal has, by the schema of policies.
pub(super) struct Properties<'s> {
    schema: &'s Json,
    own: &'s Map<String, Json>,
}

impl<'s> Properties<'s> {
    pub(super) fn of(schema: &'s Json, signal: &str) -> Option<Self> {
        let definitions = schema.get("$defs")?;
        let property = definitions.get("Signal")?.get("properties")?.get(signal)?;
        let own = resolved(schema, property)?.get("properties")?.as_object()?;
        Some(Self { schema, own })
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.own.contains_key(key)
    }

    /// A text in the type that a key has, or what was expected; `None` for a key that is not there.
    pub(super) fn value(&self, key: &str, text: &str) -> Option<Result<Json, &'static str>> {
        let property = self.own.get(key)?;
        let types = property.get("type");
        let is = |name: &str| match types {
            Some(Json::String(only)) => only == name,
            Some(Json::Array(several)) => several.iter().any(|it| it == name),
            _ => false,
        };
        let is_choice =
            resolved(self.schema, property).is_some_and(|it| it.get("properties").is_none());
        Some(if is("boolean") {
            text.parse().map(Json::Bool).map_err(|_| "`true` or `false`")
        } else if is("integer") {
            text.parse::<i64>().map(Json::from).map_err(|_| "a whole number")
        } else if is("number") {
            text.parse::<f64>().map(Json::from).map_err(|_| "a number")
        } else if is("string") || is_choice {
            Ok(text.into())
        } else {
            Err("something that can be given as a text")
        })
    }
}

/// The definition behind a property that may be left out.
fn resolved<'s>(schema: &'s Json, property: &'s Json) -> Option<&'s Json> {
    let several = property.get("anyOf").and_then(Json::as_array);
    let reference = |it: &'s Json| it.get("$ref").and_then(Json::as_str);
    let name = reference(property).or_else(|| several?.iter().find_map(reference))?;
    schema.get("$defs")?.get(name.strip_prefix("#/$defs/")?)
}
