//! What is read, what is refused, and where things stand.

use super::*;
use proptest::prelude::*;
use serde_json::json;

#[test]
fn values_are_those_of_the_core_schema() {
    let text =
        "a: 1\nb: '1'\nc: [true, ~, 1.5, -2e3, x y]\nd: {e: \"f\"}\ng:\nh: |\n  two\n  lines\n";
    let node = Node::parse(text).unwrap();
    assert_eq!(
        node.to_json(),
        json!({"a": 1, "b": "1", "c": [true, null, 1.5, -2000.0, "x y"], "d": {"e": "f"},
               "g": null, "h": "two\nlines\n"})
    );
}

#[test]
fn a_path_leads_to_its_line_or_to_the_nearest_above() {
    let text = "sources:\n  - name: default\n    prometheus: {url: x}\npolicies: []\n";
    let node = Node::parse(text).unwrap();
    let source = Path::default().key("sources").index(0);
    for (path, line, column) in [
        (Path::default(), 1, 1),
        (source.clone(), 2, 5),
        (source.key("prometheus"), 3, 5),
        (source.key("prometheus").key("url"), 3, 18),
        (source.key("scrape").key("url"), 2, 5),
        (Path::default().key("policies"), 4, 1),
    ] {
        assert_eq!(node.position(&path), Position { line, column }, "{path}");
    }
}

#[test]
fn malformed_documents_say_where() {
    for (text, line, problem) in [
        ("a: [1, 2", 1, "sequence"),
        ("a: 1\n b: 2", 2, ""),
        ("a: 1\na: 2", 2, "given twice, first in line 1"),
        ("a: 1\n---\nb: 2", 2, "more than one document"),
        ("a: *x", 1, "unknown anchor"),
        ("[a]: 1", 1, "a key must be plain text"),
        ("a: \"x", 1, ""),
    ] {
        let error = Node::parse(text).unwrap_err();
        assert!(error.at.line >= line, "{text:?}: {error}");
        assert!(error.problem.contains(problem), "{text:?}: {error}");
    }
}

#[test]
fn aliases_of_aliases_stop_at_the_limit() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..10 {
        let below = format!("*a{}", level - 1);
        let list = vec![below; 10].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{list}]\n"));
    }
    assert!(Node::parse(&text).unwrap_err().problem.contains("too many values"));
}

#[test]
fn deep_nesting_stops_at_the_limit() {
    let depth = 100;
    let text = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(Node::parse(&text).unwrap_err().problem, "nested too deeply");
}

#[test]
fn an_empty_text_is_null() {
    for text in ["", "# only a comment\n", "---\n"] {
        assert_eq!(Node::parse(text).unwrap().value, Value::Null, "{text:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_text_breaks_the_loader(text in "\\PC*") {
        drop(Node::parse(&text));
    }

    #[test]
    fn yaml_like_text_never_breaks_the_loader(text in "[ab:\\-\\[\\]{}&*|>'\"#,\n ]{0,60}") {
        drop(Node::parse(&text));
    }
}
