//! Recordings as comma-separated text: requests or samples, told apart by their header.

use crate::document::fault::Fault;
use crate::document::path::Path;
use crate::document::yaml::Position;
use crate::domain::limits;
use crate::simulate::judge::recorded::Request;
use jiff::Timestamp;
use std::time::Duration;
use told::Told;

mod told;

#[cfg(test)]
mod tests;

/// Times from here on are seconds since 1970, not since the start of a recording: thirty years.
const UNIX_SECONDS_MIN: f64 = 1e9;
/// And from here on they are milliseconds since then.
const UNIX_MILLIS_MIN: f64 = 1e11;
/// Columns that hold a time.
const TIMES: [&str; 3] = ["time_s", "time", "timestamp"];
const DAY_SECONDS: f64 = 86_400.0;

/// The shapes that are understood, for hints.
const SHAPES: &str = "the first line names the columns: `arrival_s,service_s` for requests, \
                      `time_s,value` for samples, `time_s,requests` for counts";

/// How long requests are served that do not say so themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Service {
    /// Every request takes so many seconds.
    pub seconds: Option<f64>,
    /// One request's prompt is read at so many tokens a second.
    pub prompt_tokens_per_second: Option<f64>,
    /// One request's answer is written at so many tokens a second.
    pub output_tokens_per_second: Option<f64>,
}

/// What was recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// The midnight from which times count, where the recording has dates.
    pub midnight: Option<Timestamp>,
    /// The recording itself.
    pub content: Content,
    /// How many rows have no number for a value; they are no samples.
    pub without_value: usize,
    /// Whether dates without a zone were read as UTC.
    pub is_utc_assumed: bool,
}

/// The kinds of recording. Times are seconds since the trace's midnight.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// Requests in order of arrival.
    Requests(Vec<Request>),
    /// Times and values, in order of time.
    Samples {
        /// The samples.
        samples: Vec<(f64, f64)>,
        /// What a value counts.
        unit: &'static str,
    },
}

/// What one row is made of, by column.
#[derive(Clone, Copy, Debug)]
enum Shape {
    /// Arrival and service time.
    Served(usize, usize),
    /// Arrival, prompt and output tokens, and the seconds that one of each takes.
    Tokens(usize, (usize, f64), (usize, f64)),
    /// Arrival alone, and the seconds of service.
    Alike(usize, f64),
    /// Time and value.
    Samples(usize, usize),
    /// Time and requests since the row before.
    Counts(usize, usize),
}

/// Reads a recording.
///
/// # Errors
/// What is wrong, with the line of each fault; after ten of them how many more there are.
pub fn parse(text: &str, service: &Service) -> Result<Trace, Vec<Fault>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = (1..).zip(text.lines()).filter(|(_, line)| {
        let line = line.trim();
        !line.is_empty() && !line.starts_with('#')
    });
    let Some((line, header)) = lines.next() else {
        return Err(vec![fault(1, "the recording is empty").hint(SHAPES)]);
    };
    if let Some(separator) = other_separator(header) {
        let problem = format!("the fields are separated by {separator}");
        return Err(vec![fault(line, problem).hint("separate them by commas")]);
    }
    let names: Vec<String> = fields(header).map(str::to_lowercase).collect();
    let shape = shape_of(&names, service).map_err(|(problem, hint)| {
        let found = names.join(",").chars().take(80).collect::<String>();
        vec![fault(line, format!("{problem} (columns: {found})")).hint(hint)]
    })?;
    check_service(shape, service).map_err(|option| {
        let problem = format!("a recording of values has no requests for {option}");
        vec![fault(line, problem).hint("leave the option out")]
    })?;
    let mut rows = Rows { shape, columns: names.len(), ..Rows::new(shape) };
    for (line, text) in lines {
        if let Err(fault) = rows.take(line, text) {
            rows.faults.add(fault);
        }
    }
    rows.finish(service)
}

