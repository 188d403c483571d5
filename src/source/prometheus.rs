//! The HTTP API of Prometheus: instant queries for the newest sample, range queries for history.

mod ages;
mod engine;
mod partial;
mod plain;
mod response;

use crate::domain::finite::Finite;
use crate::domain::limits;
use crate::domain::name::ObjectName;
use crate::domain::sample::Sample;
use crate::policy::partial::OnPartial;
use crate::policy::profile::promql::CANDIDATE;
use crate::policy::promql::age::WithAges;
use crate::policy::{Ask, QueryMethod};
use crate::series::{Aged, Samples};
use crate::source::ReadError;
use crate::source::access::Caller;
use crate::source::engines::Engines;
use crate::source::http::Answer;
use ages::{Ages, Oldest};
use jiff::Timestamp;
use partial::Lasts;
use reqwest::Client;
use response::{Data, Point, Series, Told};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A server that speaks Prometheus' HTTP API.
#[derive(Debug)]
pub struct Prometheus {
    url: String,
    method: QueryMethod,
    /// What is sent with every query.
    parameters: Vec<(String, String)>,
    caller: Caller,
    lasts: Lasts,
    ages: Ages,
    /// By the query that tells them.
    engines: Engines<Box<str>>,
}

/// What is asked beside a query.
struct Beside<'a> {
    aged: Option<WithAges>,
    candidates: Option<&'a str>,
    pod_label: Option<&'a str>,
}

/// The candidates of a profile that counted, by the places of their part and of themselves.
type Counted = BTreeSet<(usize, usize)>;

/// Takes the series that tell candidates out of an answer.
fn taken_candidates(series: &mut Vec<Series>) -> Counted {
    let mut counted = Counted::new();
    series.retain(|one| {
        let Some(place) = one.label(CANDIDATE) else { return true };
        let place = place.split_once('.');
        let place = place.and_then(|(part, own)| Some((part.parse().ok()?, own.parse().ok()?)));
        counted.extend(place);
        false
    });
    counted
}

impl Prometheus {
    pub(super) fn new(
        url: &str,
        method: QueryMethod,
        parameters: &BTreeMap<Box<str>, Box<str>>,
        caller: Caller,
    ) -> Self {
        let parameters = parameters.iter().map(|(name, text)| (name.to_string(), text.to_string()));
        Self {
            url: url.to_owned(),
            method,
            parameters: parameters.collect(),
            caller,
            lasts: Lasts::default(),
            ages: Ages::default(),
            engines: Engines::default(),
        }
    }

    /// The samples that `ask` has at the instant `at`.
    pub(super) async fn read(&self, ask: &Ask, at: Timestamp) -> Result<Aged, ReadError> {
        match ask {
            Ask::Engine(any) => Box::pin(self.read_any(any, at)).await,
            _ => self.read_query(ask, at).await,
        }
    }

    /// The samples that the query of `ask` has at the instant `at`.
    async fn read_query(&self, ask: &Ask, at: Timestamp) -> Result<Aged, ReadError> {
        let Ask::Query { query, pod_label, lookback, on_partial, profile } = ask else {
            return Err(ReadError::WrongKind);
        };
        let candidates = profile.as_ref().and_then(|it| it.query.as_deref());
        let candidates = candidates.filter(|_| !self.ages.is_refused(query, at));
        let aged = self.ages.asked(query, pod_label.as_deref(), at);
        let is_strict = aged.as_ref().is_some_and(|it| it.is_strict);
        let beside = Beside { aged, candidates, pod_label: pod_label.as_deref() };
        let (Told { data, missing }, oldest, counted) =
            self.instant(query, beside, (at, *lookback)).await?;
        let used = profile.as_ref().and_then(|it| it.used(&counted));
        let samples = match data {
            Data::Vector(series) => instant_samples(series, pod_label.as_deref())?,
            Data::Scalar(point) if pod_label.is_none() => {
                let sample = sample(point).ok_or_else(|| no_number("the query"))?;
                Samples::from([(None, sample)])
            }
            Data::Scalar(_) => return Err(ReadError::Empty(NO_PODS.to_owned())),
            Data::Matrix(_) => return Err(unexpected("matrix")),
        };
        let samples = oldest.without_old(samples, is_strict, at, *lookback)?;
        let question = (query.clone(), pod_label.clone());
        let judged = (*on_partial, missing.as_deref());
        let samples = self.lasts.judged(question, at, samples, judged)?;
        let is_partial = missing.is_some();
        Ok(Aged { samples, taken: oldest.into_taken(), is_partial, used, told: None })
    }

