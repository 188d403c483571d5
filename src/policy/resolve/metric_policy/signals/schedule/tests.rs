//! Calendars as people write them, and every way in which they can be wrong.

use super::*;
use crate::policy::resolve::load;
use crate::policy::{Ask, Signal};

fn config(metric_type: &str, signal: &str) -> String {
    format!(
        "apiVersion: foresail.dev/v1alpha1\nkind: AdapterConfig\npolicies:\n  - metadata: {{name: p, \
         namespace: jobs}}\n    spec:\n      metric: {{name: m, type: {metric_type}}}\n      \
         signals: {{s: {signal}}}\n"
    )
}

fn calendar(keys: &str, window: &str) -> String {
    format!("{{schedule: {{{keys}windows: [{{{window}}}]}}}}")
}

fn faults(metric_type: &str, signal: &str) -> Vec<String> {
    let faults = load(&config(metric_type, signal)).map_or_else(|it| it, |it| it.faults);
    let shown = faults.iter().map(|it| format!("{it} ({})", it.hint.as_deref().unwrap_or("-")));
    shown.map(|it| it.replace("policies[0].spec.signals.", "")).collect()
}

/// The value of a calendar without faults.
fn value(keys: &str, window: &str, at: &str) -> Finite {
    let config = load(&config("External", &calendar(keys, window))).unwrap();
    assert_eq!(config.faults, vec![], "{window}");
    let Signal { source, ask: Ask::Schedule(schedule), .. } = &config.policies[0].signals[0] else {
        panic!("{window}")
    };
    assert_eq!(source.as_str(), SOURCE);
    schedule.value(at.parse().unwrap())
}

#[test]
fn a_calendar_means_what_it_says() {
    for (keys, window, at, expected) in [
        ("", "start: 0 8 * * 1-5, end: 0 18 * * 1-5, value: 20", "2026-11-23T08:00:00Z", 20.0),
        ("", "start: 0 8 * * 1-5, end: 0 18 * * 1-5, value: 20", "2026-11-23T18:00:00Z", 0.0),
        ("", "start: 0 8 * * MON, duration: 90m, value: 1500m", "2026-11-23T09:29:59Z", 1.5),
        ("timeZone: Europe/Berlin, ", "start: '@daily', duration: 1h, value: 2", SUMMER, 2.0),
        ("timeZone: Europe/Berlin, ", "start: '@daily', duration: 1h, value: 2", WINTER, 0.0),
        ("", "from: '2026-12-24T08:00:00+01:00', duration: 1h, value: 3", CHRISTMAS, 3.0),
        (
            "",
            "from: '2026-12-24T08:00:00+01:00', to: '2026-12-25T08:00Z', value: 3",
            CHRISTMAS,
            3.0,
        ),
        ("ahead: 5m, ", "from: '2026-12-24T07:05:00Z', duration: 1h, value: 3", CHRISTMAS, 3.0),
        // Ten steps when nothing is said.
        ("ramp: 10m, ", "from: '2026-12-24T07:04:30Z', duration: 1h, value: 1", CHRISTMAS, 0.5),
        (
            "ramp: 10m, rampSteps: 2, ",
            "from: '2026-12-24T07:04:30Z', duration: 1h, value: 1",
            CHRISTMAS,
            0.5,
        ),
        (
            "ramp: 10m, rampSteps: 100, ",
            "from: '2026-12-24T07:04:30Z', duration: 1h, value: 1",
            CHRISTMAS,
            0.55,
        ),
    ] {
        assert_eq!(Some(value(keys, window, at)), Finite::new(expected), "{keys}{window} at {at}");
    }
}

const SUMMER: &str = "2026-07-01T22:30:00Z";
const WINTER: &str = "2026-12-01T22:30:00Z";
const CHRISTMAS: &str = "2026-12-24T07:00:00Z";