fn fault(line: usize, problem: impl Into<String>) -> Fault {
    let position = Some(Position { line, column: 1 });
    Fault { position, ..Fault::new(Path::default(), problem) }
}

/// What stands between the fields of a header that has no commas.
fn other_separator(header: &str) -> Option<&'static str> {
    let others = [(';', "semicolons"), ('\t', "tabs")];
    let found = others.into_iter().find(|(separator, _)| header.contains(*separator));
    found.filter(|_| !header.contains(',')).map(|(_, name)| name)
}

/// Refuses what somebody said about requests where there are none: the option's name.
fn check_service(shape: Shape, service: &Service) -> Result<(), &'static str> {
    let Service { seconds, prompt_tokens_per_second, output_tokens_per_second } = service;
    let (no_seconds, no_tokens) = match shape {
        Shape::Samples(..) => (true, true),
        Shape::Counts(..) => (false, true),
        Shape::Served(..) | Shape::Tokens(..) | Shape::Alike(..) => (false, false),
    };
    let said = [
        (no_seconds, seconds, "--service-seconds"),
        (no_tokens, prompt_tokens_per_second, "--prompt-tokens-per-second"),
        (no_tokens, output_tokens_per_second, "--output-tokens-per-second"),
    ];
    let unused = said.into_iter().find(|(without, value, _)| *without && value.is_some());
    unused.map_or(Ok(()), |(.., option)| Err(option))
}

fn fields(line: &str) -> impl Iterator<Item = &str> {
    line.split(',').map(|it| it.trim().trim_matches('"').trim())
}

/// What the rows hold, or what is wrong with the header and what to do.
fn shape_of(names: &[String], service: &Service) -> Result<Shape, (&'static str, &'static str)> {
    let column = |wanted: &[&str]| names.iter().position(|it| wanted.contains(&it.as_str()));
    if let Some(arrival) = column(&["arrival_s", "arrival"]) {
        let tokens = (column(&["prompt_tokens"]), column(&["output_tokens"]));
        let rates = (service.prompt_tokens_per_second, service.output_tokens_per_second);
        return match (column(&["service_s", "service"]), service.seconds, tokens, rates) {
            (Some(column), ..) => Ok(Shape::Served(arrival, column)),
            (None, Some(seconds), ..) => Ok(Shape::Alike(arrival, seconds)),
            (None, None, (Some(prompt), Some(output)), (Some(fast), Some(slow))) => {
                Ok(Shape::Tokens(arrival, (prompt, 1.0 / fast), (output, 1.0 / slow)))
            }
            (None, None, (Some(_), Some(_)), _) => Err((
                "the requests have tokens, but no service time",
                "say how fast one request is served: --prompt-tokens-per-second 5000 and \
                 --output-tokens-per-second 30, or --service-seconds for all alike",
            )),
            _ => Err((
                "the requests have no service time",
                "add a column `service_s`, or say --service-seconds 12",
            )),
        };
    }
    let Some(time) = column(&TIMES) else {
        return Err(("no column with a time", SHAPES));
    };
    if column(&["pod"]).is_some() {
        let hint = "sum the pods' values into one for each time: demand belongs to the fleet";
        return Err(("one value for each pod", hint));
    }
    match (column(&["requests"]), column(&["value"]), names) {
        (Some(requests), None, _) => Ok(Shape::Counts(time, requests)),
        (_, Some(value), _) => Ok(Shape::Samples(time, value)),
        // A dashboard's export names the value after its series.
        (None, None, [_, _]) => Ok(Shape::Samples(time, 1 - time)),
        _ => Err(("no column with a value", SHAPES)),
    }
}

/// The rows while they are read.
struct Rows {
    shape: Shape,
    columns: usize,
    /// Time, and the service time or value.
    rows: Vec<(f64, f64)>,
    without_value: usize,
    is_utc_assumed: bool,
    faults: Told,
}

