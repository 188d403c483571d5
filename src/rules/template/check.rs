//! The types of everything, and what is done with the fields.

use super::functions::{Function, verbs};
use super::{Bad, Base, Command, Node, Operand, Pipeline, Shape, Type, Uses};
use crate::document::fault::nearest;

/// The name of the map whose entries are told apart in `Uses`.
pub(super) const VALUES: &str = "LabelValuesByName";

pub(super) fn uses(nodes: &[Node], shape: Shape) -> Result<Uses, Bad> {
    let variables = vec![("$".to_owned(), Type::Fields)];
    let mut checker = Checker { shape, variables, dot: Type::Fields, uses: Uses::default() };
    checker.nodes(nodes)?;
    Ok(checker.uses)
}

struct Checker {
    shape: Shape,
    variables: Vec<(String, Type)>,
    dot: Type,
    uses: Uses,
}

impl Checker {
    fn nodes(&mut self, nodes: &[Node]) -> Result<(), Bad> {
        for node in nodes {
            let (scope, dot) = (self.variables.len(), self.dot);
            match node {
                Node::Text(_) => {}
                Node::Print(pipeline) => {
                    self.print(pipeline)?;
                    // What is declared here is there up to the end of the block.
                    continue;
                }
                Node::If { condition, then, otherwise } => {
                    self.pipeline(condition)?;
                    self.nodes(then)?;
                    self.nodes(otherwise)?;
                }
                Node::With { value, then, otherwise } => {
                    self.dot = self.pipeline(value)?;
                    self.nodes(then)?;
                    self.dot = dot;
                    self.nodes(otherwise)?;
                }
                Node::Range { over, each, otherwise } => {
                    self.range(over)?;
                    self.nodes(each)?;
                    self.dot = dot;
                    self.nodes(otherwise)?;
                }
            }
            self.variables.truncate(scope);
            self.dot = dot;
        }
        Ok(())
    }

    /// A field that is printed as it is, is not looked at.
    fn print(&mut self, pipeline: &Pipeline) -> Result<(), Bad> {
        if let Pipeline { variables, commands, .. } = pipeline
            && let ([], [Command { function: None, operands, .. }]) =
                (variables.as_slice(), commands.as_slice())
            && let [operand] = operands.as_slice()
            && let Some((field, [])) = self.field(operand)
        {
            return self.known(operand.at, field).map(drop);
        }
        self.pipeline(pipeline).map(drop)
    }

    fn range(&mut self, over: &Pipeline) -> Result<(), Bad> {
        let Pipeline { at, variables, commands, .. } = over;
        let key = match self.commands(commands)? {
            Type::List => Type::Int,
            Type::Map => Type::Text,
            other => {
                let problem = format!("`range` goes over a list or a map, not {}", other.shown());
                return Err(Bad::new(*at, problem));
            }
        };
        match variables.as_slice() {
            [] => {}
            [value] => self.declare(over, value, Type::Text)?,
            [first, second, ..] => {
                self.declare(over, first, key)?;
                self.declare(over, second, Type::Text)?;
            }
        }
        self.dot = Type::Text;
        Ok(())
    }

    fn pipeline(&mut self, pipeline: &Pipeline) -> Result<Type, Bad> {
        let value = self.commands(&pipeline.commands)?;
        for variable in &pipeline.variables {
            self.declare(pipeline, variable, value)?;
        }
        Ok(value)
    }

    fn declare(&mut self, pipeline: &Pipeline, name: &str, value: Type) -> Result<(), Bad> {
        if !pipeline.is_assignment {
            self.variables.push((name.to_owned(), value));
            return Ok(());
        }
        let known = self.variable(pipeline.at, name)?;
        if known == value {
            return Ok(());
        }
        let problem = format!("`{name}` is {}, and this is {}", known.shown(), value.shown());
        Err(Bad::new(pipeline.at, problem).hint("declare another variable with `:=`"))
    }

    fn commands(&mut self, commands: &[Command]) -> Result<Type, Bad> {
        let mut piped = None;
        for command in commands {
            piped = Some(self.command(command, piped)?);
        }
        // A pipeline without commands is refused where it is read.
        Ok(piped.unwrap_or(Type::Text))
    }

    fn command(&mut self, command: &Command, piped: Option<Type>) -> Result<Type, Bad> {
        let Command { at, function, operands } = command;
        let Some(function) = function else {
            return operands.first().map_or(Ok(Type::Text), |it| self.operand(it));
        };
        let takes_entry = *function == Function::Index && self.takes_entry(operands);
        let mut arguments = Vec::new();
        for (idx, operand) in operands.iter().enumerate() {
            let is_noted = takes_entry && idx == 0;
            arguments.push(if is_noted { Type::Map } else { self.operand(operand)? });
        }
        arguments.extend(piped);
        if *function == Function::Printf {
            return check_format(*at, operands, &arguments);
        }
        function.answers(&arguments).map_err(|wanted| {
            let found: Vec<&str> = arguments.iter().map(|it| it.shown()).collect();
            let found = if found.is_empty() { "nothing".to_owned() } else { found.join(", ") };
            Bad::new(*at, format!("`{}` wants {wanted}, not {found}", function.name()))
        })
    }