    /// What a query answers at `at`, and what can be told of that: how old it is, and which candidates
    /// of a profile counted. All is asked in one request; where a server does not take that, the query
    /// is asked alone.
    async fn instant(
        &self,
        query: &str,
        Beside { aged, candidates, pod_label }: Beside<'_>,
        (at, lookback): (Timestamp, Duration),
    ) -> Result<(Told, Oldest, Counted), ReadError> {
        let ask = async |text: &str| {
            let parameters = [
                ("query", text.to_owned()),
                ("time", seconds(at)),
                // Without it a series that nobody writes any more would look fresh for five minutes.
                ("lookback_delta", shown_seconds(lookback)),
            ];
            self.ask("query", &parameters).await
        };
        let is_aged = aged.is_some();
        let text = match (aged, candidates) {
            (None, None) => {
                return Ok((ask(query).await?, Oldest::default(), Counted::new()));
            }
            (Some(aged), None) => aged.text,
            (None, Some(candidates)) => format!("{query}\nor {candidates}"),
            (Some(aged), Some(candidates)) => format!("{}\nor {candidates}", aged.text),
        };
        match ask(&text).await {
            Ok(mut told) => {
                let (mut oldest, mut counted) = (Oldest::default(), Counted::new());
                if let Data::Vector(series) = &mut told.data {
                    if candidates.is_some() {
                        counted = taken_candidates(series);
                    }
                    if is_aged {
                        oldest = self.ages.taken(series, pod_label);
                    }
                }
                Ok((told, oldest, counted))
            }
            Err(error) if self.ages.is_to_blame(&error, query, at) => {
                Ok((ask(query).await?, Oldest::default(), Counted::new()))
            }
            Err(error) => Err(error),
        }
    }

    /// How often the age of an answer could not be told since this was asked last.
    pub(super) fn take_untold_ages(&self) -> u64 {
        self.ages.take_untold()
    }

    /// The samples that the query of `ask` had from `from` to `to`, oldest first.
    pub(super) async fn history(
        &self,
        ask: &Ask,
        from: Timestamp,
        to: Timestamp,
        step: Duration,
    ) -> Result<Vec<(Option<ObjectName>, Sample)>, ReadError> {
        let ask = match ask {
            Ask::Engine(any) => self.engine_of(any, to).await?.0,
            _ => ask,
        };
        let Ask::Query { query, pod_label, lookback, on_partial, .. } = ask else {
            return Err(ReadError::WrongKind);
        };
        let parameters = [
            ("query", query.clone()),
            ("start", seconds(from)),
            ("end", seconds(to)),
            ("step", shown_seconds(step)),
            ("lookback_delta", shown_seconds(*lookback)),
        ];
        let Told { data, missing } = self.ask("query_range", &parameters).await?;
        let Data::Matrix(series) = data else {
            return Err(unexpected("vector"));
        };
        // A past with a hole in it is asked for again later.
        if let Some(missing) = missing.filter(|_| *on_partial != OnPartial::Use) {
            let problem = format!("the past is about a part of the data ({missing})");
            return Err(ReadError::Empty(problem));
        }
        if pod_label.is_none() && series.len() > 1 {
            return Err(too_many(series.len()));
        }
        let mut samples = Vec::new();
        for one in series {
            let Some(object) = object(&one, pod_label.as_deref()) else { continue };
            samples.extend(one.points().filter_map(sample).map(|it| (object.clone(), it)));
        }
        samples.sort_by_key(|(_, sample)| sample.at);
        Ok(samples)
    }

