//! `combine`: a CEL expression over the signals, as arithmetic that always ends.
//!
//! The `cel` crate parses; what it parsed is turned into a small tree of our own, because
//! `combine` needs less and more than CEL: every number is a float (so that `2 * waiting` is no
//! type error), there are no loops or texts (so that evaluation is bounded by the length of the
//! expression), types are checked at load, and a result that is no number is "no value".

mod parse;

use crate::domain::finite::Finite;
use std::collections::BTreeSet;

/// A checked expression over a list of signals.
///
/// ```
/// use foresail::domain::finite::Finite;
/// use foresail::policy::expression::{Expression, Inputs};
///
/// let demand = Expression::parse("running + 2 * waiting", &["running", "waiting"])?;
/// let signals = [10.0, 3.0].map(|value| Finite::new(value).unwrap());
/// let inputs = Inputs { signals: signals.to_vec(), ..Inputs::default() };
/// assert_eq!(demand.evaluate(&inputs).map(Finite::get), Some(16.0));
///
/// let fault = Expression::parse("running + wating", &["running", "waiting"]).unwrap_err();
/// assert_eq!(fault.problem, "line 1, column 11: there is no signal `wating`");
/// # Ok::<(), foresail::policy::expression::BadExpression>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    text: String,
    root: Number,
    used: Used,
}

/// A checked expression that is true or false, such as `waiting > 0`.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    text: String,
    root: Truth,
    used: Used,
}

/// What an expression is evaluated for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inputs {
    /// The signals, in the order given to `parse`.
    pub signals: Vec<Finite>,
    /// What `perSecond` answers for each of them; only that of `Used::counters` is asked for.
    pub per_second: Vec<Finite>,
    /// `readyPods`; asked for only with `Used::pods`.
    pub ready_pods: Finite,
    /// `startingPods`; asked for only with `Used::pods`.
    pub starting_pods: Finite,
}

/// What an expression needs to know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// The indexes of the signals, in whatever way they are used.
    pub signals: BTreeSet<usize>,
    /// The indexes of those whose rate is used.
    pub counters: BTreeSet<usize>,
    /// Whether it counts the pods of the scale target.
    pub pods: bool,
}

/// The names of the variables that are no signals.
pub const PODS: [&str; 2] = ["readyPods", "startingPods"];

impl Expression {
    /// Reads `text` as an expression whose variables are `signals`.
    ///
    /// # Errors
    /// What is wrong with it, with line and column in the expression, and a hint where one helps.
    pub fn parse(text: &str, signals: &[&str]) -> Result<Self, BadExpression> {
        let root = parse::number(text, signals)?;
        let mut used = Used::default();
        root.collect_used(&mut used);
        Ok(Self { text: text.to_owned(), root, used })
    }

    /// The value for these inputs. `None` when the result is not a number (a division by zero, an
    /// overflow).
    #[must_use]
    pub fn evaluate(&self, inputs: &Inputs) -> Option<Finite> {
        Finite::new(self.root.evaluate(inputs)?)
    }

    /// The expression as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What the expression needs to know.
    #[must_use]
    pub fn used(&self) -> &Used {
        &self.used
    }
}

impl Condition {
    /// Reads `text` as a condition whose variables are `signals`.
    ///
    /// # Errors
    /// What is wrong with it, as for `Expression::parse`.
    pub fn parse(text: &str, signals: &[&str]) -> Result<Self, BadExpression> {
        let root = parse::truth(text, signals)?;
        let mut used = Used::default();
        root.collect_used(&mut used);
        Ok(Self { text: text.to_owned(), root, used })
    }

    /// Whether it holds; `None` when it compares what is not a number.
    #[must_use]
    pub fn holds(&self, inputs: &Inputs) -> Option<bool> {
        self.root.evaluate(inputs)
    }

    /// The condition as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What the condition needs to know.
    #[must_use]
    pub fn used(&self) -> &Used {
        &self.used
    }
}

/// Why a text is not a `combine` expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct BadExpression {
    /// What is wrong, and where.
    pub problem: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// A part that is a number.
#[derive(Clone, Debug, PartialEq)]
enum Number {
    Literal(f64),
    Variable(Variable),
    Negate(Box<Self>),
    Binary(Arithmetic, Box<Self>, Box<Self>),
    Call(Function, Vec<Self>),
    Choose(Box<Truth>, Box<Self>, Box<Self>),
}

