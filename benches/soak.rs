//! A soak: policies that forecast, two weeks of history each, turned minute by minute as the tick
//! turns them. Prints what they hold and what they cost.
//!
//! `make soak` runs it with the design's 1,000 policies, whose budget is 256 MiB in all and 15 % of
//! a core at an interval of 15 s. `SOAK_POLICIES` and `SOAK_MINUTES` change that. Time is that of the
//! processor, so that whatever else the machine does is left out.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench fails loudly, on stdout, and is told its size by the environment"
)]

use foresail::domain::finite::Finite;
use foresail::domain::limits;
use foresail::domain::sample::Sample;
use foresail::evaluation::Evaluation;
use foresail::evaluation::choices::ChoiceMade;
use foresail::evaluation::explain::Question;
use foresail::evaluation::forecasts::lead_time;
use foresail::forecast::past::REFIT;
use foresail::policy::{Config, Policy, resolve};
use foresail::published::Published;
use jiff::Timestamp;
use std::fmt::Write;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

const MINUTE: i64 = 60;
const INTERVAL: i64 = 15;
/// Minutes between two fits of all models.
const FIT_MINUTES: f64 = REFIT as f64;
/// Some minutes before all models are fitted anew.
const BEGIN: i64 = 20_000 * 86_400 + (REFIT as i64 - 5) * MINUTE;
/// Turns of the tick that are timed.
const TURNS: u32 = 100;

fn main() {
    // Cargo says `--bench` when it measures, and nothing when it tests.
    let is_test = !std::env::args().any(|it| it == "--bench");
    let (n_policies, minutes) = if is_test { (2, 2) } else { (1_000, 15) };
    let n_policies = setting("SOAK_POLICIES").unwrap_or(n_policies);
    let minutes = setting("SOAK_MINUTES").unwrap_or(minutes);
    let mut soak = Soak::new(n_policies);
    let begin = memory();
    // The step of the first sample has to be over before it can be read.
    for _ in 0..=2 * MINUTE / INTERVAL {
        soak.evaluate();
    }
    soak.fill();
    soak.first_forecasts();
    let choice = (!is_test).then(|| soak.start_choice());
    soak.minutes(minutes);
    if let Some(choice) = choice {
        soak.take_choice(choice);
    }
    soak.turns();
    soak.explain();
    let peak = status("VmHWM:");
    println!("{} MiB resident at the end, {peak} at most, {begin} at the beginning", memory());
}

struct Soak {
    config: Config,
    evaluation: Evaluation,
    published: Published,
    now: i64,
}

/// A choice under way: for whom, and what it comes to in how much time.
type Choice = (Arc<Policy>, JoinHandle<(ChoiceMade, Duration)>);

impl Soak {
    fn new(n_policies: usize) -> Self {
        let config = resolve::load(&file(n_policies)).unwrap();
        assert_eq!(config.policies.len(), n_policies, "{:?}", config.faults.first());
        let mut evaluation = Evaluation::default();
        evaluation.configure(&config);
        Self { config, evaluation, published: Published::default(), now: BEGIN }
    }

    /// Evaluates all policies, an interval later than the last time.
    fn evaluate(&mut self) {
        self.now += INTERVAL;
        for (seed, policy) in self.config.policies.iter().enumerate() {
            let sample = sample(self.now, seed);
            let reading = Ok([(None, sample)].into());
            self.evaluation.evaluate(policy, vec![reading], None, sample.at).unwrap();
        }
        self.evaluation.publish(&self.published);
    }

    /// Reads what the histories lack.
    fn fill(&mut self) {
        let begin = processor_time();
        let now = at(self.now);
        while let Some(chunk) = self.evaluation.next_chunk(now, |_| true) {
            let mut policies = self.config.policies.iter();
            let seed = policies.position(|it| it.key == chunk.policy.key).unwrap();
            let (from, to) = (chunk.past.from.as_second(), chunk.past.to.as_second());
            let step = usize::try_from(chunk.past.step.as_secs().max(1)).unwrap();
            let samples = (from..=to).step_by(step).map(|it| sample(it, seed)).collect();
            self.evaluation.take_chunk(&chunk, Ok(samples), now).unwrap();
        }
        let progress = self.evaluation.progress_of_all();
        assert!(progress.is_done(), "{progress:?}");
        let (took, chunks) = (processor_time() - begin, progress.chunks_total);
        println!("histories filled: {chunks} chunks in {took:.1?}, making them up included");
        self.holdings();
    }

    /// What a restart costs: every model is fitted, and its score replayed.
    fn first_forecasts(&mut self) {
        let begin = processor_time();
        let count = self.forecast();
        assert_eq!(count, self.config.policies.len());
        let took = processor_time() - begin;
        println!("{count} first forecasts: {took:.1?}");
        self.holdings();
    }

