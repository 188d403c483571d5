//! Finds the wanted lines of a page while it arrives: nobody holds the whole page, and a line that
//! nobody wants costs a search for its end and a comparison of its beginning.

use super::{Format, is_name};
use crate::domain::limits;
use std::collections::BTreeSet;
use std::io::BufRead;

/// The names of the series that somebody reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    names: Box<[Box<str>]>,
    /// Whether a wanted name begins with this byte.
    begins: [bool; 256],
}

/// A page in the making.
#[derive(Debug)]
pub struct Sieve<'w> {
    wanted: &'w Wanted,
    /// The beginning of a line whose end has not arrived.
    begun: Vec<u8>,
    /// Whether the line that is arriving is longer than any line may be.
    is_overlong: bool,
    page: Page,
    is_ended: bool,
}

/// What was wanted of a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The wanted lines, each with its newline.
    pub lines: Vec<u8>,
    /// How many lines there were that were no comments and no blanks.
    pub n_lines: usize,
    /// How many of them cannot be samples of anything.
    pub n_strange: usize,
}

/// Why the rest of a page is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// More than `limits::pods::PAGE_KEPT_BYTES_MAX` bytes are wanted.
    #[error("the wanted series of the page are larger than the limit")]
    TooMuch,
    /// Nothing on the page is in the format.
    #[error("the page is not in exposition format")]
    NotExposition,
    /// A page of OpenMetrics has no `# EOF`: a part of it is missing.
    #[error("the page ends before its `# EOF`")]
    Unfinished,
}

impl Wanted {
    /// The series of these names.
    pub fn new<N: Into<Box<str>>>(names: impl IntoIterator<Item = N>) -> Self {
        let names: BTreeSet<Box<str>> = names.into_iter().map(Into::into).collect();
        let mut begins = [false; 256];
        for first in names.iter().filter_map(|it| it.as_bytes().first()) {
            if let Some(begins) = begins.get_mut(usize::from(*first)) {
                *begins = true;
            }
        }
        Self { names: names.into_iter().collect(), begins }
    }

    /// The names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|it| &**it)
    }

    /// Whether the series of this name are wanted.
    #[must_use]
    pub fn includes(&self, name: &str) -> bool {
        self.names.iter().any(|it| **it == *name)
    }

    /// Whether this line is of a wanted series. Of a name with an escape it is not told here.
    fn wants(&self, line: &[u8], first: u8) -> bool {
        if first == b'{' {
            return self.wants_quoted(line);
        }
        if !self.begins.get(usize::from(first)).is_some_and(|it| *it) {
            return false;
        }
        self.names.iter().any(|name| {
            let rest = line.strip_prefix(name.as_bytes());
            rest.is_some_and(|it| it.first().is_none_or(|byte| !is_name(*byte)))
        })
    }

    fn wants_quoted(&self, line: &[u8]) -> bool {
        let inside = line.get(1..).unwrap_or_default().trim_ascii_start();
        let Some(quoted) = inside.strip_prefix(b"\"") else { return true };
        let mut parts = quoted.split(|byte| *byte == b'"');
        let name = parts.next().unwrap_or_default();
        name.contains(&b'\\') || self.names.iter().any(|it| it.as_bytes() == name)
    }
}

impl<'w> Sieve<'w> {
    /// Nothing has arrived yet.
    #[must_use]
    pub fn new(wanted: &'w Wanted) -> Self {
        let page = Page::default();
        Self { wanted, begun: Vec::new(), is_overlong: false, page, is_ended: false }
    }

    /// Takes the next bytes of the page.
    ///
    /// # Errors
    /// `Unfit::TooMuch`.
    pub fn push(&mut self, chunk: &[u8]) -> Result<(), Unfit> {
        let mut rest = chunk;
        while !rest.is_empty() {
            let before = rest;
            // The standard library's own memchr; it cannot fail for bytes in memory.
            let length = rest.skip_until(b'\n').unwrap_or(before.len());
            let piece = before.get(..length).unwrap_or(before);
            match piece.strip_suffix(b"\n") {
                Some(line) if self.begun.is_empty() && !self.is_overlong => self.line(line),
                Some(end) => {
                    self.begin(end);
                    self.end_line();
                }
                None => self.begin(piece),
            }
        }
        if self.page.lines.len() > limits::pods::PAGE_KEPT_BYTES_MAX {
            return Err(Unfit::TooMuch);
        }
        Ok(())
    }

    /// The page is whole.
    ///
    /// # Errors
    /// `Unfit` when it is no page of this format.
    pub fn finish(mut self, format: Format) -> Result<Page, Unfit> {
        self.end_line();
        let Page { n_lines, n_strange, .. } = self.page;
        if n_lines > 0 && n_lines == n_strange {
            return Err(Unfit::NotExposition);
        }
        if format == Format::OpenMetrics && !self.is_ended {
            return Err(Unfit::Unfinished);
        }
        Ok(self.page)
    }

    /// A part of a line without its end.
    fn begin(&mut self, part: &[u8]) {
        if self.begun.len().saturating_add(part.len()) > limits::EXPOSITION_LINE_BYTES_MAX {
            self.begun.clear();
            self.is_overlong = true;
        }
        if !self.is_overlong {
            self.begun.extend_from_slice(part);
        }
    }

    fn end_line(&mut self) {
        if std::mem::take(&mut self.is_overlong) {
            self.page.n_lines += 1;
            self.page.n_strange += 1;
        }
        let line = std::mem::take(&mut self.begun);
        self.line(&line);
        self.begun = line;
        self.begun.clear();
    }

    fn line(&mut self, line: &[u8]) {
        let line = match line.first() {
            Some(b' ' | b'\t' | b'\r') => line.trim_ascii_start(),
            _ => line,
        };
        let Some(first) = line.first().copied() else { return };
        if first == b'#' {
            self.is_ended |= line.trim_ascii_end() == b"# EOF";
            return;
        }
        self.page.n_lines += 1;
        let begins_well = (is_name(first) && !first.is_ascii_digit()) || first == b'{';
        if !begins_well || line.len() > limits::EXPOSITION_LINE_BYTES_MAX {
            self.page.n_strange += 1;
        } else if self.wanted.wants(line, first) {
            self.page.lines.extend_from_slice(line);
            self.page.lines.push(b'\n');
        }
    }
}

#[cfg(test)]
mod tests;
