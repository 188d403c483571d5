//! From CEL's syntax tree to an `Expression`, with types checked on the way.

use super::{Arithmetic, BadExpression, Comparison, Function, Number, Truth};
use crate::document::fault::nearest;
use crate::document::yaml::Position;
use crate::domain::limits;
use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr, LiteralValue, SourceInfo, operators};
use cel::parser::Parser;

/// Reads `text`.
pub(super) fn parse(text: &str, signals: &[&str]) -> Result<Number, BadExpression> {
    if text.len() > limits::EXPRESSION_BYTES_MAX {
        return Err(bad(format!("longer than {} bytes", limits::EXPRESSION_BYTES_MAX)));
    }
    // The parser recurses; what it may not be handed is refused before.
    let nesting = text.chars().filter(|c| "([{".contains(*c)).count();
    if nesting > limits::EXPRESSION_DEPTH_MAX {
        return Err(bad("nested too deeply".to_owned()));
    }
    let (root, places) = Parser::new().parse_with_source_info(text).map_err(|errors| {
        let first = errors.errors.first();
        let message = first.map_or_else(String::new, |it| it.msg.clone());
        let column = first.map_or(1, |it| it.pos.1.max(1));
        let line = first.map_or(1, |it| it.pos.0.max(1));
        let message = message.strip_prefix("Syntax error: ").unwrap_or(&message);
        bad(format!("line {line}, column {column}: {message}"))
    })?;
    Lowering { text, signals, places: &places }.number(&root, 0)
}

struct Lowering<'a> {
    text: &'a str,
    signals: &'a [&'a str],
    places: &'a SourceInfo,
}

