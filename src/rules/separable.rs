//! Whether a query may be asked once for all objects of a namespace, without their names, and its
//! answer then be picked apart by name.
//!
//! What is to be shown: for each object, the query that names some objects and the query that names
//! none say the same. It is shown along the expression, in which each part is one of two kinds: the
//! same whatever objects are named, or by object, that is, with the object's label on each series and
//! the same for each named one. An aggregation that keeps the label, a function of single series and a
//! match by the label keep a part by object; what puts objects together does not, and is named.

mod judge;

use crate::promql::{self, Unparsed, each_selector};
use crate::rules::Bound;
use crate::rules::query::{Ask, Objects};
use crate::rules::selector::SeriesSelector;
use judge::{Judge, Kind};
use promql_parser::label::{MatchOp, Matcher};
use promql_parser::parser::value::ValueType;
use promql_parser::parser::{AggregateExpr, BinaryExpr, Expr, LabelModifier, VectorSelector};

/// What is known of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// Whether it may be asked once for all objects; if not, why not.
    pub separable: Result<(), Inseparable>,
    /// Whether it can answer no more than one value for an object.
    pub is_one_per_object: bool,
}

/// Why it is not proved that a query may be asked for all objects at once.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Inseparable {
    /// The template decides by its fields.
    #[error("the template does more with `.{0}` than print it")]
    Inspected(String),
    /// The template takes the names out.
    #[error("the template takes the names of the objects from `.LabelValuesByName`")]
    TakesNames,
    /// The query is not written for the sample request.
    #[error("no query can be written: {0}")]
    NotWritten(String),
    /// The query cannot be read.
    #[error("this is not PromQL as Foresail reads it: {0}")]
    NotPromql(String),
    /// More than the matcher of the objects differs.
    #[error("the query differs elsewhere, too, when objects are named")]
    Differs,
    /// An aggregation over objects.
    #[error("`{operator}` puts objects together, since it does not keep the label `{label}`")]
    Aggregates {
        /// Its operator.
        operator: String,
        /// The label of the objects.
        label: String,
    },
    /// Series are matched whatever object they are of.
    #[error("`{operator}` matches series without the label `{label}`")]
    Matches {
        /// The operator between them.
        operator: String,
        /// The label of the objects.
        label: String,
    },
    /// A function that sees all series at once, or is not known.
    #[error("`{0}` does not treat each series alone")]
    Function(String),
    /// The label is written by the query.
    #[error("`{operator}` writes the label `{label}`")]
    Writes {
        /// What writes it.
        operator: String,
        /// The label of the objects.
        label: String,
    },
    /// Too deep to look at.
    #[error("the query is nested too deeply")]
    TooDeep,
}

/// Names that no object has: they end with a dash.
const NAMES: [&str; 2] = ["foresail-one-", "foresail-two-"];
/// How they are asked for.
const SENTINEL: &str = "foresail-one-|foresail-two-";
/// How deep an expression is looked at; what people write has a tenth of it.
const DEPTH_MAX: usize = 200;

impl Bound {
    /// What is known of the query for a metric, without asking it.
    #[must_use]
    pub fn judge(&self, ask: &Ask<'_>) -> Judgement {
        let label = self.labels.label(ask.resource).unwrap_or_default();
        let written = |objects| {
            let selector = &SeriesSelector::default();
            self.query(&Ask { objects, selector, ..*ask })
                .map_err(|error| Inseparable::NotWritten(error.to_string()))
        };
        let named = written(Objects::Named(&NAMES)).and_then(|it| parse(&it));
        let is_one_per_object = named.as_ref().is_ok_and(|it| is_one_per(it, label));
        let separable = self.template_is_plain(label).and_then(|()| {
            let all = parse(&written(Objects::All)?)?;
            let mut named = named?;
            let judged = Judge { label }.part(&named, DEPTH_MAX)?;
            _ = each_selector(&mut named, &mut |it| generalise(it, label));
            match judged {
                Kind::Same | Kind::ByObject if named == all => Ok(()),
                Kind::Same | Kind::ByObject => Err(Inseparable::Differs),
            }
        });
        Judgement { separable, is_one_per_object }
    }

    fn template_is_plain(&self, label: &str) -> Result<(), Inseparable> {
        let uses = self.rule.query.uses();
        let decisive = ["LabelMatchers", "LabelValuesByName"];
        match decisive.into_iter().find(|it| uses.inspected.contains(*it)) {
            Some(field) => Err(Inseparable::Inspected(field.to_owned())),
            None if uses.keys.contains(label) => Err(Inseparable::TakesNames),
            None => Ok(()),
        }
    }
}

/// Whether `query` parses; what is wrong with it.
pub(super) fn parse(query: &str) -> Result<Expr, Inseparable> {
    promql::parse(query).map_err(|error| match error {
        Unparsed::TooDeep => Inseparable::TooDeep,
        error => Inseparable::NotPromql(error.to_string()),
    })
}

/// Whether the outermost aggregation leaves nothing but the label.
fn is_one_per(expression: &Expr, label: &str) -> bool {
    let is_scalar = |it: &Expr| it.value_type() == ValueType::Scalar;
    match expression {
        Expr::Paren(paren) => is_one_per(&paren.expr, label),
        Expr::Unary(unary) => is_one_per(&unary.expr, label),
        Expr::Binary(BinaryExpr { lhs, rhs, .. }) if is_scalar(rhs) => is_one_per(lhs, label),
        Expr::Binary(BinaryExpr { lhs, rhs, .. }) if is_scalar(lhs) => is_one_per(rhs, label),
        Expr::Aggregate(AggregateExpr {
            op, modifier: Some(LabelModifier::Include(by)), ..
        }) => {
            const SEVERAL: [&str; 5] = ["topk", "bottomk", "count_values", "limitk", "limit_ratio"];
            !SEVERAL.contains(&op.to_string().as_str()) && by.labels.iter().all(|it| it == label)
        }
        _ => false,
    }
}

fn is_sentinel(matcher: &Matcher, label: &str) -> bool {
    matcher.name == label && matcher.value == SENTINEL && matches!(matcher.op, MatchOp::Re(_))
}

/// The selector of the query that names no objects.
fn generalise(selector: &mut VectorSelector, label: &str) {
    for matcher in &mut selector.matchers.matchers {
        if is_sentinel(matcher, label) {
            *matcher = Matcher::new(MatchOp::NotEqual, label, "");
        }
    }
}