    /// `index .LabelValuesByName "key"` takes one entry; notes which.
    fn takes_entry(&mut self, operands: &[Operand]) -> bool {
        let [map, Operand { base: Base::Text(key), fields, .. }] = operands else { return false };
        let is_entry = fields.is_empty() && matches!(self.field(map), Some((VALUES, [])));
        if is_entry && self.shape.iter().any(|(name, _)| *name == VALUES) {
            self.uses.keys.insert(key.clone());
            return true;
        }
        false
    }

    /// The field that an operand begins with, and those below it.
    fn field<'o>(&self, operand: &'o Operand) -> Option<(&'o str, &'o [String])> {
        let is_root = match &operand.base {
            Base::Dot => self.dot == Type::Fields,
            Base::Variable(name) => name == "$",
            _ => false,
        };
        let (first, below) = operand.fields.split_first()?;
        is_root.then_some((first, below))
    }

    fn operand(&mut self, operand: &Operand) -> Result<Type, Bad> {
        if let Some((field, below)) = self.field(operand) {
            let known = self.known(operand.at, field)?;
            match below.first() {
                Some(key) if field == VALUES => self.uses.keys.insert(key.clone()),
                _ => self.uses.inspected.insert(field.to_owned()),
            };
            return below_of(operand.at, known, below);
        }
        let base = match &operand.base {
            Base::Dot => self.dot,
            Base::Variable(name) => self.variable(operand.at, name)?,
            Base::Text(_) => Type::Text,
            Base::Int(_) => Type::Int,
            Base::Bool(_) => Type::Bool,
            Base::Pipeline(pipeline) => self.bracketed(pipeline)?,
        };
        if base == Type::Fields {
            let names: Vec<String> =
                self.shape.iter().map(|(name, _)| format!(".{name}")).collect();
            let bad = Bad::new(operand.at, "all fields together are no value");
            return Err(bad.hint(format!("name one: {}", names.join(", "))));
        }
        below_of(operand.at, base, &operand.fields)
    }

    /// Variables that are declared in brackets would be there behind them; nobody writes that.
    fn bracketed(&mut self, pipeline: &Pipeline) -> Result<Type, Bad> {
        if !pipeline.variables.is_empty() {
            return Err(Bad::new(pipeline.at, "a variable is set in brackets"));
        }
        self.commands(&pipeline.commands)
    }

    fn known(&self, at: usize, field: &str) -> Result<Type, Bad> {
        let known = self.shape.iter().find(|(name, _)| *name == field).map(|(_, it)| *it);
        known.ok_or_else(|| {
            let names = || self.shape.iter().map(|(name, _)| *name);
            let bad = Bad::new(at, format!("there is no field `.{field}`"));
            match nearest(field, names()) {
                Some(name) => bad.hint(format!("did you mean `.{name}`?")),
                None => {
                    bad.hint(format!("known here: .{}", names().collect::<Vec<_>>().join(", .")))
                }
            }
        })
    }

    fn variable(&self, at: usize, name: &str) -> Result<Type, Bad> {
        let known = self.variables.iter().rev().find(|(it, _)| it == name);
        known.map(|(_, it)| *it).ok_or_else(|| {
            let bad = Bad::new(at, format!("there is no variable `{name}`"));
            bad.hint(format!("declare it before: `{name} := …`"))
        })
    }
}

/// Only maps have something below them, and that is texts.
fn below_of(at: usize, base: Type, fields: &[String]) -> Result<Type, Bad> {
    fields.iter().try_fold(base, |base, field| match base {
        Type::Map => Ok(Type::Text),
        other => Err(Bad::new(at, format!("{} has no field `.{field}`", other.shown()))),
    })
}

fn check_format(at: usize, operands: &[Operand], arguments: &[Type]) -> Result<Type, Bad> {
    let Some(Operand { base: Base::Text(format), fields, .. }) = operands.first() else {
        let bad = Bad::new(at, "`printf` wants its format written out");
        return Err(bad.hint("begin with a text in quotes: `printf \"%s\" …`"));
    };
    let wanted = verbs(format).map_err(|verb| {
        let bad = Bad::new(at, format!("the verb `{verb}` of `printf` is not known here"));
        bad.hint("known are %s, %q, %d, %v and %%, without width")
    })?;
    let given = arguments.get(1..).unwrap_or_default();
    let fits =
        given.iter().zip(&wanted).all(|(it, wanted)| wanted.is_none_or(|wanted| wanted == *it));
    if !fields.is_empty() || given.len() != wanted.len() || !fits {
        let bad = Bad::new(at, "the arguments of `printf` do not fit its format");
        return Err(bad.hint("%s and %q take a text, %d a whole number, %v anything"));
    }
    Ok(Type::Text)
}
