//! What the tick keeps between evaluations, and across configurations.

use super::*;
use crate::domain::finite::Finite;
use crate::domain::object::{ObjectKind, ObjectRef};
use crate::domain::supply::{Startup, Supply, TargetSupply};
use crate::pipeline::outcome::Standing;
use crate::policy::resolve;
use std::collections::BTreeMap;

const CONFIG: &str = r#"
apiVersion: foresail.dev/v1alpha1
kind: AdapterConfig
sources: [{name: default, prometheus: {url: "http://127.0.0.1:1"}}]
policies:
  - metadata: {name: a, namespace: inference}
    spec:
      metric: {name: a, type: External}
      signals: {x: {source: default, prometheus: {query: x}}}
      smooth: [{ewma: {halfLife: 15s}}]
  - metadata: {name: b, namespace: inference}
    spec:
      metric: {name: b, type: External}
      signals: {x: {source: default, prometheus: {query: y}}}
"#;

fn config(text: &str) -> Config {
    resolve::load(text).unwrap()
}

fn sample(second: i64, value: f64) -> Sample {
    Sample { at: at(second), value: Finite::new(value).unwrap() }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn reading(second: i64, value: f64) -> Readings {
    vec![Ok(BTreeMap::from([(None, sample(second, value))]))]
}

/// What is published for the metric `name`: its value, or the refusal.
fn served(evaluation: &Evaluation, name: &str, second: i64) -> Result<f64, String> {
    let published = Published::default();
    evaluation.publish(&published);
    let snapshot = published.load();
    let key = snapshot.keys().find(|it| it.metric().as_str() == name);
    let Some(key) = key.cloned() else { return Err("unknown".to_owned()) };
    let entry = snapshot.find(&key).first().unwrap();
    match &entry.state {
        State::Evaluated(outcome) if !outcome.values.is_empty() => {
            Ok(outcome.values[0].1.value.get())
        }
        _ => Err(entry.refusal(at(second))),
    }
}

#[test]
fn an_unchanged_policy_goes_on_and_a_changed_one_begins_anew() {
    let mut evaluation = Evaluation::default();
    evaluation.configure(&config(CONFIG));
    assert!(served(&evaluation, "a", 0).unwrap_err().contains("not evaluated yet"));
    for (policy, value) in config(CONFIG).policies.iter().zip([10.0, 20.0]) {
        evaluation.evaluate(policy, reading(100, value), None, at(100));
    }
    let changed = config(&CONFIG.replace("query: y", "query: z"));
    let begun = evaluation.configure(&changed);
    assert_eq!(begun.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["b"]);
    assert_eq!(served(&evaluation, "a", 100), Ok(10.0));
    assert_eq!(served(&evaluation, "b", 100), Ok(20.0), "an edit is no outage");
    evaluation.evaluate(&changed.policies[1], reading(90, 5.0), None, at(101));
    assert_eq!(served(&evaluation, "b", 101), Ok(5.0), "nothing of the old recipe is left");
    evaluation.configure(&config(&CONFIG.replace("{name: b, type", "{name: c, type")));
    assert_eq!(served(&evaluation, "b", 100), Err("unknown".to_owned()));
    evaluation.configure(&config(&CONFIG.replace("query: y", "query: 'y['")));
    let why = served(&evaluation, "b", 100).unwrap_err();
    assert!(why.contains("inference/b is not valid: spec.signals.x.prometheus.query"), "{why}");
    assert_eq!(served(&evaluation, "a", 100), Ok(10.0));
}

#[test]
fn history_makes_a_late_starter_agree_with_one_that_was_there() {
    let config = config(CONFIG);
    let policy = config.policies.first().unwrap();
    let series: Vec<Sample> =
        (0..200_u32).map(|n| sample(i64::from(n) * 15, f64::from(n % 17))).collect();
    let newest = series.last().unwrap();
    let mut old = Evaluation::default();
    old.configure(&config);
    for it in &series {
        old.evaluate(policy, reading(it.at.as_second(), it.value.get()), None, it.at);
    }
    let mut new = Evaluation::default();
    new.configure(&config);
    let past = new.wanted_past(policy, newest.at).unwrap();
    let span = newest.at.duration_since(past.from).as_secs();
    assert_eq!((span, past.step.as_secs()), (450, 15));
    // A read that failed is no reason to begin without a past.
    new.evaluate(policy, vec![Err("connection refused".to_owned())], None, newest.at);
    assert!(new.wanted_past(policy, newest.at).is_some());
    let from = series.len() - 31;
    let history = series[from..series.len() - 1].iter().map(|it| (None, *it)).collect();
    let live = reading(newest.at.as_second(), newest.value.get());
    new.evaluate(policy, live, Some(&vec![history]), newest.at);
    assert_eq!(new.wanted_past(policy, newest.at), None);
    let values = [&old, &new].map(|it| served(it, "a", newest.at.as_second()).unwrap());
    assert!((values[0] - values[1]).abs() < 1e-6, "{values:?}");
}

/// One step of every kind, and a rate in `combine`; what stands behind its `#` is a comment.
const STEPS: [&str; 15] = [
    "ewma: {halfLife: 1m}",
    "holt: {}",
    "hampel: {}",
    "median: {}",
    "oneEuro: {}",
    "kalman: {}",
    "windowMax: {window: 5m}",
    "windowMin: {window: 5m}",
    "windowQuantile: {window: 5m}",
    "percentile: {}",
    "deadband: {share: 0.2}",
    "asymmetric: {}",
    "slewLimit: {upPerMinute: 8, downPerMinute: 2}",
    "rate: {}",
    "ewma: {halfLife: 1m}}]\n      combine: perSecond(x) #",
];

#[test]
fn every_kind_of_smoothing_agrees_after_its_backfill_and_lives_as_it_was_primed() {
    for step in STEPS {
        let config = config(&CONFIG.replace("ewma: {halfLife: 15s}", step));
        let policy = config.policies.first().unwrap();
        let begin = || {
            let mut evaluation = Evaluation::default();
            evaluation.configure(&config);
            evaluation
        };
        // A counter for the rate, a load for the others; an hour and a half longer than the
        // longest memory, which is the percentile's five hours.
        let is_counter = step.starts_with("rate") || step.contains("perSecond");
        let load = |n: u32| f64::from(n % 17 + n / 40 % 5 * 3);
        let counted = |n: u32| (0..=n).map(load).sum();
        let value = |n: u32| if is_counter { counted(n) } else { load(n) };
        let series: Vec<Sample> =
            (0..1_560_u32).map(|n| sample(i64::from(n) * 15, value(n))).collect();
        let (newest, past) = series.split_last().unwrap();
        let live = |it: &Sample| reading(it.at.as_second(), it.value.get());
        let mut old = begin();
        for it in &series {
            old.evaluate(policy, live(it), None, it.at);
            // A second look at the same sample changes nothing.
            old.evaluate(policy, live(it), None, at(it.at.as_second() + 5));
        }
        let primed = |from: usize| {
            let mut new = begin();
            let history = past[from..].iter().map(|it| (None, *it)).collect();
            new.evaluate(policy, live(newest), Some(&vec![history]), newest.at);
            served(&new, "a", newest.at.as_second())
        };
        let lived = served(&old, "a", newest.at.as_second());
        assert_eq!(primed(0), lived, "{step}");
        let wanted = begin().wanted_past(policy, newest.at).unwrap();
        assert_eq!(wanted.step, policy.interval, "{step}");
        let samples =
            usize::try_from(wanted.to.duration_since(wanted.from).as_secs().div_euclid(15) + 1)
                .unwrap();
        let [late, lived] = [primed(past.len() - samples), lived].map(Result::unwrap);
        assert!((late - lived).abs() < 1e-6, "{step}: {late} is not {lived}");
    }
}

#[test]
fn the_window_of_an_answer_is_what_the_smoothing_averages_over() {
    for (steps, seconds) in [
        ("ewma: {halfLife: 15s}", Some(15)),
        ("ewma: {halfLife: 15s}}, {windowMax: {}", Some(75)),
        ("median: {}}, {deadband: {}", Some(75)),
        ("rate: {}}, {asymmetric: {}", Some(120)),
        ("holt: {}", Some(15)),
        ("hampel: {}", None),
        ("ewma: {halfLife: 15s}}]\n      combine: perSecond(x) #", Some(75)),
    ] {
        let config = config(&CONFIG.replace("ewma: {halfLife: 15s}", steps));
        let window = averaged_over(config.policies.first().unwrap());
        assert_eq!(window, seconds.map(Duration::from_secs), "{steps}");
    }
}

#[test]
fn samples_leave_once_nobody_can_use_them() {
    let config = config(CONFIG);
    let mut evaluation = Evaluation::default();
    evaluation.configure(&config);
    let policy = config.policies.first().unwrap();
    evaluation.evaluate(policy, reading(100, 1.0), None, at(100));
    assert_eq!(evaluation.samples(), 1);
    evaluation.evaluate(policy, vec![Err("connection refused".to_owned())], None, at(1_000));
    assert_eq!(evaluation.samples(), 0);
    let why = served(&evaluation, "a", 1_000).unwrap_err();
    let expected = "policy inference/a: no sample for 15m0s: source default: connection refused";
    assert_eq!(why, expected.replace("15m0s", "15m"));
}

#[test]
fn what_was_read_for_another_recipe_is_nobodys() {
    let old = config(CONFIG);
    let new = config(&CONFIG.replace("query: x", "query: z"));
    let mut evaluation = Evaluation::default();
    evaluation.configure(&old);
    let begun = evaluation.configure(&new);
    let names: Vec<&str> = begun.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["a"], "b did not change");
    let policy = old.policies.first().unwrap();
    assert_eq!(evaluation.evaluate(policy, reading(100, 7.0), None, at(100)), None);
    assert!(served(&evaluation, "a", 100).unwrap_err().contains("not evaluated yet"));
}

