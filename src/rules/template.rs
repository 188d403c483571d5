//! The templates of prometheus-adapter: the part of Go's `text/template` that its users write,
//! between `<<` and `>>`.
//!
//! A template is read and checked whole when the configuration is: what is not known here, or could
//! only fail, is refused then, with its place, and not when an HPA asks. Known are fields, variables,
//! literals, pipelines, `if`, `with` and `range` with `else`, comments and trim marks, and the
//! functions and, eq, ge, gt, index, le, len, lt, ne, not, or, print, printf, println and slice.
//! Not known are `define`, `template`, `block`, `break`, `continue`, `call`, `html`, `js`,
//! `urlquery`, floating point and complex numbers, characters and methods.

mod check;
mod functions;
mod parse;
mod run;
mod scan;
#[cfg(test)]
mod tests;

pub use run::RunError;

use crate::document::yaml::Position;
use std::collections::{BTreeMap, BTreeSet};

/// A template that can be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    text: Box<str>,
    nodes: Vec<Node>,
    uses: Uses,
}

/// Why a text is no template that can be used here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {}, column {}: {problem}", at.line, at.column)]
pub struct BadTemplate {
    /// Where, within the template.
    pub at: Position,
    /// What is wrong.
    pub problem: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// The fields of a kind of template, by name.
pub type Shape = &'static [(&'static str, Type)];

/// The types that values of templates have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// A text.
    Text,
    /// A whole number.
    Int,
    /// True or false.
    Bool,
    /// Texts in order.
    List,
    /// Texts by text.
    Map,
    /// All fields together: the dot outside of `range` and `with`.
    Fields,
}

/// A value of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A text.
    Text(String),
    /// A whole number.
    Int(i64),
    /// True or false.
    Bool(bool),
    /// Texts in order.
    List(Vec<String>),
    /// Texts by text.
    Map(BTreeMap<String, String>),
    /// An entry that a map lacks.
    Nothing,
    /// All fields together.
    Fields,
}

/// What a template does with its fields, beyond printing them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uses {
    /// The fields whose value is looked at otherwise than by printing it as it is.
    pub inspected: BTreeSet<String>,
    /// The keys of `.LabelValuesByName` whose values are taken one by one.
    pub keys: BTreeSet<String>,
}

/// What the fields are while a template runs.
pub type Fields = BTreeMap<&'static str, Value>;

impl Template {
    /// Reads a template over these fields.
    ///
    /// # Errors
    /// `BadTemplate` where it is none, or needs what is not known here.
    pub fn parse(text: &str, shape: Shape) -> Result<Self, BadTemplate> {
        let read = parse::nodes(text).and_then(|nodes| {
            let uses = check::uses(&nodes, shape)?;
            Ok(Self { text: text.into(), nodes, uses })
        });
        read.map_err(|fault| fault.placed(text))
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it does with its fields.
    #[must_use]
    pub fn uses(&self) -> &Uses {
        &self.uses
    }

    /// What it prints.
    ///
    /// # Errors
    /// Where a value is not there, or too much is printed.
    pub fn run(&self, fields: &Fields) -> Result<String, RunError> {
        run::run(&self.nodes, fields)
    }
}

/// A part of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    Text(String),
    Print(Pipeline),
    If { condition: Pipeline, then: Vec<Self>, otherwise: Vec<Self> },
    With { value: Pipeline, then: Vec<Self>, otherwise: Vec<Self> },
    Range { over: Pipeline, each: Vec<Self>, otherwise: Vec<Self> },
}

/// Commands, each of which hands its value to the next as its last argument.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pipeline {
    at: usize,
    variables: Vec<String>,
    /// Whether the variable is there already.
    is_assignment: bool,
    commands: Vec<Command>,
}

/// A function with its arguments, or one operand.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Command {
    at: usize,
    function: Option<functions::Function>,
    operands: Vec<Operand>,
}

/// A value as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Operand {
    at: usize,
    base: Base,
    fields: Vec<String>,
}

/// What an operand begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Base {
    Dot,
    Variable(String),
    Text(String),
    Int(i64),
    Bool(bool),
    Pipeline(Box<Pipeline>),
}

/// A fault at a byte of the template.
#[derive(Debug)]
struct Bad {
    at: usize,
    problem: String,
    hint: Option<String>,
}

impl Bad {
    fn new(at: usize, problem: impl Into<String>) -> Self {
        Self { at, problem: problem.into(), hint: None }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    fn placed(self, text: &str) -> BadTemplate {
        let before = text.char_indices().take_while(|(idx, _)| *idx < self.at).count();
        let Self { problem, hint, .. } = self;
        BadTemplate { at: Position::of(text, before), problem, hint }
    }
}

impl Type {
    fn shown(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Int => "a whole number",
            Self::Bool => "true or false",
            Self::List => "a list",
            Self::Map => "a map",
            Self::Fields => "all fields together",
        }
    }
}
