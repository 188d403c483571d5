//! A history is filled newest first, in whatever pieces, and comes out as if it had been seen live.

use super::*;
use crate::domain::finite::Finite;
use crate::domain::name::PolicyKey;
use crate::evaluation::Evaluation;
use crate::policy::{Config, resolve};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn config(interval: &str, extra: &str) -> Config {
    let text = format!(
        "apiVersion: foresail.dev/v1alpha1
kind: AdapterConfig
sources: [{{name: default, prometheus: {{url: 'http://127.0.0.1:1'}}}}]
policies:
  - metadata: {{name: a, namespace: inference}}
    spec:
      metric: {{name: a, type: External}}
      interval: {interval}
      signals:
        x: {{source: default, prometheus: {{query: x}}}}
        y: {{source: default, prometheus: {{query: y}}}}
      combine: x + y
      {extra}
"
    );
    let config = resolve::load(&text).unwrap();
    assert!(config.faults.is_empty(), "{:?}", config.faults);
    config
}

fn usual() -> Config {
    config("15s", "forecast: {}\n      smooth: [{ewma: {halfLife: 30s}}]")
}

fn key(config: &Config) -> PolicyKey {
    config.policies[0].key.clone()
}

fn after(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_add(by).unwrap()
}

/// What Prometheus would say of both signals at a time.
fn truth(at: Timestamp, signal: u32) -> Sample {
    let phase = f64::from(signal) + at.as_millisecond() as f64 / 100_000.0;
    Sample { at, value: Finite::new(100.0 + 50.0 * phase.sin()).unwrap() }
}

fn read(evaluation: &mut Evaluation, config: &Config, past: Option<&Recording>, at: Timestamp) {
    let reading = |signal| Ok(BTreeMap::from([(None, truth(at, signal))]));
    evaluation.evaluate(&config.policies[0], vec![reading(0), reading(1)], past, at).unwrap();
}

/// What a source that remembers from `oldest` on answers.
fn answer(past: Past, oldest: Timestamp) -> Recording {
    let mut at = past.from;
    let mut recording: Recording = vec![Vec::new(), Vec::new()];
    while at <= past.to {
        if at >= oldest {
            for (signal, samples) in (0..).zip(&mut recording) {
                samples.push((None, truth(at, signal)));
            }
        }
        at = after(at, past.step);
    }
    recording
}

/// An evaluation that has read live from one instant to another, primed as it would be.
fn live(config: &Config, from: i64, to: i64) -> Evaluation {
    let mut evaluation = Evaluation::default();
    evaluation.configure(config);
    let start = Timestamp::from_second(from).unwrap();
    let past = evaluation.wanted_past(&config.policies[0], start);
    let primed = past.map(|it| answer(it, Timestamp::MIN));
    read(&mut evaluation, config, primed.as_ref(), start);
    for second in (from + 15..=to).step_by(15) {
        read(&mut evaluation, config, None, Timestamp::from_second(second).unwrap());
    }
    evaluation
}

/// Asks for chunk after chunk until there is none; answers their steps in order.
fn fill(evaluation: &mut Evaluation, now: Timestamp, oldest: Timestamp) -> Vec<Range<i64>> {
    let mut asked = Vec::new();
    while let Some(chunk) = evaluation.next_chunk(now, |_| true) {
        assert!(evaluation.next_chunk(now, |_| true).is_none(), "one at a time");
        let samples = chunk.digest(&answer(chunk.past, oldest));
        evaluation.take_chunk(&chunk, Ok(samples), now).unwrap();
        asked.push(chunk.steps);
    }
    asked
}

const BEGIN: i64 = 1_700_000_000 / 60 * 60;

#[test]
fn two_weeks_are_asked_for_newest_first_and_without_a_gap() {
    let config = usual();
    let mut evaluation = live(&config, BEGIN + 30, BEGIN + 90);
    let now = Timestamp::from_second(BEGIN + 90).unwrap();
    let total = evaluation.progress(&key(&config)).unwrap();
    assert_eq!((total.chunks_done, total.chunks_total), (0, 16));
    let asked = fill(&mut evaluation, now, Timestamp::MIN);
    let edge = BEGIN / 60;
    assert_eq!(asked[0], edge..edge + 1, "the step in which live samples began");
    assert_eq!(asked[1], edge - 60..edge);
    assert_eq!(asked[2], edge - 1_500..edge - 60);
    assert!(asked.windows(2).all(|it| it[0].start == it[1].end), "{asked:?}");
    assert_eq!(asked.last().unwrap().start, edge - 14 * 1_440);
    assert_eq!(evaluation.progress_of_all(), Progress { chunks_done: 16, chunks_total: 16 });
    let history = evaluation.history(&key(&config)).unwrap();
    // The oldest step had to make room for the one in progress.
    assert!((history.coverage(edge + 1 - 14 * 1_440, edge + 1) - 1.0).abs() < 1e-12);
    assert_eq!(evaluation.next_chunk_after(now), None);
}

