//! The syntax of PromQL, as policies and rules both need it: parsed within bounds, with the place of
//! what is wrong, and gone through selector by selector.

mod position;

use crate::domain::limits;
use promql_parser::parser::{self, AggregateExpr, BinaryExpr, Expr, VectorSelector};

/// Why a text is not a query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unparsed {
    /// It is longer than any query of sense.
    #[error("longer than {} bytes", limits::QUERY_BYTES_MAX)]
    TooLong,
    /// Its brackets would exhaust the stack.
    #[error("nested too deeply")]
    TooDeep,
    /// It is something else.
    #[error("{message}")]
    Wrong {
        /// The character (from zero) at which it stops making sense.
        at: usize,
        /// What the parser says.
        message: String,
    },
}

/// Parses a query that is neither too long nor too deep for it.
///
/// # Errors
/// `Unparsed`, with the place where it stops being a query.
pub fn parse(query: &str) -> Result<Expr, Unparsed> {
    if query.len() > limits::QUERY_BYTES_MAX {
        return Err(Unparsed::TooLong);
    }
    if position::nesting(query) > limits::DOCUMENT_DEPTH_MAX {
        return Err(Unparsed::TooDeep);
    }
    parser::parse(query)
        .map_err(|message| Unparsed::Wrong { at: position::of_fault(query), message })
}

/// Hands out each selector of an expression; false where there is something that may hold selectors and is not known.
pub fn each_selector(expression: &mut Expr, each: &mut dyn FnMut(&mut VectorSelector)) -> bool {
    match expression {
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) => true,
        Expr::VectorSelector(selector) => {
            each(selector);
            true
        }
        Expr::MatrixSelector(matrix) => {
            each(&mut matrix.vs);
            true
        }
        Expr::Unary(unary) => each_selector(&mut unary.expr, each),
        Expr::Paren(paren) => each_selector(&mut paren.expr, each),
        Expr::Subquery(subquery) => each_selector(&mut subquery.expr, each),
        Expr::Binary(BinaryExpr { lhs, rhs, .. }) => {
            each_selector(lhs, each) && each_selector(rhs, each)
        }
        Expr::Aggregate(AggregateExpr { expr, param, .. }) => {
            param.as_mut().is_none_or(|it| each_selector(it, each)) && each_selector(expr, each)
        }
        Expr::Call(call) => call.args.args.iter_mut().all(|it| each_selector(it, each)),
        Expr::Extension(_) => false,
    }
}
