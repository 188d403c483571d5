//! YAML text to a tree that knows the line and column of every node.
//!
//! The parser is saphyr's event stream; the tree is our own because it must count nodes (aliases
//! of aliases), refuse duplicate keys and keep positions.

pub mod document;
pub mod write;

use crate::document::path::{Path, Step};
use crate::domain::limits;
use saphyr_parser::{Event, Parser, ScalarStyle, Span};
use serde_json::{Map, Number};
use std::collections::BTreeMap;
use std::fmt;

/// A place in the text, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

impl Position {
    /// Where the character `index` (from zero) of `text` stands.
    #[must_use]
    pub fn of(text: &str, index: usize) -> Self {
        let before: Vec<char> = text.chars().take(index).collect();
        let line = before.iter().filter(|c| **c == '\n').count() + 1;
        let column = before.iter().rev().take_while(|c| **c != '\n').count() + 1;
        Self { line, column }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// A value and where it begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where it begins.
    pub at: Position,
    /// What it is.
    pub value: Value,
}

/// The values of YAML's core schema.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A mapping in the order written, each key once.
    Mapping(Vec<(Key, Node)>),
}

/// A key of a mapping and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Where it begins.
    pub at: Position,
    /// What it says.
    pub text: String,
}

/// Why a text is not a document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {}, column {}: {problem}", at.line, at.column)]
pub struct BadYaml {
    /// Where.
    pub at: Position,
    /// What is wrong.
    pub problem: String,
}

impl Node {
    /// Reads the single document of `text`. An empty text is `Null`.
    ///
    /// # Errors
    /// `BadYaml` when it is not YAML, has more than one document, repeats a key, or is larger
    /// than the limits allow.
    pub fn parse(text: &str) -> Result<Self, BadYaml> {
        Loader { parser: Parser::new_from_str(text), anchors: BTreeMap::new(), nodes: 0 }.load()
    }

    /// The same tree for a value that stands in no text: everything begins at its beginning.
    #[must_use]
    pub fn from_json(json: &serde_json::Value) -> Self {
        let at = Position { line: 1, column: 1 };
        let value = match json {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(value) => Value::Bool(*value),
            serde_json::Value::Number(number) => Value::Number(number.clone()),
            serde_json::Value::String(text) => Value::Text(text.clone()),
            serde_json::Value::Array(list) => {
                Value::List(list.iter().map(Self::from_json).collect())
            }
            serde_json::Value::Object(entries) => {
                let entry = |(key, json): (&String, _)| {
                    (Key { at, text: key.clone() }, Self::from_json(json))
                };
                Value::Mapping(entries.iter().map(entry).collect())
            }
        };
        Self { at, value }
    }

    /// The entry `key` of a mapping.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        match &self.value {
            Value::Mapping(entries) => {
                entries.iter().find(|(it, _)| it.text == key).map(|(_, node)| node)
            }
            _ => None,
        }
    }

    /// The text, if it is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The elements; none if it is not a list.
    #[must_use]
    pub fn elements(&self) -> &[Self] {
        match &self.value {
            Value::List(elements) => elements,
            _ => &[],
        }
    }

    /// Where `path` stands: the key for the last step into a mapping, so that a reader is led to
    /// the line that names it; the nearest place above where the path leads nowhere.
    #[must_use]
    pub fn position(&self, path: &Path) -> Position {
        let mut node = self;
        let mut at = self.at;
        for step in path.steps() {
            let next = match (step, &node.value) {
                (Step::Index(index), Value::List(list)) => list.get(*index).map(|it| (it.at, it)),
                (Step::Key(key), Value::Mapping(entries)) => {
                    entries.iter().find(|(it, _)| it.text == *key).map(|(it, node)| (it.at, node))
                }
                _ => None,
            };
            let Some((place, below)) = next else { break };
            at = place;
            node = below;
        }
        at
    }

    /// The same value without positions, as serde reads it.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => (*value).into(),
            Value::Number(number) => number.clone().into(),
            Value::Text(text) => text.as_str().into(),
            Value::List(list) => list.iter().map(Self::to_json).collect(),
            Value::Mapping(entries) => entries
                .iter()
                .map(|(key, node)| (key.text.clone(), node.to_json()))
                .collect::<Map<_, _>>()
                .into(),
        }
    }
}

struct Loader<'t> {
    parser: Parser<'t, saphyr_parser::StrInput<'t>>,
    anchors: BTreeMap<usize, Node>,
    nodes: usize,
}

