//! Texts with `$1`, `${1}` and `${name}`, which stand for groups of a match: Go's `Regexp.Expand`.

/// A text in which groups stand for what they captured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expansion(Vec<Part>);

/// A part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Itself.
    Text(String),
    /// A group by its number; the whole match is 0.
    Numbered(usize),
    /// A group by its name.
    Named(String),
}

/// Go reads no larger number of a group.
const NUMBER_MAX: usize = 100_000_000;

impl Expansion {
    /// Reads a text. Each text is one: a `$` that names nothing stands for itself.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            plain.push_str(before);
            if let Some(after) = after.strip_prefix('$') {
                plain.push('$');
                rest = after;
            } else if let Some((name, after)) = group(after) {
                if !plain.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut plain)));
                }
                parts.push(numbered(name).map_or(Part::Named(name.to_owned()), Part::Numbered));
                rest = after;
            } else {
                plain.push('$');
                rest = after;
            }
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Self(parts)
    }

    /// The parts, in order.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.0
    }
}

/// The name at the beginning of `text` (longest first, in braces or not) and what follows it.
fn group(text: &str) -> Option<(&str, &str)> {
    let (body, has_brace) = text.strip_prefix('{').map_or((text, false), |it| (it, true));
    let end = body.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(body.len());
    let (name, rest) = body.split_at_checked(end)?;
    let rest = if has_brace { rest.strip_prefix('}')? } else { rest };
    (!name.is_empty()).then_some((name, rest))
}

/// Go takes no number with a leading zero.
fn numbered(name: &str) -> Option<usize> {
    let is_plain =
        name.chars().all(|c| c.is_ascii_digit()) && (name == "0" || !name.starts_with('0'));
    name.parse().ok().filter(|number| is_plain && *number < NUMBER_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::pattern::Pattern;

    #[test]
    fn groups_expand_as_in_go() {
        let pattern = Pattern::new("^(?P<first>[a-z]+)_([a-z]+)(_total)?$").unwrap();
        for (expansion, expected) in [
            ("$1", "http"),
            ("${1}_per_second", "http_per_second"),
            ("$1_per_second", ""),
            ("$first.$2", "http.requests"),
            ("${first}x", "httpx"),
            ("$$1", "$1"),
            ("a$", "a$"),
            ("${1", "${1"),
            ("${}", "${}"),
            ("$0", "http_requests"),
            ("$01", ""),
            ("x${3}y", "xy"),
            ("x$3y", "x"),
            ("$9", ""),
            ("$-1", "$-1"),
        ] {
            let expanded = pattern.expand(&Expansion::parse(expansion), "http_requests");
            assert_eq!(expanded.as_deref(), Some(expected), "{expansion}");
        }
        assert_eq!(pattern.expand(&Expansion::parse("x"), "nothing"), None);
    }
}
