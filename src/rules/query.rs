//! From what a request asks for to the text of a query.

use crate::domain::object::GroupResource;
use crate::rules::Bound;
use crate::rules::quote::quoted;
use crate::rules::resources::{is_label, namespaces};
use crate::rules::selector::{Demand, Operator, SeriesSelector};
use crate::rules::template::{Fields, RunError, Shape, Template, Type, Value};
use std::collections::BTreeMap;

/// The fields of a query's template.
pub(super) const QUERY: Shape = &[
    ("Series", Type::Text),
    ("LabelMatchers", Type::Text),
    ("LabelValuesByName", Type::Map),
    ("GroupBy", Type::Text),
    ("GroupBySlice", Type::List),
];

/// What a custom metric is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The series that the metric is made of.
    pub series: &'a str,
    /// What kind of objects.
    pub resource: &'a GroupResource,
    /// Their namespace; passed over for objects that live in none.
    pub namespace: Option<&'a str>,
    /// Which of them.
    pub objects: Objects<'a>,
    /// `metricLabelSelector`.
    pub selector: &'a SeriesSelector,
}

/// Which objects a query is about.
#[derive(Clone, Copy, Debug)]
pub enum Objects<'a> {
    /// These, as prometheus-adapter asks.
    Named(&'a [&'a str]),
    /// All of the namespace, or of the cluster: asked once for all, where `separability` says that the
    /// answer is the same.
    All,
}

/// Why there is no query for a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotBuild {
    /// No label of the rule names this resource.
    #[error("no label of the rule names {0}")]
    NoLabel(GroupResource),
    /// PromQL has no matcher for this.
    #[error("series cannot be selected by `{label}` with `>` or `<`")]
    Operator {
        /// The label.
        label: Box<str>,
    },
    /// A label of objects that no series can have.
    #[error("`{0}` is no label of a series")]
    NotALabel(Box<str>),
    /// No object is asked for.
    #[error("no object is asked for")]
    NoObject,
    /// The template prints nothing.
    #[error("the template prints nothing for this request")]
    Empty,
    /// The template has no answer for this request.
    #[error("failed to write the query")]
    Template(#[from] RunError),
}

impl CannotBuild {
    /// Whether another request to the same rule could be answered, so that it is the request that is
    /// wrong.
    #[must_use]
    pub fn is_of_the_request(&self) -> bool {
        match self {
            Self::Operator { .. } | Self::NotALabel(_) | Self::NoObject => true,
            Self::Template(RunError::NoValue | RunError::OutOfRange) => true,
            Self::NoLabel(_) | Self::Empty | Self::Template(_) => false,
        }
    }
}

impl Bound {
    /// The query for a custom metric.
    ///
    /// # Errors
    /// `CannotBuild`, with the reason.
    pub fn query(&self, ask: &Ask<'_>) -> Result<String, CannotBuild> {
        let Ask { series, resource, namespace, objects, selector } = *ask;
        let label_of = |it: &GroupResource| {
            self.labels.label(it).ok_or_else(|| CannotBuild::NoLabel(it.clone()))
        };
        let label = label_of(resource)?;
        let is_namespaced = self.labels.resource(label).is_some_and(|it| it.is_namespaced);
        let mut demands: Vec<Demand> = selector.demands().to_vec();
        if let Some(namespace) = namespace.filter(|_| is_namespaced) {
            demands.push(one(label_of(&namespaces())?, namespace));
        }
        demands.push(match objects {
            Objects::Named([]) => return Err(CannotBuild::NoObject),
            Objects::Named([name]) => one(label, name),
            Objects::Named(names) => Demand {
                label: label.into(),
                operator: Operator::In,
                // A dot in a name is a dot, and no regular expression.
                values: names.iter().map(|it| it.replace('.', "[.]").into()).collect(),
            },
            Objects::All => {
                Demand { label: label.into(), operator: Operator::Exists, values: Vec::new() }
            }
        });
        written(&self.rule.query, fields(series, &demands, &[label])?)
    }

    /// The query for an external metric.
    ///
    /// # Errors
    /// `CannotBuild`, with the reason.
    pub fn external_query(
        &self,
        series: &str,
        namespace: Option<&str>,
        selector: &SeriesSelector,
    ) -> Result<String, CannotBuild> {
        let mut demands: Vec<Demand> = selector.demands().to_vec();
        if let Some(namespace) = namespace.filter(|_| self.rule.resources.is_namespaced) {
            let label = self.labels.label(&namespaces());
            let label = label.ok_or_else(|| CannotBuild::NoLabel(namespaces()))?;
            demands.push(one(label, namespace));
        }
        written(&self.rule.query, fields(series, &demands, &[])?)
    }
}

fn one(label: &str, value: &str) -> Demand {
    Demand { label: label.into(), operator: Operator::Equal, values: vec![value.into()] }
}

pub(super) fn written(template: &Template, fields: Fields) -> Result<String, CannotBuild> {
    let query = template.run(&fields)?;
    if query.is_empty() { Err(CannotBuild::Empty) } else { Ok(query) }
}

pub(super) fn fields(
    series: &str,
    demands: &[Demand],
    group_by: &[&str],
) -> Result<Fields, CannotBuild> {
    let matchers: Vec<String> = demands.iter().map(matcher).collect::<Result<_, _>>()?;
    // Of several demands on one label the last one's values are those of the map.
    let entry = |it: &Demand| (it.label.to_string(), it.values.join("|"));
    let values: BTreeMap<String, String> = demands.iter().map(entry).collect();
    let groups: Vec<String> = group_by.iter().map(|it| (*it).to_owned()).collect();
    Ok(Fields::from([
        ("Series", Value::Text(series.to_owned())),
        ("LabelMatchers", Value::Text(matchers.join(","))),
        ("LabelValuesByName", Value::Map(values)),
        ("GroupBy", Value::Text(groups.join(","))),
        ("GroupBySlice", Value::List(groups)),
    ]))
}

fn matcher(demand: &Demand) -> Result<String, CannotBuild> {
    let Demand { label, operator, values } = demand;
    if !is_label(label) {
        return Err(CannotBuild::NotALabel(label.clone()));
    }
    let value = || quoted(&values.join("|"));
    Ok(match operator {
        Operator::Equal => format!("{label}={}", value()),
        Operator::NotEqual => format!("{label}!={}", value()),
        Operator::In => format!("{label}=~{}", value()),
        Operator::NotIn => format!("{label}!~{}", value()),
        Operator::Exists => format!("{label}!=\"\""),
        Operator::Absent => format!("{label}=\"\""),
        Operator::Above | Operator::Below => {
            return Err(CannotBuild::Operator { label: label.clone() });
        }
    })
}