impl Lowering<'_> {
    fn number(&self, node: &IdedExpr, depth: usize) -> Result<Number, BadExpression> {
        self.check_depth(depth)?;
        match &node.expr {
            Expr::Literal(literal) => self.literal(node, literal),
            Expr::Ident(name) => self.signal(node, name),
            Expr::Call(call) => self.number_call(node, call, depth + 1),
            _ => Err(self.unsupported(node)),
        }
    }

    fn literal(&self, node: &IdedExpr, literal: &LiteralValue) -> Result<Number, BadExpression> {
        match literal {
            #[expect(clippy::cast_precision_loss, reason = "a literal this long is no load")]
            LiteralValue::Int(value) => Ok(Number::Literal(*value.inner() as f64)),
            #[expect(clippy::cast_precision_loss, reason = "a literal this long is no load")]
            LiteralValue::UInt(value) => Ok(Number::Literal(*value.inner() as f64)),
            LiteralValue::Double(value) => Ok(Number::Literal(*value.inner())),
            _ => Err(self.at(node, "expected a number")),
        }
    }

    fn signal(&self, node: &IdedExpr, name: &str) -> Result<Number, BadExpression> {
        if let Some(idx) = self.signals.iter().position(|it| *it == name) {
            return Ok(Number::Signal(idx));
        }
        let mut error = self.at(node, &format!("there is no signal `{name}`"));
        error.hint = Some(match nearest(name, self.signals.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the signals are {}", self.signals.join(", ")),
        });
        Err(error)
    }

    fn number_call(
        &self,
        node: &IdedExpr,
        call: &CallExpr,
        depth: usize,
    ) -> Result<Number, BadExpression> {
        let boxed = |it: &IdedExpr| self.number(it, depth).map(Box::new);
        match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::NEGATE, [operand]) => Ok(Number::Negate(boxed(operand)?)),
            (operators::CONDITIONAL, [condition, then, otherwise]) => {
                let condition = Box::new(self.truth(condition, depth)?);
                Ok(Number::Choose(condition, boxed(then)?, boxed(otherwise)?))
            }
            (name, [left, right]) if arithmetic(name).is_some() => {
                let operator = arithmetic(name).unwrap_or(Arithmetic::Add);
                Ok(Number::Binary(operator, boxed(left)?, boxed(right)?))
            }
            (name, arguments) if call.target.is_none() => {
                self.function(node, name, arguments, depth)
            }
            _ => Err(self.unsupported(node)),
        }
    }

    fn function(
        &self,
        node: &IdedExpr,
        name: &str,
        arguments: &[IdedExpr],
        depth: usize,
    ) -> Result<Number, BadExpression> {
        if comparison(name).is_some() || is_logic(name) {
            return Err(self.at(node, "expected a number, found a condition"));
        }
        let known = Function::ALL.iter().find(|(it, ..)| *it == name);
        let Some((_, function, takes)) = known else {
            let mut error = self.at(node, &format!("there is no function `{name}`"));
            let names: Vec<&str> = Function::ALL.iter().map(|(it, ..)| *it).collect();
            error.hint = Some(format!("the functions are {}", names.join(", ")));
            return Err(error);
        };
        if !takes.contains(&arguments.len()) {
            let problem = format!("`{name}` takes {} to {} numbers", takes.start(), takes.end());
            return Err(self.at(node, &problem));
        }
        let arguments: Result<Vec<_>, _> =
            arguments.iter().map(|it| self.number(it, depth)).collect();
        Ok(Number::Call(*function, arguments?))
    }

    fn truth(&self, node: &IdedExpr, depth: usize) -> Result<Truth, BadExpression> {
        self.check_depth(depth)?;
        let call = match &node.expr {
            Expr::Literal(LiteralValue::Boolean(value)) => {
                return Ok(Truth::Literal(*value.inner()));
            }
            Expr::Call(call) => call,
            _ => return Err(self.at(node, "expected a condition, such as `waiting > 0`")),
        };
        let depth = depth + 1;
        let truth = |it: &IdedExpr| self.truth(it, depth).map(Box::new);
        match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::LOGICAL_NOT, [operand]) => Ok(Truth::Not(truth(operand)?)),
            (operators::LOGICAL_AND, [left, right]) => Ok(Truth::And(truth(left)?, truth(right)?)),
            (operators::LOGICAL_OR, [left, right]) => Ok(Truth::Or(truth(left)?, truth(right)?)),
            (name, [left, right]) => match comparison(name) {
                Some(comparison) => {
                    let left = Box::new(self.number(left, depth)?);
                    let right = Box::new(self.number(right, depth)?);
                    Ok(Truth::Compare(comparison, left, right))
                }
                None => Err(self.at(node, "expected a condition, such as `waiting > 0`")),
            },
            _ => Err(self.at(node, "expected a condition, such as `waiting > 0`")),
        }
    }

    fn check_depth(&self, depth: usize) -> Result<(), BadExpression> {
        // A long sum is a deep tree without being nested, so this allows more than parentheses.
        if depth > limits::EXPRESSION_DEPTH_MAX * 8 {
            return Err(bad("nested too deeply".to_owned()));
        }
        Ok(())
    }

    fn unsupported(&self, node: &IdedExpr) -> BadExpression {
        self.at(node, "`combine` does not know this part of CEL")
    }

    fn at(&self, node: &IdedExpr, problem: &str) -> BadExpression {
        let start = self.places.offset_for(node.id).map_or(0, |(start, _)| start as usize);
        let Position { line, column } = Position::of(self.text, start);
        bad(format!("line {line}, column {column}: {problem}"))
    }
}

fn arithmetic(name: &str) -> Option<Arithmetic> {
    Some(match name {
        operators::ADD => Arithmetic::Add,
        operators::SUBSTRACT => Arithmetic::Subtract,
        operators::MULTIPLY => Arithmetic::Multiply,
        operators::DIVIDE => Arithmetic::Divide,
        operators::MODULO => Arithmetic::Remainder,
        _ => return None,
    })
}

fn comparison(name: &str) -> Option<Comparison> {
    Some(match name {
        operators::EQUALS => Comparison::Equal,
        operators::NOT_EQUALS => Comparison::NotEqual,
        operators::LESS => Comparison::Less,
        operators::LESS_EQUALS => Comparison::LessOrEqual,
        operators::GREATER => Comparison::Greater,
        operators::GREATER_EQUALS => Comparison::GreaterOrEqual,
        _ => return None,
    })
}

fn is_logic(name: &str) -> bool {
    [operators::LOGICAL_AND, operators::LOGICAL_OR, operators::LOGICAL_NOT].contains(&name)
}

fn bad(problem: String) -> BadExpression {
    BadExpression { problem, hint: None }
}
