//! The text exposition formats, Prometheus' 0.0.4 and OpenMetrics 1.0, one line at a time and
//! without copying.
//!
//! Our own parser rather than a crate's: the kept crates build every series of a page as owned
//! values, while a signal wants a handful of lines of a page of megabytes; and a line that is
//! garbage must spoil neither its neighbours nor the process. `sieve` finds those lines while the
//! page arrives. Both are fuzzed in their tests, and measured beside a crate in `benches/scrape.rs`.

pub mod sieve;

use crate::domain::labels::Labels;
use crate::domain::limits;
use std::borrow::Cow;

/// Which of the two formats a page is in. They differ in the unit of times, and in how they end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// 0.0.4: times in milliseconds.
    #[default]
    Text,
    /// 1.0: times in seconds, and the last line is `# EOF`.
    OpenMetrics,
}

/// One sample line: `name{label="value"} 1.5 1700000000000`, or `{"my.name",label="value"} 1.5`.
#[derive(Debug, PartialEq)]
pub struct Line<'p> {
    /// The name of the series.
    pub name: Cow<'p, str>,
    /// The text between the braces without a name that stands there, found well-formed.
    braces: &'p str,
    /// The value, which may be no number.
    pub value: f64,
    /// The time in milliseconds since the epoch, where the page gives one.
    pub millis: Option<i64>,
}

/// A line that is no sample, comment or blank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadLine;

impl Format {
    /// The format that the header `Content-Type` declares.
    #[must_use]
    pub fn declared(content_type: Option<&str>) -> Self {
        let is_open = content_type.is_some_and(|it| it.starts_with("application/openmetrics-text"));
        if is_open { Self::OpenMetrics } else { Self::Text }
    }
}

/// The sample lines of `page`, with the bad ones marked.
pub fn lines(page: &[u8], format: Format) -> impl Iterator<Item = Result<Line<'_>, BadLine>> {
    page.split(|byte| *byte == b'\n').filter_map(move |line| line_of(line, format))
}

/// One line, without the newline; `None` for a comment or a blank.
pub(in crate::source) fn line_of(line: &[u8], format: Format) -> Option<Result<Line<'_>, BadLine>> {
    if line.len() > limits::EXPOSITION_LINE_BYTES_MAX {
        return Some(Err(BadLine));
    }
    let Ok(line) = std::str::from_utf8(line) else { return Some(Err(BadLine)) };
    let line = line.trim_matches([' ', '\t', '\r']);
    (!line.is_empty() && !line.starts_with('#')).then(|| parse(line, format).ok_or(BadLine))
}

impl Line<'_> {
    /// The labels, unescaped.
    #[must_use]
    pub fn labels(&self) -> Labels {
        self.pairs().map(|(key, value)| (key.into_owned(), value.into_owned())).collect()
    }

    /// The value of one label, unescaped.
    #[must_use]
    pub fn label(&self, wanted: &str) -> Option<Cow<'_, str>> {
        self.pairs().find(|(key, _)| key == wanted).map(|(_, value)| value)
    }

    /// The labels as they are written, to tell series of one page apart.
    #[must_use]
    pub fn written_labels(&self) -> &str {
        self.braces
    }

    fn pairs(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        let mut rest = self.braces;
        std::iter::from_fn(move || {
            let (element, after) = element(rest)?;
            rest = after;
            Some((unescaped(element.key), unescaped(element.value?)))
        })
    }
}

fn parse(line: &str, format: Format) -> Option<Line<'_>> {
    let name_end = line.bytes().position(|it| !is_name(it)).unwrap_or(line.len());
    let (name, rest) = line.split_at(name_end);
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let mut name = Cow::Borrowed(name);
    let mut rest = trimmed(rest);
    let mut braces = "";
    if let Some(inside) = rest.strip_prefix('{') {
        let mut begin = trimmed(inside);
        let mut left = begin;
        while !left.starts_with('}') {
            let (element, after) = element(left)?;
            if element.value.is_none() {
                // Only the first element may be a name, and only where none stands before the brace.
                if !name.is_empty() || left.len() != begin.len() {
                    return None;
                }
                name = unescaped(element.key);
                begin = after;
            }
            left = after;
        }
        braces = begin.get(..begin.len().checked_sub(left.len())?)?;
        rest = left.get(1..)?;
    }
    if name.is_empty() {
        return None;
    }
    // An exemplar of OpenMetrics follows behind a `#`; it is no part of the sample.
    let mut fields = rest.split_ascii_whitespace().take_while(|it| !it.starts_with('#'));
    let value = number(fields.next()?)?;
    let millis = match fields.next() {
        Some(field) => Some(timestamp(field, format)?),
        None => None,
    };
    fields.next().is_none().then_some(Line { name, braces, value, millis })
}

/// What a name may consist of; it must not begin with a digit.
const fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b':'
}

fn trimmed(text: &str) -> &str {
    text.trim_start_matches([' ', '\t'])
}

/// `key="value"`, or a name in quotes, as they are written.
struct Element<'p> {
    key: &'p str,
    /// `None` for a name.
    value: Option<&'p str>,
}

/// The first element of what stands between braces, and what follows behind its comma; a trailing
/// comma is allowed. `None` when there is no element, or a malformed one.
fn element(text: &str) -> Option<(Element<'_>, &str)> {
    let (key, rest) = match text.strip_prefix('"') {
        Some(inside) => quoted(inside)?,
        None => {
            let end = text.bytes().position(|it| !is_name(it))?;
            text.split_at_checked(end).filter(|(key, _)| !key.is_empty())?
        }
    };
    let rest = trimmed(rest);
    let (value, rest) = match rest.strip_prefix('=') {
        Some(rest) => {
            let (value, rest) = quoted(trimmed(rest).strip_prefix('"')?)?;
            (Some(value), trimmed(rest))
        }
        None if text.starts_with('"') => (None, rest),
        None => return None,
    };
    let rest = match rest.strip_prefix(',') {
        Some(after) => trimmed(after),
        None if rest.is_empty() || rest.starts_with('}') => rest,
        None => return None,
    };
    Some((Element { key, value }, rest))
}

/// What stands before the closing quote, and what follows it.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let mut escaped = false;
    let end = text.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })?;
    Some((text.get(..end)?, text.get(end + 1..)?))
}

/// The escapes of the format are `\\`, `\"` and `\n`; any other stands for itself.
fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, c == '\\') {
            (_, false) => plain.push(c),
            (_, true) => match chars.next() {
                Some('n') => plain.push('\n'),
                Some(other @ ('\\' | '"')) => plain.push(other),
                Some(other) => plain.extend(['\\', other]),
                None => plain.push('\\'),
            },
        }
    }
    Cow::Owned(plain)
}

/// A float as Go writes it. Rust's parser takes the same forms, `Inf` and `NaN` in any case.
fn number(text: &str) -> Option<f64> {
    text.parse().ok()
}

/// Milliseconds since the epoch. A fraction is in seconds in either format: some exporters declare
/// 0.0.4 and write as OpenMetrics does.
fn timestamp(text: &str, format: Format) -> Option<i64> {
    if format == Format::Text
        && let Ok(millis) = text.parse::<i64>()
    {
        return Some(millis);
    }
    let seconds: f64 = text.parse().ok()?;
    #[expect(clippy::cast_possible_truncation, reason = "saturates; a bad time is refused later")]
    let millis = (seconds * 1000.0) as i64;
    seconds.is_finite().then_some(millis)
}

#[cfg(test)]
mod tests;
