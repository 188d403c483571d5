//! What the pods say together, and what is made of those that say nothing.

use super::*;
use crate::source::pods::tests::{ask, ask_of};
use jiff::Timestamp;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn finite(value: f64) -> Finite {
    Finite::new(value).unwrap()
}

fn says(pod: usize, value: f64) -> PodReading {
    let said = Said::Number(finite(value));
    let name = ObjectName::new(&format!("llama-{pod}")).unwrap();
    (name, Ok(Reading { at: at(100), said, used: [0].into() }))
}

fn silent(pod: usize, silence: Silence) -> PodReading {
    (ObjectName::new(&format!("llama-{pod}")).unwrap(), Err(silence))
}

fn refused(pod: usize) -> PodReading {
    silent(pod, Silence::Failed(ReadError::Unreachable("connection refused".to_owned())))
}

/// The only number and the note, or the error, of so many pods in all.
fn folded(
    keys: &str,
    n_pods: usize,
    readings: Vec<PodReading>,
    last: &mut Option<Finite>,
) -> Result<(f64, Option<String>), String> {
    fold(&ask(keys), &Heard { readings, n_pods }, last)
        .map(|it| (it.samples[&None].value.get(), it.note))
        .map_err(|it| it.to_string())
}

fn whole(keys: &str, values: &[f64]) -> Result<(f64, Option<String>), String> {
    let readings = values.iter().enumerate().map(|(pod, value)| says(pod, *value)).collect();
    folded(keys, values.len(), readings, &mut None)
}

#[test]
fn the_numbers_of_all_pods_become_one() {
    for (reduce, expected) in
        [("sum", 12.0), ("avg", 4.0), ("max", 8.0), ("min", 1.0), ("quantile(0.5)", 3.0)]
    {
        let got = whole(&format!("series: q, reducePods: '{reduce}'"), &[1.0, 3.0, 8.0]);
        assert_eq!(got, Ok((expected, None)), "{reduce}");
    }
}

#[test]
fn silence_never_scales_down_unless_the_policy_says_so() {
    let part = || vec![says(0, 5.0), says(1, 5.0), refused(2)];
    let silence = "1 of 3 pods say nothing: llama-2: connection refused";
    // The others alone: 10. As much from the silent one as from each of the others: 15.
    for (on_partial, last, expected) in [
        ("scaleUpOnly", Some(9.0), Ok(10.0)),
        ("scaleUpOnly", Some(10.0), Err("and 10 of the others is not above the last 10")),
        ("scaleUpOnly", Some(20.0), Err("and 10 of the others is not above the last 20")),
        ("scaleUpOnly", None, Err("and there is no earlier value to tell whether it grew")),
        ("use", Some(20.0), Ok(15.0)),
        ("use", None, Ok(15.0)),
        ("refuse", Some(1.0), Err("and the policy refuses a part")),
    ] {
        let mut remembered = last.map(finite);
        let keys = format!("series: q, onPartial: {on_partial}");
        let got = folded(&keys, 3, part(), &mut remembered);
        let expected_full = expected
            .map(|it| (it, Some(silence.to_owned())))
            .map_err(|why| format!("{silence}; {why}"));
        assert_eq!(got, expected_full, "{on_partial}, last {last:?}");
        let next = expected.ok().or(last).map(finite);
        assert_eq!(remembered, next, "{on_partial}, last {last:?}");
    }
    // Neither is there anything to add to a mean.
    let got = folded("series: q, reducePods: avg, onPartial: use", 3, part(), &mut None);
    assert_eq!(got.map(|it| it.0), Ok(5.0));
}

#[test]
fn a_few_do_not_speak_for_all() {
    let readings = || vec![says(0, 5.0), refused(1), refused(2)];
    let error = folded("series: q, onPartial: use", 3, readings(), &mut None).unwrap_err();
    assert_eq!(
        error,
        "2 of 3 pods say nothing: llama-1: connection refused; which is more than half"
    );
    let none = vec![refused(0), refused(1)];
    let error = folded("series: q, onPartial: use", 2, none, &mut None).unwrap_err();
    assert_eq!(error, "2 of 2 pods say nothing: llama-0: connection refused");
}