/// A part that is true or false.
#[derive(Clone, Debug, PartialEq)]
enum Truth {
    Literal(bool),
    Not(Box<Self>),
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
    Compare(Comparison, Box<Number>, Box<Number>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Variable {
    Signal(usize),
    PerSecond(usize),
    ReadyPods,
    StartingPods,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Function {
    Max,
    Min,
    Abs,
    Ceil,
    Floor,
    Sqrt,
}

impl Number {
    fn evaluate(&self, inputs: &Inputs) -> Option<f64> {
        Some(match self {
            Self::Literal(value) => *value,
            Self::Variable(variable) => variable.read(inputs)?.get(),
            Self::Negate(operand) => -operand.evaluate(inputs)?,
            Self::Binary(operator, left, right) => {
                operator.apply(left.evaluate(inputs)?, right.evaluate(inputs)?)
            }
            Self::Call(function, arguments) => function.apply(arguments, inputs)?,
            Self::Choose(condition, then, otherwise) => {
                let chosen = if condition.evaluate(inputs)? { then } else { otherwise };
                chosen.evaluate(inputs)?
            }
        })
    }

    fn collect_used(&self, used: &mut Used) {
        match self {
            Self::Literal(_) => {}
            Self::Variable(variable) => variable.note(used),
            Self::Negate(operand) => operand.collect_used(used),
            Self::Binary(_, left, right) => {
                left.collect_used(used);
                right.collect_used(used);
            }
            Self::Call(_, arguments) => arguments.iter().for_each(|it| it.collect_used(used)),
            Self::Choose(condition, then, otherwise) => {
                condition.collect_used(used);
                then.collect_used(used);
                otherwise.collect_used(used);
            }
        }
    }
}

impl Truth {
    fn evaluate(&self, inputs: &Inputs) -> Option<bool> {
        Some(match self {
            Self::Literal(value) => *value,
            Self::Not(operand) => !operand.evaluate(inputs)?,
            Self::And(left, right) => left.evaluate(inputs)? && right.evaluate(inputs)?,
            Self::Or(left, right) => left.evaluate(inputs)? || right.evaluate(inputs)?,
            Self::Compare(comparison, left, right) => {
                // What is no number cannot be compared either.
                let left = Finite::new(left.evaluate(inputs)?)?;
                comparison.holds(left, Finite::new(right.evaluate(inputs)?)?)
            }
        })
    }

    fn collect_used(&self, used: &mut Used) {
        match self {
            Self::Literal(_) => {}
            Self::Not(operand) => operand.collect_used(used),
            Self::And(left, right) | Self::Or(left, right) => {
                left.collect_used(used);
                right.collect_used(used);
            }
            Self::Compare(_, left, right) => {
                left.collect_used(used);
                right.collect_used(used);
            }
        }
    }
}

impl Variable {
    fn read(self, inputs: &Inputs) -> Option<Finite> {
        match self {
            Self::Signal(idx) => inputs.signals.get(idx).copied(),
            Self::PerSecond(idx) => inputs.per_second.get(idx).copied(),
            Self::ReadyPods => Some(inputs.ready_pods),
            Self::StartingPods => Some(inputs.starting_pods),
        }
    }

    fn note(self, used: &mut Used) {
        match self {
            Self::Signal(idx) => _ = used.signals.insert(idx),
            Self::PerSecond(idx) => {
                used.signals.insert(idx);
                used.counters.insert(idx);
            }
            Self::ReadyPods | Self::StartingPods => used.pods = true,
        }
    }
}

impl Arithmetic {
    fn apply(self, left: f64, right: f64) -> f64 {
        match self {
            Self::Add => left + right,
            Self::Subtract => left - right,
            Self::Multiply => left * right,
            Self::Divide => left / right,
            Self::Remainder => left % right,
        }
    }
}

impl Comparison {
    fn holds(self, left: Finite, right: Finite) -> bool {
        match self {
            Self::Equal => left == right,
            Self::NotEqual => left != right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
        }
    }
}

impl Function {
    /// Every function with its name and how many arguments it takes.
    const ALL: [(&str, Self, std::ops::RangeInclusive<usize>); 6] = [
        ("max", Self::Max, 1..=16),
        ("min", Self::Min, 1..=16),
        ("abs", Self::Abs, 1..=1),
        ("ceil", Self::Ceil, 1..=1),
        ("floor", Self::Floor, 1..=1),
        ("sqrt", Self::Sqrt, 1..=1),
    ];

    fn apply(self, arguments: &[Number], inputs: &Inputs) -> Option<f64> {
        let mut values = Vec::with_capacity(arguments.len());
        for argument in arguments {
            values.push(Finite::new(argument.evaluate(inputs)?)?);
        }
        let first = values.first()?.get();
        Some(match self {
            Self::Max => values.iter().max()?.get(),
            Self::Min => values.iter().min()?.get(),
            Self::Abs => first.abs(),
            Self::Ceil => first.ceil(),
            Self::Floor => first.floor(),
            Self::Sqrt => first.sqrt(),
        })
    }
}

#[cfg(test)]
mod tests;