#[test]
fn a_long_memory_is_primed_in_wider_steps_rather_than_in_part() {
    let config = config(&CONFIG.replace("halfLife: 15s", "halfLife: 6h"));
    let mut evaluation = Evaluation::default();
    evaluation.configure(&config);
    let past = evaluation.wanted_past(config.policies.first().unwrap(), at(1_000_000)).unwrap();
    assert_eq!(past.from, at(1_000_000 - 180 * 3600));
    assert_eq!(past.step, Duration::from_secs(324));
}

#[test]
fn a_clock_that_was_set_back_does_not_freeze_a_value() {
    let config = config(CONFIG);
    let mut evaluation = Evaluation::default();
    evaluation.configure(&config);
    let policy = config.policies.first().unwrap();
    evaluation.evaluate(policy, reading(4_000, 9.0), None, at(4_000));
    evaluation.evaluate(policy, reading(400, 3.0), None, at(400));
    assert_eq!(served(&evaluation, "a", 400), Ok(3.0));
}

#[test]
fn a_past_that_cannot_be_had_is_asked_for_a_few_times() {
    let config = config(CONFIG);
    let mut evaluation = Evaluation::default();
    evaluation.configure(&config);
    let [smoothed, plain] = config.policies.as_slice() else { panic!("two policies") };
    let asked = (0..10).filter(|_| evaluation.wanted_past(smoothed, at(1_000)).is_some()).count();
    assert_eq!(asked, usize::try_from(limits::BACKFILL_TRIES).unwrap());
    assert_eq!(
        evaluation.wanted_past(plain, at(1_000)),
        None,
        "without smoothing there is nothing to prime"
    );
}