#[test]
fn the_step_in_which_live_samples_began_waits_for_its_end() {
    let config = usual();
    let mut evaluation = live(&config, BEGIN + 30, BEGIN + 30);
    let now = Timestamp::from_second(BEGIN + 30).unwrap();
    let asked = fill(&mut evaluation, now, Timestamp::MIN);
    assert_eq!(asked.len(), 15);
    assert_eq!(evaluation.next_chunk_after(now), Some(Duration::from_millis(30_250)));
    let over = after(now, Duration::from_millis(30_250));
    let asked = fill(&mut evaluation, over, Timestamp::MIN);
    assert_eq!((asked.len(), asked[0].clone()), (1, BEGIN / 60..BEGIN / 60 + 1));
}

#[test]
fn a_restarted_replica_ends_up_with_what_the_old_one_has() {
    let config = usual();
    let edge = BEGIN / 60;
    let now = Timestamp::from_second(BEGIN + 15 * 60).unwrap();
    let mut old = live(&config, BEGIN - 3 * 3_600, BEGIN + 15 * 60);
    // Its own start is long gone, too.
    fill(&mut old, now, Timestamp::MIN);
    let mut new = live(&config, BEGIN + 15, BEGIN + 15 * 60);
    fill(&mut new, now, Timestamp::MIN);
    let (old, new) = (old.history(&key(&config)).unwrap(), new.history(&key(&config)).unwrap());
    assert_eq!(old.known_span(), new.known_span());
    for index in edge + 16 - 14 * 1_440..edge + 16 {
        let [old, new] = [old, new].map(|it| it.values(index, index + 1).next().unwrap());
        assert!((old - new).abs() <= old.abs() * 1e-6, "{old} {new} at {}", index - edge);
    }
    assert_eq!(old.recent().count(), new.recent().count());
    for (old, new) in old.recent().zip(new.recent()) {
        assert!(old.0 == new.0 && (old.1 - new.1).abs() <= old.1 * 1e-6, "{old:?} {new:?}");
    }
}

#[test]
fn a_chunk_that_failed_is_asked_for_again_later_and_in_nobodys_way() {
    let config = usual();
    let mut evaluation = live(&config, BEGIN + 30, BEGIN + 90);
    let now = Timestamp::from_second(BEGIN + 90).unwrap();
    let first = evaluation.next_chunk(now, |_| true).unwrap();
    let failed = evaluation.take_chunk(&first, Err(ChunkFailure::Other), now).unwrap();
    assert_eq!(failed.1, Progress { chunks_done: 0, chunks_total: 16 });
    let asked = fill(&mut evaluation, now, Timestamp::MIN);
    assert_eq!(asked.len(), 15, "the others go on");
    assert!(!asked.contains(&first.steps));
    let mut at = now;
    for seconds in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
        let wait = evaluation.next_chunk_after(at).unwrap();
        assert_eq!(wait, Duration::from_secs(seconds));
        assert!(evaluation.next_chunk(at, |_| true).is_none());
        at = after(at, wait);
        let again = evaluation.next_chunk(at, |_| true).unwrap();
        assert_eq!(again.steps, first.steps);
        evaluation.take_chunk(&again, Err(ChunkFailure::Other), at).unwrap();
    }
    assert_eq!(
        fill(&mut evaluation, after(at, limits::BACKFILL_RETRY_MAX), Timestamp::MIN).len(),
        1
    );
    assert_eq!(evaluation.progress_of_all(), Progress { chunks_done: 16, chunks_total: 16 });
}

#[test]
fn a_chunk_that_is_too_much_becomes_smaller_until_it_is_not() {
    let config = usual();
    let mut evaluation = live(&config, BEGIN + 30, BEGIN + 90);
    let mut now = Timestamp::from_second(BEGIN + 90).unwrap();
    let mut longest = 0;
    while let Some(wait) = evaluation.next_chunk_after(now) {
        now = after(now, wait);
        let chunk = evaluation.next_chunk(now, |_| true).unwrap();
        let length = chunk.steps.end - chunk.steps.start;
        let brought = if length > 100 { Err(ChunkFailure::TooMuch) } else { Ok(Vec::new()) };
        longest = longest.max(if brought.is_ok() { length } else { 0 });
        evaluation.take_chunk(&chunk, brought, now).unwrap();
    }
    let all = evaluation.progress_of_all();
    assert!(longest <= 100 && all.chunks_done == all.chunks_total, "{longest} {all:?}");
    assert_eq!(all.chunks_total, 2 + 13 * 16 + 16, "days in sixteenths");
}

