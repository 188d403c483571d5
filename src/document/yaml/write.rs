//! A value as YAML that people can read: what was generated and is committed.

use serde_json::Value as Json;
use std::fmt::Write;

/// The text of one document, which `Node::parse` reads as the same value again.
#[must_use]
pub fn document(value: &Json) -> String {
    let mut text = String::new();
    if is_block(value) {
        block(value, 0, &mut text);
    } else {
        text = format!("{}\n", inline(value));
    }
    text
}

/// A mapping or a list that is not empty, each entry on lines of its own.
fn block(value: &Json, depth: usize, text: &mut String) {
    let indent = "  ".repeat(depth);
    match value {
        Json::Object(entries) => {
            for (key, value) in entries {
                push(&format!("{indent}{}:", quoted(key)), value, depth, text);
            }
        }
        Json::Array(elements) => {
            for element in elements {
                item(element, depth, text);
            }
        }
        _ => {}
    }
}

/// What a key is followed by.
fn push(before: &str, value: &Json, depth: usize, text: &mut String) {
    // Writing to a text cannot fail.
    if is_block(value) {
        _ = writeln!(text, "{before}");
        block(value, depth + 1, text);
    } else {
        _ = writeln!(text, "{before} {}", inline(value));
    }
}

/// An element of a list: what it begins with stands behind the dash.
fn item(value: &Json, depth: usize, text: &mut String) {
    let indent = "  ".repeat(depth);
    if is_block(value) {
        let mut own = String::new();
        block(value, depth + 1, &mut own);
        let begin = own.strip_prefix(&format!("{indent}  ")).unwrap_or(&own);
        _ = write!(text, "{indent}- {begin}");
    } else {
        _ = writeln!(text, "{indent}- {}", inline(value));
    }
}

fn is_block(value: &Json) -> bool {
    match value {
        Json::Object(entries) => !entries.is_empty(),
        Json::Array(elements) => !elements.is_empty(),
        _ => false,
    }
}

fn inline(value: &Json) -> String {
    match value {
        Json::String(text) => quoted(text),
        other => other.to_string(),
    }
}

/// A text as it is where nobody could take it for something else, else in quotes.
fn quoted(text: &str) -> String {
    const WORDS: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic());
    let is_plain = text.chars().all(|c| c.is_ascii_alphanumeric() || " _-./,;()$".contains(c));
    let is_word = WORDS.contains(&text.to_ascii_lowercase().as_str());
    if begins && is_plain && !is_word && !text.ends_with(' ') {
        text.to_owned()
    } else {
        // A JSON text is a YAML text in double quotes.
        Json::from(text).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::yaml::Node;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn people_can_read_it() {
        let value = json!({
            "kind": "Thing",
            "names": {"short": ["a", "yes"], "none": {}, "list": []},
            "rules": [{"message": "it's \"so\": a", "count": 2}, [1.5, null, true]],
        });
        let expected = r#"kind: Thing
names:
  list: []
  none: {}
  short:
    - a
    - "yes"
rules:
  - count: 2
    message: "it's \"so\": a"
  - - 1.5
    - null
    - true
"#;
        assert_eq!(document(&value), expected);
    }

    fn value() -> impl Strategy<Value = Json> {
        let scalar = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::from),
            any::<i64>().prop_map(Json::from),
            "[ -~]{0,12}".prop_map(Json::from),
            "[a-z:#'\"\\[{&*!|>%@`\n\t, -]{0,8}".prop_map(Json::from),
        ];
        scalar.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
                prop::collection::btree_map("[ -~]{1,6}", inner, 0..4)
                    .prop_map(|it| Json::Object(it.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(value in value()) {
            let text = document(&value);
            let read = Node::parse(&text);
            prop_assert_eq!(read.map(|it| it.to_json()), Ok(value), "{}", text);
        }
    }
}
