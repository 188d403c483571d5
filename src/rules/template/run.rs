//! What a template prints for given fields.

use super::functions::{Function, is_true, shown};
use super::{Base, Command, Fields, Node, Operand, Pipeline, Value};

/// What a template may print: thrice what 1,500 pods by name take.
const OUTPUT_BYTES_MAX: usize = 128 * 1024;
/// Nodes that one run may go through, so that ranges within ranges end.
const STEPS_MAX: usize = 100_000;

/// Why a template prints nothing for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// A label's value is printed that the request does not give.
    #[error("the template wants the value of a label that was not asked for")]
    NoValue,
    /// An element is taken that a list or text does not have.
    #[error("the template takes an element that is not there")]
    OutOfRange,
    /// More would be printed than a server reads.
    #[error("the template prints more than {OUTPUT_BYTES_MAX} bytes")]
    TooLong,
    /// It takes too many steps.
    #[error("the template takes more than {STEPS_MAX} steps")]
    TooManySteps,
}

pub(super) fn run(nodes: &[Node], fields: &Fields) -> Result<String, RunError> {
    let variables = vec![("$".to_owned(), Value::Fields)];
    let mut runner =
        Runner { fields, variables, dot: Value::Fields, out: String::new(), steps: STEPS_MAX };
    runner.nodes(nodes)?;
    Ok(runner.out)
}

struct Runner<'f> {
    fields: &'f Fields,
    variables: Vec<(String, Value)>,
    dot: Value,
    out: String,
    steps: usize,
}

impl Runner<'_> {
    /// A block: what is declared in it is gone behind it.
    fn block(&mut self, nodes: &[Node], dot: Value) -> Result<(), RunError> {
        let scope = self.variables.len();
        let before = std::mem::replace(&mut self.dot, dot);
        self.nodes(nodes)?;
        self.dot = before;
        self.variables.truncate(scope);
        Ok(())
    }

    fn nodes(&mut self, nodes: &[Node]) -> Result<(), RunError> {
        for node in nodes {
            self.steps = self.steps.checked_sub(1).ok_or(RunError::TooManySteps)?;
            self.node(node)?;
        }
        Ok(())
    }

    fn node(&mut self, node: &Node) -> Result<(), RunError> {
        let scope = self.variables.len();
        match node {
            Node::Text(text) => return self.print(text),
            Node::Print(pipeline) => {
                let value = self.pipeline(pipeline)?;
                if pipeline.variables.is_empty() {
                    self.print(&shown(&value)?)?;
                }
                return Ok(());
            }
            Node::If { condition, then, otherwise } => {
                let is_true = is_true(&self.pipeline(condition)?);
                let dot = self.dot.clone();
                self.block(if is_true { then } else { otherwise }, dot)?;
            }
            Node::With { value, then, otherwise } => {
                let value = self.pipeline(value)?;
                if is_true(&value) {
                    self.block(then, value)?;
                } else {
                    let dot = self.dot.clone();
                    self.block(otherwise, dot)?;
                }
            }
            Node::Range { over, each, otherwise } => self.range(over, each, otherwise)?,
        }
        self.variables.truncate(scope);
        Ok(())
    }

    fn range(
        &mut self,
        over: &Pipeline,
        each: &[Node],
        otherwise: &[Node],
    ) -> Result<(), RunError> {
        let entries: Vec<(Value, String)> = match self.commands(&over.commands)? {
            Value::List(list) => (0..).map(Value::Int).zip(list).collect(),
            Value::Map(map) => map.into_iter().map(|(key, it)| (Value::Text(key), it)).collect(),
            _ => Vec::new(),
        };
        if entries.is_empty() {
            let dot = self.dot.clone();
            return self.block(otherwise, dot);
        }
        for (key, text) in entries {
            let scope = self.variables.len();
            let value = Value::Text(text);
            match over.variables.as_slice() {
                [] => {}
                [name] => self.set(over, name, &value),
                [first, second, ..] => {
                    self.set(over, first, &key);
                    self.set(over, second, &value);
                }
            }
            self.block(each, value)?;
            self.variables.truncate(scope);
        }
        Ok(())
    }

    fn print(&mut self, text: &str) -> Result<(), RunError> {
        if self.out.len() + text.len() > OUTPUT_BYTES_MAX {
            return Err(RunError::TooLong);
        }
        self.out.push_str(text);
        Ok(())
    }

    fn pipeline(&mut self, pipeline: &Pipeline) -> Result<Value, RunError> {
        let value = self.commands(&pipeline.commands)?;
        for name in &pipeline.variables {
            self.set(pipeline, name, &value);
        }
        Ok(value)
    }

    fn set(&mut self, pipeline: &Pipeline, name: &str, value: &Value) {
        let known = self.variables.iter_mut().rev().find(|(it, _)| it == name);
        match known.filter(|_| pipeline.is_assignment) {
            Some((_, known)) => *known = value.clone(),
            None => self.variables.push((name.to_owned(), value.clone())),
        }
    }

    fn commands(&mut self, commands: &[Command]) -> Result<Value, RunError> {
        let mut piped = None;
        for command in commands {
            piped = Some(self.command(command, piped)?);
        }
        piped.ok_or(RunError::NoValue)
    }

    fn command(&mut self, command: &Command, piped: Option<Value>) -> Result<Value, RunError> {
        let Command { function, operands, .. } = command;
        let Some(function) = function else {
            return operands.first().map_or(Ok(Value::Nothing), |it| self.operand(it));
        };
        let mut arguments = Vec::new();
        for operand in operands {
            let value = self.operand(operand)?;
            let is_decided = match function {
                Function::And => !is_true(&value),
                Function::Or => is_true(&value),
                _ => false,
            };
            arguments.push(value);
            if is_decided {
                return function.call(&arguments);
            }
        }
        arguments.extend(piped);
        let value = function.call(&arguments)?;
        match &value {
            // What pipes and variables hold counts as printed.
            Value::Text(text) if text.len() > OUTPUT_BYTES_MAX => Err(RunError::TooLong),
            _ => Ok(value),
        }
    }

    fn operand(&mut self, operand: &Operand) -> Result<Value, RunError> {
        let base = match &operand.base {
            Base::Dot => self.dot.clone(),
            Base::Variable(name) => {
                let known = self.variables.iter().rev().find(|(it, _)| it == name);
                known.map_or(Value::Nothing, |(_, it)| it.clone())
            }
            Base::Text(text) => Value::Text(text.clone()),
            Base::Int(number) => Value::Int(*number),
            Base::Bool(value) => Value::Bool(*value),
            Base::Pipeline(pipeline) => self.commands(&pipeline.commands)?,
        };
        let below = |value: Value, field: &String| match value {
            Value::Fields => self.fields.get(field.as_str()).cloned().unwrap_or(Value::Nothing),
            Value::Map(map) => map.get(field).cloned().map_or(Value::Nothing, Value::Text),
            _ => Value::Nothing,
        };
        Ok(operand.fields.iter().fold(base, below))
    }
}