    /// What a query came to.
    async fn ask(&self, endpoint: &str, parameters: &[(&str, String)]) -> Result<Told, ReadError> {
        self.ask_for(endpoint, parameters, response::parse).await
    }

    /// What an endpoint answers, as `parse` reads it.
    async fn ask_for<T>(
        &self,
        endpoint: &str,
        parameters: &[(&str, String)],
        parse: impl Fn(&[u8]) -> Result<T, ReadError>,
    ) -> Result<T, ReadError> {
        let url = format!("{}/api/v1/{endpoint}", self.url);
        let make = |client: &Client| {
            let parameters = self.with_own(parameters);
            match self.method {
                QueryMethod::Post => client.post(&url).form(&parameters),
                QueryMethod::Get => client.get(&url).query(&parameters),
            }
        };
        let (Answer { status, body, .. }, hidden) = self.caller.send(make).await?;
        let read = if (200..300).contains(&status) {
            parse(&body)
        } else {
            Err(ReadError::Refused { status, message: response::error_message(&body) })
        };
        read.map_err(|error| hidden.redacted(error))
    }

    fn with_own<'a>(&'a self, parameters: &'a [(&str, String)]) -> Vec<(&'a str, &'a str)> {
        let own = self.parameters.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        let asked = parameters.iter().map(|(name, text)| (*name, text.as_str()));
        asked.chain([NO_DELAY]).chain(own).collect()
    }
}

/// VictoriaMetrics otherwise answers what was half a minute ago, as if it were of now. Others do not
/// know the parameter.
const NO_DELAY: (&str, &str) = ("nocache", "1");

const NO_PODS: &str = "no series has a usable label that names its pod";

fn instant_samples(series: Vec<Series>, pod_label: Option<&str>) -> Result<Samples, ReadError> {
    let count = series.len();
    if count == 0 {
        return Err(ReadError::Empty("the query answered no series".to_owned()));
    }
    if pod_label.is_none() && count > 1 {
        return Err(too_many(count));
    }
    let mut samples = Samples::new();
    let mut named = 0_usize;
    for one in series {
        let Some(object) = object(&one, pod_label) else { continue };
        named += 1;
        let Some(sample) = one.points().next().and_then(sample) else { continue };
        if samples.insert(object, sample).is_some() {
            let label = pod_label.unwrap_or_default();
            let problem = format!("two series name the same pod; aggregate with `by ({label})`");
            return Err(ReadError::NotUnderstood(problem));
        }
    }
    if named == 0 {
        return Err(ReadError::Empty(NO_PODS.to_owned()));
    }
    if samples.is_empty() {
        return Err(no_number("the query"));
    }
    Ok(samples)
}

/// The pod that a series is about; the inner `None` where it is about no object.
#[expect(clippy::option_option, reason = "outer: usable or not; inner: the key of Samples")]
fn object(series: &Series, pod_label: Option<&str>) -> Option<Option<ObjectName>> {
    match pod_label {
        None => Some(None),
        Some(label) => ObjectName::new(series.label(label)?).ok().map(Some),
    }
}

/// NaN, infinity and anything negative is no sample: unknown, not zero.
fn sample(point: Point) -> Option<Sample> {
    let value = Finite::new(point.value).filter(|it| !it.is_negative())?;
    Some(Sample { at: point.at, value })
}

fn seconds(at: Timestamp) -> String {
    let millis = at.as_millisecond();
    format!("{}.{:03}", millis.div_euclid(1000), millis.rem_euclid(1000))
}

fn shown_seconds(duration: Duration) -> String {
    format!("{:.3}", duration.as_secs_f64())
}

fn no_number(what: &str) -> ReadError {
    ReadError::Empty(format!("{what} answered NaN, an infinity or a negative number"))
}

fn too_many(count: usize) -> ReadError {
    let problem = format!("the query answered {count} series, not one; wrap it in sum(…)");
    ReadError::NotUnderstood(problem)
}

fn unexpected(kind: &str) -> ReadError {
    ReadError::NotUnderstood(format!("unexpected result type {kind}"))
}

const _: () = assert!(limits::SOURCE_SERIES_MAX > 10_000, "ten thousand pods must fit");
