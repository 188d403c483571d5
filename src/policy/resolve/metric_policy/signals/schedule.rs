//! From the written shape of a calendar to the calendar.

use crate::document::fault::Fault;
use crate::document::path::Path;
use crate::domain::duration;
use crate::domain::finite::Finite;
use crate::domain::limits::schedule as limits;
use crate::domain::quantity;
use crate::policy::resolve::Faults;
use crate::policy::schedule::{End, Schedule, When, Window};
use crate::policy::wire::schedule as wire;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::time::Duration;

/// The name of where a calendar is read, which is nowhere.
pub(super) const SOURCE: &str = "schedule";
/// Steps of a ramp that names none: each is a tenth of the value, which is the HPA's tolerance.
const STEPS: u32 = 10;

/// Settles a calendar; `None` when something is wrong with it.
pub(super) fn resolve(
    wire: &wire::ScheduleSignal,
    path: &Path,
    faults: &mut Faults,
) -> Option<Schedule> {
    let wire::ScheduleSignal { windows, time_zone, ramp, ramp_steps, ahead } = wire;
    let ramp = span(ramp.as_deref(), &path.key("ramp"), faults);
    let ahead = span(ahead.as_deref(), &path.key("ahead"), faults);
    let steps = ramp_steps.unwrap_or(STEPS);
    let has_steps = (1..=limits::STEPS_MAX).contains(&steps);
    if !has_steps {
        let problem = format!("a ramp has 1 to {} steps", limits::STEPS_MAX);
        faults.add(Fault::new(path.key("rampSteps"), problem).hint("10 suits the HPA's tolerance"));
    }
    let zone = zone(time_zone.as_deref(), &path.key("timeZone"), faults);
    let path = path.key("windows");
    if windows.is_empty() || windows.len() > limits::WINDOWS_MAX {
        let problem = format!("a calendar has 1 to {} windows", limits::WINDOWS_MAX);
        let hint = "write `{start: 0 8 * * 1-5, duration: 10h, value: 20}`";
        faults.add(Fault::new(path, problem).hint(hint));
        return None;
    }
    let settled: Vec<Option<Window>> = windows
        .iter()
        .enumerate()
        .map(|(place, it)| window(it, &path.index(place), faults))
        .collect();
    let windows = settled.into_iter().collect::<Option<Vec<_>>>()?;
    has_steps.then_some(Schedule { windows, ramp: ramp?, steps, ahead: ahead?, zone: zone? })
}

fn window(wire: &wire::ScheduleWindow, path: &Path, faults: &mut Faults) -> Option<Window> {
    let value = value(wire, path, faults);
    let when = when(wire, path, faults);
    Some(Window { when: when?, value: value? })
}

fn value(wire: &wire::ScheduleWindow, path: &Path, faults: &mut Faults) -> Option<Finite> {
    let path = path.key("value");
    let value = faults.take(path.clone(), quantity::parse(&wire.value.text()))?;
    if value.is_negative() {
        faults.add(Fault::new(path, "a negative value").hint("a metric is never below 0"));
        return None;
    }
    Some(value)
}

fn when(wire: &wire::ScheduleWindow, path: &Path, faults: &mut Faults) -> Option<When> {
    let wire::ScheduleWindow { start, end, from, to, duration, value: _ } = wire;
    match (start, end, from, to, duration) {
        (Some(start), end, None, None, duration) if end.is_some() != duration.is_some() => {
            let start = cron(start, &path.key("start"), faults);
            let end = match (end, duration) {
                (Some(end), _) => cron(end, &path.key("end"), faults).map(End::At),
                (None, length) => {
                    let length = length.as_deref().unwrap_or_default();
                    length_of(length, &path.key("duration"), faults).map(End::After)
                }
            };
            Some(When::Repeated { start: start?, end: end? })
        }
        (None, None, Some(from), to, duration) if to.is_some() != duration.is_some() => {
            let from = instant(from, &path.key("from"), faults)?;
            let to = match (to, duration) {
                (Some(to), _) => instant(to, &path.key("to"), faults)?,
                (None, length) => {
                    let length = length.as_deref().unwrap_or_default();
                    let length = length_of(length, &path.key("duration"), faults)?;
                    from.checked_add(length).unwrap_or(Timestamp::MAX)
                }
            };
            if to <= from {
                let fault = Fault::new(path.key("to"), "the window ends before it begins");
                faults.add(fault.hint("`to` is a later time than `from`"));
                return None;
            }
            Some(When::Once { from, to })
        }
        _ => {
            let problem = "expected `start` with one of `end` and `duration`, or `from` with one of \
                           `to` and `duration`";
            let hint = "write `{start: 0 8 * * 1-5, duration: 10h, value: 20}`";
            faults.add(Fault::new(path.clone(), problem).hint(hint));
            None
        }
    }
}

/// Five fields, as the crontab of a Unix machine has them, which is what people know.
fn cron(text: &str, path: &Path, faults: &mut Faults) -> Option<Box<Cron>> {
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
    let parsed = parser.parse(text).map_err(|error| {
        let fault = Fault::new(path.clone(), format!("not a cron expression: {error}"));
        faults.add(fault.hint("minute, hour, day of the month, month, day of the week"));
    });
    let cron = parsed.ok()?;
    // The 30th of February is none that ever comes.
    let zone = TimeZone::UTC;
    if cron.find_next_occurrence(&Timestamp::UNIX_EPOCH.to_zoned(zone), true).is_err() {
        let fault = Fault::new(path.clone(), "a time that never comes");
        faults.add(fault.hint("look at the day and the month"));
        return None;
    }
    Some(Box::new(cron))
}

fn instant(text: &str, path: &Path, faults: &mut Faults) -> Option<Timestamp> {
    text.parse::<Timestamp>()
        .map_err(|_| {
            let fault = Fault::new(path.clone(), format!("`{text}` is not a time"));
            faults.add(
                fault.hint("write `2026-12-24T08:00:00Z`, or with `+01:00` in the place of `Z`"),
            );
        })
        .ok()
}

fn zone(name: Option<&str>, path: &Path, faults: &mut Faults) -> Option<TimeZone> {
    let Some(name) = name else { return Some(TimeZone::UTC) };
    TimeZone::get(name)
        .map_err(|_| {
            let fault = Fault::new(path.clone(), format!("there is no time zone `{name}`"));
            faults.add(fault.hint("write its name in the IANA database, e.g. `Europe/Berlin`"));
        })
        .ok()
}

/// A time that may be zero.
fn span(text: Option<&str>, path: &Path, faults: &mut Faults) -> Option<Duration> {
    let Some(text) = text else { return Some(Duration::ZERO) };
    let span = faults.take(path.clone(), duration::parse(text))?;
    if span > limits::SPAN_MAX {
        let most = duration::Shown(limits::SPAN_MAX);
        faults.add(Fault::new(path.clone(), format!("longer than {most}")).hint("10m suits most"));
        return None;
    }
    Some(span)
}

/// The length of a window.
fn length_of(text: &str, path: &Path, faults: &mut Faults) -> Option<Duration> {
    let length = faults.take(path.clone(), duration::parse(text))?;
    if length.is_zero() || length > limits::WINDOW_MAX {
        let most = duration::Shown(limits::WINDOW_MAX);
        let fault =
            Fault::new(path.clone(), format!("a window lasts longer than 0s, {most} at most"));
        faults.add(fault.hint("for a longer one write `from` and `to`"));
        return None;
    }
    Some(length)
}

#[cfg(test)]
mod tests;
