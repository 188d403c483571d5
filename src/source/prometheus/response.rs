//! The JSON of Prometheus' query API, read with a cap on the number of series.

use crate::domain::limits;
use crate::source::ReadError;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// What a query came to.
pub(super) enum Data {
    Vector(Vec<Series>),
    Matrix(Vec<Series>),
    Scalar(Point),
}

/// One value at one time, as answered: not checked yet.
#[derive(Clone, Copy)]
pub(super) struct Point {
    pub(super) at: Timestamp,
    pub(super) value: f64,
}

/// One series of an answer.
#[derive(Deserialize)]
pub(super) struct Series {
    #[serde(default)]
    metric: BTreeMap<String, String>,
    value: Option<Pair>,
    #[serde(default)]
    values: Vec<Pair>,
}

impl Series {
    pub(super) fn label(&self, name: &str) -> Option<&str> {
        self.metric.get(name).map(String::as_str)
    }

    /// Its points; one whose number cannot be read is NaN, so that it counts as no value.
    pub(super) fn points(&self) -> impl Iterator<Item = Point> {
        self.value.iter().chain(&self.values).filter_map(Pair::point)
    }
}

/// `[seconds, "value"]`.
#[derive(Deserialize)]
struct Pair(f64, String);

impl Pair {
    fn point(&self) -> Option<Point> {
        let millis = (self.0 * 1000.0).round();
        #[expect(clippy::cast_possible_truncation, reason = "saturates; a bad time is refused")]
        let at = Timestamp::from_millisecond(millis as i64).ok()?;
        Some(Point { at, value: self.1.parse().unwrap_or(f64::NAN) })
    }
}

#[derive(Deserialize)]
struct Reply<'a> {
    #[serde(borrow)]
    status: Cow<'a, str>,
    #[serde(borrow)]
    error: Option<Cow<'a, str>>,
    #[serde(borrow)]
    data: Option<RawData<'a>>,
}

#[derive(Deserialize)]
struct RawData<'a> {
    #[serde(borrow, rename = "resultType")]
    result_type: Cow<'a, str>,
    result: Outcome,
}

/// Which one it is follows from the result's own form.
#[derive(Deserialize)]
#[serde(untagged)]
enum Outcome {
    Point(Pair),
    Series(Capped),
}

/// Reads a good answer.
pub(super) fn parse(body: &[u8]) -> Result<Data, ReadError> {
    let reply: Reply<'_> = serde_json::from_slice(body).map_err(|error| {
        if error.to_string().contains(TOO_MANY) {
            ReadError::TooLarge(limits::SOURCE_SERIES_MAX, "series")
        } else {
            ReadError::NotUnderstood(format!("not the JSON of a query: {error}"))
        }
    })?;
    if reply.status != "success" {
        let message = reply.error.unwrap_or_default().into_owned();
        return Err(ReadError::NotUnderstood(format!("the query failed: {message}")));
    }
    let data = reply.data.ok_or_else(|| ReadError::NotUnderstood("no data".to_owned()))?;
    match (&*data.result_type, data.result) {
        ("vector", Outcome::Series(Capped(series))) => Ok(Data::Vector(series)),
        ("matrix", Outcome::Series(Capped(series))) => Ok(Data::Matrix(series)),
        ("scalar", Outcome::Point(pair)) => {
            let no_time = || ReadError::NotUnderstood("a time out of range".to_owned());
            pair.point().map(Data::Scalar).ok_or_else(no_time)
        }
        (other, _) => {
            let other: String = other.chars().take(20).collect();
            Err(ReadError::NotUnderstood(format!("unexpected result type {other}")))
        }
    }
}

/// What an error answer says: Prometheus' own text, else the beginning of the page.
pub(super) fn error_message(body: &[u8]) -> String {
    let reply: Option<Reply<'_>> = serde_json::from_slice(body).ok();
    let text = match reply.and_then(|it| it.error) {
        Some(error) => error.into_owned(),
        None => String::from_utf8_lossy(body).into_owned(),
    };
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.is_empty() { "no message".to_owned() } else { line.chars().take(300).collect() }
}

const TOO_MANY: &str = "too many series";

/// A list that stops being read when it grows too long.
struct Capped(Vec<Series>);

impl<'de> Deserialize<'de> for Capped {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(CappedVisitor)
    }
}

struct CappedVisitor;

impl<'de> Visitor<'de> for CappedVisitor {
    type Value = Capped;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of series")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Capped, A::Error> {
        let mut series = Vec::new();
        while let Some(one) = list.next_element()? {
            if series.len() == limits::SOURCE_SERIES_MAX {
                return Err(serde::de::Error::custom(TOO_MANY));
            }
            series.push(one);
        }
        Ok(Capped(series))
    }
}
