//! What the tick keeps between evaluations, and across configurations.

use super::*;
use crate::domain::finite::Finite;
use crate::policy::resolve;

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
        evaluation.evaluate(policy, reading(100, value), at(100));
    }
    evaluation.configure(&config(&CONFIG.replace("query: y", "query: z")));
    assert_eq!(served(&evaluation, "a", 100), Ok(10.0));
    assert!(served(&evaluation, "b", 100).unwrap_err().contains("not evaluated yet"));
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
        old.evaluate(policy, reading(it.at.as_second(), it.value.get()), it.at);
    }
    let mut new = Evaluation::default();
    new.configure(&config);
    assert!(new.wants_history(policy));
    let from = series.len() - 31;
    let history = series[from..series.len() - 1].iter().map(|it| (None, *it)).collect();
    new.prime(policy, &vec![history]);
    assert!(!new.wants_history(policy));
    new.evaluate(policy, reading(newest.at.as_second(), newest.value.get()), newest.at);
    let values = [&old, &new].map(|it| served(it, "a", newest.at.as_second()).unwrap());
    assert!((values[0] - values[1]).abs() < 1e-6, "{values:?}");
}

#[test]
fn samples_leave_once_nobody_can_use_them() {
    let config = config(CONFIG);
    let mut evaluation = Evaluation::default();
    evaluation.configure(&config);
    let policy = config.policies.first().unwrap();
    evaluation.evaluate(policy, reading(100, 1.0), at(100));
    assert_eq!(evaluation.samples(), 1);
    evaluation.evaluate(policy, vec![Err("connection refused".to_owned())], at(1_000));
    assert_eq!(evaluation.samples(), 0);
    let why = served(&evaluation, "a", 1_000).unwrap_err();
    let expected = "policy inference/a: no sample for 15m0s: source default: connection refused";
    assert_eq!(why, expected.replace("15m0s", "15m"));
}