impl Rows {
    fn new(shape: Shape) -> Self {
        Self {
            shape,
            columns: 0,
            rows: Vec::new(),
            without_value: 0,
            is_utc_assumed: false,
            faults: Told::default(),
        }
    }

    fn take(&mut self, line: usize, text: &str) -> Result<(), Fault> {
        let found: Vec<&str> = fields(text).collect();
        if found.len() != self.columns {
            let noun = if found.len() == 1 { "field" } else { "fields" };
            let problem = format!("{} {noun}, not {}", found.len(), self.columns);
            return Err(fault(line, problem).hint("each row has as many as the first line"));
        }
        let field = |column: usize| found.get(column).copied().unwrap_or_default();
        let number = |column: usize| number(line, field(column));
        let (Shape::Served(at, _)
        | Shape::Tokens(at, ..)
        | Shape::Alike(at, _)
        | Shape::Samples(at, _)
        | Shape::Counts(at, _)) = self.shape;
        let (time, is_utc_assumed) = time(line, field(at))?;
        self.is_utc_assumed |= is_utc_assumed;
        let value = match self.shape {
            Shape::Samples(_, value) | Shape::Counts(_, value) => {
                // Unknown is not zero: such a row is no sample.
                if ["", "nan", "null"].contains(&field(value).to_lowercase().as_str()) {
                    self.without_value += 1;
                    return Ok(());
                }
                number(value)?
            }
            Shape::Served(_, service) => number(service)?,
            Shape::Alike(_, seconds) => seconds,
            Shape::Tokens(_, (prompt, per_prompt), (output, per_output)) => {
                number(prompt)? * per_prompt + number(output)? * per_output
            }
        };
        // A service time may follow from tokens, or be the same for all.
        if value > limits::RECORDED_MAX {
            return Err(too_large(line, &value.to_string()));
        }
        self.rows.push((time, value));
        Ok(())
    }

    fn finish(self, service: &Service) -> Result<Trace, Vec<Fault>> {
        let Self { shape, mut rows, without_value, is_utc_assumed, faults, .. } = self;
        faults.finish()?;
        rows.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (Some((first, _)), Some((last, _))) = (rows.first().copied(), rows.last()) else {
            return Err(vec![fault(1, "the recording has no rows").hint(SHAPES)]);
        };
        let scale = if *last >= UNIX_MILLIS_MIN { 1e-3 } else { 1.0 };
        let is_dated = first * scale >= UNIX_SECONDS_MIN;
        let midnight = if is_dated { floor_to_day(first * scale) } else { 0.0 };
        for (time, _) in &mut rows {
            *time = *time * scale - midnight;
        }
        let midnight = is_dated.then(|| timestamp(midnight)).flatten();
        if matches!(shape, Shape::Samples(..) | Shape::Counts(..)) {
            check_times(&rows, midnight)?;
        }
        let content = match shape {
            Shape::Samples(..) => Content::Samples { samples: rows, unit: "the recorded unit" },
            Shape::Counts(..) => rates(rows, service.seconds)?,
            Shape::Served(..) | Shape::Tokens(..) | Shape::Alike(..) => {
                let requests =
                    rows.into_iter().map(|(arrival, service)| Request { arrival, service });
                Content::Requests(requests.collect())
            }
        };
        Ok(Trace { midnight, content, without_value, is_utc_assumed })
    }
}

/// Two values at one time are those of two series, and their mean is the demand of nobody. The rows
/// are in order of time.
fn check_times(rows: &[(f64, f64)], midnight: Option<Timestamp>) -> Result<(), Vec<Fault>> {
    let neighbours = rows.iter().zip(rows.iter().skip(1));
    let mut again = neighbours.filter(|(a, b)| a.0.total_cmp(&b.0).is_eq()).map(|(a, _)| a.0);
    let Some(first) = again.next() else { return Ok(()) };
    let count = again.count().saturating_add(1);
    let at = match midnight {
        Some(midnight) => Duration::try_from_secs_f64(first)
            .ok()
            .and_then(|since| midnight.checked_add(since).ok())
            .map_or_else(|| first.to_string(), |at| at.to_string()),
        None => first.to_string(),
    };
    let noun = if count == 1 { "row has" } else { "rows have" };
    let problem = format!("{count} {noun} the time of another one, the first of them {at}");
    let hint = "a recording holds one value for each time: sum several series yourself, or select \
                one of them";
    Err(vec![Fault::new(Path::default(), problem).hint(hint)])
}

