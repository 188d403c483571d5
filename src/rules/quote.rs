//! Texts in double quotes as Go's `%q` writes them, which PromQL reads as the same text again.

use std::fmt::Write;

/// `text` in quotes.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\x07' => out.push_str("\\a"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x0b' => out.push_str("\\v"),
            // Writing to a text cannot fail.
            c if c.is_ascii_control() => _ = write!(out, "\\x{:02x}", u32::from(c)),
            c if c.is_control() => _ = write!(out, "\\u{:04x}", u32::from(c)),
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use promql_parser::parser::{self, Expr};
    use proptest::prelude::*;

    #[test]
    fn special_characters_are_escaped_as_in_go() {
        for (text, expected) in [
            ("a|b", r#""a|b""#),
            (r#"a"b\c"#, r#""a\"b\\c""#),
            ("\t\n\x00\x7f\u{85}é", "\"\\t\\n\\x00\\x7f\\u0085é\""),
        ] {
            assert_eq!(quoted(text), expected);
        }
    }

    proptest! {
        #[test]
        fn promql_reads_the_same_text_again(text in "[ -~éα]{0,20}") {
            let query = format!("x{{a={}}}", quoted(&text));
            let Ok(Expr::VectorSelector(selector)) = parser::parse(&query) else {
                panic!("{query}");
            };
            prop_assert_eq!(&selector.matchers.matchers[0].value, &text);
        }
    }
}
