//! The number at one place of a document.

use crate::document::yaml::Node;
use crate::domain::quantity;
use crate::policy::promql::SeriesSelector;
use crate::policy::queue::ValueLocation;
use crate::policy::queue::value_path::{Comparison, Condition, Route, Step, ValuePath};
use crate::source::ReadError;
use crate::source::scrape::exposition::{self, Format};
use serde_json::Value as Json;
use std::cmp::Ordering;

/// The number; a text is read as a quantity of Kubernetes.
pub(super) fn number(body: &[u8], location: &ValueLocation) -> Result<f64, ReadError> {
    match location {
        ValueLocation::Json(path) => {
            let document = serde_json::from_slice(body);
            at(&document.map_err(|_| not_understood("the answer is not JSON"))?, path)
        }
        ValueLocation::Yaml(path) => {
            let text = std::str::from_utf8(body).ok();
            let document = text.and_then(|it| Node::parse(it).ok());
            at(&document.ok_or_else(|| not_understood("the answer is not YAML"))?.to_json(), path)
        }
        ValueLocation::Exposition(selector) => first_series(body, selector),
    }
}

/// The first series that is selected, as KEDA takes it.
fn first_series(body: &[u8], selector: &SeriesSelector) -> Result<f64, ReadError> {
    let mut lines = exposition::lines(body, Format::Text).filter_map(Result::ok);
    let found = lines
        .find(|line| line.name == selector.name() && selector.matches(&line.labels()))
        .map(|line| line.value);
    found.ok_or_else(|| ReadError::Empty(format!("{} is not on the page", selector.text())))
}

fn at(document: &Json, path: &ValuePath) -> Result<f64, ReadError> {
    let missing = || ReadError::Empty(format!("there is nothing at `{}`", path.text()));
    let value = match path.route() {
        Route::JsonPath(query) => {
            let mut found = query.query(document).into_iter();
            match (found.next(), found.next()) {
                (Some(only), None) => only,
                (None, _) => return Err(missing()),
                (Some(_), Some(_)) => {
                    let problem = format!("`{}` leads to several values", path.text());
                    return Err(not_understood(&problem));
                }
            }
        }
        Route::Steps(steps) => {
            let (last, before) = steps.split_last().ok_or_else(missing)?;
            let place = before.iter().try_fold(document, |value, step| next(value, step));
            let place = place.ok_or_else(missing)?;
            if *last == Step::Count {
                return count(place).ok_or_else(missing);
            }
            next(place, last).ok_or_else(missing)?
        }
    };
    let number = match value {
        Json::Number(number) => number.as_f64(),
        Json::String(text) => quantity::parse(text).ok().map(|it| it.get()),
        Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => None,
    };
    number.ok_or_else(|| not_understood(&format!("what is at `{}` is no number", path.text())))
}

#[expect(clippy::cast_precision_loss, reason = "an answer has fewer elements than 2^52")]
fn count(place: &Json) -> Option<f64> {
    Some(place.as_array()?.len() as f64)
}

fn next<'j>(value: &'j Json, step: &Step) -> Option<&'j Json> {
    match step {
        Step::Name(name) => match value {
            Json::Array(elements) => elements.get(name.parse::<usize>().ok()?),
            _ => value.get(&**name),
        },
        Step::Like(pattern) => {
            let mut entries = value.as_object()?.iter();
            entries.find(|(key, _)| is_like(key, pattern)).map(|(_, value)| value)
        }
        Step::First(condition) => {
            value.as_array()?.iter().find(|element| is_true(condition, element))
        }
        Step::Count => None,
    }
}

fn is_true(condition: &Condition, element: &Json) -> bool {
    let mut keys = condition.keys.iter();
    let Some(value) = keys.try_fold(element, |value, key| next(value, &Step::Name(key.clone())))
    else {
        return false;
    };
    let with = serde_json::from_str(&condition.with);
    let with = with.unwrap_or_else(|_| Json::String(condition.with.to_string()));
    let ordering = match (value, &with) {
        (Json::Number(one), Json::Number(other)) => one.as_f64().partial_cmp(&other.as_f64()),
        (Json::String(one), Json::String(other)) => Some(one.cmp(other)),
        (one, other) if one == other => Some(Ordering::Equal),
        _ => None,
    };
    match condition.comparison {
        Comparison::Equal => ordering == Some(Ordering::Equal),
        Comparison::Unequal => ordering != Some(Ordering::Equal),
        Comparison::Less => ordering == Some(Ordering::Less),
        Comparison::AtMost => matches!(ordering, Some(Ordering::Less | Ordering::Equal)),
        Comparison::More => ordering == Some(Ordering::Greater),
        Comparison::AtLeast => matches!(ordering, Some(Ordering::Greater | Ordering::Equal)),
    }
}

