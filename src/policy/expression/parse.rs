//! From CEL's syntax tree to an `Expression`, with types checked on the way.

use super::{Arithmetic, BadExpression, Comparison, Function, Number, PODS, Truth, Variable};
use crate::document::fault::nearest;
use crate::document::yaml::Position;
use crate::domain::duration;
use crate::domain::limits;
use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr, LiteralValue, SourceInfo, operators};
use cel::parser::Parser;

/// Functions that are more than arithmetic on numbers, beside those of `Function`.
const PER_SECOND: &str = "perSecond";
const DRAIN: &str = "drain";

/// Reads `text` as a number.
pub(super) fn number(text: &str, signals: &[&str]) -> Result<Number, BadExpression> {
    let (root, places) = tree(text)?;
    Lowering { text, signals, places: &places }.number(&root, 0)
}

/// Reads `text` as a condition.
pub(super) fn truth(text: &str, signals: &[&str]) -> Result<Truth, BadExpression> {
    let (root, places) = tree(text)?;
    Lowering { text, signals, places: &places }.truth(&root, 0)
}

fn tree(text: &str) -> Result<(IdedExpr, SourceInfo), BadExpression> {
    if text.len() > limits::EXPRESSION_BYTES_MAX {
        return Err(bad(format!("longer than {} bytes", limits::EXPRESSION_BYTES_MAX)));
    }
    // The parser recurses; what it may not be handed is refused before.
    let nesting = text.chars().filter(|c| "([{".contains(*c)).count();
    if nesting > limits::EXPRESSION_DEPTH_MAX {
        return Err(bad("nested too deeply".to_owned()));
    }
    Parser::new().parse_with_source_info(text).map_err(|errors| {
        let first = errors.errors.first();
        let message = first.map_or_else(String::new, |it| it.msg.clone());
        let column = first.map_or(1, |it| it.pos.1.max(1));
        let line = first.map_or(1, |it| it.pos.0.max(1));
        let message = message.strip_prefix("Syntax error: ").unwrap_or(&message);
        bad(format!("line {line}, column {column}: {message}"))
    })
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
            Expr::Ident(name) => self.variable(node, name).map(Number::Variable),
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

    fn variable(&self, node: &IdedExpr, name: &str) -> Result<Variable, BadExpression> {
        match PODS.map(|it| it == name) {
            [true, _] => return Ok(Variable::ReadyPods),
            [_, true] => return Ok(Variable::StartingPods),
            [false, false] => {}
        }
        if let Some(idx) = self.signals.iter().position(|it| *it == name) {
            return Ok(Variable::Signal(idx));
        }
        let mut error = self.at(node, &format!("there is no signal `{name}`"));
        error.hint = Some(match nearest(name, self.signals.iter().copied().chain(PODS)) {
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
        match name {
            PER_SECOND => return self.per_second(node, arguments),
            DRAIN => return self.drain(node, arguments, depth),
            _ => {}
        }
        let known = Function::ALL.iter().find(|(it, ..)| *it == name);
        let Some((_, function, takes)) = known else {
            let mut error = self.at(node, &format!("there is no function `{name}`"));
            let names = Function::ALL.iter().map(|(it, ..)| *it);
            let names: Vec<&str> = names.chain([PER_SECOND, DRAIN]).collect();
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

    /// The rate of one counter. Of a sum of counters it would be wrong whenever one begins anew.
    fn per_second(&self, node: &IdedExpr, arguments: &[IdedExpr]) -> Result<Number, BadExpression> {
        if let [IdedExpr { expr: Expr::Ident(name), .. }] = arguments
            && let Variable::Signal(idx) = self.variable(node, name)?
        {
            return Ok(Number::Variable(Variable::PerSecond(idx)));
        }
        let mut error = self.at(node, "`perSecond` takes one signal, which is a counter");
        error.hint = Some("add up rates, not counters: one may begin anew".to_owned());
        Err(error)
    }

    /// `drain(backlog, "60s")` is `max(backlog, 0) / 60`, and `drain(backlog, "60s", served)` is
    /// `max(backlog - served, 0) / 60`.
    fn drain(
        &self,
        node: &IdedExpr,
        arguments: &[IdedExpr],
        depth: usize,
    ) -> Result<Number, BadExpression> {
        let wrong = |problem: &str| {
            let mut error = self.at(node, problem);
            error.hint = Some(
                "write `drain(waiting, \"60s\")`, or a third argument: what of the \
                 backlog is served before new pods come"
                    .to_owned(),
            );
            error
        };
        let ([backlog, time] | [backlog, time, _]) = arguments else {
            return Err(wrong("`drain` takes a backlog and a time"));
        };
        let Expr::Literal(LiteralValue::String(text)) = &time.expr else {
            return Err(wrong("the time of `drain` is a text, such as \"60s\""));
        };
        let time = duration::parse(text.inner()).map_err(|error| wrong(&error.problem()))?;
        if time < limits::DRAIN_TIME_MIN || time > limits::DURATION_MAX {
            let (least, most) = (limits::DRAIN_TIME_MIN, limits::DURATION_MAX);
            let (least, most) = (duration::Shown(least), duration::Shown(most));
            return Err(wrong(&format!("the time of `drain` is not within {least} and {most}")));
        }
        if is_rate(backlog) {
            return Err(wrong("a backlog is an amount, and this is a rate"));
        }
        let mut left = self.number(backlog, depth)?;
        if let [_, _, served] = arguments {
            if is_rate(served) {
                return Err(wrong("what is served of a backlog is an amount, and this is a rate"));
            }
            let served = Box::new(self.number(served, depth)?);
            left = Number::Binary(Arithmetic::Subtract, Box::new(left), served);
        }
        let left = Box::new(Number::Call(Function::Max, vec![left, Number::Literal(0.0)]));
        let seconds = Box::new(Number::Literal(time.as_secs_f64()));
        Ok(Number::Binary(Arithmetic::Divide, left, seconds))
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

/// Whether this is per second for certain. What a signal is, only its author knows.
fn is_rate(node: &IdedExpr) -> bool {
    matches!(&node.expr, Expr::Call(call) if [PER_SECOND, DRAIN].contains(&call.func_name.as_str()))
}

fn is_logic(name: &str) -> bool {
    [operators::LOGICAL_AND, operators::LOGICAL_OR, operators::LOGICAL_NOT].contains(&name)
}

fn bad(problem: String) -> BadExpression {
    BadExpression { problem, hint: None }
}
