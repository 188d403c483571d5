//! Label selectors in the text form of the Kubernetes API: `app=llama,tier in (a,b),!canary`.

use crate::domain::labels::Labels;
use crate::domain::limits;
use std::collections::BTreeSet;
use std::fmt;

/// A parsed label selector. Empty selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector(Vec<Requirement>);

/// What a selector demands of one label.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Requirement {
    /// The label.
    pub key: Box<str>,
    /// What must hold for it.
    pub condition: Condition,
}

/// What must hold for a label.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Condition {
    /// It has one of these values.
    In(BTreeSet<Box<str>>),
    /// It has none of these values, or is not there.
    NotIn(BTreeSet<Box<str>>),
    /// It is there.
    Exists,
    /// It is not there.
    Absent,
    /// It is a whole number larger than this.
    Above(i64),
    /// It is a whole number smaller than this.
    Below(i64),
}

/// Why a text is not a selector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a label selector: {problem}")]
pub struct BadSelector {
    text: String,
    problem: String,
}

impl Selector {
    /// Reads a selector: requirements separated by commas, each one of `k=v`, `k==v`, `k!=v`,
    /// `k in (a,b)`, `k notin (a,b)`, `k`, `!k`, `k>n`, `k<n`.
    ///
    /// # Errors
    /// `BadSelector` with what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, BadSelector> {
        let bad = |problem: String| BadSelector { text: text.chars().take(120).collect(), problem };
        if text.len() > limits::SELECTOR_BYTES_MAX {
            return Err(bad(format!("longer than {} bytes", limits::SELECTOR_BYTES_MAX)));
        }
        let mut requirements = Vec::new();
        if text.trim().is_empty() {
            return Ok(Self(requirements));
        }
        for part in split_outside_parentheses(text) {
            requirements.push(Requirement::parse(part.trim()).map_err(bad)?);
        }
        Ok(Self(requirements))
    }

    /// A selector with these requirements.
    #[must_use]
    pub fn of(requirements: Vec<Requirement>) -> Self {
        Self(requirements)
    }

    /// Whether `labels` meets every requirement.
    #[must_use]
    pub fn matches(&self, labels: &Labels) -> bool {
        self.0.iter().all(|requirement| requirement.is_met(labels.get(&requirement.key)))
    }

    /// The requirements, in the order given.
    #[must_use]
    pub fn requirements(&self) -> &[Requirement] {
        &self.0
    }

    /// Whether everything is selected.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Requirement {
    /// How many bytes its texts have.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let values = match &self.condition {
            Condition::In(values) | Condition::NotIn(values) => {
                values.iter().map(|it| it.len() + size_of::<Box<str>>()).sum()
            }
            Condition::Exists | Condition::Absent | Condition::Above(_) | Condition::Below(_) => 0,
        };
        size_of::<Self>() + self.key.len() + values
    }

    fn parse(text: &str) -> Result<Self, String> {
        if let Some(key) = text.strip_prefix('!') {
            return Ok(Self { key: checked_key(key)?, condition: Condition::Absent });
        }
        for (operator, condition) in OPERATORS {
            if let Some((key, value)) = text.split_once(operator) {
                let condition = condition(value.trim())?;
                return Ok(Self { key: checked_key(key)?, condition });
            }
        }
        if let Some((key, rest)) = text.split_once(char::is_whitespace) {
            let condition = set_condition(rest.trim_start())?;
            return Ok(Self { key: checked_key(key)?, condition });
        }
        Ok(Self { key: checked_key(text)?, condition: Condition::Exists })
    }

    /// As the API server decides: "not" conditions hold for an object without the label.
    fn is_met(&self, value: Option<&str>) -> bool {
        match &self.condition {
            Condition::In(values) => value.is_some_and(|it| values.contains(it)),
            Condition::NotIn(values) => value.is_none_or(|it| !values.contains(it)),
            Condition::Exists => value.is_some(),
            Condition::Absent => value.is_none(),
            Condition::Above(bound) => number(value).is_some_and(|it| it > *bound),
            Condition::Below(bound) => number(value).is_some_and(|it| it < *bound),
        }
    }
}

/// The text form, which `Selector::parse` reads.
impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, requirement) in self.0.iter().enumerate() {
            f.write_str(if place == 0 { "" } else { "," })?;
            requirement.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, condition } = self;
        let list =
            |it: &BTreeSet<Box<str>>| it.iter().map(|it| &**it).collect::<Vec<_>>().join(",");
        match condition {
            Condition::In(values) => match values.first().filter(|_| values.len() == 1) {
                Some(value) => write!(f, "{key}={value}"),
                None => write!(f, "{key} in ({})", list(values)),
            },
            Condition::NotIn(values) => write!(f, "{key} notin ({})", list(values)),
            Condition::Exists => f.write_str(key),
            Condition::Absent => write!(f, "!{key}"),
            Condition::Above(bound) => write!(f, "{key}>{bound}"),
            Condition::Below(bound) => write!(f, "{key}<{bound}"),
        }
    }
}

type MakeCondition = fn(&str) -> Result<Condition, String>;

/// Tried in this order, so that `!=` and `==` are seen before `=`.
const OPERATORS: [(&str, MakeCondition); 5] = [
    ("!=", |value| Ok(Condition::NotIn(BTreeSet::from([checked_value(value)?])))),
    ("==", |value| Ok(Condition::In(BTreeSet::from([checked_value(value)?])))),
    ("=", |value| Ok(Condition::In(BTreeSet::from([checked_value(value)?])))),
    (">", |value| Ok(Condition::Above(bound(value)?))),
    ("<", |value| Ok(Condition::Below(bound(value)?))),
];

