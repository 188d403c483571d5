//! What signals of the past come to as one number, and which instants a person may name.

use super::{Range, combined};
use crate::domain::finite::Finite;
use crate::domain::sample::Sample;
use crate::policy::{Policy, resolve};
use jiff::Timestamp;
use std::sync::Arc;

fn policy(spec: &str) -> Arc<Policy> {
    let text = format!(
        "apiVersion: foresail.dev/v1alpha1\nkind: AdapterConfig\n\
         sources: [{{name: default, prometheus: {{url: 'http://a'}}}}]\npolicies:\n  \
         - metadata: {{name: a, namespace: b}}\n    spec: {{metric: {{name: m, type: External}}, \
         {spec}}}\n"
    );
    let config = resolve::load(&text).unwrap();
    assert!(config.faults.is_empty(), "{:?}", config.faults);
    Arc::clone(&config.policies[0])
}

fn samples(points: impl IntoIterator<Item = (i64, f64)>) -> Vec<Sample> {
    let sample = |(second, value)| Sample {
        at: Timestamp::from_second(second).unwrap(),
        value: Finite::new(value).unwrap(),
    };
    points.into_iter().map(sample).collect()
}

const TWO: &str = "signals: {x: {source: default, prometheus: {query: 'x'}}, \
                   y: {source: default, prometheus: {query: 'y'}}}, combine: x + 10 * y";

#[test]
fn signals_are_combined_as_they_are_live() {
    let policy = policy(&format!("{TWO}, guard: {{maxAge: 30s}}"));
    let x = samples([(0, 1.0), (15, 2.0), (30, 3.0), (45, 4.0), (60, 5.0)]);
    let y = samples([(15, 1.0)]);
    let found: Vec<(i64, f64)> =
        combined(&policy, &[x, y]).iter().map(|it| (it.at.as_second(), it.value.get())).collect();
    // Nothing while one is unknown, and nothing once one is older than it may be.
    assert_eq!(found, [(15, 12.0), (30, 13.0), (45, 14.0)]);
}

#[test]
fn a_counter_becomes_its_rate() {
    let policy = policy(
        "signals: {x: {source: default, prometheus: {query: 'x'}}}, smooth: [{rate: {}}, {ewma: \
         {halfLife: 30s}}]",
    );
    let counter = samples((0..100).map(|at| (at * 15, 1e6 + at as f64 * 60.0)));
    let rates = combined(&policy, &[counter]);
    assert_eq!(rates.len(), 99, "a rate needs a second sample");
    assert!(rates.iter().all(|it| (it.value.get() - 4.0).abs() < 1e-9), "{rates:?}");
}

#[test]
fn a_range_is_named_by_dates_or_ages() {
    let now = "2026-11-15T12:00:00Z".parse().unwrap();
    let parse = |from: &str, to: Option<&str>| Range::parse(from, to, now).map(|it| it.to_string());
    for (from, to, shown) in [
        ("336h", None, "2026-11-01T12:00:00Z to 2026-11-15T12:00:00Z"),
        ("2026-11-01", Some("24h"), "2026-11-01T00:00:00Z to 2026-11-14T12:00:00Z"),
        (
            "2026-11-01T06:00:00+01:00",
            Some("2026-11-02"),
            "2026-11-01T05:00:00Z to 2026-11-02T00:00:00Z",
        ),
    ] {
        assert_eq!(parse(from, to).unwrap(), shown);
    }
    for (from, to) in [("soon", None), ("1h", Some("2h")), ("2026-11-31", None)] {
        assert!(parse(from, to).is_err(), "{from} {to:?}");
    }
}
