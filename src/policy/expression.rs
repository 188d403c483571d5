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
/// use foresail::policy::expression::Expression;
///
/// let demand = Expression::parse("running + 2 * waiting", &["running", "waiting"])?;
/// let signals = [10.0, 3.0].map(|value| Finite::new(value).unwrap());
/// assert_eq!(demand.evaluate(&signals).map(Finite::get), Some(16.0));
///
/// let fault = Expression::parse("running + wating", &["running", "waiting"]).unwrap_err();
/// assert_eq!(fault.problem, "line 1, column 11: there is no signal `wating`");
/// # Ok::<(), foresail::policy::expression::BadExpression>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    text: String,
    root: Number,
}

impl Expression {
    /// Reads `text` as an expression whose variables are `signals`.
    ///
    /// # Errors
    /// What is wrong with it, with line and column in the expression, and a hint where one helps.
    pub fn parse(text: &str, signals: &[&str]) -> Result<Self, BadExpression> {
        let root = parse::parse(text, signals)?;
        Ok(Self { text: text.to_owned(), root })
    }

    /// The value for these signals, in the order given to `parse`. `None` when the result is not
    /// a number (a division by zero, an overflow).
    #[must_use]
    pub fn evaluate(&self, signals: &[Finite]) -> Option<Finite> {
        Finite::new(self.root.evaluate(signals)?)
    }

    /// The expression as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The indexes of the signals that the expression uses.
    #[must_use]
    pub fn used(&self) -> BTreeSet<usize> {
        let mut used = BTreeSet::new();
        self.root.collect_used(&mut used);
        used
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
    Signal(usize),
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
    fn evaluate(&self, signals: &[Finite]) -> Option<f64> {
        Some(match self {
            Self::Literal(value) => *value,
            Self::Signal(idx) => signals.get(*idx)?.get(),
            Self::Negate(operand) => -operand.evaluate(signals)?,
            Self::Binary(operator, left, right) => {
                operator.apply(left.evaluate(signals)?, right.evaluate(signals)?)
            }
            Self::Call(function, arguments) => function.apply(arguments, signals)?,
            Self::Choose(condition, then, otherwise) => {
                let chosen = if condition.evaluate(signals)? { then } else { otherwise };
                chosen.evaluate(signals)?
            }
        })
    }

    fn collect_used(&self, used: &mut BTreeSet<usize>) {
        match self {
            Self::Literal(_) => {}
            Self::Signal(idx) => {
                used.insert(*idx);
            }
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
    fn evaluate(&self, signals: &[Finite]) -> Option<bool> {
        Some(match self {
            Self::Literal(value) => *value,
            Self::Not(operand) => !operand.evaluate(signals)?,
            Self::And(left, right) => left.evaluate(signals)? && right.evaluate(signals)?,
            Self::Or(left, right) => left.evaluate(signals)? || right.evaluate(signals)?,
            Self::Compare(comparison, left, right) => {
                // What is no number cannot be compared either.
                let left = Finite::new(left.evaluate(signals)?)?;
                comparison.holds(left, Finite::new(right.evaluate(signals)?)?)
            }
        })
    }

    fn collect_used(&self, used: &mut BTreeSet<usize>) {
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

    fn apply(self, arguments: &[Number], signals: &[Finite]) -> Option<f64> {
        let mut values = Vec::with_capacity(arguments.len());
        for argument in arguments {
            values.push(Finite::new(argument.evaluate(signals)?)?);
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