#[test]
fn the_end_of_what_a_source_remembers_is_no_failure() {
    let config = usual();
    let mut evaluation = live(&config, BEGIN + 30, BEGIN + 90);
    let now = Timestamp::from_second(BEGIN + 90).unwrap();
    fill(&mut evaluation, now, Timestamp::from_second(BEGIN - 86_400).unwrap());
    let all = evaluation.progress_of_all();
    assert_eq!(all.chunks_done, all.chunks_total);
    let history = evaluation.history(&key(&config)).unwrap();
    assert_eq!(history.known_span(), Some((BEGIN / 60 - 1_440, BEGIN / 60 + 1)));
}

#[test]
fn what_was_missed_is_asked_for_once_live_reads_are_back() {
    let config = usual();
    let key = key(&config);
    let mut evaluation = live(&config, BEGIN + 30, BEGIN + 90);
    let policy = &config.policies[0];
    fill(&mut evaluation, Timestamp::from_second(BEGIN + 90).unwrap(), Timestamp::MIN);
    for (second, missing, asked) in [
        // One read, two reads, an hour and a half, and three days.
        (BEGIN + 120, 1, (1, 3)),
        (BEGIN + 600, 1, (2, 11)),
        (BEGIN + 600 + 5_400, 1, (10, 101)),
        (BEGIN + 6_000 + 3 * 86_400, 4, (100, 4_421)),
    ] {
        let at = Timestamp::from_second(second).unwrap();
        let failed = || Err("connection refused".to_owned());
        let trouble = at.checked_sub(Duration::from_secs(15)).unwrap();
        evaluation.evaluate(policy, vec![failed(), failed()], None, trouble).unwrap();
        assert_eq!(evaluation.next_chunk_after(at), None, "not while it is away");
        read(&mut evaluation, &config, None, at);
        let later = after(at, Duration::from_secs(61));
        let chunks = fill(&mut evaluation, later, Timestamp::MIN);
        assert_eq!(chunks.len(), missing, "{chunks:?}");
        let (oldest, newest) = (chunks.last().unwrap(), &chunks[0]);
        assert_eq!((oldest.start - BEGIN / 60, newest.end - BEGIN / 60), asked);
        let history = evaluation.history(&key).unwrap();
        let (from, to) = history.known_span().unwrap();
        assert!((history.coverage(from, to) - 1.0).abs() < 1e-12, "no gap is left");
    }
    // Failures one after the other are asked about together.
    let mut at = Timestamp::from_second(BEGIN + 6_000 + 3 * 86_400).unwrap();
    for _ in 0..3 {
        at = after(at, Duration::from_secs(30));
        read(&mut evaluation, &config, None, at);
    }
    let later = after(at, Duration::from_secs(61));
    assert_eq!(fill(&mut evaluation, later, Timestamp::MIN).len(), 1);
    evaluation.skip_backfill(policy);
    read(&mut evaluation, &config, None, after(later, Duration::from_secs(60)));
    assert_eq!(evaluation.next_chunk_after(later), None, "nobody to ask");
}

#[test]
fn an_unchanged_policy_keeps_its_history_and_a_changed_one_begins_anew() {
    let before = usual();
    let mut evaluation = live(&before, BEGIN + 30, BEGIN + 90);
    let now = Timestamp::from_second(BEGIN + 90).unwrap();
    let chunk = evaluation.next_chunk(now, |_| true).unwrap();
    evaluation.configure(&before);
    let samples = chunk.digest(&answer(chunk.past, Timestamp::MIN));
    assert!(evaluation.take_chunk(&chunk, Ok(samples), now).is_some());
    let chunk = evaluation.next_chunk(now, |_| true).unwrap();
    let changed = config("15s", "forecast: {quantile: 0.8}");
    evaluation.configure(&changed);
    assert_eq!(evaluation.take_chunk(&chunk, Ok(Vec::new()), now), None);
    assert_eq!(evaluation.progress(&key(&changed)), None);
    assert_eq!(evaluation.history(&key(&changed)).unwrap().known_span(), None);
    evaluation.configure(&config("15s", ""));
    assert!(evaluation.history(&key(&changed)).is_none(), "no forecast, no history");
}

