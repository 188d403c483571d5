//! The judgement itself, part by part.

use super::{Inseparable, is_sentinel};
use promql_parser::label::{Labels, Matcher};
use promql_parser::parser::value::ValueType;
use promql_parser::parser::{
    AggregateExpr, BinaryExpr, Call, Expr, LabelModifier, VectorMatchCardinality, VectorSelector,
};

/// What a part of an expression is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It does not depend on which objects are named.
    Same,
    /// Each named object's series are the same, whichever others are named.
    ByObject,
}

/// Judges by the label of the objects.
pub(super) struct Judge<'l> {
    pub(super) label: &'l str,
}

impl Judge<'_> {
    pub(super) fn part(&self, expression: &Expr, depth: usize) -> Result<Kind, Inseparable> {
        let depth = depth.checked_sub(1).ok_or(Inseparable::TooDeep)?;
        match expression {
            Expr::NumberLiteral(_) | Expr::StringLiteral(_) => Ok(Kind::Same),
            Expr::VectorSelector(selector) => self.selector(selector),
            Expr::MatrixSelector(matrix) => self.selector(&matrix.vs),
            Expr::Unary(unary) => self.part(&unary.expr, depth),
            Expr::Paren(paren) => self.part(&paren.expr, depth),
            Expr::Subquery(subquery) => self.part(&subquery.expr, depth),
            Expr::Aggregate(aggregate) => self.aggregate(aggregate, depth),
            Expr::Call(call) => self.call(call, depth),
            Expr::Binary(binary) => self.binary(binary, depth),
            Expr::Extension(_) => Err(Inseparable::Function("an extension".to_owned())),
        }
    }

    fn selector(&self, selector: &VectorSelector) -> Result<Kind, Inseparable> {
        let is_named = |it: &Matcher| is_sentinel(it, self.label);
        if selector.matchers.or_matchers.iter().flatten().any(is_named) {
            return Err(Inseparable::Function("or".to_owned()));
        }
        let is_by_object = selector.matchers.matchers.iter().any(is_named);
        Ok(if is_by_object { Kind::ByObject } else { Kind::Same })
    }

    fn aggregate(&self, aggregate: &AggregateExpr, depth: usize) -> Result<Kind, Inseparable> {
        let AggregateExpr { op, expr, param, modifier } = aggregate;
        let parameter = param.as_ref().map_or(Ok(Kind::Same), |it| self.part(it, depth))?;
        if (self.part(expr, depth)?, parameter) == (Kind::Same, Kind::Same) {
            return Ok(Kind::Same);
        }
        let (operator, label) = (op.to_string(), self.label.to_owned());
        if param.as_deref().is_some_and(|it| self.is_label(it)) {
            return Err(Inseparable::Writes { operator, label });
        }
        let is_kept = modifier.as_ref().is_some_and(|it| self.keeps(it));
        if is_kept && parameter == Kind::Same {
            Ok(Kind::ByObject)
        } else {
            Err(Inseparable::Aggregates { operator, label })
        }
    }

    fn call(&self, call: &Call, depth: usize) -> Result<Kind, Inseparable> {
        let arguments = call.args.args.iter();
        let kinds: Vec<Kind> =
            arguments.map(|it| self.part(it, depth)).collect::<Result<_, _>>()?;
        if !kinds.contains(&Kind::ByObject) {
            return Ok(Kind::Same);
        }
        let operator = call.func.name.to_owned();
        let written = match call.func.name {
            "label_replace" | "label_join" => {
                call.args.args.get(1).is_some_and(|it| self.is_label(it))
            }
            "histogram_quantile" => self.label == "le",
            _ => false,
        };
        if written {
            return Err(Inseparable::Writes { operator, label: self.label.to_owned() });
        }
        if SINGLE.contains(&call.func.name) {
            Ok(Kind::ByObject)
        } else {
            Err(Inseparable::Function(operator))
        }
    }

    fn binary(&self, binary: &BinaryExpr, depth: usize) -> Result<Kind, Inseparable> {
        let BinaryExpr { op, lhs, rhs, modifier } = binary;
        let kinds = (self.part(lhs, depth)?, self.part(rhs, depth)?);
        let is_scalar = |it: &Expr| it.value_type() == ValueType::Scalar;
        if kinds == (Kind::Same, Kind::Same) {
            return Ok(Kind::Same);
        }
        if is_scalar(lhs) || is_scalar(rhs) {
            return Ok(Kind::ByObject);
        }
        let modifier = modifier.clone().unwrap_or_default();
        let (operator, label) = (op.to_string(), self.label.to_owned());
        if modifier.fill_values.lhs.is_some() || modifier.fill_values.rhs.is_some() {
            return Err(Inseparable::Function("fill".to_owned()));
        }
        if modifier.matching.as_ref().is_none_or(|it| self.keeps(it)) {
            return Ok(Kind::ByObject);
        }
        let copies = |it: &Labels| it.labels.iter().any(|it| it == self.label);
        let (is_left, is_right) = match &modifier.card {
            VectorMatchCardinality::ManyToOne(copied)
            | VectorMatchCardinality::OneToMany(copied)
                if copies(copied) =>
            {
                return Err(Inseparable::Writes { operator, label });
            }
            // Each series of the many is joined with one of the others, on its own.
            VectorMatchCardinality::ManyToOne(_) => (true, false),
            VectorMatchCardinality::OneToMany(_) => (false, true),
            // Each series on the left is kept or not, on its own; `or` looks at all of them.
            VectorMatchCardinality::ManyToMany => (operator != "or", false),
            VectorMatchCardinality::OneToOne => (false, false),
        };
        match kinds {
            (Kind::ByObject, Kind::Same) if is_left => Ok(Kind::ByObject),
            (Kind::Same, Kind::ByObject) if is_right => Ok(Kind::ByObject),
            _ => Err(Inseparable::Matches { operator, label }),
        }
    }

    /// Whether grouping or matching by this regards the label.
    fn keeps(&self, modifier: &LabelModifier) -> bool {
        modifier.labels().labels.iter().any(|it| it == self.label) == modifier.is_include()
    }

    fn is_label(&self, expression: &Expr) -> bool {
        matches!(expression, Expr::StringLiteral(text) if text.val == self.label)
    }
}

/// Functions of each series alone, which keep its labels.
const SINGLE: [&str; 66] = [
    "abs",
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atanh",
    "avg_over_time",
    "ceil",
    "changes",
    "clamp",
    "clamp_max",
    "clamp_min",
    "cos",
    "cosh",
    "count_over_time",
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "days_in_month",
    "deg",
    "delta",
    "deriv",
    "double_exponential_smoothing",
    "exp",
    "first_over_time",
    "floor",
    "histogram_avg",
    "histogram_count",
    "histogram_quantile",
    "histogram_sum",
    "hour",
    "idelta",
    "increase",
    "irate",
    "label_join",
    "label_replace",
    "last_over_time",
    "ln",
    "log10",
    "log2",
    "mad_over_time",
    "max_over_time",
    "min_over_time",
    "minute",
    "month",
    "predict_linear",
    "present_over_time",
    "quantile_over_time",
    "rad",
    "rate",
    "resets",
    "round",
    "sgn",
    "sin",
    "sinh",
    "sort",
    "sort_desc",
    "sqrt",
    "stddev_over_time",
    "stdvar_over_time",
    "sum_over_time",
    "tan",
    "tanh",
    "timestamp",
    "year",
];