impl Loader<'_> {
    fn load(mut self) -> Result<Node, BadYaml> {
        let mut document = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamStart | Event::DocumentEnd | Event::Nothing => {}
                Event::DocumentStart(_) if document.is_none() => {
                    let (event, span) = self.next()?;
                    document = Some(self.node(event, span, 0)?);
                }
                Event::StreamEnd => break,
                _ => return Err(bad(span, "more than one document; keep one per file")),
            }
        }
        let start = Position { line: 1, column: 1 };
        Ok(document.unwrap_or(Node { at: start, value: Value::Null }))
    }

    fn next(&mut self) -> Result<(Event<'static>, Span), BadYaml> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => Ok((owned(event), span)),
            Some(Err(error)) => {
                let marker = error.marker();
                let at = Position { line: marker.line(), column: marker.col() + 1 };
                Err(BadYaml { at, problem: error.info().to_owned() })
            }
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn node(&mut self, event: Event<'_>, span: Span, depth: usize) -> Result<Node, BadYaml> {
        self.nodes += 1;
        if self.nodes > limits::DOCUMENT_NODES_MAX {
            return Err(bad(span, "too many values; are aliases repeated in aliases?"));
        }
        if depth > limits::DOCUMENT_DEPTH_MAX {
            return Err(bad(span, "nested too deeply"));
        }
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, _) => (scalar(&text, style), anchor),
            Event::SequenceStart(anchor, _) => (self.list(depth)?, anchor),
            Event::MappingStart(anchor, _) => (self.mapping(depth)?, anchor),
            Event::Alias(anchor) => (self.alias(anchor, span)?, 0),
            _ => return Err(bad(span, "expected a value")),
        };
        let node = Node { at: position(span), value };
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn list(&mut self, depth: usize) -> Result<Value, BadYaml> {
        let mut list = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Value::List(list)),
                (event, span) => list.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn mapping(&mut self, depth: usize) -> Result<Value, BadYaml> {
        let mut entries: Vec<(Key, Node)> = Vec::new();
        loop {
            let key = match self.next()? {
                (Event::MappingEnd, _) => return Ok(Value::Mapping(entries)),
                (Event::Scalar(text, ..), span) => {
                    Key { at: position(span), text: text.into_owned() }
                }
                (_, span) => return Err(bad(span, "a key must be plain text")),
            };
            if let Some((first, _)) = entries.iter().find(|(it, _)| it.text == key.text) {
                let problem =
                    format!("`{}` is given twice, first in line {}", key.text, first.at.line);
                return Err(BadYaml { at: key.at, problem });
            }
            let (event, span) = self.next()?;
            let value = self.node(event, span, depth + 1)?;
            entries.push((key, value));
        }
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<Value, BadYaml> {
        let node = self.anchors.get(&anchor).ok_or_else(|| bad(span, "an alias of nothing"))?;
        self.nodes += count(node);
        if self.nodes > limits::DOCUMENT_NODES_MAX {
            return Err(bad(span, "too many values; are aliases repeated in aliases?"));
        }
        Ok(node.value.clone())
    }
}

/// An event that borrows nothing, so that the parser can go on.
fn owned(event: Event<'_>) -> Event<'static> {
    match event {
        Event::Nothing => Event::Nothing,
        Event::StreamStart => Event::StreamStart,
        Event::StreamEnd => Event::StreamEnd,
        Event::DocumentStart(explicit) => Event::DocumentStart(explicit),
        Event::DocumentEnd => Event::DocumentEnd,
        Event::Alias(anchor) => Event::Alias(anchor),
        Event::Scalar(text, style, anchor, _) => {
            Event::Scalar(text.into_owned().into(), style, anchor, None)
        }
        Event::SequenceStart(anchor, _) => Event::SequenceStart(anchor, None),
        Event::SequenceEnd => Event::SequenceEnd,
        Event::MappingStart(anchor, _) => Event::MappingStart(anchor, None),
        Event::MappingEnd => Event::MappingEnd,
    }
}

fn count(node: &Node) -> usize {
    1 + match &node.value {
        Value::List(list) => list.iter().map(count).sum::<usize>(),
        Value::Mapping(entries) => entries.iter().map(|(_, node)| count(node)).sum(),
        _ => 0,
    }
}

/// Only a plain scalar may be something else than text, as YAML's core schema says.
fn scalar(text: &str, style: ScalarStyle) -> Value {
    if style != ScalarStyle::Plain {
        return Value::Text(text.to_owned());
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => number(text).map_or_else(|| Value::Text(text.to_owned()), Value::Number),
    }
}

fn number(text: &str) -> Option<Number> {
    if !text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) {
        return None;
    }
    if let Ok(whole) = text.parse::<i64>() {
        return Some(whole.into());
    }
    Number::from_f64(text.parse().ok()?)
}

fn position(span: Span) -> Position {
    Position { line: span.start.line(), column: span.start.col() + 1 }
}

fn bad(span: Span, problem: &str) -> BadYaml {
    BadYaml { at: position(span), problem: problem.to_owned() }
}

#[cfg(test)]
mod tests;