/// Counts since the row before become requests per second, or requests in service where it is
/// known how long they take.
fn rates(rows: Vec<(f64, f64)>, service: Option<f64>) -> Result<Content, Vec<Fault>> {
    let Some(spacing) = median_spacing(&rows) else {
        let problem = "a single row does not tell how long the counting took";
        return Err(vec![fault(2, problem).hint("record at least two")]);
    };
    let (factor, unit) = match service {
        Some(seconds) => (seconds / spacing, "requests in service"),
        None => (1.0 / spacing, "requests per second"),
    };
    let samples = rows.into_iter().map(|(time, count)| (time, count * factor)).collect();
    Ok(Content::Samples { samples, unit })
}

/// The usual distance of two samples, which are in order; none for fewer than two.
pub(super) fn median_spacing(samples: &[(f64, f64)]) -> Option<f64> {
    let neighbours = samples.iter().zip(samples.iter().skip(1));
    let mut spacings: Vec<f64> =
        neighbours.map(|(a, b)| b.0 - a.0).filter(|spacing| *spacing > 0.0).collect();
    spacings.sort_by(f64::total_cmp);
    spacings.get(spacings.len() / 2).copied()
}

fn too_large(line: usize, shown: &str) -> Fault {
    let hint = "an HPA counts thousandths, in 64 bits, and times are seconds or milliseconds";
    fault(line, format!("`{shown}` is more than 1e15")).hint(hint)
}

fn number(line: usize, text: &str) -> Result<f64, Fault> {
    let shown: String = text.chars().take(40).collect();
    match text.parse::<f64>() {
        Ok(number) if !number.is_finite() => {
            Err(fault(line, format!("`{shown}` is not a number")).hint("remove the row"))
        }
        Ok(number) if number < 0.0 => {
            let hint = "nothing that is asked for is less than nothing; remove the row";
            Err(fault(line, format!("`{shown}` is negative")).hint(hint))
        }
        Ok(number) if number > limits::RECORDED_MAX => Err(too_large(line, &shown)),
        Ok(number) => Ok(number),
        Err(_) => {
            let hint = "write decimal numbers with a point, fields separated by commas";
            Err(fault(line, format!("`{shown}` is not a number")).hint(hint))
        }
    }
}

/// Seconds from the start of the recording, or since 1970 for a date; and whether its zone is a
/// guess.
fn time(line: usize, text: &str) -> Result<(f64, bool), Fault> {
    if !(text.contains('-') && text.contains(':')) {
        return Ok((number(line, text)?, false));
    }
    let text = text.replacen(' ', "T", 1);
    let with_zone = text.parse::<Timestamp>().map(|date| (date, false));
    // As dashboards export them: a date and nothing that says where.
    let found = with_zone.or_else(|_| format!("{text}Z").parse().map(|date| (date, true)));
    match found {
        Ok((date, is_guess)) => Ok((date.as_millisecond() as f64 / 1e3, is_guess)),
        Err(_) => {
            let shown: String = text.chars().take(40).collect();
            let hint = "write dates as `2026-11-01T00:00:00Z`";
            Err(fault(line, format!("`{shown}` is not a date")).hint(hint))
        }
    }
}

fn floor_to_day(seconds: f64) -> f64 {
    (seconds / DAY_SECONDS).floor() * DAY_SECONDS
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "whole seconds; the conversion saturates, and what is no date is refused"
)]
fn timestamp(seconds: f64) -> Option<Timestamp> {
    Timestamp::from_second(seconds as i64).ok()
}
