//! The JSON of Prometheus' query API, read with a cap on the number of series.

use crate::domain::labels::Labels;
use crate::domain::limits;
use crate::source::ReadError;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// What a query came to, and what the server says about it.
pub(super) struct Told {
    pub(super) data: Data,
    /// Why the answer is of a part of the data only, in the server's words where it has some.
    pub(super) missing: Option<String>,
}

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
    /// A native histogram, or several: in the place of numbers.
    #[serde(rename = "histogram", alias = "histograms")]
    histogram: Option<IgnoredAny>,
}

impl Series {
    pub(super) fn label(&self, name: &str) -> Option<&str> {
        self.metric.get(name).map(String::as_str)
    }

    /// All its labels.
    pub(super) fn labels(&self) -> Labels {
        self.metric.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect()
    }

    /// Whether there are native histograms where numbers should be.
    pub(super) fn has_histograms(&self) -> bool {
        self.histogram.is_some()
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
    /// Of VictoriaMetrics: some of its storage did not answer.
    #[serde(default, rename = "isPartial")]
    is_partial: bool,
    #[serde(borrow, default)]
    warnings: Option<Vec<Cow<'a, str>>>,
}

impl Reply<'_> {
    /// Why the answer is of a part of the data only. What Prometheus remarks about the query itself
    /// comes in the same list.
    fn missing(&self) -> Option<String> {
        let of_query = |it: &str| REMARKS.iter().any(|remark| it.starts_with(remark));
        let warnings = self.warnings.iter().flatten();
        let mut missing = warnings.map(AsRef::as_ref).filter(|it| !of_query(it));
        match (missing.next(), self.is_partial) {
            (Some(warning), _) => Some(shortened(warning)),
            (None, true) => Some("a part of its storage did not answer".to_owned()),
            (None, false) => None,
        }
    }
}

/// How remarks of Prometheus about a query begin.
const REMARKS: [&str; 2] = ["PromQL info: ", "PromQL warning: "];

#[derive(Deserialize)]
struct RawData<'a> {
    #[serde(borrow, rename = "resultType")]
    result_type: Cow<'a, str>,
    result: Outcome,
}

/// The list that every result is: series, or the two members of a scalar. Which one it is follows
/// from its members, so that each is read in one go and the list stops being read when it grows
/// too long.
enum Outcome {
    Point(Pair),
    Series(Vec<Series>),
}

/// One member of a result.
enum Member {
    Number(f64),
    Text(String),
    Series(Series),
}

/// Reads a good answer.
pub(super) fn parse(body: &[u8]) -> Result<Told, ReadError> {
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
    let missing = reply.missing();
    let data = reply.data.ok_or_else(|| ReadError::NotUnderstood("no data".to_owned()))?;
    let data = match (&*data.result_type, data.result) {
        ("vector", Outcome::Series(series)) => Data::Vector(series),
        ("matrix", Outcome::Series(series)) => Data::Matrix(series),
        ("scalar", Outcome::Point(pair)) => {
            let no_time = || ReadError::NotUnderstood("a time out of range".to_owned());
            Data::Scalar(pair.point().ok_or_else(no_time)?)
        }
        (other, _) => {
            let other: String = other.chars().take(20).collect();
            return Err(ReadError::NotUnderstood(format!("unexpected result type {other}")));
        }
    };
    if let Data::Vector(series) | Data::Matrix(series) = &data
        && series.iter().any(Series::has_histograms)
    {
        return Err(ReadError::NotUnderstood(HISTOGRAMS.to_owned()));
    }
    Ok(Told { data, missing })
}

const HISTOGRAMS: &str = "the query answers native histograms, not numbers; wrap it in \
    histogram_quantile(…), histogram_count(…) or histogram_sum(…)";

/// The names of labels, as `/api/v1/labels` answers them.
pub(super) fn label_names(body: &[u8]) -> Result<Vec<Box<str>>, ReadError> {
    #[derive(Deserialize)]
    struct Names {
        data: Option<Vec<Box<str>>>,
    }
    let names: Names = serde_json::from_slice(body).map_err(|error| {
        ReadError::NotUnderstood(format!("not the JSON of a list of labels: {error}"))
    })?;
    Ok(names.data.unwrap_or_default())
}

/// What an error answer says: Prometheus' own text, else the beginning of the page.
pub(super) fn error_message(body: &[u8]) -> String {
    let reply: Option<Reply<'_>> = serde_json::from_slice(body).ok();
    let text = match reply.and_then(|it| it.error) {
        Some(error) => error.into_owned(),
        None => String::from_utf8_lossy(body).into_owned(),
    };
    let line = shortened(&text);
    if line.is_empty() { "no message".to_owned() } else { line }
}

/// On one line, and not more than one reads.
fn shortened(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(300).collect()
}

const TOO_MANY: &str = "too many series";

impl<'de> Deserialize<'de> for Outcome {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(OutcomeVisitor)
    }
}

struct OutcomeVisitor;

impl<'de> Visitor<'de> for OutcomeVisitor {
    type Value = Outcome;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of series or a pair of a time and a value")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Outcome, A::Error> {
        let unexpected = || serde::de::Error::custom("a list of something else than series");
        let mut series = Vec::new();
        while let Some(member) = list.next_element()? {
            match member {
                Member::Series(_) if series.len() == limits::SOURCE_SERIES_MAX => {
                    return Err(serde::de::Error::custom(TOO_MANY));
                }
                Member::Series(one) => series.push(one),
                Member::Number(seconds) if series.is_empty() => {
                    return match (list.next_element()?, list.next_element::<IgnoredAny>()?) {
                        (Some(Member::Text(value)), None) => {
                            Ok(Outcome::Point(Pair(seconds, value)))
                        }
                        _ => Err(unexpected()),
                    };
                }
                Member::Number(_) | Member::Text(_) => return Err(unexpected()),
            }
        }
        Ok(Outcome::Series(series))
    }
}

impl<'de> Deserialize<'de> for Member {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MemberVisitor)
    }
}

struct MemberVisitor;

impl<'de> Visitor<'de> for MemberVisitor {
    type Value = Member;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a series, or a time and its value")
    }

    fn visit_f64<E>(self, number: f64) -> Result<Member, E> {
        Ok(Member::Number(number))
    }

    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are far below 2^52")]
    fn visit_u64<E>(self, number: u64) -> Result<Member, E> {
        Ok(Member::Number(number as f64))
    }

    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are far below 2^52")]
    fn visit_i64<E>(self, number: i64) -> Result<Member, E> {
        Ok(Member::Number(number as f64))
    }

    fn visit_str<E>(self, text: &str) -> Result<Member, E> {
        Ok(Member::Text(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Member, A::Error> {
        Series::deserialize(MapAccessDeserializer::new(map)).map(Member::Series)
    }
}