#[test]
fn every_fault_of_a_calendar_is_told_with_its_place_and_a_hint() {
    let good = "start: 0 8 * * *, duration: 1h, value: 1";
    let times = "s.schedule.windows[0]: expected `start` with one of `end` and `duration`, or `from` \
                 with one of `to` and `duration` (write `{start: 0 8 * * 1-5, duration: 10h, value: \
                 20}`)";
    for (signal, expected) in [
        (
            "{schedule: {windows: []}}".to_owned(),
            "s.schedule.windows: a calendar has 1 to 64 windows (write `{start: 0 8 * * 1-5, \
             duration: 10h, value: 20}`)",
        ),
        (calendar("", "start: 0 8 * * *, value: 1"), times),
        (calendar("", "value: 1"), times),
        (calendar("", &format!("{good}, from: '2026-12-24T07:05:00Z'")), times),
        (
            calendar("", "start: 0 8 * * *, duration: 0s, value: 1"),
            "s.schedule.windows[0].duration: a window lasts longer than 0s, 8784h at most (for a \
             longer one write `from` and `to`)",
        ),
        (
            calendar("", "start: 0 0 30 2 *, duration: 1h, value: 1"),
            "s.schedule.windows[0].start: a time that never comes (look at the day and the month)",
        ),
        (
            calendar("", "from: tomorrow, duration: 1h, value: 1"),
            "s.schedule.windows[0].from: `tomorrow` is not a time (write `2026-12-24T08:00:00Z`, or \
             with `+01:00` in the place of `Z`)",
        ),
        (
            calendar("", "from: '2026-12-24T08:00Z', to: '2026-12-24T08:00Z', value: 1"),
            "s.schedule.windows[0].to: the window ends before it begins (`to` is a later time than \
             `from`)",
        ),
        (
            calendar("", "start: 0 8 * * *, duration: 1h, value: -1"),
            "s.schedule.windows[0].value: a negative value (a metric is never below 0)",
        ),
        (
            calendar("rampSteps: 0, ", good),
            "s.schedule.rampSteps: a ramp has 1 to 100 steps (10 suits the HPA's tolerance)",
        ),
        (calendar("ramp: 25h, ", good), "s.schedule.ramp: longer than 24h (10m suits most)"),
        (calendar("ahead: 25h, ", good), "s.schedule.ahead: longer than 24h (10m suits most)"),
        (
            calendar("timeZone: Berlin, ", good),
            "s.schedule.timeZone: there is no time zone `Berlin` (write its name in the IANA \
             database, e.g. `Europe/Berlin`)",
        ),
        (
            format!("{{source: s, schedule: {{windows: [{{{good}}}]}}}}"),
            "s.source: `schedule` is worked out, not from a source (leave `source` out)",
        ),
    ] {
        assert_eq!(faults("External", &signal), [expected], "{signal}");
    }
}

#[test]
fn what_is_no_calendar_or_asks_twice_is_refused() {
    let good = "start: 0 8 * * *, duration: 1h, value: 1";
    for (metric_type, signal, part) in [
        ("Pods", calendar("", good), "a calendar gives one number"),
        ("External", calendar("", "start: soon, duration: 1h, value: 1"), "not a cron expression"),
        // Seconds are of no use in an evaluation every 15 s.
        (
            "External",
            calendar("", "start: 0 0 8 * * *, duration: 1h, value: 1"),
            "not a cron expression",
        ),
        (
            "External",
            format!("{{source: s, prometheus: {{query: q}}, schedule: {{windows: [{{{good}}}]}}}}"),
            "expected exactly one of `prometheus`, `scrape`, `pods`, `profile`, `schedule`, ",
        ),
        (
            "External",
            format!("{{redis: {{address: j, listName: l}}, schedule: {{windows: [{{{good}}}]}}}}"),
            "expected exactly one of `prometheus`, `scrape`, `pods`, `profile`, `schedule`, ",
        ),
    ] {
        let faults = faults(metric_type, &signal);
        assert!(faults.iter().any(|it| it.contains(part)), "{signal}: {faults:?}");
    }
}
