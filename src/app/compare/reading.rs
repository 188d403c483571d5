//! What a server of the metrics APIs says of one metric, as far as an HPA would use it.

use crate::domain::finite::Finite;
use crate::domain::quantity;
use serde::{Serialize, Serializer};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt;

/// The values of one metric.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reading {
    /// Of all objects or series together.
    sum: f64,
    /// The objects; none of an external metric.
    objects: BTreeSet<String>,
    /// How many values.
    values: usize,
}

impl Reading {
    /// Reads a list of values of either API.
    ///
    /// # Errors
    /// Why an HPA could not use it: no list, no value, no number.
    pub(super) fn of(answer: &Value) -> Result<Self, String> {
        let items = answer.get("items").and_then(Value::as_array).ok_or("not a list of values")?;
        let (mut sum, mut objects) = (0.0, BTreeSet::new());
        for item in items {
            let text = item.get("value").and_then(Value::as_str).ok_or("an item has no value")?;
            let value = quantity::parse(text).map_err(|error| error.to_string())?;
            sum += value.get();
            let object = item.get("describedObject").and_then(|it| it.get("name"));
            objects.extend(object.and_then(Value::as_str).map(str::to_owned));
        }
        if items.is_empty() {
            return Err("an empty list".to_owned());
        }
        Ok(Self { sum, objects, values: items.len() })
    }

    /// Whether it is about the same objects, and not further away than this share of the larger.
    pub(super) fn is_near(&self, other: &Self, tolerance: Finite) -> bool {
        let (mine, its) = (self.sum.abs(), other.sum.abs());
        let larger = if mine > its { mine } else { its };
        self.objects == other.objects && (self.sum - other.sum).abs() <= tolerance.get() * larger
    }
}

/// `120`, or `15 x 8` for the mean of eight objects.
impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.objects.len() < 2 {
            return f.write_str(&shown(self.sum));
        }
        #[expect(clippy::cast_precision_loss, reason = "as many values as fit into one answer")]
        let mean = self.sum / self.values as f64;
        write!(f, "{} x {}", shown(mean), self.values)
    }
}

/// The values, or `{"error": …}`.
pub(super) fn or_error<S: Serializer>(
    answer: &Result<Reading, String>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    #[serde(untagged)]
    enum Shown<'a> {
        Reading(&'a Reading),
        Error { error: &'a str },
    }
    let shown = match answer {
        Ok(reading) => Shown::Reading(reading),
        Err(error) => Shown::Error { error },
    };
    shown.serialize(serializer)
}

fn shown(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
