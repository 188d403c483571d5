//! One tick: 1,000 policies read, evaluated and published, without the reading.
//!
//! The design's budget is 15 % of a core at an interval of 15 s for forecasting policies; this is
//! what evaluation costs without one; `make soak` tells the rest.

#![expect(clippy::unwrap_used, reason = "a bench fails loudly")]

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use foresail::domain::finite::Finite;
use foresail::domain::name::ObjectName;
use foresail::domain::sample::Sample;
use foresail::evaluation::{Evaluation, Readings};
use foresail::policy::{Config, resolve};
use foresail::published::Published;
use jiff::Timestamp;
use std::fmt::Write;
use std::hint::black_box;
use std::time::Duration;

const POLICIES: usize = 1_000;
const INTERVAL: Duration = Duration::from_secs(15);

/// A file with that many policies of two signals and one smoothing step.
fn file(policies: usize, metric_type: &str) -> String {
    let mut text = "apiVersion: foresail.dev/v1alpha1
kind: AdapterConfig
sources: [{name: default, prometheus: {url: \"http://127.0.0.1:1\"}}]
policies:
"
    .to_owned();
    for n in 0..policies {
        writeln!(
            text,
            "  - metadata: {{name: p{n}, namespace: inference}}
    spec:
      metric: {{name: m{n}, type: {metric_type}}}
      signals:
        running: {{source: default, prometheus: {{query: 'sum(running{{n=\"{n}\"}})'}}}}
        waiting: {{source: default, prometheus: {{query: 'sum(waiting{{n=\"{n}\"}})'}}}}
      combine: running + waiting
      smooth: [{{ewma: {{halfLife: 30s}}}}]"
        )
        .unwrap();
    }
    text
}

fn config(policies: usize, metric_type: &str) -> Config {
    let config = resolve::load(&file(policies, metric_type)).unwrap();
    assert_eq!(config.policies.len(), policies);
    config
}

/// What both signals answered at a time, for no object or for so many pods.
fn readings(at: Timestamp, pods: usize) -> Readings {
    let value = Finite::new(f64::from(u32::try_from(at.as_second() % 97).unwrap())).unwrap();
    let sample = Sample { at, value };
    let objects: Vec<Option<ObjectName>> = match pods {
        0 => vec![None],
        _ => (0..pods).map(|n| Some(ObjectName::new(&format!("llama-{n}")).unwrap())).collect(),
    };
    let samples = || Ok(objects.iter().map(|object| (object.clone(), sample)).collect());
    vec![samples(), samples()]
}

fn tick(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("tick");
    for (name, policies, metric_type, pods) in [
        ("1,000 External policies", POLICIES, "External", 0),
        ("one Pods policy of 1,500 pods", 1, "Pods", 1_500),
    ] {
        let config = config(policies, metric_type);
        let published = Published::default();
        let mut evaluation = Evaluation::default();
        evaluation.configure(&config);
        let mut now = Timestamp::UNIX_EPOCH;
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || {
                    now += INTERVAL;
                    let read = |_| readings(now, pods);
                    (now, config.policies.iter().map(read).collect::<Vec<_>>())
                },
                |(now, readings)| {
                    for (policy, readings) in config.policies.iter().zip(readings) {
                        black_box(evaluation.evaluate(policy, readings, None, now));
                    }
                    evaluation.publish(&published);
                },
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

fn reload(criterion: &mut Criterion) {
    let text = file(POLICIES, "External");
    criterion.bench_function("reload of 1,000 policies", |bencher| {
        bencher.iter(|| {
            let config = resolve::load(black_box(&text)).unwrap();
            let mut evaluation = Evaluation::default();
            evaluation.configure(&config);
            evaluation
        });
    });
}

criterion_group!(benches, tick, reload);
criterion_main!(benches);
