//! From the answer of a query to the values of objects, and to the items of an external metric.
//!
//! No value is ever made up: what is no number, or not one number, is told as such.

use crate::domain::finite::Finite;
use crate::domain::labels::Labels;
use crate::rules::quote::quoted;
use crate::rules::wire::OnDuplicate;
use std::collections::BTreeMap;

/// What a server answers to an instant query.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// One value.
    Scalar(f64),
    /// One value for each series, in the order of the answer.
    Vector(Vec<(Labels, f64)>),
    /// Anything else, by the name that Prometheus has for it.
    Other(Box<str>),
}

/// Why an answer has no value to give.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoValue {
    /// The query answers something else than numbers.
    #[error("the rule's query answers a {0}, not numbers")]
    WrongType(Box<str>),
    /// Several values for one object.
    #[error("the rule's query answers {0} values for it, and `onDuplicate` is not `last`")]
    Several(usize),
    /// NaN or infinity.
    #[error("the rule's query answers no number for it")]
    NotANumber,
    /// A negative value.
    #[error("the rule's query answers a negative number for it")]
    Negative,
    /// No series at all.
    #[error("the rule's query answers no series")]
    Empty,
    /// One series of several has no number.
    #[error("series {series}, without which the others are not the whole")]
    Part {
        /// Its labels.
        series: String,
        /// Why it has none.
        #[source]
        cause: Box<Self>,
    },
}

/// An item of an external metric.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The labels of its series.
    pub labels: Labels,
    /// Its value.
    pub value: Finite,
}

/// The values of objects, by the value of their label. A series without the label is about no object.
///
/// # Errors
/// When the answer is no vector.
pub fn by_object(
    answer: &Answer,
    label: &str,
    on_duplicate: OnDuplicate,
) -> Result<BTreeMap<Box<str>, Result<Finite, NoValue>>, NoValue> {
    let Answer::Vector(series) = answer else {
        return Err(NoValue::WrongType(answer.type_name()));
    };
    let mut values: BTreeMap<&str, (usize, f64)> = BTreeMap::new();
    for (labels, value) in series {
        let Some(name) = labels.get(label).filter(|it| !it.is_empty()) else { continue };
        let known = values.entry(name).or_insert((0, *value));
        *known = (known.0 + 1, *value);
    }
    let judged = |(name, (count, last)): (&str, (usize, f64))| {
        let value = match on_duplicate {
            OnDuplicate::Refuse if count > 1 => Err(NoValue::Several(count)),
            OnDuplicate::Refuse | OnDuplicate::Last => number(last),
        };
        (name.into(), value)
    };
    Ok(values.into_iter().map(judged).collect())
}

/// The items of an external metric: one for each series, or one without labels.
///
/// The HPA adds them up, so that one left out would count as zero: where one series has no number,
/// there is no answer.
///
/// # Errors
/// When the answer is neither vector nor scalar, has no series, or one that is no number.
pub fn items(answer: &Answer) -> Result<Vec<Item>, NoValue> {
    match answer {
        Answer::Scalar(value) => {
            number(*value).map(|value| vec![Item { labels: Labels::default(), value }])
        }
        Answer::Vector(series) if series.is_empty() => Err(NoValue::Empty),
        Answer::Vector(series) => {
            let item = |(labels, value): &(Labels, f64)| match number(*value) {
                Ok(value) => Ok(Item { labels: labels.clone(), value }),
                Err(cause) if series.len() == 1 => Err(cause),
                Err(cause) => Err(NoValue::Part { series: shown(labels), cause: Box::new(cause) }),
            };
            series.iter().map(item).collect()
        }
        Answer::Other(name) => Err(NoValue::WrongType(name.clone())),
    }
}

/// The labels as PromQL writes them; as many as one reads.
fn shown(labels: &Labels) -> String {
    const LABELS_SHOWN_MAX: usize = 8;
    let pairs = labels.iter().take(LABELS_SHOWN_MAX);
    let pairs: Vec<String> =
        pairs.map(|(label, value)| format!("{label}={}", quoted(value))).collect();
    format!("{{{}}}", pairs.join(","))
}

fn number(value: f64) -> Result<Finite, NoValue> {
    let value = Finite::new(value).ok_or(NoValue::NotANumber)?;
    if value.is_negative() { Err(NoValue::Negative) } else { Ok(value) }
}

impl Answer {
    fn type_name(&self) -> Box<str> {
        match self {
            Self::Scalar(_) => "scalar".into(),
            Self::Vector(_) => "vector".into(),
            Self::Other(name) => name.clone(),
        }
    }
}
