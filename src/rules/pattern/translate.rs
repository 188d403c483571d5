//! The same expression in the other syntax, character by character.

use super::BadPattern;
use std::iter::Peekable;
use std::str::Chars;

/// What Go's `\d`, `\w` and `\s` are.
const DIGITS: &str = "0-9";
const WORDS: &str = "0-9A-Za-z_";
const SPACES: &str = r"\t\n\f\r ";
/// Go's flags.
const FLAGS: &str = "imsU-";

pub(super) fn translated(text: &str) -> Result<String, BadPattern> {
    let mut reader = Reader { rest: text.chars().peekable(), out: String::new() };
    while let Some(c) = reader.rest.next() {
        match c {
            '\\' => reader.escape()?,
            '[' => reader.class()?,
            '(' => reader.group()?,
            '{' if !reader.is_repetition() => reader.out.push_str("\\{"),
            other => reader.out.push(other),
        }
    }
    Ok(reader.out)
}

struct Reader<'t> {
    rest: Peekable<Chars<'t>>,
    out: String,
}

impl Reader<'_> {
    fn escape(&mut self) -> Result<(), BadPattern> {
        match self.rest.next() {
            Some(c @ ('d' | 'w' | 's')) => self.push(&format!("[{}]", class_of(c))),
            Some(c @ ('D' | 'W' | 'S')) => self.push(&format!("[^{}]", class_of(c))),
            // A boundary of words of ASCII, which a text may hold beside other letters.
            Some('b') => self.push(r"(?-u:\b)"),
            Some(c @ ('B' | 'C')) => return Err(refused(&format!("`\\{c}`"))),
            Some('Q') => self.quoted(),
            other => self.literal(other),
        }
        Ok(())
    }

    /// An escape that means the same inside a class and outside.
    fn literal(&mut self, escaped: Option<char>) {
        match escaped {
            // To the other syntax these are beginnings and ends of words.
            Some(c @ ('<' | '>')) => self.out.push(c),
            Some(c) => {
                self.out.push('\\');
                self.out.push(c);
                if matches!(c, 'p' | 'P' | 'x') && self.rest.peek() == Some(&'{') {
                    self.copy_to('}');
                }
            }
            None => self.out.push('\\'),
        }
    }

    fn copy_to(&mut self, last: char) {
        for c in self.rest.by_ref() {
            self.out.push(c);
            if c == last {
                return;
            }
        }
    }

    fn quoted(&mut self) {
        let rest: String = self.rest.clone().collect();
        let (text, has_end) =
            rest.split_once("\\E").map_or((rest.as_str(), false), |(text, _)| (text, true));
        self.out.push_str(&regex::escape(text));
        let taken = text.chars().count() + if has_end { 2 } else { 0 };
        self.rest.by_ref().take(taken).for_each(drop);
    }

    /// Behind a `[`.
    fn class(&mut self) -> Result<(), BadPattern> {
        self.out.push('[');
        if self.rest.next_if_eq(&'^').is_some() {
            self.out.push('^');
        }
        if self.rest.next_if_eq(&']').is_some() {
            self.out.push_str("\\]");
        }
        while let Some(c) = self.rest.next() {
            match c {
                ']' => {
                    self.out.push(']');
                    return Ok(());
                }
                '[' if self.is_named_class() => {
                    self.out.push('[');
                    self.copy_to(']');
                }
                '[' | '&' | '~' => {
                    self.out.push('\\');
                    self.out.push(c);
                }
                '-' if self.rest.peek() == Some(&'-') => return Err(refused("`--` in a class")),
                '\\' => self.class_escape(),
                other => self.out.push(other),
            }
        }
        Ok(())
    }

    fn class_escape(&mut self) {
        match self.rest.next() {
            Some(c @ ('d' | 'w' | 's')) => self.push(class_of(c)),
            Some(c @ ('D' | 'W' | 'S')) => self.push(&format!("[^{}]", class_of(c))),
            other => self.literal(other),
        }
    }

    /// Whether `:name:]` follows.
    fn is_named_class(&self) -> bool {
        let mut rest = self.rest.clone();
        let begins = rest.next() == Some(':');
        let name = rest.skip_while(|it| it.is_ascii_alphabetic() || *it == '^');
        begins && name.take(2).eq([':', ']'])
    }

    /// Whether `2}`, `2,}` or `2,3}` follows.
    fn is_repetition(&self) -> bool {
        let inside: String = self.rest.clone().take_while(|it| *it != '}').collect();
        let is_closed = self.rest.clone().any(|it| it == '}');
        let (least, most) = inside.split_once(',').unwrap_or((&inside, "0"));
        let is_number = |it: &str| it.chars().all(|it| it.is_ascii_digit());
        is_closed && !least.is_empty() && is_number(least) && is_number(most)
    }

    /// Behind a `(`: flags that only the other syntax knows are none here.
    fn group(&mut self) -> Result<(), BadPattern> {
        self.out.push('(');
        let mut ahead = self.rest.clone();
        if ahead.next() != Some('?') || matches!(ahead.peek(), Some('P' | '<' | '=' | '!')) {
            return Ok(());
        }
        let mut flags = ahead.take_while(|it| !matches!(it, ':' | ')'));
        match flags.find(|it| !FLAGS.contains(*it)) {
            Some(flag) => Err(refused(&format!("the flag `{flag}`"))),
            None => Ok(()),
        }
    }

    fn push(&mut self, text: &str) {
        self.out.push_str(text);
    }
}

fn class_of(letter: char) -> &'static str {
    match letter.to_ascii_lowercase() {
        'd' => DIGITS,
        'w' => WORDS,
        _ => SPACES,
    }
}

fn refused(what: &str) -> BadPattern {
    BadPattern {
        problem: format!("{what} cannot be used in a regular expression here"),
        hint: Some("say it with plain characters, classes and groups"),
    }
}
