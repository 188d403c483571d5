//! Text and actions, and the tokens of an action.

use super::Bad;

/// A part of a template before its structure is known.
#[derive(Debug)]
pub(super) enum Piece {
    Text(String),
    Action { at: usize, tokens: Vec<Token> },
}

/// A token of an action.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    /// The byte of the template at which it begins.
    pub(super) at: usize,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Word(String),
    Field(String),
    Variable(String),
    Text(String),
    Int(i64),
    Dot,
    Open,
    Close,
    Pipe,
    Comma,
    Declare,
    Assign,
    Space,
}

const LEFT: &str = "<<";
const RIGHT: &str = ">>";

pub(super) fn pieces(text: &str) -> Result<Vec<Piece>, Bad> {
    let mut pieces = Vec::new();
    let mut scanner = Scanner { text, at: 0 };
    let mut trims_left = false;
    loop {
        let rest = scanner.rest();
        let (plain, is_last) = rest.split_once(LEFT).map_or((rest, true), |(it, _)| (it, false));
        let at = scanner.at + plain.len();
        let shown = if trims_left { plain.trim_start_matches(is_space) } else { plain };
        if is_last {
            pieces.push(Piece::Text(shown.to_owned()));
            return Ok(pieces);
        }
        scanner.at = at + LEFT.len();
        let mut behind = scanner.rest().chars();
        let trims_right = behind.next() == Some('-') && behind.next().is_some_and(is_space);
        scanner.at += if trims_right { 2 } else { 0 };
        let shown = if trims_right { shown.trim_end_matches(is_space) } else { shown };
        pieces.push(Piece::Text(shown.to_owned()));
        let is_comment = scanner.rest().starts_with("/*");
        let (tokens, trims) = if is_comment { scanner.comment(at)? } else { scanner.action(at)? };
        trims_left = trims;
        if !is_comment {
            pieces.push(Piece::Action { at, tokens });
        }
    }
}

struct Scanner<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Scanner<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn comment(&mut self, at: usize) -> Result<(Vec<Token>, bool), Bad> {
        let unclosed = || Bad::new(at, "a comment is not closed").hint("end it with `*/>>`");
        let length = self.rest().find("*/").ok_or_else(unclosed)?;
        self.at += length + 2;
        self.closes().map(|trims| (Vec::new(), trims)).ok_or_else(unclosed)
    }

    /// Whether the action ends here, and whether it trims what follows.
    fn closes(&mut self) -> Option<bool> {
        let rest = self.rest();
        if rest.starts_with(RIGHT) {
            self.at += RIGHT.len();
            return Some(false);
        }
        let trimmed = rest.strip_prefix(is_space)?.strip_prefix('-')?.strip_prefix(RIGHT)?;
        self.at += rest.len() - trimmed.len();
        Some(true)
    }

    fn action(&mut self, at: usize) -> Result<(Vec<Token>, bool), Bad> {
        let mut tokens = Vec::new();
        loop {
            if let Some(trims) = self.closes() {
                return Ok((tokens, trims));
            }
            let begin = self.at;
            let Some(first) = self.rest().chars().next() else {
                return Err(Bad::new(at, "an action is not closed").hint("end it with `>>`"));
            };
            let kind = self.token(first)?;
            tokens.push(Token { at: begin, kind });
        }
    }

    fn token(&mut self, first: char) -> Result<Kind, Bad> {
        let begin = self.at;
        self.at += first.len_utf8();
        match first {
            it if is_space(it) => {
                // A blank before `->>` belongs to the mark.
                while self.rest().starts_with(is_space) && !self.is_trim_mark() {
                    self.at += 1;
                }
                Ok(Kind::Space)
            }
            '(' => Ok(Kind::Open),
            ')' => Ok(Kind::Close),
            '|' => Ok(Kind::Pipe),
            ',' => Ok(Kind::Comma),
            '=' => Ok(Kind::Assign),
            ':' if self.rest().starts_with('=') => {
                self.at += 1;
                Ok(Kind::Declare)
            }
            '.' => {
                let name = self.word();
                Ok(if name.is_empty() { Kind::Dot } else { Kind::Field(name) })
            }
            '$' => Ok(Kind::Variable(format!("${}", self.word()))),
            '"' => self.quoted(begin).map(Kind::Text),
            '`' => self.raw(begin).map(Kind::Text),
            '+' | '-' | '0'..='9' => self.number(begin),
            it if it.is_alphabetic() || it == '_' => {
                self.at = begin;
                Ok(Kind::Word(self.word()))
            }
            other => Err(Bad::new(begin, format!("unexpected `{}`", other.escape_default()))),
        }
    }

    fn is_trim_mark(&self) -> bool {
        let behind = self.rest().strip_prefix(is_space).and_then(|it| it.strip_prefix('-'));
        behind.is_some_and(|it| it.starts_with(RIGHT))
    }

    fn word(&mut self) -> String {
        let rest = self.rest();
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        let word = rest.split(|c| !is_part(c)).next().unwrap_or_default();
        self.at += word.len();
        word.to_owned()
    }

    fn number(&mut self, begin: usize) -> Result<Kind, Bad> {
        let rest = self.text.get(begin..).unwrap_or_default();
        let is_part = |c: char| c.is_alphanumeric() || "+-._".contains(c);
        let number = rest.split(|c| !is_part(c)).next().unwrap_or_default();
        self.at = begin + number.len();
        let whole = number.parse().ok().filter(|_| !number.starts_with('+'));
        whole.map(Kind::Int).ok_or_else(|| {
            let bad = Bad::new(begin, format!("`{number}` is not a whole number"));
            bad.hint("write digits only; other numbers are not known here")
        })
    }

    fn raw(&mut self, begin: usize) -> Result<String, Bad> {
        let unclosed = || Bad::new(begin, "a quote is not closed").hint("end it with a backquote");
        let (text, _) = self.rest().split_once('`').ok_or_else(unclosed)?;
        self.at += text.len() + 1;
        Ok(text.to_owned())
    }

    fn quoted(&mut self, begin: usize) -> Result<String, Bad> {
        let unclosed = || Bad::new(begin, "a quote is not closed").hint("end it with `\"`");
        let mut text = String::new();
        loop {
            let at = self.at;
            let c = self.rest().chars().next().ok_or_else(unclosed)?;
            self.at += c.len_utf8();
            match c {
                '"' => return Ok(text),
                '\n' => return Err(unclosed()),
                '\\' => text.push(self.escape(at)?),
                other => text.push(other),
            }
        }
    }

    fn escape(&mut self, at: usize) -> Result<char, Bad> {
        let bad = || Bad::new(at, "an escape that is not known").hint("put the text in backquotes");
        let c = self.rest().chars().next().ok_or_else(bad)?;
        self.at += c.len_utf8();
        Ok(match c {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'a' => '\x07',
            'b' => '\x08',
            'f' => '\x0c',
            'v' => '\x0b',
            '\\' | '"' => c,
            _ => return Err(bad()),
        })
    }
}

/// What Go's templates take for a blank.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}