/// Whether a key looks like a pattern in which `*` stands for any characters, `?` for one, and `\`
/// takes the next as it is. Linear in both: the last star alone is tried again.
fn is_like(key: &str, pattern: &str) -> bool {
    let key: Vec<char> = key.chars().collect();
    let mut parts: Vec<Option<char>> = Vec::new();
    let mut stars: Vec<usize> = Vec::new();
    let mut characters = pattern.chars();
    while let Some(c) = characters.next() {
        match c {
            '*' => stars.push(parts.len()),
            '?' => parts.push(None),
            '\\' => parts.push(characters.next()),
            other => parts.push(Some(other)),
        }
    }
    let fits = |part: &[Option<char>], at: usize| {
        let end = at.checked_add(part.len());
        end.and_then(|end| key.get(at..end)).is_some_and(|run| {
            run.iter().zip(part).all(|(found, wanted)| wanted.is_none_or(|it| it == *found))
        })
    };
    let (Some(&first), Some(&last)) = (stars.first(), stars.last()) else {
        return key.len() == parts.len() && fits(&parts, 0);
    };
    let piece = |from: usize, to: usize| parts.get(from..to).unwrap_or_default();
    let (head, tail) = (piece(0, first), piece(last, parts.len()));
    if key.len() < head.len() + tail.len() || !fits(head, 0) || !fits(tail, key.len() - tail.len())
    {
        return false;
    }
    let mut at = head.len();
    let end = key.len() - tail.len();
    for pair in stars.windows(2) {
        let [from, to] = pair else { continue };
        let middle = piece(*from, *to);
        let Some(found) = (at..=end).find(|it| it + middle.len() <= end && fits(middle, *it))
        else {
            return false;
        };
        at = found + middle.len();
    }
    true
}

fn not_understood(problem: &str) -> ReadError {
    ReadError::NotUnderstood(problem.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = r#"{
        "tasks": 32, "text": "1500m", "none": null, "no": false, "a.b": 4, "list": [7, 8],
        "queues": [
            {"name": "one", "n": 1, "of": {"kind": "x"}},
            {"name": "two", "n": 2, "of": {"kind": "y"}}
        ]
    }"#;

    fn json(path: &str) -> Result<f64, String> {
        let location = ValueLocation::Json(ValuePath::parse(path)?);
        number(DOCUMENT.as_bytes(), &location).map_err(|it| it.to_string())
    }

    #[test]
    fn a_path_leads_to_a_number_or_a_quantity() {
        for (path, expected) in [
            ("tasks", 32.0),
            ("text", 1.5),
            (r"a\.b", 4.0),
            ("list.1", 8.0),
            ("list.#", 2.0),
            ("queues.1.n", 2.0),
            ("queues.#", 2.0),
            (r#"queues.#(name=="two").n"#, 2.0),
            ("queues.#(name=one).n", 1.0),
            ("queues.#(n>1).n", 2.0),
            ("queues.#(n<=1).n", 1.0),
            (r#"queues.#(of.kind!="x").n"#, 2.0),
            ("t?sks", 32.0),
            ("ta*", 32.0),
            ("$.tasks", 32.0),
            ("$.text", 1.5),
            ("$['a.b']", 4.0),
            ("$.list[-1]", 8.0),
            ("$.queues[?@.name=='two'].n", 2.0),
            ("$.queues[?@.of.kind=='x' && @.n<=1].n", 1.0),
            ("$..queues[1].n", 2.0),
        ] {
            assert_eq!(json(path), Ok(expected), "{path}");
        }
    }

    #[test]
    fn what_is_no_number_is_an_error_that_says_where() {
        for (path, expected) in [
            ("missing", "there is nothing at `missing`"),
            ("$.missing", "there is nothing at `$.missing`"),
            ("$.queues[?@.n>2].n", "there is nothing at `$.queues[?@.n>2].n`"),
            (
                "$.queues[*].n",
                "the answer was not understood: `$.queues[*].n` leads to several values",
            ),
            ("$.none", "the answer was not understood: what is at `$.none` is no number"),
            ("list.2", "there is nothing at `list.2`"),
            ("tasks.#", "there is nothing at `tasks.#`"),
            ("queues.#(n>2).n", "there is nothing at `queues.#(n>2).n`"),
            ("none", "the answer was not understood: what is at `none` is no number"),
            ("no", "the answer was not understood: what is at `no` is no number"),
            ("queues", "the answer was not understood: what is at `queues` is no number"),
            (
                "queues.0.name",
                "the answer was not understood: what is at `queues.0.name` is no number",
            ),
        ] {
            assert_eq!(json(path), Err(expected.to_owned()), "{path}");
        }
    }

    #[test]
    fn yaml_and_exposition_text_are_read_too() {
        let yaml = ValueLocation::Yaml(ValuePath::parse("jobs.0.waiting").unwrap());
        assert_eq!(number(b"jobs:\n  - {waiting: 12}\n", &yaml), Ok(12.0));
        let yaml = ValueLocation::Yaml(ValuePath::parse("$.jobs[0].waiting").unwrap());
        assert_eq!(number(b"jobs:\n  - {waiting: 12}\n", &yaml), Ok(12.0));
        assert!(number(b"\t- a", &yaml).is_err());
        let selector = SeriesSelector::parse("q{kind=\"b\"}").unwrap();
        let page = ValueLocation::Exposition(selector);
        assert_eq!(
            number(b"q{kind=\"a\"} 1\nq{kind=\"b\"} 2\nq{kind=\"b\",x=\"y\"} 3\n", &page),
            Ok(2.0)
        );
        assert!(number(b"q{kind=\"a\"} 1\n", &page).is_err());
    }

    #[test]
    fn patterns_of_keys() {
        for (key, pattern, expected) in [
            ("abc", "a*c", true),
            ("ac", "a*c", true),
            ("abcd", "a*c", false),
            ("abcbd", "*b*d", true),
            ("ab", "ab*b", false),
            ("a*c", r"a\*?", true),
            ("abc", r"a\*?", false),
            ("aXbYc", "a*b*c", true),
            ("", "*", true),
            ("ä", "?", true),
        ] {
            assert_eq!(is_like(key, pattern), expected, "{key} {pattern}");
        }
    }
}
