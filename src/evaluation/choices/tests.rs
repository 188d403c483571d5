//! When choices fall due, and that replicas agree on them.

use super::*;
use crate::domain::name::{Namespace, PolicyName};
use crate::domain::sample::Sample;
use crate::domain::supply::Startup;
use crate::policy::resolve;
use std::f64::consts::TAU;

const MINUTE: i64 = 60;
const SEASON_STEPS: i64 = SEASON as i64;

const CONFIG: &str = "
apiVersion: foresail.dev/v1alpha1
kind: AdapterConfig
sources: [{name: s, scrape: {url: 'http://127.0.0.1:1/metrics'}}]
policies:
  - metadata: {name: a, namespace: n}
    spec:
      metric: {name: a, type: External}
      interval: 60s
      signals: {x: {source: s, scrape: {series: x}}}
      capacity: {perPod: 1}
      forecast: {leadTime: 3m}
";

fn at(step: i64) -> Timestamp {
    Timestamp::from_second(step * MINUTE).unwrap()
}

fn demand(step: i64) -> f64 {
    let phase = step.rem_euclid(SEASON_STEPS) as f64 / SEASON as f64 * TAU;
    let jump = if step.rem_euclid(60) < 15 { 14.0 } else { 0.0 };
    18.0 - 8.0 * phase.cos() + jump + ((step * 7_919) % 13) as f64 / 13.0
}

/// An evaluation that has lived from one step to another.
fn lived(from: i64, to: i64) -> (Evaluation, Arc<Policy>) {
    let config = resolve::load(CONFIG).unwrap();
    let policy = Arc::clone(&config.policies[0]);
    let mut evaluation = Evaluation::default();
    evaluation.configure(&config);
    for step in from..=to {
        let value = Finite::new(demand(step)).unwrap();
        let sample = Sample { at: at(step), value };
        evaluation.evaluate(&policy, vec![Ok([(None, sample)].into())], None, at(step));
    }
    evaluation.skip_backfill(&policy);
    (evaluation, policy)
}

fn due(evaluation: &mut Evaluation, step: i64) -> Option<(Arc<Policy>, ChoiceJob)> {
    let lead = LeadTime {
        startup: Startup::given(Duration::from_secs(180)),
        data_age: Duration::from_secs(60),
        sync: Duration::from_secs(15),
    };
    evaluation.next_choice(at(step), |_, _| true, |_| (lead, at(step).into()))
}

#[test]
fn each_policy_chooses_once_a_season_at_a_moment_of_its_own() {
    let key = |name: &str| PolicyKey {
        namespace: Namespace::new("n").unwrap(),
        name: PolicyName::new(name).unwrap(),
    };
    let newest = 30_000_000;
    let moments: std::collections::BTreeSet<i64> =
        (0..100).map(|it| boundary(&key(&format!("p{it}")), newest)).collect();
    assert!(moments.len() > 90, "{}", moments.len());
    for moment in moments {
        assert!((newest - SEASON_STEPS + 1..=newest).contains(&moment));
    }
    let a = boundary(&key("a"), newest);
    assert_eq!(boundary(&key("a"), a + SEASON_STEPS - 1), a);
    assert_eq!(boundary(&key("a"), a + SEASON_STEPS), a + SEASON_STEPS);
}

#[test]
fn a_replica_that_started_later_chooses_the_same_and_no_sooner_than_it_knows_enough() {
    let begin = 20_000 * SEASON_STEPS;
    let end = begin + 4 * SEASON_STEPS;
    let (mut old, policy) = lived(begin, end);
    let (_, job) = due(&mut old, end).unwrap();
    assert!(due(&mut old, end).is_none(), "asked for already");
    let judged = old.take_choice(&policy, job.run().unwrap()).unwrap();
    assert!(judged.dated.at <= at(end) && judged.dated.at > at(end - SEASON_STEPS));
    assert!(judged.choice.cost_to_naive < 1.0, "{judged:?}");
    assert_eq!(old.choice(&policy.key), Some(judged));
    // Half an hour later, from the same history: the same moment, and the same choice.
    let (mut late, _) = lived(begin, end + 30);
    let (_, job) = due(&mut late, end + 30).unwrap();
    assert_eq!(late.take_choice(&policy, job.run().unwrap()), Some(judged));
    // A season is not enough.
    let (mut young, _) = lived(end - SEASON_STEPS, end);
    let (_, job) = due(&mut young, end).unwrap();
    assert_eq!(young.take_choice(&policy, job.run().unwrap()), None);
}