#[test]
fn a_broken_policy_about_another_object_says_why_beside_a_good_one() {
    let object = |name: &str, query: &str| {
        format!(
            "  - metadata: {{name: {name}, namespace: inference}}
    spec:
      metric:
        name: rps
        type: Object
        describedObject: {{apiVersion: apps/v1, kind: Deployment, name: {name}}}
      signals: {{x: {{source: default, prometheus: {{query: '{query}'}}}}}}
"
        )
    };
    let config = config(&format!("{CONFIG}{}{}", object("good", "x"), object("bad", "x[")));
    let mut evaluation = Evaluation::default();
    evaluation.configure(&config);
    let published = Published::default();
    evaluation.publish(&published);
    let snapshot = published.load();
    let key = snapshot.keys().find(|it| it.metric().as_str() == "rps").unwrap();
    let states: Vec<String> = snapshot.find(key).iter().map(|it| it.refusal(at(0))).collect();
    assert!(states[0].contains("inference/good: not evaluated yet"), "{states:?}");
    assert!(states[1].contains("inference/bad is not valid"), "{states:?}");
}

/// Three pods of one target are ready.
fn three_pods() -> Supply {
    let kind = ObjectKind { api_version: "apps/v1".into(), kind: "Deployment".into() };
    let name = ObjectName::new("llama").unwrap();
    let pods = TargetSupply {
        target: ObjectRef { kind, namespace: None, name },
        n_ready: 3,
        starting: Vec::new(),
        n_troubled: 0,
        startup: Startup::assumed(),
    };
    Supply { targets: vec![pods], ..Supply::default() }
}

