//! The text exposition format of Prometheus (0.0.4, and what OpenMetrics 1.0 shares with it), one
//! line at a time and without copying.
//!
//! Our own parser rather than a crate's: the kept crates build every series of a page as owned
//! values, while a signal wants a handful of lines of a page of megabytes; and a line that is
//! garbage must spoil neither its neighbours nor the process. It is fuzzed in its tests.

use crate::domain::labels::Labels;
use crate::domain::limits;
use std::borrow::Cow;

/// One sample line: `name{label="value"} 1.5 1700000000000`.
#[derive(Debug, PartialEq)]
pub struct Line<'p> {
    /// The name of the series.
    pub name: &'p str,
    /// The text between the braces, found well-formed.
    braces: &'p str,
    /// The value, which may be no number.
    pub value: f64,
    /// The time in milliseconds since the epoch, where the page gives one.
    pub millis: Option<i64>,
}

/// A line that is no sample, comment or blank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadLine;

/// The sample lines of `page`, with the bad ones marked.
pub fn lines(page: &[u8]) -> impl Iterator<Item = Result<Line<'_>, BadLine>> {
    page.split(|byte| *byte == b'\n').filter_map(|line| {
        if line.len() > limits::EXPOSITION_LINE_BYTES_MAX {
            return Some(Err(BadLine));
        }
        let Ok(line) = std::str::from_utf8(line) else { return Some(Err(BadLine)) };
        let line = line.trim_matches([' ', '\t', '\r']);
        (!line.is_empty() && !line.starts_with('#')).then(|| parse(line).ok_or(BadLine))
    })
}

impl<'p> Line<'p> {
    /// The labels, unescaped.
    #[must_use]
    pub fn labels(&self) -> Labels {
        pairs(self.braces).flatten().map(|(key, value)| (key, value.into_owned())).collect()
    }
}

fn parse(line: &str) -> Option<Line<'_>> {
    let name_end = line.find(|c: char| !is_name(c)).unwrap_or(line.len());
    let (name, rest) = line.split_at(name_end);
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let rest = rest.trim_start_matches([' ', '\t']);
    let (braces, rest) = match rest.strip_prefix('{') {
        Some(inside) => {
            let end = braces_end(inside)?;
            (inside.get(..end)?, inside.get(end + 1..)?)
        }
        None => ("", rest),
    };
    // An exemplar of OpenMetrics follows behind a `#`; it is no part of the sample.
    let sample = rest.split_once(" # ").map_or(rest, |(sample, _)| sample);
    let mut fields = sample.split_ascii_whitespace();
    let value = number(fields.next()?)?;
    let millis = fields.next().map(timestamp);
    if fields.next().is_some() || millis == Some(None) || !pairs(braces).all(|it| it.is_some()) {
        return None;
    }
    Some(Line { name, braces, value, millis: millis.flatten() })
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == ':'
}

/// Where the closing brace stands, outside of quotes.
fn braces_end(inside: &str) -> Option<usize> {
    let mut in_quotes = false;
    let mut escaped = false;
    for (idx, byte) in inside.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_quotes => escaped = true,
            b'"' => in_quotes = !in_quotes,
            b'}' if !in_quotes => return Some(idx),
            _ => {}
        }
    }
    None
}

/// `key="value"` pairs separated by commas, a trailing comma allowed; `None` for a malformed
/// rest, after which nothing comes.
fn pairs(braces: &str) -> impl Iterator<Item = Option<(&str, Cow<'_, str>)>> {
    let mut rest = braces.trim_matches([' ', '\t']);
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let parsed = pair(rest);
        rest = parsed.as_ref().map_or("", |(_, _, after)| *after);
        Some(parsed.map(|(key, value, _)| (key, value)))
    })
}

fn pair(text: &str) -> Option<(&str, Cow<'_, str>, &str)> {
    let (key, rest) = text.split_once('=')?;
    let key = key.trim_matches([' ', '\t']);
    if key.is_empty() || !key.chars().all(is_name) {
        return None;
    }
    let rest = rest.trim_start_matches([' ', '\t']).strip_prefix('"')?;
    let end = quoted_end(rest)?;
    let value = unescaped(rest.get(..end)?);
    let after = rest.get(end + 1..)?.trim_start_matches([' ', '\t']);
    let after = match after.strip_prefix(',') {
        Some(after) => after.trim_start_matches([' ', '\t']),
        None if after.is_empty() => after,
        None => return None,
    };
    Some((key, value, after))
}

fn quoted_end(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })
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

/// Whole milliseconds (0.0.4), or seconds with a fraction (OpenMetrics).
fn timestamp(text: &str) -> Option<i64> {
    if let Ok(millis) = text.parse::<i64>() {
        return Some(millis);
    }
    let seconds: f64 = text.parse().ok()?;
    #[expect(clippy::cast_possible_truncation, reason = "saturates; a bad time is refused later")]
    let millis = (seconds * 1000.0) as i64;
    seconds.is_finite().then_some(millis)
}

#[cfg(test)]
mod tests;