#[test]
fn who_has_least_comes_first_and_who_is_in_trouble_does_not_ask() {
    let one = usual();
    let text = |name: &str| {
        let mut policy = (*one.policies[0]).clone();
        policy.key.name = crate::domain::name::PolicyName::new(name).unwrap();
        policy.metric = crate::domain::name::MetricName::new(name).unwrap();
        Arc::new(policy)
    };
    let config = Config { policies: vec![text("a"), text("b")], ..one.clone() };
    let mut evaluation = Evaluation::default();
    evaluation.configure(&config);
    let at = Timestamp::from_second(BEGIN + 30).unwrap();
    for policy in &config.policies {
        let reading = |signal| Ok(BTreeMap::from([(None, truth(at, signal))]));
        evaluation.evaluate(policy, vec![reading(0), reading(1)], None, at).unwrap();
    }
    let mut order = Vec::new();
    for _ in 0..4 {
        let chunk = evaluation.next_chunk(at, |_| true).unwrap();
        evaluation.take_chunk(&chunk, Ok(Vec::new()), at).unwrap();
        order.push(chunk.policy.key.name.as_str().to_owned());
    }
    assert_eq!(order, ["a", "b", "a", "b"]);
    let trouble = vec![Err("connection refused".to_owned()), Err("connection refused".to_owned())];
    evaluation.evaluate(&config.policies[0], trouble, None, after(at, Duration::from_secs(15)));
    let chunk = evaluation.next_chunk(at, |_| true).unwrap();
    assert_eq!(chunk.policy.key.name.as_str(), "b");
    assert!(evaluation.next_chunk(at, |_| true).is_none());
    evaluation.skip_backfill(&config.policies[1]);
    assert_eq!(evaluation.progress(&config.policies[1].key).unwrap().chunks_total, 2);
}

#[test]
fn no_chunk_asks_for_more_than_prometheus_answers() {
    for interval in ["100ms", "1s", "7s", "15s", "60s", "5m", "1h"] {
        for season in ["2m", "1h", "24h", "168h"] {
            for smooth in [
                "",
                "\n      smooth: [{ewma: {halfLife: 30s}}]",
                "\n      smooth: [{ewma: {halfLife: 6h}}]",
            ] {
                let extra = format!("forecast: {{season: {season}}}{smooth}");
                let config = config(interval, &extra);
                let mut evaluation = Evaluation::default();
                evaluation.configure(&config);
                let at = Grid::new(config.policies[0].interval);
                let at = at.at_or_before(Timestamp::from_second(BEGIN).unwrap());
                read(&mut evaluation, &config, None, at);
                let late = after(at, Duration::from_secs(7 * 24 * 3_600));
                let mut chunks = 0;
                while let Some(chunk) = evaluation.next_chunk(late, |_| true) {
                    let Past { from, to, step } = chunk.past;
                    let span = Duration::try_from(to.duration_since(from)).unwrap();
                    let points = span.as_nanos() / step.as_nanos() + 1;
                    let case = format!("{interval} {season} {smooth}: {points} {chunk:?}");
                    assert!(from <= to && points <= 8_001, "{case}");
                    evaluation.take_chunk(&chunk, Ok(Vec::new()), late).unwrap();
                    chunks += 1;
                }
                assert!((16..=100).contains(&chunks), "{interval} {season} {smooth}: {chunks}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn what_fails_when_does_not_matter_in_the_end(fate in prop::collection::vec(0_u8..4, 1..60)) {
        let config = config("15s", "forecast: {season: 1h}\n      smooth: [{ewma: {halfLife: 30s}}]");
        let now = Timestamp::from_second(BEGIN + 90).unwrap();
        let mut smooth = live(&config, BEGIN + 30, BEGIN + 90);
        fill(&mut smooth, now, Timestamp::MIN);
        let mut rough = live(&config, BEGIN + 30, BEGIN + 90);
        let mut at = now;
        let mut fate = fate.into_iter();
        while let Some(wait) = rough.next_chunk_after(at) {
            at = after(at, wait);
            let chunk = rough.next_chunk(at, |_| true).unwrap();
            let brought = match fate.next() {
                Some(0) => Err(ChunkFailure::Other),
                Some(1) => Err(ChunkFailure::TooMuch),
                _ => Ok(chunk.digest(&answer(chunk.past, Timestamp::MIN))),
            };
            rough.take_chunk(&chunk, brought, at).unwrap();
        }
        let [smooth, rough] = [&smooth, &rough].map(|it| it.history(&key(&config)).unwrap());
        let (oldest, newest) = smooth.known_span().unwrap();
        prop_assert!(newest - oldest >= 20_150);
        prop_assert_eq!(rough.known_span(), Some((oldest, newest)));
        let values = smooth.values(oldest, newest).zip(rough.values(oldest, newest));
        for (expected, value) in values {
            // Smoothing begins elsewhere; what is left of that weighs 2^-30.
            prop_assert!((expected - value).abs() <= expected * 1e-6, "{} {}", expected, value);
        }
    }
}
