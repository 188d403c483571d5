//! A soak: policies that forecast, two weeks of history each, turned minute by minute as the tick
//! turns them. Prints what they hold and what they cost.
//!
//! `make soak` runs it with the design's 1,000 policies, whose budget is 256 MiB in all and 15 % of
//! a core at an interval of 15 s. `SOAK_POLICIES` and `SOAK_MINUTES` change that.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench fails loudly, on stdout, and is told its size by the environment"
)]

use foresail::domain::finite::Finite;
use foresail::domain::sample::Sample;
use foresail::evaluation::Evaluation;
use foresail::evaluation::forecasts::lead_time;
use foresail::policy::resolve;
use foresail::published::Published;
use jiff::Timestamp;
use std::fmt::Write;
use std::time::{Duration, Instant};

const MINUTE: i64 = 60;
const INTERVAL: i64 = 15;
/// A midnight.
const BEGIN: i64 = 20_000 * 86_400;
/// Choices of `auto` that are made to tell what one costs.
const CHOICES: u32 = 2;

fn main() {
    // Cargo says `--bench` when it measures, and nothing when it tests.
    let is_test = !std::env::args().any(|it| it == "--bench");
    let (n_policies, minutes) = if is_test { (2, 2) } else { (1_000, 10) };
    let n_policies = setting("SOAK_POLICIES").unwrap_or(n_policies);
    let minutes = setting("SOAK_MINUTES").unwrap_or(minutes);
    let config = resolve::load(&file(n_policies)).unwrap();
    assert_eq!(config.policies.len(), n_policies, "{:?}", config.faults.first());
    let mut evaluation = Evaluation::default();
    evaluation.configure(&config);
    let published = Published::default();
    let mut now = BEGIN;
    let evaluate = |evaluation: &mut Evaluation, now: i64| {
        for (seed, policy) in config.policies.iter().enumerate() {
            let sample = sample(now, seed);
            evaluation.evaluate(policy, vec![Ok([(None, sample)].into())], None, sample.at);
        }
        evaluation.publish(&published);
    };
    let begin = memory();
    evaluate(&mut evaluation, now);
    // The step of the first sample has to be over before it can be read.
    now += MINUTE;
    evaluate(&mut evaluation, now);
    let fill = Instant::now();
    while let Some(chunk) = evaluation.next_chunk(at(now), |_| true) {
        let seed = config.policies.iter().position(|it| it.key == chunk.policy.key).unwrap();
        let (from, to) = (chunk.past.from.as_second(), chunk.past.to.as_second());
        let step = usize::try_from(chunk.past.step.as_secs().max(1)).unwrap();
        let samples = (from..=to).step_by(step).map(|it| sample(it, seed)).collect();
        evaluation.take_chunk(&chunk, Ok(samples), at(now)).unwrap();
    }
    println!("history filled in {:.0?}, {} MiB resident", fill.elapsed(), memory());
    let first = forecast(&mut evaluation, now);
    println!("{} first forecasts took {:.1?}, {} MiB resident", first.0, first.1, memory());
    assert_eq!(first.0, n_policies);
    let mut busy = Duration::ZERO;
    let mut n_forecasts = 0;
    for _ in 0..minutes {
        let minute = Instant::now();
        for _ in 0..MINUTE / INTERVAL {
            now += INTERVAL;
            evaluate(&mut evaluation, now);
        }
        n_forecasts += forecast(&mut evaluation, now).0;
        busy += minute.elapsed();
    }
    assert_eq!(n_forecasts, n_policies * minutes);
    let simulated = MINUTE as f64 * minutes as f64;
    let share = 100.0 * busy.as_secs_f64() / simulated;
    println!("{minutes} minutes of {n_policies} policies took {busy:.1?}: {share:.2} % of a core");
    if !is_test {
        choose(&mut evaluation, now, n_policies);
    }
    println!("{} MiB resident at the end, {begin} MiB at the beginning", memory());
}

/// Makes some choices of `auto`; unoptimised they take minutes.
fn choose(evaluation: &mut Evaluation, now: i64, n_policies: usize) {
    let choice = Instant::now();
    for _ in 0..CHOICES {
        let lead = |policy: &_| (lead_time(policy, None), at(now).into());
        let (policy, job) = evaluation.next_choice(at(now), |_, _| true, lead).unwrap();
        evaluation.take_choice(&policy, job.run().unwrap()).unwrap();
    }
    let each = choice.elapsed() / CHOICES;
    let share = 100.0 * each.as_secs_f64() * n_policies as f64 / 86_400.0;
    println!("a choice of auto took {each:.1?}; one a day for each policy: {share:.1} % of a core");
}

/// Makes all forecasts that are due; answers how many, and how long it took.
fn forecast(evaluation: &mut Evaluation, now: i64) -> (usize, Duration) {
    let begin = Instant::now();
    let mut count = 0;
    while let Some((policy, job)) = evaluation.next_forecast(at(now), |it| lead_time(it, None)) {
        evaluation.take_forecast(&policy, job.run(), &at(now).into());
        count += 1;
    }
    (count, begin.elapsed())
}

fn setting(name: &str) -> Option<usize> {
    std::env::var(name).ok().map(|it| it.parse().unwrap())
}

fn file(policies: usize) -> String {
    let mut text = "apiVersion: foresail.dev/v1alpha1\nkind: AdapterConfig\n\
                    sources: [{name: default, prometheus: {url: 'http://127.0.0.1:1'}}]\npolicies:\n"
        .to_owned();
    for n in 0..policies {
        writeln!(
            text,
            "  - {{metadata: {{name: p{n}, namespace: n}}, spec: {{interval: 15s, \
             metric: {{name: m{n}, type: External}}, \
             signals: {{x: {{source: default, prometheus: {{query: 'x{{n=\"{n}\"}}'}}}}}}, \
             smooth: [{{ewma: {{halfLife: 30s}}}}], forecast: {{leadTime: 3m}}}}}}"
        )
        .unwrap();
    }
    text
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// A daily rhythm with a jump each hour and something like noise.
fn sample(second: i64, seed: usize) -> Sample {
    let phase = second.rem_euclid(86_400) as f64 / 86_400.0 * std::f64::consts::TAU;
    let offset = i64::try_from(seed % 60).unwrap() * MINUTE;
    let jump = if (second + offset).rem_euclid(3_600) < 600 { 15.0 } else { 0.0 };
    let noise = (second.wrapping_mul(2_654_435_761) >> 7).rem_euclid(1_000) as f64 / 500.0;
    let value = 20.0 - 9.0 * phase.cos() + jump + noise;
    Sample { at: at(second), value: Finite::new(value).unwrap() }
}

/// Resident MiB of this process, from Linux' /proc.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|it| it.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1_024
}
