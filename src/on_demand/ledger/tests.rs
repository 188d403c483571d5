//! What becomes of questions over time: who is woken, what is read again, what is kept and forgotten.

use super::*;
use crate::domain::labels::Labels;
use crate::domain::name::MetricName;
use crate::on_demand::board::Numbers;
use crate::rules::catalogue::SeriesShape;
use crate::rules::load;
use crate::rules::selector::SeriesSelector;
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

/// An edit of one rule is no reason for the others to be asked for again.
#[test]
fn what_an_edit_does_not_touch_keeps_its_series_and_its_answers() {
    let (mut ledger, read) = asked(0);
    ledger.answered(&read, number(3.0), at(1));
    let two = format!("{RULE}- {{seriesQuery: other, metricsQuery: x}}\n");
    let rules = load::load(&two).unwrap();
    assert!(ledger.configure(&rules, &RestMapping::usual()));
    assert_eq!(found(&ledger, 2), Some(Ok(3.0)), "the rule stands where it stood");
    let state = ledger.state();
    assert_eq!((state.rules.len(), state.rules[0].good_at), (2, Some(at(0))));
    // Somewhere else it has another name in messages; its series are known all the same.
    let (_, own) = RULE.split_once('\n').unwrap();
    let moved = format!("externalRules:\n- {{seriesQuery: other, metricsQuery: x}}\n{own}");
    assert!(ledger.configure(&load::load(&moved).unwrap(), &RestMapping::usual()));
    assert_eq!(found(&ledger, 3), None, "to be read again");
    let state = ledger.state();
    assert_eq!(state.catalogue.external("depth").map(|it| it.rule), Some(1));
    assert_eq!((state.rules[1].n_series, state.rules[1].counts.queries()), (1, 1));
}

#[test]
fn a_rule_tells_what_it_asked_and_what_came_of_it() {
    let (mut ledger, read) = asked(0);
    ledger.answered(&read, number(3.0), at(1));
    for read in ledger.due(at(15)) {
        ledger.answered(&read, away(), at(16));
    }
    assert_eq!(found(&ledger, 16), Some(Ok(3.0)));
    let rule = ledger.relists()[0].rule.clone();
    assert!(!ledger.relisted(&rule, Err("timed out".to_owned()), at(60)), "nothing is new");
    let state = ledger.state();
    let standing = &state.rules[0];
    let counts = &standing.counts;
    assert_eq!((counts.queries(), counts.query_failures(), counts.list_failures()), (1, 1, 1));
    assert_eq!((counts.served(), counts.awaited()), (1, 0));
    assert_eq!(standing.good_at, Some(at(0)));
    let failed = standing.failed.as_ref().map(|it| (it.at, it.why.as_str()));
    assert_eq!(failed, Some((at(15), "connection refused")), "although the last value is served");
    let kept = state.kept();
    let kept = &kept["externalRules[0]"];
    assert_eq!((kept.questions, kept.refused, kept.oldest), (1, 0, Some(at(0))));
    assert!(state.awaited(&question()).is_some());
    assert_eq!(counts.awaited(), 1);
}

#[test]
fn a_broken_rule_is_told_where_it_stands() {
    let mut ledger = Ledger::<u32>::default();
    let text = format!("{RULE}- {{seriesQuery: other, metricsQuery: <<.Wrong>>}}\n");
    ledger.configure(&load::load(&text).unwrap(), &RestMapping::usual());
    let state = ledger.state();
    let told: Vec<_> = state.rules.iter().map(|it| (it.place, it.refused.is_some())).collect();
    assert_eq!(told, [(0, false), (1, true)]);
    let why = state.rules[1].refused.as_deref().unwrap();
    assert!(why.contains("there is no field `.Wrong`"), "{why}");
}

#[test]
fn metrics_that_were_put_together_of_older_rules_are_nobodys() {
    let mut ledger = Ledger::<u32>::default();
    configure(&mut ledger, RULE);
    let material = ledger.material();
    let other = RULE.replace("seriesQuery", "name: {as: other}\n  seriesQuery");
    configure(&mut ledger, &other);
    ledger.take(material.listed());
    let state = ledger.state();
    assert!(state.catalogue.external("other").is_some());
    assert!(state.catalogue.external("depth").is_none());
}

#[test]
fn names_of_series_have_a_limit_over_all_rules() {
    let mut ledger = Ledger::<u32>::default();
    let two = format!("{RULE}- {{seriesQuery: other, metricsQuery: x}}\n");
    ledger.configure(&load::load(&two).unwrap(), &RestMapping::usual());
    let names = |count: usize| {
        let shape = |idx| SeriesShape { name: format!("s{idx}").into(), labels: BTreeSet::new() };
        Ok((0..count).map(shape).collect())
    };
    let rules: Vec<_> = ledger.relists().into_iter().map(|it| it.rule).collect();
    assert!(ledger.relisted(&rules[0], names(10), at(0)));
    assert!(!ledger.relisted(&rules[1], names(limits::NAMES_MAX), at(0)));
    let why =
        format!("{} names of series, with room for {}", limits::NAMES_MAX, limits::NAMES_MAX - 10);
    assert_eq!(ledger.state().rules[1].problem.as_ref(), Some(&why));
    assert!(ledger.relisted(&rules[1], names(20), at(0)), "the room is not used up by trying");
    assert!(!ledger.relisted(&rules[1], names(20), at(60)), "nothing is new");
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