#[test]
fn who_counts_pods_asks_for_no_past_and_who_publishes_replicas_does() {
    for (keys, value, asks) in [
        ("combine: x", 8.0, true),
        ("combine: x + readyPods", 11.0, false),
        ("emit: desiredReplicas\n      capacity: {perPod: 4}", 2.0, true),
    ] {
        let keys = format!("{keys}\n      forecast: {{}}");
        let config = config(&CONFIG.replace("smooth: [{ewma: {halfLife: 15s}}]", &keys));
        let policy = config.policies.first().unwrap();
        let mut evaluation = Evaluation::default();
        evaluation.configure(&config);
        let supply = Some(Arc::new(three_pods()));
        let surroundings = Surroundings { now: at(900), supply };
        evaluation.evaluate(policy, reading(900, 8.0), None, surroundings);
        assert_eq!(served(&evaluation, "a", 900), Ok(value), "{keys}");
        assert!(evaluation.history(&policy.key).is_some());
        assert_eq!(evaluation.next_chunk(at(900), |_| true).is_some(), asks, "{keys}");
    }
}

#[test]
fn a_value_is_as_fresh_as_its_oldest_sample_and_smoothed_where_it_was_asked() {
    let mut evaluation = Evaluation::default();
    let config = config(CONFIG);
    evaluation.configure(&config);
    let policy = &config.policies[0];
    let mut evaluate = |second, value, taken: Option<i64>| {
        let taken = taken.map(|it| BTreeMap::from([(None, at(it))]));
        evaluation.date(policy, taken.into_iter().collect());
        let outcome = evaluation.evaluate(policy, reading(second, value), None, at(second));
        outcome.unwrap().values.first().map(|(_, it)| (it.value.get(), it.at, it.standing))
    };
    assert_eq!(evaluate(0, 8.0, None), Some((8.0, at(0), Standing::Fresh)));
    // One half-life between what was asked, whatever is between the samples.
    assert_eq!(evaluate(15, 0.0, Some(2)), Some((4.0, at(2), Standing::Fresh)));
    assert_eq!(evaluate(75, 4.0, Some(2)).map(|it| (it.1, it.2)), Some((at(2), Standing::Held)));
    assert_eq!(evaluate(195, 4.0, Some(2)), None, "past maxAge and hold of its sample");
    assert_eq!(evaluate(210, 4.0, Some(209)).map(|it| it.2), Some(Standing::Fresh));
}
