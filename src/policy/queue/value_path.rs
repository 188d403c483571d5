//! Paths to one value in a document: JSONPath, or of GJSON's syntax what leads to one value.
//!
//! What begins with `$` is JSONPath (RFC 9535): `$.jobs[0].length`, `$.queues[?@.name=='a'].length`.
//! Everything else is GJSON's, as KEDA takes it:
//! `jobs.0.length` goes through keys and elements, `\.` is a dot in a key, `*` and `?` stand for
//! any characters in one, `#` at the end counts elements, and `queues.#(name=="a").length` takes
//! the first element of which that is true. Modifiers and paths to several values are refused.

use serde_json_path::JsonPath;

/// A path to one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValuePath {
    text: Box<str>,
    route: Route,
}

/// How a path leads to its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// Step by step, in GJSON's syntax.
    Steps(Vec<Step>),
    /// By a query that has to find exactly one value.
    JsonPath(JsonPath),
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A key of an object, or the number of an element.
    Name(Box<str>),
    /// A key of an object that looks like this.
    Like(Box<str>),
    /// How many elements there are.
    Count,
    /// The first element of which this is true.
    First(Condition),
}

/// What has to be true of an element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Of what of it; of itself when empty.
    pub keys: Vec<Box<str>>,
    /// Which comparison.
    pub comparison: Comparison,
    /// With what, as JSON or else as a text.
    pub with: Box<str>,
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `==`
    Equal,
    /// `!=`
    Unequal,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
}

/// The comparisons as they are written; of two that begin alike the longer one first.
const COMPARISONS: [(&str, Comparison); 7] = [
    ("==", Comparison::Equal),
    ("!=", Comparison::Unequal),
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("<", Comparison::Less),
    (">", Comparison::More),
    ("=", Comparison::Equal),
];

impl ValuePath {
    /// Reads a path.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.starts_with('$') {
            let path = JsonPath::parse(text).map_err(|error| error.to_string())?;
            return Ok(Self { text: text.into(), route: Route::JsonPath(path) });
        }
        let parts = split(text)?;
        let last = parts.len().saturating_sub(1);
        let steps = parts.iter().enumerate().map(|(index, part)| step(part, index == last));
        Ok(Self { text: text.into(), route: Route::Steps(steps.collect::<Result<_, _>>()?) })
    }

    /// The path as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// How it leads to its value.
    #[must_use]
    pub fn route(&self) -> &Route {
        &self.route
    }
}

/// The parts between dots, with their escapes; a dot in a condition is no end of a part.
fn split(text: &str) -> Result<Vec<String>, String> {
    let mut parts = vec![String::new()];
    let mut depth = 0_u32;
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        let Some(part) = parts.last_mut() else { break };
        match c {
            '\\' => {
                part.push(c);
                part.extend(characters.next());
            }
            '.' if depth == 0 => parts.push(String::new()),
            '|' | '@' | '!' if depth == 0 => {
                return Err(format!("`{c}` is of GJSON's modifiers, which are not known here"));
            }
            _ => {
                depth = match c {
                    '(' => depth + 1,
                    ')' => depth.saturating_sub(1),
                    _ => depth,
                };
                part.push(c);
            }
        }
    }
    match parts.iter().any(String::is_empty) {
        true => Err("a part of the path is empty".to_owned()),
        false => Ok(parts),
    }
}

fn step(part: &str, is_last: bool) -> Result<Step, String> {
    if part == "#" {
        let several = || Err("`#` before the end leads to several values".to_owned());
        return if is_last { Ok(Step::Count) } else { several() };
    }
    if let Some(rest) = part.strip_prefix("#(") {
        let inner = rest.strip_suffix(')').ok_or("`#(…)#` leads to several values")?;
        return condition(inner).map(Step::First);
    }
    let is_pattern = part.replace("\\*", "").replace("\\?", "").contains(['*', '?']);
    Ok(if is_pattern { Step::Like(part.into()) } else { Step::Name(plain(part).into()) })
}

/// Without its escapes.
fn plain(part: &str) -> String {
    let mut text = String::new();
    let mut characters = part.chars();
    while let Some(c) = characters.next() {
        text.extend(if c == '\\' { characters.next() } else { Some(c) });
    }
    text
}

fn condition(text: &str) -> Result<Condition, String> {
    let found = COMPARISONS.iter().filter_map(|(sign, comparison)| {
        let (before, after) = text.split_once(sign)?;
        Some((before.len(), sign.len(), before, after, *comparison))
    });
    let first = found.min_by_key(|(at, length, ..)| (*at, usize::MAX - length));
    let (.., before, after, comparison) =
        first.ok_or_else(|| format!("`#({text})` compares nothing"))?;
    let keys = match before.trim() {
        "" => Vec::new(),
        path => split(path)?.iter().map(|it| plain(it).into()).collect(),
    };
    Ok(Condition { keys, comparison, with: after.trim().into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(path: &str) -> Vec<Step> {
        match ValuePath::parse(path).unwrap().route {
            Route::Steps(steps) => steps,
            Route::JsonPath(path) => panic!("{path}"),
        }
    }

    #[test]
    fn a_path_to_one_value_is_read_step_by_step() {
        let name = |text: &str| Step::Name(text.into());
        for (path, expected) in [
            ("a", vec![name("a")]),
            ("a.0.b", vec![name("a"), name("0"), name("b")]),
            (r"a\.b.c", vec![name("a.b"), name("c")]),
            (r"a\*.c", vec![name("a*"), name("c")]),
            ("a.#", vec![name("a"), Step::Count]),
            ("a*.b?", vec![Step::Like("a*".into()), Step::Like("b?".into())]),
        ] {
            assert_eq!(steps(path), expected, "{path}");
        }
        let path = steps(r#"q.#(a.name=="x.y").n"#);
        let Step::First(condition) = &path[1] else { panic!("{path:?}") };
        let keys: Vec<&str> = condition.keys.iter().map(|it| &**it).collect();
        assert_eq!(keys, ["a", "name"]);
        assert_eq!((condition.comparison, &*condition.with), (Comparison::Equal, "\"x.y\""));
        let path = steps("q.#(n>=3).m");
        assert!(matches!(&path[1], Step::First(it) if it.comparison == Comparison::AtLeast));
    }

    #[test]
    fn a_path_that_leads_to_no_or_to_several_values_is_refused() {
        for path in [
            "",
            "a..b",
            ".a",
            "a.",
            "a.#.b",
            "a.#(b==1)#",
            "a|@sum",
            "@this",
            "a.#(b)",
            "$.",
            "$[",
            "$a",
        ] {
            assert!(ValuePath::parse(path).is_err(), "{path}");
        }
    }
}