#[test]
fn a_sum_over_a_sample_stands_for_all() {
    let sample = || vec![says(0, 1.0), says(1, 3.0)];
    let note = Some("2 of 10 pods asked".to_owned());
    let got = folded("series: q", 10, sample(), &mut None);
    assert_eq!(got, Ok((20.0, note.clone())));
    assert_eq!(folded("series: q, reducePods: max", 10, sample(), &mut None), Ok((3.0, note)));
    // One of the sample is silent: 4 / 3 asked × 9 as a bound, 4 / 2 good × 9 as an estimate.
    let part = || vec![says(0, 1.0), says(1, 3.0), refused(2)];
    let bound = folded("series: q", 9, part(), &mut Some(finite(11.0))).unwrap().0;
    assert!((bound - 12.0).abs() < 1e-9, "{bound}");
    let estimate = folded("series: q, onPartial: use", 9, part(), &mut None).unwrap().0;
    assert!((estimate - 18.0).abs() < 1e-9, "{estimate}");
}

#[test]
fn a_pod_whose_counter_is_new_is_a_part_that_is_missing() {
    let readings = vec![says(0, 5.0), silent(1, Silence::New)];
    let keys = "series: q, value: rate";
    let error = folded(keys, 2, readings.clone(), &mut Some(finite(5.0))).unwrap_err();
    assert!(error.starts_with("1 of 2 pods say nothing: llama-1: a counter needs"), "{error}");
    let grown = folded(keys, 2, readings, &mut Some(finite(4.0)));
    assert_eq!(grown.map(|it| it.0), Ok(5.0));
    let all = vec![silent(0, Silence::New), silent(1, Silence::New)];
    let error = folded(keys, 2, all, &mut None).unwrap_err();
    assert_eq!(error, "2 of 2 pods say nothing: llama-0: a counter needs a second scrape");
}

fn observed(pod: usize, observed: Observed) -> PodReading {
    let (name, reading) = says(pod, 0.0);
    (name, reading.map(|it| Reading { said: Said::Observed(observed), ..it }))
}

#[test]
fn observations_are_pooled_and_few_of_them_say_nothing() {
    let mean = |pod, sum, count| observed(pod, Observed::Mean { sum, count });
    let keys = "series: h, value: mean";
    let enough = vec![mean(0, 10.0, 10.0), mean(1, 90.0, 30.0), silent(2, Silence::New)];
    assert_eq!(folded(keys, 3, enough, &mut None), Ok((2.5, None)), "a new pod observed nothing");
    let few = vec![mean(0, 10.0, 10.0), mean(1, 9.0, 9.0)];
    let error = folded(keys, 2, few, &mut None).unwrap_err();
    assert_eq!(error, "19 observations within 1m, fewer than 20");
    let idle = vec![mean(0, 0.0, 0.0)];
    let error = folded("series: h, value: mean, minObservations: 0", 1, idle, &mut None);
    assert_eq!(error.unwrap_err(), "what the pods say makes no number", "nothing has no mean");
    let buckets = |pod, low: f64, all: f64| {
        let buckets = Buckets::new(vec![(1.0, low), (2.0, all), (f64::INFINITY, all)]).unwrap();
        observed(pod, Observed::Buckets(buckets))
    };
    let both = || vec![buckets(0, 20.0, 20.0), buckets(1, 0.0, 20.0)];
    let got = folded("series: h, value: quantile(0.75)", 2, both(), &mut None).unwrap().0;
    assert!((got - 1.5).abs() < 1e-12, "{got}");
    let slowest = "series: h, value: quantile(0.5), reducePods: max";
    let got = folded(slowest, 2, both(), &mut None).unwrap().0;
    assert!((got - 1.5).abs() < 1e-12, "{got}");
}

#[test]
fn a_pods_metric_has_the_pods_that_say_something() {
    let readings = vec![says(0, 5.0), refused(1), says(2, 7.0)];
    let answer = fold(&ask_of("Pods", "series: q"), &Heard { readings, n_pods: 3 }, &mut None);
    let Answer { samples, note, used: _, told: _ } = answer.unwrap();
    let names: Vec<String> = samples.keys().map(|it| it.as_ref().unwrap().to_string()).collect();
    assert_eq!(names, ["llama-0", "llama-2"]);
    assert_eq!(note.unwrap(), "1 of 3 pods say nothing: llama-1: connection refused");
}

#[test]
fn a_number_is_as_old_as_its_oldest_part() {
    let (name, reading) = says(1, 1.0);
    let older = (name, reading.map(|it| Reading { at: at(40), ..it }));
    let heard = Heard { readings: vec![says(0, 1.0), older], n_pods: 2 };
    let answer = fold(&ask("series: q"), &heard, &mut None).unwrap();
    assert_eq!(answer.samples[&None].at, at(40));
}