    /// Makes all forecasts that are due; answers how many. As the tick does, each is published.
    fn forecast(&mut self) -> usize {
        let now = at(self.now);
        let mut count = 0;
        while let Some((policy, job)) = self.evaluation.next_forecast(now, |it| lead_time(it, None))
        {
            self.evaluation.take_forecast(&policy, job.run(), &now.into());
            self.evaluation.publish(&self.published);
            count += 1;
        }
        count
    }

    fn minutes(&mut self, minutes: usize) {
        let (mut steps, mut fit) = (Vec::new(), None);
        for _ in 0..minutes {
            let begin = processor_time();
            let before = self.now;
            for _ in 0..MINUTE / INTERVAL {
                self.evaluate();
            }
            assert_eq!(self.forecast(), self.config.policies.len());
            let took = processor_time() - begin;
            let period = |now: i64| (now / MINUTE - 1) / REFIT as i64;
            if period(before) == period(self.now) { steps.push(took) } else { fit = Some(took) }
        }
        let n_steps = u32::try_from(steps.len()).unwrap();
        let step = steps.iter().sum::<Duration>() / n_steps;
        let share = percent(step.as_secs_f64() / MINUTE as f64);
        println!("a minute of {n_steps}: {step:.2?}, {share} of a core");
        if let Some(fit) = fit {
            let all = step.as_secs_f64() * (FIT_MINUTES - 1.0) + fit.as_secs_f64();
            let share = percent(all / FIT_MINUTES / MINUTE as f64);
            println!(
                "a minute in which all models are fitted anew: {fit:.1?}; one in {FIT_MINUTES}"
            );
            println!("evaluation and forecasts: {share} of a core");
        }
        self.holdings();
    }

    /// Begins a choice of `auto` beside everything else.
    fn start_choice(&mut self) -> Choice {
        let now = at(self.now);
        let lead = |policy: &_| (lead_time(policy, None), now.into());
        let due = self.evaluation.next_choice(now, |_, _| true, lead);
        // Of any policy whose history is whole.
        let (policy, job) = due.unwrap();
        let choice = std::thread::spawn(|| {
            let begin = processor_time();
            (job.run().unwrap(), processor_time() - begin)
        });
        (policy, choice)
    }

    fn take_choice(&mut self, (policy, choice): Choice) {
        let (made, took) = choice.join().unwrap();
        self.evaluation.take_choice(&policy, made).unwrap();
        let share = percent(took.as_secs_f64() * self.config.policies.len() as f64 / 86_400.0);
        println!("a choice of auto: {took:.1?}; one a day for each policy: {share} of a core");
    }

    /// What a turn of the tick costs in which nothing is due.
    fn turns(&mut self) {
        let now = at(self.now);
        let begin = processor_time();
        for _ in 0..TURNS {
            assert!(self.evaluation.next_chunk(now, |_| true).is_none());
            assert!(self.evaluation.progress_of_all().is_done());
            assert!(self.evaluation.next_chunk_after(now).is_none());
            let forecast = self.evaluation.next_forecast(now, |it| lead_time(it, None));
            assert!(forecast.is_none());
            let lead = |policy: &_| (lead_time(policy, None), now.into());
            assert!(self.evaluation.next_choice(now, |_, _| false, lead).is_none());
            self.evaluation.publish(&self.published);
        }
        let took = (processor_time() - begin) / TURNS;
        println!("a turn of the tick in which nothing is due: {took:.1?}");
    }

    /// What it takes to ask for all traces of all policies.
    fn explain(&self) {
        let begin = processor_time();
        let mut count = 0;
        for policy in &self.config.policies {
            let (namespace, metric) = (policy.key.namespace.clone(), policy.metric.clone());
            let question = Question::Metric { namespace, metric, last: limits::TRACES_MAX };
            let answer = self.evaluation.explain(&question);
            count += answer.explained.iter().map(|it| it.traces.len()).sum::<usize>();
        }
        println!("{count} traces told: {:.2?}", processor_time() - begin);
    }

    fn holdings(&self) {
        let held = self.evaluation.holdings();
        let n_policies = self.config.policies.len();
        let kib = |bytes: usize| bytes as f64 / n_policies as f64 / 1_024.0;
        println!(
            "  per policy: {:.1} KiB history, {:.1} forecaster, {:.1} forecasts, {:.1} traces; \
             {} MiB resident",
            kib(held.histories),
            kib(held.forecasters),
            kib(held.forecasts),
            kib(held.traces),
            memory()
        );
    }
}

fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
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

/// Resident MiB of this process.
fn memory() -> u64 {
    status("VmRSS:")
}

/// A number of MiB, from Linux' /proc.
fn status(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|it| it.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1_024
}

/// How long this thread has been on a processor, from Linux' /proc.
fn processor_time() -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(told.split_whitespace().next().unwrap().parse().unwrap())
}