fn set_condition(text: &str) -> Result<Condition, String> {
    let (operator, list) = text.split_once('(').ok_or("expected `in (…)` or `notin (…)`")?;
    let list = list.strip_suffix(')').ok_or("a `(` is not closed")?;
    let values: Result<BTreeSet<_>, _> =
        list.split(',').map(|value| checked_value(value.trim())).collect();
    match operator.trim_end() {
        "in" => Ok(Condition::In(values?)),
        "notin" => Ok(Condition::NotIn(values?)),
        other => Err(format!("unknown operator `{other}`")),
    }
}

fn bound(value: &str) -> Result<i64, String> {
    value.parse().map_err(|_| format!("`{value}` is not a whole number"))
}

fn number(value: Option<&str>) -> Option<i64> {
    value?.parse().ok()
}

/// A label's key, if it can be one.
///
/// # Errors
/// What is wrong with it.
pub fn checked_key(key: &str) -> Result<Box<str>, String> {
    let key = key.trim();
    let name = key.rsplit_once('/').map_or(key, |(_, name)| name);
    let fits = !name.is_empty()
        && name.len() <= 63
        && key.len() <= 317
        && key.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c));
    if fits { Ok(key.into()) } else { Err(format!("`{key}` is not a label key")) }
}

/// A label's value, if it can be one.
///
/// # Errors
/// What is wrong with it.
pub fn checked_value(value: &str) -> Result<Box<str>, String> {
    let fits = value.len() <= limits::LABEL_VALUE_BYTES_MAX
        && !value.contains(|c: char| c.is_control() || "()!=<>,".contains(c));
    if fits { Ok(value.into()) } else { Err(format!("`{value}` is not a label value")) }
}

/// Splits at commas that stand outside parentheses.
fn split_outside_parentheses(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_usize;
    text.split(move |c: char| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(selector: &str, labels: &[(&str, &str)], expected: bool) {
        let labels: Labels = labels.iter().copied().collect();
        let parsed = Selector::parse(selector).unwrap();
        assert_eq!(parsed.matches(&labels), expected, "{selector} on {labels:?}");
    }

    #[test]
    fn every_operator_decides_as_the_api_server_does() {
        let labels = [("app", "llama"), ("rank", "3"), ("example.com/tier", "gpu")];
        for (selector, expected) in [
            ("", true),
            ("app=llama", true),
            ("app==llama", true),
            ("app = llama , rank=3", true),
            ("app=mistral", false),
            ("app!=mistral", true),
            ("missing!=x", true),
            ("app in (llama,mistral)", true),
            ("app in(llama)", true),
            ("app notin (llama)", false),
            ("missing notin (x)", true),
            ("app", true),
            ("missing", false),
            ("!missing", true),
            ("!app", false),
            ("rank>2", true),
            ("rank>3", false),
            ("rank<4", true),
            ("app>2", false),
            ("example.com/tier=gpu", true),
            ("app in (a,llama),rank in (3,4),!x", true),
            ("app=", false),
        ] {
            check(selector, &labels, expected);
            let parsed = Selector::parse(selector).unwrap();
            assert_eq!(Selector::parse(&parsed.to_string()).unwrap(), parsed, "{selector}");
        }
    }

    #[test]
    fn malformed_selectors_are_refused_with_the_reason() {
        for text in [
            "=x",
            "a in x",
            "a in (x",
            "a around (x)",
            "a>b",
            ",",
            "a,,b",
            "a=(b)",
            "!",
            "a b",
            "ä=1",
        ] {
            assert!(Selector::parse(text).is_err(), "{text}");
        }
        let long = "a".repeat(limits::SELECTOR_BYTES_MAX + 1);
        assert!(Selector::parse(&long).unwrap_err().to_string().contains("longer than"));
    }

    /// What selectors are made of, right and wrong.
    fn piece() -> impl Strategy<Value = String> {
        let known = [
            "a", "b.c/d", "tier", "=", "==", "!=", "!", " in ", " notin ", "in", "(", ")", "()",
            ",", " ", ">", "<", "5", "-1", "x", "y", "/", "-", "_", ".", "\t", "\n", "=~", "''",
        ];
        prop_oneof![
            8 => prop::sample::select(known.to_vec()).prop_map(str::to_owned),
            1 => "\\PC{0,3}",
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5_000))]

        /// Whatever is asked for: refused, or a decision about any labels, the same when it is read again.
        #[test]
        fn no_text_of_known_pieces_breaks_the_parser(pieces in prop::collection::vec(piece(), 0..12)) {
            let text = pieces.concat();
            if let Ok(selector) = Selector::parse(&text) {
                prop_assert_eq!(selector.is_empty(), selector.requirements().is_empty());
                let labels: Labels = [("a", "x"), ("tier", "5")].into_iter().collect();
                let again = Selector::parse(&text).map(|it| it.matches(&labels));
                prop_assert_eq!(again.ok(), Some(selector.matches(&labels)), "{}", text);
            }
        }

        #[test]
        fn no_text_breaks_the_parser(text in "\\PC*") {
            drop(Selector::parse(&text));
        }

        #[test]
        fn selector_like_text_never_breaks_the_parser(text in "[a-c=!<>(), ]{0,40}") {
            drop(Selector::parse(&text));
        }
    }
}
