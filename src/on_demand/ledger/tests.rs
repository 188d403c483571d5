//! What becomes of questions over time: who is woken, what is read again, what is kept and forgotten.

use super::*;
use crate::domain::labels::Labels;
use crate::domain::name::MetricName;
use crate::on_demand::board::Numbers;
use crate::rules::load;
use std::collections::BTreeSet;
use std::time::Duration;

const RULE: &str = "externalRules:
- seriesQuery: depth
  resources: {namespaced: false}
  metricsQuery: sum(<<.Series>>{<<.LabelMatchers>>})
";

/// Second 0 is an instant of the grid.
fn at(second: u64) -> Timestamp {
    Timestamp::UNIX_EPOCH + Duration::from_secs(1_500_000_000 + second)
}

fn question() -> Question {
    Question::External {
        namespace: Namespace::new("shop").unwrap(),
        metric: MetricName::new("depth").unwrap(),
        selector: SeriesSelector::default(),
    }
}

fn configure(ledger: &mut Ledger<u32>, text: &str) {
    let rules = load::load(text).unwrap();
    assert!(rules.faults.is_empty(), "{:?}", rules.faults);
    ledger.configure(&rules, &RestMapping::usual());
    for relist in ledger.relists() {
        let series = SeriesShape { name: "depth".into(), labels: BTreeSet::new() };
        ledger.relisted(&relist.rule, Ok(vec![series]), at(0));
    }
    ledger.list();
}

/// A ledger with one rule, and one who waits for it.
fn asked(second: u64) -> (Ledger<u32>, Read) {
    let mut ledger = Ledger::default();
    configure(&mut ledger, RULE);
    assert!(matches!(ledger.want(question(), 1, at(second)), Wanted::Waits));
    let reads = ledger.due(at(second));
    let [read] = reads.as_slice() else { panic!("{reads:?}") };
    (ledger, read.clone())
}

fn number(value: f64) -> Result<Answered, Refused> {
    Ok(Answered::Vector(vec![(Labels::default(), value)]))
}

fn away() -> Result<Answered, Refused> {
    Err(Refused { is_of_request: false, why: "connection refused".to_owned() })
}

/// What a request finds.
fn found(ledger: &Ledger<u32>, second: u64) -> Option<Result<f64, String>> {
    let answer = ledger.state().answer(&question(), at(second))?;
    Some(match &answer.said {
        Ok(Numbers::Items(items)) => Ok(items.iter().map(|it| it.value.get()).sum()),
        Ok(Numbers::Objects(_)) => Err("objects".to_owned()),
        Err(refused) => Err(refused.why.clone()),
    })
}

#[test]
fn one_read_wakes_all_who_wait() {
    let (mut ledger, read) = asked(7);
    assert_eq!(read.at, at(0), "of the grid, so that replicas say the same");
    assert_eq!(read.query, Ok("sum(depth{})".to_owned()));
    assert!(matches!(ledger.want(question(), 2, at(8)), Wanted::Waits));
    assert!(ledger.due(at(8)).is_empty(), "it is being read");
    assert_eq!(found(&ledger, 8), None);
    assert_eq!(ledger.answered(&read, number(3.0), at(9)), [1, 2]);
    assert_eq!(found(&ledger, 9), Some(Ok(3.0)));
    assert!(matches!(ledger.want(question(), 3, at(9)), Wanted::Answered(3)));
    assert!(ledger.due(at(14)).is_empty(), "not before the next instant");
}

#[test]
fn what_is_asked_for_is_read_once_at_each_instant_and_then_forgotten() {
    let (mut ledger, read) = asked(0);
    ledger.answered(&read, number(3.0), at(1));
    let idle = limits::IDLE_MAX.as_secs();
    let mut n_reads = 0;
    for second in 1..=idle {
        for read in ledger.due(at(second)) {
            n_reads += 1;
            assert_eq!(read.at, at(second));
            ledger.answered(&read, number(4.0), at(second));
        }
    }
    assert_eq!(n_reads, idle / limits::INTERVAL.as_secs());
    assert!(ledger.due(at(idle + 15)).is_empty());
    assert_eq!(ledger.state().answers.len(), 0);
}

#[test]
fn the_last_number_outlives_failures_for_a_while_and_then_the_reason_is_told() {
    let (mut ledger, read) = asked(0);
    ledger.answered(&read, number(3.0), at(1));
    let serve = limits::SERVE.as_secs();
    for second in 1..=serve + 15 {
        for read in ledger.due(at(second)) {
            ledger.answered(&read, away(), at(second));
        }
        let expected = if second <= serve { Ok(3.0) } else { Err("connection refused".to_owned()) };
        if second <= serve || second >= serve + 15 {
            assert_eq!(found(&ledger, second), Some(expected), "{second}");
        }
    }
}

#[test]
fn a_first_read_that_fails_is_told_and_mended_at_the_next_instant() {
    let (mut ledger, read) = asked(0);
    assert_eq!(ledger.answered(&read, away(), at(1)), [1]);
    assert_eq!(found(&ledger, 2), Some(Err("connection refused".to_owned())));
    let reads = ledger.due(at(15));
    ledger.answered(&reads[0], number(5.0), at(16));
    assert_eq!(found(&ledger, 16), Some(Ok(5.0)));
}

#[test]
fn an_answer_by_rules_that_changed_meanwhile_is_nobodys_and_its_waiters_get_the_new_one() {
    let (mut ledger, old) = asked(0);
    configure(&mut ledger, &RULE.replace("sum(", "max("));
    assert_eq!(ledger.answered(&old, number(3.0), at(1)), [0_u32; 0]);
    assert_eq!(found(&ledger, 1), None);
    let reads = ledger.due(at(1));
    assert_eq!(reads[0].query, Ok("max(depth{})".to_owned()));
    assert_eq!(ledger.answered(&reads[0], number(2.0), at(2)), [1]);
    assert_eq!(found(&ledger, 2), Some(Ok(2.0)));
    let same = load::load(&RULE.replace("sum(", "max(")).unwrap();
    assert!(!ledger.configure(&same, &RestMapping::usual()));
    assert_eq!(found(&ledger, 3), Some(Ok(2.0)), "nothing changed");
}

#[test]
fn series_that_cannot_be_listed_stay_as_they_were() {
    let mut ledger = Ledger::<u32>::default();
    configure(&mut ledger, RULE);
    let rule = &ledger.relists()[0].rule;
    ledger.relisted(rule, Err("timed out".to_owned()), at(60));
    ledger.list();
    let state = ledger.state();
    assert!(state.catalogue.external("depth").is_some());
    assert_eq!(state.rules[0].problem.as_deref(), Some("timed out"));
    assert_eq!((state.rules[0].n_metrics, state.rules[0].listed_at), (1, Some(at(0))));
}

#[test]
fn questions_and_waiters_have_a_limit() {
    let (mut ledger, _) = asked(0);
    for waiter in 2..=limits::WAITERS_MAX {
        let waiter = u32::try_from(waiter).unwrap();
        assert!(matches!(ledger.want(question(), waiter, at(0)), Wanted::Waits));
    }
    assert!(matches!(ledger.want(question(), 0, at(0)), Wanted::TooMany(0, _)));
}
