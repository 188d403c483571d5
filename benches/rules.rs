//! What a relist of rules costs: from the answers of a server with 100,000 series to the metrics that
//! requests find, and how much memory that takes.
//!
//! The server is on loopback and answers as Prometheus does, with texts that were made before. What
//! prometheus-adapter would have fetched for the same series is printed beside.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a bench fails loudly and prints"
)]

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use foresail::domain::environment::Environment;
use foresail::domain::limits;
use foresail::domain::ports::Files;
use foresail::on_demand::ledger::Ledger;
use foresail::on_demand::rule::Relist;
use foresail::policy::resolve;
use foresail::rules::answer::Answer;
use foresail::rules::catalogue::SeriesShape;
use foresail::rules::load;
use foresail::rules::resources::RestMapping;
use foresail::source::{Reach, Source};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

const SERIES: usize = 100_000;
/// Over so many names they are spread.
const NAMES: [usize; 3] = [100, 1_000, 2_000];
/// Rules that look for them; what they may hold is bounded by `NAMES_MAX`.
const RULES: usize = 1;
const WINDOW: Duration = Duration::from_secs(300);

fn rules(n_rules: usize) -> String {
    let mut text = "rules:\n".to_owned();
    for rule in 0..n_rules {
        writeln!(
            text,
            "- {{seriesQuery: '{{__name__=~\"^rule{rule}_.*\"}}', resources: {{template: <<.Resource>>}}, \
             metricsQuery: 'sum(<<.Series>>{{<<.LabelMatchers>>}}) by (<<.GroupBy>>)'}}"
        )
        .unwrap();
    }
    text
}

/// Answers what is asked about names with `n_names`, each with the name of the rule that asks in front.
fn serve(n_names: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answers: Vec<String> = (0..RULES).map(|rule| answer(rule, n_names)).collect();
    // It ends with the process.
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut request = vec![0; 16 * 1024];
            let length = stream.read(&mut request).unwrap_or(0);
            let request = String::from_utf8_lossy(&request[..length]);
            let body = if request.contains("/api/v1/labels") {
                LABELS
            } else {
                let rule = request.split("%5Erule").nth(1).and_then(|it| it.split('_').next());
                &answers[rule.unwrap().parse::<usize>().unwrap()]
            };
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close";
            let length = body.len();
            drop(write!(stream, "{head}\r\nContent-Length: {length}\r\n\r\n{body}"));
        }
    });
    url
}

const LABELS: &str = r#"{"status":"success","data":["__name__","container","image","job","namespace","node","pod"]}"#;

fn answer(rule: usize, n_names: usize) -> String {
    let series = (0..n_names).map(|idx| {
        let name = format!("rule{rule}_container_metric_{idx:05}_total");
        format!(r#"{{"metric":{{"__name__":"{name}"}},"value":[1762000000,"1"]}}"#)
    });
    let series = series.collect::<Vec<_>>().join(",");
    format!(r#"{{"status":"success","data":{{"resultType":"vector","result":[{series}]}}}}"#)
}

/// What `/api/v1/series` answers about them: every label of every series.
fn series_bytes(n_names: usize) -> usize {
    let series = |idx: usize| {
        let (name, pod) = (idx % n_names, idx / n_names);
        format!(
            r#"{{"__name__":"container_metric_{name:05}_total","container":"server","image":"registry.example.com/inference/server:v1.2.3","job":"kubelet","namespace":"inference","node":"gpu-node-{pod:05}","pod":"llama-7d9f6c5b4-{pod:05}"}},"#
        )
    };
    (0..SERIES).map(|idx| series(idx).len()).sum()
}

fn source(url: &str) -> Source {
    let text = format!(
        "apiVersion: foresail.dev/v1alpha1\nkind: AdapterConfig\nsources:\n  - {{name: it, \
         prometheus: {{url: '{url}', method: GET}}}}\n"
    );
    let config = resolve::load(&text).unwrap();
    let reach = Reach {
        files: Arc::new(NoFiles),
        environment: Arc::new(Environment::default()),
        now: Timestamp::now,
    };
    Source::new(&config.sources[0], &reach).unwrap()
}

/// As the adapter does it for one rule.
async fn series(source: &Source, relist: &Relist) -> Vec<SeriesShape> {
    let now = Timestamp::now();
    let there = source.label_names(&relist.rule.series_query, (now - WINDOW, now)).await.unwrap();
    let mut shapes: BTreeMap<Box<str>, SeriesShape> = BTreeMap::new();
    for label in relist.labels.iter().filter(|it| there.contains(it)) {
        let query = relist.rule.names_query(Some(label), WINDOW).unwrap();
        let Answer::Vector(series) = source.plain(&query, now).await.unwrap() else { panic!() };
        for name in series.iter().filter_map(|(labels, _)| labels.get("__name__")) {
            let shape = shapes.entry(name.into()).or_default();
            shape.name = name.into();
            shape.labels.insert(label.clone());
        }
    }
    shapes.into_values().collect()
}

/// Looks for the series of all rules, and puts the metrics together.
fn relist(runtime: &Runtime, source: &Source, ledger: &mut Ledger<()>) -> usize {
    for relist in ledger.relists() {
        let series = runtime.block_on(series(source, &relist));
        ledger.relisted(&relist.rule, Ok(series), Timestamp::now());
    }
    ledger.list();
    ledger.state().catalogue.customs().count()
}

fn configured(n_rules: usize) -> Ledger<()> {
    let rules = load::load(&rules(n_rules)).unwrap();
    assert_eq!(rules.faults, []);
    let mut ledger = Ledger::default();
    ledger.configure(&rules, &RestMapping::usual());
    ledger
}

fn relists(criterion: &mut Criterion) {
    drop(rustls::crypto::ring::default_provider().install_default());
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let mut group = criterion.benchmark_group("relist_of_100000_series");
    group.sample_size(10);
    for n_names in NAMES {
        let source = source(&serve(n_names));
        let n_rules = RULES;
        let before = resident();
        let mut ledger = configured(n_rules);
        let n_metrics = relist(&runtime, &source, &mut ledger);
        println!(
            "{n_names} names, {n_rules} rules: {n_metrics} metrics; {} MiB resident, {} more than \
             before, {} at most; by /api/v1/series {} MB would have come for each rule",
            resident(),
            resident().saturating_sub(before),
            status("VmHWM:"),
            series_bytes(n_names) / 1_000_000,
        );
        let most = limits::on_demand::NAMES_MAX;
        println!("of {most} names at most for all rules");
        group.bench_function(BenchmarkId::new("first", n_names), |bencher| {
            bencher.iter(|| relist(&runtime, &source, &mut configured(n_rules)));
        });
        group.bench_function(BenchmarkId::new("again", n_names), |bencher| {
            bencher.iter(|| relist(&runtime, &source, &mut ledger));
        });
        // What is done beside the task that serves.
        group.bench_function(BenchmarkId::new("metrics_of_it", n_names), |bencher| {
            bencher.iter(|| ledger.material().listed());
        });
        println!("{n_names} names: {} MiB resident, {} at most", resident(), status("VmHWM:"));
    }
    group.finish();
}

/// None are needed.
#[derive(Debug)]
struct NoFiles;

impl Files for NoFiles {
    fn content(&self, path: &str) -> Result<Arc<[u8]>, String> {
        Err(format!("`{path}`: no file"))
    }
}

/// Resident MiB of this process.
fn resident() -> u64 {
    status("VmRSS:")
}

/// A number of MiB, from Linux' /proc.
fn status(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|it| it.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1_024
}

criterion_group!(benches, relists);
criterion_main!(benches);
